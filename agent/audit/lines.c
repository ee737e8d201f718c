/*
 * Owns: cutting a file into lines with a hard maximum.
 * Must not: interpret them.
 */
#include "audit/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/record.h"

int line_reader_init(struct line_reader *r, int fd)
{
    *r = (struct line_reader){.fd = fd, .buffer = malloc(RECORD_LINE_MAX)};
    return r->buffer ? 0 : -ENOMEM;
}

void line_reader_done(struct line_reader *r)
{
    free(r->buffer);
    r->buffer = NULL;
}

/* Room behind what is held, then one read. 0 at the end of the file or when the buffer is full. */
static ssize_t refill(struct line_reader *r)
{
    ssize_t n;

    if (r->start > 0) {
        memmove(r->buffer, r->buffer + r->start, r->end - r->start);
        r->end -= r->start;
        r->start = 0;
    }
    if (r->end == RECORD_LINE_MAX)
        return 0;
    do
        n = read(r->fd, r->buffer + r->end, RECORD_LINE_MAX - r->end);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    r->at_end = n == 0;
    r->end += (size_t)n;
    return n;
}

/* Forgets bytes up to and with the next newline. */
static int skip_line(struct line_reader *r)
{
    for (;;) {
        const char *newline = memchr(r->buffer + r->start, '\n', r->end - r->start);
        size_t used = newline ? (size_t)(newline - r->buffer) + 1 - r->start : r->end - r->start;
        ssize_t n;

        r->start += used;
        r->next += used;
        if (newline)
            return LINE_LONG;
        n = refill(r);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return LINE_LONG;
    }
}

int line_reader_next(struct line_reader *r, const char **ret_line, size_t *ret_size)
{
    const char *newline;
    size_t size;

    for (;;) {
        ssize_t n;

        newline = memchr(r->buffer + r->start, '\n', r->end - r->start);
        if (newline || r->at_end)
            break;
        if (r->end - r->start == RECORD_LINE_MAX) {
            r->number++;
            r->offset = r->next;
            return skip_line(r);
        }
        n = refill(r);
        if (n < 0)
            return (int)n;
    }
    if (!newline && r->start == r->end)
        return LINE_END;
    size = newline ? (size_t)(newline - r->buffer) - r->start : r->end - r->start;
    *ret_line = r->buffer + r->start;
    *ret_size = size;
    r->number++;
    r->offset = r->next;
    r->next += size + (newline ? 1 : 0);
    r->start += size + (newline ? 1 : 0);
    return newline ? LINE_WHOLE : LINE_TORN;
}
