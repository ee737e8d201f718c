/* Who is at the other end of the control socket, beyond what the kernel says of the socket. Must not: decide anything by it. */
#include "daemon/peer.h"

#include <stdint.h>

#include "audit/audit.h"
#include "base/cleanup.h"
#include "ctl/server.h"
#include "daemon/daemon.h"
#include "kern/proc.h"

int peer_login_uid(const struct daemon *d, pid_t pid, uid_t *ret)
{
    _cleanup_close_ int directory = proc_open(d->proc_fd, pid);
    uint32_t login = UINT32_MAX;
    int r = directory < 0 ? directory : proc_read_login_uid(directory, &login);

    if (r < 0)
        return r;
    *ret = login;
    return 0;
}

void peer_fill_event(const struct daemon *d, const struct ctl_peer *peer, struct audit_event *e)
{
    uid_t login = UINT32_MAX;

    e->has_uid = true;
    e->uid = peer->uid;
    e->pid = peer->pid;
    e->has_login_uid = peer_login_uid(d, peer->pid, &login) == 0 && login != UINT32_MAX;
    e->login_uid = login;
}
