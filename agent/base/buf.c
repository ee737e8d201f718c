/*
 * Owns: growing byte buffers with a hard maximum, and the getters that read foreign bytes.
 * Must not: know what the bytes mean, log, or abort on anything a peer sent.
 *
 * Buffers may hold secrets on their way to a child, so memory is wiped whenever it is given back, growing included;
 * that is why growing is malloc and copy, never realloc.
 */
#include "base/buf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUF_FIRST = 256
};

void buf_init(struct buf *b, size_t maximum)
{
    *b = (struct buf){.maximum = maximum};
}

void buf_done(struct buf *b)
{
    if (b->data) {
        explicit_bzero(b->data, b->capacity);
        free(b->data);
    }
    *b = (struct buf){.maximum = b->maximum};
}

void buf_clear(struct buf *b)
{
    if (b->data)
        explicit_bzero(b->data, b->size);
    b->size = 0;
}

/* Room for `more` further bytes. The contents stay as they are on any error. */
static int buf_reserve(struct buf *b, size_t more)
{
    size_t need, capacity;
    uint8_t *data;

    if (more > b->maximum || b->size > b->maximum - more)
        return -ENOBUFS;
    need = b->size + more;
    if (need <= b->capacity)
        return 0;
    capacity = b->capacity > 0 ? b->capacity : BUF_FIRST;
    while (capacity < need)
        capacity = capacity > b->maximum / 2 ? b->maximum : capacity * 2;
    data = malloc(capacity);
    if (!data)
        return -ENOMEM;
    if (b->data) {
        memcpy(data, b->data, b->size);
        explicit_bzero(b->data, b->capacity);
        free(b->data);
    }
    b->data = data;
    b->capacity = capacity;
    return 0;
}

int buf_add(struct buf *b, const void *bytes, size_t size)
{
    int r;

    if (size == 0)
        return 0;
    r = buf_reserve(b, size);
    if (r < 0)
        return r;
    memcpy(b->data + b->size, bytes, size);
    b->size += size;
    return 0;
}

static int buf_add_little_endian(struct buf *b, uint64_t v, size_t size)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(v >> (8 * i));
    return buf_add(b, bytes, size);
}

int buf_add_u8(struct buf *b, uint8_t v)
{
    return buf_add_little_endian(b, v, sizeof(v));
}

int buf_add_u16(struct buf *b, uint16_t v)
{
    return buf_add_little_endian(b, v, sizeof(v));
}

int buf_add_u32(struct buf *b, uint32_t v)
{
    return buf_add_little_endian(b, v, sizeof(v));
}

int buf_add_u64(struct buf *b, uint64_t v)
{
    return buf_add_little_endian(b, v, sizeof(v));
}

int buf_add_string(struct buf *b, const char *s)
{
    size_t size = s ? strlen(s) : 0;
    int r;

    if (size > UINT32_MAX - sizeof(uint32_t))
        return -ENOBUFS;
    r = buf_reserve(b, sizeof(uint32_t) + size); /* both or nothing */
    if (r < 0)
        return r;
    r = buf_add_u32(b, (uint32_t)size);
    if (r < 0)
        return r;
    return buf_add(b, s, size);
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    char small[256];
    char *large = NULL;
    va_list args;
    int n, r;

    va_start(args, fmt);
    n = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    if (n < 0)
        return -EINVAL;
    if ((size_t)n >= sizeof(small)) {
        va_start(args, fmt);
        n = vasprintf(&large, fmt, args);
        va_end(args);
        if (n < 0)
            return -ENOMEM;
    }
    r = buf_add(b, large ? large : small, (size_t)n);
    if (large) {
        explicit_bzero(large, (size_t)n);
        free(large);
    }
    explicit_bzero(small, sizeof(small));
    return r;
}

static bool buf_has(const struct buf_reader *r, size_t size)
{
    return r->offset <= r->size && r->size - r->offset >= size;
}

static int buf_get_little_endian(struct buf_reader *r, size_t size, uint64_t *ret)
{
    uint64_t v = 0;

    if (!buf_has(r, size))
        return -EBADMSG;
    for (size_t i = 0; i < size; i++)
        v |= (uint64_t)r->data[r->offset + i] << (8 * i);
    r->offset += size;
    *ret = v;
    return 0;
}

int buf_get_u8(struct buf_reader *r, uint8_t *ret)
{
    uint64_t v;
    int e = buf_get_little_endian(r, sizeof(*ret), &v);

    if (e < 0)
        return e;
    *ret = (uint8_t)v;
    return 0;
}

int buf_get_u16(struct buf_reader *r, uint16_t *ret)
{
    uint64_t v;
    int e = buf_get_little_endian(r, sizeof(*ret), &v);

    if (e < 0)
        return e;
    *ret = (uint16_t)v;
    return 0;
}

int buf_get_u32(struct buf_reader *r, uint32_t *ret)
{
    uint64_t v;
    int e = buf_get_little_endian(r, sizeof(*ret), &v);

    if (e < 0)
        return e;
    *ret = (uint32_t)v;
    return 0;
}

int buf_get_u64(struct buf_reader *r, uint64_t *ret)
{
    return buf_get_little_endian(r, sizeof(*ret), ret);
}

int buf_get_string(struct buf_reader *r, size_t maximum, char **ret)
{
    struct buf_reader at = *r;
    uint32_t size;
    char *s;
    int e;

    e = buf_get_u32(&at, &size);
    if (e < 0)
        return e;
    if (size > maximum || !buf_has(&at, size))
        return -EBADMSG;
    if (size > 0 && memchr(at.data + at.offset, 0, size))
        return -EBADMSG;
    s = malloc((size_t)size + 1);
    if (!s)
        return -ENOMEM;
    if (size > 0)
        memcpy(s, at.data + at.offset, size);
    s[size] = 0;
    r->offset = at.offset + size;
    *ret = s;
    return 0;
}

int buf_get_end(const struct buf_reader *r)
{
    return r->offset == r->size ? 0 : -EBADMSG;
}
