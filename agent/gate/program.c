/*
 * Permitted programs as files, and their hashes.
 *
 * Owns: the resolved identity of each policy path, the hash cache, one lock for each. Must not: trust a name, open a program on the
 * reader's thread, hold a lock while it reads a file.
 * A match compares device, inode, ctime, mtime and size: an inode number that was freed and used again is not the program, and a
 * program that was replaced while it ran has to be started again.
 */
#include "gate/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "kern/proc.h"
#include "policy/policy.h"

enum {
    SYMLINKS_MAX = 40
};

static bool only_root_writes(const struct stat *st)
{
    /* A link's own mode means nothing: the directory that holds it was checked. */
    return st->st_uid == 0 && (S_ISLNK(st->st_mode) || (st->st_mode & (S_IWGRP | S_IWOTH)) == 0);
}

/* Puts the target of a link in front of what is left of the path. */
static int splice_link(int link_fd, char rest[PATH_MAX])
{
    char target[PATH_MAX], joined[PATH_MAX];
    ssize_t n = readlinkat(link_fd, "", target, sizeof(target));
    size_t left = strlen(rest);

    if (n <= 0 || (size_t)n + left + 2 > sizeof(joined))
        return -ENAMETOOLONG;
    memcpy(joined, target, (size_t)n);
    joined[n] = '/';
    memcpy(joined + n + 1, rest, left + 1);
    memcpy(rest, joined, (size_t)n + left + 2);
    return 0;
}

/* Cuts the next component off rest. NULL at the end. */
static const char *take_component(char rest[PATH_MAX], char component[NAME_MAX + 1])
{
    const char *start = rest + strspn(rest, "/");
    size_t n = strcspn(start, "/");

    if (n == 0 || n > NAME_MAX)
        return NULL;
    memcpy(component, start, n);
    component[n] = '\0';
    memmove(rest, start + n, strlen(start + n) + 1);
    return component;
}

enum program_state program_resolve(const char *path, struct stat *ret_st)
{
    _cleanup_close_ int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    char rest[PATH_MAX], component[NAME_MAX + 1];
    int links = 0;
    struct stat st;

    if (at < 0 || path[0] != '/' || strlen(path) >= sizeof(rest) || fstat(at, &st) < 0)
        return PROGRAM_MISSING;
    if (!only_root_writes(&st))
        return PROGRAM_UNTRUSTED;
    strcpy(rest, path);
    while (take_component(rest, component)) {
        _cleanup_close_ int next = openat(at, component, O_PATH | O_NOFOLLOW | O_CLOEXEC);

        if (next < 0 || fstat(next, &st) < 0)
            return PROGRAM_MISSING;
        if (!only_root_writes(&st))
            return PROGRAM_UNTRUSTED;
        if (S_ISLNK(st.st_mode)) {
            if (++links > SYMLINKS_MAX || splice_link(next, rest) < 0)
                return PROGRAM_MISSING;
            if (rest[0] != '/')
                continue;
            next = close_fd(next);
            next = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
            if (next < 0)
                return PROGRAM_MISSING;
        }
        (void)close_fd(at);
        at = TAKE_FD(next);
    }
    if (!S_ISREG(st.st_mode))
        return PROGRAM_MISSING;
    *ret_st = st;
    return PROGRAM_RESOLVED;
}

/* One line of the policy. */
struct program {
    const char *path; /* the policy's */
    enum program_state state;
    struct stat st;
};

struct programs {
    pthread_mutex_t lock;
    size_t n_stores;
    struct {
        struct program *items;
        size_t n;
    } * stores;
};

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Does the path still lead to what was resolved? One system call. */
static bool is_current(const struct program *p)
{
    struct stat st;

    if (stat(p->path, &st) < 0)
        return p->state == PROGRAM_MISSING;
    return p->state == PROGRAM_RESOLVED && same_file(&st, &p->st);
}

static bool refresh_program(struct program *p)
{
    struct program before = *p;

    p->state = program_resolve(p->path, &p->st);
    return p->state != before.state || (p->state == PROGRAM_RESOLVED && !same_file(&p->st, &before.st));
}

static size_t refresh_store(struct programs *ps, size_t store)
{
    size_t changed = 0;

    for (size_t i = 0; i < ps->stores[store].n; i++)
        if (!is_current(&ps->stores[store].items[i]))
            changed += refresh_program(&ps->stores[store].items[i]);
    return changed;
}

int programs_new(const struct policy *p, struct programs **ret)
{
    struct programs *ps = calloc(1, sizeof(*ps));

    if (!ps)
        return -ENOMEM;
    (void)pthread_mutex_init(&ps->lock, NULL);
    ps->stores = calloc(p->n_stores + 1, sizeof(*ps->stores));
    if (!ps->stores)
        goto fail;
    for (size_t i = 0; i < p->n_stores; i++) {
        ps->stores[i].items = calloc(p->stores[i].n_programs + 1, sizeof(struct program));
        if (!ps->stores[i].items)
            goto fail;
        ps->n_stores++;
        ps->stores[i].n = p->stores[i].n_programs;
        for (size_t j = 0; j < ps->stores[i].n; j++) {
            struct program *q = &ps->stores[i].items[j];

            q->path = p->stores[i].programs[j].path;
            q->state = program_resolve(q->path, &q->st);
        }
    }
    *ret = ps;
    return 0;

fail:
    (void)programs_free(ps);
    return -ENOMEM;
}

struct programs *programs_free(struct programs *ps)
{
    if (!ps)
        return NULL;
    for (size_t i = 0; i < ps->n_stores; i++)
        free(ps->stores[i].items);
    free(ps->stores);
    (void)pthread_mutex_destroy(&ps->lock);
    free(ps);
    return NULL;
}

size_t programs_refresh(struct programs *ps)
{
    size_t changed = 0;

    (void)pthread_mutex_lock(&ps->lock);
    /* Whole walks: a directory above a program may have become writable without the program changing. */
    for (size_t i = 0; i < ps->n_stores; i++)
        for (size_t j = 0; j < ps->stores[i].n; j++)
            changed += refresh_program(&ps->stores[i].items[j]);
    (void)pthread_mutex_unlock(&ps->lock);
    return changed;
}

static int find(const struct programs *ps, size_t store, const struct stat *exe)
{
    for (size_t i = 0; i < ps->stores[store].n; i++) {
        const struct program *p = &ps->stores[store].items[i];

        if (p->state == PROGRAM_RESOLVED && same_file(&p->st, exe))
            return (int)i;
    }
    return -1;
}

int programs_match(struct programs *ps, size_t store, const struct stat *exe)
{
    int found = -1;

    if (store >= ps->n_stores)
        return -1;
    (void)pthread_mutex_lock(&ps->lock);
    found = find(ps, store, exe);
    if (found < 0 && refresh_store(ps, store) > 0)
        found = find(ps, store, exe);
    (void)pthread_mutex_unlock(&ps->lock);
    return found;
}

enum program_state programs_state(struct programs *ps, size_t store, size_t program)
{
    enum program_state state = PROGRAM_MISSING;

    (void)pthread_mutex_lock(&ps->lock);
    if (store < ps->n_stores && program < ps->stores[store].n)
        state = ps->stores[store].items[program].state;
    (void)pthread_mutex_unlock(&ps->lock);
    return state;
}

struct hash {
    struct stat st;
    struct digest digest;
    uint64_t used; /* 0: free */
};

struct hashes {
    pthread_mutex_t lock;
    uint64_t clock;
    struct hash items[HASHES_MAXIMUM];
};

int hashes_new(struct hashes **ret)
{
    struct hashes *h = calloc(1, sizeof(*h));

    if (!h)
        return -ENOMEM;
    (void)pthread_mutex_init(&h->lock, NULL);
    *ret = h;
    return 0;
}

struct hashes *hashes_free(struct hashes *h)
{
    if (h)
        (void)pthread_mutex_destroy(&h->lock);
    free(h);
    return NULL;
}

static bool lookup(struct hashes *h, const struct stat *exe, struct digest *ret)
{
    bool found = false;

    (void)pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < HASHES_MAXIMUM && !found; i++) {
        found = h->items[i].used != 0 && same_file(&h->items[i].st, exe);
        if (found) {
            h->items[i].used = ++h->clock;
            *ret = h->items[i].digest;
        }
    }
    (void)pthread_mutex_unlock(&h->lock);
    return found;
}

static void remember(struct hashes *h, const struct stat *exe, const struct digest *digest)
{
    struct hash *oldest = &h->items[0];

    (void)pthread_mutex_lock(&h->lock);
    for (size_t i = 1; i < HASHES_MAXIMUM; i++)
        if (h->items[i].used < oldest->used)
            oldest = &h->items[i];
    *oldest = (struct hash){.st = *exe, .digest = *digest, .used = ++h->clock};
    (void)pthread_mutex_unlock(&h->lock);
}

int hashes_get(struct hashes *h, int pid_fd, const struct stat *exe, struct digest *ret)
{
    _cleanup_close_ int fd = -1;
    struct digest digest;
    struct stat st;
    int r;

    if (lookup(h, exe, ret))
        return 0;
    fd = proc_open_exe_for_reading(pid_fd);
    if (fd < 0)
        return fd;
    r = digest_fd(fd, PROGRAM_SIZE_MAX, &digest);
    if (r < 0)
        return r;
    /* The content that was read must be the one that exe describes. */
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!same_file(&st, exe))
        return -ESTALE;
    remember(h, exe, &digest);
    *ret = digest;
    return 0;
}
