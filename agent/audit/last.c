/*
 * Owns: finding the newest record that says something of one matter.
 * Must not: judge it; verify.h does.
 */
#include "audit/read.h"

#include <stdio.h>
#include <string.h>

#include "audit/lines.h"
#include "audit/record.h"
#include "base/cleanup.h"

enum {
    MEMBER_MAX = 64
};

/* 1: *ret is the last one of this segment. */
static int find_in(int dirfd, uint64_t first, const char *name, json_t **ret)
{
    _cleanup_close_ int fd = segment_open(dirfd, first);
    char text[MEMBER_MAX], path[MEMBER_MAX];
    struct line_reader lines;
    json_t *found = NULL;
    const char *line;
    size_t size;
    int r;

    if (fd < 0)
        return fd;
    r = line_reader_init(&lines, fd);
    if (r < 0)
        return r;
    (void)snprintf(text, sizeof(text), "\"%s\":", name);
    (void)snprintf(path, sizeof(path), "kuraban.%s", name);
    while ((r = line_reader_next(&lines, &line, &size)) > 0) {
        /* Most lines need not be parsed. */
        json_t *record = r == LINE_WHOLE && memmem(line, size, text, strlen(text)) ? record_parse(line, size) : NULL;

        if (record && record_member(record, path)) {
            json_decref(found);
            found = json_incref(record);
        }
        json_decref(record);
    }
    line_reader_done(&lines);
    if (r < 0) {
        json_decref(found);
        return r;
    }
    *ret = found;
    return found ? 1 : 0;
}

int journal_find_last(int journal_dirfd, const char *name, uint64_t maximum, json_t **ret)
{
    struct segment_list list;
    uint64_t seen = 0;
    int r = segment_list_read(journal_dirfd, &list);

    if (r < 0)
        return r;
    for (size_t i = list.n; i > 0 && r == 0 && seen < maximum; i--) {
        r = find_in(journal_dirfd, list.items[i - 1].first, name, ret);
        seen += list.items[i - 1].size;
    }
    segment_list_done(&list);
    return r;
}
