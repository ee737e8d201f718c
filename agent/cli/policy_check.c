/* kuraban policy check FILE: what a policy engineer asks before signing. No daemon, no root; the file alone. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/check_present.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/policy_file.h"
#include "cli/value.h"
#include "policy/warn.h"

enum {
    OPTION_PRESENT = 0
};
const struct cli_option cli_policy_check_options[] = {
    {"present", NULL, N_("also warn of devices of this machine that would no longer work")},
    {0},
};

struct checked {
    const char *path;
    uint8_t *bytes;
    size_t size;
    struct policy_findings findings;
    struct policy *policy; /* NULL: it has errors */
};

static void checked_done(struct checked *k)
{
    (void)policy_unref(k->policy);
    policy_findings_done(&k->findings);
    free(k->bytes);
}

static void show_text(struct cli *c, const struct checked *k)
{
    policy_findings_print(&k->findings, c->out, cli_safe(c, k->path), k->bytes, k->size);
    if (!k->policy)
        return;
    (void)fprintf(c->out, _("%s: no errors (%s, version %" PRIu64 ", %zu USB rules, %zu media rules, %zu stores)"),
                  cli_safe(c, k->path), cli_safe(c, k->policy->name), k->policy->version, k->policy->n_usb,
                  k->policy->media.n_rules, k->policy->n_stores);
    (void)fputc('\n', c->out);
}

static void show_json(struct cli *c, const struct checked *k)
{
    json_t *policy = k->policy
                         ? json_pack("{s:s, s:I}", "name", k->policy->name, "version", (json_int_t)k->policy->version)
                         : json_null();
    json_t *answer = json_pack("{s:b, s:o, s:o}", "ok", k->policy != NULL, "policy", policy, "findings",
                               policy_file_findings(&k->findings));

    cli_show(c, answer, NULL);
    json_decref(answer);
}

/* An unreadable file is an error in the same form, so that a script needs to know one. */
static enum cli_exit unreadable(struct cli *c, const char *path, int error)
{
    const char *message = error == -EINVAL  ? _("this is not a regular file")
                          : error == -EFBIG ? _("a policy has at most 256 KiB")
                                            : strerror(-error);
    json_t *answer;

    if (!c->json) {
        (void)fprintf(c->out, "%s:0:0: %s\n", cli_safe(c, path), message);
        return CLI_NO;
    }
    answer = json_pack("{s:b, s:n, s:[{s:s, s:i, s:i, s:s}]}", "ok", 0, "policy", "findings", "severity", "error",
                       "line", 0, "column", 0, "message", message);
    cli_show(c, answer, NULL);
    json_decref(answer);
    return CLI_NO;
}

enum cli_exit cli_policy_check(struct cli *c, const struct cli_arguments *a)
{
    struct checked k = {.path = a->words[0], .findings.translate = i18n_translate};
    enum cli_exit code = CLI_NO, present = CLI_OK;
    int r = policy_file_read(k.path, &k.bytes, &k.size);

    if (r < 0)
        return unreadable(c, k.path, r);
    r = policy_load(k.path, k.bytes, k.size, &k.findings, &k.policy);
    if (r == 0)
        policy_warn_expiry(k.policy, clock_wall_us(), &k.findings);
    if (r == 0 && a->values[OPTION_PRESENT])
        r = policy_file_resolve(k.policy, &k.findings);
    if (r == 0 && a->values[OPTION_PRESENT])
        present = check_present(c, k.policy, &k.findings);
    if (present != CLI_OK) {
        code = present;
    } else if (r < 0) {
        cli_error(c, "%s", strerror(-r));
        code = CLI_FAILED;
    } else {
        if (c->json)
            show_json(c, &k);
        else
            show_text(c, &k);
        code = r == 0 ? CLI_OK : CLI_NO;
    }
    checked_done(&k);
    return code;
}
