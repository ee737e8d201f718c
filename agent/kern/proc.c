/*
 * Facts of a process from /proc, through one held directory.
 *
 * Owns: bounded parsers of status, stat and the two id files (fuzzed: tests/fuzz/proc_fuzz.c). Must not: look up names, cache,
 * open anything by a path that the process chose. Missing or odd lines are errors: the caller then refuses.
 */
#include "kern/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"

struct cursor {
    const char *p, *end;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void skip_blanks(struct cursor *c)
{
    while (c->p < c->end && is_blank(*c->p))
        c->p++;
}

/* Decimal digits up to 32 bits, after blanks. */
static int take_u32(struct cursor *c, uint32_t *ret)
{
    uint64_t v = 0;
    const char *start;

    skip_blanks(c);
    for (start = c->p; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++) {
        v = v * 10 + (uint64_t)(*c->p - '0');
        if (v > UINT32_MAX)
            return -EBADMSG;
    }
    if (c->p == start || (c->p < c->end && !is_blank(*c->p) && *c->p != '\n'))
        return -EBADMSG;
    *ret = (uint32_t)v;
    return 0;
}

/* The fourth of real, effective, saved, filesystem. */
static int take_fs_id(struct cursor *c, uint32_t *ret)
{
    uint32_t id = 0;

    for (int i = 0; i < 4; i++) {
        int r = take_u32(c, &id);

        if (r < 0)
            return r;
    }
    *ret = id;
    return 0;
}

static int take_pid(struct cursor *c, pid_t *ret)
{
    uint32_t v;
    int r = take_u32(c, &v);

    if (r < 0)
        return r;
    if (v > INT32_MAX)
        return -EBADMSG;
    *ret = (pid_t)v;
    return 0;
}

static int take_groups(struct cursor *c, struct proc_status *s)
{
    s->n_gids = 1; /* gids[0] is fsgid, filled at the end */
    for (;;) {
        uint32_t gid;
        int r;

        skip_blanks(c);
        if (c->p == c->end)
            return 0;
        r = take_u32(c, &gid);
        if (r < 0)
            return r;
        if (s->n_gids > PROC_GROUPS_MAX)
            return -E2BIG;
        s->gids[s->n_gids++] = gid;
    }
}

enum {
    SEEN_TGID = 1,
    SEEN_TRACER = 2,
    SEEN_UID = 4,
    SEEN_GID = 8,
    SEEN_GROUPS = 16,
    SEEN_ALL = 31
};

static int take_line(struct cursor *line, struct proc_status *s, unsigned *seen)
{
    static const struct {
        const char *key;
        unsigned bit;
    } keys[] = {
        {"Tgid:", SEEN_TGID}, {"TracerPid:", SEEN_TRACER}, {"Uid:", SEEN_UID},
        {"Gid:", SEEN_GID},   {"Groups:", SEEN_GROUPS},
    };

    for (size_t i = 0; i < ELEMENTS(keys); i++) {
        size_t n = strlen(keys[i].key);

        if ((size_t)(line->end - line->p) < n || memcmp(line->p, keys[i].key, n) != 0)
            continue;
        if (*seen & keys[i].bit)
            return -EBADMSG;
        *seen |= keys[i].bit;
        line->p += n;
        switch (keys[i].bit) {
        case SEEN_TGID:
            return take_pid(line, &s->tgid);
        case SEEN_TRACER:
            return take_pid(line, &s->tracer);
        case SEEN_UID:
            return take_fs_id(line, &s->fsuid);
        case SEEN_GID:
            return take_fs_id(line, &s->fsgid);
        default:
            return take_groups(line, s);
        }
    }
    return 0;
}

int proc_parse_status(const char *bytes, size_t size, struct proc_status *ret)
{
    struct cursor c = {bytes, bytes + size};
    unsigned seen = 0;

    ret->n_gids = 0;
    while (c.p < c.end && seen != SEEN_ALL) {
        const char *newline = memchr(c.p, '\n', (size_t)(c.end - c.p));
        struct cursor line = {c.p, newline};
        int r;

        if (!newline)
            return -EBADMSG; /* a cut line may hold half a number */
        r = take_line(&line, ret, &seen);
        if (r < 0)
            return r;
        c.p = newline + 1;
    }
    if (seen != SEEN_ALL || ret->tgid == 0)
        return -EBADMSG;
    ret->gids[0] = ret->fsgid;
    return 0;
}

/* A field of stat behind the program's name, which may hold anything. */
static int parse_stat_field(const char *bytes, size_t size, int wanted, uint64_t *ret)
{
    const char *paren = memrchr(bytes, ')', size), *end = bytes + size, *p;
    uint64_t v = 0;
    int field = 2;

    if (!paren)
        return -EBADMSG;
    for (p = paren + 1; p < end && field < wanted; p++) {
        if (*p != ' ')
            continue;
        field++;
        if (field == wanted)
            break;
    }
    if (field != wanted)
        return -EBADMSG;
    p++;
    if (p >= end || *p < '0' || *p > '9')
        return -EBADMSG;
    for (; p < end && *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(v, 10U, &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
            return -EBADMSG;
    if (p == end || *p != ' ')
        return -EBADMSG;
    *ret = v;
    return 0;
}

int proc_parse_start_time(const char *bytes, size_t size, uint64_t *ret)
{
    return parse_stat_field(bytes, size, 22, ret);
}

/* Written as new_encode_dev() of the kernel: 12 bits of major between 8 and 12 bits of minor. */
int proc_parse_tty(const char *bytes, size_t size, dev_t *ret)
{
    uint64_t v;
    int r = parse_stat_field(bytes, size, 7, &v);

    if (r < 0 || v > UINT32_MAX)
        return -EBADMSG;
    *ret = makedev((unsigned)(v >> 8) & 0xfff, (unsigned)(v & 0xff) | ((unsigned)(v >> 12) & 0xfff00));
    return 0;
}

int proc_parse_id(const char *bytes, size_t size, uint32_t *ret)
{
    struct cursor c = {bytes, bytes + size};
    uint32_t v;
    int r = take_u32(&c, &v);

    if (r < 0)
        return r;
    if (c.p < c.end && *c.p == '\n')
        c.p++;
    if (c.p != c.end)
        return -EBADMSG;
    *ret = v;
    return 0;
}

/* Into the caller's memory: the gate reads several of these for each open. One read: these files give all they have to a buffer that
 * holds it. -EFBIG when it does not fit. */
static int read_whole(int fd, char *into, size_t maximum, size_t *ret_size)
{
    ssize_t n;

    do
        n = pread(fd, into, maximum, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if ((size_t)n == maximum)
        return -EFBIG;
    *ret_size = (size_t)n;
    return 0;
}

static int read_small(int dirfd, const char *name, char *into, size_t maximum, size_t *ret_size)
{
    _cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    return fd < 0 ? -errno : read_whole(fd, into, maximum, ret_size);
}

int proc_open(int proc_fd, pid_t pid)
{
    char name[16];
    int fd;

    if (pid <= 0)
        return -ESRCH;
    (void)snprintf(name, sizeof(name), "%d", (int)pid);
    fd = openat(proc_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

int proc_open_status(int pid_fd)
{
    int fd = openat(pid_fd, "status", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    return fd < 0 ? -errno : fd;
}

int proc_read_status_fd(int status_fd, struct proc_status *ret)
{
    char bytes[PROC_STATUS_MAX];
    size_t size;
    int r = read_whole(status_fd, bytes, sizeof(bytes), &size);

    return r < 0 ? r : proc_parse_status(bytes, size, ret);
}

int proc_read_status(int pid_fd, struct proc_status *ret)
{
    _cleanup_close_ int fd = proc_open_status(pid_fd);

    return fd < 0 ? fd : proc_read_status_fd(fd, ret);
}

int proc_read_start_time(int pid_fd, uint64_t *ret)
{
    char bytes[PROC_STAT_MAX];
    size_t size;
    int r = read_small(pid_fd, "stat", bytes, sizeof(bytes), &size);

    return r < 0 ? r : proc_parse_start_time(bytes, size, ret);
}

int proc_read_tty(int pid_fd, dev_t *ret)
{
    char bytes[PROC_STAT_MAX];
    size_t size;
    int r = read_small(pid_fd, "stat", bytes, sizeof(bytes), &size);

    return r < 0 ? r : proc_parse_tty(bytes, size, ret);
}

static int read_id(int pid_fd, const char *name, uint32_t *ret)
{
    char bytes[32];
    size_t size;
    int r = read_small(pid_fd, name, bytes, sizeof(bytes), &size);

    if (r == -ENOENT) { /* a kernel without audit */
        *ret = UINT32_MAX;
        return 0;
    }
    return r < 0 ? r : proc_parse_id(bytes, size, ret);
}

int proc_read_login_uid(int pid_fd, uint32_t *ret)
{
    return read_id(pid_fd, "loginuid", ret);
}

int proc_read_session(int pid_fd, uint32_t *ret)
{
    return read_id(pid_fd, "sessionid", ret);
}

int proc_open_exe(int pid_fd)
{
    int fd = openat(pid_fd, "exe", O_PATH | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int proc_open_exe_for_reading(int pid_fd)
{
    int fd = openat(pid_fd, "exe", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

int proc_path_of_fd(int proc_fd, int fd, char *ret, size_t size)
{
    char name[32];
    ssize_t n;

    (void)snprintf(name, sizeof(name), "self/fd/%d", fd);
    n = readlinkat(proc_fd, name, ret, size);
    if (n < 0)
        return -errno;
    if ((size_t)n >= size) {
        ret[size - 1] = '\0';
        return -ENAMETOOLONG;
    }
    ret[n] = '\0';
    return 0;
}

int proc_same_user_namespace(int pid_fd, ino_t reference)
{
    char ours[32], theirs[32];
    ssize_t n = readlinkat(pid_fd, "ns/user", theirs, sizeof(theirs) - 1);

    if (n < 0)
        return -errno;
    theirs[n] = '\0';
    (void)snprintf(ours, sizeof(ours), "user:[%lu]", (unsigned long)reference);
    return strcmp(ours, theirs) == 0;
}
