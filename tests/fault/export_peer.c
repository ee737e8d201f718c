/*
 * Owns: what is said to an exporting process, and that what it says is true at that moment. Must not: fail itself.
 */
#include "fault/export_peer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/frame.h"
#include "export/link.h"

enum {
    PATIENCE_MS = 100 * 1000, /* more than anything of an export waits */
};

/* --- the person's program --- */

static void pass_files(struct export_peer *p)
{
    for (size_t i = 0; i < p->members->n; i++) {
        struct buf b;

        buf_init(&b, FRAME_BODY_MAX);
        if (buf_add_string(&b, p->members->items[i].name) < 0 ||
            frame_send(p->client, EXPORT_FILE, 0, &b, p->files[i], 1000) < 0)
            p->failed("its client's files cannot be passed");
        buf_done(&b);
    }
    if (link_send(p->client, EXPORT_FILES_END, "") < 0)
        p->failed("its client's files cannot be passed");
}

static void take_text(struct export_peer *p, struct buf_reader *in, size_t size, char *ret)
{
    _cleanup_free_ char *text = NULL;

    if (buf_get_string(in, size - 1, &text) < 0)
        p->failed("a text is missing");
    (void)snprintf(ret, size, "%s", text);
}

static void on_result(struct export_peer *p, struct buf_reader *in)
{
    char reason[EXPORT_NAME_MAX + 1], detail[EXPORT_TEXT_MAX + 1];
    uint8_t outcome = 0;

    if (buf_get_u8(in, &outcome) < 0)
        p->failed("a result without an outcome");
    take_text(p, in, sizeof(reason), reason);
    take_text(p, in, sizeof(detail), detail);
    p->finished = outcome == EXPORT_E_FINISHED;
    if (p->finished && !p->recorded)
        p->failed("the person is told that it is finished, and it is not recorded");
    if (outcome == EXPORT_E_LEFT && !p->permitted)
        p->failed("the person is told of what was never written");
    if (!p->finished && (reason[0] == '\0' || detail[0] == '\0'))
        p->failed("the person is not told why");
}

static void on_client_frame(struct export_peer *p, uint16_t type, struct buf_reader *in)
{
    if (type == EXPORT_PASSWORD && !p->recorded)
        p->failed("a password before it is complete");
    if (type == EXPORT_PASSWORD)
        take_text(p, in, sizeof(p->password), p->password);
    else if (type == EXPORT_RESULT)
        on_result(p, in);
    else if (type != EXPORT_PROGRESS && type != EXPORT_REFUSED)
        p->failed("a frame that a client does not know");
}

/* --- kuraband --- */

static void permit(struct export_peer *p, uint32_t error)
{
    (void)link_send(p->control, EXPORT_VERDICT, "1ss", error == 0 ? 1U : 0U, error == 0 ? "rule" : "unreadable", "out");
}

static uint32_t last_number(const struct buf_reader *in)
{
    struct buf_reader end = {.data = in->data + in->size - sizeof(uint32_t), .size = sizeof(uint32_t)};
    uint32_t n = 0;

    (void)buf_get_u32(&end, &n);
    return n;
}

static void on_staged(struct export_peer *p, struct buf_reader *in)
{
    char said[DIGEST_HEX_SIZE], hex[DIGEST_HEX_SIZE];
    uint32_t index = 0;
    uint64_t size = 0;

    if (buf_get_u32(in, &index) < 0 || buf_get_u64(in, &size) < 0 || index >= p->members->n)
        p->failed("what is staged is nothing");
    take_text(p, in, sizeof(said), said);
    digest_to_hex(&p->members->items[index].sha256, hex);
    if (size != p->members->items[index].size || strcmp(said, hex) != 0)
        p->failed("what is staged is not what was to be");
}

static void on_room(struct export_peer *p)
{
    p->check(p->context, NULL, NULL);
    p->permitted = true;
    (void)link_send(p->control, EXPORT_WRITE, "");
}

static void on_written(struct export_peer *p)
{
    if (!p->permitted)
        p->failed("written before it was permitted");
    p->check(p->context, NULL, NULL);
    p->committed = true;
    (void)link_send(p->control, EXPORT_COMMIT, "");
}

static void on_done(struct export_peer *p, struct buf_reader *in)
{
    take_text(p, in, sizeof(p->name), p->name);
    if (!p->committed)
        p->failed("done before it was permitted");
    p->done = true;
    p->check(p->context, p->name, NULL);
    p->recorded = true; /* the word may not arrive */
    (void)link_send(p->control, EXPORT_RECORDED, "");
}

static void on_failed(struct export_peer *p, struct buf_reader *in)
{
    char reason[32], detail[EXPORT_TEXT_MAX + 1];

    take_text(p, in, sizeof(reason), reason);
    take_text(p, in, sizeof(detail), detail);
    if (reason[0] == '\0' || detail[0] == '\0')
        p->failed("kuraband is not told why");
    if (strstr(detail, strerrordesc_np(ECHILD)))
        p->failed("a child was killed");
    if (p->done)
        p->failed("done and failed");
    p->told = true;
}

static void on_control_frame(struct export_peer *p, uint16_t type, struct buf_reader *in)
{
    switch (type) {
    case EXPORT_STAGER:
        (void)link_send(p->control, EXPORT_STAGE, "");
        break;
    case EXPORT_OPENED:
    case EXPORT_AGAIN:
        permit(p, last_number(in));
        break;
    case EXPORT_OPENED_END:
        (void)link_send(p->control, EXPORT_COPY, "");
        break;
    case EXPORT_STAGED:
        on_staged(p, in);
        break;
    case EXPORT_STAGED_END:
        (void)link_send(p->control, EXPORT_PACK, "1", (unsigned)p->container);
        break;
    case EXPORT_READY:
        (void)link_send(p->control, EXPORT_OPEN, "");
        break;
    case EXPORT_MOUNTED:
        break;
    case EXPORT_ROOM:
        on_room(p);
        break;
    case EXPORT_WRITTEN:
        on_written(p);
        break;
    case EXPORT_DONE:
        on_done(p, in);
        break;
    case EXPORT_FAILED:
        on_failed(p, in);
        break;
    default:
        p->failed("a frame that kuraband does not know");
    }
}

/* --- both --- */

/* 0 when it is closed. */
static int take(struct export_peer *p, int fd, struct buf *b,
                void (*on_frame)(struct export_peer *p, uint16_t type, struct buf_reader *in))
{
    uint8_t bytes[4096];
    ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    struct frame_view f;
    size_t used = 0;
    int r;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 1;
    if (n <= 0)
        return 0;
    if (buf_add(b, bytes, (size_t)n) < 0)
        p->failed("no memory");
    while ((r = frame_parse(b->data, b->size, &f, &used)) > 0) {
        on_frame(p, f.type, &f.body);
        memmove(b->data, b->data + used, b->size - used);
        b->size -= used;
    }
    if (r < 0)
        p->failed("no frame");
    return 1;
}

void export_peer_serve(struct export_peer *p)
{
    struct pollfd fds[] = {{.fd = p->client, .events = POLLIN}, {.fd = p->control, .events = POLLIN}};

    buf_init(&p->from_client, FRAME_HEADER_SIZE + FRAME_BODY_MAX);
    buf_init(&p->from_control, FRAME_HEADER_SIZE + FRAME_BODY_MAX);
    pass_files(p);
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        if (poll(fds, 2, PATIENCE_MS) <= 0)
            p->failed("it hangs");
        if (fds[0].revents && !take(p, p->client, &p->from_client, on_client_frame))
            fds[0].fd = -1;
        if (fds[1].revents && !take(p, p->control, &p->from_control, on_control_frame))
            fds[1].fd = -1;
    }
    buf_done(&p->from_client);
    buf_done(&p->from_control);
    p->client = close_fd(p->client);
    p->control = close_fd(p->control);
}
