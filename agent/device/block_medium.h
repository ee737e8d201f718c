#pragma once

#include "device/block.h"

/* Inside device/block: one medium. */

struct block_manager {
    struct block_manager_config config;
    struct policy *policy;
    struct exit_list configured; /* from the config file */
    struct exit_list list;       /* and from the policy */
    struct decide_person *persons;
    gid_t *gids; /* behind persons */
    size_t n_persons;
    struct medium **media;
    size_t n_media, capacity;
    void (*changed)(void *context, int64_t wall_us);
    void *changed_context;
    int64_t patience_left_us; /* of the present call */
    int blind;                /* block_manager_blind() */
    bool published, swept;    /* the files in the run directory are as they should be */
    bool dirty;               /* the listener has something to hear */
};

/* What is to be seen of the device now, into a new medium with everything but its verdict. 1: it is an exit with a medium
 * in it, 0: not, -errno. An empty drive that is an exit is made read-only on the way. */
int medium_gather(struct block_manager *b, const struct exit_context *c, const char *name, struct medium *ret);
/* Takes over the facts of fresh; the same id is understood. */
void medium_refresh(struct medium *m, const struct medium *fresh);
/* Decides from the facts, reports when that changed. */
void medium_decide(struct block_manager *b, struct medium *m, int64_t wall_us);
enum {
    MEDIUM_E_GONE = 1 /* it was taken out; the caller drops it */
};
/* Read-only flag; a flag that was there and is gone is an alarm. 0 or MEDIUM_E_GONE. */
int medium_assert(struct block_manager *b, struct medium *m);
/* Permission file; a change makes udev look again. force: even without one. */
void medium_publish(struct block_manager *b, struct medium *m, bool permit, bool force);
void medium_set_mounted_as(struct medium *m, const char *type);
