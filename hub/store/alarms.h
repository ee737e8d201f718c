#pragma once

#include "hub/store/store.h"
#include "hub/store/tokens.h"

/*
 * What an administrator must look at. Of one kind there is one open alarm for one terminal: what comes again is counted.
 * Kinds are stable names ("journal-gap", …): docs/HUB.md has the list.
 */

enum {
    HUB_ALARM_KIND_MAX = 32,     /* bytes */
    HUB_ALARM_DETAILS_MAX = 512, /* bytes; what is longer is not kept */
};

struct hub_alarm {
    uint64_t number;
    char kind[HUB_ALARM_KIND_MAX + 1];
    char terminal[HUB_TERMINAL_ID_MAX + 1]; /* "": of none */
    int64_t first_us, last_us, closed_us;   /* closed 0: open */
    uint64_t count;
    char details[HUB_ALARM_DETAILS_MAX + 1]; /* of the first time: JSON, or "" */
    char closed_by[HUB_NAME_MAX * 2 + 1];
};

/* In the caller's transaction, or in one of its own. terminal, details: NULL for none. 1: it is new; 0: one more of an open one. */
int hub_alarm_raise(struct hub_store *s, int64_t now_us, const char *kind, const char *terminal, const char *details);
/* 1 there is an open one, 0 there is none. */
int hub_alarm_is_open(struct hub_store *s, const char *kind, const char *terminal);
/* It is over by itself. How many were open: 0 or 1. */
int hub_alarm_over(struct hub_store *s, int64_t now_us, const char *kind, const char *terminal);
/* An administrator has seen to it. 1, or 0: no such open alarm. */
int hub_alarm_close(struct hub_store *s, const struct hub_actor *actor, uint64_t number);
/* The newest first; open ones only, or all. A negative answer ends the walk. */
int hub_alarm_each(struct hub_store *s, bool all, int (*each)(void *context, const struct hub_alarm *alarm),
                   void *context);
