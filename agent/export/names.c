/*
 * Names that are safe to give away. Owns: what a name may hold. Must not: open anything; the caller's name decides nothing but how the
 * file is called.
 */
#include "export/names.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unicase.h>
#include <uninorm.h>

#include "base/cleanup.h"

/* Length and value of the character at s; 0: not UTF-8 (RFC 3629: no overlong forms, no surrogates). */
static size_t decode(const unsigned char *s, uint32_t *ret)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : (s[0] & 0xf8) == 0xf0 ? 4 : 0;
    uint32_t c = n == 1 ? s[0] : n == 0 ? 0 : s[0] & (0x7fU >> n);

    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fU);
    }
    if (n == 0 || c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *ret = c;
    return n;
}

/* Characters that are not seen, or change how others are seen: Unicode's controls, Bidi_Control, zero width, separators of lines,
 * the byte order mark, interlinear and tag characters, noncharacters. */
static bool is_invisible(uint32_t c)
{
    static const struct {
        uint32_t from, to;
    } ranges[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},     {0x115f, 0x1160}, {0x180e, 0x180e},
        {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164},   {0xfeff, 0xfeff}, {0xffa0, 0xffa0},
        {0xfdd0, 0xfdef}, {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0xe0fff},
    };

    for (size_t i = 0; i < ELEMENTS(ranges); i++)
        if (c >= ranges[i].from && c <= ranges[i].to)
            return true;
    return false;
}

static bool is_taken(uint32_t c)
{
    return is_invisible(c) || (c < 0x80 && strchr("/\\:*?\"<>|", (int)c));
}

/* Windows opens a device by these names, whatever stands behind a dot. */
static bool is_device(const char *name)
{
    static const char *const devices[] = {"con", "prn", "aux", "nul"};
    size_t n = strcspn(name, ". ");

    for (size_t i = 0; i < ELEMENTS(devices); i++)
        if (n == 3 && strncasecmp(name, devices[i], 3) == 0)
            return true;
    return n == 4 && (strncasecmp(name, "com", 3) == 0 || strncasecmp(name, "lpt", 3) == 0) && name[3] >= '0' &&
           name[3] <= '9';
}

int export_name_make(const char *name, char ret[static EXPORT_NAME_MAX + 1])
{
    const unsigned char *s = (const unsigned char *)name;
    char made[EXPORT_NAME_MAX + 2]; /* one more for what is put in front of a device's name */
    size_t n = 1;

    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return -EINVAL;
    while (*s) {
        uint32_t c = 0;
        size_t length = decode(s, &c);

        /* A name of an older character set; not refused, because its file is as good as any. */
        if (length == 0) {
            c = '\0';
            length = 1;
        }
        if (n + length > EXPORT_NAME_MAX + 1)
            return -ENAMETOOLONG;
        if (is_taken(c)) {
            made[n++] = '_';
        } else {
            memcpy(made + n, s, length);
            n += length;
        }
        s += length;
    }
    if (made[n - 1] == '.' || made[n - 1] == ' ')
        made[n - 1] = '_';
    made[n] = '\0';
    made[0] = '_';
    if (!is_device(made + 1))
        memcpy(ret, made + 1, n);
    else if (n <= EXPORT_NAME_MAX)
        memcpy(ret, made, n + 1);
    else
        return -ENAMETOOLONG;
    return 0;
}

int export_name_fold(const char *name, char **ret)
{
    size_t n = 0;
    uint8_t *folded = u8_casefold((const uint8_t *)name, strlen(name) + 1, NULL, UNINORM_NFC, NULL, &n);

    if (!folded)
        return errno == EILSEQ ? -EILSEQ : -ENOMEM;
    *ret = (char *)folded;
    return 0;
}

static bool has(const struct export_names *names, const char *folded)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->folded[i], folded) == 0)
            return true;
    return false;
}

int export_name_number(const char *name, unsigned n, char ret[static EXPORT_NAME_MAX + 1])
{
    const char *dot = strrchr(name, '.');
    int stem = dot && dot != name ? (int)(dot - name) : (int)strlen(name);
    char made[EXPORT_NAME_MAX + 32];
    int size;

    if (strlen(name) > EXPORT_NAME_MAX)
        return -ENAMETOOLONG;
    size = n == 1 ? snprintf(made, sizeof(made), "%s", name)
                  : snprintf(made, sizeof(made), "%.*s (%u)%s", stem, name, n, name + stem);
    if (size < 0 || size > EXPORT_NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(ret, made, (size_t)size + 1);
    return 0;
}

int export_names_add(struct export_names *names, const char *name, char ret[static EXPORT_NAME_MAX + 1])
{
    char chosen[EXPORT_NAME_MAX + 1];
    _cleanup_free_ char *key = NULL;
    char **folded;

    if (names->n >= EXPORT_FILES_MAX)
        return -E2BIG;
    for (unsigned i = 1; i == 1 || has(names, key); i++) {
        int r = export_name_number(name, i, chosen);

        free(key);
        key = NULL;
        if (r >= 0)
            r = export_name_fold(chosen, &key);
        if (r < 0)
            return r;
    }
    folded = reallocarray(names->folded, names->n + 1, sizeof(*folded));
    if (!folded)
        return -ENOMEM;
    names->folded = folded;
    names->folded[names->n++] = TAKE_PTR(key);
    memcpy(ret, chosen, strlen(chosen) + 1);
    return 0;
}

void export_names_done(struct export_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->folded[i]);
    free(names->folded);
    *names = (struct export_names){0};
}
