/* Owns: reading other verifiers' files. Must not: open one, repeat a byte of one to anybody, or believe more than the formats say. */
#include "cli/import_factor.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

enum {
    LINE_MAX_ = 4096,
    WORDS_MAX = 8,
    SCRATCH_DIGITS = 8,
};

static const char *const outcome_names[IMPORT_OUTCOME_COUNT_] = {
    [IMPORT_CARRIED] = "carried",   [IMPORT_BY_POLICY] = "by-policy",
    [IMPORT_SKEW] = "clock-skew",   [IMPORT_SCRATCH] = "scratch",
    [IMPORT_PIN] = "pin",           [IMPORT_OPTION] = "unknown-option",
    [IMPORT_COUNTER] = "counter",   [IMPORT_SECRET] = "secret",
    [IMPORT_SETTINGS] = "settings", [IMPORT_KIND] = "no-kind",
    [IMPORT_TWICE] = "twice",       [IMPORT_UNCLEAR] = "not-understood",
};

const char *import_outcome_name(enum import_outcome outcome)
{
    return outcome > 0 && outcome < IMPORT_OUTCOME_COUNT_ ? outcome_names[outcome] : "";
}

bool import_is_lost(enum import_outcome outcome)
{
    return outcome >= IMPORT_COUNTER;
}

void import_account_wipe(struct import_account *a)
{
    if (a->credentials)
        OPENSSL_cleanse(a->credentials, a->n_credentials * sizeof(*a->credentials));
    free(a->credentials);
    free(a->lines);
    *a = (struct import_account){0};
}

static size_t more(size_t room)
{
    return room ? room * 2 : 16;
}

static int add_line(struct import_account *a, unsigned line, enum import_outcome outcome, const char *user)
{
    if (a->n_lines >= IMPORT_LINES_MAX)
        return -EFBIG;
    if (a->n_lines == a->room_lines) {
        struct import_line *grown = reallocarray(a->lines, more(a->room_lines), sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        a->lines = grown;
        a->room_lines = more(a->room_lines);
    }
    a->lines[a->n_lines] = (struct import_line){.line = line, .outcome = outcome};
    (void)snprintf(a->lines[a->n_lines].user, sizeof(a->lines->user), "%s", user);
    a->n_lines++;
    return 0;
}

/* reallocarray() would leave the secrets in the old block. */
static int add_credential(struct import_account *a, const struct import_credential *c)
{
    if (a->n_credentials == a->room_credentials) {
        struct import_credential *grown = calloc(more(a->room_credentials), sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        if (a->n_credentials > 0) {
            memcpy(grown, a->credentials, a->n_credentials * sizeof(*grown));
            OPENSSL_cleanse(a->credentials, a->n_credentials * sizeof(*grown));
        }
        free(a->credentials);
        a->credentials = grown;
        a->room_credentials = more(a->room_credentials);
    }
    a->credentials[a->n_credentials++] = *c;
    return add_line(a, c->line, IMPORT_CARRIED, c->user);
}

/* --- lines and words --- */

struct scan {
    const char *rest, *end;
    unsigned line;
    bool too_long;
    char buffer[LINE_MAX_];
};

/* The next line, without its end and "\r". */
static bool next_line(struct scan *s)
{
    const char *stop;
    size_t n;

    if (s->rest == s->end)
        return false;
    stop = memchr(s->rest, '\n', (size_t)(s->end - s->rest));
    n = (size_t)((stop ? stop : s->end) - s->rest);
    s->line++;
    s->too_long = n >= sizeof(s->buffer);
    memcpy(s->buffer, s->rest, s->too_long ? 0 : n);
    s->buffer[s->too_long ? 0 : n] = '\0';
    if (!s->too_long && n > 0 && s->buffer[n - 1] == '\r')
        s->buffer[n - 1] = '\0';
    s->rest = stop ? stop + 1 : s->end;
    return true;
}

static size_t split(char *line, char *words[static WORDS_MAX])
{
    char *rest = NULL;
    size_t n = 0;

    for (char *word = strtok_r(line, " \t", &rest); word && n < WORDS_MAX; word = strtok_r(NULL, " \t", &rest))
        words[n++] = word;
    return n;
}

static bool is_digits(const char *s, size_t n)
{
    return strlen(s) == n && strspn(s, "0123456789") == n;
}

static int check_size(const char *text, size_t size)
{
    if (size > IMPORT_FILE_MAX)
        return -EFBIG;
    return size > 0 && memchr(text, '\0', size) ? -EBADMSG : 0;
}

/* Any spelling of base32 into ours. */
static bool take_base32(const char *text, char ret[static TOTP_BASE32_MAX + 1])
{
    uint8_t secret[TOTP_SECRET_MAX];
    size_t size;
    bool good = totp_base32_read(text, secret, &size) == 0;

    if (good)
        totp_base32(secret, size, ret);
    OPENSSL_cleanse(secret, sizeof(secret));
    return good;
}

/* --- google-authenticator --- */

struct google {
    struct import_credential credential;
    enum import_outcome lost; /* 0: not yet */
    unsigned lost_line;
    bool by_time;
    uint64_t step;
};

/* A step is the clock divided by STEP_SIZE; what lies in the future would lock its person out. */
static void take_steps(struct google *g, char *const *words, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint64_t step;

        if (text_to_u64(words[i], UINT64_MAX, &step) == 0 && step > g->step)
            g->step = step;
    }
}

static void lose(struct google *g, unsigned line, enum import_outcome outcome)
{
    if (g->lost == 0) {
        g->lost = outcome;
        g->lost_line = line;
    }
}

static enum import_outcome take_option(struct google *g, unsigned line, char *option)
{
    char *words[WORDS_MAX];
    size_t n = split(option, words);
    uint64_t period;

    if (n == 0)
        return IMPORT_OPTION;
    if (text_equal(words[0], "TOTP_AUTH")) {
        g->by_time = true;
        return 0;
    }
    if (text_equal(words[0], "HOTP_COUNTER")) {
        lose(g, line, IMPORT_COUNTER);
        return 0;
    }
    if (text_equal(words[0], "STEP_SIZE")) {
        if (n != 2 || text_to_u64(words[1], 300, &period) < 0 || period < 10)
            lose(g, line, IMPORT_SETTINGS);
        else
            g->credential.settings.period = (unsigned)period;
        return 0;
    }
    if (text_equal(words[0], "DISALLOW_REUSE")) {
        take_steps(g, words, n);
        return IMPORT_BY_POLICY;
    }
    if (text_equal(words[0], "TIME_SKEW") || text_equal(words[0], "RESETTING_TIME_SKEW"))
        return IMPORT_SKEW;
    return text_equal(words[0], "RATE_LIMIT") || text_equal(words[0], "WINDOW_SIZE") ||
                   (text_starts(words[0], "LAST") && strlen(words[0]) == 5)
               ? IMPORT_BY_POLICY
               : IMPORT_OPTION;
}

static int take_google_line(struct google *g, const struct scan *s, char *line, struct import_account *a)
{
    enum import_outcome outcome = 0;

    if (s->too_long)
        outcome = s->line == 1 ? 0 : IMPORT_UNCLEAR;
    if (s->line == 1) {
        if (s->too_long || !take_base32(line, g->credential.base32))
            lose(g, 1, IMPORT_SECRET);
    } else if (outcome == 0 && line[0] == '"' && line[1] == ' ') {
        outcome = take_option(g, s->line, line + 2);
    } else if (outcome == 0 && is_digits(line, SCRATCH_DIGITS)) {
        outcome = IMPORT_SCRATCH;
    } else if (outcome == 0 && *line) {
        outcome = IMPORT_UNCLEAR;
    }
    /* A line that is not understood inside a good file costs the whole of it: it is another format. */
    if (outcome == IMPORT_UNCLEAR) {
        lose(g, s->line, IMPORT_UNCLEAR);
        return 0;
    }
    return outcome == 0 ? 0 : add_line(a, s->line, outcome, "");
}

static int finish_google(struct google *g, int64_t now_us, struct import_account *a)
{
    if (!g->by_time)
        lose(g, 1, IMPORT_KIND);
    if (g->lost != 0)
        return add_line(a, g->lost_line, g->lost, "");
    if (g->step <= totp_step(&g->credential.settings, now_us))
        g->credential.step = g->step;
    return add_credential(a, &g->credential);
}

static int compare_lines(const void *a, const void *b)
{
    const struct import_line *left = a, *right = b;

    return left->line != right->line ? (left->line > right->line) - (left->line < right->line)
                                     : (int)left->outcome - (int)right->outcome;
}

static void sort_lines(struct import_account *a)
{
    if (a->n_lines > 1)
        qsort(a->lines, a->n_lines, sizeof(*a->lines), compare_lines);
}

/* What was read, or nothing. */
static int give(int r, struct import_account *a, struct import_account *ret)
{
    if (r < 0) {
        import_account_wipe(a);
        return r;
    }
    sort_lines(a);
    *ret = *a;
    return 0;
}

int import_google(const char *text, size_t size, int64_t now_us, struct import_account *ret)
{
    struct google g = {.credential = {.line = 1, .settings = totp_default}};
    struct scan s = {.rest = text, .end = text + size};
    struct import_account a = {0};
    int r = check_size(text, size);

    while (r == 0 && next_line(&s))
        r = take_google_line(&g, &s, s.buffer, &a);
    if (r == 0)
        r = finish_google(&g, now_us, &a);
    OPENSSL_cleanse(&g, sizeof(g));
    OPENSSL_cleanse(s.buffer, sizeof(s.buffer));
    return give(r, &a, ret);
}

/* --- pam_oath --- */

/* "HOTP", "HOTP/E", "HOTP/E/6": by counter; "HOTP/T30", "HOTP/T60/8": by time. */
static enum import_outcome take_type(const char *type, struct totp_settings *ret)
{
    struct totp_settings s = totp_default;
    const char *rest = type + strlen("HOTP");
    char *end;

    if (!text_starts(type, "HOTP"))
        return IMPORT_UNCLEAR;
    if (!*rest || text_equal(rest, "/E") || text_starts(rest, "/E/"))
        return IMPORT_COUNTER;
    if (!text_starts(rest, "/T") || rest[2] < '0' || rest[2] > '9' || strlen(rest) > 8)
        return IMPORT_UNCLEAR;
    s.period = (unsigned)strtoul(rest + 2, &end, 10);
    if (*end == '/' && end[1] >= '0' && end[1] <= '9' && end[2] == '\0')
        s.digits = (unsigned)(end[1] - '0');
    else if (*end)
        return IMPORT_UNCLEAR;
    *ret = s;
    return totp_settings_are_valid(&s) ? 0 : IMPORT_SETTINGS;
}

static bool take_hex(const char *hex, char ret[static TOTP_BASE32_MAX + 1])
{
    uint8_t secret[TOTP_SECRET_MAX] = {0};
    size_t n = strlen(hex) / 2;
    bool good = strlen(hex) % 2 == 0 && n >= TOTP_SECRET_MIN && n <= TOTP_SECRET_MAX &&
                strspn(hex, "0123456789abcdefABCDEF") == strlen(hex);

    for (size_t i = 0; good && i < n; i++)
        secret[i] = (uint8_t)(OPENSSL_hexchar2int((unsigned char)hex[2 * i]) << 4 |
                              OPENSSL_hexchar2int((unsigned char)hex[2 * i + 1]));
    if (good)
        totp_base32(secret, n, ret);
    OPENSSL_cleanse(secret, sizeof(secret));
    return good;
}

static bool has_user(const struct import_account *a, const char *user)
{
    for (size_t i = 0; i < a->n_credentials; i++)
        if (text_equal(a->credentials[i].user, user))
            return true;
    return false;
}

static int take_oath_line(const struct scan *s, char *line, struct import_account *a)
{
    struct import_credential c = {.line = s->line, .settings = totp_default};
    enum import_outcome outcome;
    char *words[WORDS_MAX];
    size_t n;
    int r;

    line += strspn(line, " \t");
    if (s->too_long)
        return add_line(a, s->line, IMPORT_UNCLEAR, "");
    if (!*line || *line == '#')
        return 0;
    n = split(line, words);
    /* Past the secret stand counter, last code and time. Their step is not known, so every code up to now counts as used. */
    if (n < 4 || n > 7 || strlen(words[1]) > IMPORT_USER_MAX || !text_is_printable_utf8(words[1]) ||
        strchr(words[1], ':'))
        return add_line(a, s->line, IMPORT_UNCLEAR, "");
    outcome = take_type(words[0], &c.settings);
    if (outcome == IMPORT_UNCLEAR) /* then the second word need not be a name */
        return add_line(a, s->line, outcome, "");
    memcpy(c.user, words[1], strlen(words[1]) + 1);
    if (outcome == 0 && !take_hex(words[3], c.base32))
        outcome = IMPORT_SECRET;
    if (outcome == 0 && has_user(a, c.user))
        outcome = IMPORT_TWICE;
    r = outcome == 0 ? add_credential(a, &c) : add_line(a, s->line, outcome, c.user);
    if (r == 0 && outcome == 0 && !text_equal(words[2], "-"))
        r = add_line(a, s->line, IMPORT_PIN, c.user);
    OPENSSL_cleanse(&c, sizeof(c));
    return r;
}

int import_oath(const char *text, size_t size, struct import_account *ret)
{
    struct scan s = {.rest = text, .end = text + size};
    struct import_account a = {0};
    int r = check_size(text, size);

    while (r == 0 && next_line(&s))
        r = take_oath_line(&s, s.buffer, &a);
    OPENSSL_cleanse(s.buffer, sizeof(s.buffer));
    return give(r, &a, ret);
}
