/*
 * Owns: the question whether the session is over, as systemd-logind answers it. Must not: take a machine without logind for one whose sessions
 * have ended.
 */
#include "notify/session.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <systemd/sd-event.h>
#include <systemd/sd-login.h>

#include "base/cleanup.h"
#include "base/text.h"

struct session {
    char *id;
    sd_login_monitor *monitor;
    struct sd_event_source *source;
    void (*over)(void *context);
    void *context;
};

static bool is_over(const char *id)
{
    _cleanup_free_ char *state = NULL;
    int r = sd_session_get_state(id, &state);

    return r == -ENXIO || (r >= 0 && text_equal(state, "closing"));
}

static int on_change(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct session *s = userdata;

    (void)source;
    (void)fd;
    (void)events;
    (void)sd_login_monitor_flush(s->monitor);
    if (is_over(s->id))
        s->over(s->context);
    return 0;
}

int session_new(sd_event *loop, void (*over)(void *context), void *context, struct session **ret)
{
    struct session *s = calloc(1, sizeof(*s));
    int r = 0;

    if (!s)
        return -ENOMEM;
    s->over = over;
    s->context = context;
    if (sd_pid_get_session(0, &s->id) >= 0 && sd_login_monitor_new("session", &s->monitor) >= 0)
        r = sd_event_add_io(loop, &s->source, sd_login_monitor_get_fd(s->monitor), EPOLLIN, on_change, s);
    if (r < 0) {
        (void)session_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

struct session *session_free(struct session *s)
{
    if (!s)
        return NULL;
    sd_event_source_disable_unref(s->source);
    if (s->monitor)
        (void)sd_login_monitor_unref(s->monitor);
    free(s->id);
    free(s);
    return NULL;
}
