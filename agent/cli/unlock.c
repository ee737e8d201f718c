/*
 * kuraban unlock: a locked device opens for one person and a while, by a one-time code and, where policy says so, colleagues who give
 * theirs. kuraband is asked first whether a code would do, so that none is used up in vain. Codes are asked on the terminal, kept in
 * locked memory and wiped.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/approval.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/factor_tty.h"
#include "cli/grant_show.h"
#include "cli/i18n.h"
#include "cli/passphrase.h"
#include "cli/value.h"
#include "cli/why_words.h"
#include "ctl/protocol.h"

enum {
    OPTION_FOR,
    OPTION_REASON,
    OPTION_APPROVER,
    OPTION_STATUS,
    OPTION_WATCH,
    OPTION_END,
    SECONDS_MAX = 8 * 3600,
    DEADLINE_MS = 60000,
};

const struct cli_option cli_unlock_options[] = {
    [OPTION_FOR] = {"for", "TIME", N_("how long: 15m, 1h, 90s; at most what policy permits, which is the default")},
    [OPTION_REASON] = {"reason", "TEXT", N_("what it is for, at most 200 bytes; goes to the journal")},
    [OPTION_APPROVER] = {"approver", "USER",
                         N_("a colleague who approves here with a code; once for each, at most three")},
    [OPTION_STATUS] = {"status", NULL, N_("what is unlocked, by whom and how long still")},
    [OPTION_WATCH] = {"watch", NULL, N_("with --status: go on showing it until nothing is unlocked")},
    [OPTION_END] = {"end", NULL, N_("lock it again now; without DEVICE all that you unlocked")},
    {0},
};

struct unlock {
    const char *device;
    uint32_t seconds; /* 0: as policy permits */
    struct approval approval;
};

/* --- what was given --- */

/* "15m", "1h", "90s", "90": seconds. */
static int parse_time(const char *text, uint32_t *ret)
{
    char digits[16];
    size_t n = strspn(text, "0123456789");
    uint64_t number, unit = 1;

    if (n == 0 || n >= sizeof(digits) || (text[n] != '\0' && text[n + 1] != '\0'))
        return -EINVAL;
    if (text[n] == 'm')
        unit = 60;
    else if (text[n] == 'h')
        unit = 3600;
    else if (text[n] != '\0' && text[n] != 's')
        return -EINVAL;
    memcpy(digits, text, n);
    digits[n] = '\0';
    if (text_to_u64(digits, SECONDS_MAX, &number) < 0 || number == 0 || number * unit > SECONDS_MAX)
        return -ERANGE;
    *ret = (uint32_t)(number * unit);
    return 0;
}

static enum cli_exit take_arguments(struct cli *c, const struct cli_arguments *a, struct unlock *u)
{
    enum cli_exit code = approval_take(c, a, OPTION_REASON, OPTION_APPROVER, &u->approval);

    u->device = a->n_words > 0 ? a->words[0] : "";
    if (code != CLI_OK)
        return code;
    if (a->values[OPTION_FOR] && parse_time(a->values[OPTION_FOR], &u->seconds) < 0)
        return cli_usage(c, "%s", _("--for is a time like 15m, 1h or 90s, at most 8h"));
    return CLI_OK;
}

/* --- refusals --- */

static enum cli_exit tell_not_locked(struct cli *c, const json_t *answer)
{
    const char *verdict = value_string(answer, "verdict");
    const struct why_words *why = why_words_of(value_string(answer, "verdict_reason"));

    if (text_equal(verdict, "allow")) {
        cli_error(c, "%s", _("it is not locked: it is open already"));
    } else if (*verdict) {
        cli_error(c, _("unlocking does not help: %s"), _(why->reason));
        cli_next(c, why->next);
    } else {
        cli_error(c, "%s", _("nothing here is locked"));
        cli_next(c, N_("“kuraban devices” shows what is there, and how it stands."));
    }
    return CLI_NO;
}

static enum cli_exit tell_approvals(struct cli *c, const json_t *answer)
{
    int64_t approvals = value_number(answer, "approvals");

    cli_error(c,
              ngettext("rule %s needs the approval of %d colleague, at this terminal: --approver USER",
                       "rule %s needs the approval of %d colleagues, at this terminal: --approver USER for each",
                       (unsigned long)approvals),
              cli_safe(c, value_string(answer, "rule")), (int)approvals);
    return CLI_NO;
}

/* next NULL: the words say it. */
static const struct refusal {
    const char *reason, *words, *next;
} plain[] =
    {
        {"ambiguous", N_("more than one device is locked; say which: “kuraban devices” lists them"), NULL},
        {"taken", N_("somebody else has unlocked it: “kuraban unlock --status”"),
         N_("Ask that person to lock it again, or wait until their time is over.")},
        {"many", N_("too much is unlocked at the same time; end something first"),
         N_("“kuraban unlock --status” shows what, and “kuraban unlock --end DEVICE” ends it.")},
        {"journal", N_("the journal could not take it, so nothing was opened"),
         N_("Call the information policy section.")},
        {"no-grant", N_("nothing is unlocked that you could lock again"),
         N_("“kuraban unlock --status” shows what is unlocked, and by whom.")},
},
  by_rule[] = {
      /* the first four are reasons of rules: why_words has what to do */
      {"who", N_("this device is not permitted to you"), NULL},
      {"when", N_("it is not permitted at this hour"), NULL},
      {"expired", N_("the permission has expired"), NULL},
      {"unknown", N_("it could not be found out whether this device is permitted to you"), NULL},
      {"away", N_("it is permitted to people who sit at this machine only"),
       N_("Log in at the machine itself, and run it there.")},
      {"factor", N_("a factor is wanted that cannot be shown here"), N_("Call the information policy section.")},
      {"approver", N_("somebody is named who may not approve this, or more people than are asked"),
       N_("Ask your section head who approves it, and name that person.")},
      {"self", N_("who is logged in here cannot approve as well"),
       N_("Ask another person who may approve to come to this terminal.")},
};

static const struct refusal *find(const struct refusal *list, size_t n, const char *reason)
{
    for (size_t i = 0; i < n; i++)
        if (text_equal(reason, list[i].reason))
            return &list[i];
    return NULL;
}

static enum cli_exit tell_refusal(struct cli *c, const struct unlock *u, const json_t *answer)
{
    const char *reason = value_string(answer, "reason");
    const struct refusal *own = find(plain, ELEMENTS(plain), reason);
    const struct refusal *ruled = find(by_rule, ELEMENTS(by_rule), reason);

    if (text_equal(reason, "not-locked"))
        return tell_not_locked(c, answer);
    if (text_equal(reason, "code"))
        return approval_tell_code(c, answer);
    if (text_equal(reason, "approval"))
        return tell_approvals(c, answer);
    if (ruled) {
        cli_error(c, _("%s [rule %s]"), _(ruled->words), cli_safe(c, value_string(answer, "rule")));
        cli_next(c, ruled->next ? ruled->next : why_words_of(reason)->next);
        return CLI_NOT_PERMITTED;
    }
    if (own) {
        cli_error(c, "%s", _(own->words));
        cli_next(c, own->next);
    } else if (text_equal(reason, "no-device")) {
        cli_error(c, _("no device or medium called “%s” is there"), cli_safe(c, u ? u->device : ""));
        cli_next(c, N_("“kuraban devices” shows what is there, and how it stands."));
    } else {
        cli_error(c, _("kuraband could not do it: %s"), cli_safe(c, value_string(answer, "message")));
        cli_next(c, N_("Try again. If it fails again, call the information policy section."));
    }
    return CLI_NO;
}

/* --- asking --- */

static int add_fields(struct buf *b, const struct unlock *u)
{
    int r = buf_add_string(b, u->device);

    if (r == 0)
        r = buf_add_u32(b, u->seconds);
    if (r == 0)
        r = buf_add_string(b, u->approval.reason);
    return r == 0 ? approval_add_fields(b, &u->approval) : r;
}

/* CLI_OK: an answer, whatever its code. */
static enum cli_exit ask_kuraband(struct cli *c, uint16_t request, const struct buf *fields, uint32_t *ret_code,
                                  json_t **ret)
{
    struct ctl_client client = {.socket = -1};
    enum cli_exit code = ask_open(c, &client);
    int r;

    if (code != CLI_OK)
        return code;
    r = ctl_client_ask(&client, request, fields, DEADLINE_MS, ret_code, ret);
    ctl_client_close(&client);
    return r < 0 ? ask_failed(c, r) : CLI_OK;
}

static enum cli_exit ask_unlock(struct cli *c, const struct unlock *u, uint32_t *ret_code, json_t **ret)
{
    enum cli_exit code = CLI_FAILED;
    struct buf fields;

    buf_init(&fields, 4096);
    if (add_fields(&fields, u) == 0)
        code = ask_kuraband(c, CTL_UNLOCK, &fields, ret_code, ret);
    else
        cli_error(c, "%s", strerror(ENOMEM));
    buf_done(&fields);
    return code;
}

/* An answer that is no: told, and shown to who reads JSON. Takes it. */
static enum cli_exit refused(struct cli *c, const struct unlock *u, uint32_t code, json_t *answer)
{
    enum cli_exit result;

    if (code == CTL_CODE_INVALID) {
        result = cli_usage(c, "%s", _("kuraband does not accept these values"));
    } else {
        result = tell_refusal(c, u, answer);
        if (c->json && answer)
            cli_show(c, answer, NULL);
    }
    json_decref(answer);
    return result;
}

static void text_given(struct cli *c, const json_t *grant)
{
    int64_t minutes = (value_number(grant, "seconds") + 59) / 60;
    char hour[16];

    (void)fprintf(c->out,
                  ngettext("Unlocked until %s (%" PRIi64 " minute) [rule %s].\n",
                           "Unlocked until %s (%" PRIi64 " minutes) [rule %s].\n", (unsigned long)minutes),
                  value_hour(value_string(grant, "until"), hour, sizeof(hour)), minutes,
                  cli_safe(c, value_string(grant, "rule")));
    (void)fprintf(c->out, "%s\n", _("“kuraban unlock --end” locks it again sooner."));
}

/* For who approves. */
struct wanted {
    const struct unlock *unlock;
    const json_t *answer; /* kuraband's, which asks for codes */
};

static void show_wanted(struct cli *c, void *context)
{
    const struct wanted *w = context;
    uint32_t longest = (uint32_t)value_number(w->answer, "seconds"), asked = w->unlock->seconds;
    uint32_t minutes = ((asked > 0 && asked < longest ? asked : longest) + 59) / 60;
    char person[64], device[256];

    factor_tty_say(ngettext("%s unlocks %s for %u minute.", "%s unlocks %s for %u minutes.", minutes),
                   cli_safe(c, grant_person(getuid(), person, sizeof(person))),
                   cli_safe(c, approval_device(w->answer, device, sizeof(device))), minutes);
    factor_tty_say(_("Reason: %s"), cli_safe(c, w->unlock->approval.reason));
}

static enum cli_exit unlock(struct cli *c, struct unlock *u)
{
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;
    enum cli_exit result = ask_unlock(c, u, &code, &answer);

    if (result != CLI_OK)
        return result;
    if (code != CTL_CODE_FAILED || !text_equal(value_string(answer, "reason"), "code-needed"))
        return refused(c, u, code, answer);
    result = approval_ask(c, &u->approval, NULL, show_wanted, &(struct wanted){.unlock = u, .answer = answer});
    json_decref(answer);
    answer = NULL;
    if (result == CLI_OK)
        result = ask_unlock(c, u, &code, &answer);
    if (result != CLI_OK)
        return result;
    if (code != CTL_CODE_OK)
        return refused(c, u, code, answer);
    cli_show(c, answer, text_given);
    json_decref(answer);
    return CLI_OK;
}

/* --- ending --- */

static void text_ended(struct cli *c, const json_t *answer)
{
    const json_t *grant;
    size_t i;

    json_array_foreach(json_object_get(answer, "ended"), i, grant)
    {
        (void)fprintf(c->out, _("Locked again: %s"), cli_safe(c, grant_device(grant)));
        (void)fputc('\n', c->out);
    }
}

static enum cli_exit end(struct cli *c, const char *device)
{
    struct unlock u = {.device = device};
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;
    enum cli_exit result = CLI_FAILED;
    struct buf fields;

    buf_init(&fields, 512);
    if (buf_add_string(&fields, device) == 0)
        result = ask_kuraband(c, CTL_UNLOCK_END, &fields, &code, &answer);
    else
        result = cli_usage(c, "%s", _("the name is too long"));
    buf_done(&fields);
    if (result != CLI_OK)
        return result;
    if (code != CTL_CODE_OK)
        return refused(c, &u, code, answer);
    cli_show(c, answer, text_ended);
    json_decref(answer);
    return CLI_OK;
}

enum cli_exit cli_unlock(struct cli *c, const struct cli_arguments *a)
{
    struct unlock u = {0};
    enum cli_exit code;

    if (a->values[OPTION_STATUS] && (a->values[OPTION_END] || a->n_words > 0))
        return cli_usage(c, "%s", _("--status stands alone"));
    if (a->values[OPTION_WATCH] && !a->values[OPTION_STATUS])
        return cli_usage(c, "%s", _("--watch goes with --status"));
    if (a->values[OPTION_STATUS])
        return grant_status(c, a->values[OPTION_WATCH] != NULL);
    if (a->values[OPTION_END])
        return end(c, a->n_words > 0 ? a->words[0] : "");
    passphrase_protect();
    code = take_arguments(c, a, &u);
    if (code == CLI_OK)
        code = unlock(c, &u);
    approval_done(&u.approval);
    return code;
}
