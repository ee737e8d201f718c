/*
 * Owns: how a directory comes to be whole or not at all.
 * Must not: touch what is in its place already, or follow a link below the parent.
 */
#include "hub/centre/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

enum {
    DEPTH_MAX = 4, /* of what we make */
};

/* --- clearing --- */

static int clear(int directory, int depth);

static int remove_entry(int directory, const char *name, int depth)
{
    _cleanup_close_ int fd = -1;
    int r;

    if (unlinkat(directory, name, 0) == 0)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    r = depth < DEPTH_MAX ? clear(fd, depth + 1) : -ELOOP;
    return r < 0 ? r : unlinkat(directory, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* Everything in a directory. */
static int clear(int directory, int depth)
{
    int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    _cleanup_closedir_ DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *entry;

    if (!d) {
        (void)close_fd(copy);
        return -errno;
    }
    while (r >= 0 && (errno = 0, entry = readdir(d)))
        if (!text_equal(entry->d_name, ".") && !text_equal(entry->d_name, ".."))
            r = remove_entry(directory, entry->d_name, depth);
    return r < 0 ? r : -errno;
}

/* --- places --- */

/* The parent, its absolute path, and the name in it. */
static int open_parent(const char *place, struct staging *s)
{
    _cleanup_free_ char *copy = strdup(place), *parent = NULL;
    char *slash, *end;

    if (!copy)
        return -ENOMEM;
    for (end = copy + strlen(copy); end > copy + 1 && end[-1] == '/'; end--)
        end[-1] = '\0';
    slash = strrchr(copy, '/');
    s->name = strdup(slash ? slash + 1 : copy);
    if (!s->name)
        return -ENOMEM;
    if (!*s->name || text_equal(s->name, ".") || text_equal(s->name, ".."))
        return -EINVAL;
    if (slash)
        slash[slash == copy] = '\0';
    parent = realpath(slash ? copy : ".", NULL);
    if (!parent)
        return -errno;
    s->parent = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (s->parent < 0)
        return -errno;
    if (asprintf(&s->path, "%s/%s", text_equal(parent, "/") ? "" : parent, s->name) < 0) {
        s->path = NULL;
        return -ENOMEM;
    }
    if (asprintf(&s->temporary, ".%s.unfinished", s->name) < 0) {
        s->temporary = NULL;
        return -ENOMEM;
    }
    return 0;
}

/* Nothing, or an empty directory. The rename at the end says it again. */
static int look_at_place(const struct staging *s)
{
    _cleanup_close_ int fd = openat(s->parent, s->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    _cleanup_closedir_ DIR *d = NULL;
    struct dirent *entry;

    if (fd < 0)
        return errno == ENOENT ? STAGING_OK : errno == ENOTDIR || errno == ELOOP ? STAGING_E_TAKEN : -errno;
    d = fdopendir(fd);
    if (!d)
        return -errno;
    fd = -1;
    while ((errno = 0, entry = readdir(d)))
        if (!text_equal(entry->d_name, ".") && !text_equal(entry->d_name, ".."))
            return STAGING_E_TAKEN;
    return -errno;
}

/* Is the directory that we hold still the one of that name? */
static bool is_in_place(const struct staging *s)
{
    struct stat held, named;

    return fstat(s->directory, &held) == 0 && fstatat(s->parent, s->temporary, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

/* Ours alone, locked and empty. */
static int take_temporary(struct staging *s)
{
    struct stat st;

    if (mkdirat(s->parent, s->temporary, 0700) < 0 && errno != EEXIST)
        return -errno;
    s->directory = openat(s->parent, s->temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (s->directory < 0 || fstat(s->directory, &st) < 0)
        return -errno;
    if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return -EPERM;
    if (flock(s->directory, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? STAGING_E_BUSY : -errno;
    /* Its owner may have finished between our opening and our lock: then it is the finished one that we hold. */
    return is_in_place(s) ? clear(s->directory, 0) : STAGING_E_BUSY;
}

int staging_begin(const char *place, struct staging *ret)
{
    struct staging s = {.parent = -1, .directory = -1};
    int r = open_parent(place, &s);

    if (r == 0)
        r = look_at_place(&s);
    if (r == 0)
        r = take_temporary(&s);
    if (r == 0) {
        *ret = s;
        return STAGING_OK;
    }
    /* What another fills is not ours to clear. */
    s.directory = close_fd(s.directory);
    staging_end(&s);
    return r;
}

int staging_commit(struct staging *s)
{
    if (fsync(s->directory) < 0)
        return -errno;
    /* rename(2): over an empty directory, never over one that holds something. */
    if (renameat(s->parent, s->temporary, s->parent, s->name) < 0)
        return errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR ? STAGING_E_TAKEN : -errno;
    s->directory = close_fd(s->directory);
    return fsync(s->parent) < 0 ? -errno : STAGING_OK;
}

void staging_end(struct staging *s)
{
    if (s->directory >= 0) {
        (void)clear(s->directory, 0);
        (void)unlinkat(s->parent, s->temporary, AT_REMOVEDIR);
    }
    s->directory = close_fd(s->directory);
    s->parent = close_fd(s->parent);
    free(s->name);
    free(s->temporary);
    free(s->path);
    *s = (struct staging){.parent = -1, .directory = -1};
}
