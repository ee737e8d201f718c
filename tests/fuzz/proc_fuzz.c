/* Texts of /proc: the first byte chooses the parser. */
#include "fuzz/fuzz.h"

#include <stdlib.h>

#include "kern/proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct proc_status status;
    const char *text = (const char *)data + 1;
    uint64_t ticks;
    uint32_t id;
    dev_t tty;

    if (size == 0)
        return 0;
    switch (data[0] % 3) {
    case 0:
        if (proc_parse_status(text, size - 1, &status) == 0 &&
            (status.n_gids == 0 || status.n_gids > PROC_GROUPS_MAX + 1 || status.tgid <= 0))
            abort();
        break;
    case 1:
        (void)proc_parse_start_time(text, size - 1, &ticks);
        (void)proc_parse_tty(text, size - 1, &tty);
        break;
    default:
        (void)proc_parse_id(text, size - 1, &id);
        break;
    }
    return 0;
}
