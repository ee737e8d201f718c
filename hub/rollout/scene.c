/*
 * Owns: rows of the store as terminals of a plan.
 * Must not: change any.
 */
#include "hub/rollout/scene.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

void scene_done(struct scene *s)
{
    free(s->rows);
    free(s->terminals);
    free(s->chosen);
    s->rows = NULL;
    s->terminals = NULL;
    s->chosen = NULL;
    s->n = s->capacity = 0;
}

static int add_row(void *context, const struct hub_rollout_terminal *t)
{
    struct scene *s = context;

    if (s->n == s->capacity) {
        size_t capacity = s->capacity ? s->capacity * 2 : 256;
        void *rows = reallocarray(s->rows, capacity, sizeof(*s->rows));

        if (!rows)
            return -ENOMEM;
        s->rows = rows;
        s->capacity = capacity;
    }
    s->rows[s->n++] = *t;
    return 0;
}

static struct rollout_terminal terminal_of(const struct hub_rollout_terminal *t)
{
    return (struct rollout_terminal){.id = t->id,
                                     .canary = t->canary,
                                     .contact_us = t->contact_us,
                                     .outcome = t->applied  ? ROLLOUT_APPLIED
                                                : t->failed ? ROLLOUT_FAILED
                                                            : ROLLOUT_UNKNOWN,
                                     .sent_us = t->sent_us,
                                     .stage = t->stage,
                                     .reachable = t->reachable,
                                     .asked_us = t->asked_us,
                                     .forgiven = t->forgiven};
}

int scene_set(struct scene *s, struct hub_store *store)
{
    const struct hub_rollout *o = &s->rollout;
    int r;

    scene_done(s);
    r = rollout_plan_make(o->canaries, *o->canary_group != '\0', o->percents, &s->plan);
    if (r < 0)
        return -EUCLEAN;
    s->plan.halt_failed = o->halt_failed;
    s->plan.halt_silent = o->halt_silent;
    s->plan.wait_us = o->wait_us;
    r = hub_rollout_terminals(store, o, add_row, s);
    if (r < 0 || s->n == 0)
        return r;
    s->terminals = calloc(s->n, sizeof(*s->terminals));
    s->chosen = calloc(s->n, sizeof(*s->chosen));
    if (!s->terminals || !s->chosen)
        return -ENOMEM;
    for (size_t i = 0; i < s->n; i++)
        s->terminals[i] = terminal_of(&s->rows[i]);
    return 0;
}

struct rollout_situation scene_situation(const struct scene *s, int64_t now_us, int64_t listening_us)
{
    return (struct rollout_situation){.plan = &s->plan,
                                      .state = (enum rollout_state)s->rollout.state,
                                      .stage = s->rollout.stage,
                                      .since_us = s->rollout.since_us,
                                      .go_on = s->rollout.go_on,
                                      .seed = s->rollout.number,
                                      .terminals = s->terminals,
                                      .n = s->n,
                                      .now_us = now_us,
                                      .listening_us = listening_us};
}
