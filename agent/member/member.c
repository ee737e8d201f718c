/*
 * Owns: what the terminal holds of its centre, in memory and when it goes to disk. Must not: carry anything out, or take what judge.c has not
 * found good.
 */
#include "member/member.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "member/internal.h"

#define STATE "fleet.json"
#define SLACK_US (TRUST_CLOCK_SLACK_S * INT64_C(1000000))

enum {
    FILE_MAX = 4 * FLEET_ENVELOPE_MAX
};

static void damage(struct member *m, const char *why)
{
    member_state_done(&m->state);
    m->condition = MEMBER_DAMAGED;
    (void)snprintf(m->complaint, sizeof(m->complaint), "%s: %.300s", STATE, why);
}

static const char *words(int r, const struct trust_complaint *complaint)
{
    if (complaint->text[0])
        return complaint->text;
    return r < 0 ? strerrordesc_np(-r) : trust_result_text((enum trust_result)r);
}

static int read_state(struct member *m, const struct trust_root *root)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    struct trust_complaint complaint = {0};
    size_t size = 0;
    int r = marked_file_read(&m->file, FILE_MAX, &bytes, &size);

    if (r == -ENOMEM)
        return r;
    if (r == MARKED_FILE_NONE) {
        m->condition = MEMBER_NONE;
        return 0;
    }
    if (r == 0)
        r = member_state_read(bytes, size, m->terminal, &m->state, &complaint);
    if (r == TRUST_OK && root)
        r = member_verify(&m->state, root, &complaint);
    if (r == -ENOMEM)
        return r;
    if (r != 0) {
        damage(m, words(r, &complaint));
        return 0;
    }
    m->condition = MEMBER_GOOD;
    if (marked_file_mark(&m->file) < 0)
        log_error("fleet.marker", "error=could-not-be-written");
    return 0;
}

int member_open(int state_directory, const uint8_t journal[static TRUST_PUBLIC_SIZE], const struct trust_root *root,
                struct member **ret)
{
    _cleanup_(member_freep) struct member *m = calloc(1, sizeof(*m));
    int r;

    if (!m)
        return -ENOMEM;
    m->file = (struct marked_file){state_directory, STATE, "fleet.installed"};
    memcpy(m->journal, journal, sizeof(m->journal));
    r = fleet_terminal_id(journal, m->terminal);
    if (r >= 0)
        r = read_state(m, root);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(m);
    return 0;
}

struct member *member_free(struct member *m)
{
    if (m)
        member_state_done(&m->state);
    free(m);
    return NULL;
}

enum member_condition member_condition(const struct member *m)
{
    return m->condition;
}

const char *member_complaint(const struct member *m)
{
    return m->complaint;
}

const char *member_terminal(const struct member *m)
{
    return m->terminal;
}

const struct fleet_membership *member_membership(const struct member *m)
{
    return m->state.membership.statement ? &m->state.membership.statement->membership : NULL;
}

const struct fleet_ack *member_ack(const struct member *m)
{
    return m->state.ack.statement ? &m->state.ack.statement->ack : NULL;
}

/* --- keeping --- */

static void forget_orders(struct member_state *s, int64_t now_us)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n_orders; i++)
        if (s->orders[i].until_us > now_us)
            s->orders[n++] = s->orders[i];
    s->n_orders = n;
}

static int add_order(struct member_state *s, const struct fleet_order *o, int64_t now_us)
{
    struct member_order *next;

    forget_orders(s, now_us);
    if (s->n_orders == MEMBER_ORDERS_MAX)
        return -ENOBUFS;
    next = &s->orders[s->n_orders++];
    memcpy(next->id, o->id, sizeof(next->id));
    next->until_us = o->expires_us + SLACK_US;
    return 0;
}

static int store(struct member *m, struct member_state *next, bool first)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r = member_state_write(next, &bytes, &size);

    if (r >= 0)
        r = first ? marked_file_install(&m->file, bytes, size) : marked_file_store(&m->file, bytes, size);
    if (r < 0)
        return r;
    member_state_done(&m->state);
    m->state = *next;
    *next = (struct member_state){0};
    m->condition = MEMBER_GOOD;
    m->complaint[0] = '\0';
    return 0;
}

static int held_from(enum fleet_kind kind, const uint8_t *envelope, size_t size, struct member_held *ret)
{
    int r = member_held_read(kind, envelope, size, ret, NULL);

    return r > 0 ? -EBADMSG : r;
}

/* Everything that is held, but what is replaced. */
static int copy_state(const struct member_state *s, enum fleet_kind but, struct member_state *ret)
{
    int r = but == FLEET_MEMBERSHIP ? 0 : member_held_copy(&s->membership, &ret->membership);

    if (r == 0 && but != FLEET_ACK)
        r = member_held_copy(&s->ack, &ret->ack);
    memcpy(ret->orders, s->orders, sizeof(ret->orders));
    ret->n_orders = s->n_orders;
    return r;
}

int member_keep(struct member *m, const struct fleet_statement *s, const uint8_t *envelope, size_t size, int64_t now_us)
{
    _cleanup_(member_state_done) struct member_state next = {0};
    int r;

    if (m->condition != MEMBER_GOOD)
        return -EINVAL;
    r = copy_state(&m->state, s->kind, &next);
    if (r < 0)
        return r;
    if (s->kind == FLEET_MEMBERSHIP)
        r = held_from(s->kind, envelope, size, &next.membership);
    else if (s->kind == FLEET_ACK)
        r = held_from(s->kind, envelope, size, &next.ack);
    else if (s->kind == FLEET_ORDER)
        r = add_order(&next, &s->order, now_us);
    else
        r = -EINVAL;
    return r < 0 ? r : store(m, &next, false);
}

int member_join(struct member *m, const struct member_view *view, const char wire[static NKEY_PUBLIC_SIZE],
                const uint8_t *envelope, size_t size, struct member_refusal *ret_refusal)
{
    _cleanup_(fleet_statement_freep) struct fleet_statement *s = NULL;
    _cleanup_(member_state_done) struct member_state next = {0};
    int r = member_judge_first(m, view, wire, envelope, size, &s, ret_refusal);

    if (r != 0)
        return r;
    r = copy_state(&m->state, FLEET_MEMBERSHIP, &next);
    if (r == 0)
        r = held_from(FLEET_MEMBERSHIP, envelope, size, &next.membership);
    return r < 0 ? r : store(m, &next, m->condition != MEMBER_GOOD);
}

int member_leave(struct member *m)
{
    int r = marked_file_remove(&m->file);

    if (r < 0)
        return r;
    member_state_done(&m->state);
    m->condition = MEMBER_NONE;
    m->complaint[0] = '\0';
    return 0;
}
