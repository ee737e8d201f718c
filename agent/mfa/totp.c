/*
 * Owns: the arithmetic of one-time codes, RFC 4226 and RFC 6238.
 * Must not: keep anything between two calls, ask for the time, or tell by how long it takes which step or digit was right.
 */
#include "mfa/totp.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#include "base/cleanup.h"

enum {
    DIGITS_MIN = 6,
    DIGITS_MAX = 8,
    PERIOD_MIN = 10,
    PERIOD_MAX = 300,
    COUNTER_SIZE = 8,
    SECOND_US = 1000000,
};

const struct totp_settings totp_default = {.algorithm = TOTP_SHA1, .digits = 6, .period = 30};

static const struct {
    const char *name, *digest; /* in otpauth:, in OpenSSL */
} algorithms[TOTP_ALGORITHM_COUNT_] = {
    [TOTP_SHA1] = {"SHA1", "SHA1"},
    [TOTP_SHA256] = {"SHA256", "SHA256"},
    [TOTP_SHA512] = {"SHA512", "SHA512"},
};

bool totp_settings_are_valid(const struct totp_settings *s)
{
    return (unsigned)s->algorithm < TOTP_ALGORITHM_COUNT_ && s->digits >= DIGITS_MIN && s->digits <= DIGITS_MAX &&
           s->period >= PERIOD_MIN && s->period <= PERIOD_MAX;
}

const char *totp_algorithm_name(enum totp_algorithm a)
{
    return (unsigned)a < TOTP_ALGORITHM_COUNT_ ? algorithms[a].name : "";
}

int totp_algorithm_from_name(const char *name)
{
    if (strncasecmp(name, "hmac", 4) == 0)
        name += 4;
    name += *name == '-';
    for (int i = 0; i < TOTP_ALGORITHM_COUNT_; i++)
        if (strcasecmp(name, algorithms[i].name) == 0 ||
            (strncasecmp(name, "sha-", 4) == 0 && strcasecmp(name + 4, algorithms[i].name + 3) == 0))
            return i;
    return -EINVAL;
}

uint64_t totp_step(const struct totp_settings *s, int64_t wall_us)
{
    return wall_us < 0 ? 0 : (uint64_t)wall_us / SECOND_US / s->period;
}

/* --- HMAC --- */

struct hmac {
    EVP_MAC *mac;
    EVP_MAC_CTX *context;
};

static void hmac_close(struct hmac *h)
{
    EVP_MAC_CTX_free(h->context);
    EVP_MAC_free(h->mac);
}

static int hmac_open(struct hmac *h, enum totp_algorithm algorithm, const uint8_t *secret, size_t size)
{
    char digest[8] = "";
    OSSL_PARAM parameters[2];

    (void)strcpy(digest, algorithms[algorithm].digest);
    parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0); /* asks for its length */
    parameters[1] = OSSL_PARAM_construct_end();
    h->mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    h->context = h->mac ? EVP_MAC_CTX_new(h->mac) : NULL;
    if (!h->context || EVP_MAC_init(h->context, secret, size, parameters) != 1)
        return -EIO;
    return 0;
}

/* RFC 4226 section 5.3; the code's digits as text. */
static int hmac_code(struct hmac *h, unsigned digits, uint64_t step, char ret[static TOTP_CODE_SIZE])
{
    static const uint32_t powers[] = {[6] = 1000000, [7] = 10000000, [8] = 100000000};
    uint8_t counter[COUNTER_SIZE], mac[EVP_MAX_MD_SIZE];
    size_t size = 0;
    uint32_t value;
    const uint8_t *at;

    for (int i = COUNTER_SIZE; i-- > 0; step >>= 8)
        counter[i] = (uint8_t)step;
    /* Without a key the one of hmac_open() is used again. */
    if (EVP_MAC_init(h->context, NULL, 0, NULL) != 1 || EVP_MAC_update(h->context, counter, sizeof(counter)) != 1 ||
        EVP_MAC_final(h->context, mac, &size, sizeof(mac)) != 1 || size < 20)
        return -EIO;
    at = mac + (mac[size - 1] & 0xf);
    value = ((uint32_t)(at[0] & 0x7f) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]) % powers[digits];
    for (unsigned i = digits; i-- > 0; value /= 10)
        ret[i] = (char)('0' + value % 10);
    ret[digits] = '\0';
    OPENSSL_cleanse(mac, sizeof(mac));
    OPENSSL_cleanse(&value, sizeof(value));
    return 0;
}

static bool is_usable(const struct totp_settings *s, size_t size)
{
    return totp_settings_are_valid(s) && size >= TOTP_SECRET_MIN && size <= TOTP_SECRET_MAX;
}

int totp_code(const struct totp_settings *s, const uint8_t *secret, size_t size, uint64_t step,
              char ret[static TOTP_CODE_SIZE])
{
    _cleanup_(hmac_close) struct hmac h = {0};
    int r;

    if (!is_usable(s, size))
        return -EINVAL;
    r = hmac_open(&h, s->algorithm, secret, size);
    return r < 0 ? r : hmac_code(&h, s->digits, step, ret);
}

bool totp_is_code(const struct totp_settings *s, const char *code)
{
    return strspn(code, "0123456789") == s->digits && code[s->digits] == '\0';
}

int totp_find(const struct totp_settings *s, const uint8_t *secret, size_t size, uint64_t step, unsigned before,
              unsigned after, const char *code, uint64_t *ret_step)
{
    _cleanup_(hmac_close) struct hmac h = {0};
    char expected[TOTP_CODE_SIZE];
    uint64_t found = 0;
    unsigned best = TOTP_SPAN_MAX + 1;
    int r;

    if (!is_usable(s, size) || before > TOTP_SPAN_MAX || after > TOTP_SPAN_MAX)
        return -EINVAL;
    if (!totp_is_code(s, code))
        return 0;
    r = hmac_open(&h, s->algorithm, secret, size);
    if (before > step)
        before = (unsigned)step;
    for (unsigned i = 0; r >= 0 && i <= before + after; i++) {
        unsigned distance = i > before ? i - before : before - i;
        bool equal, nearer;

        r = hmac_code(&h, s->digits, step - before + i, expected);
        /* No early end, and no branch on a match. */
        equal = r >= 0 && CRYPTO_memcmp(expected, code, s->digits) == 0;
        nearer = equal & (distance <= best);
        found = nearer ? step - before + i : found;
        best = nearer ? distance : best;
    }
    OPENSSL_cleanse(expected, sizeof(expected));
    if (r < 0)
        return r;
    if (best > TOTP_SPAN_MAX)
        return 0;
    *ret_step = found;
    return 1;
}
