/*
 * Owns: how an answer is laid out in frames. Must not know of connections.
 */
#include "ctl/answer.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/frame.h"
#include "ctl/protocol.h"

static int add_frame(struct buf *out, uint16_t type, uint32_t code, const void *bytes, size_t size, bool more)
{
    int r = buf_add_u32(out, (uint32_t)(size + sizeof(code)));

    if (r >= 0)
        r = buf_add_u16(out, type);
    if (r >= 0)
        r = buf_add_u16(out, more ? FRAME_FLAG_MORE : 0);
    if (r >= 0)
        r = buf_add_u32(out, code);
    if (r >= 0)
        r = buf_add(out, bytes, size);
    return r;
}

int ctl_answer_json(struct buf *out, uint32_t code, const char *json)
{
    size_t size = strlen(json), offset = 0;

    if (size > CTL_ANSWER_MAX)
        return -ENOBUFS;
    do {
        size_t chunk = size - offset < CTL_CHUNK ? size - offset : CTL_CHUNK;
        int r = add_frame(out, CTL_ANSWER, code, json + offset, chunk, offset + chunk < size);

        if (r < 0)
            return r;
        offset += chunk;
    } while (offset < size);
    return 0;
}

int ctl_answer_fields(struct buf *out, uint32_t code, const struct buf *fields)
{
    if (fields->size > CTL_CHUNK)
        return -ENOBUFS;
    return add_frame(out, CTL_ANSWER_FIELDS, code, fields->data, fields->size, false);
}
