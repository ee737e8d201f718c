/*
 * kuraban-export: the conductor of one export. Owns: the order of things, the unnamed files of what is staged and packed, the children
 * that handle other people's bytes. Must not: parse what the client sends (the stager does, without rights), decide (kuraband does),
 * go on when kuraband is gone.
 *
 * The children share the two sockets with it, one at a time: while one runs, this process only watches that both sides are still there.
 */
#include "export/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "export/child.h"
#include "export/link.h"
#include "export/worker_internal.h"

enum {
    PROGRESS_US = 200 * 1000,
    STOP_MS = 1000,
    BEAT_MS = 1000,
};

#define RESERVE_BYTES ((uint64_t)64 << 20) /* of the state directory's filesystem, which holds the journal as well */

/* --- ends --- */

int worker_fail(struct worker *w, const char *reason, const char *detail)
{
    if (!w->reason) {
        w->reason = reason;
        (void)snprintf(w->detail, sizeof(w->detail), "%s", detail);
    }
    return 1;
}

int worker_fail_errno(struct worker *w, const char *what, int r)
{
    char text[EXPORT_TEXT_MAX];

    (void)snprintf(text, sizeof(text), "%s: %s", what, strerrordesc_np(r < 0 ? -r : r));
    return worker_fail(w, "failed", text);
}

int worker_fail_outcome(struct worker *w, const struct worker_outcome *table, size_t n, int r, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (table[i].number == r)
            return worker_fail(w, table[i].reason, table[i].detail);
    return worker_fail_errno(w, what, r < 0 ? r : -EIO);
}

/* --- the two sides --- */

bool worker_is_left(const struct worker *w)
{
    return (!w->control_is_closed && link_is_gone(EXPORT_FD_CONTROL)) ||
           (!w->committed && link_is_gone(EXPORT_FD_CLIENT));
}

/* Until kuraband says something or somebody leaves. Who waits for that does not hang. */
static void wait_for_word(const struct worker *w)
{
    struct pollfd p[] = {{.fd = EXPORT_FD_CONTROL, .events = POLLIN | POLLRDHUP},
                         {.fd = w->committed ? -1 : EXPORT_FD_CLIENT, .events = POLLRDHUP}};

    int n;

    while ((n = poll(p, ELEMENTS(p), w->beats ? BEAT_MS : -1)) == 0 || (n < 0 && errno == EINTR))
        child_pulse_beat(w->beats, 1);
}

/* What kuraband has said: this, or EXPORT_STOP, which has the reason; an end without a word has none. */
static int hear(struct worker *w, uint16_t type, int deadline_ms, uint8_t *ret_byte)
{
    _cleanup_free_ char *reason = NULL, *detail = NULL;
    struct buf_reader in;
    struct frame f;
    int r;

    frame_init(&f);
    r = frame_receive(&f, EXPORT_FD_CONTROL, deadline_ms);
    in = (struct buf_reader){.data = f.body.data, .size = f.body.size};
    if (r >= 0 && f.type == EXPORT_STOP) {
        r = buf_get_string(&in, EXPORT_TEXT_MAX, &reason);
        if (r >= 0)
            r = buf_get_string(&in, EXPORT_TEXT_MAX, &detail);
        if (r >= 0 && w->stop_reason) {
            r = 1; /* it was told */
        } else if (r >= 0) {
            w->stop_reason = TAKE_PTR(reason);
            r = worker_fail(w, w->stop_reason, detail);
        }
    } else if (r >= 0) {
        r = f.type == type && f.fd < 0 ? 0 : -EBADMSG;
        if (r >= 0 && ret_byte)
            r = buf_get_u8(&in, ret_byte);
        if (r >= 0)
            r = buf_get_end(&in);
    }
    frame_done(&f);
    if (r == -ETIMEDOUT)
        return worker_fail(w, "failed", "the connection to kuraband failed");
    return r < 0 ? worker_fail(w, "stopped", "kuraband is gone") : r;
}

int worker_fail_left(struct worker *w)
{
    return link_is_gone(EXPORT_FD_CONTROL) ? worker_fail_stopped(w)
                                           : worker_fail(w, "cancelled", "whoever asked for it went away");
}

/* What it has to say is there, or it has nothing to say: whoever saw it stop saw that, or could not talk to it. */
int worker_fail_stopped(struct worker *w)
{
    (void)hear(w, EXPORT_STOP, STOP_MS, NULL);
    return 1;
}

int worker_await(struct worker *w, uint16_t type, uint8_t *ret_byte)
{
    wait_for_word(w);
    return !w->committed && link_is_gone(EXPORT_FD_CLIENT) ? worker_fail_left(w)
                                                           : hear(w, type, LINK_SEND_MS, ret_byte);
}

/* A client that does not read is as good as gone; also one that lets every word wait. */
int worker_tell_progress(struct worker *w, enum export_phase phase, uint64_t done, uint64_t total)
{
    uint64_t now = clock_boottime_us();
    int r;

    if (worker_is_left(w))
        return 1;
    if (now - w->told_us < PROGRESS_US && done < total)
        return 0;
    w->told_us = now;
    r = link_send(EXPORT_FD_CLIENT, EXPORT_PROGRESS, "188", (unsigned)phase, done, total);
    w->waited_us += clock_boottime_us() - now;
    return r < 0 || w->waited_us > (uint64_t)LINK_SEND_MS * 1000;
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

/* They become parts of names on the medium. */
static int get_leftovers(struct buf_reader *in, struct worker *w)
{
    uint32_t n = 0;
    int r = buf_get_u32(in, &n);

    if (r >= 0 && n > EXPORT_LEFTOVERS_MAX)
        r = -EBADMSG;
    if (r < 0)
        return r;
    w->leftovers = calloc(n > 0 ? n : 1, sizeof(*w->leftovers));
    if (!w->leftovers)
        return -ENOMEM;
    while (w->n_leftovers < n) {
        char **id = &w->leftovers[w->n_leftovers];

        r = buf_get_string(in, 64, id);
        if (r < 0)
            return r;
        w->n_leftovers++;
        if (strspn(*id, "0123456789abcdef") != strlen(*id))
            return -EBADMSG;
    }
    return 0;
}

static int begin(struct worker *w)
{
    struct buf_reader in;
    struct statvfs fs;
    uint64_t diskseq;
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
        r = buf_get_u64(&in, &diskseq);
    if (r >= 0)
        r = buf_get_u32(&in, &w->patience_s);
    if (r >= 0)
        r = get_leftovers(&in, w);
    if (r >= 0)
        r = buf_get_end(&in);
    frame_done(&f);
    if (r < 0)
        return r;
    w->medium = (struct medium_nodes){EXPORT_FD_NODE, EXPORT_FD_DISK, w->filesystem, diskseq};
    if (fstatvfs(EXPORT_FD_STATE, &fs) < 0)
        return -errno;
    w->size_max = (uint64_t)fs.f_bavail * fs.f_frsize;
    /* Half of it: a container may be as large as what goes in. */
    w->size_max = w->size_max > RESERVE_BYTES ? (w->size_max - RESERVE_BYTES) / 2 : 0;
    return 0;
}

/* --- the whole --- */

static enum export_outcome outcome_of(const struct worker *w)
{
    if (strcmp(w->reason, "refused") == 0)
        return EXPORT_E_REFUSED;
    return w->writes ? EXPORT_E_LEFT : EXPORT_E_FAILED;
}

static int tell_end(struct worker *w, int r)
{
    if (r != 0) {
        (void)link_send(EXPORT_FD_CONTROL, EXPORT_FAILED, "ss", w->reason, w->detail);
        (void)link_send(EXPORT_FD_CLIENT, EXPORT_RESULT, "1ss", (unsigned)outcome_of(w), w->reason, w->detail);
        return 1;
    }
    if (link_send(EXPORT_FD_CONTROL, EXPORT_DONE, "s", w->final) < 0 || worker_await(w, EXPORT_RECORDED, NULL) != 0)
        (void)worker_fail(w, "unrecorded", "it is on the medium; kuraband was gone before it was recorded as finished");
    /* Of what is complete, under its name, and recorded; who cannot be told it is not told of an end without it. */
    else if (w->password[0] != '\0' && link_send(EXPORT_FD_CLIENT, EXPORT_PASSWORD, "s", w->password) < 0)
        return 1;
    (void)link_send(EXPORT_FD_CLIENT, EXPORT_RESULT, "1ss", (unsigned)(w->reason ? EXPORT_E_FAILED : EXPORT_E_FINISHED),
                    w->reason ? w->reason : w->final, w->detail);
    return w->reason ? 1 : 0;
}

static void worker_done(struct worker *w)
{
    explicit_bzero(w->password, sizeof(w->password));
    export_members_done(&w->members);
    free(w->items);
    free(w->id.gids);
    free(w->filesystem);
    free(w->name);
    free(w->export_id);
    for (size_t i = 0; i < w->n_leftovers; i++)
        free(w->leftovers[i]);
    free(w->leftovers);
    free(w->stop_reason);
    close_fd(w->staged);
    close_fd(w->packed);
    child_pulse_free(w->pulse);
    worker_delivery_free(w);
}

int worker_run(void)
{
    struct worker w = {.staged = -1, .packed = -1};
    int r = begin(&w);

    r = r < 0 ? worker_fail_errno(&w, "beginning", r) : worker_stage(&w);
    if (r == 0)
        r = worker_prepare(&w);
    if (r == 0)
        r = worker_deliver(&w);
    r = tell_end(&w, r);
    worker_done(&w);
    return r;
}
