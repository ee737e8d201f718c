/*
 * Who sits at the machine. Owns the logind monitor and the list of people with their groups. Runs in the main loop only: it asks
 * the name service, which the gate's threads must never do.
 */
#include "daemon/sessions.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <systemd/sd-login.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "daemon/console.h"

enum {
    PEOPLE_MAX = 64,
    GROUPS_MAX = 1024,
    NAME_BUFFER = 16 * 1024
};

struct sessions {
    sd_login_monitor *monitor;
    sd_event_source *source;
    sessions_changed *changed;
    void *context;
    struct decide_person *people;
    size_t n_people;
};

static void free_people(struct decide_person *people, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free((gid_t *)(uintptr_t)people[i].gids);
    free(people);
}

/* Every group of uid, primary included. Who is logged in has an entry: without one the name service does not answer. */
int sessions_groups_of(uid_t uid, gid_t **ret_gids, size_t *ret_n, bool *ret_unknown)
{
    char buffer[NAME_BUFFER];
    struct passwd entry, *found = NULL;
    _cleanup_free_ gid_t *gids = NULL;
    int n = GROUPS_MAX;

    if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) != 0 || !found) {
        *ret_gids = NULL;
        *ret_n = 0;
        *ret_unknown = true;
        return 0;
    }
    gids = calloc(GROUPS_MAX, sizeof(*gids));
    if (!gids)
        return -ENOMEM;
    *ret_unknown = getgrouplist(found->pw_name, found->pw_gid, gids, &n) < 0;
    if (*ret_unknown)
        n = GROUPS_MAX; /* more groups than we take: the first ones count */
    *ret_gids = TAKE_PTR(gids);
    *ret_n = (size_t)n;
    return 0;
}

static bool has_person(const struct decide_person *people, size_t n, uid_t uid)
{
    for (size_t i = 0; i < n; i++)
        if (people[i].uid == uid)
            return true;
    return false;
}

/* By the device's number, not its name. What is not there is no console. */
static bool is_console(const char *tty)
{
    char path[PATH_MAX];
    struct stat st;
    int n = snprintf(path, sizeof(path), "/dev/%s", tty);

    return n > 0 && (size_t)n < sizeof(path) && lstat(path, &st) == 0 && S_ISCHR(st.st_mode) && console_is(st.st_rdev);
}

static bool is_set(const char *s)
{
    return s && *s;
}

bool sessions_is_here(const struct sessions_facts *f)
{
    if (!f->active || !f->local || !text_equal(f->class_, "user") || !f->state || text_equal(f->state, "closing"))
        return false;
    /* A seat may come from the environment of who calls su: on a pseudo terminal it is nobody's. */
    return is_set(f->tty) ? f->console : is_set(f->seat);
}

static bool is_person_here(const char *session)
{
    _cleanup_free_ char *class_ = NULL, *state = NULL, *seat = NULL, *tty = NULL;
    struct sessions_facts f = {.active = sd_session_is_active(session) > 0,
                               .local = sd_session_is_remote(session) == 0};
    int r;

    if (sd_session_get_class(session, &class_) < 0 || sd_session_get_state(session, &state) < 0)
        return false;
    (void)sd_session_get_seat(session, &seat); /* none: not at one */
    r = sd_session_get_tty(session, &tty);
    if (r < 0 && r != -ENODATA && r != -ENXIO)
        return false;
    f.class_ = class_;
    f.state = state;
    f.seat = seat;
    f.tty = tty;
    f.console = tty && is_console(tty);
    return sessions_is_here(&f);
}

static int collect(struct decide_person **ret_people, size_t *ret_n)
{
    char **names = NULL;
    struct decide_person *people = calloc(PEOPLE_MAX, sizeof(*people));
    size_t n = 0;
    int r;

    if (!people)
        return -ENOMEM;
    r = sd_get_sessions(&names);
    for (int i = 0; i < r && n < PEOPLE_MAX; i++) {
        uid_t uid;
        gid_t *gids = NULL;

        if (!is_person_here(names[i]) || sd_session_get_uid(names[i], &uid) < 0 || has_person(people, n, uid))
            continue;
        if (sessions_groups_of(uid, &gids, &people[n].n_gids, &people[n].groups_unknown) < 0)
            people[n].groups_unknown = true; /* no memory */
        people[n].uid = uid;
        people[n].login_uid = uid;
        people[n].gids = gids;
        n++;
    }
    for (int i = 0; i < r; i++)
        free(names[i]);
    free(names);
    *ret_people = people;
    *ret_n = n;
    return 0;
}

static bool same_people(const struct sessions *s, const struct decide_person *people, size_t n)
{
    if (s->n_people != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct decide_person *a = &s->people[i], *b = &people[i];

        if (a->uid != b->uid || a->n_gids != b->n_gids || a->groups_unknown != b->groups_unknown)
            return false;
        if (a->n_gids > 0 && memcmp(a->gids, b->gids, a->n_gids * sizeof(*a->gids)) != 0)
            return false;
    }
    return true;
}

int sessions_refresh(struct sessions *s)
{
    struct decide_person *people = NULL;
    size_t n = 0;
    int r = collect(&people, &n);
    bool same;

    if (r < 0) {
        free_people(s->people, s->n_people);
        s->people = NULL;
        s->n_people = 0;
        return r;
    }
    same = same_people(s, people, n);
    free_people(s->people, s->n_people);
    s->people = people;
    s->n_people = n;
    return same ? 0 : 1;
}

const struct decide_person *sessions_people(const struct sessions *s, size_t *ret_n)
{
    *ret_n = s->n_people;
    return s->people;
}

static int on_monitor(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct sessions *s = userdata;

    (void)source;
    (void)fd;
    (void)events;
    (void)sd_login_monitor_flush(s->monitor);
    if (sessions_refresh(s) != 0)
        s->changed(s->context);
    return 0;
}

int sessions_new(sd_event *loop, sessions_changed *changed, void *context, struct sessions **ret)
{
    struct sessions *s = calloc(1, sizeof(*s));
    int r = 0;

    if (!s)
        return -ENOMEM;
    s->changed = changed;
    s->context = context;
    /* -ENOENT: no logind here, so nobody to watch. */
    if (sd_login_monitor_new(NULL, &s->monitor) >= 0)
        r = sd_event_add_io(loop, &s->source, sd_login_monitor_get_fd(s->monitor), EPOLLIN, on_monitor, s);
    if (r < 0) {
        (void)sessions_free(s);
        return r;
    }
    (void)sessions_refresh(s);
    *ret = s;
    return 0;
}

struct sessions *sessions_free(struct sessions *s)
{
    if (!s)
        return NULL;
    sd_event_source_disable_unref(s->source);
    if (s->monitor)
        (void)sd_login_monitor_unref(s->monitor);
    free_people(s->people, s->n_people);
    free(s);
    return NULL;
}
