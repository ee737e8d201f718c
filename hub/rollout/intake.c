/*
 * Owns: which report is believed, and what of it is kept.
 * Must not: take one that is older than what is held, whoever brings it.
 */
#include "hub/rollout/intake.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "hub/store/reports.h"
#include "hub/store/terminals.h"
#include "policy/fleet/judge.h"

static void take_text(const char *from, char ret[static FLEET_TEXT_SIZE])
{
    const size_t length = from ? strlen(from) : 0;

    *ret = '\0';
    if (length < FLEET_TEXT_SIZE && from) /* parsing has seen to that */
        memcpy(ret, from, length + 1);
}

static void take_report(const struct fleet_report *p, int64_t now_us, struct hub_report *ret)
{
    *ret = (struct hub_report){.received_us = now_us,
                               .has_policy = p->has_policy,
                               .has_bundle = p->has_outcome,
                               .failed = p->has_outcome && p->outcome.status != FLEET_STATUS_APPLIED,
                               .journal_sequence = p->journal.sequence,
                               .journal_hash = p->journal.hash,
                               .membership = p->membership};
    memcpy(ret->terminal, p->terminal, sizeof(ret->terminal));
    take_text(p->versions.agent, ret->agent);
    if (p->has_policy) {
        ret->policy = p->policy.sha256;
        ret->policy_version = p->policy.version;
        take_text(p->policy.name, ret->policy_name);
    }
    if (p->has_head) {
        ret->head_version = p->head.version;
        take_text(p->head.group, ret->head_group);
    }
    if (p->has_outcome) {
        ret->bundle = p->outcome.bundle;
        take_text(p->outcome.reason, ret->reason);
    }
}

/* The one that is held; it was verified when it came. */
static int open_held(const uint8_t *envelope, size_t size, struct fleet_statement **ret)
{
    struct trust_envelope *e = NULL;
    int r = trust_envelope_parse(envelope, size, &e, NULL);

    if (r == TRUST_OK)
        r = fleet_statement_parse(FLEET_REPORT, e->payload, e->size, ret, NULL);
    (void)trust_envelope_free(e);
    return r > 0 ? -EUCLEAN : r;
}

static int judge(struct hub_store *s, const struct fleet_statement *next)
{
    _cleanup_(fleet_statement_freep) struct fleet_statement *held = NULL;
    _cleanup_free_ uint8_t *envelope = NULL;
    struct hub_report report;
    size_t size = 0;
    int r = hub_report_get(s, next->report.terminal, &report, &envelope, &size);

    if (r <= 0)
        return r;
    r = open_held(envelope, size, &held);
    if (r < 0)
        return r;
    switch (fleet_report_follows(held, next)) {
    case FLEET_OK:
        return ROLLOUT_INTAKE_OK;
    case FLEET_E_FORK:
        return ROLLOUT_INTAKE_E_FORK;
    case FLEET_E_KNOWN:
    case FLEET_E_ROLLBACK:
    default:
        return ROLLOUT_INTAKE_KNOWN;
    }
}

static int keep(struct hub_store *s, const struct fleet_statement *next, const uint8_t *envelope, size_t size,
                int64_t now_us)
{
    struct hub_report report;
    int r;

    take_report(&next->report, now_us, &report);
    r = hub_report_set(s, &report, envelope, size);
    return r < 0 ? r : hub_contact_set(s, report.terminal, now_us);
}

int rollout_intake(struct hub_store *s, const char *terminal, const uint8_t *envelope, size_t size, int64_t now_us,
                   struct trust_complaint *complaint)
{
    _cleanup_(fleet_statement_freep) struct fleet_statement *next = NULL;
    struct hub_terminal t = {0};
    int r = hub_terminal_get(s, terminal, &t, NULL);

    if (r < 0)
        return r;
    if (r == 0 || t.revoked_us != 0)
        return ROLLOUT_INTAKE_E_NOBODY;
    r = fleet_open_report(envelope, size, t.journal_key, &next, complaint);
    if (r != TRUST_OK)
        return r < 0 ? r : ROLLOUT_INTAKE_E_BAD;
    r = judge(s, next);
    return r == ROLLOUT_INTAKE_OK ? keep(s, next, envelope, size, now_us) : r;
}
