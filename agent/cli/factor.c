/*
 * Owns: what the verbs of mfa share. Must not: keep a code or a secret longer than it is shown.
 */
#include "cli/factor.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/ask.h"
#include "cli/i18n.h"
#include "config/config.h"
#include "ctl/fields.h"
#include "ctl/protocol.h"
#include "mfa/mfa.h"

enum {
    DEADLINE_MS = 30000
};

void factor_person_done(struct factor_person *p)
{
    free(p->name);
    *p = (struct factor_person){0};
}

int factor_person_find(const char *word, struct factor_person *ret)
{
    const struct passwd *entry;
    uint64_t number;

    if (!word)
        entry = getpwuid(getuid());
    else if (text_to_u64(word, UINT32_MAX - 1, &number) == 0)
        entry = getpwuid((uid_t)number);
    else
        entry = getpwnam(word);
    if (!entry)
        return -ENOENT;
    ret->uid = entry->pw_uid;
    ret->name = strdup(entry->pw_name);
    return ret->name ? 0 : -ENOMEM;
}

enum cli_exit factor_person(struct cli *c, const char *word, struct factor_person *ret)
{
    int r = factor_person_find(word, ret);

    if (r == 0)
        return CLI_OK;
    if (r == -ENOENT) {
        cli_error(c, _("there is no person “%s” on this machine"), word ? cli_safe(c, word) : "");
        cli_next(c, N_("Give the name with which the person logs in."));
    } else {
        cli_error(c, "%s", strerror(-r));
    }
    return r == -ENOENT ? CLI_USAGE : CLI_FAILED;
}

enum cli_exit factor_ask(struct cli *c, uint16_t request, const struct buf *fields, struct buf *answer,
                         struct buf_reader *ret)
{
    enum cli_exit code = cli_config(c);
    uint32_t result = CTL_CODE_FAILED;
    int budget = DEADLINE_MS, r;

    if (code != CLI_OK)
        return code;
    r = ctl_fields_ask(c->config->run_directory, request, fields, &budget, answer, &result, ret);
    if (r < 0)
        return ask_failed(c, r);
    switch (result) {
    case CTL_CODE_OK:
        return CLI_OK;
    case CTL_CODE_DENIED:
        cli_error(c, _("policy does not permit you this; your administrator can do it for you"));
        return CLI_NOT_PERMITTED;
    case CTL_CODE_INVALID:
        return cli_usage(c, "%s", _("kuraband does not accept these values"));
    default:
        cli_error(c, _("kuraband could not do it; its journal says why"));
        cli_next(c, N_("Ask your administrator."));
        return CLI_FAILED;
    }
}

int factor_get_u8(struct buf_reader *r, uint8_t *ret)
{
    if (r->offset >= r->size)
        return -EBADMSG;
    *ret = r->data[r->offset++];
    return 0;
}

int factor_add_u8(struct buf *b, uint8_t v)
{
    return buf_add(b, &v, sizeof(v));
}

enum cli_exit factor_bad_answer(struct cli *c)
{
    return ask_failed(c, -EBADMSG);
}

const char *factor_error_words(uint8_t error)
{
    static const char *const words[MFA_E_COUNT_] = {
        [MFA_E_UNAVAILABLE] = N_("the second factors cannot be read or written now; “kuraban mfa status” says why"),
        [MFA_E_ENROLLED] = N_("this person has a second factor already; “kuraban mfa reset” makes a new one"),
        [MFA_E_UNKNOWN] = N_("this person has no second factor"),
        [MFA_E_NOT_BEGUN] = N_("it took too long; begin again"),
        [MFA_E_CODES] = N_("these are not two codes in a row of the new authenticator"),
        [MFA_E_SKEW] = N_("the clocks differ"),
        [MFA_E_TOO_MANY] = N_("too many tries; begin again"),
        [MFA_E_SECRET] = N_("the secret is no base32, or has less than 128 or more than 512 bits"),
        [MFA_E_SETTINGS] = N_("algorithm, digits or period are not supported"),
        [MFA_E_NAME] = N_("this name cannot be used: too long, not printable, or with a colon"),
        [MFA_E_SHARED] = N_("this secret is another person's here: one authenticator cannot speak for two"),
    };

    return error > 0 && error < MFA_E_COUNT_ ? _(words[error]) : NULL;
}

/* Where the words do not say it. */
static const char *error_next(uint8_t error)
{
    static const char *const next[MFA_E_COUNT_] = {
        [MFA_E_UNAVAILABLE] = N_("Ask your administrator."),
        [MFA_E_ENROLLED] = N_("An administrator does that, with the person there."),
        [MFA_E_UNKNOWN] = N_("“kuraban mfa enrol” makes one. Where policy does not permit it, ask your administrator."),
        [MFA_E_SECRET] = N_("Enrol this person anew: “kuraban mfa enrol USER”."),
        [MFA_E_SETTINGS] = N_("Enrol this person anew: “kuraban mfa enrol USER”."),
        [MFA_E_SHARED] = N_("Enrol one of them anew: “kuraban mfa enrol USER”."),
    };

    return error < MFA_E_COUNT_ ? next[error] : NULL;
}

enum cli_exit factor_error(struct cli *c, uint8_t error)
{
    const char *words = factor_error_words(error);

    if (!words)
        return factor_bad_answer(c);
    cli_error(c, "%s", words);
    cli_next(c, error_next(error));
    return error == MFA_E_UNAVAILABLE ? CLI_FAILED : CLI_NO;
}

enum cli_exit factor_refused(struct cli *c, uint8_t outcome, uint32_t number)
{
    switch (outcome) {
    case MFA_REFUSED:
        cli_error(c, "%s", _("No code was given."));
        cli_next(c, N_("Run it again and enter the code that the phone shows now."));
        break;
    case MFA_WRONG:
        cli_error(c, "%s", _("The code is wrong."));
        cli_next(c, N_("Run it again and enter the code that the phone shows now."));
        break;
    case MFA_USED:
        cli_error(c, "%s", _("This code was used before. Wait for the next one."));
        break;
    case MFA_WAIT:
        cli_error(c, _("Too many wrong codes. Try again in %u seconds."), number);
        break;
    case MFA_LOCKED:
        cli_error(c, "%s", _("Too many wrong codes: locked. Ask your administrator."));
        break;
    case MFA_ROLLBACK:
        cli_error(c, _("The clock of this terminal was set back by %u minutes. Ask your administrator."), number);
        break;
    case MFA_SKEW:
        cli_error(c, _("The clock of your authenticator and this terminal's are %u minutes apart."), number);
        cli_next(
            c,
            N_("Let the phone set its time by itself. If it is right, ask your administrator about this terminal's clock."));
        break;
    case MFA_NOT_ENROLLED:
        return factor_error(c, MFA_E_UNKNOWN);
    default:
        return factor_error(c, MFA_E_UNAVAILABLE);
    }
    return CLI_NO;
}

/* --- recovery codes --- */

static void recovery_text(struct cli *c, const json_t *answer)
{
    const json_t *codes = json_object_get(answer, "recovery"), *code;
    size_t i;

    if (json_array_size(codes) == 0)
        return;
    (void)fprintf(c->out, _("Recovery codes of %s: each opens once when the authenticator is lost."),
                  cli_safe(c, json_string_value(json_object_get(answer, "user"))));
    (void)fputs("\n\n", c->out);
    json_array_foreach(codes, i, code)(void) fprintf(c->out, "    %2zu  %s\n", i + 1, json_string_value(code));
    (void)fputc('\n', c->out);
    (void)fputs(
        _("They are shown this once. Print them or write them down, keep the paper locked away, not beside the terminal\n"
          "and not as a file or photograph. “kuraban mfa reissue” makes new ones and voids these."),
        c->out);
    (void)fputc('\n', c->out);
}

int factor_get_recovery(struct buf_reader *r, json_t *codes)
{
    uint8_t n = 0;
    int result = factor_get_u8(r, &n);

    if (n > FACTOR_RECOVERY_MAX)
        return -EBADMSG;
    for (uint8_t i = 0; i < n && result == 0; i++) {
        char *code = NULL;

        result = buf_get_string(r, FACTOR_RECOVERY_TEXT_MAX, &code);
        if (result == 0 && (!text_is_printable_utf8(code) || json_array_append_new(codes, json_string(code)) < 0))
            result = -EBADMSG;
        if (code)
            OPENSSL_cleanse(code, strlen(code));
        free(code);
    }
    return result < 0 ? result : buf_get_end(r);
}

enum cli_exit factor_show_recovery(struct cli *c, const struct factor_person *p, struct buf_reader *r)
{
    json_t *codes = json_array(), *answer;
    enum cli_exit code = CLI_OK;

    if (!codes || factor_get_recovery(r, codes) < 0)
        code = factor_bad_answer(c);
    answer = json_pack("{s:s, s:I, s:o}", "user", p->name, "uid", (json_int_t)p->uid, "recovery", codes);
    if (code == CLI_OK && answer)
        cli_show(c, answer, recovery_text);
    json_decref(answer); /* wiped with it: wiping_begin() */
    return code;
}
