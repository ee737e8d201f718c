/*
 * kuraban-export: the conductor of one export. Owns: the order of things, the unnamed files of what is staged and packed, the children
 * that handle other people's bytes. Must not: parse what the client sends (the stager does, without rights), decide (kuraband does),
 * go on when kuraband is gone.
 *
 * The children share the two sockets with it, one at a time: while one runs, this process only watches that both sides are still there.
 */
#include "export/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "export/identity.h"
#include "export/link.h"
#include "export/medium.h"
#include "export/pack.h"
#include "export/protocol.h"
#include "export/put.h"
#include "export/sandbox.h"
#include "export/stage.h"

enum {
    MOUNT_PATIENCE_US = 10 * 1000 * 1000, /* for whoever is just letting go of the medium */
    PROGRESS_US = 200 * 1000,
    CHILD_FAILED = 100, /* exit status of a child for -errno; an outcome of its own is its number */
};

#define RESERVE_BYTES ((uint64_t)64 << 20) /* of the state directory's filesystem, which holds the journal as well */

struct worker {
    struct export_identity id;
    char *filesystem, *name, *export_id;
    struct medium_nodes medium;
    uint64_t size_max;
    int staged, packed;
    struct export_members members;
    struct put_item *items;
    size_t n_items;
    char final[EXPORT_NAME_MAX + 1];
    bool committed;     /* it may be whole on the medium: going away does not end it any more */
    uint64_t told_us;   /* when progress was told last */
    const char *reason; /* of the end */
    char detail[EXPORT_TEXT_MAX];
    char *stop_reason;
};

/* --- ends --- */

static int fail(struct worker *w, const char *reason, const char *detail)
{
    if (!w->reason) {
        w->reason = reason;
        (void)snprintf(w->detail, sizeof(w->detail), "%s", detail);
    }
    return 1;
}

static int fail_errno(struct worker *w, const char *what, int r)
{
    char text[EXPORT_TEXT_MAX];

    (void)snprintf(text, sizeof(text), "%s: %s", what, strerrordesc_np(r < 0 ? -r : r));
    return fail(w, "failed", text);
}

struct outcome {
    int number;
    const char *reason, *detail;
};

static int fail_outcome(struct worker *w, const struct outcome *table, size_t n, int r, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (table[i].number == r)
            return fail(w, table[i].reason, table[i].detail);
    return fail_errno(w, what, r < 0 ? r : -EIO);
}

/* --- the two sides --- */

static bool somebody_left(const struct worker *w)
{
    return link_is_gone(EXPORT_FD_CONTROL) || (!w->committed && link_is_gone(EXPORT_FD_CLIENT));
}

static int fail_left(struct worker *w)
{
    return link_is_gone(EXPORT_FD_CONTROL) ? fail(w, "stopped", "kuraband is gone")
                                           : fail(w, "cancelled", "whoever asked for it went away");
}

/* Until kuraband says something or somebody leaves. */
static void wait_for_word(const struct worker *w)
{
    struct pollfd p[] = {{.fd = EXPORT_FD_CONTROL, .events = POLLIN | POLLRDHUP},
                         {.fd = w->committed ? -1 : EXPORT_FD_CLIENT, .events = POLLRDHUP}};

    while (poll(p, ELEMENTS(p), -1) < 0 && errno == EINTR)
        ;
}

/* The next word of kuraband, which is this one or EXPORT_STOP. */
static int await(struct worker *w, uint16_t type, uint8_t *ret_byte)
{
    _cleanup_free_ char *reason = NULL, *detail = NULL;
    struct buf_reader in;
    struct frame f;
    int r;

    wait_for_word(w);
    if (!w->committed && link_is_gone(EXPORT_FD_CLIENT))
        return fail_left(w);
    frame_init(&f);
    r = frame_receive(&f, EXPORT_FD_CONTROL, LINK_SEND_MS);
    in = (struct buf_reader){.data = f.body.data, .size = f.body.size};
    if (r >= 0 && f.type == EXPORT_STOP) {
        r = buf_get_string(&in, EXPORT_TEXT_MAX, &reason);
        if (r >= 0)
            r = buf_get_string(&in, EXPORT_TEXT_MAX, &detail);
        if (r >= 0) {
            w->stop_reason = TAKE_PTR(reason);
            r = fail(w, w->stop_reason, detail);
        }
    } else if (r >= 0) {
        r = f.type == type && f.fd < 0 ? 0 : -EBADMSG;
        if (r >= 0 && ret_byte)
            r = buf_get_u8(&in, ret_byte);
        if (r >= 0)
            r = buf_get_end(&in);
    }
    frame_done(&f);
    return r < 0 ? fail(w, "stopped", "kuraband is gone") : r;
}

/* A client that does not read is as good as gone. */
static int tell_progress(struct worker *w, enum export_phase phase, uint64_t done, uint64_t total)
{
    uint64_t now = clock_boottime_us();

    if (somebody_left(w))
        return 1;
    if (now - w->told_us < PROGRESS_US && done < total)
        return 0;
    w->told_us = now;
    return link_send(EXPORT_FD_CLIENT, EXPORT_PROGRESS, "188", (unsigned)phase, done, total) < 0;
}

/* --- beginning --- */

static int get_identity(struct buf_reader *in, struct export_identity *id)
{
    uint32_t n = 0;
    int r = buf_get_u32(in, &id->uid);

    if (r >= 0)
        r = buf_get_u32(in, &id->gid);
    if (r >= 0)
        r = buf_get_u32(in, &n);
    if (r >= 0 && n > EXPORT_GROUPS_MAX)
        r = -EBADMSG;
    if (r < 0)
        return r;
    id->gids = calloc(n > 0 ? n : 1, sizeof(*id->gids));
    if (!id->gids)
        return -ENOMEM;
    for (; id->n_gids < n && r >= 0; id->n_gids++)
        r = buf_get_u32(in, &id->gids[id->n_gids]);
    return r;
}

static int begin(struct worker *w)
{
    struct buf_reader in;
    struct statvfs fs;
    struct frame f;
    int r;

    frame_init(&f);
    r = frame_receive(&f, EXPORT_FD_CONTROL, LINK_SEND_MS);
    in = (struct buf_reader){.data = f.body.data, .size = f.body.size};
    if (r >= 0 && (f.type != EXPORT_BEGIN || f.fd >= 0))
        r = -EBADMSG;
    if (r >= 0)
        r = get_identity(&in, &w->id);
    if (r >= 0)
        r = buf_get_string(&in, 32, &w->filesystem);
    if (r >= 0)
        r = buf_get_string(&in, 128, &w->name);
    if (r >= 0)
        r = buf_get_string(&in, 64, &w->export_id);
    if (r >= 0)
        r = buf_get_end(&in);
    frame_done(&f);
    if (r < 0)
        return r;
    w->medium = (struct medium_nodes){EXPORT_FD_NODE, EXPORT_FD_DISK, w->filesystem};
    if (fstatvfs(EXPORT_FD_STATE, &fs) < 0)
        return -errno;
    w->size_max = (uint64_t)fs.f_bavail * fs.f_frsize;
    /* Half of it: a container may be as large as what goes in. */
    w->size_max = w->size_max > RESERVE_BYTES ? (w->size_max - RESERVE_BYTES) / 2 : 0;
    return 0;
}

/* Nobody else has a name for it, and after its last descriptor it is gone, however this process ends. */
static int open_unnamed(void)
{
    int fd = openat(EXPORT_FD_STATE, ".", O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);

    return fd < 0 ? -errno : fd;
}

/* --- children --- */

/* Kills the child when somebody leaves. Its exit status; -errno. */
static int wait_child(const struct worker *w, pid_t child)
{
    _cleanup_close_ int pidfd = pidfd_open(child, 0);
    struct pollfd p[] = {{.fd = pidfd, .events = POLLIN},
                         {.fd = EXPORT_FD_CONTROL, .events = POLLRDHUP},
                         {.fd = EXPORT_FD_CLIENT, .events = POLLRDHUP}};
    int status;

    do
        (void)poll(p, ELEMENTS(p), -1);
    while (!(p[0].revents & POLLIN) && !somebody_left(w) && pidfd >= 0);
    if (!(p[0].revents & POLLIN))
        (void)kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

static _Noreturn void child_exit(int r)
{
    _exit(r >= 0 && r < CHILD_FAILED ? r : CHILD_FAILED);
}

static _Noreturn void stager_main(struct worker *w, int list)
{
    const struct stage_options options = {
        .client = EXPORT_FD_CLIENT, .control = EXPORT_FD_CONTROL, .staged = w->staged, .size_max = w->size_max};
    struct export_members members = {0};
    int r = identity_take(&w->id);

    close_fd(EXPORT_FD_STATE);
    close_fd(EXPORT_FD_NODE);
    close_fd(EXPORT_FD_DISK);
    if (r >= 0)
        r = sandbox_enter(w->size_max + ((uint64_t)1 << 20));
    if (r >= 0)
        r = stage_run(&options, &members);
    if (r == 0)
        r = export_members_save(&members, list);
    child_exit(r);
}

static int stage(struct worker *w)
{
    static const struct outcome outcomes[] = {
        {STAGE_E_REFUSED, "refused", "a file may not be taken out"},
        {STAGE_E_CHANGED, "changed", "a file changed while it was read"},
        {STAGE_E_CLIENT, "cancelled", "whoever asked for it went away, or sent what is not in the protocol"},
        {STAGE_E_STOPPED, "stopped", "stopped by kuraband"},
        {STAGE_E_FULL, "no-room", "no room on this machine to prepare it"},
    };
    _cleanup_close_ int list = memfd_create("members", MFD_CLOEXEC);
    struct stat st;
    pid_t child;
    int r;

    w->staged = open_unnamed();
    if (list < 0 || w->staged < 0)
        return fail_errno(w, "staging", w->staged < 0 ? w->staged : -errno);
    child = fork();
    if (child < 0)
        return fail_errno(w, "staging", -errno);
    if (child == 0)
        stager_main(w, list);
    r = wait_child(w, child);
    if (r == -ECHILD && somebody_left(w))
        return fail_left(w);
    if (r != 0)
        return fail_outcome(w, outcomes, ELEMENTS(outcomes), r, "staging");
    if (fstat(w->staged, &st) < 0)
        return fail_errno(w, "staging", -errno);
    r = export_members_load(list, (uint64_t)st.st_size, &w->members);
    return r < 0 ? fail_errno(w, "staging", r) : 0;
}

static int on_packed(void *context, uint64_t done, uint64_t total)
{
    return tell_progress(context, EXPORT_PHASE_PACK, done, total) ? PACK_E_STOPPED : 0;
}

/* The password is made here and goes to the client from here: neither the conductor nor kuraband ever has it. */
static _Noreturn void packer_main(struct worker *w)
{
    char password[PACK_PASSWORD_SIZE];
    const struct pack_options options = {.staged = w->staged,
                                         .members = &w->members,
                                         .password = password,
                                         .out = w->packed,
                                         .wall_us = clock_wall_us(),
                                         .progress = on_packed,
                                         .context = w};
    int r = identity_drop_capabilities();

    close_fd(EXPORT_FD_STATE);
    close_fd(EXPORT_FD_NODE);
    close_fd(EXPORT_FD_DISK);
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* libarchive takes no name otherwise that is not ASCII */
    if (r >= 0)
        r = sandbox_enter(w->size_max + w->size_max / 8 + ((uint64_t)1 << 20));
    if (r >= 0)
        r = pack_password(password);
    if (r >= 0)
        r = pack_zip(&options);
    if (r == 0 && link_send(EXPORT_FD_CLIENT, EXPORT_PASSWORD, "s", password) < 0)
        r = PACK_E_STOPPED;
    explicit_bzero(password, sizeof(password));
    child_exit(r);
}

static int pack(struct worker *w)
{
    static const struct outcome outcomes[] = {
        {PACK_E_DIFFERS, "differs", "what was staged is not what it was"},
        {PACK_E_FULL, "no-room", "no room on this machine to prepare it"},
        {PACK_E_STOPPED, "cancelled", "whoever asked for it went away"},
    };
    pid_t child;
    int r;

    w->packed = open_unnamed();
    if (w->packed < 0)
        return fail_errno(w, "packing", w->packed);
    child = fork();
    if (child < 0)
        return fail_errno(w, "packing", -errno);
    if (child == 0)
        packer_main(w);
    r = wait_child(w, child);
    if (r == -ECHILD && somebody_left(w))
        return fail_left(w);
    return r != 0 ? fail_outcome(w, outcomes, ELEMENTS(outcomes), r, "packing") : 0;
}

/* --- what goes to the medium --- */

static int list_zip(struct worker *w)
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
    (void)snprintf(w->final, sizeof(w->final), "%s.zip", w->name);
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

static int prepare(struct worker *w)
{
    uint8_t container = UINT8_MAX;
    int r;

    if (link_send(EXPORT_FD_CONTROL, EXPORT_STAGED_END, "8", export_members_size(&w->members)) < 0)
        return fail_left(w);
    r = await(w, EXPORT_PACK, &container);
    if (r == 0 && container == EXPORT_ZIP_AES256)
        r = pack(w);
    if (r != 0)
        return r;
    if (container == EXPORT_ZIP_AES256)
        r = list_zip(w);
    else if (container == EXPORT_PLAIN)
        r = list_plain(w);
    else
        return fail(w, "container", "this container is not known here");
    return r < 0 ? fail_errno(w, "packing", r) : 0;
}

static uint64_t items_size(const struct worker *w)
{
    uint64_t size = 0;

    for (size_t i = 0; i < w->n_items; i++)
        size += w->items[i].size;
    return size;
}

/* Of one file its own; of several that of "<sha256>  <name>" lines, as sha256sum(1) writes them. */
static int items_digest(const struct worker *w, struct digest *ret)
{
    struct buf b;
    int r = 0;

    if (w->n_items == 1) {
        *ret = w->items[0].sha256;
        return 0;
    }
    buf_init(&b, EXPORT_FILES_MAX * (EXPORT_NAME_MAX + 72));
    for (size_t i = 0; i < w->n_items && r >= 0; i++) {
        char hex[DIGEST_HEX_SIZE];

        digest_to_hex(&w->items[i].sha256, hex);
        r = buf_printf(&b, "%s  %s\n", hex, w->items[i].name);
    }
    if (r >= 0)
        r = digest_bytes(b.data, b.size, ret);
    buf_done(&b);
    return r;
}

static int on_put(void *context, bool check, uint64_t done, uint64_t total)
{
    return tell_progress(context, check ? EXPORT_PHASE_CHECK : EXPORT_PHASE_WRITE, done, total) ? PUT_E_STOPPED : 0;
}

static int fail_put(struct worker *w, int r)
{
    static const struct outcome outcomes[] = {
        {PUT_E_FULL, "full", "the medium has no room for it"},
        {PUT_E_DIFFERS, "differs", "what is read back from the medium is not what was written"},
        {PUT_E_TAKEN, "name", "no free name on the medium"},
        {-ENODEV, "removed", "the medium is gone"},
        {-ENXIO, "removed", "the medium is gone"},
        {-EIO, "medium", "the medium fails, or was taken out"},
        {-EROFS, "medium", "the medium fails, or was taken out"},
    };

    return r == PUT_E_STOPPED ? fail_left(w) : fail_outcome(w, outcomes, ELEMENTS(outcomes), r, "writing");
}

static int commit(struct worker *w, const struct put_options *o)
{
    char hex[DIGEST_HEX_SIZE];
    struct digest digest;
    int r = items_digest(w, &digest);

    if (r < 0)
        return fail_errno(w, "writing", r);
    digest_to_hex(&digest, hex);
    if (link_send(EXPORT_FD_CONTROL, EXPORT_WRITTEN, "s8s", w->final, items_size(w), hex) < 0)
        r = fail_left(w);
    else
        r = await(w, EXPORT_COMMIT, NULL);
    if (r != 0) {
        put_abort(o);
        return r;
    }
    w->committed = true;
    r = put_commit(o, w->final);
    return r != 0 ? fail_put(w, r) : 0;
}

static int write_to(struct worker *w, int root)
{
    const struct put_options options = {.root = root,
                                        .id = w->export_id,
                                        .final = w->final,
                                        .items = w->items,
                                        .n = w->n_items,
                                        .progress = on_put,
                                        .context = w};
    int r;

    if (link_send(EXPORT_FD_CONTROL, EXPORT_MOUNTED, "") < 0)
        return fail_left(w);
    r = put_clean(root);
    if (r >= 0)
        r = put_write(&options);
    return r != 0 ? fail_put(w, r) : commit(w, &options);
}

struct mounting {
    const struct worker *worker;
    int result, root;
};

static bool is_mounted(void *context)
{
    struct mounting *m = context;

    m->result = medium_mount(&m->worker->medium, &m->root);
    return m->result != MEDIUM_E_BUSY || somebody_left(m->worker);
}

static int fail_mount(struct worker *w, int r)
{
    static const struct outcome outcomes[] = {
        {MEDIUM_E_BUSY, "busy", "files of the medium are in use"},
        {MEDIUM_E_READ_ONLY, "read-only", "the medium takes no writing (a write-protect switch?)"},
        {MEDIUM_E_FILESYSTEM, "filesystem", "the medium's filesystem is not one that is written to, or is damaged"},
        {-ENODEV, "removed", "the medium is gone"},
        {-ENXIO, "removed", "the medium is gone"},
    };

    return somebody_left(w) ? fail_left(w) : fail_outcome(w, outcomes, ELEMENTS(outcomes), r, "mounting");
}

static int deliver(struct worker *w)
{
    struct mounting m = {.worker = w, .root = -1};
    int64_t patience_us = MOUNT_PATIENCE_US;
    int r;

    if (link_send(EXPORT_FD_CONTROL, EXPORT_READY, "8", items_size(w)) < 0)
        return fail_left(w);
    r = await(w, EXPORT_OPEN, NULL);
    if (r != 0)
        return r;
    (void)clock_wait_until(&patience_us, is_mounted, &m);
    if (m.result != 0)
        return fail_mount(w, m.result);
    r = write_to(w, m.root);
    close_fd(m.root);
    if (medium_protect(&w->medium) < 0 || medium_check_closed(&w->medium) != 0)
        r = r != 0 ? r : fail(w, "medium", "it is not certain that the medium is closed; it may hold the export");
    return r;
}

/* --- the whole --- */

static int tell_end(struct worker *w, int r)
{
    if (r != 0) {
        (void)link_send(EXPORT_FD_CONTROL, EXPORT_FAILED, "ss", w->reason, w->detail);
        (void)link_send(EXPORT_FD_CLIENT, EXPORT_RESULT, "1ss",
                        (unsigned)(strcmp(w->reason, "refused") == 0 ? EXPORT_E_REFUSED : EXPORT_E_FAILED), w->reason,
                        w->detail);
        return 1;
    }
    if (link_send(EXPORT_FD_CONTROL, EXPORT_DONE, "s", w->final) < 0 || await(w, EXPORT_RECORDED, NULL) != 0)
        (void)fail(w, "unrecorded", "it is on the medium; kuraband was gone before it was recorded as finished");
    (void)link_send(EXPORT_FD_CLIENT, EXPORT_RESULT, "1ss", (unsigned)(w->reason ? EXPORT_E_FAILED : EXPORT_E_FINISHED),
                    w->reason ? w->reason : w->final, w->detail);
    return w->reason ? 1 : 0;
}

static void worker_done(struct worker *w)
{
    export_members_done(&w->members);
    free(w->items);
    free(w->id.gids);
    free(w->filesystem);
    free(w->name);
    free(w->export_id);
    free(w->stop_reason);
    close_fd(w->staged);
    close_fd(w->packed);
}

int worker_run(void)
{
    struct worker w = {.staged = -1, .packed = -1};
    int r = begin(&w);

    if (r >= 0) {
        r = stage(&w);
        if (r == 0)
            r = prepare(&w);
        if (r == 0)
            r = deliver(&w);
        r = tell_end(&w, r);
    }
    worker_done(&w);
    return r;
}
