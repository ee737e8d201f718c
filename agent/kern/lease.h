#pragma once

/* Does anybody, the blocked opener included, have write access to the file behind a read-only descriptor? */
enum lease_probe {
    LEASE_WRITE = 0,      /* somebody has, or it cannot be known */
    LEASE_READ,           /* nobody has */
    LEASE_NOT_APPLICABLE, /* not a regular file: leases say nothing */
};

/* Asks by taking a read lease and giving it back at once (fcntl(2) F_SETLEASE; needs CAP_LEASE). fd must be O_RDONLY. Another
 * opener for writing that comes in between waits for the release and makes the kernel send SIGIO to this process: ignore it
 * (lease_ignore_signal). */
enum lease_probe lease_probe_write(int fd);
/* Sets SIGIO, fatal by default, to ignored for the whole process. 0 or -errno. */
int lease_ignore_signal(void);
