/*
 * kuraban policy generate: a policy that keeps what is plugged in now, for a start in monitor mode. Storage is refused, with a
 * proposal as comments; policy/generate.c writes it.
 */
#include <jansson.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/generate.h"
#include "cli/i18n.h"
#include "cli/present.h"
#include "policy/findings.h"
#include "policy/policy.h"

/* What the manager wants to decide by; the decisions are not looked at. */
static const char empty_policy[] = "format: kuraban-policy/1\norganization: example\nname: empty\nversion: 1\n"
                                   "zone: mynumber\nmode: monitor\n";

static enum cli_exit find_devices(struct cli *c, struct present **ret)
{
    struct policy_findings findings = {.translate = i18n_translate};
    struct policy *policy = NULL;
    enum cli_exit code = CLI_FAILED;

    if (policy_load("", (const uint8_t *)empty_policy, strlen(empty_policy), &findings, &policy) == 0)
        code = present_read(c, policy, ret);
    else
        policy_findings_print(&findings, c->err, "generate", NULL, 0);
    (void)policy_unref(policy);
    policy_findings_done(&findings);
    return code;
}

enum cli_exit cli_policy_generate(struct cli *c, const struct cli_arguments *a)
{
    struct present *present = NULL;
    struct buf yaml;
    enum cli_exit code = find_devices(c, &present);
    int r;

    (void)a;
    if (code != CLI_OK)
        return code;
    buf_init(&yaml, POLICY_DOCUMENT_MAX);
    r = generate_policy(present, &yaml);
    if (r < 0) {
        cli_error(c, "%s", strerror(-r));
        code = CLI_FAILED;
    } else if (c->json) {
        json_t *answer = json_pack("{s:s%, s:I}", "document", (const char *)yaml.data, yaml.size, "devices",
                                   (json_int_t)present_count(present));

        cli_show(c, answer, NULL);
        json_decref(answer);
    } else {
        (void)fwrite(yaml.data, 1, yaml.size, c->out);
    }
    buf_done(&yaml);
    (void)present_free(present);
    return code;
}
