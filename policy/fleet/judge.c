/*
 * Owns: when a statement follows what is held, and the words for when it does not.
 * Must not: read a clock, keep anything, or judge what was not verified: its caller has opened it.
 */
#include "policy/fleet/judge.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/trust/json.h"

#define SLACK_US (TRUST_CLOCK_SLACK_S * INT64_C(1000000))

static const struct {
    const char *name, *text;
} results[FLEET_RESULT_COUNT_] = {
    [FLEET_OK] = {"ok", N_("accepted")},
    [FLEET_E_KIND] = {"kind", N_("another kind of statement than expected")},
    [FLEET_E_ORGANIZATION] = {"organization", N_("for another organization")},
    [FLEET_E_TERMINAL] = {"terminal", N_("of another terminal")},
    [FLEET_E_KEYS] = {"keys", N_("names other keys than this terminal's")},
    [FLEET_E_KNOWN] = {"known", N_("already known: nothing changes")},
    [FLEET_E_ROLLBACK] = {"rollback", N_("older than what is known here")},
    [FLEET_E_FORK] = {"fork", N_("says otherwise than what is known under the same number")},
    [FLEET_E_AHEAD] = {"ahead", N_("speaks of records that do not exist")},
    [FLEET_E_EXPIRED] = {"expired", N_("its time is over")},
    [FLEET_E_NOT_YET] = {"not-yet", N_("its time has not begun")},
    [FLEET_E_TOKEN] = {"token", N_("made for another enrolment token")},
    [FLEET_E_CENTRE] = {"centre", N_("made for another centre")},
};

const char *fleet_result_name(enum fleet_result r)
{
    return (unsigned)r < FLEET_RESULT_COUNT_ ? results[r].name : "unknown";
}

const char *fleet_result_text(enum fleet_result r)
{
    return (unsigned)r < FLEET_RESULT_COUNT_ ? results[r].text : N_("another kind of statement than expected");
}

static bool same_groups(const struct fleet_groups *a, const struct fleet_groups *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->names[i], b->names[i]) != 0)
            return false;
    return true;
}

enum fleet_result fleet_membership_is_for(const struct fleet_statement *m, const struct fleet_self *self)
{
    if (m->kind != FLEET_MEMBERSHIP)
        return FLEET_E_KIND;
    if (!text_equal(m->membership.organization, self->organization))
        return FLEET_E_ORGANIZATION;
    if (memcmp(m->membership.journal, self->journal, sizeof(self->journal)) != 0)
        return FLEET_E_TERMINAL; /* the id is the key's: parsing has seen to that */
    return strcmp(m->membership.wire, self->wire) == 0 ? FLEET_OK : FLEET_E_KEYS;
}

enum fleet_result fleet_membership_follows(const struct fleet_statement *current, const struct fleet_statement *next)
{
    const struct fleet_membership *a = &current->membership, *b = &next->membership;

    if (current->kind != FLEET_MEMBERSHIP || next->kind != FLEET_MEMBERSHIP)
        return FLEET_E_KIND;
    if (strcmp(a->organization, b->organization) != 0)
        return FLEET_E_ORGANIZATION;
    if (strcmp(a->terminal, b->terminal) != 0)
        return FLEET_E_TERMINAL;
    if (memcmp(a->journal, b->journal, sizeof(a->journal)) != 0 || strcmp(a->wire, b->wire) != 0)
        return FLEET_E_KEYS;
    if (b->serial < a->serial)
        return FLEET_E_ROLLBACK;
    if (b->serial == a->serial)
        return a->issued_us == b->issued_us && same_groups(&a->groups, &b->groups) ? FLEET_E_KNOWN : FLEET_E_FORK;
    return FLEET_OK;
}

enum fleet_result fleet_order_judge(const struct fleet_statement *order, const char *organization, const char *terminal,
                                    int64_t now_us)
{
    const struct fleet_order *o = &order->order;

    if (order->kind != FLEET_ORDER)
        return FLEET_E_KIND;
    if (!text_equal(o->organization, organization))
        return FLEET_E_ORGANIZATION;
    if (!text_equal(o->terminal, terminal))
        return FLEET_E_TERMINAL;
    if (o->expires_us <= now_us)
        return FLEET_E_EXPIRED;
    return o->issued_us - SLACK_US > now_us ? FLEET_E_NOT_YET : FLEET_OK;
}

enum fleet_result fleet_ack_judge(const struct fleet_statement *ack, const char *organization, const char *terminal,
                                  uint64_t released, const struct digest *own)
{
    const struct fleet_ack *a = &ack->ack;

    if (ack->kind != FLEET_ACK)
        return FLEET_E_KIND;
    if (!text_equal(a->organization, organization))
        return FLEET_E_ORGANIZATION;
    if (!text_equal(a->terminal, terminal))
        return FLEET_E_TERMINAL;
    if (a->sequence < released)
        return FLEET_E_ROLLBACK;
    if (!own)
        return a->sequence == released ? FLEET_E_KNOWN : FLEET_E_AHEAD; /* what was released may be gone */
    if (!digest_equal(&a->hash, own))
        return FLEET_E_FORK;
    return a->sequence == released ? FLEET_E_KNOWN : FLEET_OK;
}

enum fleet_result fleet_report_follows(const struct fleet_statement *current, const struct fleet_statement *next)
{
    const struct fleet_report *a = &current->report, *b = &next->report;

    if (current->kind != FLEET_REPORT || next->kind != FLEET_REPORT)
        return FLEET_E_KIND;
    if (strcmp(a->terminal, b->terminal) != 0)
        return FLEET_E_TERMINAL;
    if (b->journal.sequence < a->journal.sequence)
        return FLEET_E_ROLLBACK;
    if (b->journal.sequence > a->journal.sequence)
        return FLEET_OK;
    if (!digest_equal(&a->journal.hash, &b->journal.hash))
        return FLEET_E_FORK;
    return b->sequence > a->sequence ? FLEET_OK : b->sequence < a->sequence ? FLEET_E_ROLLBACK : FLEET_E_KNOWN;
}

int fleet_enrolment_judge(const struct fleet_statement *enrolment, const void *token, size_t size,
                          const struct digest *ca, int64_t now_us)
{
    const struct fleet_enrolment *e = &enrolment->enrolment;
    struct digest of_token;
    int r;

    if (enrolment->kind != FLEET_ENROLMENT)
        return FLEET_E_KIND;
    r = digest_bytes(token, size, &of_token);
    if (r < 0)
        return r;
    if (!digest_equal(&of_token, &e->token))
        return FLEET_E_TOKEN;
    if (!digest_equal(ca, &e->ca))
        return FLEET_E_CENTRE;
    if (e->issued_us - SLACK_US > now_us)
        return FLEET_E_NOT_YET;
    return e->issued_us + SLACK_US < now_us ? FLEET_E_EXPIRED : FLEET_OK;
}
