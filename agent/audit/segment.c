/*
 * Owns: the names of segments and the list of them.
 * Must not: read records or change files.
 */
#include "audit/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"

#define PREFIX "journal-"
#define SUFFIX ".ndjson"

enum {
    DIGITS = 20,
    SEGMENTS_MAX = 1 << 20
};

void segment_name(uint64_t first, char ret[static SEGMENT_NAME_SIZE])
{
    (void)snprintf(ret, SEGMENT_NAME_SIZE, PREFIX "%0*" PRIu64 SUFFIX, DIGITS, first);
}

int segment_parse_name(const char *name, uint64_t *ret_first)
{
    char digits[DIGITS + 1];

    if (strlen(name) != strlen(PREFIX) + DIGITS + strlen(SUFFIX) || !text_starts(name, PREFIX) ||
        strcmp(name + strlen(PREFIX) + DIGITS, SUFFIX) != 0)
        return -EINVAL;
    memcpy(digits, name + strlen(PREFIX), DIGITS);
    digits[DIGITS] = 0;
    return text_to_u64(digits, INT64_MAX, ret_first) < 0 ? -EINVAL : 0;
}

static int compare(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

static int list_add(struct segment_list *list, size_t *capacity, const struct segment *segment)
{
    if (list->n == *capacity) {
        size_t grown = *capacity > 0 ? *capacity * 2 : 16;
        struct segment *more;

        if (grown > SEGMENTS_MAX)
            return -E2BIG;
        more = reallocarray(list->items, grown, sizeof(*more));
        if (!more)
            return -ENOMEM;
        list->items = more;
        *capacity = grown;
    }
    list->items[list->n++] = *segment;
    return 0;
}

static int list_fill(DIR *dir, struct segment_list *list)
{
    const struct dirent *entry;
    size_t capacity = 0;

    for (;;) {
        struct segment segment = {0};
        struct stat st;
        int r;

        errno = 0;
        entry = readdir(dir);
        if (!entry)
            return -errno;
        if (segment_parse_name(entry->d_name, &segment.first) < 0)
            continue;
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno == ENOENT)
                continue;
            return -errno;
        }
        segment.size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
        segment.changed_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
        r = list_add(list, &capacity, &segment);
        if (r < 0)
            return r;
    }
}

int segment_list_read(int dirfd, struct segment_list *ret)
{
    _cleanup_closedir_ DIR *dir = NULL;
    struct segment_list list = {0};
    int fd, r;

    fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    dir = fdopendir(fd);
    if (!dir) {
        r = -errno;
        close_fd(fd);
        return r;
    }
    r = list_fill(dir, &list);
    if (r < 0) {
        segment_list_done(&list);
        return r;
    }
    if (list.n > 0)
        qsort(list.items, list.n, sizeof(*list.items), compare);
    *ret = list;
    return 0;
}

void segment_list_done(struct segment_list *list)
{
    free(list->items);
    *list = (struct segment_list){0};
}

int segment_open(int dirfd, uint64_t first)
{
    _cleanup_close_ int fd = -1;
    char name[SEGMENT_NAME_SIZE];
    struct stat st;

    segment_name(first, name);
    fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ELOOP || errno == ENXIO || errno == ENODEV ? -EINVAL : -errno; /* link, socket, device */
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    return TAKE_FD(fd);
}
