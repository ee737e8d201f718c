#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "ctl/server.h"
#include "grant/grant.h"

struct audit_event;
struct daemon;

/* What people are told unasked: their own refusals and unlockings, to those of their programs that listen (docs/PROTOCOL.control.md, NOTICES).
 * Main thread only; with nobody listening it costs nothing. */
struct notices;

int notices_start(struct daemon *d);
void notices_stop(struct daemon *d);

/* A recorded event: what concerns people is told to them, folded. Safe inside the managers' callbacks, like the next ones. */
void notices_offer(struct daemon *d, const struct audit_event *e);

void notices_grant_given(struct daemon *d, const struct grant *g);
void notices_grant_ends_soon(struct daemon *d, const struct grant *g);
/* Meanwhile what is refused as locked is not told: it is because a permission has ended, and that is told. Folded, it would come when the
 * person has unlocked it again. */
void notices_mute_locked(struct daemon *d, bool muted);
/* by: who asked for it; NULL nobody. */
void notices_grant_ended(struct daemon *d, const struct grant *g, enum grant_end why, const uid_t *by);

/* The verb. */
ctl_handler control_on_notices;
