#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct ctl_peer;

/* A terminal that only somebody at the machine (or at its management console) has: a virtual terminal, the kernel's console, a
 * serial or hypervisor line. Never a pseudo terminal, which is what sshd and desktops give. Numbers: the kernel's devices.txt. */
bool console_is(dev_t tty);

enum {
    CONSOLE_E_ELSEWHERE = 1, /* no controlling terminal, or one that is no console */
    CONSOLE_E_GONE,          /* the process that connected has ended, or is not known */
};
/* Does the process that connected sit at a console? 0, CONSOLE_E_*, -errno. */
int console_check(int proc_fd, const struct ctl_peer *peer);
