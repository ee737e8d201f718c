/*
 * Owns: the bounded table of recent events and their counts.
 * Must not: read a clock, touch a file, or lose a count.
 */
#include "audit/fold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/flood.h"
#include "base/cleanup.h"

enum {
    FOLD_BURST = 10,
    FOLD_ENTRIES = 256,
    FOLD_WINDOW_US = 10 * 1000 * 1000,
    FOLD_REFUSED = 300,
    FOLD_ALLOWED = 3000,
    FOLD_REQUESTS = 30,
};

struct fold_entry {
    bool used;
    uint64_t hash, window_start_us, last_us;
    uint32_t passed; /* in this window */
    uint64_t held;
    int64_t first_held_wall_us;
    struct audit_event event; /* the latest one held, or the first of the window */
};

struct fold {
    struct fold_limits limits;
    fold_emit emit;
    void *context;
    struct fold_entry *entries;
    struct flood flood;
};

int fold_new(const struct fold_limits *limits, fold_emit emit, void *context, struct fold **ret)
{
    struct fold *f = calloc(1, sizeof(*f));

    if (!f)
        return -ENOMEM;
    if (limits)
        f->limits = *limits;
    if (f->limits.burst == 0)
        f->limits.burst = FOLD_BURST;
    if (f->limits.window_us == 0)
        f->limits.window_us = FOLD_WINDOW_US;
    if (f->limits.entries == 0)
        f->limits.entries = FOLD_ENTRIES;
    f->flood.limits[FLOOD_REFUSED] = f->limits.refused > 0 ? f->limits.refused : FOLD_REFUSED;
    f->flood.limits[FLOOD_ALLOWED] = f->limits.allowed > 0 ? f->limits.allowed : FOLD_ALLOWED;
    f->flood.limits[FLOOD_REQUESTS] = f->limits.requests > 0 ? f->limits.requests : FOLD_REQUESTS;
    f->flood.window_us = f->limits.window_us;
    f->emit = emit;
    f->context = context;
    f->entries = calloc(f->limits.entries, sizeof(*f->entries));
    if (!f->entries) {
        free(f);
        return -ENOMEM;
    }
    *ret = f;
    return 0;
}

struct fold *fold_free(struct fold *f)
{
    if (f) {
        free(f->entries);
        free(f);
    }
    return NULL;
}

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *at = data;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * 0x100000001b3; /* FNV-1a; equality is checked field by field as well */
    return hash;
}

static uint64_t mix_text(uint64_t hash, const char *s)
{
    return mix(hash, s, strlen(s) + 1);
}

/* What makes two events the same is listed once, here and in event_same(). Not the pid: a program that is started
 * again for each try is the flood that folding is for. */
static uint64_t event_hash(const struct audit_event *e)
{
    const uint32_t numbers[] = {
        (uint32_t)e->action,
        (uint32_t)e->has_verdict << 0 | (uint32_t)e->allowed << 1 | (uint32_t)e->would_refuse << 2 |
            (uint32_t)e->alarm << 3 | (uint32_t)e->has_uid << 4 | (uint32_t)e->has_login_uid << 5 |
            (uint32_t)e->write << 6 | (uint32_t)e->execute << 7,
        e->has_uid ? e->uid : 0,
        e->has_login_uid ? e->login_uid : 0,
        (uint32_t)e->policy_version,
        e->session,
    };
    uint64_t hash = mix(0xcbf29ce484222325, numbers, sizeof(numbers));

    hash = mix_text(hash, e->reason);
    hash = mix_text(hash, e->rule);
    hash = mix_text(hash, e->program);
    hash = mix_text(hash, e->device_id);
    hash = mix_text(hash, e->device_node);
    hash = mix_text(hash, e->store);
    hash = mix_text(hash, e->path);
    return mix_text(hash, e->message);
}

static bool event_same(const struct audit_event *a, const struct audit_event *b)
{
    return a->action == b->action && a->has_verdict == b->has_verdict && a->allowed == b->allowed &&
           a->would_refuse == b->would_refuse && a->alarm == b->alarm && a->has_uid == b->has_uid &&
           (!a->has_uid || a->uid == b->uid) && a->has_login_uid == b->has_login_uid &&
           (!a->has_login_uid || a->login_uid == b->login_uid) && a->write == b->write && a->execute == b->execute &&
           a->session == b->session && a->policy_version == b->policy_version &&
           a->program_device == b->program_device && a->program_inode == b->program_inode &&
           strcmp(a->policy_name, b->policy_name) == 0 && strcmp(a->reason, b->reason) == 0 &&
           strcmp(a->rule, b->rule) == 0 && strcmp(a->program, b->program) == 0 &&
           strcmp(a->device_id, b->device_id) == 0 && strcmp(a->device_node, b->device_node) == 0 &&
           strcmp(a->device_hash, b->device_hash) == 0 && strcmp(a->device_port, b->device_port) == 0 &&
           strcmp(a->device_serial, b->device_serial) == 0 && strcmp(a->store, b->store) == 0 &&
           strcmp(a->path, b->path) == 0 && strcmp(a->message, b->message) == 0;
}

static int entry_emit(struct fold *f, struct fold_entry *entry)
{
    int r;

    if (entry->held == 0)
        return 0;
    entry->event.count = entry->held;
    entry->event.first_wall_us = entry->first_held_wall_us;
    r = f->emit(f->context, &entry->event);
    if (r >= 0)
        entry->held = 0;
    return r;
}

static bool entry_ended(const struct fold *f, const struct fold_entry *entry, uint64_t now_us)
{
    /* A clock that went back ends the window too, or it would stay open until the clock catches up. */
    return now_us < entry->window_start_us || now_us - entry->window_start_us >= f->limits.window_us;
}

int fold_expire(struct fold *f, uint64_t now_us)
{
    for (size_t i = 0; i < f->limits.entries; i++) {
        struct fold_entry *entry = &f->entries[i];
        int r;

        if (!entry->used || !entry_ended(f, entry, now_us))
            continue;
        r = entry_emit(f, entry);
        if (r < 0)
            return r;
        entry->used = false;
    }
    return 0;
}

int fold_flush(struct fold *f)
{
    for (size_t i = 0; i < f->limits.entries; i++) {
        int r = f->entries[i].used ? entry_emit(f, &f->entries[i]) : 0;

        if (r < 0)
            return r;
        f->entries[i].used = false;
    }
    return 0;
}

uint64_t fold_next_us(const struct fold *f)
{
    uint64_t next = UINT64_MAX;

    for (size_t i = 0; i < f->limits.entries; i++) {
        const struct fold_entry *entry = &f->entries[i];

        if (entry->used && entry->held > 0 && entry->window_start_us + f->limits.window_us < next)
            next = entry->window_start_us + f->limits.window_us;
    }
    return next;
}

static struct fold_entry *find(struct fold *f, const struct audit_event *e, uint64_t hash)
{
    for (size_t i = 0; i < f->limits.entries; i++)
        if (f->entries[i].used && f->entries[i].hash == hash && event_same(&f->entries[i].event, e))
            return &f->entries[i];
    return NULL;
}

/* A free entry, or the one that was quiet longest after it was written out. */
static int make_room(struct fold *f, struct fold_entry **ret)
{
    struct fold_entry *oldest = &f->entries[0];
    int r;

    for (size_t i = 0; i < f->limits.entries; i++) {
        if (!f->entries[i].used) {
            *ret = &f->entries[i];
            return 0;
        }
        if (f->entries[i].last_us < oldest->last_us)
            oldest = &f->entries[i];
    }
    r = entry_emit(f, oldest);
    if (r < 0)
        return r;
    *ret = oldest;
    return 0;
}

/* The first `burst` of a window pass. */
static int offer(struct fold *f, const struct audit_event *e, uint64_t hash, uint32_t burst, uint64_t now_us)
{
    struct fold_entry *entry = find(f, e, hash);
    int r;

    if (entry && entry_ended(f, entry, now_us)) {
        r = entry_emit(f, entry);
        if (r < 0)
            return r;
        entry->passed = 0;
        entry->window_start_us = now_us;
    }
    if (!entry) {
        r = make_room(f, &entry);
        if (r < 0)
            return r;
        *entry = (struct fold_entry){.used = true, .hash = hash, .window_start_us = now_us, .event = *e};
    }
    entry->last_us = now_us;
    if (entry->passed < burst) {
        entry->passed++;
        return FOLD_PASS;
    }
    if (entry->held == 0)
        entry->first_held_wall_us = e->wall_us;
    entry->event = *e;
    entry->held += e->count > 1 ? e->count : 1;
    return FOLD_HELD;
}

int fold_offer(struct fold *f, const struct audit_event *e, uint64_t now_us)
{
    uint64_t hash = event_hash(e);
    const struct fold_entry *entry = find(f, e, hash);
    struct audit_event summary;
    int r;

    /* What is being counted already stays counted with its path, whatever else the person does. */
    if ((entry && entry->passed >= f->limits.burst && !entry_ended(f, entry, now_us)) ||
        flood_is_below(&f->flood, e, now_us)) {
        r = offer(f, e, hash, f->limits.burst, now_us);
        if (r == FOLD_PASS)
            flood_count(&f->flood, e, now_us);
        return r;
    }
    flood_summarize(e, &summary);
    return offer(f, &summary, event_hash(&summary), 0, now_us);
}

int fold_offer_whole(struct fold *f, const struct audit_event *e, uint64_t now_us)
{
    struct audit_event summary;

    if (flood_is_below(&f->flood, e, now_us)) {
        flood_count(&f->flood, e, now_us);
        return FOLD_PASS;
    }
    flood_summarize(e, &summary);
    return offer(f, &summary, event_hash(&summary), 0, now_us);
}
