/*
 * Owns: which terminals come next, when a stage has shown enough, and when it has shown too much.
 * Must not: read a clock, the store or the wire.
 */
#include "hub/rollout/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

const char *rollout_state_name(enum rollout_state state)
{
    static const char *const names[] = {
        [ROLLOUT_RUNNING] = "running",
        [ROLLOUT_HALTED] = "halted",
        [ROLLOUT_PUBLISHED] = "published",
        [ROLLOUT_REPLACED] = "replaced",
    };

    return (size_t)state < ELEMENTS(names) && names[state] ? names[state] : "unknown";
}

const char *rollout_reason_name(enum rollout_reason reason)
{
    static const char *const names[] = {
        [ROLLOUT_REASON_NONE] = "",         [ROLLOUT_REASON_PERSON] = "person",   [ROLLOUT_REASON_FAILED] = "failed",
        [ROLLOUT_REASON_SILENT] = "silent", [ROLLOUT_REASON_EXPIRED] = "expired", [ROLLOUT_REASON_REFUSED] = "refused",
    };

    return (size_t)reason < ELEMENTS(names) ? names[reason] : "unknown";
}

int rollout_plan_make(unsigned canaries, bool canary_group, const unsigned *percents, struct rollout_plan *ret)
{
    struct rollout_plan p = {0};
    unsigned last = 0;

    if (canaries > 0)
        p.stages[p.n_stages++] = (struct rollout_stage){ROLLOUT_STAGE_CANARIES, canaries};
    if (canary_group)
        p.stages[p.n_stages++] = (struct rollout_stage){ROLLOUT_STAGE_CANARY_GROUP, 0};
    for (; percents && *percents; percents++) {
        if (*percents <= last || *percents >= ROLLOUT_PERCENT_MAX || p.n_stages == ROLLOUT_STAGES_MAX - 1)
            return -EINVAL;
        last = *percents;
        p.stages[p.n_stages++] = (struct rollout_stage){ROLLOUT_STAGE_PERCENT, last};
    }
    p.stages[p.n_stages++] = (struct rollout_stage){ROLLOUT_STAGE_ALL, 0};
    memcpy(ret->stages, p.stages, sizeof(p.stages));
    ret->n_stages = p.n_stages;
    return 0;
}

/* --- what a terminal shows --- */

bool rollout_is_reachable(int64_t contact_us, int64_t now_us)
{
    return contact_us != 0 && contact_us > now_us - ROLLOUT_CONTACT_US;
}

/* From when its wait counts: while the hub did not listen, it could not be heard. */
static int64_t watched_since(const struct rollout_situation *s, const struct rollout_terminal *t)
{
    return t->sent_us > s->listening_us ? t->sent_us : s->listening_us;
}

static bool is_over(const struct rollout_situation *s, const struct rollout_terminal *t)
{
    return s->now_us - watched_since(s, t) >= s->plan->wait_us;
}

/* Heard so long after it was sent the policy that the policy could not cut it off unseen. */
static bool is_heard(const struct rollout_situation *s, const struct rollout_terminal *t)
{
    return t->contact_us >= t->sent_us + s->plan->wait_us / 2;
}

static bool is_silent(const struct rollout_situation *s, const struct rollout_terminal *t)
{
    return t->reachable && !is_heard(s, t) && is_over(s, t);
}

/* One that answers, and still goes by another policy after all that time, has not taken it. */
static bool has_failed(const struct rollout_situation *s, const struct rollout_terminal *t)
{
    return t->outcome == ROLLOUT_FAILED || (t->outcome == ROLLOUT_UNKNOWN && is_heard(s, t) && is_over(s, t));
}

struct rollout_counts rollout_count(const struct rollout_situation *s, size_t stage)
{
    struct rollout_counts c = {0};

    for (size_t i = 0; i < s->n; i++) {
        const struct rollout_terminal *t = &s->terminals[i];

        if (t->sent_us == 0 || (stage < s->plan->n_stages && t->stage != stage))
            continue;
        c.terminals++;
        c.reachable += t->reachable || t->contact_us >= t->sent_us;
        c.applied += t->outcome == ROLLOUT_APPLIED;
        c.failed += !t->forgiven && has_failed(s, t);
        c.silent += !t->forgiven && is_silent(s, t);
    }
    return c;
}

/* --- questions, in the order in which they are asked --- */

static bool lies_ahead(const struct rollout_situation *s)
{
    if (s->since_us > s->now_us)
        return true;
    for (size_t i = 0; i < s->n; i++)
        if (s->terminals[i].sent_us > s->now_us)
            return true;
    return false;
}

/* Of any stage so far: one that comes back late may be the one that shows it. */
static enum rollout_reason reason_to_halt(const struct rollout_situation *s)
{
    for (size_t stage = 0; stage <= s->stage; stage++) {
        const struct rollout_counts c = rollout_count(s, stage);

        if (c.failed * 100 > (size_t)s->plan->halt_failed * c.reachable)
            return ROLLOUT_REASON_FAILED;
        if (c.silent * 100 > (size_t)s->plan->halt_silent * c.reachable)
            return ROLLOUT_REASON_SILENT;
    }
    return ROLLOUT_REASON_NONE;
}

/* FNV-1a: spreads, no more. */
static uint64_t mixed(uint64_t seed, const char *id)
{
    uint64_t h = UINT64_C(14695981039346656037) ^ seed;

    for (; *id; id++)
        h = (h ^ (unsigned char)*id) * UINT64_C(1099511628211);
    return h ^ h >> 29;
}

struct candidate {
    size_t at;
    int64_t contact_us; /* the same for all where it does not matter */
    uint64_t order;
};

static int by_rank(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->contact_us != y->contact_us)
        return x->contact_us > y->contact_us ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order ? 1 : x->at < y->at ? -1 : x->at > y->at;
}

/* How many shall have it when the stage has begun. */
static size_t wanted(const struct rollout_situation *s, const struct rollout_stage *stage)
{
    size_t n = 0;

    if (stage->kind == ROLLOUT_STAGE_CANARIES)
        return stage->n < s->n ? stage->n : s->n;
    if (stage->kind == ROLLOUT_STAGE_PERCENT)
        return (s->n * stage->n + 99) / 100;
    for (size_t i = 0; i < s->n; i++)
        n += s->terminals[i].canary || s->terminals[i].sent_us != 0;
    return n;
}

static int choose(const struct rollout_situation *s, size_t *ret_n, bool *chosen)
{
    const struct rollout_stage *stage = &s->plan->stages[s->stage];
    _cleanup_free_ struct candidate *candidates = NULL;
    size_t sent = 0, n = 0, want = wanted(s, stage);

    for (size_t i = 0; i < s->n; i++)
        sent += s->terminals[i].sent_us != 0;
    *ret_n = 0;
    if (sent >= want)
        return 0;
    candidates = calloc(s->n, sizeof(*candidates));
    if (!candidates)
        return -ENOMEM;
    for (size_t i = 0; i < s->n; i++) {
        const struct rollout_terminal *t = &s->terminals[i];

        if (t->sent_us == 0 && (stage->kind != ROLLOUT_STAGE_CANARY_GROUP || t->canary))
            candidates[n++] =
                (struct candidate){i, stage->kind == ROLLOUT_STAGE_CANARIES ? t->contact_us : 0, mixed(s->seed, t->id)};
    }
    qsort(candidates, n, sizeof(*candidates), by_rank);
    for (; *ret_n < n && sent + *ret_n < want; ++*ret_n)
        chosen[candidates[*ret_n].at] = true;
    return 0;
}

/* Those that were not heard for half of their wait; each once in it. */
static size_t to_ask(const struct rollout_situation *s, bool *chosen)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        const struct rollout_terminal *t = &s->terminals[i];
        const int64_t since = watched_since(s, t);

        if (t->sent_us == 0 || t->stage != s->stage || is_heard(s, t) || t->asked_us >= since + s->plan->wait_us / 2 ||
            s->now_us - since < s->plan->wait_us / 2)
            continue;
        chosen[i] = true;
        n++;
    }
    return n;
}

/* Nothing more is to be learned from it now: it has answered, its wait is over, or it is switched off. */
static bool is_settled(const struct rollout_situation *s, const struct rollout_terminal *t)
{
    if (is_over(s, t) || t->outcome == ROLLOUT_FAILED)
        return true;
    return t->outcome == ROLLOUT_APPLIED ? is_heard(s, t) : !t->reachable && t->contact_us < t->sent_us;
}

/* Has it shown what it can show? A canary that nobody could apply has shown nothing: then a person decides. */
static bool has_shown(const struct rollout_situation *s)
{
    const struct rollout_counts c = rollout_count(s, s->stage);

    if (c.terminals == 0)
        return true;
    if (c.applied == 0 || s->now_us - s->since_us < s->plan->wait_us)
        return false;
    for (size_t i = 0; i < s->n; i++) {
        const struct rollout_terminal *t = &s->terminals[i];

        if (t->sent_us != 0 && t->stage == s->stage && !is_settled(s, t))
            return false;
    }
    return true;
}

int rollout_next(const struct rollout_situation *s, struct rollout_action *ret, bool *chosen)
{
    struct rollout_action a = {.kind = ROLLOUT_WAIT};
    int r = 0;

    if (s->n > 0)
        memset(chosen, 0, s->n * sizeof(*chosen));
    if (s->state != ROLLOUT_RUNNING || s->stage >= s->plan->n_stages) {
        *ret = a;
        return 0;
    }
    if (lies_ahead(s))
        a.kind = ROLLOUT_RESTAMP;
    else if ((a.reason = reason_to_halt(s)) != ROLLOUT_REASON_NONE)
        a.kind = ROLLOUT_HALT;
    else if (s->plan->stages[s->stage].kind == ROLLOUT_STAGE_ALL)
        a.kind = ROLLOUT_PUBLISH;
    else if (s->go_on)
        a.kind = ROLLOUT_NEXT;
    else
        r = choose(s, &a.n_chosen, chosen);
    if (r < 0)
        return r;
    if (a.n_chosen > 0)
        a.kind = ROLLOUT_SEND;
    else if (a.kind == ROLLOUT_WAIT && (a.n_chosen = to_ask(s, chosen)) > 0)
        a.kind = ROLLOUT_ASK;
    else if (a.kind == ROLLOUT_WAIT && has_shown(s))
        a.kind = ROLLOUT_NEXT;
    *ret = a;
    return 0;
}
