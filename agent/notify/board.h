#pragma once

#include <stdint.h>

struct json_t;
struct note;

/*
 * What a person is shown: which notices become a notification, which replace one, which wait or are only counted. Pure: notices and time come in,
 * notifications go out through the ops. One place is one notification on the screen; what concerns the same thing keeps its place.
 */

enum {
    BOARD_GRANTS = 8,  /* as many as one person may hold (grant/grant.h) */
    BOARD_GROUPS = 10, /* of refusals that are alike */
    BOARD_PLACES = BOARD_GRANTS + BOARD_GROUPS,
};

struct board_ops {
    /* fresh: not in place of what was shown in this place before. */
    void (*show)(void *context, unsigned place, const struct note *note, int fresh);
    void (*close)(void *context, unsigned place); /* it says nothing any more */
    void *context;
};

struct board;

/* uid: whose notices these are. */
int board_new(const struct board_ops *ops, uint32_t uid, struct board **ret);
struct board *board_free(struct board *b);

/* One notice; anything that is none, or of a newer kuraband, is passed over. now_us: of a clock that runs while the machine sleeps. */
void board_take(struct board *b, const struct json_t *notice, uint64_t now_us);
/* Shows what had to wait. */
void board_tick(struct board *b, uint64_t now_us);
/* When board_tick() has work next; UINT64_MAX: never. */
uint64_t board_next_us(const struct board *b);
