#pragma once

#include "hub/store/store.h"
#include "hub/store/tokens.h"
#include "policy/fleet/names.h"
#include "policy/fleet/nkey.h"

/* The terminals that were let in, each by the keys it made itself. */

enum {
    HUB_TERMINAL_GROUPS_MAX = 64,
};

struct hub_terminal {
    char id[HUB_TERMINAL_ID_MAX + 1];        /* "t" and the beginning of its journal key's hash */
    char name[HUB_NAME_MAX * 2 + 1];         /* for people */
    char serial[HUB_SERIAL_MAX + 1];         /* "": unknown */
    char host[FLEET_TEXT_SIZE];              /* as the machine called itself when it was enrolled */
    uint64_t token;                          /* the number of the one that let it in last */
    int64_t enrolled_us, revoked_us;         /* 0: not */
    int64_t approved_us;                     /* 0: it waits for a person */
    char successor[HUB_TERMINAL_ID_MAX + 1]; /* the same machine, enrolled anew; "": none */
    uint8_t journal_key[NKEY_RAW_SIZE];
    char wire_key[NKEY_PUBLIC_SIZE];
};

struct hub_terminal_groups {
    char names[HUB_TERMINAL_GROUPS_MAX][HUB_NAME_MAX + 1];
    const char *list[HUB_TERMINAL_GROUPS_MAX + 1]; /* ended by NULL */
};

enum hub_terminal_result {
    HUB_TERMINAL_OK = 0,
    HUB_TERMINAL_E_EXISTS,  /* its id or one of its keys is there */
    HUB_TERMINAL_E_NAME,    /* not printable, empty or too long */
    HUB_TERMINAL_E_GROUP,   /* there is no such group */
    HUB_TERMINAL_E_UNKNOWN, /* no such terminal, or none that this can be done to */
};

/* In the caller's transaction, with the token that lets it in. enum hub_terminal_result. */
int hub_terminal_add(struct hub_store *s, const struct hub_actor *actor, const struct hub_terminal *terminal,
                     const uint8_t journal_key[static NKEY_RAW_SIZE], const char *wire_key, const char *group);
/* One that is there, by its own key, was let in by another token: from then on it has this wire key, and is in this group alone. */
int hub_terminal_again(struct hub_store *s, const struct hub_actor *actor, const struct hub_terminal *terminal,
                       const char *wire_key, const char *group);
/*
 * Of all others of the same machine (serial, or host) that are neither revoked nor superseded this one is the successor, each with a record.
 * Nothing else changes for them: who says a machine's name may lie. In the caller's transaction. How many.
 */
int hub_terminal_supersede(struct hub_store *s, const struct hub_actor *actor, const struct hub_terminal *successor);

/* A person's word. enum hub_terminal_result. */
int hub_terminal_approve(struct hub_store *s, const struct hub_actor *actor, const char *id);
int hub_terminal_revoke(struct hub_store *s, const struct hub_actor *actor, const char *id);

/* 1; 0 there is none. ret_groups may be NULL. */
int hub_terminal_get(struct hub_store *s, const char *id, struct hub_terminal *ret,
                     struct hub_terminal_groups *ret_groups);
/* By name; groups: ended by NULL, as long as the call. A negative answer ends the walk. */
int hub_terminal_each(struct hub_store *s,
                      int (*each)(void *context, const struct hub_terminal *terminal, const char *const *groups),
                      void *context);
