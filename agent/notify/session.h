#pragma once

struct sd_event;

/* The login session this process belongs to: what is started by a desktop and has no window does not end with it by itself. */
struct session;

/* Calls over when the session is closing or gone. 0, also where this process is of no session (the person's systemd ends it then); -errno. */
int session_new(struct sd_event *loop, void (*over)(void *context), void *context, struct session **ret);
struct session *session_free(struct session *s);
