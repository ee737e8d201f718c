/*
 * Who is at the other end of the control socket, beyond what the kernel says of the socket. The process is held by the pidfd that was taken when it
 * connected: a number that another process has got since never counts. Must not: decide anything by it.
 */
#include "daemon/peer.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>

#include "audit/audit.h"
#include "base/cleanup.h"
#include "ctl/server.h"
#include "daemon/daemon.h"
#include "kern/proc.h"

/* A pidfd is readable once its process has ended. */
bool peer_is_alive(const struct ctl_peer *peer)
{
    struct pollfd p = {.fd = peer->pidfd, .events = POLLIN};

    return peer->pidfd >= 0 && poll(&p, 1, 0) == 0;
}

int peer_login_uid(int proc_fd, const struct ctl_peer *peer, uid_t *ret)
{
    _cleanup_close_ int directory = -1;
    uint32_t login = UINT32_MAX;
    int r;

    if (!peer_is_alive(peer))
        return -ESRCH;
    directory = proc_open(proc_fd, peer->pid);
    r = directory < 0 ? directory : proc_read_login_uid(directory, &login);
    if (r < 0)
        return r;
    /* Alive before and after: all the while the number was its own. */
    if (!peer_is_alive(peer))
        return -ESRCH;
    *ret = login;
    return 0;
}

void peer_fill_event(const struct daemon *d, const struct ctl_peer *peer, struct audit_event *e)
{
    uid_t login = UINT32_MAX;

    e->has_uid = true;
    e->uid = peer->uid;
    e->pid = peer->pid;
    e->has_login_uid = peer_login_uid(d->proc_fd, peer, &login) == 0 && login != UINT32_MAX;
    e->login_uid = login;
}
