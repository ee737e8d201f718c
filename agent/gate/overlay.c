/*
 * Can a guarded file be read around the gate, through an overlay mount?
 *
 * Owns: a child in a mount namespace of its own that tries it on a canary. Must not: leave a mount behind (the namespace dies with the
 * child), touch a store.
 * Before Linux 6.5 (measured on 6.1) an overlay opens its lower files without any event, and any user can mount one in a user namespace.
 * The child mounts as root without a user namespace: the driver is the same, and user namespaces may be off.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gate/gate.h"
#include "gate/internal.h"
#include "gate/selftest.h"

enum {
    PROBE_IMPOSSIBLE = 10,
    PROBE_REFUSED,
    PROBE_OPEN,
    PROBE_FAILED
};

/* The run directory itself is the lower layer, so that the marked inode is what the overlay opens; a tmpfs over a directory in it is
 * the place for the rest. Into it before the new namespace: unshare moves the working directory along, not descriptors. */
static int probe(int run_fd)
{
    char options[128], canary[160];

    if (fchdir(run_fd) < 0 || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("kuraban", SELFTEST_PROBE_DIRECTORY, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ||
        mkdir(SELFTEST_PROBE_DIRECTORY "/l", 0700) < 0 || mkdir(SELFTEST_PROBE_DIRECTORY "/m", 0700) < 0)
        return PROBE_FAILED;
    (void)snprintf(options, sizeof(options), "lowerdir=.:" SELFTEST_PROBE_DIRECTORY "/l");
    if (mount("overlay", SELFTEST_PROBE_DIRECTORY "/m", "overlay", MS_RDONLY, options) < 0)
        return errno == ENODEV ? PROBE_IMPOSSIBLE : PROBE_FAILED;
    (void)snprintf(canary, sizeof(canary), SELFTEST_PROBE_DIRECTORY "/m/%s", selftest_canary_name(GATE_STORES));
    if (open(canary, O_RDONLY | O_CLOEXEC) >= 0)
        return PROBE_OPEN;
    return errno == EPERM ? PROBE_REFUSED : PROBE_FAILED;
}

enum gate_overlay gate_overlay_probe(struct gate *g, int deadline_ms)
{
    pid_t child;
    int status;

    if (mkdirat(g->options.run_fd, SELFTEST_PROBE_DIRECTORY, 0700) < 0 && errno != EEXIST)
        return GATE_OVERLAY_UNKNOWN;
    child = selftest_child(g->options.run_fd, probe);
    if (child < 0)
        return GATE_OVERLAY_UNKNOWN;
    status = selftest_wait(child, deadline_ms);
    (void)unlinkat(g->options.run_fd, SELFTEST_PROBE_DIRECTORY, AT_REMOVEDIR);
    switch (status) {
    case PROBE_IMPOSSIBLE:
        return GATE_OVERLAY_IMPOSSIBLE;
    case PROBE_REFUSED:
        return GATE_OVERLAY_REFUSED;
    case PROBE_OPEN:
        return GATE_OVERLAY_OPEN;
    default:
        return GATE_OVERLAY_UNKNOWN;
    }
}
