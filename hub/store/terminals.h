#pragma once

#include "hub/store/store.h"
#include "hub/store/tokens.h"
#include "policy/fleet/nkey.h"

/* The terminals that were let in, each by the keys it made itself. */

struct hub_terminal {
    char id[HUB_TERMINAL_ID_MAX + 1]; /* "t" and the beginning of its journal key's hash */
    char name[HUB_NAME_MAX * 2 + 1];  /* for people */
    char serial[HUB_SERIAL_MAX + 1];  /* "": unknown */
    int64_t enrolled_us, revoked_us;  /* 0: not */
};

enum hub_terminal_result {
    HUB_TERMINAL_OK = 0,
    HUB_TERMINAL_E_EXISTS, /* its id or one of its keys is there */
    HUB_TERMINAL_E_NAME,   /* not printable, empty or too long */
    HUB_TERMINAL_E_GROUP,  /* there is no such group */
};

/* In the caller's transaction, with the token that lets it in. enum hub_terminal_result. */
int hub_terminal_add(struct hub_store *s, const struct hub_actor *actor, const struct hub_terminal *terminal,
                     const uint8_t journal_key[static NKEY_RAW_SIZE], const char *wire_key, const char *group);
/* By name; groups: ended by NULL, as long as the call. A negative answer ends the walk. */
int hub_terminal_each(struct hub_store *s,
                      int (*each)(void *context, const struct hub_terminal *terminal, const char *const *groups),
                      void *context);
