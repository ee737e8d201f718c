/*
 * Owns: reading segments for who asks for records.
 * Must not: judge them, hold more than one at a time, or change anything.
 */
#include "audit/read.h"

#include <errno.h>

#include "audit/lines.h"
#include "audit/record.h"
#include "audit/segment.h"
#include "base/cleanup.h"

struct reading {
    const struct journal_filter *filter;
    journal_reader reader; /* NULL: count only */
    void *context;
    uint64_t skip;
    bool stopped; /* by the reader */
    struct journal_read_result result;
};

static int read_line(struct reading *g, int kind, const char *line, size_t size)
{
    _cleanup_(json_decrefp) json_t *record = kind == LINE_WHOLE ? record_parse(line, size) : NULL;

    if (!record) {
        g->result.unreadable++;
        return 0;
    }
    if (!journal_filter_matches(g->filter, record))
        return 0;
    g->result.matched++;
    if (!g->reader || g->result.matched <= g->skip)
        return 0;
    return g->reader(g->context, record, line, size);
}

static int read_segment(struct reading *g, int dirfd, uint64_t first, bool last_segment)
{
    _cleanup_close_ int fd = segment_open(dirfd, first);
    struct line_reader lines;
    const char *line;
    size_t size;
    int r, e = 0;

    if (fd == -ENOENT) /* released meanwhile */
        return 0;
    if (fd < 0) {
        segment_name(first, g->result.segment);
        return fd == -EINVAL ? JOURNAL_READ_E_FILE : fd;
    }
    r = line_reader_init(&lines, fd);
    if (r < 0)
        return r;
    while (e == 0 && (r = line_reader_next(&lines, &line, &size)) > 0)
        if (r != LINE_TORN || !last_segment) /* a writer may be in the middle of it */
            e = read_line(g, r, line, size);
    line_reader_done(&lines);
    if (r < 0)
        segment_name(first, g->result.segment);
    g->stopped = e > 0;
    return r < 0 ? r : e < 0 ? e : 0;
}

static int read_all(struct reading *g, int dirfd)
{
    struct segment_list list;
    int r;

    g->result = (struct journal_read_result){0};
    r = segment_list_read(dirfd, &list);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.n && r == 0 && !g->stopped; i++) {
        bool before = i + 1 < list.n && list.items[i + 1].first <= g->filter->from_seq;

        if (!before)
            r = read_segment(g, dirfd, list.items[i].first, i + 1 == list.n);
    }
    segment_list_done(&list);
    return r;
}

int journal_read(int journal_dirfd, const struct journal_filter *filter, journal_reader reader, void *context,
                 struct journal_read_result *ret)
{
    struct reading g = {.filter = filter, .context = context};
    int r = 0;

    if (filter->tail > 0) {
        /* Once to count, once to show: a tail of any length needs no memory. */
        r = read_all(&g, journal_dirfd);
        g.skip = g.result.matched > filter->tail ? g.result.matched - filter->tail : 0;
    }
    g.reader = reader;
    if (r >= 0)
        r = read_all(&g, journal_dirfd);
    if (ret)
        *ret = g.result;
    return r;
}
