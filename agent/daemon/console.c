/*
 * Owns: whether somebody asks from the console. The peer's process is held by the pidfd that was taken when it connected: a number
 * that another process has got since never counts.
 */
#include "daemon/console.h"

#include <poll.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "ctl/server.h"
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

/* A pidfd is readable once its process has ended. */
static bool is_alive(int pidfd)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};

    return pidfd >= 0 && poll(&p, 1, 0) == 0;
}

int console_check(int proc_fd, const struct ctl_peer *peer)
{
    _cleanup_close_ int directory = -1;
    dev_t tty = 0;
    int r;

    if (!is_alive(peer->pidfd))
        return CONSOLE_E_GONE;
    directory = proc_open(proc_fd, peer->pid);
    if (directory < 0)
        return directory;
    r = proc_read_tty(directory, &tty);
    if (r < 0)
        return r;
    /* Alive before and after: all the while the number was its own. */
    if (!is_alive(peer->pidfd))
        return CONSOLE_E_GONE;
    return console_is(tty) ? 0 : CONSOLE_E_ELSEWHERE;
}
