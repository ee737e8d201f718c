/*
 * What comes in signed: bundles are verified by policy/trust, stored by trusted.c and only then rule. Must not: let a document rule
 * that could not be stored, for after a start another one would.
 */
#include "daemon/rulebook_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/log.h"
#include "policy/close.h"
#include "policy/policy.h"
#include "policy/scope.h"
#include "policy/trust/trust.h"

/* Should trust.json be damaged one day, the stores are still known. It does not rule, so it may fail. */
static void keep_copy_of_signed(struct rulebook *b)
{
    if (rulebook_keep_copy(b) < 0)
        log_error("policy.copy", "error=could-not-be-written");
    b->kept = true;
}

static int64_t head_issued(const struct trust_state *s)
{
    const struct trust_head *head = trust_state_head(s);

    return head ? head->issued_us : 0;
}

static int take_signed(struct rulebook *b)
{
    size_t size = 0;
    const uint8_t *document = trust_state_policy(trusted_state(b->trusted), &size);
    uint8_t *copy;
    struct policy *p = NULL;
    int r;

    rulebook_forget_findings(b);
    r = rulebook_load(b, document, size, &p);
    if (r != 0)
        return r;
    copy = malloc(size + 1);
    if (!copy) {
        (void)policy_unref(p);
        return -ENOMEM;
    }
    memcpy(copy, document, size);
    copy[size] = 0;
    p->not_before_us = head_issued(trusted_state(b->trusted));
    rulebook_rule_by(b, p, copy, size, RULEBOOK_SIGNED);
    b->kept = true;
    return 0;
}

/* Nothing is permitted. Of the copy only the stores count, closed to everybody: whoever made it can have permitted nothing by it. */
static int open_damaged(struct rulebook *b)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    struct policy *copy = NULL;
    size_t size = 0;
    int r = files_read_at(b->options.state_directory, RULEBOOK_COPY, POLICY_DOCUMENT_MAX, &bytes, &size);

    if (r >= 0)
        r = policy_load(RULEBOOK_COPY, bytes, size, NULL, &copy);
    if (r == -ENOMEM)
        return r;
    if (r == 0)
        policy_take_stores_closed(b->policy, copy);
    else
        log_error("stores.unknown", "copy=%s", RULEBOOK_COPY);
    (void)policy_unref(copy);
    return rulebook_refuse_unsigned(b);
}

int rulebook_open_signed(struct rulebook *b)
{
    size_t size;
    int r;

    if (trusted_condition(b->trusted) == TRUSTED_DAMAGED)
        return open_damaged(b);
    if (trust_state_policy(trusted_state(b->trusted), &size)) {
        r = take_signed(b);
        if (r == 0)
            keep_copy_of_signed(b);
        return r;
    }
    r = rulebook_take(b, b->options.state_directory, RULEBOOK_COPY, RULEBOOK_LAST_GOOD, 0);
    b->kept = r == 0;
    return r == -ENOMEM ? r : r == 0 ? 0 : RULEBOOK_E_REFUSED;
}

int64_t rulebook_time(const struct rulebook *b, int64_t wall_us)
{
    const struct trust_state *s = trusted_state(b->trusted);
    const struct trust_head *head = s ? trust_state_head(s) : NULL;

    return head && head->issued_us > wall_us ? head->issued_us : wall_us;
}

/* Stores what was verified and then rules by it. Takes next when it returns 0. */
static int rule_signed(struct rulebook *b, struct trust_state *next, struct policy *p)
{
    size_t size = 0;
    const uint8_t *document = trust_state_policy(next, &size);
    _cleanup_free_ uint8_t *copy = malloc(size + 1);
    int r;

    if (!copy)
        return -ENOMEM;
    if (size > 0)
        memcpy(copy, document, size);
    copy[size] = 0;
    r = trusted_store(b->trusted, next);
    if (r < 0)
        return r;
    if (p) {
        p->not_before_us = head_issued(next);
        rulebook_rule_by(b, policy_ref(p), TAKE_PTR(copy), size, RULEBOOK_SIGNED);
        keep_copy_of_signed(b);
    }
    b->kept = true;
    b->complaint[0] = '\0';
    return 0;
}

/* With this terminal's names. A bundle without a policy may bring a head, whose time the policy that rules is asked by: the same document
 * anew, because others share the one in force. */
static int complete(struct rulebook *b, const struct trust_state *next, struct policy **p)
{
    size_t size = 0;
    const uint8_t *document = trust_state_policy(next, &size);
    int r;

    if (*p)
        return policy_resolve(*p, b->options.names, &b->findings) == 0 ? 0 : -ENOMEM;
    r = document ? rulebook_load(b, document, size, p) : 0;
    return r > 0 ? -EIO : r;
}

int rulebook_apply(struct rulebook *b, const uint8_t *bundle, size_t size, int64_t wall_us,
                   struct trust_complaint *complaint)
{
    const struct trust_terminal terminal = {
        .id = b->terminal, .groups = b->groups, .n_groups = b->n_groups, .now_us = wall_us};
    struct trust_state *next = NULL;
    struct policy *p = NULL;
    int r;

    rulebook_forget_findings(b);
    if (trusted_condition(b->trusted) != TRUSTED_GOOD) {
        (void)snprintf(complaint->text, sizeof(complaint->text), "%s", trusted_complaint(b->trusted));
        return TRUST_E_NO_ROOT;
    }
    r = trust_apply(trusted_state(b->trusted), &terminal, bundle, size, &next, &p, &b->findings, complaint);
    if (r != 0)
        return r;
    r = complete(b, next, &p);
    if (r == 0)
        r = rule_signed(b, next, p);
    if (r < 0)
        (void)trust_state_free(next);
    (void)policy_unref(p);
    return r;
}

int rulebook_install(struct rulebook *b, const uint8_t *envelope, size_t size, int64_t wall_us,
                     struct trust_complaint *complaint)
{
    struct trust_state *first = NULL;
    int r;

    if (rulebook_is_signed_only(b))
        return -EEXIST;
    r = trust_install_root(envelope, size, wall_us, &first, complaint);
    if (r != 0)
        return r;
    /* From now on the copy is all there is until something signed comes. */
    if (b->source != RULEBOOK_NONE)
        r = rulebook_keep_copy(b);
    if (r == 0)
        r = trusted_install(b->trusted, first);
    if (r < 0) {
        (void)trust_state_free(first);
        return r;
    }
    if (b->source == RULEBOOK_FILE)
        b->source = RULEBOOK_LAST_GOOD;
    return 0;
}

int rulebook_remove(struct rulebook *b)
{
    int r = 0;

    if (!rulebook_is_signed_only(b))
        return -ENOENT;
    if (b->source != RULEBOOK_NONE)
        r = rulebook_keep_copy(b);
    if (r == 0)
        r = trusted_remove(b->trusted);
    if (r < 0)
        return r;
    if (b->source == RULEBOOK_SIGNED)
        b->source = RULEBOOK_LAST_GOOD;
    return 0;
}

const struct trusted *rulebook_trusted(const struct rulebook *b)
{
    return b->trusted;
}

bool rulebook_is_in_scope(const struct rulebook *b)
{
    return policy_is_for(b->policy, b->terminal, b->groups, b->n_groups);
}
