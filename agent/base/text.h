#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Strings as people wrote them. */

bool text_equal(const char *a, const char *b); /* NULL equals only NULL */
bool text_starts(const char *s, const char *prefix);
/* Decimal only, whole string, no sign, no space. 0, -EINVAL or -ERANGE. */
int text_to_u64(const char *s, uint64_t maximum, uint64_t *ret);
int text_hex_to_u64(const char *s, uint64_t maximum, uint64_t *ret);
/* "100M", "64G", "512": binary multiples K M G T. */
int text_to_size(const char *s, uint64_t *ret);
/* Levenshtein distance, capped; for "did you mean". */
size_t text_distance(const char *a, const char *b, size_t cap);
/* Valid UTF-8 without control characters (tab excluded as well)? Foreign names are checked before they are shown. */
bool text_is_printable_utf8(const char *s);
/* How many bytes from the first on are such text. */
size_t text_printable_length(const char *bytes, size_t size);
/* A NUL-terminated copy of bytes that have no end of their own. Caller frees; NULL on ENOMEM. */
char *text_copy(const char *bytes, size_t size);
/* As printf(3) would write it. Caller frees; NULL on ENOMEM. */
char *text_vformat(const char *fmt, va_list args) __attribute__((format(printf, 1, 0)));
/* A copy that is safe for a terminal, a log and JSON: bytes that are not printable UTF-8 become \xNN, and so
 * does the backslash itself, so that two different strings never look alike. Caller frees; NULL on ENOMEM. */
char *text_make_printable(const char *bytes, size_t size);
