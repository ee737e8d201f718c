/*
 * Owns: base32, for secrets that people type and keys that NATS writes so. (No library that is linked has it.)
 * Must not: leave a secret behind.
 */
#include "base/base32.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

enum {
    BITS = 5, /* of a character */
};

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

void base32_write(const uint8_t *bytes, size_t size, char *ret)
{
    uint32_t bits = 0;
    unsigned n = 0;

    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | bytes[i];
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
    const char *at = c ? strchr(alphabet, c) : NULL;

    return at ? (int)(at - alphabet) : -1;
}

/* How many bytes of text are left when padding and blanks at its end are cut off. */
static size_t without_padding(const char *text, size_t length)
{
    while (length > 0 && text[length - 1] && strchr("= -\r\n", text[length - 1]))
        length--;
    return length;
}

static int decode(const char *text, size_t length, bool typed, uint8_t *to, size_t maximum, size_t *ret_size)
{
    uint32_t bits = 0;
    size_t size = 0;
    unsigned n = 0;
    int r = 0;

    for (size_t i = 0; i < length && r == 0; i++) {
        int value = value_of(typed ? (char)toupper((unsigned char)text[i]) : text[i]);

        if (typed && (text[i] == ' ' || text[i] == '-'))
            continue;
        if (value < 0) {
            r = -EINVAL;
            break;
        }
        bits = bits << BITS | (uint32_t)value;
        n += BITS;
        if (n < 8)
            continue;
        if (size == maximum) {
            r = -ERANGE;
            break;
        }
        n -= 8;
        to[size++] = (uint8_t)(bits >> n);
    }
    /* What is left is less than a character and zero, or the text was cut. */
    if (r == 0 && (n >= BITS || (bits & ((1u << n) - 1)) != 0))
        r = -EINVAL;
    OPENSSL_cleanse(&bits, sizeof(bits));
    *ret_size = size;
    return r;
}

int base32_read(const char *text, size_t length, bool typed, uint8_t *ret, size_t maximum, size_t *ret_size)
{
    size_t size = 0;
    int r = decode(text, typed ? without_padding(text, length) : length, typed, ret, maximum, &size);

    if (r < 0) {
        OPENSSL_cleanse(ret, maximum);
        return r;
    }
    *ret_size = size;
    return 0;
}
