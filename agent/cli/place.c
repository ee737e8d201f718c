/* Owns: the configuration that kuraban's verbs go by. Must not: fall back to another file than the one that was named. */
#include <string.h>

#include "cli/cli.h"
#include "cli/i18n.h"
#include "config/config.h"
#include "policy/findings.h"

static void forget(struct cli *c)
{
    c->config = config_free(c->config);
}

enum cli_exit cli_config(struct cli *c)
{
    struct policy_findings findings = {.translate = i18n_translate};
    const char *name = c->place ? c->place : CONFIG_DEFAULT_PATH;
    int r;

    if (c->config)
        return CLI_OK;
    c->forget_config = forget;
    r = config_load(c->place, &findings, &c->config);
    if (r < 0)
        cli_error(c, "%s: %s", cli_safe(c, name), strerror(-r));
    if (r > 0)
        policy_findings_print(&findings, c->err, cli_safe(c, name), NULL, 0);
    policy_findings_done(&findings);
    return r == 0 ? CLI_OK : CLI_FAILED;
}
