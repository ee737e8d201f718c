/*
 * The table of USB devices and what makes it change: the start, events, rescans, policies, sessions, time. Owns the table. Must
 * not write to sysfs itself (usb_apply.c, usb_hubs.c), and must not believe an event: each only says where to look.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "device/usb_internal.h"

enum {
    PATIENCE_COMES_BACK = 4 /* one part in so many of the time that goes by */
};

void usb_report(const struct usb_manager *m, enum audit_action action, const struct usb_device *d, const char *message)
{
    /* Before the decision the verdict is a refusal that nobody has taken: told, it would read as one of a permitted device. */
    bool decided = d && action != AUDIT_DEVICE_APPEARED;

    m->callbacks.report(m->callbacks.context, action, d, decided ? &d->verdict : NULL, message);
}

struct look {
    const struct usb_manager *m;
    const struct usb_node *node;
};

/* Whatever has the name now: the bus entry is no longer this directory. Any error but that says nothing. */
static bool has_left(void *context)
{
    const struct look *look = context;
    const struct usb_ops *kern = look->m->kern;
    _cleanup_(usb_node_done) struct usb_node now;
    int r;

    usb_node_init(&now);
    r = kern->open(kern->context, look->node->name, &now);
    return r == USB_E_ABSENT || (r == 0 && kern->same(kern->context, look->node, &now) == USB_E_ABSENT);
}

/* The kernel takes the attributes away before the directory (device_del), and drivers fail before either: hence the patience. */
bool usb_gone(struct usb_manager *m, const struct usb_node *n)
{
    struct look look = {.m = m, .node = n};

    return clock_wait_until(&m->patience_left_us, has_left, &look);
}

void usb_fail(struct usb_manager *m, const struct usb_device *d, const char *problem)
{
    if (!usb_gone(m, &d->node))
        usb_report(m, AUDIT_DEVICE_FAILED, d, problem);
}

static struct usb_device *find(const struct usb_manager *m, const char *name)
{
    for (size_t i = 0; i < m->n_devices; i++) {
        if (strcmp(m->devices[i]->node.name, name) == 0)
            return m->devices[i];
    }
    return NULL;
}

/* "1-2.3" hangs on "1-2", "1-2" on the root hub. */
static void set_parent_hash(const struct usb_manager *m, struct usb_device *d)
{
    char name[USB_NAME_SIZE];
    const struct usb_device *parent;
    const struct usb_hub *root;
    char *dot;

    memcpy(name, d->node.name, sizeof(name));
    dot = strrchr(name, '.');
    if (dot) {
        *dot = '\0';
        parent = find(m, name);
        if (parent) {
            memcpy(d->parent_hash, parent->hash, sizeof(d->parent_hash));
            memcpy(d->usbguard_parent_hash, parent->usbguard_hash, sizeof(d->usbguard_parent_hash));
        }
        return;
    }
    root = usb_hubs_above(m, d);
    if (root) {
        memcpy(d->parent_hash, root->hash, sizeof(d->parent_hash));
        memcpy(d->usbguard_parent_hash, root->usbguard_hash, sizeof(d->usbguard_parent_hash));
    }
}

/* A device may be let in without all of it. What monitor mode lets pass of it is told as what it is: would be refused. */
static void report_decided(const struct usb_manager *m, const struct usb_device *d)
{
    char list[96], text[192];
    struct verdict v = d->verdict;

    if (usb_judge_refused(m, d, list, sizeof(list)) == 0) {
        usb_report(m, AUDIT_DEVICE_DECIDED, d, d->duplicate ? "another device claims the same identity" : NULL);
        return;
    }
    if (v.monitor) {
        v.ruled = VERDICT_DENY;
        v.reason = REASON_INTERFACES;
    }
    (void)snprintf(text, sizeof(text), "interfaces %s refused: %s", v.monitor ? "that would be" : "that are", list);
    m->callbacks.report(m->callbacks.context, AUDIT_DEVICE_DECIDED, d, &v, text);
}

/* Judges, reports when the outcome is another, applies when it is or when always is set. */
static void decide(struct usb_manager *m, struct usb_device *d, bool always)
{
    int changed = usb_judge(m, d);

    if (changed) {
        d->decided = true;
        report_decided(m, d);
    }
    if (changed || always)
        usb_apply(m, d);
}

static bool is_present(const struct usb_manager *m, const struct usb_device *d)
{
    unsigned number;

    return usb_read_number(m->kern, &d->node, NULL, "devnum", &number) == 0;
}

static void depart(struct usb_manager *m, struct usb_device *d);

/* A rival that was unplugged, but whose removal is still to be told, is no rival. */
static void note_rival(struct usb_manager *m, struct usb_device *d)
{
    struct usb_device *rival;

    while ((rival = usb_judge_rival(m, d)) && !is_present(m, rival))
        depart(m, rival);
    if (!rival) {
        d->duplicate = false;
        return;
    }
    if (!d->duplicate)
        usb_report(m, AUDIT_DEVICE_CHANGED, rival, "another device claims the same vendor, product and serial");
    d->duplicate = true;
}

static void depart(struct usb_manager *m, struct usb_device *d)
{
    size_t i = 0;

    while (m->devices[i] != d)
        i++;
    memmove(&m->devices[i], &m->devices[i + 1], (m->n_devices - i - 1) * sizeof(struct usb_device *));
    m->n_devices--;
    d->authorized = false;
    usb_report(m, AUDIT_DEVICE_REMOVED, d, NULL);
    usb_device_free(d);
    /* What was its duplicate may not be one any more. */
    for (i = 0; i < m->n_devices; i++) {
        if (m->devices[i]->duplicate && !usb_judge_rival(m, m->devices[i])) {
            m->devices[i]->duplicate = false;
            decide(m, m->devices[i], false);
        }
    }
}

static int table_add(struct usb_manager *m, struct usb_device *d)
{
    struct usb_device **grown;

    if (m->n_devices >= USB_DEVICES_MAX)
        return -E2BIG;
    grown = reallocarray(m->devices, m->n_devices + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    m->devices = grown;
    m->devices[m->n_devices++] = d;
    return 0;
}

/* Without a place in the table a device cannot be watched: it is closed by hand and forgotten. */
static int give_up(struct usb_manager *m, const struct usb_node *node, int error)
{
    (void)m->kern->write(m->kern->context, node, NULL, "authorized", "0");
    usb_report(m, AUDIT_DEVICE_FAILED, NULL, "a device could not be kept track of and was deauthorized");
    return error;
}

/* Takes d. problem: why it is not readable. */
static int enter(struct usb_manager *m, struct usb_device *d, const char *problem)
{
    unsigned authorized = 0;
    int r = table_add(m, d);

    if (r < 0) {
        r = give_up(m, &d->node, r);
        usb_device_free(d);
        return r;
    }
    d->sequence = ++m->sequence;
    d->present_at_start = m->starting;
    d->authorized = usb_read_number(m->kern, &d->node, NULL, "authorized", &authorized) == 0 && authorized != 0;
    set_parent_hash(m, d);
    usb_judge_unknown(m, d);
    usb_report(m, AUDIT_DEVICE_APPEARED, d, NULL);
    if (problem && usb_gone(m, &d->node)) {
        depart(m, d);
        return 0;
    }
    if (problem)
        usb_report(m, AUDIT_DEVICE_FAILED, d, problem);
    note_rival(m, d);
    decide(m, d, true);
    return 0;
}

static int arrive(struct usb_manager *m, struct usb_node *node)
{
    const char *problem = NULL;
    struct usb_device *d;
    int r = usb_device_new(m->kern, node, &d, &problem);

    return r < 0 ? give_up(m, node, r) : enter(m, d, problem);
}

/* What could not be read may have been a passing failure: a keyboard must not stay dead for it. */
static int read_again(struct usb_manager *m, struct usb_device *d, struct usb_node *node)
{
    const char *problem = NULL;
    struct usb_device *fresh;
    bool present_at_start = d->present_at_start;
    int r = usb_device_new(m->kern, node, &fresh, &problem);

    if (r < 0)
        return r;
    if (!fresh->readable) {
        usb_device_free(fresh);
        usb_reassert(m, d);
        return 0;
    }
    depart(m, d);
    r = enter(m, fresh, NULL);
    if (r == 0)
        fresh->present_at_start = present_at_start;
    return r;
}

/* The claims of a plugged-in device became others: it is another device now. */
static int replace(struct usb_manager *m, struct usb_device *d, struct usb_node *node)
{
    usb_report(m, AUDIT_DEVICE_CHANGED, d, "its claims changed while it was plugged in; decided again as a new device");
    (void)m->kern->write(m->kern->context, &d->node, NULL, "authorized", "0"); /* arrive() reads what became of it */
    depart(m, d);
    return arrive(m, node);
}

static int look_again(struct usb_manager *m, struct usb_device *d, struct usb_node *node)
{
    int r;

    if (!d->readable)
        return read_again(m, d, node);
    r = d->tainted ? 0 : usb_device_compare(m->kern, d);
    if (r > 0)
        return replace(m, d, node);
    if (r < 0 && !d->failed && usb_gone(m, &d->node)) {
        depart(m, d);
        return 0;
    }
    if (r < 0 && !d->failed) {
        d->failed = true;
        usb_report(m, AUDIT_DEVICE_FAILED, d, "its claims could not be read again");
        decide(m, d, true);
        return 0;
    }
    usb_reassert(m, d);
    return 0;
}

/* Makes the table agree with sysfs for one name. */
static int sync_one(struct usb_manager *m, const char *name)
{
    _cleanup_(usb_node_done) struct usb_node node;
    struct usb_device *d = find(m, name);
    int r;

    usb_node_init(&node);
    r = m->kern->open(m->kern->context, name, &node);
    if (r == -ENOMEM)
        return r;
    if (r == USB_E_ABSENT) {
        if (d)
            depart(m, d);
        return 0;
    }
    if (r < 0) {
        usb_report(m, AUDIT_DEVICE_FAILED, d, "its directory in sysfs could not be opened; it stays as it is");
        return 0;
    }
    if (d && m->kern->same(m->kern->context, &d->node, &node) == 0)
        return look_again(m, d, &node);
    if (d)
        depart(m, d);
    return arrive(m, &node);
}

/* At the beginning of every call that may decide. Patience that was used up comes back slowly: devices that come again and again,
 * cannot be read and do not leave must not take all the time there is, or the one that is waited for never has its turn. */
static void set_now(struct usb_manager *m, int64_t now_us)
{
    uint64_t at = clock_boottime_us();
    int64_t back = (int64_t)((at - m->patience_at_us) / PATIENCE_COMES_BACK);

    decide_time_local(now_us, &m->now);
    m->patience_left_us = back < m->patience_us - m->patience_left_us ? m->patience_left_us + back : m->patience_us;
    m->patience_at_us = at;
}

static bool listed(const struct usb_names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++) {
        if (strcmp(names->items[i], name) == 0)
            return true;
    }
    return false;
}

/* One at a time from the front, because a departure may take others with it. */
static void drop_vanished(struct usb_manager *m, const struct usb_names *names)
{
    for (size_t i = 0; i < m->n_devices;) {
        if (listed(names, m->devices[i]->node.name)) {
            i++;
        } else {
            depart(m, m->devices[i]);
            i = 0;
        }
    }
    for (size_t i = 0; i < m->n_hubs;) {
        if (listed(names, m->hubs[i].node.name))
            i++;
        else
            usb_hubs_forget(m, m->hubs[i].node.name);
    }
}

/* A device that nobody looked at stays as it was: so somebody has to look again. */
static void note_unread(struct usb_manager *m)
{
    if (!m->unread)
        usb_report(m, AUDIT_DEVICE_FAILED, NULL,
                   "the USB bus could not be read, or not all of it; tried again each minute");
    m->unread = true;
}

int usb_manager_rescan(struct usb_manager *m, int64_t now_us)
{
    _cleanup_(usb_names_done) struct usb_names names = {0};
    int r, outcome;

    set_now(m, now_us);
    outcome = m->kern->list(m->kern->context, &names);
    if (outcome < 0) {
        note_unread(m);
        return outcome;
    }
    drop_vanished(m, &names);
    for (size_t i = 0; i < names.n; i++) {
        if (usb_name_is_root_hub(names.items[i])) {
            usb_hubs_sync(m, names.items[i]);
            continue;
        }
        r = sync_one(m, names.items[i]);
        if (r < 0)
            outcome = r;
    }
    if (outcome < 0)
        note_unread(m);
    else
        m->unread = false;
    return outcome == USB_E_ABSENT ? USB_MANAGER_E_NO_BUS : outcome;
}

int usb_manager_start(struct usb_manager *m, int64_t now_us)
{
    int r;

    m->starting = true;
    r = usb_manager_rescan(m, now_us);
    m->starting = false;
    return r;
}

static int sync_noting(struct usb_manager *m, const char *name)
{
    int r = sync_one(m, name);

    if (r < 0)
        note_unread(m);
    return r;
}

int usb_manager_event(struct usb_manager *m, const char *sysname, int64_t now_us)
{
    char name[USB_NAME_SIZE];

    set_now(m, now_us);
    if (usb_name_is_interface(sysname)) {
        size_t n = strcspn(sysname, ":");

        memcpy(name, sysname, n);
        name[n] = '\0';
        if (n > 2 && strcmp(name + n - 2, "-0") == 0) { /* "1-0:1.0" is of usb1 */
            (void)snprintf(name, sizeof(name), "usb%.*s", (int)(n - 2), sysname);
            usb_hubs_sync(m, name);
            return 0;
        }
        return find(m, name) ? sync_noting(m, name) : 0;
    }
    if (!usb_name_is_device(sysname))
        return 0;
    if (usb_name_is_root_hub(sysname)) {
        usb_hubs_sync(m, sysname);
        return 0;
    }
    return sync_noting(m, sysname);
}

int usb_manager_events_lost(struct usb_manager *m, int64_t now_us)
{
    usb_report(m, AUDIT_USB_EVENTS_LOST, NULL, "events were lost; the bus is read again");
    return usb_manager_rescan(m, now_us);
}

/* Unreadable ones get another chance; what is replaced leaves its place to the next. */
static void sync_unreadable(struct usb_manager *m)
{
    for (size_t i = 0; i < m->n_devices;) {
        uint64_t sequence = m->devices[i]->sequence;
        char name[USB_NAME_SIZE];

        memcpy(name, m->devices[i]->node.name, sizeof(name));
        if (!m->devices[i]->readable)
            (void)sync_one(m, name);
        if (i < m->n_devices && m->devices[i]->sequence == sequence)
            i++;
    }
}

void usb_manager_set_policy(struct usb_manager *m, struct policy *policy, int64_t now_us)
{
    struct policy *old = m->policy;

    set_now(m, now_us);
    m->policy = policy_ref(policy);
    for (size_t i = 0; i < m->n_devices; i++) {
        m->devices[i]->failed = false;
        decide(m, m->devices[i], true);
    }
    policy_unref(old); /* verdicts pointed into it until each was made again */
    sync_unreadable(m);
}

static void decide_all(struct usb_manager *m)
{
    for (size_t i = 0; i < m->n_devices; i++)
        decide(m, m->devices[i], false);
}

void usb_manager_reconsider(struct usb_manager *m, const char *port, int64_t now_us)
{
    struct usb_device *d = find(m, port);

    set_now(m, now_us);
    if (d)
        decide(m, d, false);
}

void usb_manager_tick(struct usb_manager *m, int64_t now_us)
{
    set_now(m, now_us);
    decide_all(m);
    if (m->unread)
        (void)usb_manager_rescan(m, now_us);
}

static void persons_free(struct decide_person *persons, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free((void *)(uintptr_t)persons[i].gids);
    free(persons);
}

static struct decide_person *persons_copy(const struct decide_person *persons, size_t n)
{
    struct decide_person *copy = calloc(n > 0 ? n : 1, sizeof(*copy));

    for (size_t i = 0; copy && i < n; i++) {
        gid_t *gids = calloc(persons[i].n_gids > 0 ? persons[i].n_gids : 1, sizeof(*gids));

        if (!gids) {
            persons_free(copy, i);
            return NULL;
        }
        if (persons[i].n_gids > 0)
            memcpy(gids, persons[i].gids, persons[i].n_gids * sizeof(*gids));
        copy[i] = persons[i];
        copy[i].gids = gids;
    }
    return copy;
}

int usb_manager_set_persons(struct usb_manager *m, const struct decide_person *persons, size_t n, int64_t now_us)
{
    struct decide_person *copy = persons_copy(persons, n);

    set_now(m, now_us);
    persons_free(m->persons, m->n_persons);
    m->persons = copy;
    m->n_persons = copy ? n : 0;
    decide_all(m);
    return copy ? 0 : -ENOMEM;
}

void usb_manager_set_emergency(struct usb_manager *m, bool on, int64_t now_us)
{
    set_now(m, now_us);
    m->emergency = on;
    decide_all(m);
}

int usb_manager_new(const struct usb_manager_options *options, struct usb_manager **ret)
{
    struct usb_manager *m;

    if (!options->kern || !options->policy || !options->callbacks.report || options->state_directory < 0)
        return -EINVAL;
    m = calloc(1, sizeof(*m));
    if (!m)
        return -ENOMEM;
    m->kern = options->kern;
    m->state_directory = options->state_directory;
    m->callbacks = options->callbacks;
    m->patience_us = m->patience_left_us = options->patience_us;
    m->patience_at_us = clock_boottime_us();
    m->policy = policy_ref(options->policy);
    *ret = m;
    return 0;
}

struct usb_manager *usb_manager_free(struct usb_manager *m)
{
    if (!m)
        return NULL;
    for (size_t i = 0; i < m->n_devices; i++)
        usb_device_free(m->devices[i]);
    free(m->devices);
    usb_hubs_done(m);
    persons_free(m->persons, m->n_persons);
    policy_unref(m->policy);
    free(m);
    return NULL;
}

size_t usb_manager_count(const struct usb_manager *m)
{
    return m->n_devices;
}

const struct usb_device *usb_manager_get(const struct usb_manager *m, size_t i)
{
    return i < m->n_devices ? m->devices[i] : NULL;
}

const struct usb_device *usb_manager_find(const struct usb_manager *m, const char *port)
{
    return find(m, port);
}

/* Only ".../1-2/1-2:1.0/…" belongs to 1-2. ".../1-2/1-2.3/1-2.3:1.0/…" does not: it belongs to a device that is not known. */
const struct usb_device *usb_manager_find_owner(const struct usb_manager *m, const char *syspath)
{
    syspath += text_starts(syspath, "/sys/") ? strlen("/sys/") : text_starts(syspath, "/") ? 1 : 0;
    for (size_t i = 0; i < m->n_devices; i++) {
        const struct usb_node *n = &m->devices[i]->node;
        size_t path = strlen(n->path), name = strlen(n->name);

        if (strncmp(syspath, n->path, path) != 0)
            continue;
        if (syspath[path] == '\0')
            return m->devices[i];
        if (syspath[path] == '/' && strncmp(syspath + path + 1, n->name, name) == 0 && syspath[path + 1 + name] == ':')
            return m->devices[i];
    }
    return NULL;
}
