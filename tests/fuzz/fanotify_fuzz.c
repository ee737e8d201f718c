/* What a group returns: the first byte chooses permission or names records. */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "kern/fanotify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fanotify_event event;
    struct fanotify_name name;
    size_t offset = 0, before = 0;

    if (size == 0)
        return 0;
    if (data[0] % 2 == 0) {
        while (fanotify_next_event(data + 1, size - 1, &offset, &event) > 0) {
            if (offset <= before || offset > size - 1)
                abort();
            before = offset;
        }
        return 0;
    }
    while (fanotify_next_name(data + 1, size - 1, &offset, &name) > 0) {
        const uint8_t *handle = name.handle;

        if (handle && (handle < data || handle + name.handle_size > data + size ||
                       (const uint8_t *)name.name + strlen(name.name) >= data + size))
            abort();
    }
    return 0;
}
