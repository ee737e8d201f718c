/*
 * Stores on this machine: marks and membership.
 *
 * Owns: a directory descriptor of each store, the inode table, the marks in the stores group. Must not: open a file of a store (only
 * directories, which are not asked about), cross into another filesystem, follow a symlink, decide.
 *
 * On a filesystem of its own a store is one FAN_MARK_FILESYSTEM: every name, bind mount, hard link and namespace leads through it.
 *
 * On a shared filesystem every directory (with its children) and every file has an inode mark, so that opens elsewhere cost nothing.
 * A file created in a marked directory is asked about through the directory and gets its own mark before the creator is answered.
 * What remains, and why an own filesystem is recommended (docs/STORES.md):
 *  - a directory that is created or moved in is unguarded until the names group has told us and it was scanned;
 *  - the same for a file that is linked or moved in from outside, by its outside name;
 *  - while a creator waits for its answer, somebody with write access to the directory may link the new (empty) file to the outside,
 *    open it there and remove that link again; a link that is still there when we look refuses the creator.
 * A file that leaves its store keeps its mark and is refused to everyone until the table is rebuilt.
 */
#include "gate/stores.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "gate/inodes.h"
#include "gate/program.h"
#include "kern/fanotify.h"
#include "kern/proc.h"
#include "policy/policy.h"

enum {
    STORE_DEPTH_MAX = 64,
    INODES_DEFAULT = 256 * 1024,
    LIST_ALWAYS = 1000,
    LIST_EVERY = 30,
};

struct store {
    const char *path; /* the policy's */
    _Atomic enum store_state state;
    _Atomic dev_t device; /* 0 while absent */
    int fd; /* of the root directory when shared (it would keep an own filesystem from being unmounted); O_RDONLY because
               open_by_handle_at(2) takes no O_PATH. Under mark_lock */
};

struct stores {
    _Atomic unsigned refs;
    struct policy *policy;
    struct stores_options options;
    struct programs *programs;
    struct inodes *inodes;
    pthread_mutex_t mark_lock; /* scans and tracking; never taken by a worker */
    size_t n;
    struct store *items;
    unsigned verified; /* times stores_verify() was called; main thread */
};

/* What a file handle holds beside the inode's number is its generation: a number that was freed is soon given to another file, which
 * has no mark. 0 where the filesystem makes no handles. */
static uint64_t life_of(int dirfd, const char *name)
{
    union {
        struct file_handle handle;
        uint8_t bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } u = {.handle.handle_bytes = MAX_HANDLE_SZ};
    uint64_t life = 0xcbf29ce484222325U;
    int mount_id;

    if (name_to_handle_at(dirfd, name, &u.handle, &mount_id, name[0] ? 0 : AT_EMPTY_PATH) < 0)
        return 0;
    for (size_t i = 0; i < u.handle.handle_bytes && i < MAX_HANDLE_SZ; i++)
        life = (life ^ u.bytes[sizeof(struct file_handle) + i]) * 0x100000001b3U;
    return life;
}

static int guard_file(struct stores *s, size_t i, int dirfd, const char *name)
{
    uint64_t life = life_of(dirfd, name); /* before the mark: a swap in between leaves a life that matches nothing */
    struct stat st;
    int r = fanotify_guard_inode(s->options.ops, s->options.group, dirfd, name, false);

    if (r == -ENOENT)
        return 0; /* went away meanwhile */
    if (r < 0)
        return r;
    /* Whatever has the name now: a swap raises an event of its own. */
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    r = inodes_add(s->inodes, st.st_dev, st.st_ino, life, (uint32_t)i);
    return r < 0 ? r : 0;
}

static int guard_tree(struct stores *s, size_t i, int dirfd, int depth);

static int guard_entry(struct stores *s, size_t i, int dirfd, const char *name, int depth)
{
    _cleanup_close_ int fd = -1;
    struct stat st;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (st.st_dev != s->items[i].device)
        return 0;
    if (S_ISREG(st.st_mode))
        return guard_file(s, i, dirfd, name);
    if (!S_ISDIR(st.st_mode))
        return 0; /* links, sockets, FIFOs and nodes raise no permission event and hold no data */
    fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    return guard_tree(s, i, fd, depth + 1);
}

/* The directory first, then what is in it, so that what comes meanwhile is seen by one of the two. */
static int guard_tree(struct stores *s, size_t i, int dirfd, int depth)
{
    _cleanup_closedir_ DIR *dir = NULL;
    struct stat st;
    int fd, r;

    if (depth > STORE_DEPTH_MAX)
        return -ELOOP;
    if (fstat(dirfd, &st) < 0)
        return -errno;
    r = fanotify_guard_inode(s->options.ops, s->options.group, dirfd, NULL, true);
    if (r >= 0 && s->options.names >= 0)
        r = fanotify_watch_names(s->options.ops, s->options.names, dirfd, NULL);
    if (r >= 0)
        r = inodes_add(s->inodes, st.st_dev, st.st_ino, life_of(dirfd, ""), (uint32_t)i);
    if (r < 0)
        return r;
    fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        r = -errno;
        (void)close_fd(fd);
        return r;
    }
    for (;;) {
        const struct dirent *e;

        errno = 0;
        e = readdir(dir);
        if (!e)
            return -errno;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        r = guard_entry(s, i, dirfd, e->d_name, depth);
        if (r < 0)
            return r;
    }
}

/* Is the directory the root of its whole filesystem (not of a bind mount of a part, not of a subvolume)? */
static bool is_filesystem_root(int proc_fd, int dirfd)
{
    _cleanup_fclose_ FILE *f = NULL;
    _cleanup_free_ char *line = NULL;
    struct statx stx;
    size_t size = 0;
    int fd;

    if (statx(dirfd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0 || !(stx.stx_mask & STATX_MNT_ID) ||
        !(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
        return false;
    fd = openat(proc_fd, "self/mountinfo", O_RDONLY | O_CLOEXEC);
    f = fd < 0 ? NULL : fdopen(fd, "re");
    if (!f) {
        (void)close_fd(fd);
        return false;
    }
    while (getline(&line, &size, f) > 0) {
        unsigned long long id;
        char root[3];

        /* 36 35 98:0 /mnt1 /mnt2 …: the fourth field is the root of the mount within the filesystem (proc(5)). */
        if (sscanf(line, "%llu %*u %*u:%*u %2s", &id, root) == 2 && id == stx.stx_mnt_id)
            return strcmp(root, "/") == 0;
    }
    return false;
}

static enum store_state mark_store(struct stores *s, size_t i)
{
    struct store *t = &s->items[i];
    _cleanup_close_ int fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st, root;
    int r;

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? STORE_ABSENT : STORE_INCOMPLETE;
    if (fstat(fd, &st) < 0 || stat("/", &root) < 0)
        return STORE_INCOMPLETE;
    t->fd = close_fd(t->fd);
    t->device = st.st_dev;
    if (st.st_dev != root.st_dev && is_filesystem_root(s->options.proc_fd, fd)) {
        r = fanotify_guard_filesystem(s->options.ops, s->options.group, fd, NULL);
        return r < 0 ? STORE_INCOMPLETE : STORE_FILESYSTEM;
    }
    r = guard_tree(s, i, fd, 0);
    t->fd = TAKE_FD(fd);
    return r < 0 ? STORE_INCOMPLETE : STORE_INODES;
}

size_t stores_mark(struct stores *s)
{
    size_t wrong = 0;

    (void)pthread_mutex_lock(&s->mark_lock);
    for (size_t i = 0; i < s->n; i++) {
        s->items[i].state = mark_store(s, i);
        wrong += s->items[i].state == STORE_INCOMPLETE;
    }
    (void)pthread_mutex_unlock(&s->mark_lock);
    return wrong;
}

int stores_new(struct policy *p, const struct stores_options *o, struct stores **ret)
{
    struct stores *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return -ENOMEM;
    s->refs = 1;
    s->options = *o;
    s->policy = policy_ref(p);
    (void)pthread_mutex_init(&s->mark_lock, NULL);
    s->items = calloc(p->n_stores + 1, sizeof(*s->items));
    r = s->items ? programs_new(p, &s->programs) : -ENOMEM;
    if (r >= 0)
        r = inodes_new(o->maximum ? o->maximum : INODES_DEFAULT, &s->inodes);
    if (r < 0) {
        (void)stores_unref(s);
        return r;
    }
    s->n = p->n_stores;
    for (size_t i = 0; i < s->n; i++) {
        s->items[i].path = p->stores[i].path;
        s->items[i].fd = -1;
    }
    (void)stores_mark(s);
    *ret = s;
    return 0;
}

struct stores *stores_ref(struct stores *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

struct stores *stores_unref(struct stores *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
        return NULL;
    for (size_t i = 0; i < s->n; i++)
        (void)close_fd(s->items[i].fd);
    free(s->items);
    (void)programs_free(s->programs);
    (void)inodes_free(s->inodes);
    (void)pthread_mutex_destroy(&s->mark_lock);
    (void)policy_unref(s->policy);
    free(s);
    return NULL;
}

size_t stores_count(const struct stores *s)
{
    return s->n;
}

enum store_state stores_state(const struct stores *s, size_t i)
{
    return s->items[i].state;
}

size_t stores_inodes(const struct stores *s)
{
    return inodes_count(s->inodes);
}

struct programs *stores_programs(const struct stores *s)
{
    return s->programs;
}

bool stores_shares(const struct stores *s, size_t i, dev_t device)
{
    enum store_state state = s->items[i].state;

    return (state == STORE_INODES || state == STORE_INCOMPLETE) && s->items[i].device == device;
}

/* The store whose directory holds the file under the name the kernel prints for it. The name may have been made to lie (another
 * namespace), so directory and file are both looked at again by that name in ours. */
static int find_by_name(struct stores *s, int fd, const struct stat *st, uint32_t *ret)
{
    char path[PATH_MAX];
    struct stat dir, file;
    char *slash;

    if (proc_path_of_fd(s->options.proc_fd, fd, path, sizeof(path)) < 0)
        return 0;
    slash = strrchr(path, '/');
    if (!slash || slash == path || lstat(path, &file) < 0 || file.st_dev != st->st_dev || file.st_ino != st->st_ino)
        return 0;
    *slash = '\0';
    if (lstat(path, &dir) < 0)
        return 0;
    return inodes_find(s->inodes, dir.st_dev, dir.st_ino, ret);
}

enum stores_place stores_find(struct stores *s, int fd, const struct stat *st, size_t *ret_store)
{
    bool shared = false;
    uint32_t store;

    if (inodes_find(s->inodes, st->st_dev, st->st_ino, &store) &&
        inodes_find_life(s->inodes, st->st_dev, st->st_ino, life_of(fd, ""), &store)) {
        *ret_store = store;
        return STORES_IS;
    }
    for (size_t i = 0; i < s->n; i++) {
        if (s->items[i].state == STORE_FILESYSTEM && s->items[i].device == st->st_dev) {
            *ret_store = i;
            return STORES_IS;
        }
        shared |= stores_shares(s, i, st->st_dev);
    }
    if (!shared)
        return STORES_NONE;
    if (find_by_name(s, fd, st, &store)) {
        *ret_store = store;
        return STORES_NEW;
    }
    return STORES_SOME;
}

int stores_adopt(struct stores *s, int fd, const struct stat *st, size_t store)
{
    struct stat now;
    int r = fanotify_guard_inode(s->options.ops, s->options.group, fd, NULL, false);

    if (r < 0)
        return r;
    /* The mark first: a link made after it opens nothing unasked. */
    if (fstat(fd, &now) < 0)
        return -errno;
    if (now.st_nlink > 1)
        return -EMLINK;
    r = inodes_add(s->inodes, st->st_dev, st->st_ino, life_of(fd, ""), (uint32_t)store);
    return r < 0 ? r : 0;
}

/* A directory of a store by its handle. Returns a descriptor and the store, or -errno (-ESTALE: gone, or not ours). */
static int open_told_directory(struct stores *s, const struct fanotify_name *told, size_t *ret_store)
{
    union {
        struct file_handle handle;
        uint8_t bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } copy = {0};

    if (told->handle_size > sizeof(copy))
        return -EBADMSG;
    memcpy(&copy, told->handle, told->handle_size);
    for (size_t i = 0; i < s->n; i++) {
        _cleanup_close_ int fd = -1;
        struct stat st;
        uint32_t store;

        if (s->items[i].fd < 0 || s->items[i].state == STORE_FILESYSTEM)
            continue;
        fd = open_by_handle_at(s->items[i].fd, &copy.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0 || !inodes_find(s->inodes, st.st_dev, st.st_ino, &store))
            continue;
        *ret_store = store;
        return TAKE_FD(fd);
    }
    return -ESTALE;
}

static int track_one(struct stores *s, const struct fanotify_name *told)
{
    _cleanup_close_ int fd = -1;
    size_t store;

    if (!told->handle)
        return -EOVERFLOW;
    fd = open_told_directory(s, told, &store);
    if (fd < 0 || strchr(told->name, '/') || told->name[0] == '\0' || strcmp(told->name, ".") == 0)
        return 0;
    if (guard_entry(s, store, fd, told->name, 0) < 0)
        s->items[store].state = STORE_INCOMPLETE;
    return 0;
}

int stores_track(struct stores *s)
{
    _Alignas(struct fanotify_event_metadata) uint8_t bytes[8192];
    int seen = 0, r = 0;
    ssize_t n;

    (void)pthread_mutex_lock(&s->mark_lock);
    while (r >= 0 && (n = read(s->options.names, bytes, sizeof(bytes))) > 0) {
        struct fanotify_name told;
        size_t offset = 0;
        int more;

        while ((more = fanotify_next_name(bytes, (size_t)n, &offset, &told)) > 0) {
            if (track_one(s, &told) < 0)
                r = -EOVERFLOW;
            seen++;
        }
        if (more < 0)
            r = -EOVERFLOW; /* something was told that we do not understand: look at everything */
    }
    (void)pthread_mutex_unlock(&s->mark_lock);
    return r < 0 ? r : seen;
}

/* Came, went, or something else was mounted at the path? Cheap, unlike the marks. */
static bool are_in_place(const struct stores *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct store *t = &s->items[i];
        struct stat st;

        if ((stat(t->path, &st) == 0) != (t->state != STORE_ABSENT))
            return false;
        if (t->state != STORE_ABSENT && st.st_dev != t->device)
            return false;
    }
    return true;
}

/* The kernel lists the marks of a group only as a whole, about 7 us for each: many are listed seldom. */
static bool is_time_to_list(struct stores *s)
{
    unsigned every = inodes_count(s->inodes) > LIST_ALWAYS ? LIST_EVERY : 1;

    return s->verified++ % every == 0;
}

static int are_marked(const struct stores *s)
{
    struct fanotify_marks marks;
    bool inodes = false;
    int r = fanotify_count_marks(s->options.proc_fd, s->options.group, &marks);

    for (size_t i = 0; r >= 0 && i < s->n; i++) {
        const struct store *t = &s->items[i];

        inodes |= t->state == STORE_INODES;
        if (t->state != STORE_FILESYSTEM)
            continue;
        r = fanotify_has_filesystem_mark(s->options.proc_fd, s->options.group, t->device);
        if (r == 0)
            return 0;
    }
    if (r < 0)
        return r;
    /* Deleted files take their marks along, so there may be fewer than were set, but not none. */
    return !inodes || marks.inodes > 0;
}

int stores_verify(struct stores *s)
{
    int r;

    if (!are_in_place(s))
        return 0;
    if (!is_time_to_list(s))
        return 1;
    r = are_marked(s);
    if (r != 1)
        s->verified = 0; /* the next time as well, until it is well again */
    return r;
}

static void unmark_tree(struct stores *old, struct stores *next, int dirfd, dev_t device, int depth)
{
    _cleanup_closedir_ DIR *dir = NULL;
    const struct dirent *e;
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    dir = fd < 0 || depth > STORE_DEPTH_MAX ? NULL : fdopendir(fd);
    if (!dir) {
        (void)close_fd(fd);
        return;
    }
    while ((e = readdir(dir))) {
        struct stat st;
        uint32_t store;

        if (strcmp(e->d_name, "..") == 0 || fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            st.st_dev != device || !(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)))
            continue;
        if (S_ISDIR(st.st_mode) && strcmp(e->d_name, ".") != 0) {
            _cleanup_close_ int sub = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

            if (sub >= 0)
                unmark_tree(old, next, sub, device, depth + 1);
        } else if (!next || !inodes_find(next->inodes, st.st_dev, st.st_ino, &store)) {
            (void)fanotify_unguard_inode(old->options.ops, old->options.group, dirfd, e->d_name, S_ISDIR(st.st_mode));
        }
    }
}

static bool is_marked_whole(const struct stores *s, dev_t device)
{
    for (size_t i = 0; s && i < s->n; i++)
        if (s->items[i].state == STORE_FILESYSTEM && s->items[i].device == device)
            return true;
    return false;
}

void stores_unmark(struct stores *old, struct stores *next)
{
    (void)pthread_mutex_lock(&old->mark_lock);
    for (size_t i = 0; i < old->n; i++) {
        const struct store *t = &old->items[i];
        struct stat st;

        if (t->fd >= 0)
            unmark_tree(old, next, t->fd, t->device, 0);
        else if (t->state == STORE_FILESYSTEM && !is_marked_whole(next, t->device) && stat(t->path, &st) == 0 &&
                 st.st_dev == t->device)
            (void)fanotify_unguard_filesystem(old->options.ops, old->options.group, AT_FDCWD, t->path);
    }
    (void)pthread_mutex_unlock(&old->mark_lock);
}
