#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

/*
 * Lines of the journal as they stand, found by number. A segment's name is the number of its first record and its lines are consecutive, so
 * a line is found by counting; what is found is asked for its number. The place of the last one is remembered.
 */
struct journal_cursor {
    uint64_t segment, seq, offset; /* record seq begins there; segment 0: nothing is remembered */
};

enum {
    JOURNAL_CUT_E_NONE = 1, /* there is no such record: released, not yet on disk, or never */
};

/* Records first to last, as they stand. */
struct journal_piece {
    uint8_t *lines; /* whole ones with their newlines; the caller's to free() */
    size_t size;
    uint64_t first, last;
};
/*
 * From record `from` on, or where that one is missing from the next that is there; none is past record `until` (the last on disk), all are of one segment,
 * at most `maximum` bytes; one that is longer alone is not cut: -EFBIG. 0, JOURNAL_CUT_E_NONE, -errno; -EBADMSG: what is there is no record.
 */
int journal_cut(int journal_dirfd, struct journal_cursor *cursor, uint64_t from, uint64_t until, size_t maximum,
                struct journal_piece *ret);
/* The hash of record seq. Results as journal_cut(). */
int journal_hash_at(int journal_dirfd, struct journal_cursor *cursor, uint64_t seq, uint64_t until, struct digest *ret);
/* The oldest record that is there; 0: none. -errno. */
int journal_oldest(int journal_dirfd, uint64_t *ret);
