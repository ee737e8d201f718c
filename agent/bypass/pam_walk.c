/*
 * Owns: following every answer of every module through a stack. All goes forward, so it ends. Must not: know files or services.
 *
 * A state is what libpam has in hand before a module: its impression, whether its status is success, and for each substack what was
 * in hand when it began. Ways on which pam_kuraban.so has said yes are not followed: whatever they end in, the code was given.
 */
#include "bypass/pam_walk.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

enum {
    STATES_MAX = 16384,
    STATES_AT_MAX = 256, /* of one place; a stack that anybody can follow has a handful */
    EDGES_MAX = STATES_MAX * PAM_STACK_RETURNS,
    NO_STATE = UINT32_MAX,
    BITS = 4, /* of one hand */
};

enum impression {
    UNDECIDED = 0,
    POSITIVE,
    NEGATIVE
};

struct hand {
    enum impression impression;
    bool success; /* status is PAM_SUCCESS */
};

struct state {
    size_t at; /* the next module, or the stack's end */
    struct hand hand;
    uint64_t saved; /* hands by level */
    unsigned level; /* of the module before */
    uint32_t next;  /* with the same `at` */
    bool opens;     /* success can be reached from here */
};

struct edge {
    uint32_t from, to;
    enum pam_way way; /* 0: nothing is passed by */
};

struct walk {
    const struct pam_stack *stack;
    const enum pam_can *can;
    struct state *states;
    size_t n_states, room_states;
    struct edge *edges;
    size_t n_edges, room_edges;
    uint32_t *first; /* state by place */
    bool resets;     /* only then it matters what was in hand before a substack */
};

static uint64_t pack(const struct hand *h)
{
    return (uint64_t)h->impression | (h->success ? 4U : 0U);
}

static struct hand unpack(uint64_t bits)
{
    return (struct hand){(enum impression)(bits & 3), bits & 4};
}

/* What was saved for deeper levels is saved anew before it is used. */
static uint64_t without_deeper(uint64_t saved, unsigned level)
{
    return saved & ((UINT64_C(1) << ((level + 1) * BITS)) - 1);
}

static uint64_t with_saved(uint64_t saved, unsigned level, const struct hand *h)
{
    return without_deeper(saved, level - 1) | pack(h) << (level * BITS);
}

/* Room for one more in an array that doubles. */
static int make_room(void **array, size_t n, size_t *room, size_t size, size_t maximum)
{
    size_t wanted = *room ? *room * 2 : 64;
    void *grown;

    if (n < *room)
        return 0;
    if (n >= maximum)
        return -E2BIG;
    grown = reallocarray(*array, wanted, size);
    if (!grown)
        return -ENOMEM;
    *array = grown;
    *room = wanted;
    return 0;
}

static int find_state(struct walk *w, const struct state *wanted, uint32_t *ret)
{
    unsigned n = 0;
    int r;

    for (uint32_t i = w->first[wanted->at]; i != NO_STATE; i = w->states[i].next, n++) {
        const struct state *s = &w->states[i];

        if (s->saved == wanted->saved && s->level == wanted->level && pack(&s->hand) == pack(&wanted->hand)) {
            *ret = i;
            return 0;
        }
    }
    if (n >= STATES_AT_MAX)
        return -E2BIG;
    r = make_room((void **)&w->states, w->n_states, &w->room_states, sizeof(*w->states), STATES_MAX);
    if (r < 0)
        return r;
    w->states[w->n_states] = *wanted;
    w->states[w->n_states].next = w->first[wanted->at];
    *ret = w->first[wanted->at] = (uint32_t)w->n_states++;
    return 0;
}

static int add_edge(struct walk *w, uint32_t from, const struct state *to, enum pam_way way)
{
    uint32_t target = NO_STATE;
    int r = find_state(w, to, &target);

    if (r < 0)
        return r;
    /* The answers of one module mostly come to the same. */
    for (size_t i = w->n_edges; i > 0 && w->edges[i - 1].from == from; i--)
        if (w->edges[i - 1].to == target && w->edges[i - 1].way == way)
            return 0;
    r = make_room((void **)&w->edges, w->n_edges, &w->room_edges, sizeof(*w->edges), EDGES_MAX);
    if (r < 0)
        return r;
    w->edges[w->n_edges++] = (struct edge){from, target, way};
    return 0;
}

/* Where a jump over count entries from at goes on; a substack counts as one. *ret_left: how many there were too few. */
static size_t jump(const struct pam_stack *s, size_t at, int count, int *ret_left)
{
    unsigned level = s->modules[at].level;

    while (at + 1 < s->n && s->modules[at + 1].level >= level && count > 0) {
        do
            at++;
        while (at + 1 < s->n && s->modules[at + 1].level > level);
        count--;
    }
    *ret_left = count;
    return at + 1;
}

/* Behind the substack, or at the end. */
static size_t leave(const struct pam_stack *s, size_t at)
{
    unsigned level = s->modules[at].level;

    while (at + 1 < s->n && s->modules[at + 1].level >= level)
        at++;
    return at + 1;
}

static void negative(struct hand *h)
{
    if (h->impression != NEGATIVE)
        *h = (struct hand){NEGATIVE, false};
}

/* One answer of the module at s->at. */
static void step(const struct pam_stack *stack, int answer, struct state *s)
{
    const struct pam_module *m = &stack->modules[s->at];
    struct hand *h = &s->hand;
    int action = m->actions[answer], left = 0;
    size_t next = s->at + 1;

    switch (action) {
    case PAM_ACTION_RESET:
        *h = unpack(s->saved >> (m->level * BITS));
        break;
    case PAM_ACTION_OK:
    case PAM_ACTION_DONE:
        if (h->impression == UNDECIDED || (h->impression == POSITIVE && h->success))
            *h = (struct hand){POSITIVE, answer == PAM_STACK_SUCCESS};
        if (h->impression == POSITIVE && action == PAM_ACTION_DONE)
            next = leave(stack, s->at);
        break;
    case PAM_ACTION_BAD:
    case PAM_ACTION_DIE:
        negative(h);
        if (action == PAM_ACTION_DIE)
            next = leave(stack, s->at);
        break;
    case PAM_ACTION_IGNORE:
        break;
    default:
        next = jump(stack, s->at, action, &left);
        if (left > 0)
            *h = (struct hand){NEGATIVE, false}; /* "bad jump in stack" */
    }
    s->at = next;
}

static bool may_answer(enum pam_can can, int answer)
{
    switch (can) {
    case PAM_CAN_ALL:
        return true;
    case PAM_CAN_FAIL:
        return answer == PAM_STACK_AUTH_ERR || answer == PAM_STACK_MODULE_UNKNOWN || answer == PAM_STACK_PERM_DENIED;
    case PAM_CAN_SUCCEED:
        return answer == PAM_STACK_SUCCESS;
    case PAM_CAN_CODE:
        /* PAM_IGNORE: policy does not ask this person for a code. */
        return answer != PAM_STACK_SUCCESS && answer != PAM_STACK_IGNORE;
    case PAM_CAN_ONLY:
        break;
    }
    return answer == (int)can - PAM_CAN_ONLY;
}

/* Was pam_kuraban.so among what was passed by on the way from a module to the next? */
static enum pam_way way_of(const struct walk *w, size_t from, size_t to, int action)
{
    if (w->can[from] == PAM_CAN_CODE)
        return PAM_WAY_WEAK;
    for (size_t i = from + 1; i < to; i++)
        if (w->can[i] == PAM_CAN_CODE)
            return action > 0 ? PAM_WAY_JUMP : PAM_WAY_SUFFICIENT;
    return 0;
}

static int follow(struct walk *w, uint32_t from)
{
    const struct state start = w->states[from];
    const struct pam_module *m = &w->stack->modules[start.at];
    struct state entered = start;
    int r = 0;

    if (m->level < start.level)
        entered.saved = without_deeper(start.saved, m->level);
    else if (m->level > start.level && w->resets)
        entered.saved = with_saved(start.saved, m->level, &start.hand);
    entered.level = m->level;
    if (m->entry == PAM_ENTRY_SUBSTACK) {
        entered.at++;
        return add_edge(w, from, &entered, 0);
    }
    for (int answer = 0; answer < PAM_STACK_INCOMPLETE && r == 0; answer++) {
        struct state next = entered;

        if (!may_answer(m->entry == PAM_ENTRY_BROKEN ? PAM_CAN_FAIL : w->can[start.at], answer))
            continue;
        step(w->stack, answer, &next);
        r = add_edge(w, from, &next, way_of(w, start.at, next.at, m->actions[answer]));
    }
    return r;
}

void pam_ways_done(struct pam_ways *w)
{
    free(w->ways);
    *w = (struct pam_ways){0};
}

static int add_way(struct pam_ways *w, size_t module, enum pam_way way)
{
    void *grown;

    for (size_t i = 0; i < w->n; i++)
        if (w->ways[i].module == module && w->ways[i].way == way)
            return 0;
    grown = reallocarray(w->ways, w->n + 1, sizeof(*w->ways));
    if (!grown)
        return -ENOMEM;
    w->ways = grown;
    w->ways[w->n].module = module;
    w->ways[w->n++].way = way;
    return 0;
}

/* Backwards: an edge is appended when the place it leads to has not been followed yet. */
static int collect(struct walk *w, struct pam_ways *ret)
{
    bool asked = false;
    int r = 0;

    for (uint32_t i = w->first[w->stack->n]; i != NO_STATE; i = w->states[i].next)
        w->states[i].opens = w->states[i].hand.impression == POSITIVE && w->states[i].hand.success;
    for (size_t i = w->n_edges; i > 0 && r == 0; i--) {
        const struct edge *e = &w->edges[i - 1];

        if (!w->states[e->to].opens)
            continue;
        w->states[e->from].opens = true;
        if (e->way != 0)
            r = add_way(ret, w->states[e->from].at, e->way);
    }
    ret->opens = w->n_states > 0 && w->states[0].opens;
    for (size_t i = 0; i < w->stack->n; i++) {
        asked |= w->can[i] == PAM_CAN_CODE;
        ret->asks |= w->can[i] == PAM_CAN_CODE && w->first[i] != NO_STATE;
    }
    return r == 0 && ret->opens && !asked ? add_way(ret, 0, PAM_WAY_NONE) : r;
}

int pam_walk(const struct pam_stack *s, const enum pam_can *can, struct pam_ways *ret)
{
    struct walk w = {.stack = s, .can = can};
    struct pam_ways ways = {0};
    uint32_t start;
    int r = -ENOMEM;

    w.first = calloc(s->n + 1, sizeof(*w.first));
    for (size_t i = 0; w.first && i <= s->n; i++)
        w.first[i] = NO_STATE;
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < PAM_STACK_RETURNS; k++)
            w.resets |= s->modules[i].actions[k] == PAM_ACTION_RESET;
    if (w.first)
        r = find_state(&w, &(struct state){0}, &start);
    for (size_t at = 0; at < s->n && r == 0; at++)
        for (uint32_t i = w.first[at]; i != NO_STATE && r == 0; i = w.states[i].next)
            r = follow(&w, i);
    if (r == 0)
        r = collect(&w, &ways);
    free(w.states);
    free(w.edges);
    free(w.first);
    if (r < 0) {
        pam_ways_done(&ways);
        return r;
    }
    *ret = ways;
    return 0;
}
