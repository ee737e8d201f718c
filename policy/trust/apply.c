/*
 * Owns: may this bundle rule this terminal? The order of the questions is the one of the header.
 * Must not: read a clock or a file, change the state it is asked about, or answer yes before trust_state_judge() has verified
 * the whole new state once more from its bytes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policy/policy.h"
#include "policy/trust/internal.h"

/* What is being put together. */
struct application {
    const struct trust_state *held;
    const struct trust_terminal *terminal;
    struct trust_bundle bundle;
    struct trust_state *next;      /* envelopes only, until it is judged */
    const struct trust_root *root; /* that rules after the bundle's roots; held's or own_root */
    struct trust_root *own_root;
    struct policy *policy; /* of the bundle; NULL: none */
    int64_t now_us;        /* not before the newest head that is held */
    struct trust_complaint *complaint;
};

static void application_done(struct application *a)
{
    trust_bundle_done(&a->bundle);
    trust_state_free(a->next);
    trust_root_free(a->own_root);
    (void)policy_unref(a->policy);
}

static bool listed(const char *name, const struct policy_strings *list)
{
    for (size_t i = 0; name && i < list->n; i++)
        if (strcmp(list->items[i], name) == 0)
            return true;
    return false;
}

bool trust_policy_in_scope(const struct policy *p, const struct trust_terminal *terminal)
{
    if (p->scope_groups.n == 0 && p->scope_terminals.n == 0)
        return true;
    if (listed(terminal->id, &p->scope_terminals))
        return true;
    for (size_t i = 0; i < terminal->n_groups; i++)
        if (listed(terminal->groups[i], &p->scope_groups))
            return true;
    return false;
}

/* One root of the bundle, the i-th. It follows, is the one that rules, or is older and leads up to a newer one. */
static int apply_root(struct application *a, size_t i)
{
    struct trust_envelope *e = a->bundle.roots[i];
    _cleanup_(trust_root_freep) struct trust_root *root = NULL;
    int r = trust_root_parse(e->payload, e->size, &root, a->complaint);

    if (r != TRUST_OK)
        return r;
    if (root->version == a->root->version && trust_envelope_same_payload(e, a->next->root_envelope))
        return TRUST_OK;
    r = trust_root_follows(a->root, e, root, a->complaint);
    if (r == TRUST_E_ROLLBACK && a->root == a->held->root && i + 1 < a->bundle.n_roots)
        return TRUST_OK; /* a chain for terminals that are further behind; the last of it decides */
    if (r != TRUST_OK)
        return r;
    /* The policy that rules stays under the root it was accepted under: the new one may not know its signers. */
    if (a->next->policy_envelope && !a->next->policy_root_envelope)
        a->next->policy_root_envelope = TAKE_PTR(a->next->root_envelope);
    trust_envelope_free(a->next->root_envelope);
    a->next->root_envelope = TAKE_PTR(a->bundle.roots[i]);
    trust_root_free(a->own_root);
    a->root = a->own_root = TAKE_PTR(root);
    return TRUST_OK;
}

/* Signatures of strangers are nobody's word. Kept, one that does not fit would stand in the way of a later root that knows its key. */
static void forget_strangers(struct trust_envelope *e, const struct trust_votes *votes)
{
    size_t n = 0;

    for (size_t i = 0; i < e->n_signatures; i++)
        if (votes->of[i].kind == TRUST_VOTE_GOOD)
            e->signatures[n++] = e->signatures[i];
    e->n_signatures = n;
}

/* A head that the new root does not carry any more goes. */
static int keep_head(struct application *a)
{
    int r;

    if (!a->own_root || !a->next->head_envelope)
        return TRUST_OK;
    r = trust_envelope_verify(a->next->head_envelope, a->root, TRUST_ROLE_HEAD, NULL, NULL);
    if (r > 0)
        a->next->head_envelope = trust_envelope_free(a->next->head_envelope);
    return r < 0 ? r : TRUST_OK;
}

static int apply_roots(struct application *a)
{
    char until[CLOCK_RFC3339_SIZE];
    int r = TRUST_OK;

    a->root = a->held->root;
    for (size_t i = 0; i < a->bundle.n_roots && r == TRUST_OK; i++)
        r = apply_root(a, i);
    if (r != TRUST_OK)
        return r;
    if (a->root->expires_us <= a->now_us) {
        clock_format_rfc3339(a->root->expires_us, until);
        return trust_refuse(a->complaint, TRUST_E_ROOT_EXPIRED, N_("root version %" PRIu64 " ended %s"),
                            a->root->version, until);
    }
    return keep_head(a);
}

static int check_policy_times(const struct application *a)
{
    const struct policy *p = a->policy;
    char at[CLOCK_RFC3339_SIZE];

    if (p->valid_until_us != 0 && p->valid_until_us < a->now_us) {
        clock_format_rfc3339(p->valid_until_us, at);
        return trust_refuse(a->complaint, TRUST_E_EXPIRED, N_("valid until %s"), at);
    }
    if (p->valid_from_us != 0 && p->valid_from_us > a->now_us) {
        clock_format_rfc3339(p->valid_from_us, at);
        return trust_refuse(a->complaint, TRUST_E_NOT_YET, N_("valid from %s"), at);
    }
    return TRUST_OK;
}

/* Against the policy that rules: 0 and whether it is that one, or the refusal. */
static int check_policy_version(const struct application *a, bool *ret_same)
{
    const struct policy *p = a->policy;
    uint64_t held = a->held->policy_version;

    *ret_same = false;
    if (p->version > TRUST_VERSION_MAX)
        return trust_refuse(a->complaint, TRUST_E_POLICY, N_("%s: must be a number from 1 to %" PRIu64), "version",
                            TRUST_VERSION_MAX);
    if (!a->held->policy_envelope || p->version > held)
        return TRUST_OK;
    if (p->version < held)
        return trust_refuse(a->complaint, TRUST_E_ROLLBACK, N_("policy version %" PRIu64 "; %" PRIu64 " rules here"),
                            p->version, held);
    if (!digest_equal(&p->sha256, &a->held->policy_sha256))
        return trust_refuse(a->complaint, TRUST_E_SAME_VERSION, N_("policy version %" PRIu64), p->version);
    *ret_same = true;
    return TRUST_OK;
}

static int check_policy(struct application *a)
{
    bool same;
    int r;

    if (strcmp(a->policy->organization, a->root->organization) != 0)
        return trust_refuse(a->complaint, TRUST_E_ORGANIZATION, N_("the policy is for '%s', here rules '%s'"),
                            a->policy->organization, a->root->organization);
    if (!trust_policy_in_scope(a->policy, a->terminal))
        return trust_refuse(a->complaint, TRUST_E_SCOPE, N_("the policy's scope does not name this terminal"));
    r = check_policy_version(a, &same);
    return r != TRUST_OK || same ? r : check_policy_times(a);
}

static int apply_policy(struct application *a, struct policy_findings *findings)
{
    struct trust_envelope *e = a->bundle.policy;
    struct trust_votes votes;
    int r;

    if (!e)
        return TRUST_OK;
    r = trust_envelope_verify(e, a->root, TRUST_ROLE_POLICY, &votes, a->complaint);
    if (r != TRUST_OK)
        return r;
    r = policy_load("policy", e->payload, e->size, findings, &a->policy);
    if (r == POLICY_E_INVALID)
        return trust_refuse(a->complaint, TRUST_E_POLICY, "%s", "");
    if (r == 0)
        r = check_policy(a);
    if (r != TRUST_OK)
        return r;
    forget_strangers(e, &votes);
    trust_envelope_free(a->next->policy_envelope);
    a->next->policy_envelope = TAKE_PTR(a->bundle.policy);
    a->next->policy_root_envelope = trust_envelope_free(a->next->policy_root_envelope);
    return TRUST_OK;
}

static int check_head_times(const struct application *a, const struct trust_head *h)
{
    char at[CLOCK_RFC3339_SIZE];

    if (h->expires_us <= a->now_us) {
        clock_format_rfc3339(h->expires_us, at);
        return trust_refuse(a->complaint, TRUST_E_HEAD_EXPIRED, N_("the head ended %s"), at);
    }
    /* A head from the far future would push the terminal's idea of time there, and with it everything over its end. By the clock
     * itself: measured from the newest head, one head after the other would get as far. */
    if (h->issued_us - a->terminal->now_us > (int64_t)TRUST_CLOCK_SLACK_S * 1000000) {
        clock_format_rfc3339(h->issued_us, at);
        return trust_refuse(a->complaint, TRUST_E_NOT_YET, N_("the head was issued %s; is the clock right?"), at);
    }
    return TRUST_OK;
}

static int check_head_version(const struct application *a, const struct trust_head *h)
{
    const struct trust_envelope *held = a->next->head_envelope; /* gone where a new root does not carry it */
    uint64_t version = held ? a->held->head->version : 0;

    if (h->version > version)
        return TRUST_OK;
    if (h->version < version)
        return trust_refuse(a->complaint, TRUST_E_ROLLBACK, N_("head version %" PRIu64 "; %" PRIu64 " is known here"),
                            h->version, version);
    return trust_envelope_same_payload(a->bundle.head, held)
               ? TRUST_OK
               : trust_refuse(a->complaint, TRUST_E_SAME_VERSION, N_("head version %" PRIu64), h->version);
}

static int check_head(const struct application *a, const struct trust_head *h)
{
    bool in_group = false;
    uint64_t version = a->policy ? a->policy->version : a->held->policy_version;
    const struct digest *sha256 = a->policy ? &a->policy->sha256 : trust_state_policy_sha256(a->held);
    int r;

    if (strcmp(h->organization, a->root->organization) != 0)
        return trust_refuse(a->complaint, TRUST_E_ORGANIZATION, N_("the head is for '%s', here rules '%s'"),
                            h->organization, a->root->organization);
    for (size_t i = 0; i < a->terminal->n_groups; i++)
        in_group = in_group || strcmp(a->terminal->groups[i], h->group) == 0;
    if (!in_group)
        return trust_refuse(a->complaint, TRUST_E_SCOPE, N_("the head is for group '%s'"), h->group);
    r = check_head_version(a, h);
    if (r == TRUST_OK)
        r = check_head_times(a, h);
    if (r != TRUST_OK)
        return r;
    if (!sha256 || h->policy_version != version || !digest_equal(&h->policy_sha256, sha256))
        return trust_refuse(
            a->complaint, TRUST_E_HEAD_MISMATCH,
            N_("the head names policy version %" PRIu64 "; it came with, or finds here, version %" PRIu64),
            h->policy_version, version);
    return TRUST_OK;
}

static int apply_head(struct application *a)
{
    _cleanup_(trust_head_freep) struct trust_head *h = NULL;
    struct trust_envelope *e = a->bundle.head;
    struct trust_votes votes;
    int r;

    if (!e)
        return TRUST_OK;
    r = trust_envelope_verify(e, a->root, TRUST_ROLE_HEAD, &votes, a->complaint);
    if (r == TRUST_OK)
        r = trust_head_parse(e->payload, e->size, &h, a->complaint);
    if (r == TRUST_OK)
        r = check_head(a, h);
    if (r != TRUST_OK)
        return r;
    forget_strangers(e, &votes);
    trust_envelope_free(a->next->head_envelope);
    a->next->head_envelope = TAKE_PTR(a->bundle.head);
    return TRUST_OK;
}

int trust_apply(const struct trust_state *s, const struct trust_terminal *terminal, const uint8_t *bundle, size_t size,
                struct trust_state **ret, struct policy **ret_policy, struct policy_findings *findings,
                struct trust_complaint *complaint)
{
    _cleanup_(application_done) struct application a = {.held = s, .terminal = terminal, .complaint = complaint};
    int r;

    if (!s)
        return trust_refuse(complaint, TRUST_E_NO_ROOT, "%s", "");
    a.now_us = s->head && s->head->issued_us > terminal->now_us ? s->head->issued_us : terminal->now_us;
    r = trust_bundle_parse(bundle, size, &a.bundle, complaint);
    if (r == TRUST_OK)
        r = trust_state_copy(s, &a.next);
    if (r == TRUST_OK)
        r = apply_roots(&a);
    if (r == TRUST_OK)
        r = apply_policy(&a, findings);
    if (r == TRUST_OK)
        r = apply_head(&a);
    if (r == TRUST_OK)
        r = trust_state_judge(a.next, a.policy, complaint);
    if (r != TRUST_OK)
        return r;
    if (complaint)
        complaint->text[0] = '\0'; /* what was said of a root that was passed over */
    *ret = TAKE_PTR(a.next);
    *ret_policy = TAKE_PTR(a.policy);
    return TRUST_OK;
}
