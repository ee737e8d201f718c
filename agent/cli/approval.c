/*
 * Owns: who is named as approver, the codes while they are here, how they are asked for. Must not: know what they are for.
 */
#include "cli/approval.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/factor_tty.h"
#include "cli/grant_show.h"
#include "cli/i18n.h"
#include "cli/passphrase.h"
#include "cli/value.h"
#include "mfa/mfa.h"

enum {
    REASON_MAX = 200,
};

void approval_done(struct approval *a)
{
    for (size_t i = 0; i < a->n; i++)
        factor_person_done(&a->people[i]);
    for (size_t i = 0; i < 1 + APPROVAL_PEOPLE_MAX; i++)
        a->codes[i] = passphrase_free(a->codes[i]);
}

/* --- what was given --- */

static enum cli_exit take_person(struct cli *c, const char *word, struct approval *a)
{
    struct factor_person *person = &a->people[a->n];
    enum cli_exit code;

    if (a->n == APPROVAL_PEOPLE_MAX)
        return cli_usage(c, _("at most %d people approve"), APPROVAL_PEOPLE_MAX);
    code = factor_person(c, word, person);
    if (code != CLI_OK)
        return code;
    a->n++;
    if (person->uid == getuid())
        return cli_usage(c, "%s", _("somebody else approves, not you"));
    for (size_t i = 0; i + 1 < a->n; i++)
        if (a->people[i].uid == person->uid)
            return cli_usage(c, _("%s approves once only"), cli_safe(c, person->name));
    return CLI_OK;
}

enum cli_exit approval_take(struct cli *c, const struct cli_arguments *arguments, int reason, int approver,
                            struct approval *a)
{
    enum cli_exit code = CLI_OK;

    a->reason = arguments->values[reason];
    if (!a->reason || !*a->reason)
        return cli_usage(c, "%s", _("--reason is needed: what is it for?"));
    if (strlen(a->reason) > REASON_MAX || !text_is_printable_utf8(a->reason))
        return cli_usage(c, _("--reason is one line of at most %d bytes"), REASON_MAX);
    for (size_t i = 0; i < arguments->n_given && code == CLI_OK; i++)
        if (arguments->given[i].option == (size_t)approver)
            code = take_person(c, arguments->given[i].value, a);
    return code;
}

int approval_add_fields(struct buf *b, const struct approval *a)
{
    int r = buf_add_string(b, a->codes[0] ? a->codes[0]->text : "");

    if (r == 0)
        r = buf_add_u8(b, (uint8_t)a->n);
    for (size_t i = 0; r == 0 && i < a->n; i++) {
        r = buf_add_u32(b, a->people[i].uid);
        if (r == 0)
            r = buf_add_string(b, a->codes[1 + i] ? a->codes[1 + i]->text : "");
    }
    return r;
}

/* --- asking --- */

static bool is_among(const json_t *uids, uint32_t uid)
{
    const json_t *value;
    size_t i;

    json_array_foreach(uids, i, value)
    {
        if (json_integer_value(value) == uid)
            return true;
    }
    return false;
}

static enum cli_exit ask_code(struct cli *c, const struct factor_person *approver, struct passphrase **ret)
{
    char prompt[256];
    enum cli_exit code;

    if (approver)
        (void)snprintf(prompt, sizeof(prompt), _("%s, your code, to approve this (nothing is shown): "),
                       cli_safe(c, approver->name));
    else
        (void)snprintf(prompt, sizeof(prompt), "%s", _("Your code (nothing is shown): "));
    code = passphrase_ask(c, prompt, ret);
    if (code == CLI_OK && ((*ret)->size == 0 || (*ret)->size > MFA_CODE_MAX))
        code = factor_refused(c, (*ret)->size == 0 ? MFA_REFUSED : MFA_WRONG, 0);
    return code;
}

enum cli_exit approval_ask(struct cli *c, struct approval *a, const json_t *asked,
                           void (*show)(struct cli *c, void *context), void *context)
{
    enum cli_exit code = factor_tty_need(c);

    if (code == CLI_OK)
        code = ask_code(c, NULL, &a->codes[0]);
    for (size_t i = 0; i < a->n && code == CLI_OK; i++) {
        if (asked && !is_among(asked, a->people[i].uid))
            continue;
        show(c, context);
        code = ask_code(c, &a->people[i], &a->codes[1 + i]);
    }
    return code;
}

const char *approval_device(const json_t *answer, char *buffer, size_t size)
{
    const char *name = value_string(answer, "name"), *serial = value_string(answer, "serial");

    (void)snprintf(buffer, size, "%.60s%s%.60s%s%.60s", value_string(answer, "node"), *name ? ", " : "", name,
                   *serial ? ", " : "", serial);
    return buffer;
}

void approval_tell_unasked(struct cli *c, const struct approval *a, const json_t *unasked)
{
    for (size_t i = 0; i < a->n; i++)
        if (is_among(unasked, a->people[i].uid))
            cli_error(c, _("the approval of %s is not wanted here; no code of theirs is asked for"),
                      cli_safe(c, a->people[i].name));
}

enum cli_exit approval_tell_code(struct cli *c, const json_t *answer)
{
    int64_t whose = value_number(answer, "whose");
    char person[64];

    if (whose != (int64_t)getuid())
        cli_error(c, _("the code of %s was not accepted:"), cli_safe(c, grant_person(whose, person, sizeof(person))));
    for (int i = 0; i < MFA_OUTCOME_COUNT_; i++)
        if (text_equal(mfa_outcome_name((enum mfa_outcome)i), value_string(answer, "outcome")))
            return factor_refused(c, (uint8_t)i, (uint32_t)value_number(answer, "number"));
    return factor_bad_answer(c);
}
