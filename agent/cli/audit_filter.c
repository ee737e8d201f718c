/* Owns: filters of the journal from the command line. */
#include "cli/audit_filter.h"

#include <pwd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/i18n.h"

static enum cli_exit get_time(struct cli *c, const struct cli_arguments *a, int option, const char *name, int64_t *ret)
{
    if (a->values[option] && clock_parse_rfc3339(a->values[option], ret) < 0)
        return cli_usage(c, _("--%s: “%s” is no time"), name, cli_safe(c, a->values[option]));
    return CLI_OK;
}

static enum cli_exit get_user(struct cli *c, const char *user, struct journal_filter *f)
{
    const struct passwd *entry;
    uint64_t id = 0;

    if (!user)
        return CLI_OK;
    f->has_uid = true;
    if (text_to_u64(user, UINT32_MAX - 1, &id) == 0) {
        f->uid = (uid_t)id;
        return CLI_OK;
    }
    entry = getpwnam(user);
    if (!entry)
        return cli_usage(c, _("there is no user “%s”"), cli_safe(c, user));
    f->uid = entry->pw_uid;
    return CLI_OK;
}

static enum cli_exit get_verdict(struct cli *c, const char *verdict, struct journal_filter *f)
{
    static const struct {
        const char *name;
        enum journal_read_verdict verdict;
    } names[] = {
        {"allow", JOURNAL_READ_ALLOW}, {"deny", JOURNAL_READ_DENY}, {"would-refuse", JOURNAL_READ_WOULD_REFUSE}};

    if (!verdict)
        return CLI_OK;
    for (size_t i = 0; i < ELEMENTS(names); i++)
        if (text_equal(names[i].name, verdict)) {
            f->verdict = names[i].verdict;
            return CLI_OK;
        }
    return cli_usage(c, _("--verdict is allow, deny or would-refuse"));
}

static enum cli_exit get_action(struct cli *c, const char *action, struct journal_filter *f)
{
    if (!action)
        return CLI_OK;
    f->action = audit_action_from_name(action);
    if (f->action != AUDIT_NONE)
        return CLI_OK;
    return cli_usage(c, _("--action: “%s” is unknown; kuraban(1) lists the actions"), cli_safe(c, action));
}

enum cli_exit audit_filter(struct cli *c, const struct cli_arguments *a, struct journal_filter *ret)
{
    struct journal_filter f = {.device = a->values[FILTER_DEVICE],
                               .rule = a->values[FILTER_RULE],
                               .alarms_only = a->values[FILTER_ALARMS] != NULL};
    enum cli_exit code = get_time(c, a, FILTER_SINCE, "since", &f.from_us);

    if (code == CLI_OK)
        code = get_time(c, a, FILTER_UNTIL, "until", &f.until_us);
    if (code == CLI_OK)
        code = get_user(c, a->values[FILTER_USER], &f);
    if (code == CLI_OK)
        code = get_verdict(c, a->values[FILTER_VERDICT], &f);
    if (code == CLI_OK)
        code = get_action(c, a->values[FILTER_ACTION], &f);
    if (code == CLI_OK && a->values[FILTER_TAIL] &&
        (text_to_u64(a->values[FILTER_TAIL], INT64_MAX, &f.tail) < 0 || f.tail == 0))
        code = cli_usage(c, _("--tail is a number from 1"));
    if (code == CLI_OK)
        *ret = f;
    return code;
}
