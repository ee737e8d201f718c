#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

/*
 * hub.db: what the centre knows. Several processes may have it open (the hub, and verbs at the command line): one writes at a time, and
 * who reads meanwhile sees what was committed before. What is committed is on disk.
 *
 * Functions return 0 or a positive answer, or: -ENOENT it is not there; -EUCLEAN it is damaged, or no such file, or holds what no version
 * wrote; -EOPNOTSUPP it is of a later version; -EBUSY somebody else wrote for too long; -ENOSPC, -EROFS, -EACCES, -ENOMEM, -EIO.
 */

struct hub_store;

enum {
    HUB_STORE_VERSION = 5,
    HUB_NAME_MAX = 64, /* bytes of a group's name, or a terminal's for people */
};

/* Makes it, where there must be none. directory is held open by the caller as long as the store lives. */
int hub_store_create(int directory, int64_t now_us, struct hub_store **ret);
/* Opens it and brings an older one up to the present in one transaction. */
int hub_store_open(int directory, int64_t now_us, struct hub_store **ret);
struct hub_store *hub_store_free(struct hub_store *s);
/* Reads every page. 0 or -EUCLEAN. */
int hub_store_check(struct hub_store *s);

int hub_store_begin(struct hub_store *s);
int hub_store_commit(struct hub_store *s);    /* rolls back on failure */
void hub_store_rollback(struct hub_store *s); /* also when nothing was begun */
/* Ends what was begun: only what came to 0 stays. r, or what committing came to. */
int hub_store_finish(struct hub_store *s, int r);

/* Another number than before: somebody else committed something since (PRAGMA data_version). Cheap. */
int hub_store_turn(struct hub_store *s, int64_t *ret);

/* Facts that are one for the whole centre: "organization", "address", "ca-pin", … 1 and a text that the caller frees; 0 it was never set. */
int hub_setting_get(struct hub_store *s, const char *name, char **ret);
/* In the caller's transaction. */
int hub_setting_set(struct hub_store *s, const char *name, const char *value);

/* Who does something, and when: it stands in the administrators' journal with whatever it changes, in one transaction. */
struct hub_actor {
    const char *name; /* "local:root" */
    int64_t now_us;
};

DEFINE_CLEANUP(struct hub_store *, hub_store_free);
