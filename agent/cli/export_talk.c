/*
 * Owns: what is said to the exporting process and what it answers. Must not: open files (export.c), show anything.
 */
#include "cli/export_talk.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "base/text.h"
#include "export/link.h"

enum {
    FRAME_MS = 30 * 1000 /* for the rest of a frame that has begun */
};

static int pass_file(const struct export_talk *t, const struct export_file *f)
{
    const char *slash = strrchr(f->path, '/');
    struct buf b;
    int r;

    buf_init(&b, FRAME_BODY_MAX);
    r = buf_add_string(&b, slash ? slash + 1 : f->path);
    if (r >= 0)
        r = frame_send(t->socket, EXPORT_FILE, 0, &b, f->fd, LINK_SEND_MS);
    buf_done(&b);
    return r;
}

static int pass_files(const struct export_talk *t)
{
    int r = 0;

    for (size_t i = 0; i < t->n && r >= 0; i++)
        r = pass_file(t, &t->files[i]);
    return r < 0 ? r : link_send(t->socket, EXPORT_FILES_END, "");
}

static int take_refused(struct export_talk *t, struct buf_reader *in)
{
    _cleanup_free_ char *reason = NULL, *rule = NULL;
    uint32_t index = 0;
    int r = buf_get_u32(in, &index);

    if (r >= 0)
        r = buf_get_string(in, EXPORT_TEXT_MAX, &reason);
    if (r >= 0)
        r = buf_get_string(in, EXPORT_TEXT_MAX, &rule);
    if (r < 0 || index >= t->n || t->files[index].reason)
        return -EBADMSG;
    t->files[index].reason = TAKE_PTR(reason);
    t->files[index].rule = TAKE_PTR(rule);
    return 0;
}

static int take_progress(struct export_talk *t, struct buf_reader *in)
{
    uint64_t done = 0, total = 0;
    uint8_t phase = 0;

    if (buf_get_u8(in, &phase) < 0 || buf_get_u64(in, &done) < 0 || buf_get_u64(in, &total) < 0 ||
        phase > EXPORT_PHASE_CHECK)
        return -EBADMSG;
    t->written = t->written || (phase >= EXPORT_PHASE_WRITE && done > 0);
    if (t->progress)
        t->progress(t->context, (enum export_phase)phase, done, total);
    return 0;
}

static int take_result(struct export_talk *t, struct buf_reader *in)
{
    uint8_t outcome = 0;

    if (buf_get_u8(in, &outcome) < 0 || buf_get_string(in, EXPORT_TEXT_MAX, &t->name) < 0 ||
        buf_get_string(in, EXPORT_TEXT_MAX, &t->detail) < 0 || outcome >= EXPORT_E_COUNT_)
        return -EBADMSG;
    t->outcome = (enum export_outcome)outcome;
    t->written = outcome == EXPORT_E_LEFT;
    return 1;
}

/* 1 when that was the result. */
static int take_frame(struct export_talk *t, const struct frame *f)
{
    struct buf_reader in = {.data = f->body.data, .size = f->body.size};
    int r = -EBADMSG;

    if (f->fd >= 0 || f->flags != 0)
        return r;
    switch (f->type) {
    case EXPORT_REFUSED:
        r = take_refused(t, &in);
        break;
    case EXPORT_PROGRESS:
        r = take_progress(t, &in);
        break;
    case EXPORT_PASSWORD:
        r = t->password ? -EBADMSG : buf_get_string(&in, EXPORT_TEXT_MAX, &t->password);
        break;
    case EXPORT_RESULT:
        r = take_result(t, &in);
        break;
    default:
        break;
    }
    return r >= 0 && buf_get_end(&in) < 0 ? -EBADMSG : r;
}

/* A step may take as long as it takes: a slow stick, a large file. */
static int wait_for_frame(int socket)
{
    struct pollfd p = {.fd = socket, .events = POLLIN};

    while (poll(&p, 1, -1) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

int export_talk(struct export_talk *t)
{
    int r = pass_files(t);

    /* What it has said before it closed is still there to be read. */
    if (r == -ECONNRESET)
        r = 0;
    while (r == 0) {
        struct frame f;

        frame_init(&f);
        r = wait_for_frame(t->socket);
        if (r >= 0)
            r = frame_receive(&f, t->socket, FRAME_MS);
        if (r >= 0)
            r = take_frame(t, &f);
        frame_done(&f);
    }
    return r < 0 ? r : 0;
}

void export_talk_done(struct export_talk *t)
{
    for (size_t i = 0; i < t->n; i++) {
        close_fd(t->files[i].fd);
        free(t->files[i].reason);
        free(t->files[i].rule);
    }
    free(t->files);
    if (t->password)
        explicit_bzero(t->password, strlen(t->password));
    free(t->password);
    free(t->name);
    free(t->detail);
    t->socket = close_fd(t->socket);
}
