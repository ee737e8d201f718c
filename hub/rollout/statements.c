/*
 * Owns: memberships and orders on their way: signed once, said until the terminal's report shows that they came or their time is over.
 * Must not: ask anything of a terminal that no person asked, but for a report.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/enrol/membership.h"
#include "hub/rollout/internal.h"
#include "hub/store/commands.h"
#include "hub/store/terminals.h"

/* --- groups --- */

static int collect(void *context, const char *terminal)
{
    return rollout_names_add(context, terminal);
}

/* In one transaction: what is signed is not to be signed any more. */
static int sign_move(struct rollout_work *w, const struct hub_terminal *t, const struct hub_terminal_groups *groups)
{
    _cleanup_free_ uint8_t *envelope = NULL;
    size_t size = 0;
    int r = hub_store_begin(w->store);

    if (r >= 0)
        r = hub_membership_of(w->store, w->key, w->roots.newest->organization, t, groups->list, w->now_us, &envelope,
                              &size);
    if (r >= 0)
        r = hub_move_done(w->store, t->id);
    if (r >= 0)
        r = hub_store_commit(w->store);
    hub_store_rollback(w->store);
    return r;
}

static int move_one(struct rollout_work *w, const char *id, struct rollout_names *groups)
{
    struct hub_terminal_groups own = {0};
    struct hub_terminal t = {0};
    int r = hub_terminal_get(w->store, id, &t, &own);

    if (r < 0)
        return r;
    if (r == 0 || t.revoked_us != 0)
        return hub_move_done(w->store, id);
    for (size_t i = 0; r >= 0 && own.list[i]; i++)
        r = rollout_names_add(groups, own.list[i]);
    return r < 0 ? r : sign_move(w, &t, &own);
}

int rollout_sign_moves(struct rollout_work *w, struct rollout_names *groups)
{
    struct rollout_names terminals = {0};
    int r = hub_move_each(w->store, collect, &terminals);

    for (size_t i = 0; r >= 0 && i < terminals.n; i++)
        r = move_one(w, terminals.ids[i], groups);
    rollout_names_done(&terminals);
    return r;
}

/* --- orders --- */

struct orders {
    struct hub_order *items;
    size_t n;
};

static int add_unsigned(void *context, const struct hub_order *order)
{
    struct orders *orders = context;
    void *items;

    if (order->envelope)
        return 0;
    items = reallocarray(orders->items, orders->n + 1, sizeof(*orders->items));
    if (!items)
        return -ENOMEM;
    orders->items = items;
    orders->items[orders->n++] = *order;
    return 0;
}

static int sign_order(struct rollout_work *w, const struct hub_order *o)
{
    struct fleet_statement s = {.kind = FLEET_ORDER,
                                .order = {.organization = w->roots.newest->organization,
                                          .kind = o->kind,
                                          .issued_us = o->asked_us,
                                          .expires_us = o->expires_us}};
    _cleanup_free_ uint8_t *envelope = NULL;
    size_t size = 0;
    int r;

    memcpy(s.order.terminal, o->terminal, sizeof(s.order.terminal));
    memcpy(s.order.id, o->id, sizeof(s.order.id));
    r = fleet_statement_seal(&s, w->key, &envelope, &size, NULL);
    return r == TRUST_OK ? hub_order_signed(w->store, o, envelope, size) : r < 0 ? r : -EUCLEAN;
}

int rollout_sign_orders(struct rollout_work *w)
{
    struct orders orders = {0};
    int r = hub_order_each(w->store, w->now_us, add_unsigned, &orders);

    if (r >= 0 && orders.n > 0)
        r = hub_store_begin(w->store);
    for (size_t i = 0; r >= 0 && i < orders.n; i++)
        r = sign_order(w, &orders.items[i]);
    if (r >= 0 && orders.n > 0)
        r = hub_store_commit(w->store);
    hub_store_rollback(w->store);
    free(orders.items);
    return r;
}

/* --- what stands on their subjects --- */

static int put(struct rollout_work *w, const char *terminal, enum fleet_command command, const void *bytes, size_t size)
{
    char subject[FLEET_SUBJECT_SIZE];
    int r = fleet_subject_command(terminal, command, subject);

    if (r == 0)
        rollout_put(w, subject, bytes, size, NULL);
    return r;
}

static int put_order(void *context, const struct hub_order *o)
{
    if (!o->envelope)
        return 0;
    return put(context, o->terminal, o->kind == FLEET_ORDER_REPORT ? FLEET_COMMAND_REPORT : FLEET_COMMAND_END_GRANTS,
               o->envelope, o->size);
}

static int put_membership(void *context, const char *terminal, const uint8_t *envelope, size_t size)
{
    return put(context, terminal, FLEET_COMMAND_MEMBERSHIP, envelope, size);
}

/* The connection's own rights follow the group later, when the terminal renews them: until then its policy comes this way. */
static int put_new_group(void *context, const char *terminal, const char *group)
{
    _cleanup_free_ uint8_t *bundle = NULL;
    size_t size = 0;
    int r = rollout_group_bundle(context, group, &bundle, &size);

    return r > 0 ? put(context, terminal, FLEET_COMMAND_BUNDLE, bundle, size) : r;
}

int rollout_put_statements(struct rollout_work *w)
{
    int r = hub_order_each(w->store, w->now_us, put_order, w);

    if (r >= 0)
        r = hub_membership_due(w->store, put_membership, w);
    if (r >= 0)
        r = hub_moved_each(w->store, put_new_group, w);
    return r;
}
