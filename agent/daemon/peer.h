#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct audit_event;
struct ctl_peer;
struct daemon;

/* Is the process still there that connected? Another one may hold the connection now. */
bool peer_is_alive(const struct ctl_peer *peer);
/* Whose login the process is part of that connected, whoever it has become since (su, sudo): audit's login uid, (uid_t)-1 when nobody logged in or
 * the kernel has no audit. 0, or -errno: it is gone, and nobody knows. */
int peer_login_uid(int proc_fd, const struct ctl_peer *peer, uid_t *ret);
/* Who asked, for a record: uid, process and login uid where it is known. */
void peer_fill_event(const struct daemon *d, const struct ctl_peer *peer, struct audit_event *e);
