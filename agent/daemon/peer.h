#pragma once

#include <sys/types.h>

struct audit_event;
struct ctl_peer;
struct daemon;

/* Whose login the process is part of that asks, whoever it has become since (su, sudo): audit's login uid, (uid_t)-1 when nobody logged in or the
 * kernel has no audit. 0, or -errno: it is gone, and nobody knows. */
int peer_login_uid(const struct daemon *d, pid_t pid, uid_t *ret);
/* Who asked, for a record: uid, process and login uid where it is known. */
void peer_fill_event(const struct daemon *d, const struct ctl_peer *peer, struct audit_event *e);
