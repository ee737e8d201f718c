#pragma once

#include "hub/store/store.h"
#include "policy/fleet/statement.h"

/*
 * What a person wants of one terminal: orders, and other groups. What is written here is not signed yet; the hub signs it when it runs,
 * keeps the envelope beside it and brings it to the terminal (hub/rollout).
 */

struct hub_order {
    char terminal[FLEET_ID_SIZE];
    enum fleet_order_kind kind;
    uint8_t id[FLEET_ID128_SIZE];
    int64_t asked_us, expires_us;
    const uint8_t *envelope; /* as long as the call; NULL: not signed yet */
    size_t size;
};

enum hub_command_result {
    HUB_COMMAND_OK = 0,
    HUB_COMMAND_E_TERMINAL, /* there is no such terminal, or it was revoked */
    HUB_COMMAND_E_GROUP,    /* no such group, the same twice, none, or more than FLEET_GROUPS_MAX */
    HUB_COMMAND_E_SAME,     /* it is in these groups */
};

/* In the place of an earlier one of the kind. enum hub_command_result. record false: the hub asks, no person (in the caller's transaction). */
int hub_order_add(struct hub_store *s, const struct hub_actor *actor, const char *terminal, enum fleet_order_kind kind);
int hub_order_ask(struct hub_store *s, const char *terminal, int64_t now_us);
/* Those whose time is not over, of all terminals; a negative answer ends the walk. */
int hub_order_each(struct hub_store *s, int64_t now_us, int (*each)(void *context, const struct hub_order *order),
                   void *context);
/* In the caller's transaction. */
int hub_order_signed(struct hub_store *s, const struct hub_order *order, const void *envelope, size_t size);

/* In exactly these groups from now on; the membership follows when it is signed. enum hub_command_result. groups: ended by NULL. */
int hub_terminal_move(struct hub_store *s, const struct hub_actor *actor, const char *terminal,
                      const char *const *groups);
/* Those whose membership is to be signed. */
int hub_move_each(struct hub_store *s, int (*each)(void *context, const char *terminal), void *context);
/* It was. In the caller's transaction. */
int hub_move_done(struct hub_store *s, const char *terminal);
/* Memberships that no report has shown to have come. */
int hub_membership_due(struct hub_store *s,
                       int (*each)(void *context, const char *terminal, const uint8_t *envelope, size_t size),
                       void *context);
/* Terminals that last spoke of a head of a group that is theirs no more, with the first one that is and has a policy; not those that a
 * rollout has been sent to. */
int hub_moved_each(struct hub_store *s, int (*each)(void *context, const char *terminal, const char *group),
                   void *context);
