/*
 * Owns: how a secret is written for people and for authenticators: base32 and otpauth: addresses.
 * Must not: keep a secret.
 */
#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/base32.h"
#include "mfa/totp.h"

void totp_base32(const uint8_t *secret, size_t size, char *ret)
{
    base32_write(secret, size < TOTP_SECRET_MAX ? size : TOTP_SECRET_MAX, ret);
}

int totp_base32_read(const char *text, uint8_t *ret, size_t *ret_size)
{
    size_t size = 0;
    int r = base32_read(text, strlen(text), true, ret, TOTP_SECRET_MAX, &size);

    if (r == 0 && size < TOTP_SECRET_MIN) {
        OPENSSL_cleanse(ret, TOTP_SECRET_MAX);
        r = -ERANGE;
    }
    if (r < 0)
        return r;
    *ret_size = size;
    return 0;
}

/* --- otpauth: --- */

struct sink {
    char *to;
    size_t size, n; /* n may pass size: too long */
};

static void put(struct sink *s, char c)
{
    if (s->n < s->size)
        s->to[s->n] = c;
    s->n++;
}

static void put_text(struct sink *s, const char *text)
{
    while (*text)
        put(s, *text++);
}

/* RFC 3986: unreserved characters as they are. Authenticators take "+" for a plus, so a space is %20. */
static void put_encoded(struct sink *s, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < 0x80 && (isalnum(c) || strchr("-._~", c))) {
            put(s, (char)c);
            continue;
        }
        put(s, '%');
        put(s, hex[c >> 4]);
        put(s, hex[c & 15]);
    }
}

int totp_uri(const struct totp_settings *s, const char *issuer, const char *account, const char *base32, char *ret,
             size_t size)
{
    struct sink sink = {.to = ret, .size = size};
    char rest[64];

    put_text(&sink, "otpauth://totp/");
    put_encoded(&sink, issuer);
    put(&sink, ':');
    put_encoded(&sink, account);
    put_text(&sink, "?secret=");
    put_text(&sink, base32);
    put_text(&sink, "&issuer=");
    put_encoded(&sink, issuer);
    (void)snprintf(rest, sizeof(rest), "&algorithm=%s&digits=%u&period=%u", totp_algorithm_name(s->algorithm),
                   s->digits, s->period);
    put_text(&sink, rest);
    put(&sink, '\0');
    if (sink.n <= size)
        return 0;
    OPENSSL_cleanse(ret, size);
    return -ENOBUFS;
}
