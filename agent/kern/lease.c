/*
 * The only question that tells a write-open from a read-open: events carry no flags.
 *
 * Owns: one fcntl pair on a descriptor of the caller. Must not: keep a lease past its return (an opener would wait for it), close fd.
 * Unknown is "write": filesystems without leases fail on the safe side.
 */
#include "kern/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

enum lease_probe lease_probe_write(int fd)
{
    struct stat st;

    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
        return fcntl(fd, F_SETLEASE, F_UNLCK) == 0 ? LEASE_READ : LEASE_WRITE;
    if (errno == EAGAIN)
        return LEASE_WRITE;
    /* Only the failing path pays for the stat: regular files are what is opened. */
    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        return LEASE_NOT_APPLICABLE;
    return LEASE_WRITE;
}

int lease_ignore_signal(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    return sigaction(SIGIO, &ignore, NULL) < 0 ? -errno : 0;
}
