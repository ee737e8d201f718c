/*
 * Writing to a medium. Owns: the unfinished directory there. Must not: mount or unmount (medium.c), leave anything that looks whole
 * before it is.
 *
 * The one moment that counts is a rename: before it there is only ".kuraban-ID.part", after it everything is in its place. fsync
 * comes before and after.
 */
#include "export/put.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "export/hash.h"
#include "export/names.h"

#define PART_PREFIX ".kuraban-"
#define PART_SUFFIX ".part"

enum {
    CHUNK = 1024 * 1024,
    ALIGNMENT = 4096, /* of buffer and length for O_DIRECT: no medium has larger sectors */
};

struct writer {
    const struct put_options *options;
    uint8_t *chunk;
    uint64_t done, total;
};

static void part_name(const char *id, char ret[static 256])
{
    (void)snprintf(ret, 256, PART_PREFIX "%.64s" PART_SUFFIX, id);
}

/* Files in a directory that is ours. We made no directory in it, and no more files than one export has: one with those is somebody's. */
static int remove_part(int root, const char *name)
{
    _cleanup_closedir_ DIR *dir = NULL;
    int fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const struct dirent *d;
    unsigned removed = 0;

    if (fd < 0)
        return -errno;
    dir = fdopendir(fd);
    if (!dir) {
        close_fd(fd);
        return -ENOMEM;
    }
    while ((d = readdir(dir))) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        if (removed++ >= EXPORT_FILES_MAX)
            return -E2BIG;
        if (unlinkat(dirfd(dir), d->d_name, 0) < 0)
            return -errno;
    }
    return unlinkat(root, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

unsigned put_clean(int root, const char *const *ids, size_t n)
{
    unsigned removed = 0;
    char part[256];

    for (size_t i = 0; i < n; i++) {
        part_name(ids[i], part);
        removed += remove_part(root, part) == 0;
    }
    return removed;
}

static int from_errno(int e)
{
    if (e == EEXIST) /* in a directory of our own: vfat has made that name the short one of another file */
        return PUT_E_TAKEN;
    return e == ENOSPC || e == EDQUOT || e == EFBIG ? PUT_E_FULL : -e;
}

bool put_is_too_large(long filesystem, uint64_t size)
{
    return filesystem == MSDOS_SUPER_MAGIC && size > UINT32_MAX;
}

/* With room for the directory and the ends of the files' last blocks. */
static int check_room(const struct put_options *o, uint64_t total)
{
    struct statfs fs;
    uint64_t block;

    if (fstatfs(o->root, &fs) < 0)
        return -errno;
    for (size_t i = 0; i < o->n; i++)
        if (put_is_too_large(fs.f_type, o->items[i].size))
            return PUT_E_LARGE;
    block = fs.f_bsize > 0 ? (uint64_t)fs.f_bsize : ALIGNMENT;
    if ((uint64_t)fs.f_bavail < o->n + 8 || ((uint64_t)fs.f_bavail - o->n - 8) < total / block)
        return PUT_E_FULL;
    return 0;
}

static int tell(struct writer *w, bool check, size_t size)
{
    const struct put_options *o = w->options;

    w->done += size;
    return o->progress ? o->progress(o->context, check, w->done, w->total) : 0;
}

static int write_chunk(int fd, const uint8_t *data, size_t size)
{
    int r = files_write_all(fd, data, size);

    return r < 0 ? from_errno(-r) : 0;
}

/* Onto the medium, while the next is being written: or what was told would be what the page cache has taken, and the wait at the end one of minutes in
 * which nobody knows whether the medium still answers. */
static int settle(int fd, uint64_t from, uint64_t to)
{
    uint64_t before = from < CHUNK ? 0 : from - CHUNK;
    int r = sync_file_range(fd, (off_t)from, (off_t)(to - from), SYNC_FILE_RANGE_WRITE);

    if (r == 0 && from > 0)
        r = sync_file_range(fd, (off_t)before, (off_t)(from - before),
                            SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    return r < 0 ? from_errno(errno) : 0;
}

static int write_item(struct writer *w, int directory, const struct put_item *item)
{
    _cleanup_close_ int fd = openat(directory, item->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    uint64_t left = item->size;
    int r = 0;

    if (fd < 0)
        return from_errno(errno);
    while (left > 0 && r == 0) {
        size_t want = left < CHUNK ? (size_t)left : CHUNK;
        ssize_t n = pread(item->fd, w->chunk, want, (off_t)(item->offset + item->size - left));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : PUT_E_DIFFERS;
        r = write_chunk(fd, w->chunk, (size_t)n);
        if (r == 0)
            r = settle(fd, item->size - left, item->size - left + (uint64_t)n);
        if (r == 0)
            r = tell(w, false, (size_t)n);
        left -= (uint64_t)n;
    }
    if (r == 0 && fsync(fd) < 0)
        r = from_errno(errno);
    if (r == 0)
        r = tell(w, false, 0); /* many small ones take their time as well */
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return r;
}

/* Past the page cache, or it would only say what we meant to write. A filesystem without O_DIRECT has had its pages dropped. */
static int open_past_cache(int directory, const char *name)
{
    int fd = openat(directory, name, O_RDONLY | O_DIRECT | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && errno == EINVAL)
        fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int check_item(struct writer *w, int directory, const struct put_item *item)
{
    _cleanup_close_ int fd = open_past_cache(directory, item->name);
    uint64_t left = item->size;
    struct digest digest;
    struct hash *h = NULL;
    int r = fd < 0 ? fd : hash_new(&h);

    while (r == 0 && left > 0) {
        ssize_t n = read(fd, w->chunk, CHUNK);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            r = -errno;
        else if (n == 0 || (uint64_t)n > left)
            r = PUT_E_DIFFERS;
        else
            r = hash_add(h, w->chunk, (size_t)n);
        if (r == 0)
            r = tell(w, true, (size_t)n);
        left -= n > 0 && (uint64_t)n <= left ? (uint64_t)n : 0;
    }
    if (r == 0)
        r = hash_end(h, &digest);
    if (r == 0 && !digest_equal(&digest, &item->sha256))
        r = PUT_E_DIFFERS;
    if (h)
        (void)hash_free(h);
    return r;
}

static int write_all(struct writer *w, int directory)
{
    const struct put_options *o = w->options;
    int r = 0;

    for (size_t i = 0; i < o->n && r == 0; i++)
        r = write_item(w, directory, &o->items[i]);
    if (r == 0 && (fsync(directory) < 0 || syncfs(directory) < 0))
        r = from_errno(errno);
    w->done = 0;
    for (size_t i = 0; i < o->n && r == 0; i++)
        r = check_item(w, directory, &o->items[i]);
    return r;
}

static int make_directory(int root, const char *name, int *ret)
{
    int fd;

    if (mkdirat(root, name, 0755) < 0)
        return from_errno(errno);
    fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    *ret = fd;
    return 0;
}

static int on_looking(void *context)
{
    return tell(context, false, 0);
}

/* The next free number from *number on. PUT_E_TAKEN: there is none. */
static int next_name(const struct put_options *o, const struct place *place, unsigned *number,
                     char ret[static EXPORT_NAME_MAX + 1])
{
    for (; *number <= PLACE_NAMES && export_name_number(o->final, *number, ret) == 0; (*number)++) {
        int r = place_has(place, ret);

        if (r <= 0)
            return r;
    }
    return PUT_E_TAKEN;
}

/* Before anything is written, so that a medium without a free name has nothing of it. */
static int look(struct writer *w, struct place *place)
{
    char name[EXPORT_NAME_MAX + 1];
    unsigned number = 1;
    int r = place_look(w->options->root, on_looking, w, place);

    if (r == -E2BIG)
        return PUT_E_TAKEN;
    return r != 0 ? r : next_name(w->options, place, &number, name);
}

static struct writer writer_of(const struct put_options *o)
{
    struct writer w = {.options = o};

    for (size_t i = 0; i < o->n; i++)
        w.total += o->items[i].size;
    return w;
}

int put_check(const struct put_options *o, struct place *place)
{
    struct writer w = writer_of(o);
    int r = check_room(o, w.total);

    return r != 0 ? r : look(&w, place);
}

int put_write(const struct put_options *o)
{
    struct writer w = writer_of(o);
    _cleanup_close_ int directory = -1;
    void *chunk = NULL;
    char part[256];
    int r;

    if (posix_memalign(&chunk, ALIGNMENT, CHUNK) != 0)
        return -ENOMEM;
    w.chunk = chunk;
    part_name(o->id, part);
    r = make_directory(o->root, part, &directory);
    if (r == 0)
        r = write_all(&w, directory);
    explicit_bzero(chunk, CHUNK);
    free(chunk);
    if (r != 0)
        put_abort(o);
    return r;
}

void put_abort(const struct put_options *o)
{
    char part[256];

    part_name(o->id, part);
    (void)remove_part(o->root, part); /* the next export tries again (put_clean()) */
    (void)syncfs(o->root);
}

/* RENAME_NOREPLACE: nothing of anybody's is overwritten; a name that was not read may be there all the same, as vfat's short one of another file. */
static int rename_free(int from, const char *name, const struct put_options *o, const struct place *place,
                       char ret[static 256])
{
    char made[EXPORT_NAME_MAX + 1];
    int r;

    for (unsigned i = 1; (r = next_name(o, place, &i, made)) == 0; i++) {
        if (renameat2(from, name, o->root, made, RENAME_NOREPLACE) == 0) {
            memcpy(ret, made, strlen(made) + 1);
            return 0;
        }
        if (errno != EEXIST)
            return from_errno(errno);
    }
    return r;
}

static int put_in_place(const struct put_options *o, const struct place *place, const char *part,
                        char ret_name[static 256])
{
    _cleanup_close_ int directory = -1;
    int r;

    if (o->n != 1)
        return rename_free(o->root, part, o, place, ret_name);
    directory = openat(o->root, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0)
        return -errno;
    r = rename_free(directory, o->items[0].name, o, place, ret_name);
    if (r == 0)
        (void)unlinkat(o->root, part, AT_REMOVEDIR);
    return r;
}

int put_commit(const struct put_options *o, const struct place *place, char ret_name[static 256])
{
    char part[256];
    int r;

    part_name(o->id, part);
    r = put_in_place(o, place, part, ret_name);
    if (r != 0) {
        put_abort(o);
        return r;
    }
    return fsync(o->root) < 0 || syncfs(o->root) < 0 ? from_errno(errno) : 0;
}
