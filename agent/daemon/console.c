/* Owns: whether somebody asks from the console. */
#include "daemon/console.h"

#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "ctl/server.h"
#include "daemon/peer.h"
#include "kern/proc.h"

static const struct {
    unsigned major, first, last; /* minors */
} consoles[] = {
    {4, 1, 63},      /* tty1 … tty63: virtual terminals */
    {4, 64, 255},    /* ttyS0 …: serial lines */
    {5, 1, 1},       /* /dev/console */
    {204, 64, 255},  /* ttyAMA0 … and other serial lines of the board */
    {229, 0, 65535}, /* hvc0 …: lines of a hypervisor */
};

bool console_is(dev_t tty)
{
    for (size_t i = 0; i < ELEMENTS(consoles); i++)
        if (major(tty) == consoles[i].major && minor(tty) >= consoles[i].first && minor(tty) <= consoles[i].last)
            return true;
    return false;
}

int console_check(int proc_fd, const struct ctl_peer *peer)
{
    _cleanup_close_ int directory = -1;
    dev_t tty = 0;
    int r;

    if (!peer_is_alive(peer))
        return CONSOLE_E_GONE;
    directory = proc_open(proc_fd, peer->pid);
    if (directory < 0)
        return directory;
    r = proc_read_tty(directory, &tty);
    if (r < 0)
        return r;
    /* Alive before and after: all the while the number was its own. */
    if (!peer_is_alive(peer))
        return CONSOLE_E_GONE;
    return console_is(tty) ? 0 : CONSOLE_E_ELSEWHERE;
}
