/*
 * From the client's files to what is written: staged by a child with the caller's rights, packed by one with none. Owns: the unnamed files of
 * both, and the children. Must not: read what they read.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "export/child.h"
#include "export/link.h"
#include "export/pack.h"
#include "export/sandbox.h"
#include "export/stage.h"
#include "export/worker_internal.h"

enum {
    CLIENT_MS = 30 * 1000,
    STALL_MS = 35 * 1000, /* more than the client has to name its files */
    START_MS = 60 * 1000, /* more than it has to read what it is told */
    BEAT_MS = 64,         /* for STAGE_BEAT bytes: a MiB in a second */
    CHILD_FAILED = 100,   /* exit status of a child for -errno; an outcome of its own is its number */
};

#define CONTAINER_BYTES ((uint64_t)4 << 20) /* what a container has of its own, beside an eighth of what is in it */

/* Nobody else has a name for it, and after its last descriptor it is gone, however this process ends. */
static int open_unnamed(void)
{
    int fd = openat(EXPORT_FD_STATE, ".", O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);

    return fd < 0 ? -errno : fd;
}

/* --- children --- */

static bool is_left(const void *worker)
{
    return worker_is_left(worker);
}

/* Until it ends, or somebody leaves. With a pulse, it has to show that it is at work. */
static int wait_child(const struct worker *w, pid_t pid, const uint64_t *pulse)
{
    static const int sockets[] = {EXPORT_FD_CONTROL, EXPORT_FD_CLIENT};
    const struct child child = {pid, sockets, ELEMENTS(sockets), is_left, w, pulse, STALL_MS, START_MS, BEAT_MS};

    return child_wait(&child);
}

/* What no child needs. */
static void close_own(void)
{
    close_fd(EXPORT_FD_STATE);
    close_fd(EXPORT_FD_NODE);
    close_fd(EXPORT_FD_DISK);
    close_fd(EXPORT_FD_LIFE);
}

static _Noreturn void child_exit(int r)
{
    _exit(r >= 0 && r < CHILD_FAILED ? r : CHILD_FAILED);
}

static _Noreturn void stager_main(struct worker *w, int list)
{
    const struct stage_options options = {.client = EXPORT_FD_CLIENT,
                                          .control = EXPORT_FD_CONTROL,
                                          .staged = w->staged,
                                          .size_max = w->size_max,
                                          .client_ms = CLIENT_MS,
                                          .pulse = w->pulse};
    struct export_members members = {0};
    int r = identity_take(&w->id);

    close_own();
    if (r >= 0)
        r = sandbox_enter(SANDBOX_OPENS, w->size_max + ((uint64_t)1 << 20));
    if (r >= 0)
        r = stage_run(&options, &members);
    if (r == 0)
        r = export_members_save(&members, list);
    child_exit(r);
}

int worker_stage(struct worker *w)
{
    static const struct worker_outcome outcomes[] = {
        {STAGE_E_REFUSED, "refused", "a file may not be taken out"},
        {STAGE_E_CHANGED, "changed", "a file changed while it was read"},
        {STAGE_E_CLIENT, "cancelled", "whoever asked for it went away, or sent what is not in the protocol"},
        {STAGE_E_FULL, "no-room", "no room on this machine to prepare it"},
    };
    _cleanup_close_ int list = memfd_create("members", MFD_CLOEXEC);
    struct stat st;
    pid_t child;
    int r;

    w->pulse = child_pulse_new();
    if (!w->pulse)
        return worker_fail_errno(w, "staging", -ENOMEM);
    w->staged = open_unnamed();
    if (list < 0 || w->staged < 0)
        return worker_fail_errno(w, "staging", w->staged < 0 ? w->staged : -errno);
    child = fork();
    if (child < 0)
        return worker_fail_errno(w, "staging", -errno);
    if (child == 0)
        stager_main(w, list);
    r = wait_child(w, child, w->pulse);
    if (r == -ETIMEDOUT) {
        (void)ftruncate(w->staged, 0); /* it may keep it for as long as it hangs */
        return worker_fail(w, "stalled", "a file does not answer, or too slowly");
    }
    if (r == STAGE_E_STOPPED)
        return worker_fail_stopped(w);
    if (r == -ECHILD && worker_is_left(w))
        return worker_fail_left(w);
    if (r != 0)
        return worker_fail_outcome(w, outcomes, ELEMENTS(outcomes), r, "staging");
    if (fstat(w->staged, &st) < 0)
        return worker_fail_errno(w, "staging", -errno);
    r = export_members_load(list, (uint64_t)st.st_size, &w->members);
    return r < 0 ? worker_fail_errno(w, "staging", r) : 0;
}

static int on_packed(void *context, uint64_t done, uint64_t total)
{
    return worker_tell_progress(context, EXPORT_PHASE_PACK, done, total) ? PACK_E_STOPPED : 0;
}

/* One file with a password; also its name's ending. */
struct container {
    uint8_t number; /* enum export_container */
    const char *ending;
    int (*pack)(const struct pack_options *o);
};

/* .img: what file managers take for a disk image, and ask for its password. */
static const struct container containers[] = {{EXPORT_ZIP_AES256, ".zip", pack_zip},
                                              {EXPORT_LUKS, ".luks.img", pack_luks}};

static int enter_cage(void *context)
{
    const struct worker *w = context;

    return sandbox_enter(SANDBOX_NOTHING, w->size_max + w->size_max / 8 + CONTAINER_BYTES);
}

static _Noreturn void packer_main(struct worker *w, const struct container *container)
{
    const struct pack_options options = {.staged = w->staged,
                                         .members = &w->members,
                                         .password = w->password,
                                         .out = w->packed,
                                         .wall_us = clock_wall_us(),
                                         .enter = enter_cage,
                                         .progress = on_packed,
                                         .context = w};
    int r = identity_drop_capabilities();

    close_own();
    close_fd(EXPORT_FD_CONTROL); /* it has nothing to tell kuraband; the conductor sees when that goes, and ends it */
    w->control_is_closed = true;
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* libarchive takes no name otherwise that is not ASCII */
    tzset();                              /* and writes local time; nothing can be opened later */
    if (r >= 0)
        r = container->pack(&options);
    explicit_bzero(w->password, sizeof(w->password));
    child_exit(r);
}

/* The password is made before the packer begins, and told by the conductor when the container has its name: so nobody can open what was left under none.
 * kuraband never has it. */
static int pack(struct worker *w, const struct container *container)
{
    static const struct worker_outcome outcomes[] = {
        {PACK_E_DIFFERS, "differs", "what was staged is not what it was"},
        {PACK_E_FULL, "no-room", "no room on this machine to prepare it"},
        {PACK_E_STOPPED, "cancelled", "whoever asked for it went away"},
    };
    pid_t child;
    int r;

    w->packed = open_unnamed();
    if (w->packed < 0)
        return worker_fail_errno(w, "packing", w->packed);
    r = pack_password(w->password);
    if (r < 0)
        return worker_fail_errno(w, "packing", r);
    child = fork();
    if (child < 0)
        return worker_fail_errno(w, "packing", -errno);
    if (child == 0)
        packer_main(w, container);
    r = wait_child(w, child, NULL);
    if ((r == -ECHILD || r == PACK_E_STOPPED) && worker_is_left(w))
        return worker_fail_left(w);
    return r != 0 ? worker_fail_outcome(w, outcomes, ELEMENTS(outcomes), r, "packing") : 0;
}

/* --- what goes to the medium --- */

static int list_packed(struct worker *w, const char *ending)
{
    struct put_item *item = calloc(1, sizeof(*item));
    struct stat st;
    int r;

    if (!item)
        return -ENOMEM;
    w->items = item;
    w->n_items = 1;
    if (fstat(w->packed, &st) < 0 || lseek(w->packed, 0, SEEK_SET) < 0)
        return -errno;
    r = digest_fd(w->packed, (uint64_t)st.st_size, &item->sha256);
    if (r < 0)
        return r;
    (void)snprintf(w->final, sizeof(w->final), "%s%s", w->name, ending);
    item->fd = w->packed;
    item->size = (uint64_t)st.st_size;
    item->name = w->final;
    return 0;
}

static int list_plain(struct worker *w)
{
    w->items = calloc(w->members.n, sizeof(*w->items));
    if (!w->items)
        return -ENOMEM;
    w->n_items = w->members.n;
    for (size_t i = 0; i < w->n_items; i++) {
        const struct export_member *m = &w->members.items[i];

        w->items[i] = (struct put_item){w->staged, m->offset, m->size, m->name, m->sha256};
    }
    (void)snprintf(w->final, sizeof(w->final), "%s", w->n_items == 1 ? w->members.items[0].name : w->name);
    return 0;
}

uint64_t worker_items_size(const struct worker *w)
{
    uint64_t size = 0;

    for (size_t i = 0; i < w->n_items; i++)
        size += w->items[i].size;
    return size;
}

static int prepare_packed(struct worker *w, const struct container *container)
{
    int r = pack(w, container);

    if (r != 0)
        return r;
    r = list_packed(w, container->ending);
    return r < 0 ? worker_fail_errno(w, "packing", r) : 0;
}

int worker_prepare(struct worker *w)
{
    uint8_t number = UINT8_MAX;
    int r;

    if (link_send(EXPORT_FD_CONTROL, EXPORT_STAGED_END, "8", export_members_size(&w->members)) < 0)
        return worker_fail_left(w);
    r = worker_await(w, EXPORT_PACK, &number);
    if (r != 0)
        return r;
    for (size_t i = 0; i < ELEMENTS(containers); i++)
        if (containers[i].number == number)
            return prepare_packed(w, &containers[i]);
    if (number != EXPORT_PLAIN)
        return worker_fail(w, "container", "this container is not known here");
    r = list_plain(w);
    return r < 0 ? worker_fail_errno(w, "packing", r) : 0;
}
