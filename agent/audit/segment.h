#pragma once

#include <stddef.h>
#include <stdint.h>

/* The files of the journal's directory: journal-<first seq, 20 digits>.ndjson. */

enum {
    SEGMENT_NAME_SIZE = 40
};

struct segment {
    uint64_t first;     /* seq of its first record, from the name */
    uint64_t size;      /* bytes; 0 when it is not a regular file */
    int64_t changed_us; /* wall clock of the last change */
};

struct segment_list {
    struct segment *items; /* ascending */
    size_t n;
};

void segment_name(uint64_t first, char ret[static SEGMENT_NAME_SIZE]);
/* 0, or -EINVAL when it is not the name of a segment. */
int segment_parse_name(const char *name, uint64_t *ret_first);
int segment_list_read(int dirfd, struct segment_list *ret);
void segment_list_done(struct segment_list *list);
/* Opens a regular file for reading, never through a link. -errno; -EINVAL when it is no regular file. */
int segment_open(int dirfd, uint64_t first);
