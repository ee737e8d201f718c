/*
 * Owns: what of the centre's statements is taken here, by policy/fleet and the root document. Starts from refusal.
 * Must not: change what is held.
 *
 * After a rotation of the root that took the centre's key away, the membership that was signed by it stays: somebody must say which groups
 * there are. But it does not order those that follow any more, or who has stolen a key could block all later ones by a huge number.
 */
#include <errno.h>
#include <string.h>

#include "member/internal.h"
#include "policy/fleet/judge.h"
#include "policy/trust/json.h"

DEFINE_CLEANUP(struct trust_envelope *, trust_envelope_free);

static int refuse(struct member_refusal *ret, const char *reason, const char *text)
{
    ret->reason = reason;
    ret->text = text;
    return MEMBER_E_REFUSED;
}

static int refuse_trust(struct member_refusal *ret, int r)
{
    return r < 0 ? r : refuse(ret, trust_result_name((enum trust_result)r), trust_result_text((enum trust_result)r));
}

static int refuse_fleet(struct member_refusal *ret, enum fleet_result r)
{
    (void)refuse(ret, fleet_result_name(r), fleet_result_text(r));
    return r == FLEET_OK ? 0 : r == FLEET_E_KNOWN ? MEMBER_E_KNOWN : MEMBER_E_REFUSED;
}

/* TRUST_OK: signed under this root; another enum trust_result; -errno. */
static int verify(const struct member_held *h, const struct trust_root *root, struct trust_complaint *complaint)
{
    _cleanup_(trust_envelope_freep) struct trust_envelope *e = NULL;
    int r = trust_envelope_parse(h->envelope, h->size, &e, complaint);

    return r == TRUST_OK ? trust_envelope_verify(e, root, TRUST_ROLE_HEAD, NULL, complaint) : r;
}

int member_verify(const struct member_state *s, const struct trust_root *root, struct trust_complaint *complaint)
{
    const struct member_held *held[] = {&s->membership, &s->ack};

    for (size_t i = 0; i < ELEMENTS(held); i++) {
        int r = held[i]->statement ? verify(held[i], root, complaint) : TRUST_OK;

        /* By keys that the root does not name any more: a rotation. */
        if (r != TRUST_OK && r != TRUST_E_THRESHOLD)
            return r;
        complaint->text[0] = '\0';
    }
    return TRUST_OK;
}

static int judge_membership(const struct member *m, const struct member_view *view, const struct fleet_statement *s)
{
    struct fleet_self self = {.organization = view->root->organization};
    const struct fleet_statement *held = m->state.membership.statement;
    struct trust_complaint none = {0};
    int r;

    memcpy(self.journal, m->journal, sizeof(self.journal));
    memcpy(self.wire, held->membership.wire, sizeof(self.wire));
    r = (int)fleet_membership_is_for(s, &self);
    if (r != FLEET_OK)
        return r;
    r = verify(&m->state.membership, view->root, &none);
    if (r < 0)
        return r;
    return r == TRUST_OK ? (int)fleet_membership_follows(held, s) : (int)FLEET_OK;
}

static int judge_ack(const struct member *m, const struct member_view *view, const struct fleet_statement *s)
{
    const struct fleet_ack *held = member_ack(m);
    struct digest own;
    int r = view->own_hash(view->context, s->ack.sequence, &own);

    if (r < 0)
        return r;
    return (int)fleet_ack_judge(s, view->root->organization, m->terminal, held ? held->sequence : 0,
                                r == 0 ? &own : NULL);
}

static size_t orders_at(const struct member_state *s, int64_t now_us)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n_orders; i++)
        n += s->orders[i].until_us > now_us;
    return n;
}

static int judge_order(const struct member *m, const struct member_view *view, const struct fleet_statement *s,
                       struct member_refusal *ret_refusal)
{
    enum fleet_result r = fleet_order_judge(s, view->root->organization, m->terminal, view->now_us);

    for (size_t i = 0; r == FLEET_OK && i < m->state.n_orders; i++)
        if (memcmp(m->state.orders[i].id, s->order.id, FLEET_ID128_SIZE) == 0)
            r = FLEET_E_KNOWN;
    if (r == FLEET_OK && orders_at(&m->state, view->now_us) >= MEMBER_ORDERS_MAX)
        return refuse(ret_refusal, "too-many", N_("more orders than are remembered"));
    return refuse_fleet(ret_refusal, r);
}

int member_judge(const struct member *m, const struct member_view *view, const uint8_t *envelope, size_t size,
                 struct fleet_statement **ret, struct member_refusal *ret_refusal)
{
    const unsigned kinds = FLEET_KIND(FLEET_MEMBERSHIP) | FLEET_KIND(FLEET_ACK) | FLEET_KIND(FLEET_ORDER);
    _cleanup_(fleet_statement_freep) struct fleet_statement *s = NULL;
    int r;

    if (m->condition == MEMBER_NONE)
        return refuse(ret_refusal, "not-enrolled", N_("this terminal belongs to no centre"));
    if (m->condition != MEMBER_GOOD)
        return refuse(ret_refusal, "damaged", N_("what this terminal holds of its centre is missing or changed"));
    if (!view->root)
        return refuse_trust(ret_refusal, TRUST_E_NO_ROOT);
    r = fleet_open_from_centre(envelope, size, kinds, view->root, view->now_us, &s, &ret_refusal->complaint);
    if (r != TRUST_OK)
        return refuse_trust(ret_refusal, r);
    if (s->kind == FLEET_ORDER)
        r = judge_order(m, view, s, ret_refusal);
    else {
        r = s->kind == FLEET_ACK ? judge_ack(m, view, s) : judge_membership(m, view, s);
        r = r < 0 ? r : refuse_fleet(ret_refusal, (enum fleet_result)r);
    }
    if (r == 0)
        *ret = TAKE_PTR(s);
    return r;
}

int member_judge_first(const struct member *m, const struct member_view *view, const char wire[static NKEY_PUBLIC_SIZE],
                       const uint8_t *envelope, size_t size, struct fleet_statement **ret,
                       struct member_refusal *ret_refusal)
{
    _cleanup_(fleet_statement_freep) struct fleet_statement *s = NULL;
    struct fleet_self self = {0};
    int r;

    if (!view->root)
        return refuse_trust(ret_refusal, TRUST_E_NO_ROOT);
    r = fleet_open_from_centre(envelope, size, FLEET_KIND(FLEET_MEMBERSHIP), view->root, view->now_us, &s,
                               &ret_refusal->complaint);
    if (r != TRUST_OK)
        return refuse_trust(ret_refusal, r);
    self.organization = view->root->organization;
    memcpy(self.journal, m->journal, sizeof(self.journal));
    memcpy(self.wire, wire, sizeof(self.wire));
    r = refuse_fleet(ret_refusal, fleet_membership_is_for(s, &self));
    if (r == 0)
        *ret = TAKE_PTR(s);
    return r;
}
