/*
 * Owns: how a secret is written for people and for authenticators: base32 (RFC 4648 section 6) and otpauth: addresses.
 * Must not: keep a secret.
 */
#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "mfa/totp.h"

enum {
    BITS = 5, /* of a character */
};

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

void totp_base32(const uint8_t *secret, size_t size, char *ret)
{
    uint32_t bits = 0;
    unsigned n = 0;

    for (size_t i = 0; i < size && i < TOTP_SECRET_MAX; i++) {
        bits = bits << 8 | secret[i];
        for (n += 8; n >= BITS; n -= BITS)
            *ret++ = alphabet[bits >> (n - BITS) & 31];
    }
    if (n > 0)
        *ret++ = alphabet[bits << (BITS - n) & 31];
    *ret = '\0';
    OPENSSL_cleanse(&bits, sizeof(bits));
}

/* Value of a character, or -1. */
static int value_of(char c)
{
    const char *at = c ? strchr(alphabet, toupper((unsigned char)c)) : NULL;

    return at ? (int)(at - alphabet) : -1;
}

/* How many bytes of text are left when padding and blanks at its end are cut off. */
static size_t without_padding(const char *text)
{
    size_t n = strlen(text);

    while (n > 0 && strchr("= -\r\n", text[n - 1]))
        n--;
    return n;
}

static int decode(const char *text, uint8_t *to, size_t *ret_size)
{
    size_t length = without_padding(text), size = 0;
    uint32_t bits = 0;
    unsigned n = 0;
    int r = 0;

    for (size_t i = 0; i < length && r == 0; i++) {
        int value = value_of(text[i]);

        if (text[i] == ' ' || text[i] == '-')
            continue;
        if (value < 0) {
            r = -EINVAL;
            break;
        }
        bits = bits << BITS | (uint32_t)value;
        n += BITS;
        if (n < 8)
            continue;
        if (size == TOTP_SECRET_MAX) {
            r = -ERANGE;
            break;
        }
        n -= 8;
        to[size++] = (uint8_t)(bits >> n);
    }
    /* What is left is less than a character and zero, or the text was cut. */
    if (r == 0 && (n >= BITS || (bits & ((1u << n) - 1)) != 0))
        r = -EINVAL;
    if (r == 0 && size < TOTP_SECRET_MIN)
        r = -ERANGE;
    OPENSSL_cleanse(&bits, sizeof(bits));
    *ret_size = size;
    return r;
}

int totp_base32_read(const char *text, uint8_t *ret, size_t *ret_size)
{
    size_t size = 0;
    int r = decode(text, ret, &size);

    if (r < 0) {
        OPENSSL_cleanse(ret, TOTP_SECRET_MAX);
        return r;
    }
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
