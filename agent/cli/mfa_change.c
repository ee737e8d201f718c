/* kuraban mfa disable, reset, lift, reissue: what becomes of a second factor that is there. Must not: see its secret. */
#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/ask.h"
#include "cli/factor_enrol.h"
#include "cli/factor_tty.h"
#include "cli/i18n.h"
#include "cli/passphrase.h"
#include "ctl/protocol.h"
#include "mfa/mfa.h"

enum {
    DISABLE_REASON,
    DISABLE_YES,
    RESET_REASON = FACTOR_ENROL_COUNT,
    RESET_YES,
    REASON_MAX = 256,
    CODE_REFUSED = 255, /* instead of an error: an outcome follows */
};

const struct cli_option cli_mfa_disable_options[] = {
    [DISABLE_REASON] = {"reason", "TEXT", N_("why; this is recorded")},
    [DISABLE_YES] = {"yes", NULL, N_("do not ask")},
    {0},
};

const struct cli_option cli_mfa_reset_options[] = {
    FACTOR_ENROL_OPTIONS,
    [RESET_REASON] = {"reason", "TEXT", N_("why; this is recorded")},
    [RESET_YES] = {"yes", NULL, N_("do not ask")},
    {0},
};

static void say(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct cli *c, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vfprintf(c->out, fmt, args);
    va_end(args);
    (void)fputc('\n', c->out);
}

/* A person is asked once more, when all is well so far; scripts say --yes. */
static enum cli_exit agree(struct cli *c, enum cli_exit code, const char *yes, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static enum cli_exit agree(struct cli *c, enum cli_exit code, const char *yes, const char *fmt, ...)
{
    _cleanup_free_ char *question = NULL;
    va_list args;

    if (code != CLI_OK || yes)
        return code;
    va_start(args, fmt);
    question = text_vformat(fmt, args);
    va_end(args);
    return question && passphrase_confirm(c, question) ? CLI_OK : CLI_NO;
}

static enum cli_exit ask_about(struct cli *c, uint16_t request, const struct factor_person *p, const char *reason)
{
    struct buf fields;
    json_t *answer = NULL;
    enum cli_exit code = CLI_FAILED;

    buf_init(&fields, FACTOR_ANSWER_MAX);
    if (buf_add_u32(&fields, p->uid) == 0 && (!reason || buf_add_string(&fields, reason) == 0))
        code = ask(c, request, &fields, &answer);
    else
        cli_error(c, "%s", strerror(ENOMEM));
    buf_done(&fields);
    if (code == CLI_OK && c->json)
        cli_show(c, answer, NULL);
    json_decref(answer);
    return code;
}

static enum cli_exit remove_factor(struct cli *c, const struct factor_person *p, const char *reason)
{
    if (reason && strlen(reason) > REASON_MAX)
        return cli_usage(c, _("--reason has at most %d bytes"), REASON_MAX);
    return ask_about(c, CTL_MFA_REMOVE, p, reason ? reason : "");
}

enum cli_exit cli_mfa_disable(struct cli *c, const struct cli_arguments *a)
{
    struct factor_person person = {0};
    enum cli_exit code = factor_person(c, a->words[0], &person);

    code = agree(
        c, code, a->values[DISABLE_YES],
        _("The second factor of %s ends; their authenticator and recovery codes open nothing any more. Type “yes” to go "
          "on: "),
        cli_safe(c, person.name));
    if (code == CLI_OK)
        code = remove_factor(c, &person, a->values[DISABLE_REASON]);
    if (code == CLI_OK && !c->json)
        say(c, _("%s has no second factor any more."), cli_safe(c, person.name));
    factor_person_done(&person);
    return code;
}

/* The telephone is lost: the old one ends first, whatever comes of the new one. */
enum cli_exit cli_mfa_reset(struct cli *c, const struct cli_arguments *a)
{
    const char *reason = a->values[RESET_REASON] ? a->values[RESET_REASON] : "reset";
    struct factor_person person = {0};
    struct factor_enrol options = {0};
    enum cli_exit code = factor_enrol_options(c, a, &options);
    bool json = c->json;

    if (code == CLI_OK)
        code = factor_person(c, a->words[0], &person);
    if (code == CLI_OK)
        code = factor_tty_need(c);
    code = agree(
        c, code, a->values[RESET_YES],
        _("The second factor of %s ends now, and a new one is made. Is the person before you, and do you know them? Type "
          "“yes” to go on: "),
        cli_safe(c, person.name));
    c->json = false; /* one answer: that of the enrolment */
    if (code == CLI_OK)
        code = remove_factor(c, &person, reason);
    c->json = json;
    if (code == CLI_OK) {
        factor_tty_say(_("The old second factor of %s has ended."), cli_safe(c, person.name));
        code = factor_enrol(c, &person, &options);
    }
    factor_person_done(&person);
    return code;
}

enum cli_exit cli_mfa_lift(struct cli *c, const struct cli_arguments *a)
{
    struct factor_person person = {0};
    enum cli_exit code = factor_person(c, a->words[0], &person);

    if (code == CLI_OK)
        code = ask_about(c, CTL_MFA_LIFT, &person, NULL);
    if (code == CLI_OK && !c->json)
        say(c, _("%s may try again: lock, wait and the doubt about the clock are over."), cli_safe(c, person.name));
    factor_person_done(&person);
    return code;
}

/* --- new recovery codes --- */

static enum cli_exit show_reissued(struct cli *c, const struct factor_person *p, struct buf_reader *r)
{
    uint8_t error = 0, outcome = 0;
    uint32_t number = 0;

    if (factor_get_u8(r, &error) < 0)
        return factor_bad_answer(c);
    if (error == CODE_REFUSED) {
        if (factor_get_u8(r, &outcome) < 0 || buf_get_u32(r, &number) < 0 || buf_get_end(r) < 0)
            return factor_bad_answer(c);
        return factor_refused(c, outcome, number);
    }
    return error != 0 ? factor_error(c, error) : factor_show_recovery(c, p, r);
}

/* Root is believed; everybody else shows a code. */
enum cli_exit cli_mfa_reissue(struct cli *c, const struct cli_arguments *a)
{
    struct factor_person person = {0};
    struct passphrase *typed = NULL;
    struct buf fields, answer;
    struct buf_reader r = {0};
    enum cli_exit code = factor_person(c, a->n_words > 0 ? a->words[0] : NULL, &person);

    passphrase_protect();
    buf_init(&fields, FACTOR_ANSWER_MAX);
    buf_init(&answer, FACTOR_ANSWER_MAX);
    if (code == CLI_OK && geteuid() != 0)
        code = passphrase_ask_shown(c, _("Code of your authenticator, or a recovery code: "), &typed);
    if (code == CLI_OK && typed && (typed->size == 0 || typed->size > MFA_CODE_MAX))
        code = factor_refused(c, typed->size == 0 ? MFA_REFUSED : MFA_WRONG, 0);
    if (code == CLI_OK &&
        (buf_add_u32(&fields, person.uid) < 0 || buf_add_string(&fields, typed ? typed->text : "") < 0))
        code = CLI_FAILED;
    if (code == CLI_OK)
        code = factor_ask(c, CTL_MFA_REISSUE, &fields, &answer, &r);
    if (code == CLI_OK)
        code = show_reissued(c, &person, &r);
    (void)passphrase_free(typed);
    buf_done(&fields);
    buf_done(&answer);
    factor_person_done(&person);
    return code;
}
