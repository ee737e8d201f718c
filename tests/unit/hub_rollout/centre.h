#pragma once

#include "unit/hub_store/fixture.h"

#include "fake/signed.h"
#include "fake/terminal.h"
#include "hub/rollout/intake.h"
#include "hub/rollout/plan.h"
#include "hub/rollout/work.h"
#include "hub/store/commands.h"
#include "hub/store/groups.h"
#include "hub/store/internal.h"
#include "hub/store/policies.h"
#include "hub/store/reports.h"
#include "hub/store/rollouts.h"
#include "hub/store/roots.h"
#include "hub/store/terminals.h"

/* A centre with a store, terminals that hold its root, and a wire that is an array. Root 3, whose role head is signed_key(6). */

enum {
    CENTRE_TERMINALS_MAX = 40,
    CENTRE_MESSAGES_MAX = 200,
};

#define MINUTE (INT64_C(60) * 1000000)

struct message {
    char subject[FLEET_SUBJECT_SIZE];
    uint8_t *bytes;
    size_t size;
    unsigned turn; /* of being put: each terminal gets it once */
};

struct centre {
    struct fixture *f;
    struct rollout_work work;
    struct rollout_wire wire;
    struct message messages[CENTRE_MESSAGES_MAX];
    size_t n_messages;
    unsigned puts; /* that changed something */
    bool cut;      /* nothing gets through */
    struct fake_terminal terminals[CENTRE_TERMINALS_MAX];
    bool off[CENTRE_TERMINALS_MAX];
    unsigned seen[CENTRE_TERMINALS_MAX][CENTRE_MESSAGES_MAX];
    unsigned turns;
    size_t n;
    int64_t now_us;
};

static inline int centre_put(void *context, const char *subject, const void *bytes, size_t size,
                             const struct digest *digest)
{
    struct centre *c = context;
    struct digest own;
    size_t i = 0;

    assert_int_equal(digest_bytes(bytes, size, &own), 0);
    assert_true(!digest || digest_equal(digest, &own));
    if (c->cut)
        return -EIO;
    while (i < c->n_messages && strcmp(c->messages[i].subject, subject) != 0)
        i++;
    assert_true(i < CENTRE_MESSAGES_MAX);
    if (i == c->n_messages)
        (void)snprintf(c->messages[c->n_messages++].subject, FLEET_SUBJECT_SIZE, "%s", subject);
    else if (c->messages[i].size == size && memcmp(c->messages[i].bytes, bytes, size) == 0)
        return 0;
    free(c->messages[i].bytes);
    c->messages[i].bytes = malloc(size);
    memcpy(c->messages[i].bytes, bytes, size);
    c->messages[i].size = size;
    c->messages[i].turn = ++c->puts;
    return 0;
}

static inline const struct message *centre_message(const struct centre *c, const char *subject)
{
    for (size_t i = 0; i < c->n_messages; i++)
        if (strcmp(c->messages[i].subject, subject) == 0)
            return &c->messages[i];
    return NULL;
}

static inline const struct message *centre_command(const struct centre *c, size_t i, enum fleet_command command)
{
    char subject[FLEET_SUBJECT_SIZE];

    assert_int_equal(fleet_subject_command(c->terminals[i].id, command, subject), 0);
    return centre_message(c, subject);
}

static inline void centre_add_root(struct centre *c, struct trust_envelope *e, uint64_t version)
{
    struct signed_bytes b = signed_file(e);

    assert_int_equal(hub_store_begin(c->f->store), 0);
    assert_int_equal(hub_root_add(c->f->store, &c->f->actor,
                                  &(struct hub_root){.version = version, .envelope = b.data, .size = b.size}, "x"),
                     1);
    assert_int_equal(hub_store_commit(c->f->store), 0);
    free(b.data);
}

static inline struct digest centre_add_policy(struct centre *c, uint64_t version, const char *more)
{
    struct trust_envelope *e = signed_usual_policy(version, more);
    struct hub_policy p = {.version = version, .name = "課税課 標準"};
    struct signed_bytes b;

    assert_int_equal(digest_bytes(e->payload, e->size, &p.document), 0);
    b = signed_file(e);
    assert_int_equal(hub_policy_add(c->f->store, &c->f->actor, &p, b.data, b.size), HUB_POLICY_OK);
    free(b.data);
    return p.document;
}

static inline void centre_add_terminals(struct centre *c, size_t n, const char *group)
{
    struct signed_bytes root = signed_file(signed_usual_root(3));

    for (size_t i = 0; i < n; i++) {
        struct fake_terminal *t = &c->terminals[c->n];
        struct hub_terminal row = {.enrolled_us = c->now_us, .approved_us = c->now_us};

        fake_terminal_begin(t, (unsigned)c->n, root.data, root.size, group, c->now_us);
        memcpy(row.id, t->id, sizeof(t->id));
        (void)snprintf(row.name, sizeof(row.name), "pc-%02zu", c->n++);
        (void)snprintf(row.host, sizeof(row.host), "%s", row.name);
        assert_int_equal(hub_store_begin(c->f->store), 0);
        assert_int_equal(hub_terminal_add(c->f->store, &c->f->actor, &row, t->journal, t->wire, group),
                         HUB_TERMINAL_OK);
        assert_int_equal(hub_store_commit(c->f->store), 0);
    }
    free(root.data);
}

/* Hundreds of days go by here: no disk is waited for. */
static inline void centre_hurry(const struct fixture *f)
{
    assert_int_equal(sql_run(f->store->db, "PRAGMA synchronous=OFF"), 0);
}

static inline int centre_begin(void **state)
{
    static struct centre c;

    c = (struct centre){.now_us = SIGNED_NOW};
    assert_int_equal(fixture_begin((void **)&c.f), 0);
    assert_int_equal(c.f->actor.now_us, SIGNED_NOW);
    centre_hurry(c.f);
    c.wire = (struct rollout_wire){centre_put, &c};
    c.work = (struct rollout_work){
        .store = c.f->store, .key = signed_key(6), .wire = &c.wire, .listening_us = SIGNED_NOW - HOUR_US};
    assert_int_equal(hub_group_create(c.f->store, &c.f->actor, "kazei"), HUB_GROUP_OK);
    assert_int_equal(hub_group_create(c.f->store, &c.f->actor, "juki"), HUB_GROUP_OK);
    *state = &c;
    return 0;
}

static inline int centre_end(void **state)
{
    struct centre *c = *state;

    for (size_t i = 0; i < c->n; i++)
        fake_terminal_end(&c->terminals[i]);
    for (size_t i = 0; i < c->n_messages; i++)
        free(c->messages[i].bytes);
    return fixture_end((void **)&c->f);
}

/* The hub's process ended and began again. */
static inline void centre_restart(struct centre *c)
{
    assert_int_equal(fixture_reopen(c->f), 0);
    centre_hurry(c->f);
    c->work =
        (struct rollout_work){.store = c->f->store, .key = signed_key(6), .wire = &c->wire, .listening_us = c->now_us};
}

static inline void centre_pass(struct centre *c)
{
    assert_int_equal(rollout_work_pass(&c->work, c->now_us), ROLLOUT_WORK_OK);
}

static inline int centre_intake(struct centre *c, const char *id, const uint8_t *bytes, size_t size)
{
    int r = hub_store_begin(c->f->store);

    if (r >= 0)
        r = rollout_intake(c->f->store, id, bytes, size, c->now_us, NULL);
    assert_int_equal(hub_store_commit(c->f->store), 0);
    return r;
}

static inline void centre_take_report(struct centre *c, size_t i)
{
    uint8_t *bytes = NULL;
    size_t size = 0;

    fake_terminal_report(&c->terminals[i], c->now_us, &bytes, &size);
    assert_int_equal(centre_intake(c, c->terminals[i].id, bytes, size), ROLLOUT_INTAKE_OK);
    free(bytes);
}

/* The message, where the terminal has not had it. */
static inline const struct message *centre_new(struct centre *c, size_t i, const struct message *m)
{
    unsigned *seen = m ? &c->seen[i][m - c->messages] : NULL;

    if (!m || *seen == m->turn)
        return NULL;
    *seen = m->turn;
    return m;
}

/* One terminal takes what is new on its subjects. Was there anything? */
static inline bool centre_deliver(struct centre *c, size_t i)
{
    struct fake_terminal *t = &c->terminals[i];
    const struct message *m = centre_new(c, i, centre_command(c, i, FLEET_COMMAND_MEMBERSHIP));
    enum fleet_order_kind order;
    char subject[FLEET_SUBJECT_SIZE];
    bool any = m != NULL;

    if (m)
        assert_int_equal(fake_terminal_statement(t, m->bytes, m->size, c->now_us, &order), TRUST_OK);
    any = centre_new(c, i, centre_command(c, i, FLEET_COMMAND_REPORT)) || any;
    m = centre_new(c, i, centre_command(c, i, FLEET_COMMAND_BUNDLE));
    any = any || m;
    if (m)
        (void)fake_terminal_bundle(t, m->bytes, m->size, c->now_us);
    for (size_t k = 0; k < t->n_groups; k++) {
        assert_int_equal(fleet_subject_policy(t->groups[k], subject), 0);
        m = centre_new(c, i, centre_message(c, subject));
        any = any || m;
        if (m)
            (void)fake_terminal_bundle(t, m->bytes, m->size, c->now_us);
    }
    return any;
}

/* All that are on take what there is, and report it, and now and then without a reason; then the hub has its turn. */
static inline void centre_turn(struct centre *c)
{
    c->turns++;
    for (size_t i = 0; i < c->n; i++)
        if (!c->off[i] && (centre_deliver(c, i) || c->turns % 4 == 0))
            centre_take_report(c, i);
    centre_pass(c);
}

static inline size_t centre_having(const struct centre *c, uint64_t version)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n; i++)
        n += fake_terminal_version(&c->terminals[i]) == version;
    return n;
}

static inline int centre_keep_rollout(void *context, const struct hub_rollout *o)
{
    struct hub_rollout *ret = context;

    if (ret->number == 0) /* the newest */
        *ret = *o;
    return 0;
}

static inline struct hub_rollout centre_rollout(struct centre *c, const char *group)
{
    struct hub_rollout o = {0};

    assert_int_equal(hub_rollout_each(c->f->store, group, false, centre_keep_rollout, &o), 0);
    return o;
}

static inline int centre_start(struct centre *c, const char *group, const struct digest *policy, unsigned canaries)
{
    struct hub_rollout o = {
        .policy = *policy, .canaries = canaries, .halt_failed = 5, .halt_silent = 20, .wait_us = 10 * MINUTE};
    struct hub_actor actor = {.name = "local:tanaka", .now_us = c->now_us};
    uint64_t number = 0;

    (void)snprintf(o.group, sizeof(o.group), "%s", group);
    return hub_rollout_add(c->f->store, &actor, &o, &number);
}
