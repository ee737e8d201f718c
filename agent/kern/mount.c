/*
 * mountinfo as a table. Owns: reading and parsing the kernel's list of mounts, walking the mount namespaces of other
 * processes. Must not: decide anything, change a mount (mount_call.c), look at mounted files.
 */
#include "kern/mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

/* The kernel writes space, tab, newline and backslash as \ooo. In place: the result is never longer. */
static void unescape(char *s)
{
    char *out = s;

    while (*s) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
            int c = (s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0');

            if (c != 0) {
                *out++ = (char)c;
                s += 4;
                continue;
            }
        }
        *out++ = *s++;
    }
    *out = '\0';
}

static int parse_int(const char *s, int *ret)
{
    uint64_t v;
    int r = text_to_u64(s, INT32_MAX, &v);

    if (r >= 0)
        *ret = (int)v;
    return r;
}

static int parse_device(char *s, unsigned *ret_major, unsigned *ret_minor)
{
    char *colon = strchr(s, ':');
    uint64_t major, minor;

    if (!colon)
        return -EINVAL;
    *colon = '\0';
    if (text_to_u64(s, UINT32_MAX, &major) < 0 || text_to_u64(colon + 1, UINT32_MAX, &minor) < 0)
        return -EINVAL;
    *ret_major = (unsigned)major;
    *ret_minor = (unsigned)minor;
    return 0;
}

/* 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue */
static int parse_line(char *line, struct mount_entry *ret)
{
    char *fields[MOUNT_LINE_FIELDS_MAX], *rest = line, *field;
    struct mount_entry e = {0};
    size_t n = 0, dash;

    while ((field = strsep(&rest, " "))) {
        if (n == MOUNT_LINE_FIELDS_MAX)
            return -EINVAL;
        fields[n++] = field;
    }
    for (dash = 6; dash < n && strcmp(fields[dash], "-") != 0;)
        dash++;
    /* An empty source is written as an empty field, so exactly three fields follow the dash. */
    if (dash + 4 != n)
        return -EINVAL;
    if (parse_int(fields[0], &e.id) < 0 || parse_int(fields[1], &e.parent) < 0 ||
        parse_device(fields[2], &e.major, &e.minor) < 0 || fields[4][0] != '/')
        return -EINVAL;
    for (size_t i = 3; i < n; i++)
        unescape(fields[i]);
    e.root = fields[3];
    e.point = fields[4];
    e.options = fields[5];
    e.type = fields[dash + 1];
    e.source = fields[dash + 2];
    e.super_options = fields[dash + 3];
    *ret = e;
    return 0;
}

static int table_add(struct mount_table *t, size_t *capacity, const struct mount_entry *e)
{
    if (t->n == *capacity) {
        size_t wanted = *capacity ? *capacity * 2 : 64;
        struct mount_entry *items = reallocarray(t->items, wanted, sizeof(*items));

        if (!items)
            return -ENOMEM;
        t->items = items;
        *capacity = wanted;
    }
    t->items[t->n++] = *e;
    return 0;
}

/* Takes ownership of text (size bytes and a NUL behind them), also on failure. */
static int parse_owned(char *text, size_t size, struct mount_table *ret)
{
    struct mount_table t = {.text = text};
    size_t capacity = 0;
    char *end = text + size, *line = text, *next;
    struct mount_entry e;

    for (; line < end; line = next) {
        char *newline = memchr(line, '\n', (size_t)(end - line));

        next = newline ? newline + 1 : end;
        if (newline)
            *newline = '\0';
        /* A NUL inside a line cuts it; what is left is then short of fields. */
        if (strlen(line) != (size_t)((newline ? newline : end) - line) || parse_line(line, &e) < 0) {
            t.malformed++;
            continue;
        }
        if (table_add(&t, &capacity, &e) < 0) {
            mount_table_done(&t);
            return -ENOMEM;
        }
    }
    *ret = t;
    return 0;
}

int mount_table_parse(const char *text, size_t size, struct mount_table *ret)
{
    char *copy;

    if (size > MOUNT_TABLE_MAX)
        return -EFBIG;
    copy = malloc(size + 1);
    if (!copy)
        return -ENOMEM;
    if (size > 0)
        memcpy(copy, text, size);
    copy[size] = '\0';
    return parse_owned(copy, size, ret);
}

bool mount_process_gone(int error)
{
    return error == -ENOENT || error == -ESRCH || error == -EINVAL;
}

int mount_table_read(int proc, const char *name, struct mount_table *ret)
{
    _cleanup_free_ char *text = NULL;
    _cleanup_close_ int fd = openat(proc, name, O_RDONLY | O_CLOEXEC);
    size_t size = 0, capacity = 0;

    if (fd < 0)
        return -errno;
    for (;;) {
        ssize_t n;

        if (size + 1 >= capacity) {
            char *bigger;

            capacity = capacity ? capacity * 2 : 16384;
            if (capacity > MOUNT_TABLE_MAX)
                return -EFBIG;
            bigger = realloc(text, capacity);
            if (!bigger)
                return -ENOMEM;
            text = bigger;
        }
        n = read(fd, text + size, capacity - size - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        size += (size_t)n;
    }
    text[size] = '\0';
    return parse_owned(TAKE_PTR(text), size, ret);
}

void mount_table_done(struct mount_table *t)
{
    free(t->items);
    free(t->text);
    *t = (struct mount_table){0};
}

bool mount_option(const char *options, const char *key, char *value, size_t size)
{
    size_t length = strlen(key);

    for (const char *s = options; *s;) {
        size_t n = strcspn(s, ",");

        if (n > length && strncmp(s, key, length) == 0 && s[length] == '=' && n - length - 1 < size) {
            memcpy(value, s + length + 1, n - length - 1);
            value[n - length - 1] = '\0';
            return true;
        }
        s += n + (s[n] == ',');
    }
    return false;
}

bool mount_super_writable(const struct mount_entry *e)
{
    /* The kernel writes rw or ro first (show_sb_opts); anything else counts as writable. */
    return strcmp(e->super_options, "ro") != 0 && !text_starts(e->super_options, "ro,");
}

bool mount_runs_programs(const struct mount_entry *e)
{
    const char *option = e->options;

    while (*option) {
        size_t n = strcspn(option, ",");

        if (n == strlen("noexec") && strncmp(option, "noexec", n) == 0)
            return false;
        option += n + (option[n] == ',');
    }
    return true;
}

const struct mount_entry *mount_table_covering(const struct mount_table *t, const char *path)
{
    const struct mount_entry *best = NULL;
    size_t best_length = 0;

    for (size_t i = 0; i < t->n; i++) {
        const struct mount_entry *e = &t->items[i];
        size_t n = strlen(e->point);

        if (strcmp(e->point, "/") == 0)
            n = 0;
        else if (strncmp(path, e->point, n) != 0 || (path[n] != '/' && path[n] != '\0'))
            continue;
        /* Later lines lie on top of earlier ones at the same place. */
        if (!best || n >= best_length) {
            best = e;
            best_length = n;
        }
    }
    return best;
}

int mount_watch_open(int proc)
{
    int fd = openat(proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);
    int r;

    if (fd < 0)
        return -errno;
    r = mount_watch_rearm(fd);
    if (r < 0) {
        close_fd(fd);
        return r;
    }
    return fd;
}

int mount_watch_rearm(int fd)
{
    char buffer[4096];
    ssize_t n;

    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    while ((n = read(fd, buffer, sizeof(buffer))) != 0) {
        if (n < 0 && errno != EINTR)
            return -errno;
    }
    return 0;
}

static int namespace_inode(int proc, const char *pid, ino_t *ret)
{
    char path[64];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/ns/mnt", pid);
    if (fstatat(proc, path, &st, 0) < 0)
        return -errno;
    *ret = st.st_ino;
    return 0;
}

enum {
    SEEN_BEFORE = 0,
    SEEN_NOW,         /* and remembered for this round */
    SEEN_UNREMEMBERED /* there is no room: it may be looked at more than once */
};

static int remember(struct mount_namespaces *s, ino_t inode)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->seen[i] == inode)
            return SEEN_BEFORE;
    }
    if (s->n >= MOUNT_NAMESPACES_MAX)
        return SEEN_UNREMEMBERED;
    if (s->n == s->capacity) {
        size_t wanted = s->capacity ? s->capacity * 2 : 16;
        ino_t *seen = reallocarray(s->seen, wanted, sizeof(*seen));

        if (!seen)
            return -ENOMEM;
        s->seen = seen;
        s->capacity = wanted;
    }
    s->seen[s->n++] = inode;
    return SEEN_NOW;
}

static int compare_pids(const void *a, const void *b)
{
    pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

    return (x > y) - (x < y);
}

static int list_pids(int proc, pid_t after, pid_t **ret, size_t *ret_n)
{
    _cleanup_free_ pid_t *pids = NULL;
    _cleanup_closedir_ DIR *dir = NULL;
    _cleanup_close_ int fd = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    size_t n = 0, capacity = 0;
    const struct dirent *d;

    if (fd < 0)
        return -errno;
    dir = fdopendir(fd);
    if (!dir)
        return -errno;
    (void)TAKE_FD(fd);
    while ((d = readdir(dir))) {
        int pid;

        if (parse_int(d->d_name, &pid) < 0 || pid <= after)
            continue;
        if (n == capacity) {
            pid_t *bigger;

            capacity = capacity ? capacity * 2 : 256;
            bigger = reallocarray(pids, capacity, sizeof(*pids));
            if (!bigger)
                return -ENOMEM;
            pids = bigger;
        }
        pids[n++] = pid;
    }
    if (n > 0)
        qsort(pids, n, sizeof(*pids), compare_pids);
    *ret = TAKE_PTR(pids);
    *ret_n = n;
    return 0;
}

static int visit(struct mount_namespaces *s, int proc, pid_t pid, mount_namespace_fn *fn, void *context)
{
    struct mount_table table;
    char name[64];
    ino_t inode;
    int r, seen;

    (void)snprintf(name, sizeof(name), "%d", (int)pid);
    /* The process may be gone, or a kernel thread without a namespace: not an error. */
    if (namespace_inode(proc, name, &inode) < 0)
        return 0;
    seen = remember(s, inode);
    if (seen <= SEEN_BEFORE)
        return seen;
    (void)snprintf(name, sizeof(name), "%d/mountinfo", (int)pid);
    r = mount_table_read(proc, name, &table);
    if (r == -ENOMEM || mount_process_gone(r)) {
        s->n -= seen == SEEN_NOW; /* another process of the same namespace may still tell */
        return r == -ENOMEM ? r : 0;
    }
    if (r < 0)
        return fn(context, pid, NULL);
    r = fn(context, pid, &table);
    mount_table_done(&table);
    return r;
}

int mount_namespaces_scan(struct mount_namespaces *s, int proc, size_t maximum, mount_namespace_fn *fn, void *context)
{
    _cleanup_free_ pid_t *pids = NULL;
    size_t n = 0;
    ino_t own;
    int r;

    if (s->cursor == 0) {
        s->n = 0;
        r = namespace_inode(proc, "self", &own);
        if (r >= 0)
            r = remember(s, own);
        if (r < 0)
            return r;
    }
    r = list_pids(proc, s->cursor, &pids, &n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n && i < maximum; i++) {
        s->cursor = pids[i];
        r = visit(s, proc, pids[i], fn, context);
        if (r < 0) {
            s->cursor = 0;
            return r;
        }
    }
    if (n <= maximum)
        s->cursor = 0;
    return 0;
}

void mount_namespaces_done(struct mount_namespaces *s)
{
    free(s->seen);
    *s = (struct mount_namespaces){0};
}
