#pragma once

#include "audit/audit.h"

/*
 * Folds repetition: of events that say the same, the first `burst` of a window are passed on, the rest are counted and come
 * out as one event with the count when the window ends. Pure: time is what the caller says. Nothing is ever dropped: when the
 * table is full, the entry that was quiet longest is written out to make room.
 */

struct fold;

struct fold_limits {
    uint32_t burst;     /* passed on per window; 0 = 10 */
    uint64_t window_us; /* 0 = 10 s */
    size_t entries;     /* different events remembered; 0 = 256 */
    /* Opens of one person that are passed on per window, refused and allowed ones (flood.h); 0 = 300 and 3000. */
    uint32_t refused, allowed;
    uint32_t requests; /* refused requests of one person; 0 = 30 */
};

/* Takes an event to be recorded: >= 0, or -errno which is forwarded; a counted event then stays counted. */
typedef int (*fold_emit)(void *context, const struct audit_event *e);

int fold_new(const struct fold_limits *limits, fold_emit emit, void *context, struct fold **ret);
struct fold *fold_free(struct fold *f); /* what is still counted is lost: fold_flush first */

/* FOLD_PASS: the caller records it; FOLD_HELD: counted, it comes out later. What must make room or whose window has ended is
 * emitted first. */
enum {
    FOLD_PASS = 0,
    FOLD_HELD = 1
};
int fold_offer(struct fold *f, const struct audit_event *e, uint64_t now_us);
/* For one that holds more than the event: the same are not folded, but past a person's limit they are counted like others. */
int fold_offer_whole(struct fold *f, const struct audit_event *e, uint64_t now_us);
/* Emits what windows that ended by now_us hold. */
int fold_expire(struct fold *f, uint64_t now_us);
/* Emits everything held. */
int fold_flush(struct fold *f);
/* When fold_expire has work next; UINT64_MAX when nothing is held. */
uint64_t fold_next_us(const struct fold *f);
