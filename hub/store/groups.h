#pragma once

#include "hub/store/store.h"

/* Groups of terminals: what a policy is published for. A name is a token of NATS' subjects and a name of kuraban-policy(5). */

struct hub_group {
    char name[HUB_NAME_MAX + 1];
    int64_t created_us;
    uint64_t terminals;
};

enum hub_group_result {
    HUB_GROUP_OK = 0,
    HUB_GROUP_E_NAME, /* not 1 to HUB_NAME_MAX of a-z, 0-9, "-" and "_" */
    HUB_GROUP_E_EXISTS,
};

bool hub_group_name_is_good(const char *name);
/* enum hub_group_result. */
int hub_group_create(struct hub_store *s, const struct hub_actor *actor, const char *name);
/* 1 it exists, 0 it does not. */
int hub_group_exists(struct hub_store *s, const char *name);
/* By name; a negative answer ends the walk. */
int hub_group_each(struct hub_store *s, int (*each)(void *context, const struct hub_group *group), void *context);
