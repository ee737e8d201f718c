/*
 * Frames with fixed fields. Owns: the picture of a frame and its exact length. Must not: know what a frame means.
 */
#include "export/link.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "export/protocol.h"

static int add_fields(struct buf *b, const char *picture, va_list ap)
{
    int r = 0;

    for (const char *p = picture; *p && r >= 0; p++)
        switch (*p) {
        case '1':
            r = buf_add_u8(b, (uint8_t)va_arg(ap, unsigned));
            break;
        case '4':
            r = buf_add_u32(b, va_arg(ap, uint32_t));
            break;
        case '8':
            r = buf_add_u64(b, va_arg(ap, uint64_t));
            break;
        default:
            r = buf_add_string(b, va_arg(ap, const char *));
        }
    return r;
}

int link_send(int socket, uint16_t type, const char *picture, ...)
{
    struct buf b;
    va_list ap;
    int r;

    buf_init(&b, FRAME_BODY_MAX);
    va_start(ap, picture);
    r = add_fields(&b, picture, ap);
    va_end(ap);
    if (r >= 0)
        r = frame_send(socket, type, 0, &b, -1, LINK_SEND_MS);
    buf_done(&b);
    return r;
}

/* Strings that were read before a later field failed are given back: the caller sees all of them or none. */
static int get_fields(struct buf_reader *in, const char *picture, va_list ap)
{
    char **strings[8];
    size_t n = 0;
    int r = 0;

    for (const char *p = picture; *p && r >= 0; p++)
        switch (*p) {
        case '1':
            r = buf_get_u8(in, va_arg(ap, uint8_t *));
            break;
        case '4':
            r = buf_get_u32(in, va_arg(ap, uint32_t *));
            break;
        case '8':
            r = buf_get_u64(in, va_arg(ap, uint64_t *));
            break;
        default:
            strings[n] = va_arg(ap, char **);
            r = buf_get_string(in, EXPORT_TEXT_MAX, strings[n]);
            n += r >= 0;
        }
    if (r >= 0)
        r = buf_get_end(in);
    while (r < 0 && n > 0) {
        free(*strings[--n]);
        *strings[n] = NULL;
    }
    return r;
}

/* Waits, and looks without taking: 1, EXPORT_STOP is next; 0, something else or the end. */
static int peek_stop(int socket, int deadline_ms)
{
    struct pollfd p = {.fd = socket, .events = POLLIN};
    uint8_t header[FRAME_HEADER_SIZE];
    struct buf_reader in = {.data = header, .size = sizeof(header)};
    uint32_t length = 0;
    uint16_t type = 0;
    int r = poll(&p, 1, deadline_ms);

    if (r == 0)
        return -ETIMEDOUT;
    if (recv(socket, header, sizeof(header), MSG_PEEK | MSG_DONTWAIT) != (ssize_t)sizeof(header))
        return 0;
    return buf_get_u32(&in, &length) >= 0 && buf_get_u16(&in, &type) >= 0 && type == EXPORT_STOP;
}

int link_receive(int socket, uint16_t type, int deadline_ms, const char *picture, ...)
{
    struct buf_reader in;
    struct frame f;
    va_list ap;
    int r = type == EXPORT_STOP ? 0 : peek_stop(socket, deadline_ms);

    if (r != 0)
        return r < 0 ? r : -ECANCELED;
    frame_init(&f);
    r = frame_receive(&f, socket, deadline_ms);
    if (r >= 0 && (f.type != type || f.flags != 0 || f.fd >= 0))
        r = -EBADMSG;
    if (r >= 0) {
        in = (struct buf_reader){.data = f.body.data, .size = f.body.size};
        va_start(ap, picture);
        r = get_fields(&in, picture, ap);
        va_end(ap);
    }
    frame_done(&f);
    return r;
}

bool link_is_gone(int socket)
{
    struct pollfd p = {.fd = socket, .events = POLLRDHUP};

    return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL));
}
