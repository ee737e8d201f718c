#pragma once

#include "gate/asker.h"

/* What one worker keeps between events. */
struct judge {
    struct view *view;
    struct askers askers;
    struct facts facts;
};

void judge_init(struct judge *j);
void judge_done(struct judge *j);
/* Decides and answers one event, closes its descriptor, records it. */
void judge_event(struct gate *g, struct judge *j, const struct queue_item *item);
