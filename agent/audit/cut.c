/*
 * Owns: finding lines by their number, without reading what they say. Must not: hand out half a line, one past the last on disk, or one whose
 * number is not the one that was asked for.
 */
#include "audit/cut.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "audit/lines.h"
#include "audit/record.h"
#include "audit/segment.h"
#include "base/cleanup.h"

enum {
    PIECE = 64 * 1024,
    ANOTHER = JOURNAL_CUT_E_NONE + 1,
};

/* The segment that record seq is in, if it is in one; and the first behind that. 0: none. */
struct around {
    uint64_t segment, next;
};

static int look_around(int dirfd, uint64_t seq, struct around *ret)
{
    struct segment_list list;
    size_t i = 0;
    int r = segment_list_read(dirfd, &list);

    if (r < 0)
        return r;
    while (i < list.n && list.items[i].first <= seq)
        i++;
    ret->segment = i > 0 ? list.items[i - 1].first : 0;
    ret->next = i < list.n ? list.items[i].first : 0;
    segment_list_done(&list);
    return 0;
}

static ssize_t read_at(int fd, uint8_t *bytes, size_t size, uint64_t offset)
{
    ssize_t n;

    do
        n = pread(fd, bytes, size, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* Moves c, which stands at the beginning of a line, over that many lines. */
static int skip_lines(int fd, struct journal_cursor *c, uint64_t n)
{
    uint8_t bytes[PIECE];
    uint64_t at = c->offset;

    while (n > 0) {
        ssize_t got = read_at(fd, bytes, sizeof(bytes), at);
        const uint8_t *p = bytes, *newline;

        if (got <= 0)
            return got < 0 ? (int)got : JOURNAL_CUT_E_NONE;
        while (n > 0 && (newline = memchr(p, '\n', (size_t)(bytes + got - p)))) {
            p = newline + 1;
            n--;
            c->seq++;
            c->offset = at + (uint64_t)(p - bytes);
        }
        at += (uint64_t)got;
    }
    return 0;
}

/* The number of a line, which ends with its newline. */
static int number_of(const uint8_t *line, size_t size, uint64_t *ret)
{
    struct record_place place;
    json_t *record = size > 0 ? record_parse((const char *)line, size - 1) : NULL;
    int r = record && record_place(record, &place) == 0 ? 0 : -EBADMSG;

    json_decref(record);
    if (r == 0)
        *ret = place.seq;
    return r;
}

static size_t line_at(const uint8_t *bytes, size_t size)
{
    const uint8_t *newline = memchr(bytes, '\n', size);

    return newline ? (size_t)(newline - bytes) + 1 : 0;
}

/* Is the record that the cursor stands at the one that it says? 0, ANOTHER, JOURNAL_CUT_E_NONE, -errno. */
static int check(int fd, const struct journal_cursor *c)
{
    _cleanup_free_ uint8_t *bytes = malloc(RECORD_LINE_MAX);
    uint64_t seq = 0;
    size_t size;
    ssize_t got;
    int r;

    if (!bytes)
        return -ENOMEM;
    got = read_at(fd, bytes, RECORD_LINE_MAX, c->offset);
    if (got < 0)
        return (int)got;
    size = line_at(bytes, (size_t)got);
    if (size == 0)
        return JOURNAL_CUT_E_NONE;
    r = number_of(bytes, size, &seq);
    return r == 0 && seq == c->seq ? 0 : ANOTHER;
}

/* By asking each: the first record from seq on. */
static int search(int fd, uint64_t seq, struct journal_cursor *c)
{
    struct line_reader lines;
    const char *line;
    size_t size;
    int r = line_reader_init(&lines, fd), found = JOURNAL_CUT_E_NONE;

    if (r < 0)
        return r;
    while (found == JOURNAL_CUT_E_NONE && (r = line_reader_next(&lines, &line, &size)) > 0) {
        struct record_place place;
        json_t *record = r == LINE_WHOLE ? record_parse(line, size) : NULL;

        if (record && record_place(record, &place) == 0 && place.seq >= seq) {
            c->seq = place.seq;
            c->offset = lines.offset;
            found = 0;
        }
        json_decref(record);
    }
    line_reader_done(&lines);
    return r < 0 ? r : found;
}

/* Opens a segment and puts the cursor to record seq in it, or to the next one that is there. */
static int open_at(int dirfd, struct journal_cursor *c, uint64_t segment, uint64_t seq, int *ret_fd)
{
    struct journal_cursor next = *c;
    _cleanup_close_ int fd = segment_open(dirfd, segment);
    int r;

    if (fd < 0)
        return fd;
    if (next.segment != segment || next.seq > seq)
        next = (struct journal_cursor){.segment = segment, .seq = segment, .offset = 0};
    r = skip_lines(fd, &next, seq - next.seq);
    if (r == 0)
        r = check(fd, &next);
    if (r > 0) {
        next = (struct journal_cursor){.segment = segment};
        r = search(fd, seq, &next);
    }
    if (r != 0)
        return r;
    *c = next;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int find(int dirfd, struct journal_cursor *c, uint64_t from, int *ret_fd)
{
    struct around a;
    int r = look_around(dirfd, from, &a);

    if (r < 0)
        return r;
    r = a.segment ? open_at(dirfd, c, a.segment, from, ret_fd) : JOURNAL_CUT_E_NONE;
    return r == JOURNAL_CUT_E_NONE && a.next ? open_at(dirfd, c, a.next, a.next, ret_fd) : r;
}

/* How many of the bytes are whole lines, of at most `most` records; and where the last one begins. */
static size_t whole_lines(const uint8_t *bytes, size_t size, uint64_t most, size_t *ret_last)
{
    size_t done = 0, line;

    for (uint64_t n = 0; n < most && (line = line_at(bytes + done, size - done)) > 0; n++) {
        *ret_last = done;
        done += line;
    }
    return done;
}

int journal_cut(int journal_dirfd, struct journal_cursor *cursor, uint64_t from, uint64_t until, size_t maximum,
                struct journal_piece *ret)
{
    struct journal_piece p = {0};
    _cleanup_free_ uint8_t *bytes = NULL;
    _cleanup_close_ int fd = -1;
    size_t last_line = 0;
    ssize_t got;
    int r;

    if (from == 0 || from > until)
        return JOURNAL_CUT_E_NONE;
    r = find(journal_dirfd, cursor, from, &fd);
    if (r != 0)
        return r;
    p.first = cursor->seq;
    if (p.first > until)
        return JOURNAL_CUT_E_NONE;
    bytes = malloc(maximum);
    if (!bytes)
        return -ENOMEM;
    got = read_at(fd, bytes, maximum, cursor->offset);
    if (got < 0)
        return (int)got;
    p.size = whole_lines(bytes, (size_t)got, until - p.first + 1, &last_line);
    if (p.size == 0)
        return (size_t)got == maximum ? -EFBIG : JOURNAL_CUT_E_NONE;
    r = number_of(bytes + last_line, p.size - last_line, &p.last);
    if (r < 0)
        return r;
    p.lines = TAKE_PTR(bytes);
    *ret = p;
    return 0;
}

int journal_hash_at(int journal_dirfd, struct journal_cursor *cursor, uint64_t seq, uint64_t until, struct digest *ret)
{
    struct journal_piece p = {0};
    int r = journal_cut(journal_dirfd, cursor, seq, until, RECORD_LINE_MAX, &p);

    if (r == 0)
        r = p.first == seq ? digest_bytes(p.lines, line_at(p.lines, p.size) - 1, ret) : JOURNAL_CUT_E_NONE;
    free(p.lines);
    return r;
}

int journal_oldest(int journal_dirfd, uint64_t *ret)
{
    struct segment_list list;
    int r = segment_list_read(journal_dirfd, &list);

    if (r < 0)
        return r;
    *ret = list.n > 0 ? list.items[0].first : 0;
    segment_list_done(&list);
    return 0;
}
