/*
 * kuraban mfa enrol: a new second factor, from the secret to the recovery codes. Must not: say which code would have been right, put the
 * secret anywhere but on the terminal and in files that were asked for, or leave a factor that nobody has proved to have.
 */
#include "cli/factor_enrol.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/factor_tty.h"
#include "cli/i18n.h"
#include "cli/out_file.h"
#include "cli/passphrase.h"
#include "cli/qr.h"
#include "ctl/protocol.h"
#include "mfa/mfa.h"

enum {
    FILE_MAX = 1024 * 1024,
    CODE_MAX = 8,
    DEFAULT_DIGITS = 6,
    DEFAULT_PERIOD = 30,
};

const struct cli_option cli_mfa_enrol_options[] = {FACTOR_ENROL_OPTIONS, {0}};

struct offer {
    char *base32, *uri;
};

static void wipe_string(char *s)
{
    if (s)
        OPENSSL_cleanse(s, strlen(s));
    free(s);
}

static void offer_wipe(struct offer *o)
{
    wipe_string(o->base32);
    wipe_string(o->uri);
    *o = (struct offer){0};
}

enum cli_exit factor_enrol_options(struct cli *c, const struct cli_arguments *a, struct factor_enrol *ret)
{
    const char *algorithm = a->values[FACTOR_ENROL_ALGORITHM], *digits = a->values[FACTOR_ENROL_DIGITS];
    struct factor_enrol e = {.svg = a->values[FACTOR_ENROL_SVG],
                             .png = a->values[FACTOR_ENROL_PNG],
                             .digits = DEFAULT_DIGITS,
                             .period = DEFAULT_PERIOD};
    int number = algorithm ? totp_algorithm_from_name(algorithm) : TOTP_SHA1;
    uint64_t wanted = DEFAULT_DIGITS;

    if (number < 0)
        return cli_usage(c, _("--algorithm is SHA1, SHA256 or SHA512"));
    if (digits && (text_to_u64(digits, CODE_MAX, &wanted) < 0 || wanted < DEFAULT_DIGITS))
        return cli_usage(c, _("--digits is 6, 7 or 8"));
    if ((e.svg || e.png) && geteuid() != 0) {
        cli_error(c, _("only the administrator (root) may write the secret to a file"));
        cli_next(c, N_("Leave out --svg and --png: the QR code is shown here as well."));
        return CLI_NOT_PERMITTED;
    }
    if ((e.svg && !out_file_is_free(c, e.svg)) || (e.png && !out_file_is_free(c, e.png)))
        return CLI_FAILED;
    e.algorithm = (uint8_t)number;
    e.digits = (uint8_t)wanted;
    *ret = e;
    return CLI_OK;
}

static enum cli_exit begin(struct cli *c, const struct factor_person *p, const struct factor_enrol *e,
                           struct offer *ret)
{
    struct buf fields, answer;
    struct buf_reader r = {0};
    enum cli_exit code = CLI_FAILED;
    uint8_t error = 0;

    buf_init(&fields, FACTOR_ANSWER_MAX);
    buf_init(&answer, FACTOR_ANSWER_MAX);
    if (buf_add_u32(&fields, p->uid) == 0 && buf_add_string(&fields, p->name) == 0 &&
        factor_add_u8(&fields, e->algorithm) == 0 && factor_add_u8(&fields, e->digits) == 0 &&
        buf_add_u16(&fields, e->period) == 0)
        code = factor_ask(c, CTL_MFA_ENROL, &fields, &answer, &r);
    if (code == CLI_OK && factor_get_u8(&r, &error) < 0)
        code = factor_bad_answer(c);
    if (code == CLI_OK && error != 0)
        code = factor_error(c, error);
    else if (code == CLI_OK &&
             (buf_get_string(&r, TOTP_BASE32_MAX, &ret->base32) < 0 || buf_get_string(&r, MFA_URI_MAX, &ret->uri) < 0 ||
              buf_get_end(&r) < 0 || !text_is_printable_utf8(ret->base32)))
        code = factor_bad_answer(c);
    buf_done(&fields);
    buf_done(&answer);
    return code;
}

static enum cli_exit write_file(struct cli *c, const char *path, const struct qr *q,
                                int (*draw)(const struct qr *q, struct buf *b))
{
    enum cli_exit code;
    struct buf b;
    int r;

    buf_init(&b, FILE_MAX);
    r = draw(q, &b);
    if (r < 0)
        cli_error(c, "%s: %s", cli_safe(c, path), strerror(-r));
    code = r < 0 ? CLI_FAILED : out_file_write(c, path, b.data, b.size, 0600, false);
    buf_done(&b);
    if (code == CLI_OK)
        factor_tty_say(_("%s holds the secret: hand it over and delete it."), cli_safe(c, path));
    return code;
}

/* Which of them are ours. */
struct written {
    bool svg, png;
};

static enum cli_exit write_files(struct cli *c, const struct factor_enrol *e, const char *uri, struct written *ret)
{
    enum cli_exit code = CLI_OK;
    struct qr q = {0};
    int r;

    if (!e->svg && !e->png)
        return CLI_OK;
    r = qr_make(uri, QR_PAPER, &q);
    if (r < 0) {
        cli_error(c, "%s", strerror(-r));
        return CLI_FAILED;
    }
    if (e->svg)
        code = write_file(c, e->svg, &q, qr_svg);
    ret->svg = e->svg && code == CLI_OK;
    if (code == CLI_OK && e->png) {
        code = write_file(c, e->png, &q, qr_png);
        ret->png = code == CLI_OK;
    }
    qr_wipe(&q);
    return code;
}

/* --- two codes --- */

/* Spaces between digits are how many apps show them. */
static bool read_digits(const struct passphrase *typed, unsigned digits, char ret[static CODE_MAX + 1])
{
    size_t n = 0;

    for (size_t i = 0; i < typed->size; i++) {
        char c = typed->text[i];

        if (c == ' ')
            continue;
        if (c < '0' || c > '9' || n == digits)
            return false;
        ret[n++] = c;
    }
    ret[n] = '\0';
    return n == digits;
}

/* Until it is as many digits; what is no code is not sent and costs no try. */
static enum cli_exit ask_code(struct cli *c, const char *prompt, unsigned digits, char ret[static CODE_MAX + 1])
{
    for (;;) {
        struct passphrase *typed = NULL;
        enum cli_exit code = passphrase_ask_shown(c, prompt, &typed);
        bool good;

        if (code != CLI_OK)
            return code;
        good = read_digits(typed, digits, ret);
        (void)passphrase_free(typed);
        if (good)
            return CLI_OK;
        factor_tty_say(_("A code is %u digits."), digits);
    }
}

static unsigned seconds_left(unsigned period)
{
    int64_t second = clock_wall_us() / 1000000;

    return period - (unsigned)(second % period);
}

static enum cli_exit ask_codes(struct cli *c, const struct factor_enrol *e, char first[static CODE_MAX + 1],
                               char second[static CODE_MAX + 1])
{
    enum cli_exit code = ask_code(c, _("Code that the authenticator shows now: "), e->digits, first);

    if (code != CLI_OK)
        return code;
    for (;;) {
        unsigned seconds = seconds_left(e->period);

        factor_tty_say(ngettext("The next code comes in %u second.", "The next code comes in %u seconds.", seconds),
                       seconds);
        code = ask_code(c, _("The code after it: "), e->digits, second);
        if (code != CLI_OK || CRYPTO_memcmp(first, second, CODE_MAX) != 0)
            return code;
        factor_tty_say(_("This is the same code again; wait until the authenticator shows another one."));
    }
}

static void tell_skew(struct cli *c, uint32_t minutes, uint8_t ahead)
{
    cli_error(c,
              ahead ? ngettext("the clock of the authenticator is %u minute ahead of this terminal's",
                               "the clock of the authenticator is %u minutes ahead of this terminal's", minutes)
                    : ngettext("the clock of the authenticator is %u minute behind this terminal's",
                               "the clock of the authenticator is %u minutes behind this terminal's", minutes),
              minutes);
    factor_tty_say(_("Let the telephone set its time by itself; is this terminal's time right? (“timedatectl”)"));
}

/* again: the codes were wrong and may be typed anew. */
static enum cli_exit confirm(struct cli *c, const struct factor_person *p, const char *first, const char *second,
                             bool *ret_again)
{
    struct buf fields, answer;
    struct buf_reader r = {0};
    enum cli_exit code = CLI_FAILED;
    uint8_t error = 0, ahead = 0;
    uint32_t minutes = 0;

    buf_init(&fields, FACTOR_ANSWER_MAX);
    buf_init(&answer, FACTOR_ANSWER_MAX);
    if (buf_add_u32(&fields, p->uid) == 0 && buf_add_string(&fields, first) == 0 &&
        buf_add_string(&fields, second) == 0)
        code = factor_ask(c, CTL_MFA_CONFIRM, &fields, &answer, &r);
    if (code == CLI_OK &&
        (factor_get_u8(&r, &error) < 0 || buf_get_u32(&r, &minutes) < 0 || factor_get_u8(&r, &ahead) < 0))
        code = factor_bad_answer(c);
    *ret_again = code == CLI_OK && (error == MFA_E_CODES || error == MFA_E_SKEW);
    if (code == CLI_OK && error == 0) {
        factor_tty_clear();
        factor_tty_say(_("The second factor of %s is in force."), cli_safe(c, p->name));
        code = factor_show_recovery(c, p, &r);
    } else if (code == CLI_OK && error == MFA_E_SKEW) {
        tell_skew(c, minutes, ahead);
        code = CLI_NO;
    } else if (code == CLI_OK) {
        code = factor_error(c, error);
    }
    buf_done(&fields);
    buf_done(&answer);
    return code;
}

static enum cli_exit prove(struct cli *c, const struct factor_person *p, const struct factor_enrol *e)
{
    char first[CODE_MAX + 1] = "", second[CODE_MAX + 1] = "";
    enum cli_exit code;
    bool again = false;

    do {
        again = false;
        code = ask_codes(c, e, first, second);
        if (code == CLI_OK)
            code = confirm(c, p, first, second, &again);
        OPENSSL_cleanse(first, sizeof(first));
        OPENSSL_cleanse(second, sizeof(second));
        if (again)
            factor_tty_say(_("Once more: the code that is shown now, then the one after it."));
    } while (again);
    return code;
}

/* Nothing is in force before it is proved; what was asked for and is of no use goes again. */
static void remove_files(const struct factor_enrol *e, const struct written *w)
{
    if (w->svg)
        (void)unlink(e->svg);
    if (w->png)
        (void)unlink(e->png);
}

enum cli_exit factor_enrol(struct cli *c, const struct factor_person *p, const struct factor_enrol *e)
{
    struct written written = {0};
    struct offer offer = {0};
    enum cli_exit code;

    passphrase_protect();
    code = factor_tty_need(c);
    if (code != CLI_OK)
        return code;
    code = begin(c, p, e, &offer);
    if (code == CLI_OK)
        code = factor_tty_show(c, p, offer.base32, offer.uri);
    if (code == CLI_OK) {
        code = write_files(c, e, offer.uri, &written);
        offer_wipe(&offer);
        if (code == CLI_OK)
            code = prove(c, p, e);
        if (code != CLI_OK)
            remove_files(e, &written);
    }
    offer_wipe(&offer);
    if (code != CLI_OK && code != CLI_NOT_PERMITTED && code != CLI_UNREACHABLE)
        cli_error(c, _("nobody was enrolled; “kuraban mfa enrol” begins again"));
    return code;
}

enum cli_exit cli_mfa_enrol(struct cli *c, const struct cli_arguments *a)
{
    struct factor_person person = {0};
    struct factor_enrol options = {0};
    enum cli_exit code = factor_enrol_options(c, a, &options);

    if (code == CLI_OK)
        code = factor_person(c, a->n_words > 0 ? a->words[0] : NULL, &person);
    if (code == CLI_OK)
        code = factor_enrol(c, &person, &options);
    factor_person_done(&person);
    return code;
}
