#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* A growing byte buffer with a hard maximum. All adders return 0, -ENOBUFS past the maximum or -ENOMEM; after an error the
 * contents are as before the call. */
struct buf {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t maximum;
};

void buf_init(struct buf *b, size_t maximum);
void buf_done(struct buf *b); /* wipes and frees */
void buf_clear(struct buf *b);
int buf_add(struct buf *b, const void *bytes, size_t size);
int buf_add_u8(struct buf *b, uint8_t v);
int buf_add_u16(struct buf *b, uint16_t v); /* little endian */
int buf_add_u32(struct buf *b, uint32_t v);
int buf_add_u64(struct buf *b, uint64_t v);
int buf_add_string(struct buf *b, const char *s); /* u32 length, bytes, no NUL; NULL is the empty string */
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Reads from foreign bytes. Getters return 0 or -EBADMSG and move only on success. */
struct buf_reader {
    const uint8_t *data;
    size_t size;
    size_t offset;
};

int buf_get_u8(struct buf_reader *r, uint8_t *ret);
int buf_get_u16(struct buf_reader *r, uint16_t *ret);
int buf_get_u32(struct buf_reader *r, uint32_t *ret);
int buf_get_u64(struct buf_reader *r, uint64_t *ret);
/* Copies at most maximum bytes into a new NUL-terminated string (caller frees). Embedded NUL and longer ones: -EBADMSG. */
int buf_get_string(struct buf_reader *r, size_t maximum, char **ret);
/* 0 when every byte was read, else -EBADMSG: trailing bytes are an error. */
int buf_get_end(const struct buf_reader *r);
