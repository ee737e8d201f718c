#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "decide/decide.h"

struct sd_event;

/* The people at the machine: users of the active local sessions at a seat or a console (console_is()), as systemd-logind knows them. Rules with
 * `who` ask for them. Where no logind runs nobody is there. */
struct sessions;

typedef void sessions_changed(void *context);

/* Calls changed whenever the set of people may have changed. */
int sessions_new(struct sd_event *loop, sessions_changed *changed, void *context, struct sessions **ret);
struct sessions *sessions_free(struct sessions *s);

/* Reads the sessions again. 1 when the people differ from before, 0 when not, -errno (then nobody is there). */
int sessions_refresh(struct sessions *s);
/* Every group of uid by the name service, whether or not they are here; the caller frees. 0, with *ret_unknown when there may be more, or
 * -ENOMEM. Not for the gate's threads. */
int sessions_groups_of(uid_t uid, gid_t **ret_gids, size_t *ret_n, bool *ret_unknown);

/* What logind says of a session, and what its terminal is. Zeroed: nobody's. */
struct sessions_facts {
    bool active, local;
    const char *class_, *state;
    const char *seat, *tty; /* NULL or "": none */
    bool console;           /* the tty is one */
};
/* Is its user at the machine? logind calls every session without a seat active, also one of su or of a remote desktop, and one that has ended
 * while a program of it stays. */
bool sessions_is_here(const struct sessions_facts *f);

/* Valid until the next refresh. */
const struct decide_person *sessions_people(const struct sessions *s, size_t *ret_n);
