/*
 * The media that are there. Owns: the list, which device joins and leaves it, when it is decided again. Must not: open
 * device nodes or call the kernel but through the ops (block_medium.c), write to the journal: it reports.
 */
#include "device/block.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "device/block_medium.h"

enum {
    MEDIA_MAX = 1024
};

/* What classification needs besides sysfs, as of now. */
struct view {
    struct mount_table mounts;
    struct exit_system system;
    struct exit_context context;
};

static void view_done(struct view *v)
{
    mount_table_done(&v->mounts);
    exit_system_done(&v->system);
}

static int view_load(struct block_manager *b, struct view *v)
{
    _cleanup_free_ char *swaps = NULL;
    int r = mount_table_read(b->config.proc, "self/mountinfo", &v->mounts);

    if (r < 0)
        return r;
    (void)files_read_text_at(b->config.proc, "swaps", 65536, &swaps);
    r = exit_system_find(b->config.sysfs, &v->mounts, swaps, &v->system);
    if (r < 0)
        return r;
    v->context = (struct exit_context){.sysfs = b->config.sysfs,
                                       .list = &b->list,
                                       .system = &v->system,
                                       .mounts = &v->mounts,
                                       .listed_only = b->config.mode == EXIT_MODE_LISTED};
    return 0;
}

static struct medium *find_name(const struct block_manager *b, const char *name)
{
    for (size_t i = 0; i < b->n_media; i++) {
        if (strcmp(b->media[i]->name, name) == 0)
            return b->media[i];
    }
    return NULL;
}

static void drop(struct block_manager *b, struct medium *m)
{
    for (size_t i = 0; i < b->n_media; i++) {
        if (b->media[i] != m)
            continue;
        b->media[i] = b->media[--b->n_media];
        (void)exit_run_permit(b->config.run, m->id, false);
        if (m->told)
            b->config.report(b->config.context, BLOCK_REPORT_REMOVED, m, "");
        b->dirty = true;
        free(m);
        return;
    }
}

static int add(struct block_manager *b, const struct medium *fresh, struct medium **ret)
{
    struct medium *m;

    if (b->n_media >= MEDIA_MAX)
        return -E2BIG;
    if (b->n_media == b->capacity) {
        size_t wanted = b->capacity ? b->capacity * 2 : 16;
        struct medium **media = reallocarray(b->media, wanted, sizeof(struct medium *));

        if (!media)
            return -ENOMEM;
        b->media = media;
        b->capacity = wanted;
    }
    m = malloc(sizeof(*m));
    if (!m)
        return -ENOMEM;
    *m = *fresh;
    b->media[b->n_media++] = m;
    b->dirty = true;
    *ret = m;
    return 0;
}

/* A device mapped from a medium has no serial of its own. */
static void inherit(struct block_manager *b, struct medium *m)
{
    const struct medium *disk = find_name(b, m->disk);

    if (disk && disk != m && !m->serial[0]) {
        memcpy(m->serial, disk->serial, sizeof(m->serial));
        memcpy(m->vendor, disk->vendor, sizeof(m->vendor));
        memcpy(m->model, disk->model, sizeof(m->model));
    }
}

/* Brings one device up to date: read-only first, then decided, so that a verdict never runs ahead of the flag. */
static int update(struct block_manager *b, const struct view *v, const char *name, int64_t wall_us)
{
    struct medium *m = find_name(b, name);
    struct medium fresh;
    int r = medium_gather(b, &v->context, name, &fresh);

    if (r < 0)
        return r;
    if (m && (r == 0 || strcmp(m->id, fresh.id) != 0)) {
        drop(b, m);
        m = NULL;
    }
    if (r == 0)
        return 0;
    if (m)
        medium_refresh(m, &fresh);
    else {
        r = add(b, &fresh, &m);
        if (r < 0) {
            /* No room to watch it: at least nobody writes to it, and it stays hidden. */
            (void)b->config.ops.set_read_only(b->config.ops.context, name, fresh.device, true);
            return r;
        }
    }
    if (!m->decided && b->config.held && b->config.held(b->config.context, m))
        m->exporting = MEDIUM_EXPORT_CLOSED;
    inherit(b, m);
    m->seen = true;
    if (medium_assert(b, m) == MEDIUM_E_GONE) {
        drop(b, m);
        return 0;
    }
    medium_decide(b, m, wall_us);
    return 0;
}

static bool any_part_allowed(const struct block_manager *b, const struct medium *disk)
{
    for (size_t i = 0; i < b->n_media; i++) {
        const struct medium *m = b->media[i];

        if (m->partition && strcmp(m->disk, disk->name) == 0 && m->verdict.kind == VERDICT_ALLOW && !m->exporting)
            return true;
    }
    return false;
}

/* After any change: flags of all media, permission files, then the listener. */
static void settle(struct block_manager *b, bool force, int64_t wall_us)
{
    for (size_t i = 0; i < b->n_media;) {
        struct medium *m = b->media[i];
        bool failed = m->failed, permit;

        if (medium_assert(b, m) == MEDIUM_E_GONE) {
            drop(b, m); /* the last one has its place now */
            continue;
        }
        i++;
        if (m->failed != failed)
            medium_decide(b, m, wall_us);
        permit = m->verdict.kind == VERDICT_ALLOW || (m->container && any_part_allowed(b, m));
        medium_publish(b, m, permit && !m->failed && !m->exporting, force);
    }
    if (b->dirty) {
        b->dirty = false;
        if (b->changed)
            b->changed(b->changed_context, wall_us);
    }
}

static void decide_all(struct block_manager *b, int64_t wall_us)
{
    for (size_t i = 0; i < b->n_media; i++)
        medium_decide(b, b->media[i], wall_us);
}

/* error 0: it sees again. Deciding needs no list. */
static void set_blind(struct block_manager *b, int error, int64_t wall_us)
{
    bool before = b->blind != 0;
    char message[128];

    b->blind = error;
    if (before == (error != 0))
        return;
    if (error) {
        (void)snprintf(message, sizeof(message),
                       "which media there are cannot be read (error %d): all are refused until it can", -error);
        b->config.report(b->config.context, BLOCK_REPORT_UNREAD, NULL, message);
    }
    decide_all(b, wall_us);
}

struct glance {
    struct block_manager *b;
    const struct view *view;
    int64_t wall_us;
};

static bool keep_id(void *context, const char *id)
{
    const struct block_manager *b = context;

    for (size_t i = 0; i < b->n_media; i++) {
        if (strcmp(b->media[i]->id, id) == 0)
            return true;
    }
    return false;
}

/* udev shows it for a permission of before. Kept here: what becomes a medium gives it back itself, and udev hears of it. */
static bool take_in_permitted(void *context, const char *id)
{
    struct glance *g = context;
    char name[BLOCK_NAME_SIZE];
    const char *dash = strrchr(id, '-');

    if (!dash || (size_t)(dash - id) >= sizeof(name) || keep_id(g->b, id))
        return true;
    (void)snprintf(name, sizeof(name), "%.*s", (int)(dash - id), id);
    if (block_name_valid(name))
        (void)update(g->b, g->view, name, g->wall_us);
    return true;
}

/* Without a list: what is known, what was permitted, what is mounted. Errors are those of a manager that is blind already. */
static void look_around(struct block_manager *b, const struct view *v, int64_t wall_us)
{
    struct glance g = {.b = b, .view = v, .wall_us = wall_us};
    char name[BLOCK_NAME_SIZE];

    for (size_t i = b->n_media; i-- > 0;) { /* one that leaves has its place taken by one that was looked at */
        memcpy(name, b->media[i]->name, sizeof(name));
        (void)update(b, v, name, wall_us);
    }
    (void)exit_run_sweep(b->config.run, take_in_permitted, &g);
    (void)exit_run_sweep(b->config.run, keep_id, b);
    for (size_t i = 0; i < v->mounts.n; i++) {
        dev_t device = makedev(v->mounts.items[i].major, v->mounts.items[i].minor);

        if (v->mounts.items[i].major != 0 && !block_manager_find(b, device) &&
            block_find(b->config.sysfs, device, name) >= 0)
            (void)update(b, v, name, wall_us);
    }
}

/* Takes in every device there is. */
static int look_at_all(struct block_manager *b, const struct view *v, const struct block_names *names, int64_t wall_us)
{
    int r, first = 0;

    for (size_t i = 0; i < b->n_media; i++)
        b->media[i]->seen = false;
    for (size_t i = 0; i < names->n; i++) {
        r = update(b, v, names->items[i], wall_us);
        if (r < 0 && first == 0)
            first = r;
    }
    for (size_t i = b->n_media; i-- > 0;) {
        if (!b->media[i]->seen)
            drop(b, b->media[i]);
    }
    if (first == 0 && !b->swept) {
        first = exit_run_sweep(b->config.run, keep_id, b);
        b->swept = first >= 0;
    }
    return first;
}

static int publish_rules(struct block_manager *b);

static int rescan(struct block_manager *b, bool force, int64_t wall_us)
{
    _cleanup_(view_done) struct view v = {0};
    struct block_names names = {0};
    bool seeing;
    int r;

    b->patience_left_us = b->config.patience_us;
    r = view_load(b, &v);
    seeing = r >= 0;
    if (r >= 0 && !b->published)
        r = publish_rules(b);
    if (r >= 0)
        r = block_list(b->config.sysfs, NULL, "", &names);
    if (r >= 0)
        r = look_at_all(b, &v, &names, wall_us);
    block_names_done(&names);
    set_blind(b, r < 0 ? r : 0, wall_us);
    if (r < 0)
        decide_all(b, wall_us); /* another policy, other people, another time: reported as they are */
    if (r < 0 && seeing)
        look_around(b, &v, wall_us);
    settle(b, force, wall_us);
    return r < 0 ? r : 0;
}

static bool is_plain_node(const char *pattern)
{
    return strncmp(pattern, "/dev/", 5) == 0 && !strpbrk(pattern, "*?[\\\n");
}

/* A medium rule that names one node makes that node an exit; a pattern only selects among exits, or "/dev/sd*" would turn
 * the terminal's own disks read-only (H9). */
static int build_list(struct block_manager *b)
{
    struct exit_list l = {0};
    int r = 0;

    for (size_t i = 0; i < b->configured.n && r >= 0; i++)
        r = exit_list_add(&l, b->configured.items[i]);
    for (size_t i = 0; b->config.mode == EXIT_MODE_ON && b->policy && i < b->policy->media.n_rules && r >= 0; i++) {
        const struct policy_strings *paths = &b->policy->media.rules[i].match.paths;

        for (size_t j = 0; j < paths->n && r >= 0; j++)
            r = is_plain_node(paths->items[j]) ? exit_list_add(&l, paths->items[j]) : 0;
    }
    if (r < 0) {
        exit_list_done(&l);
        return r;
    }
    exit_list_done(&b->list);
    b->list = l;
    return 0;
}

/* What udev goes by. Tried again with each rescan while it has failed. */
static int publish_rules(struct block_manager *b)
{
    int r = build_list(b);

    if (r >= 0)
        r = exit_run_set_list(b->config.run, &b->list);
    if (r >= 0 && b->config.state >= 0)
        r = exit_run_set_list(b->config.state, &b->list);
    if (r >= 0)
        r = exit_run_set_mode(b->config.run, block_manager_mode(b));
    b->published = r >= 0;
    return r;
}

int block_manager_new(const struct block_manager_config *config, struct policy *policy, int64_t wall_us,
                      struct block_manager **ret)
{
    struct block_manager *b = calloc(1, sizeof(*b));
    int r = 0;

    if (!b)
        return -ENOMEM;
    b->config = *config;
    b->config.exits = NULL;
    b->policy = policy ? policy_ref(policy) : NULL;
    for (size_t i = 0; i < config->n_exits && r >= 0; i++)
        r = exit_list_add(&b->configured, config->exits[i]);
    /* The udev helper may have worked under another mode before, so every medium is looked at once more. */
    if (r >= 0 && config->mode != EXIT_MODE_OFF)
        (void)rescan(b, true, wall_us);
    else if (r >= 0)
        r = publish_rules(b);
    if (r < 0) {
        block_manager_free(b);
        return r;
    }
    *ret = b;
    return 0;
}

struct block_manager *block_manager_free(struct block_manager *b)
{
    if (!b)
        return NULL;
    for (size_t i = 0; i < b->n_media; i++)
        free(b->media[i]);
    free(b->media);
    free(b->persons);
    free(b->gids);
    exit_list_done(&b->configured);
    exit_list_done(&b->list);
    if (b->policy)
        (void)policy_unref(b->policy);
    free(b);
    return NULL;
}

int block_manager_release(struct block_manager *b)
{
    int first = 0, r = exit_run_set_mode(b->config.run, EXIT_MODE_OFF);

    if (r < 0)
        return r;
    while (b->n_media > 0) {
        struct medium *m = b->media[b->n_media - 1];

        if (m->asserted || m->helper_read_only) {
            r = b->config.ops.set_read_only(b->config.ops.context, m->name, m->device, false);
            if (r < 0 && first == 0)
                first = r;
        }
        (void)b->config.ops.trigger(b->config.ops.context, m->name);
        drop(b, m);
    }
    b->config.mode = EXIT_MODE_OFF;
    return first;
}

int block_manager_event(struct block_manager *b, const char *action, const char *sysname, int64_t wall_us)
{
    _cleanup_(view_done) struct view v = {0};
    struct medium *m;
    int r = 0;

    if (b->config.mode == EXIT_MODE_OFF || !block_name_valid(sysname))
        return 0;
    b->patience_left_us = b->config.patience_us;
    if (strcmp(action, "remove") == 0) {
        m = find_name(b, sysname);
        if (m)
            drop(b, m);
    } else {
        r = view_load(b, &v);
        if (r >= 0)
            r = update(b, &v, sysname, wall_us);
        if (r < 0)
            set_blind(b, r, wall_us);
    }
    settle(b, false, wall_us);
    return r;
}

int block_manager_set_policy(struct block_manager *b, struct policy *policy, int64_t wall_us)
{
    struct policy *old = b->policy;
    enum exit_mode mode = block_manager_mode(b);
    int r;

    b->policy = policy ? policy_ref(policy) : NULL;
    b->dirty = true; /* what is mounted is decided by the policy as well */
    b->published = false;
    r = b->config.mode == EXIT_MODE_OFF ? publish_rules(b) : rescan(b, mode != block_manager_mode(b), wall_us);
    if (old)
        (void)policy_unref(old);
    return r;
}

int block_manager_set_persons(struct block_manager *b, const struct decide_person *persons, size_t n, int64_t wall_us)
{
    _cleanup_free_ struct decide_person *copies = calloc(n ? n : 1, sizeof(*copies));
    _cleanup_free_ gid_t *gids = NULL;
    size_t total = 0, at = 0;

    for (size_t i = 0; i < n; i++)
        total += persons[i].n_gids;
    gids = calloc(total ? total : 1, sizeof(*gids));
    if (!copies || !gids) {
        b->n_persons = 0;
        (void)block_manager_tick(b, wall_us);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        copies[i] = persons[i];
        copies[i].gids = gids + at;
        for (size_t j = 0; j < persons[i].n_gids; j++)
            gids[at++] = persons[i].gids[j];
    }
    free(b->persons);
    free(b->gids);
    b->persons = TAKE_PTR(copies);
    b->gids = TAKE_PTR(gids);
    b->n_persons = n;
    return block_manager_tick(b, wall_us);
}

int block_manager_blind(const struct block_manager *b)
{
    return b->blind;
}

int block_manager_tick(struct block_manager *b, int64_t wall_us)
{
    return b->config.mode == EXIT_MODE_OFF ? 0 : rescan(b, false, wall_us);
}

const struct medium *block_manager_learn(struct block_manager *b, dev_t device, const char *type, int64_t wall_us)
{
    for (size_t i = 0; i < b->n_media; i++) {
        struct medium *m = b->media[i];

        if (m->device != device)
            continue;
        if (strcmp(m->mounted_as, type) != 0) {
            bool permit;

            medium_set_mounted_as(m, type);
            medium_decide(b, m, wall_us);
            permit = m->verdict.kind == VERDICT_ALLOW && !m->failed && !m->exporting;
            if (permit != m->permitted)
                medium_publish(b, m, permit, false);
        }
        return m;
    }
    return NULL;
}

/* The flag of a partition is its disk's as well. */
static void set_opening(struct block_manager *b, const struct medium *target, bool opening)
{
    for (size_t i = 0; i < b->n_media; i++)
        if (strcmp(b->media[i]->disk, target->disk) == 0)
            b->media[i]->opening = opening;
}

int block_manager_set_export(struct block_manager *b, dev_t device, enum medium_export state, int64_t wall_us)
{
    for (size_t i = 0; i < b->n_media; i++) {
        struct medium *m = b->media[i];

        if (m->device != device)
            continue;
        set_opening(b, m, state == MEDIUM_EXPORT_OPENING);
        if (m->exporting != state)
            b->dirty = true;
        m->exporting = state;
        b->patience_left_us = b->config.patience_us;
        settle(b, false, wall_us);
        return 0;
    }
    return -ENODEV;
}

bool block_manager_is_hidden(const struct block_manager *b, dev_t device)
{
    const struct medium *m = block_manager_find(b, device);
    struct block_properties p = {0};

    if (!m || b->config.ops.properties(b->config.ops.context, m->name, &p) < 0)
        return false;
    return !p.known || p.hidden;
}

size_t block_manager_count(const struct block_manager *b)
{
    return b->n_media;
}

const struct medium *block_manager_at(const struct block_manager *b, size_t i)
{
    return i < b->n_media ? b->media[i] : NULL;
}

const struct medium *block_manager_find(const struct block_manager *b, dev_t device)
{
    for (size_t i = 0; i < b->n_media; i++) {
        if (b->media[i]->device == device)
            return b->media[i];
    }
    return NULL;
}

enum exit_mode block_manager_mode(const struct block_manager *b)
{
    if (b->config.mode != EXIT_MODE_OFF && b->policy && b->policy->mode == POLICY_MONITOR)
        return EXIT_MODE_MONITOR;
    return b->config.mode;
}

bool block_manager_filesystems(const struct block_manager *b)
{
    return b->config.mode == EXIT_MODE_ON;
}

const struct policy *block_manager_policy(const struct block_manager *b)
{
    return b->policy;
}

void block_manager_listen(struct block_manager *b, void (*changed)(void *context, int64_t wall_us), void *context)
{
    b->changed = changed;
    b->changed_context = context;
}
