/*
 * Owns: rollouts as they stand.
 * Must not: say what comes next (hub/rollout/plan.c), or take a policy's version back: a terminal would not.
 */
#include "hub/store/rollouts.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "hub/store/groups.h"
#include "hub/store/internal.h"
#include "hub/store/journal.h"

/* As in hub/rollout/plan.h, which this folder does not know. */
enum {
    RUNNING = 1,
    HALTED = 2,
    PUBLISHED = 3,
    REPLACED = 4,
    REASON_PERSON = 1,
    REASON_LAST = 5,
};

static int write_record(struct hub_store *s, const struct hub_actor *actor, const char *what,
                        const struct hub_rollout *o)
{
    static const char *const reasons[] = {"", "person", "failed", "silent", "expired", "refused"};
    char hex[DIGEST_HEX_SIZE];

    digest_to_hex(&o->policy, hex);
    return hub_journal_add_json(s, actor, what, o->group,
                                json_pack("{s:I, s:s, s:I, s:I, s:s}", "rollout", (json_int_t)o->number, "policy", hex,
                                          "version", (json_int_t)o->policy_version, "stage", (json_int_t)o->stage,
                                          "reason", reasons[o->reason]));
}

/* --- reading --- */

static int read_percents(sqlite3_stmt *q, int at, struct hub_rollout *ret)
{
    char text[HUB_ROLLOUT_PERCENTS_MAX * 4 + 1], *rest = text, *word;
    uint64_t percent = 0;
    size_t n = 0;
    int r = sql_get_text(q, at, text, sizeof(text));

    while (r >= 0 && (word = strsep(&rest, ",")) && *word) {
        if (n == HUB_ROLLOUT_PERCENTS_MAX || text_to_u64(word, 100, &percent) < 0)
            return -EUCLEAN;
        ret->percents[n++] = (unsigned)percent;
    }
    return r;
}

static int read_count(sqlite3_stmt *q, int at, unsigned maximum, unsigned *ret)
{
    int64_t n = 0;
    int r = sql_get_number(q, at, 0, maximum, &n);

    *ret = (unsigned)n;
    return r;
}

static int read_progress(sqlite3_stmt *q, struct hub_rollout *ret)
{
    unsigned go_on = 0;
    int r = read_count(q, 11, REPLACED, &ret->state);

    if (r >= 0)
        r = read_count(q, 12, UINT16_MAX, &ret->stage);
    if (r >= 0)
        r = read_count(q, 13, REASON_LAST, &ret->reason);
    if (r >= 0)
        r = sql_get_number(q, 14, INT64_MIN, INT64_MAX, &ret->since_us);
    if (r >= 0)
        r = read_count(q, 15, 1, &go_on);
    ret->go_on = go_on != 0;
    if (r >= 0)
        r = sql_get_number(q, 16, INT64_MIN, INT64_MAX, &ret->created_us);
    return r < 0 ? r : hub_get_time(q, 17, &ret->ended_us);
}

static int read_rollout(sqlite3_stmt *q, struct hub_rollout *ret)
{
    int64_t number = 0, version = 0;
    int r = sql_get_number(q, 0, 1, INT64_MAX, &number);

    if (r >= 0)
        r = sql_get_text(q, 1, ret->group, sizeof(ret->group));
    if (r >= 0)
        r = sql_get_bytes(q, 2, ret->policy.bytes, DIGEST_SIZE, DIGEST_SIZE, NULL);
    if (r >= 0)
        r = sql_get_number(q, 3, 0, INT64_MAX, &version);
    if (r >= 0)
        r = sql_get_text(q, 4, ret->policy_name, sizeof(ret->policy_name));
    if (r >= 0)
        r = hub_get_text(q, 5, ret->canary_group, sizeof(ret->canary_group));
    if (r >= 0)
        r = read_count(q, 6, UINT32_MAX, &ret->canaries);
    if (r >= 0)
        r = read_percents(q, 7, ret);
    if (r >= 0)
        r = read_count(q, 8, 100, &ret->halt_failed);
    if (r >= 0)
        r = read_count(q, 9, 100, &ret->halt_silent);
    if (r >= 0)
        r = sql_get_number(q, 10, 0, INT64_MAX, &ret->wait_us);
    ret->number = (uint64_t)number;
    ret->policy_version = (uint64_t)version;
    return r < 0 ? r : read_progress(q, ret);
}

int hub_rollout_each(struct hub_store *s, const char *group, bool alive,
                     int (*each)(void *context, const struct hub_rollout *rollout), void *context)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ROLLOUT_EACH, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, group, &r);
    sql_bind_number(q, 2, alive, &r);
    while (r >= 0 && (r = sql_step(q)) > 0) {
        struct hub_rollout o = {0};

        r = read_rollout(q, &o);
        if (r >= 0)
            r = each(context, &o);
    }
    (void)sqlite3_reset(q);
    return r < 0 ? r : 0;
}

static int keep(void *context, const struct hub_rollout *rollout)
{
    *(struct hub_rollout *)context = *rollout;
    return 0;
}

/* 1, 0 there is none alive. */
static int find_alive(struct hub_store *s, const char *group, struct hub_rollout *ret)
{
    int r;

    ret->number = 0;
    r = hub_rollout_each(s, group, true, keep, ret);
    return r < 0 ? r : ret->number != 0;
}

/* --- beginning --- */

static int ask_number(struct hub_store *s, enum hub_query what, const struct digest *policy, const char *text,
                      int64_t *ret)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, what, &r);

    if (!q)
        return r;
    if (policy)
        sql_bind_bytes(q, 1, policy->bytes, DIGEST_SIZE, &r);
    if (text)
        sql_bind_text(q, 2, text, &r);
    if (r >= 0)
        r = sql_step(q);
    if (r > 0) {
        *ret = sqlite3_column_int64(q, 0);
        r = 1;
    }
    (void)sqlite3_reset(q);
    return r;
}

static void write_percents(const struct hub_rollout *o, char *ret, size_t size)
{
    size_t n = 0;

    *ret = '\0';
    for (size_t i = 0; o->percents[i] && n < size; i++)
        n += (size_t)snprintf(ret + n, size - n, "%s%u", i ? "," : "", o->percents[i]);
}

static int insert(struct hub_store *s, const struct hub_rollout *o, uint64_t *ret_number)
{
    char percents[HUB_ROLLOUT_PERCENTS_MAX * 4 + 1];
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ROLLOUT_ADD, &r);

    if (!q)
        return r;
    write_percents(o, percents, sizeof(percents));
    sql_bind_text(q, 1, o->group, &r);
    sql_bind_bytes(q, 2, o->policy.bytes, DIGEST_SIZE, &r);
    sql_bind_text(q, 3, *o->canary_group ? o->canary_group : NULL, &r);
    sql_bind_number(q, 4, o->canaries, &r);
    sql_bind_text(q, 5, percents, &r);
    sql_bind_number(q, 6, o->halt_failed, &r);
    sql_bind_number(q, 7, o->halt_silent, &r);
    sql_bind_number(q, 8, o->wait_us, &r);
    sql_bind_number(q, 9, o->created_us, &r);
    r = sql_change(s->db, q, r, 1);
    if (r >= 0)
        *ret_number = (uint64_t)sqlite3_last_insert_rowid(s->db);
    return r;
}

/* Of another policy some of the group know this version or a later one: those would refuse it. */
static int check(struct hub_store *s, struct hub_rollout *o)
{
    int64_t version = 0, highest = 0, rules = 0;
    int r = hub_group_exists(s, o->group);

    if (r > 0 && *o->canary_group)
        r = hub_group_exists(s, o->canary_group);
    if (r <= 0)
        return r < 0 ? r : HUB_ROLLOUT_E_GROUP;
    r = ask_number(s, HUB_POLICY_VERSION, &o->policy, NULL, &version);
    if (r <= 0)
        return r < 0 ? r : HUB_ROLLOUT_E_POLICY;
    r = ask_number(s, HUB_HEAD_SELECTS, &o->policy, o->group, &rules);
    if (r >= 0 && !rules)
        r = ask_number(s, HUB_ROLLOUT_HIGHEST, &o->policy, o->group, &highest);
    o->policy_version = (uint64_t)version;
    return r < 0 ? r : rules ? HUB_ROLLOUT_E_RULES : version <= highest ? HUB_ROLLOUT_E_OLDER : HUB_ROLLOUT_OK;
}

static int replace(struct hub_store *s, const struct hub_actor *actor, const char *group)
{
    struct hub_rollout old = {0};
    int r = find_alive(s, group, &old);

    if (r <= 0)
        return r;
    old.state = REPLACED;
    old.ended_us = actor->now_us;
    return hub_rollout_turn(s, actor, &old);
}

int hub_rollout_add(struct hub_store *s, const struct hub_actor *actor, const struct hub_rollout *rollout,
                    uint64_t *ret_number)
{
    struct hub_rollout o = *rollout;
    uint64_t number = 0;
    int r = hub_store_begin(s);

    o.created_us = actor->now_us;
    o.stage = o.reason = 0;
    if (r >= 0)
        r = check(s, &o);
    if (r == HUB_ROLLOUT_OK)
        r = replace(s, actor, o.group);
    if (r == HUB_ROLLOUT_OK)
        r = insert(s, &o, &number);
    o.number = number;
    if (r == HUB_ROLLOUT_OK)
        r = write_record(s, actor, "rollout-start", &o);
    r = hub_store_finish(s, r);
    if (r == HUB_ROLLOUT_OK)
        *ret_number = number;
    return r;
}

/* --- going on --- */

static int set_progress(struct hub_store *s, const struct hub_rollout *o)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ROLLOUT_TURN, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)o->number, &r);
    sql_bind_number(q, 2, o->state, &r);
    sql_bind_number(q, 3, o->stage, &r);
    sql_bind_number(q, 4, o->reason, &r);
    sql_bind_number(q, 5, o->since_us, &r);
    sql_bind_number(q, 6, o->go_on, &r);
    if (o->ended_us != 0)
        sql_bind_number(q, 7, o->ended_us, &r);
    return sql_change(s->db, q, r, 1);
}

int hub_rollout_turn(struct hub_store *s, const struct hub_actor *actor, const struct hub_rollout *o)
{
    static const char *const what[] = {"", "rollout-stage", "rollout-halt", "rollout-publish", "rollout-replace"};
    int r = set_progress(s, o);

    if (r >= 0 && o->state == HALTED && o->reason > REASON_PERSON)
        return write_record(s, actor, "alarm-rollout-halt", o);
    return r < 0 ? r : write_record(s, actor, what[o->state], o);
}

static int run_for(struct hub_store *s, enum hub_query what, uint64_t number, int64_t now_us)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, what, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)number, &r);
    sql_bind_number(q, 2, now_us, &r);
    return sql_change(s->db, q, r, -1);
}

/* What a person does to the one that is alive. */
enum word {
    WORD_HALT,
    WORD_RESUME,
    WORD_CONTINUE,
};

static int apply_word(struct hub_store *s, const struct hub_actor *actor, const char *group, enum word word)
{
    static const char *const what[] = {"rollout-halt", "rollout-resume", "rollout-continue"};
    struct hub_rollout o = {0};
    int r = find_alive(s, group, &o);

    if (r < 0)
        return r;
    if (r == 0 || (o.state == HALTED) != (word == WORD_RESUME))
        return HUB_ROLLOUT_E_NONE;
    o.state = word == WORD_HALT ? HALTED : RUNNING;
    o.reason = word == WORD_HALT ? REASON_PERSON : 0;
    o.go_on = word == WORD_CONTINUE;
    if (word == WORD_RESUME) {
        o.since_us = actor->now_us;
        r = run_for(s, HUB_ROLLOUT_FORGIVE, o.number, 0);
        if (r >= 0) /* a terminal is not told the same twice, and those that refused it shall try again */
            r = run_for(s, HUB_ROLLOUT_HEAD_AGAIN, o.number, 0);
    }
    if (r >= 0)
        r = set_progress(s, &o);
    return r < 0 ? r : write_record(s, actor, what[word], &o);
}

static int say(struct hub_store *s, const struct hub_actor *actor, const char *group, enum word word)
{
    int r = hub_store_begin(s);

    return r < 0 ? r : hub_store_finish(s, apply_word(s, actor, group, word));
}

int hub_rollout_halt(struct hub_store *s, const struct hub_actor *actor, const char *group)
{
    return say(s, actor, group, WORD_HALT);
}

int hub_rollout_resume(struct hub_store *s, const struct hub_actor *actor, const char *group)
{
    return say(s, actor, group, WORD_RESUME);
}

int hub_rollout_continue(struct hub_store *s, const struct hub_actor *actor, const char *group)
{
    return say(s, actor, group, WORD_CONTINUE);
}

/* --- its head --- */

int hub_rollout_set_head(struct hub_store *s, uint64_t number, const struct hub_head *head, const void *envelope,
                         size_t size)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ROLLOUT_HEAD_SET, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)number, &r);
    sql_bind_number(q, 2, (int64_t)head->version, &r);
    sql_bind_number(q, 3, head->expires_us, &r);
    sql_bind_bytes(q, 4, envelope, size, &r);
    return sql_change(s->db, q, r, 1);
}

int hub_rollout_set_bundle(struct hub_store *s, uint64_t number, const struct digest *bundle)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ROLLOUT_BUNDLE_SET, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)number, &r);
    sql_bind_bytes(q, 2, bundle->bytes, DIGEST_SIZE, &r);
    return sql_change(s->db, q, r, -1);
}

int hub_rollout_get_head(struct hub_store *s, uint64_t number, struct hub_head *ret, uint8_t **ret_envelope,
                         size_t *ret_size)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ROLLOUT_HEAD_GET, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)number, &r);
    r = hub_get_head(q, r, ret, ret_envelope, ret_size);
    (void)sqlite3_reset(q);
    return r;
}

int hub_head_highest(struct hub_store *s, uint64_t *ret)
{
    int64_t version = 0;
    int r = ask_number(s, HUB_HEAD_HIGHEST, NULL, NULL, &version);

    if (r >= 0)
        *ret = version > 0 ? (uint64_t)version : 0;
    return r < 0 ? r : 0;
}

/* --- its terminals --- */

static int read_flag(sqlite3_stmt *q, int at, bool *ret)
{
    int64_t n = 0;
    int r = sqlite3_column_type(q, at) == SQLITE_NULL ? 0 : sql_get_number(q, at, 0, 1, &n);

    *ret = n != 0;
    return r;
}

static int read_terminal(sqlite3_stmt *q, struct hub_rollout_terminal *ret)
{
    int r = sql_get_text(q, 0, ret->id, sizeof(ret->id));

    if (r >= 0)
        r = read_flag(q, 1, &ret->canary);
    if (r >= 0)
        r = hub_get_time(q, 2, &ret->contact_us);
    if (r >= 0)
        r = read_flag(q, 3, &ret->applied);
    if (r >= 0)
        r = read_flag(q, 4, &ret->failed);
    if (r >= 0)
        r = hub_get_time(q, 5, &ret->sent_us);
    if (r >= 0 && ret->sent_us != 0)
        r = read_count(q, 6, UINT16_MAX, &ret->stage);
    if (r >= 0)
        r = read_flag(q, 7, &ret->reachable);
    if (r >= 0)
        r = hub_get_time(q, 8, &ret->asked_us);
    return r < 0 ? r : read_flag(q, 9, &ret->forgiven);
}

int hub_rollout_terminals(struct hub_store *s, const struct hub_rollout *rollout,
                          int (*each)(void *context, const struct hub_rollout_terminal *terminal), void *context)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ROLLOUT_TERMINALS, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)rollout->number, &r);
    while (r >= 0 && (r = sql_step(q)) > 0) {
        struct hub_rollout_terminal t = {0};

        r = read_terminal(q, &t);
        if (r >= 0)
            r = each(context, &t);
    }
    (void)sqlite3_reset(q);
    return r < 0 ? r : 0;
}

int hub_rollout_sent(struct hub_store *s, uint64_t number, const char *terminal, unsigned stage, bool reachable,
                     int64_t now_us)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ROLLOUT_SENT, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)number, &r);
    sql_bind_text(q, 2, terminal, &r);
    sql_bind_number(q, 3, stage, &r);
    sql_bind_number(q, 4, now_us, &r);
    sql_bind_number(q, 5, reachable, &r);
    return sql_change(s->db, q, r, 1);
}

int hub_rollout_asked(struct hub_store *s, uint64_t number, const char *terminal, int64_t now_us)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ROLLOUT_ASKED, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)number, &r);
    sql_bind_text(q, 2, terminal, &r);
    sql_bind_number(q, 3, now_us, &r);
    return sql_change(s->db, q, r, 1);
}

int hub_rollout_restamp(struct hub_store *s, uint64_t number, int64_t now_us)
{
    int r = run_for(s, HUB_ROLLOUT_RESTAMP, number, now_us);

    return r < 0 ? r : run_for(s, HUB_ROLLOUT_RESTAMP_TERMINALS, number, now_us);
}
