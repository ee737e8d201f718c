/* /proc/PID/mountinfo: mount points, sources and labels are chosen by whoever mounts. */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "device/mount.h"
#include "kern/mount.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mount_table t;
    char value[16];

    if (mount_table_parse((const char *)data, size, &t) < 0)
        return 0;
    for (size_t i = 0; i < t.n; i++) {
        const struct mount_entry *e = &t.items[i];

        /* Every string must end inside the table's text. */
        if (strlen(e->root) + strlen(e->point) + strlen(e->source) + strlen(e->type) > size || e->point[0] != '/')
            abort();
        (void)mount_classify(e, true);
        (void)mount_super_writable(e);
        (void)mount_option(e->super_options, "user_id", value, sizeof(value));
        (void)mount_table_covering(&t, e->point);
    }
    mount_table_done(&t);
    return 0;
}
