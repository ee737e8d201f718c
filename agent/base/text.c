/*
 * Owns: small work on strings that people or devices wrote.
 * Must not: depend on the locale: a terminal in Japanese and one in C must decide and record the same.
 */
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool text_equal(const char *a, const char *b)
{
    if (!a || !b)
        return a == b;
    return strcmp(a, b) == 0;
}

bool text_starts(const char *s, const char *prefix)
{
    return s && strncmp(s, prefix, strlen(prefix)) == 0;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

static int parse_digits(const char *s, size_t size, unsigned int base, uint64_t maximum, uint64_t *ret)
{
    uint64_t v = 0;

    if (size == 0)
        return -EINVAL;
    for (size_t i = 0; i < size; i++)
        if (digit_value(s[i]) >= (int)base)
            return -EINVAL;
    for (size_t i = 0; i < size; i++) {
        uint64_t digit = (uint64_t)digit_value(s[i]);

        if (v > (UINT64_MAX - digit) / base)
            return -ERANGE;
        v = v * base + digit;
    }
    if (v > maximum)
        return -ERANGE;
    *ret = v;
    return 0;
}

int text_to_u64(const char *s, uint64_t maximum, uint64_t *ret)
{
    return s ? parse_digits(s, strlen(s), 10, maximum, ret) : -EINVAL;
}

int text_hex_to_u64(const char *s, uint64_t maximum, uint64_t *ret)
{
    return s ? parse_digits(s, strlen(s), 16, maximum, ret) : -EINVAL;
}

int text_to_size(const char *s, uint64_t *ret)
{
    static const char units[] = "KMGT";
    const char *unit = NULL;
    unsigned int shift = 0;
    uint64_t v;
    size_t size;
    int r;

    if (!s || !*s)
        return -EINVAL;
    size = strlen(s);
    unit = strchr(units, s[size - 1]);
    if (unit) {
        shift = 10 * (unsigned int)(unit - units + 1);
        size--;
    }
    r = parse_digits(s, size, 10, UINT64_MAX >> shift, &v);
    if (r < 0)
        return r;
    *ret = v << shift;
    return 0;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;

    return m < c ? m : c;
}

size_t text_distance(const char *a, const char *b, size_t cap)
{
    enum {
        LONGEST = 127
    }; /* keys and option names; longer strings are never near */
    size_t n = strlen(a), m = strlen(b), row[LONGEST + 1];

    if (n > LONGEST || m > LONGEST || (n > m ? n - m : m - n) >= cap)
        return cap;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t above = row[j];

            row[j] = min3(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[m] < cap ? row[m] : cap;
}

/* Bytes of the well-formed UTF-8 sequence at s (RFC 3629, no surrogates, no overlong forms), 0 when there is none. */
static size_t utf8_sequence(const uint8_t *s, size_t size, uint32_t *ret_point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length;
    uint32_t point;

    if (s[0] < 0x80) {
        *ret_point = s[0];
        return 1;
    }
    length = (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : (s[0] & 0xf8) == 0xf0 ? 4 : 0;
    if (length == 0 || length > size)
        return 0;
    point = s[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (s[i] & 0x3fU);
    }
    if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret_point = point;
    return length;
}

/* Control characters of ASCII and Latin-1, line and paragraph separators, and the bidirectional controls that make a
 * file name look like another one (CVE-2021-42574). */
static bool is_printable(uint32_t point)
{
    if (point < 0x20 || (point >= 0x7f && point < 0xa0))
        return false;
    if (point == 0x2028 || point == 0x2029 || point == 0x200e || point == 0x200f || point == 0x061c)
        return false;
    if ((point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069))
        return false;
    return point != 0xfeff && point != 0xfffe && point != 0xffff;
}

size_t text_printable_length(const char *bytes, size_t size)
{
    const uint8_t *at = (const uint8_t *)bytes;
    size_t left = size;

    while (left > 0) {
        uint32_t point;
        size_t n = utf8_sequence(at, left, &point);

        if (n == 0 || !is_printable(point))
            break;
        at += n;
        left -= n;
    }
    return size - left;
}

bool text_is_printable_utf8(const char *s)
{
    size_t size = strlen(s);

    return text_printable_length(s, size) == size;
}

char *text_copy(const char *bytes, size_t size)
{
    char *copy = malloc(size + 1);

    if (!copy)
        return NULL;
    memcpy(copy, bytes, size);
    copy[size] = 0;
    return copy;
}

static char *put_escaped(char *out, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";

    *out++ = '\\';
    *out++ = 'x';
    *out++ = digits[byte >> 4];
    *out++ = digits[byte & 0x0f];
    return out;
}

char *text_vformat(const char *fmt, va_list args)
{
    char *text = NULL;

    return vasprintf(&text, fmt, args) < 0 ? NULL : text;
}

char *text_make_printable(const char *bytes, size_t size)
{
    const uint8_t *at = (const uint8_t *)bytes;
    char *copy, *out;

    if (size > (SIZE_MAX - 1) / 4)
        return NULL;
    copy = malloc(size * 4 + 1);
    if (!copy)
        return NULL;
    out = copy;
    while (size > 0) {
        uint32_t point = 0;
        size_t n = utf8_sequence(at, size, &point);

        if (n == 0 || !is_printable(point)) {
            n = n > 0 ? n : 1;
            for (size_t i = 0; i < n; i++)
                out = put_escaped(out, at[i]);
        } else if (*at == '\\') {
            out = put_escaped(out, *at); /* or a name holding "\x0a" could not be told from an escaped newline */
        } else {
            memcpy(out, at, n);
            out += n;
        }
        at += n;
        size -= n;
    }
    *out = 0;
    return copy;
}
