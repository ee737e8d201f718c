/*
 * Owns: carrying out what plan.c says comes next, one written step after the other.
 * Must not: decide it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "hub/rollout/internal.h"
#include "hub/rollout/scene.h"
#include "hub/store/alarms.h"
#include "hub/store/commands.h"
#include "hub/store/rollouts.h"
#include "policy/fleet/names.h"

enum {
    STEPS_MAX = 64, /* of one rollout in one pass */
};

/* --- the head of those that have it before the group --- */

static enum rollout_reason reason_of(int result)
{
    return result == TRUST_E_EXPIRED ? ROLLOUT_REASON_EXPIRED : ROLLOUT_REASON_REFUSED;
}

static int keep_head(struct rollout_work *w, const struct hub_rollout *o, const struct rollout_made *made)
{
    const struct hub_head head = {.version = made->version, .policy = o->policy, .expires_us = made->expires_us};
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r = trust_envelope_write(made->envelope, &bytes, &size);

    return r < 0 ? r : hub_rollout_set_head(w->store, o->number, &head, bytes, size);
}

static int make_head(struct rollout_work *w, const struct hub_rollout *o, const struct policy *policy)
{
    const struct rollout_signer signer = rollout_signer(w);
    struct rollout_made made = {0};
    uint64_t previous = 0;
    int r = hub_head_highest(w->store, &previous);

    if (r == 0)
        r = rollout_head_make(&signer, policy, o->group, previous, w->now_us, &made, NULL);
    if (r == TRUST_OK)
        r = keep_head(w, o, &made);
    rollout_made_done(&made);
    return r;
}

/* Higher than the group's, which would otherwise take its place where both arrive. 1, 0, -errno. */
static int head_is_good(struct rollout_work *w, const struct hub_rollout *o, const struct policy *policy)
{
    _cleanup_free_ uint8_t *envelope = NULL, *groups = NULL;
    struct hub_head head = {0}, group = {0};
    size_t size = 0, group_size = 0;
    int r = hub_rollout_get_head(w->store, o->number, &head, &envelope, &size);

    if (r > 0)
        r = rollout_head_counts(w, envelope, size);
    if (r <= 0)
        return r;
    r = hub_head_get(w->store, o->group, &group, &groups, &group_size);
    if (r < 0)
        return r;
    return head.version > group.version && !rollout_head_is_due(w->roots.newest, policy, head.expires_us, w->now_us);
}

/* enum trust_result or -errno. */
static int have_head(struct rollout_work *w, const struct hub_rollout *o)
{
    struct rollout_document d = {0};
    int r = rollout_document_read(w->store, &o->policy, &d);

    if (r <= 0)
        return r < 0 ? r : -EUCLEAN;
    r = head_is_good(w, o, d.policy);
    if (r >= 0)
        r = r ? TRUST_OK : make_head(w, o, d.policy);
    rollout_document_done(&d);
    return r;
}

/* --- steps --- */

static int turn(struct rollout_work *w, struct hub_rollout *o)
{
    const struct hub_actor actor = rollout_actor(w);
    int r = hub_store_begin(w->store);

    if (r >= 0)
        r = hub_rollout_turn(w->store, &actor, o);
    if (r >= 0 && o->state == ROLLOUT_HALTED)
        r = hub_alarm_raise(w->store, w->now_us, "rollout-halted", NULL, NULL);
    if (r >= 0)
        r = hub_store_commit(w->store);
    hub_store_rollback(w->store);
    return r;
}

static int halt(struct rollout_work *w, struct hub_rollout *o, enum rollout_reason reason)
{
    o->state = ROLLOUT_HALTED;
    o->reason = reason;
    log_warning("rollout.halt", "group=%s rollout=%llu reason=%s", o->group, (unsigned long long)o->number,
                rollout_reason_name(reason));
    return turn(w, o);
}

static int next_stage(struct rollout_work *w, struct hub_rollout *o)
{
    o->stage++;
    o->since_us = w->now_us;
    o->go_on = false;
    return turn(w, o);
}

static int mark(struct rollout_work *w, const struct scene *s, enum rollout_action_kind kind)
{
    const struct hub_rollout *o = &s->rollout;
    int r = hub_store_begin(w->store);

    for (size_t i = 0; r >= 0 && i < s->n; i++) {
        if (!s->chosen[i])
            continue;
        if (kind == ROLLOUT_SEND) {
            r = hub_rollout_sent(w->store, o->number, s->terminals[i].id, o->stage,
                                 rollout_is_reachable(s->terminals[i].contact_us, w->now_us), w->now_us);
        } else {
            r = hub_rollout_asked(w->store, o->number, s->terminals[i].id, w->now_us);
            if (r >= 0)
                r = hub_order_ask(w->store, s->terminals[i].id, w->now_us);
        }
    }
    if (r >= 0)
        r = hub_store_commit(w->store);
    hub_store_rollback(w->store);
    return r;
}

static int publish(struct rollout_work *w, struct hub_rollout *o)
{
    _cleanup_free_ uint8_t *envelope = NULL;
    struct hub_head head = {0};
    size_t size = 0;
    int r = hub_head_get(w->store, o->group, &head, &envelope, &size);

    if (r < 0)
        return r;
    /* Done already, where the hub ended between this and what follows. */
    if (r == 0 || !digest_equal(&head.policy, &o->policy))
        r = rollout_select(w, o->group, &o->policy);
    else
        r = TRUST_OK;
    if (r != TRUST_OK)
        return r < 0 ? r : halt(w, o, reason_of(r));
    o->state = ROLLOUT_PUBLISHED;
    o->ended_us = w->now_us;
    return turn(w, o);
}

static int restamp(struct rollout_work *w, struct hub_rollout *o)
{
    o->since_us = o->since_us > w->now_us ? w->now_us : o->since_us;
    return hub_rollout_restamp(w->store, o->number, w->now_us);
}

/* 1: go on, 0: that is all for now. */
static int act(struct rollout_work *w, struct scene *s, const struct rollout_action *a)
{
    int r = 0;

    switch (a->kind) {
    case ROLLOUT_SEND:
        r = have_head(w, &s->rollout);
        r = r > 0 ? halt(w, &s->rollout, reason_of(r)) : r < 0 ? r : mark(w, s, a->kind);
        break;
    case ROLLOUT_ASK:
        r = mark(w, s, a->kind);
        break;
    case ROLLOUT_NEXT:
        r = next_stage(w, &s->rollout);
        break;
    case ROLLOUT_PUBLISH:
        r = publish(w, &s->rollout);
        break;
    case ROLLOUT_HALT:
        r = halt(w, &s->rollout, a->reason);
        break;
    case ROLLOUT_RESTAMP:
        r = restamp(w, &s->rollout);
        break;
    case ROLLOUT_WAIT:
    default:
        return 0;
    }
    return r < 0 ? r : 1;
}

static int go(struct rollout_work *w, struct scene *s)
{
    struct rollout_situation situation;
    struct rollout_action action = {0};
    int r = 1;

    for (unsigned i = 0; r > 0 && i < STEPS_MAX; i++) {
        r = scene_set(s, w->store);
        if (r < 0)
            return r;
        situation = scene_situation(s, w->now_us, w->listening_us);
        r = rollout_next(&situation, &action, s->chosen);
        if (r == 0)
            r = act(w, s, &action);
    }
    return r < 0 ? r : 0;
}

/* --- what stands on their subjects --- */

static int put_bundle(struct rollout_work *w, const struct scene *s)
{
    _cleanup_free_ uint8_t *envelope = NULL, *bundle = NULL;
    char subject[FLEET_SUBJECT_SIZE];
    struct hub_head head = {0};
    struct digest digest;
    size_t size = 0, bundle_size = 0;
    int r = hub_rollout_get_head(w->store, s->rollout.number, &head, &envelope, &size);

    if (r <= 0)
        return r;
    r = rollout_bundle_of(w, &s->rollout.policy, envelope, size, &bundle, &bundle_size);
    if (r >= 0)
        r = digest_bytes(bundle, bundle_size, &digest);
    if (r >= 0)
        r = hub_rollout_set_bundle(w->store, s->rollout.number, &digest);
    for (size_t i = 0; r >= 0 && i < s->n; i++) {
        if (s->terminals[i].sent_us == 0)
            continue;
        r = fleet_subject_command(s->terminals[i].id, FLEET_COMMAND_BUNDLE, subject);
        if (r >= 0)
            rollout_put(w, subject, bundle, bundle_size, &digest);
    }
    return r;
}

static bool any_sent(const struct scene *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->terminals[i].sent_us != 0)
            return true;
    return false;
}

/* Also of a halted one: who has it keeps it, with a head that does not end. */
static int step(struct rollout_work *w, const struct hub_rollout *o)
{
    struct scene s = {.rollout = *o};
    int r = go(w, &s);

    if (r >= 0 && s.rollout.state != ROLLOUT_PUBLISHED && any_sent(&s)) {
        r = have_head(w, &s.rollout);
        if (r >= 0) /* where no new one can be made, the old one stands */
            r = put_bundle(w, &s);
    }
    scene_done(&s);
    return r < 0 ? r : 0;
}

struct alive {
    struct hub_rollout *rollouts;
    size_t n;
};

static int add_alive(void *context, const struct hub_rollout *rollout)
{
    struct alive *a = context;
    void *all = reallocarray(a->rollouts, a->n + 1, sizeof(*a->rollouts));

    if (!all)
        return -ENOMEM;
    a->rollouts = all;
    a->rollouts[a->n++] = *rollout;
    return 0;
}

int rollout_step_all(struct rollout_work *w)
{
    struct alive alive = {0};
    int r = hub_rollout_each(w->store, NULL, true, add_alive, &alive);

    /* The oldest first. */
    for (size_t i = alive.n; r >= 0 && i > 0; i--)
        r = step(w, &alive.rollouts[i - 1]);
    free(alive.rollouts);
    return r;
}
