#pragma once

#include "hub/rollout/plan.h"
#include "hub/store/rollouts.h"

/* A rollout of the store as plan.c wants it. */
struct scene {
    struct hub_rollout rollout;
    struct rollout_plan plan;
    struct hub_rollout_terminal *rows;
    struct rollout_terminal *terminals;
    bool *chosen;
    size_t n, capacity;
};

/* What it shows now; s->rollout is the caller's to set before. 0, -EUCLEAN, … */
int scene_set(struct scene *s, struct hub_store *store);
void scene_done(struct scene *s);
/* Borrows from the scene. */
struct rollout_situation scene_situation(const struct scene *s, int64_t now_us, int64_t listening_us);
