#include "fuzz/fuzz.h"

#include <stdlib.h>

#include "base/frame.h"

/* Frames as a privileged program meets them: one behind the other, fields by every getter, to the end. */

static void read_fields(struct buf_reader body)
{
    struct buf_reader numbers = body, strings = body;
    uint64_t wide;
    uint32_t word;
    uint16_t half;
    char *text;

    while (buf_get_u16(&numbers, &half) == 0 && buf_get_u32(&numbers, &word) == 0 && buf_get_u64(&numbers, &wide) == 0)
        ;
    (void)buf_get_end(&numbers);
    while (buf_get_string(&strings, 1024, &text) == 0)
        free(text);
    if (buf_get_end(&strings) == 0 && strings.offset != body.size)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame_view view;
    size_t used;

    while (frame_parse(data, size, &view, &used) == 1) {
        if (used > size || view.body.size > FRAME_BODY_MAX || used != FRAME_HEADER_SIZE + view.body.size)
            abort();
        read_fields(view.body);
        data += used;
        size -= used;
    }
    return 0;
}
