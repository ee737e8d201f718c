/*
 * Facts of the waiting thread, gathered while it waits.
 *
 * Owns: a few held /proc/PID directories. Must not: remember what permits (ids, groups, tracer, namespace, executable), open the
 * executable, serve two threads.
 * A held directory belongs to one process for ever: reading below it after the process ended fails with ESRCH, so that a reused id is
 * never taken for the old process.
 */
#include "gate/asker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"

void askers_init(struct askers *a)
{
    *a = (struct askers){0};
    for (int i = 0; i < ASKERS_KEPT; i++)
        a->kept[i].pid_fd = a->kept[i].status_fd = -1;
}

static void forget(struct asker_kept *k)
{
    (void)close_fd(k->pid_fd);
    (void)close_fd(k->status_fd);
    free(k->program);
    *k = (struct asker_kept){.pid_fd = -1, .status_fd = -1};
}

void askers_done(struct askers *a)
{
    for (int i = 0; i < ASKERS_KEPT; i++)
        forget(&a->kept[i]);
}

static struct asker_kept *find(struct askers *a, pid_t tid)
{
    for (int i = 0; i < ASKERS_KEPT; i++)
        if (a->kept[i].tid == tid)
            return &a->kept[i];
    return NULL;
}

static struct asker_kept *take_slot(struct askers *a, pid_t tid)
{
    struct asker_kept *k = &a->kept[a->next++ % ASKERS_KEPT];

    forget(k);
    k->tid = tid;
    return k;
}

/* What the kernel has in memory of the file. A program that was started from a FUSE or network filesystem could otherwise hold a worker for
 * as long as its server does not answer. */
static int stat_program(int pid_fd, struct stat *ret)
{
    struct statx stx;

    if (statx(pid_fd, "exe", AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &stx) < 0)
        return -errno;
    *ret = (struct stat){
        .st_dev = makedev(stx.stx_dev_major, stx.stx_dev_minor),
        .st_ino = stx.stx_ino,
        .st_mode = stx.stx_mode,
        .st_size = (off_t)stx.stx_size,
        .st_mtim = {.tv_sec = stx.stx_mtime.tv_sec, .tv_nsec = stx.stx_mtime.tv_nsec},
        .st_ctim = {.tv_sec = stx.stx_ctime.tv_sec, .tv_nsec = stx.stx_ctime.tv_nsec},
    };
    return 0;
}

/* Every time: what decides. */
static int read_identity(const struct gate *g, const struct asker_kept *k, bool store, struct facts *f)
{
    int r = proc_read_status_fd(k->status_fd, &f->status);

    if (r < 0)
        return r;
    f->asker.pid = f->status.tgid;
    f->asker.uid = f->status.fsuid;
    f->asker.has_uid = true;
    f->person_known = true;
    r = stat_program(k->pid_fd, &f->asker.exe);
    if (r < 0)
        return r;
    f->steered = f->status.tracer != 0 || (store && proc_same_user_namespace(k->pid_fd, g->userns_inode) != 1);
    f->exe_known = true;
    return 0;
}

/* Now and then: what only the journal and the login condition need. */
static int read_rest(struct asker_kept *k)
{
    char path[PATH_MAX];
    ssize_t n = readlinkat(k->pid_fd, "exe", path, sizeof(path) - 1);
    uint32_t id;
    int r;

    free(k->program);
    k->program = n < 0 ? NULL : strndup(path, (size_t)n);
    r = proc_read_login_uid(k->pid_fd, &id);
    if (r < 0)
        return r;
    k->asker.login_uid = id;
    k->asker.has_login_uid = id != UINT32_MAX;
    r = proc_read_session(k->pid_fd, &k->asker.session);
    return r < 0 ? r : proc_read_start_time(k->pid_fd, &k->asker.start_time);
}

static bool is_fresh(const struct asker_kept *k, const struct stat *exe, uint64_t now_us)
{
    return k->read_us != 0 && now_us - k->read_us < ASKERS_AGE_US && k->asker.exe.st_dev == exe->st_dev &&
           k->asker.exe.st_ino == exe->st_ino;
}

static int gather_below(const struct gate *g, struct asker_kept *k, bool store, uint64_t now_us, struct facts *f)
{
    int r = read_identity(g, k, store, f);

    if (r < 0)
        return r;
    if (!is_fresh(k, &f->asker.exe, now_us)) {
        k->read_us = 0;
        r = read_rest(k);
        if (r < 0)
            return r;
        k->asker.exe = f->asker.exe;
        k->read_us = now_us;
    }
    f->asker.login_uid = k->asker.login_uid;
    f->asker.has_login_uid = k->asker.has_login_uid;
    f->asker.session = k->asker.session;
    f->asker.start_time = k->asker.start_time;
    f->program = k->program;
    f->pid_fd = k->pid_fd;
    return 0;
}

static void reset(struct facts *f)
{
    f->pid_fd = -1;
    f->asker = (struct asker){0};
    f->program = NULL;
    f->person_known = f->exe_known = f->steered = false;
}

int askers_gather(struct askers *a, const struct gate *g, pid_t tid, bool store, uint64_t now_us, struct facts *f)
{
    struct asker_kept *k = tid > 0 ? find(a, tid) : NULL;
    int r;

    reset(f);
    if (k) {
        r = gather_below(g, k, store, now_us, f);
        if (r >= 0)
            return r;
        forget(k); /* most likely another process has the id now */
        reset(f);
    }
    k = take_slot(a, tid);
    k->pid_fd = proc_open(g->options.proc_fd, tid);
    k->status_fd = k->pid_fd < 0 ? k->pid_fd : proc_open_status(k->pid_fd);
    r = k->status_fd < 0 ? k->status_fd : gather_below(g, k, store, now_us, f);
    if (r < 0) {
        forget(k);
        f->program = NULL;
        f->pid_fd = -1;
    }
    return r;
}
