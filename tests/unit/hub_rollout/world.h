#pragma once

#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "hub/rollout/plan.h"

/* A group of terminals in which the actions of a plan are carried out as the store would. */

enum {
    WORLD_MAX = 200,
};

#define MINUTE INT64_C(60000000)
#define START (INT64_C(1800000000) * 1000000)
#define WAIT (10 * MINUTE)

struct world {
    struct rollout_plan plan;
    struct rollout_situation s;
    struct rollout_terminal terminals[WORLD_MAX];
    char ids[WORLD_MAX][24];
    bool chosen[WORLD_MAX];
    unsigned asked; /* how many reports were asked for */
};

/* n terminals that were heard a minute ago. */
static inline void begin(struct world *w, size_t n, unsigned canaries, const unsigned *percents)
{
    *w = (struct world){.plan = {.halt_failed = 5, .halt_silent = 20, .wait_us = WAIT}};
    assert_int_equal(rollout_plan_make(canaries, false, percents, &w->plan), 0);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(w->ids[i], sizeof(w->ids[i]), "t%zu", i);
        w->terminals[i] = (struct rollout_terminal){.id = w->ids[i], .contact_us = START - MINUTE};
    }
    w->s = (struct rollout_situation){.plan = &w->plan,
                                      .state = ROLLOUT_RUNNING,
                                      .since_us = START,
                                      .seed = 7,
                                      .terminals = w->terminals,
                                      .n = n,
                                      .now_us = START,
                                      .listening_us = START - 60 * MINUTE};
}

static inline struct rollout_action next(struct world *w)
{
    struct rollout_action a = {.kind = ROLLOUT_HALT};
    size_t n = 0;

    assert_int_equal(rollout_next(&w->s, &a, w->chosen), 0);
    for (size_t i = 0; i < w->s.n; i++)
        n += w->chosen[i];
    assert_int_equal(n, a.n_chosen);
    return a;
}

static inline void send_to(struct world *w, size_t i)
{
    struct rollout_terminal *t = &w->terminals[i];

    assert_int_equal(t->sent_us, 0); /* nobody twice */
    t->sent_us = w->s.now_us;
    t->stage = w->s.stage;
    t->reachable = rollout_is_reachable(t->contact_us, w->s.now_us);
}

/* As hub/rollout/steps.c does. False: it waits. */
static inline bool act(struct world *w, const struct rollout_action *a)
{
    for (size_t i = 0; i < w->s.n; i++) {
        if (w->chosen[i] && a->kind == ROLLOUT_SEND)
            send_to(w, i);
        if (w->chosen[i] && a->kind == ROLLOUT_ASK) {
            w->terminals[i].asked_us = w->s.now_us;
            w->asked++;
        }
    }
    if (a->kind == ROLLOUT_NEXT) {
        w->s.stage++;
        w->s.since_us = w->s.now_us;
        w->s.go_on = false;
    }
    if (a->kind == ROLLOUT_PUBLISH)
        w->s.state = ROLLOUT_PUBLISHED;
    if (a->kind == ROLLOUT_HALT)
        w->s.state = ROLLOUT_HALTED;
    if (a->kind == ROLLOUT_RESTAMP) {
        w->s.since_us = w->s.now_us;
        for (size_t i = 0; i < w->s.n; i++)
            if (w->terminals[i].sent_us > w->s.now_us)
                w->terminals[i].sent_us = w->s.now_us;
    }
    return a->kind != ROLLOUT_WAIT;
}

/* Until it waits; the last action that was none. */
static inline struct rollout_action run(struct world *w)
{
    struct rollout_action last = {.kind = ROLLOUT_WAIT}, a;

    for (unsigned i = 0; i < 50; i++) {
        a = next(w);
        if (!act(w, &a))
            return last;
        last = a;
    }
    fail_msg("it does not end");
    return last;
}

static inline size_t sent(const struct world *w)
{
    size_t n = 0;

    for (size_t i = 0; i < w->s.n; i++)
        n += w->terminals[i].sent_us != 0;
    return n;
}

static inline void say(struct world *w, size_t i, enum rollout_outcome outcome)
{
    w->terminals[i].outcome = outcome;
    w->terminals[i].contact_us = w->s.now_us;
}

/* All that have it answer, and go on answering. */
static inline void all_apply(struct world *w)
{
    for (size_t i = 0; i < w->s.n; i++)
        if (w->terminals[i].sent_us != 0)
            say(w, i, ROLLOUT_APPLIED);
}

static inline size_t first_sent(const struct world *w)
{
    for (size_t i = 0; i < w->s.n; i++)
        if (w->terminals[i].sent_us != 0)
            return i;
    return w->s.n;
}

static inline void pass_time(struct world *w, int64_t us)
{
    w->s.now_us += us;
}
