/* kuraban-hub serve: the centre's process. */
#include "hub/serve/serve.h"
#include "cli/i18n.h"
#include "hub/cli/hub.h"
#include "hub/enrol/part.h"
#include "hub/ingest/part.h"
#include "hub/rollout/part.h"

enum {
    OPTION_BROKER,
    BROKERS_MAX = 16,
};

const struct cli_option hub_serve_options[] = {
    [OPTION_BROKER] = {"broker", "URL", N_("where the broker is; may come again (this machine)")},
    {0},
};

static const struct hub_part *const parts[] = {&hub_ingest_part, &enrol_part, &rollout_part, NULL};

static enum cli_exit served(struct cli *c, int r)
{
    if (r == HUB_SERVE_OK)
        return CLI_OK;
    if (r == HUB_SERVE_E_RUNNING)
        cli_error(c, _("%s: another process serves this centre"), cli_safe(c, hub_place(c)));
    else if (r == HUB_SERVE_E_KEYS)
        cli_error(c, _("%s/keys cannot be read, or others can read it"), cli_safe(c, hub_place(c)));
    else
        return hub_failed(c, r);
    return CLI_FAILED;
}

enum cli_exit hub_cli_serve(struct cli *c, const struct cli_arguments *a)
{
    const char *brokers[BROKERS_MAX + 1] = {NULL};
    const struct hub_serve_settings settings = {.brokers = a->n_given > 0 ? brokers : NULL, .parts = parts};
    struct centre centre;
    enum cli_exit code;

    for (size_t i = 0; i < a->n_given; i++) {
        if (i == BROKERS_MAX)
            return cli_usage(c, _("at most %d addresses"), BROKERS_MAX);
        brokers[i] = a->given[i].value;
    }
    code = hub_open(c, &centre);
    if (code != CLI_OK)
        return code;
    code = served(c, hub_serve_run(&centre, &settings));
    centre_close(&centre);
    return code;
}
