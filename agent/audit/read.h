#pragma once

#include <jansson.h>

#include "audit/filter.h"
#include "audit/segment.h"

/* Reading records for people: filtered, forward, in constant memory. It does not verify; verify.h does. */

/* line is the record as it stands, without newline. A positive return ends the reading, negative is forwarded. */
typedef int (*journal_reader)(void *context, json_t *record, const char *line, size_t size);

enum {
    JOURNAL_READ_E_FILE = 1 /* a segment is no regular file: the reading ended before it */
};

struct journal_read_result {
    char segment[SEGMENT_NAME_SIZE]; /* where the reading failed, "" when it did not */
    uint64_t matched;
    uint64_t unreadable; /* lines that are no records: verify tells more */
};

/* 0, JOURNAL_READ_E_FILE or -errno. A missing journal directory is the caller's to notice; an empty one reads as nothing. ret may
 * be NULL; it is set on failure as well. */
int journal_read(int journal_dirfd, const struct journal_filter *filter, journal_reader reader, void *context,
                 struct journal_read_result *ret);
/* The newest record with "kuraban".name, a literal, as a new reference; whole segments are searched from the newest on until they are `maximum` bytes or more. 1
 * found, 0 not, -errno. */
int journal_find_last(int journal_dirfd, const char *name, uint64_t maximum, json_t **ret);
