/*
 * kuraban mfa import: second factors of google-authenticator and pam_oath. Must not: follow a link or wait for a FIFO in somebody's home
 * (CVE-2024-47191), write there, or show what a file holds.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/openat2.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/factor.h"
#include "cli/i18n.h"
#include "cli/import_factor.h"
#include "cli/passphrase.h"
#include "cli/table.h"
#include "cli/value.h"
#include "ctl/protocol.h"
#include "json/whole.h"
#include "mfa/mfa.h"

enum {
    OPTION_USER,
    OPTION_RECOVERY,
};

const struct cli_option cli_mfa_import_options[] = {
    [OPTION_USER] = {"user", "USER", N_("whose it is; pam-oath: this person's line only")},
    [OPTION_RECOVERY] = {"recovery", NULL, N_("make and show recovery codes")},
    {0},
};

struct importing {
    struct cli *cli;
    bool recovery;
    bool many; /* the file names its people */
    json_t *lines, *recoveries;
    bool lost;
    enum cli_exit failed; /* what stops everything */
};

/* --- the file --- */

static const char *problem_of(const struct stat *st, uid_t owner)
{
    if (!S_ISREG(st->st_mode))
        return N_("this is not a regular file");
    if (st->st_uid != 0 && st->st_uid != owner)
        return N_("this file belongs to somebody else");
    if (st->st_nlink != 1)
        return N_("this file has more than one name");
    return st->st_mode & (S_IWGRP | S_IWOTH) ? N_("others can write this file") : NULL;
}

/* No link anywhere on the way: the directories of a home are its owner's, and a link there could name another person's file. */
static enum cli_exit read_secrets(struct cli *c, const char *path, uid_t owner, uint8_t **ret, size_t *ret_size)
{
    const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
                                 .resolve = RESOLVE_NO_SYMLINKS};
    _cleanup_close_ int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
    const char *problem = NULL;
    struct stat st;
    int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;

    if (r == -ELOOP)
        problem = N_("there is a symbolic link on the way to this file; name it by its real path");
    else if (r == 0)
        problem = problem_of(&st, owner);
    if (r == 0 && !problem)
        r = files_read_fd(fd, IMPORT_FILE_MAX, ret, ret_size);
    if (r == 0 && !problem)
        return CLI_OK;
    cli_error(c, "%s: %s", cli_safe(c, path),
              problem       ? _(problem)
              : r == -EFBIG ? _("the file is too long")
                            : strerror(-r));
    return problem || r == -EACCES ? CLI_NOT_PERMITTED : CLI_FAILED;
}

/* --- the account --- */

static const char *outcome_words(enum import_outcome outcome)
{
    static const char *const words[IMPORT_OUTCOME_COUNT_] = {
        [IMPORT_CARRIED] = N_("carried over"),
        [IMPORT_BY_POLICY] = N_("not carried over: policy says this for everybody"),
        [IMPORT_SKEW] = N_("not carried over: the clock of the authenticator was wrong; let it set its time by itself"),
        [IMPORT_SCRATCH] = N_("not carried over: a scratch code; --recovery makes recovery codes"),
        [IMPORT_PIN] = N_("not carried over: a PIN beside the code; the login has its own password"),
        [IMPORT_OPTION] = N_("not carried over: an unknown option"),
        [IMPORT_COUNTER] = N_("refused: codes by counter (HOTP) are not supported; enrol this person anew"),
        [IMPORT_SECRET] = N_("refused: no secret, or one of less than 128 bits; enrol this person anew"),
        [IMPORT_SETTINGS] = N_("refused: period or digits are not supported; enrol this person anew"),
        [IMPORT_KIND] = N_("refused: neither TOTP_AUTH nor HOTP_COUNTER; this is no file of google-authenticator"),
        [IMPORT_TWICE] = N_("refused: this person has a line before"),
        [IMPORT_UNCLEAR] = N_("refused: not understood"),
    };

    return _(words[outcome]);
}

static void tell_line(struct importing *i, unsigned line, const char *user, const char *outcome, const char *words,
                      bool lost)
{
    i->lost |= lost;
    whole_add(&i->lines, json_pack("{s:i, s:s, s:s, s:b, s:s}", "line", (int)line, "user", user, "outcome", outcome,
                                   "refused", lost, "message", words));
}

static void account_text(struct cli *c, const json_t *answer)
{
    const json_t *line, *person, *code;
    struct table *t = table_new(3);
    size_t i, k;

    json_array_foreach(json_object_get(answer, "lines"), i, line)
    {
        char place[16];

        (void)snprintf(place, sizeof(place), "%u", (unsigned)value_number(line, "line"));
        table_add(t, (const char *[]){place, value_string(line, "user"), value_string(line, "message")});
    }
    table_print(t, c->out, 0);
    (void)table_free(t);
    json_array_foreach(json_object_get(answer, "recovery"), i, person)
    {
        (void)fputc('\n', c->out);
        (void)fprintf(c->out, _("Recovery codes of %s: each opens once when the authenticator is lost."),
                      cli_safe(c, value_string(person, "user")));
        (void)fputc('\n', c->out);
        json_array_foreach(json_object_get(person, "codes"), k, code)(void)
            fprintf(c->out, "    %2zu  %s\n", k + 1, json_string_value(code));
    }
}

/* --- kuraband --- */

static enum cli_exit send(struct importing *i, const struct import_credential *credential,
                          const struct factor_person *p, uint8_t *ret_error)
{
    struct buf fields, answer;
    struct buf_reader r = {0};
    enum cli_exit code = CLI_FAILED;
    json_t *codes = json_array();

    buf_init(&fields, FACTOR_ANSWER_MAX);
    buf_init(&answer, FACTOR_ANSWER_MAX);
    if (codes && buf_add_u32(&fields, p->uid) == 0 && buf_add_string(&fields, p->name) == 0 &&
        buf_add_string(&fields, credential->base32) == 0 &&
        factor_add_u8(&fields, (uint8_t)credential->settings.algorithm) == 0 &&
        factor_add_u8(&fields, (uint8_t)credential->settings.digits) == 0 &&
        buf_add_u16(&fields, (uint16_t)credential->settings.period) == 0 &&
        buf_add_u64(&fields, credential->step) == 0 && factor_add_u8(&fields, i->recovery) == 0)
        code = factor_ask(i->cli, CTL_MFA_IMPORT, &fields, &answer, &r);
    if (code == CLI_OK && factor_get_u8(&r, ret_error) < 0)
        code = factor_bad_answer(i->cli);
    if (code == CLI_OK && *ret_error == 0 && factor_get_recovery(&r, codes) < 0)
        code = factor_bad_answer(i->cli);
    if (code == CLI_OK && json_array_size(codes) > 0)
        whole_add(&i->recoveries, json_pack("{s:s, s:O}", "user", p->name, "codes", codes));
    json_decref(codes);
    buf_done(&fields);
    buf_done(&answer);
    return code;
}

static void carry(struct importing *i, const struct import_credential *credential, const char *user)
{
    struct factor_person p = {0};
    uint8_t error = 0;

    if (factor_person_find(user, &p) < 0) {
        tell_line(i, credential->line, user, "no-person", _("refused: there is no such person on this machine"), true);
        return;
    }
    i->failed = send(i, credential, &p, &error);
    if (i->failed == CLI_OK && error != 0) {
        char words[512];

        (void)snprintf(words, sizeof(words), _("refused: %s"), factor_error_words(error));
        tell_line(i, credential->line, p.name, mfa_error_name((enum mfa_error)error), words, true);
    } else if (i->failed == CLI_OK) {
        tell_line(i, credential->line, p.name, import_outcome_name(IMPORT_CARRIED), outcome_words(IMPORT_CARRIED),
                  false);
    }
    factor_person_done(&p);
}

/* user: whose file, or whose line of it; NULL: everybody's. */
static void carry_all(struct importing *i, const struct import_account *a, const char *user)
{
    for (size_t k = 0; k < a->n_lines && i->failed == CLI_OK; k++) {
        const struct import_line *l = &a->lines[k];

        if (user && i->many && !text_equal(l->user, user))
            continue;
        if (l->outcome != IMPORT_CARRIED) {
            tell_line(i, l->line, *l->user || !user ? l->user : user, import_outcome_name(l->outcome),
                      outcome_words(l->outcome), import_is_lost(l->outcome));
            continue;
        }
        for (size_t n = 0; n < a->n_credentials; n++)
            if (a->credentials[n].line == l->line)
                carry(i, &a->credentials[n], *l->user ? l->user : user);
    }
}

static enum cli_exit import_account(struct cli *c, const char *path, const struct import_account *a, const char *user,
                                    bool recovery, bool many)
{
    struct importing i = {
        .cli = c, .recovery = recovery, .many = many, .lines = json_array(), .recoveries = json_array()};
    json_t *answer;

    carry_all(&i, a, user);
    if (i.failed == CLI_OK && user && json_array_size(i.lines) == 0) {
        cli_error(c, _("%s: nothing of %s"), cli_safe(c, path), cli_safe(c, user));
        i.failed = CLI_NO;
    }
    /* What was imported before the failure is told as well: its recovery codes come this once. */
    answer = json_pack("{s:s, s:o, s:o}", "file", cli_safe(c, path), "lines", i.lines, "recovery", i.recoveries);
    if (answer && (i.failed == CLI_OK || json_array_size(i.lines) > 0))
        cli_show(c, answer, account_text);
    json_decref(answer);
    return i.failed != CLI_OK ? i.failed : i.lost ? CLI_NO : CLI_OK;
}

static enum cli_exit import_file(struct cli *c, const struct cli_arguments *a, bool google)
{
    const char *path = a->words[0], *user = a->values[OPTION_USER];
    struct import_account account = {0};
    struct factor_person person = {0};
    enum cli_exit code = user ? factor_person(c, user, &person) : CLI_OK;
    uint8_t *bytes = NULL;
    size_t size = 0;
    int r = 0;

    passphrase_protect();
    if (code == CLI_OK && geteuid() != 0) {
        cli_error(c, _("only the administrator (root) may ask for this"));
        code = CLI_NOT_PERMITTED;
    }
    /* A file for many is root's own. */
    if (code == CLI_OK)
        code = read_secrets(c, path, google ? (uid_t)person.uid : 0, &bytes, &size);
    if (code == CLI_OK) {
        r = google ? import_google((const char *)bytes, size, clock_wall_us(), &account)
                   : import_oath((const char *)bytes, size, &account);
        OPENSSL_cleanse(bytes, size);
    }
    free(bytes);
    if (r < 0) {
        cli_error(c, "%s: %s", cli_safe(c, path),
                  r == -EBADMSG ? _("this is no text")
                  : r == -EFBIG ? _("the file is too long")
                                : strerror(-r));
        code = CLI_FAILED;
    }
    if (code == CLI_OK)
        code = import_account(c, path, &account, user ? person.name : NULL, a->values[OPTION_RECOVERY], !google);
    import_account_wipe(&account);
    factor_person_done(&person);
    return code;
}

enum cli_exit cli_mfa_import_google(struct cli *c, const struct cli_arguments *a)
{
    if (!a->values[OPTION_USER])
        return cli_usage(c, _("--user is needed: whose file is it?"));
    return import_file(c, a, true);
}

enum cli_exit cli_mfa_import_oath(struct cli *c, const struct cli_arguments *a)
{
    return import_file(c, a, false);
}
