#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lines of a segment, one at a time, in constant memory. */

struct line_reader {
    int fd; /* borrowed */
    char *buffer;
    size_t start, end;
    bool at_end;
    uint64_t number; /* of the line last returned, from 1 */
    uint64_t offset; /* of its first byte */
    uint64_t next;   /* of the byte behind it and its newline */
};

int line_reader_init(struct line_reader *r, int fd);
void line_reader_done(struct line_reader *r);

/* The line is without its newline and valid until the next call. LINE_TORN: the file ends without a newline, the line is what is
 * there. LINE_LONG: the next line is longer than RECORD_LINE_MAX and was skipped. -errno on read errors. */
enum {
    LINE_END = 0,
    LINE_WHOLE = 1,
    LINE_TORN = 2,
    LINE_LONG = 3
};
int line_reader_next(struct line_reader *r, const char **ret_line, size_t *ret_size);
