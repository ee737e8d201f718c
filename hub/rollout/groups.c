/*
 * Owns: which head each group has, that it is renewed in time, and the bundle on the group's subject.
 * Must not: change which policy a group has without being told.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "hub/rollout/internal.h"
#include "hub/store/groups.h"
#include "hub/store/rollouts.h"
#include "policy/fleet/names.h"

static int collect(void *context, const struct hub_group *group)
{
    return rollout_names_add(context, group->name);
}

static bool listed(const struct rollout_names *names, const char *id)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->ids[i], id) == 0)
            return true;
    return false;
}

int rollout_head_counts(const struct rollout_work *w, const uint8_t *head, size_t size)
{
    _cleanup_(trust_envelope_freep) struct trust_envelope *e = NULL;
    int r = trust_envelope_parse(head, size, &e, NULL);

    if (r == TRUST_OK)
        r = trust_envelope_verify(e, w->roots.newest, TRUST_ROLE_HEAD, NULL, NULL);
    return r < 0 ? r : r == TRUST_OK;
}

static int keep_head(struct rollout_work *w, const char *group, const struct digest *policy,
                     const struct rollout_made *made)
{
    const struct hub_actor actor = rollout_actor(w);
    const struct hub_head head = {.version = made->version, .policy = *policy, .expires_us = made->expires_us};
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r = trust_envelope_write(made->envelope, &bytes, &size);

    if (r == TRUST_OK)
        r = hub_head_set(w->store, &actor, group, &head, bytes, size);
    return r > 0 ? -EUCLEAN : r;
}

int rollout_select(struct rollout_work *w, const char *group, const struct digest *policy)
{
    const struct rollout_signer signer = rollout_signer(w);
    struct rollout_document d = {0};
    struct rollout_made made = {0};
    struct trust_complaint complaint = {0};
    uint64_t previous = 0;
    int r = rollout_document_read(w->store, policy, &d);

    if (r <= 0)
        return r < 0 ? r : -EUCLEAN;
    r = hub_head_highest(w->store, &previous);
    if (r == 0)
        r = rollout_head_make(&signer, d.policy, group, previous, w->now_us, &made, &complaint);
    if (r == TRUST_OK)
        r = keep_head(w, group, policy, &made);
    else if (r > 0)
        log_warning("rollout.head.refused", "group=%s result=%s", group, trust_result_name((enum trust_result)r));
    rollout_made_done(&made);
    rollout_document_done(&d);
    return r;
}

/* 1, 0, -errno. */
static int is_due(struct rollout_work *w, const struct hub_head *head, const uint8_t *envelope, size_t size)
{
    struct rollout_document d = {0};
    bool due;
    int r = rollout_head_counts(w, envelope, size);

    if (r <= 0)
        return r < 0 ? r : 1;
    r = rollout_document_read(w->store, &head->policy, &d);
    if (r <= 0)
        return r < 0 ? r : -EUCLEAN;
    due = rollout_head_is_due(w->roots.newest, d.policy, head->expires_us, w->now_us);
    rollout_document_done(&d);
    return due;
}

static int renew(struct rollout_work *w, const char *group, bool forced)
{
    _cleanup_free_ uint8_t *envelope = NULL;
    struct hub_head head = {0};
    size_t size = 0;
    int r = hub_head_get(w->store, group, &head, &envelope, &size);

    if (r <= 0)
        return r;
    r = forced ? 1 : is_due(w, &head, envelope, size);
    if (r <= 0)
        return r;
    r = rollout_select(w, group, &head.policy);
    return r < 0 ? r : 0; /* refused: the policy's time is over, and no head helps */
}

int rollout_renew_heads(struct rollout_work *w, const struct rollout_names *forced)
{
    struct rollout_names groups = {0};
    int r = hub_group_each(w->store, collect, &groups);

    for (size_t i = 0; r >= 0 && i < groups.n; i++)
        r = renew(w, groups.ids[i], listed(forced, groups.ids[i]));
    rollout_names_done(&groups);
    return r;
}

/* --- bundles --- */

int rollout_bundle_of(struct rollout_work *w, const struct digest *policy, const uint8_t *head, size_t head_size,
                      uint8_t **ret, size_t *ret_size)
{
    _cleanup_(trust_envelope_freep) struct trust_envelope *head_envelope = NULL;
    _cleanup_(trust_envelope_freep) struct trust_envelope *policy_envelope = NULL;
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r = hub_policy_get(w->store, policy, &bytes, &size);

    if (r <= 0)
        return r < 0 ? r : -EUCLEAN;
    r = trust_envelope_parse(bytes, size, &policy_envelope, NULL);
    if (r == TRUST_OK)
        r = trust_envelope_parse(head, head_size, &head_envelope, NULL);
    if (r == TRUST_OK)
        r = rollout_bundle_make(w->roots.envelopes, w->roots.n, policy_envelope, head_envelope, ret, ret_size);
    return r > 0 ? -EUCLEAN : r;
}

int rollout_group_bundle(struct rollout_work *w, const char *group, uint8_t **ret, size_t *ret_size)
{
    _cleanup_free_ uint8_t *envelope = NULL;
    struct hub_head head = {0};
    size_t size = 0;
    int r = hub_head_get(w->store, group, &head, &envelope, &size);

    if (r <= 0)
        return r;
    r = rollout_bundle_of(w, &head.policy, envelope, size, ret, ret_size);
    return r < 0 ? r : 1;
}

int rollout_put_groups(struct rollout_work *w)
{
    struct rollout_names groups = {0};
    int r = hub_group_each(w->store, collect, &groups);

    for (size_t i = 0; r >= 0 && i < groups.n; i++) {
        _cleanup_free_ uint8_t *bundle = NULL;
        char subject[FLEET_SUBJECT_SIZE];
        size_t size = 0;

        r = rollout_group_bundle(w, groups.ids[i], &bundle, &size);
        if (r > 0 && (r = fleet_subject_policy(groups.ids[i], subject)) == 0)
            rollout_put(w, subject, bundle, size, NULL);
    }
    rollout_names_done(&groups);
    return r < 0 ? r : 0;
}
