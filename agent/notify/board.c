/*
 * Owns: what stands in which place, how often a place may change, and the countdown. Must not: read a clock, talk to anybody, or let refusals
 * without end become notifications without end.
 */
#include "notify/board.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/value.h"
#include "notify/note.h"

#define SECOND_US UINT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)

enum {
    KEY_SIZE = 512,
    BUDGET = 6, /* refusals that appear or change within BUDGET_US */
};
#define BUDGET_US (10 * SECOND_US)
#define QUIET_US (10 * MINUTE_US) /* refusals that were quiet so long begin anew */
#define BEFORE_US (3 * SECOND_US) /* so long around its end an unlocking tells that its device is locked */
#define AFTER_US (10 * SECOND_US)

/* A place that changes again and again does so more and more rarely. */
static const uint64_t intervals_us[] = {3 * SECOND_US, 15 * SECOND_US, MINUTE_US, 5 * MINUTE_US};

struct unlocking {
    json_t *grant; /* as kuraband told it last; NULL: an empty place */
    bool held, soon, shown;
    uint64_t end_us;
    uint64_t next_us;  /* of the countdown; UINT64_MAX none */
    uint64_t ended_us; /* when it ended, of one that is not held */
};

struct group {
    json_t *refusal; /* the last one; NULL: an empty place */
    char key[KEY_SIZE];
    int64_t count;
    bool different, waiting, fresh;
    size_t level;
    uint64_t last_us, next_us; /* next_us: it may change from then on */
};

struct board {
    struct board_ops ops;
    uint32_t uid;
    struct unlocking grants[BOARD_GRANTS];
    struct group groups[BOARD_GROUPS];
    uint64_t budget_since_us;
    unsigned spent;
};

int board_new(const struct board_ops *ops, uint32_t uid, struct board **ret)
{
    struct board *b = calloc(1, sizeof(*b));

    if (!b)
        return -ENOMEM;
    b->ops = *ops;
    b->uid = uid;
    *ret = b;
    return 0;
}

struct board *board_free(struct board *b)
{
    if (!b)
        return NULL;
    for (size_t i = 0; i < BOARD_GRANTS; i++)
        json_decref(b->grants[i].grant);
    for (size_t i = 0; i < BOARD_GROUPS; i++)
        json_decref(b->groups[i].refusal);
    free(b);
    return NULL;
}

static void keep(json_t **place, const json_t *value)
{
    json_t *old = *place;

    *place = json_incref((json_t *)(uintptr_t)value);
    json_decref(old);
}

/* --- unlocking --- */

static bool same_text(const json_t *a, const json_t *b, const char *key)
{
    return text_equal(value_string(a, key), value_string(b, key));
}

static struct unlocking *find_unlocking(struct board *b, const json_t *grant)
{
    for (size_t i = 0; i < BOARD_GRANTS; i++)
        if (b->grants[i].grant && same_text(b->grants[i].grant, grant, "device"))
            return &b->grants[i];
    return NULL;
}

/* Its own place, an empty one, or that of the one that ended first; who holds more than anybody may is told no more. */
static struct unlocking *place_unlocking(struct board *b, const json_t *grant)
{
    struct unlocking *found = find_unlocking(b, grant);

    for (size_t i = 0; !found && i < BOARD_GRANTS; i++)
        if (!b->grants[i].grant)
            found = &b->grants[i];
    if (found)
        return found;
    for (size_t i = 0; i < BOARD_GRANTS; i++)
        if (!b->grants[i].held && (!found || b->grants[i].ended_us < found->ended_us))
            found = &b->grants[i];
    if (found)
        found->shown = false;
    return found;
}

static void show_unlocking(struct board *b, struct unlocking *u, struct note *note)
{
    b->ops.show(b->ops.context, (unsigned)(u - b->grants), note, !u->shown);
    u->shown = true;
    note_done(note);
}

static uint64_t left_us(const struct unlocking *u, uint64_t now_us)
{
    return u->end_us > now_us ? u->end_us - now_us : 0;
}

/* The countdown changes when a full minute is left. */
static void plan_countdown(struct unlocking *u, uint64_t now_us)
{
    uint64_t left = left_us(u, now_us), minutes = left / MINUTE_US;

    u->next_us = UINT64_MAX;
    if (u->soon && left > minutes * MINUTE_US && minutes > 0)
        u->next_us = u->end_us - minutes * MINUTE_US;
    else if (u->soon && minutes > 1)
        u->next_us = u->end_us - (minutes - 1) * MINUTE_US;
}

static struct unlocking *hold(struct board *b, const json_t *grant, uint64_t now_us)
{
    int64_t seconds = value_number(grant, "seconds");
    struct unlocking *u = *value_string(grant, "device") ? place_unlocking(b, grant) : NULL;

    if (!u)
        return NULL;
    if (seconds < 0 || seconds > INT32_MAX)
        seconds = 0;
    keep(&u->grant, grant);
    u->held = true;
    u->soon = value_bool(grant, "ends_soon");
    u->end_us = now_us + (uint64_t)seconds * SECOND_US;
    plan_countdown(u, now_us);
    return u;
}

static void show_countdown(struct board *b, struct unlocking *u, uint64_t now_us)
{
    struct note note = {0};

    if (note_ends_soon(u->grant, (int64_t)((left_us(u, now_us) + MINUTE_US - 1) / MINUTE_US), &note) == 0)
        show_unlocking(b, u, &note);
}

static void let_go(struct board *b, struct unlocking *u, const char *why, bool mine, uint64_t now_us)
{
    struct note note = {0};

    u->held = u->soon = false;
    u->next_us = UINT64_MAX;
    u->ended_us = now_us;
    if (note_ended(u->grant, why, mine, &note) == 0)
        show_unlocking(b, u, &note);
}

static bool is_listed(const json_t *grants, const json_t *grant)
{
    const json_t *other;
    size_t i;

    json_array_foreach(grants, i, other)
    {
        /* ids begin anew with kuraband */
        if (same_text(grant, other, "device") && same_text(grant, other, "begin"))
            return true;
    }
    return false;
}

/* The connection is new, and so may be kuraband: what it does not know of any more has ended with the one before. */
static void take_begin(struct board *b, const json_t *notice, uint64_t now_us)
{
    const json_t *grants = json_object_get(notice, "grants"), *grant;
    size_t i;

    for (size_t g = 0; g < BOARD_GRANTS; g++)
        if (b->grants[g].held && !is_listed(grants, b->grants[g].grant))
            let_go(b, &b->grants[g], "stopped", false, now_us);
    json_array_foreach(grants, i, grant)
    {
        struct unlocking *u = hold(b, grant, now_us);

        if (u && u->soon)
            show_countdown(b, u, now_us);
    }
}

static void close_refusals_of(struct board *b, const char *device, const char *locked_by);

static void take_given(struct board *b, const json_t *grant, uint64_t now_us)
{
    struct unlocking *u = hold(b, grant, now_us);
    struct note note = {0};

    close_refusals_of(b, value_string(grant, "device"), value_string(grant, "rule"));
    if (u && note_given(grant, &note) == 0)
        show_unlocking(b, u, &note);
}

static void take_ends_soon(struct board *b, const json_t *grant, uint64_t now_us)
{
    struct unlocking *u = hold(b, grant, now_us);

    if (!u)
        return;
    u->soon = true;
    plan_countdown(u, now_us);
    show_countdown(b, u, now_us);
}

static void take_ended(struct board *b, const json_t *notice, uint64_t now_us)
{
    const json_t *grant = json_object_get(notice, "grant"), *by = json_object_get(notice, "by");
    const char *why = value_string(notice, "ended");
    struct unlocking *u = find_unlocking(b, grant);

    /* One that was renewed is told by the next. */
    if (u && u->held && same_text(u->grant, grant, "begin") && !text_equal(why, "renewed"))
        let_go(b, u, why, json_is_integer(by) && json_integer_value(by) == (json_int_t)b->uid, now_us);
}

/* The end of an unlocking tells it, a moment before or after. */
static bool is_told_with_end(const struct board *b, const json_t *refusal, uint64_t now_us)
{
    if (!text_equal(value_string(refusal, "reason"), "locked"))
        return false;
    for (size_t i = 0; i < BOARD_GRANTS; i++) {
        const struct unlocking *u = &b->grants[i];

        if (!u->grant || !same_text(u->grant, refusal, "rule"))
            continue;
        if (u->held ? left_us(u, now_us) < BEFORE_US : now_us - u->ended_us < AFTER_US)
            return true;
    }
    return false;
}

/* --- refusals --- */

/* What makes refusals alike: a device each, whatever its partitions are called; files by rule and reason. */
static void make_key(const json_t *refusal, char key[static KEY_SIZE])
{
    const json_t *device = json_object_get(refusal, "device");
    const char *action = value_string(refusal, "action"), *serial = value_string(device, "serial");

    if (text_starts(action, "file"))
        (void)snprintf(key, KEY_SIZE, "file %.127s %.31s %d", value_string(refusal, "rule"),
                       value_string(refusal, "reason"),
                       value_bool(refusal, "write") + 2 * value_bool(refusal, "execute"));
    else if (text_starts(action, "mount"))
        (void)snprintf(key, KEY_SIZE, "mount %.127s", value_string(refusal, "rule"));
    else
        (void)snprintf(key, KEY_SIZE, "device %.127s %.127s", *serial ? serial : value_string(device, "id"),
                       *serial ? value_string(device, "name") : "");
}

static struct group *place_group(struct board *b, const char *key)
{
    struct group *oldest = &b->groups[0];

    for (size_t i = 0; i < BOARD_GROUPS; i++) {
        struct group *g = &b->groups[i];

        if (g->refusal && text_equal(g->key, key))
            return g;
        if (oldest->refusal && (!g->refusal || g->last_us < oldest->last_us))
            oldest = g;
    }
    json_decref(oldest->refusal);
    *oldest = (struct group){.fresh = true};
    (void)snprintf(oldest->key, sizeof(oldest->key), "%s", key);
    return oldest;
}

static bool may_spend(struct board *b, uint64_t now_us)
{
    if (now_us - b->budget_since_us >= BUDGET_US) {
        b->budget_since_us = now_us;
        b->spent = 0;
    }
    return b->spent < BUDGET;
}

static void show_group(struct board *b, struct group *g, uint64_t now_us)
{
    struct note note = {0};

    g->waiting = false;
    g->next_us = now_us + intervals_us[g->level];
    if (g->level + 1 < ELEMENTS(intervals_us))
        g->level++;
    b->spent++;
    if (note_refused(g->refusal, g->count, g->different, &note) < 0)
        return;
    b->ops.show(b->ops.context, BOARD_GRANTS + (unsigned)(g - b->groups), &note, g->fresh);
    g->fresh = false;
    note_done(&note);
}

static void show_waiting(struct board *b, uint64_t now_us)
{
    for (size_t i = 0; i < BOARD_GROUPS; i++)
        if (b->groups[i].waiting && b->groups[i].next_us <= now_us && may_spend(b, now_us))
            show_group(b, &b->groups[i], now_us);
}

static void begin_again(struct group *g)
{
    g->count = 0;
    g->level = 0;
    g->different = false;
    g->fresh = true;
    g->next_us = 0;
}

/* Of many at once kuraband tells the number alone: then the last that had a name goes on standing for them. */
static bool is_nameless(const json_t *refusal)
{
    return text_starts(value_string(refusal, "action"), "file") && !*value_string(refusal, "path");
}

static void take_refused(struct board *b, const json_t *refusal, uint64_t now_us)
{
    int64_t count = value_number(refusal, "count");
    char key[KEY_SIZE];
    struct group *g;

    if (!json_is_object(refusal) || value_bool(refusal, "would_refuse") || is_told_with_end(b, refusal, now_us))
        return;
    make_key(refusal, key);
    g = place_group(b, key);
    if (g->refusal && now_us - g->last_us >= QUIET_US)
        begin_again(g);
    g->different =
        g->different || (g->count > 0 && text_starts(key, "file") && !same_text(g->refusal, refusal, "path"));
    count = count < 1 ? 1 : count;
    g->count = count > INT64_MAX - g->count ? INT64_MAX : g->count + count;
    g->last_us = now_us;
    g->waiting = true;
    if (!g->refusal || !is_nameless(refusal))
        keep(&g->refusal, refusal);
    show_waiting(b, now_us);
}

/* Nothing is to be said of a device that has left or is open now. The place is remembered: one that comes and goes is not told each time. */
static void close_refusals_of(struct board *b, const char *device, const char *locked_by)
{
    for (size_t i = 0; i < BOARD_GROUPS; i++) {
        struct group *g = &b->groups[i];
        bool own = g->refusal && text_starts(g->key, "device") &&
                   text_equal(value_string(json_object_get(g->refusal, "device"), "id"), device);
        bool unlocked = g->refusal && locked_by && text_equal(value_string(g->refusal, "reason"), "locked") &&
                        text_equal(value_string(g->refusal, "rule"), locked_by);

        if (!own && !unlocked)
            continue;
        g->waiting = false;
        if (!g->fresh)
            b->ops.close(b->ops.context, BOARD_GRANTS + (unsigned)i);
        g->fresh = true;
        g->count = 0;
        g->different = false;
    }
}

/* --- */

void board_take(struct board *b, const json_t *notice, uint64_t now_us)
{
    const char *what = value_string(notice, "notice");
    const json_t *grant = json_object_get(notice, "grant");

    if (text_equal(what, "begin"))
        take_begin(b, notice, now_us);
    else if (text_equal(what, "grant-given"))
        take_given(b, grant, now_us);
    else if (text_equal(what, "grant-ends-soon"))
        take_ends_soon(b, grant, now_us);
    else if (text_equal(what, "grant-ended"))
        take_ended(b, notice, now_us);
    else if (text_equal(what, "refused"))
        take_refused(b, json_object_get(notice, "refusal"), now_us);
    else if (text_equal(what, "device-left"))
        close_refusals_of(b, value_string(notice, "device"), NULL);
}

void board_tick(struct board *b, uint64_t now_us)
{
    for (size_t i = 0; i < BOARD_GRANTS; i++) {
        struct unlocking *u = &b->grants[i];

        if (!u->grant || !u->held || u->next_us > now_us)
            continue;
        show_countdown(b, u, now_us);
        plan_countdown(u, now_us);
    }
    show_waiting(b, now_us);
}

uint64_t board_next_us(const struct board *b)
{
    uint64_t next = UINT64_MAX, budget_us = b->spent < BUDGET ? 0 : b->budget_since_us + BUDGET_US;

    for (size_t i = 0; i < BOARD_GRANTS; i++)
        if (b->grants[i].grant && b->grants[i].held && b->grants[i].next_us < next)
            next = b->grants[i].next_us;
    for (size_t i = 0; i < BOARD_GROUPS; i++) {
        const struct group *g = &b->groups[i];
        uint64_t at = g->next_us > budget_us ? g->next_us : budget_us;

        if (g->refusal && g->waiting && at < next)
            next = at;
    }
    return next;
}
