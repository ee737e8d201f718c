/*
 * Owns: parsing JSON when memory ends in the middle of it. Must not: know what a document says.
 *
 * jansson (2.14) does not look whether its token buffer grew: when that allocation fails, bytes of the token are lost, and with the
 * closing quote among them it copies on past the end of its memory (lex_save() and lex_scan_string() of its load.c, its issue #362;
 * fault/trust shows it). So the first failing allocation of a parse is given memory that was set aside before, no further one is, and the text ends
 * there: the parser gets one byte at a time and meets the end before it needs its buffer again. One growth of the token buffer is at
 * most twice what the text holds; it is what the reserve is sized for.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "policy/trust/internal.h"

enum {
    RESERVE_SPARE = 4096
};

struct parse {
    const uint8_t *next;
    size_t left;
    uint8_t *reserve;
    size_t reserve_size;
    bool exhausted; /* and the reserve was given out */
};

static _Thread_local struct parse *current; /* the parse this thread is in */

static void *parse_malloc(size_t size)
{
    void *p = current && current->exhausted ? NULL : malloc(size);

    if (p || !current || current->exhausted)
        return p;
    current->exhausted = true;
    return size <= current->reserve_size ? current->reserve : NULL;
}

static void parse_free(void *p)
{
    if (!current || p != current->reserve)
        free(p);
}

/* For all of jansson in this process; outside a parse they are malloc() and free(). */
static void set_functions(void)
{
    json_set_alloc_funcs(parse_malloc, parse_free);
}

static size_t next_byte(void *buffer, size_t size, void *context)
{
    struct parse *p = context;

    if (p->exhausted || p->left == 0 || size == 0)
        return 0;
    memcpy(buffer, p->next++, 1);
    p->left--;
    return 1;
}

/* -ENOMEM, or what jansson made of it: NULL and an error, or a value. */
static int parse_bytes(const uint8_t *bytes, size_t size, json_t **ret, json_error_t *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct parse p = {.next = bytes, .left = size, .reserve_size = 2 * size + RESERVE_SPARE};
    json_t *j;

    (void)pthread_once(&once, set_functions);
    p.reserve = malloc(p.reserve_size);
    if (!p.reserve)
        return -ENOMEM;
    current = &p;
    j = json_load_callback(next_byte, &p, JSON_REJECT_DUPLICATES, error);
    if (p.exhausted) {
        json_decref(j); /* what of it lies in the reserve must go while that is known */
        j = NULL;
    }
    current = NULL;
    free(p.reserve);
    *ret = j;
    return p.exhausted ? -ENOMEM : 0;
}

int trust_json_load(const uint8_t *bytes, size_t size, size_t maximum, const char *what, json_t **ret,
                    struct trust_complaint *complaint)
{
    _cleanup_json_ json_t *j = NULL;
    json_error_t error = {0};
    enum json_error_code code;
    int r;

    if (size > maximum)
        return trust_refuse(complaint, TRUST_E_TOO_LONG, N_("%s: %zu bytes; at most %zu are read"), what, size,
                            maximum);
    r = parse_bytes(bytes, size, &j, &error);
    if (r < 0)
        return r;
    code = json_error_code(&error);
    if (!j)
        return trust_refuse(complaint, code == json_error_duplicate_key ? TRUST_E_DUPLICATE_KEY : TRUST_E_MALFORMED,
                            N_("%s: line %d, column %d: %s"), what, error.line, error.column, error.text);
    if (!json_is_object(j))
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: not a JSON object"), what);
    *ret = TAKE_PTR(j);
    return TRUST_OK;
}
