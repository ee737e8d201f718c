/*
 * One medium: its facts, its verdict, its read-only flag. Owns: what is applied to a device. Must not: know which devices
 * there are (block.c), touch mounts (mount.c), write to the journal.
 */
#include "device/block_medium.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

static void copy(char *ret, size_t size, const char *s)
{
    (void)snprintf(ret, size, "%.*s", (int)size - 1, s);
}

int medium_gather(struct block_manager *b, const struct exit_context *c, const char *name, struct medium *ret)
{
    struct medium m = {0};
    struct block_properties p = {0};
    struct exit_info info;
    uint64_t sectors, diskseq = 0;
    int r = exit_classify(c, name, &info);

    if (r < 0 || !info.is_exit)
        return r < 0 ? r : 0;
    if (block_read_device(b->config.sysfs, name, &m.device) < 0 ||
        block_read_number(b->config.sysfs, name, "size", &sectors) < 0)
        return 0; /* gone again */
    if (sectors == 0) {
        if (block_manager_mode(b) != EXIT_MODE_MONITOR)
            (void)b->config.ops.set_read_only(b->config.ops.context, name, m.device, true);
        return 0;
    }
    (void)block_diskseq(b->config.sysfs, name, &diskseq);
    exit_id(name, diskseq, m.id);
    copy(m.name, sizeof(m.name), name);
    block_node(name, m.disk); /* as room for the node's name */
    (void)snprintf(m.node, sizeof(m.node), "/dev/%s", m.disk);
    copy(m.disk, sizeof(m.disk), info.disk);
    copy(m.usb, sizeof(m.usb), info.usb);
    m.bus = info.bus;
    m.inside_luks = info.inside_luks;
    m.partition = block_is_partition(b->config.sysfs, name);
    m.capacity = sectors > UINT64_MAX / 512 ? UINT64_MAX : sectors * 512;
    /* Without its properties a medium has no filesystem and no label: rules that ask for one refuse it. */
    (void)b->config.ops.properties(b->config.ops.context, name, &p);
    copy(m.filesystem, sizeof(m.filesystem), p.filesystem);
    copy(m.label, sizeof(m.label), p.label);
    copy(m.uuid, sizeof(m.uuid), p.uuid);
    copy(m.serial, sizeof(m.serial), p.serial);
    copy(m.vendor, sizeof(m.vendor), p.vendor);
    copy(m.model, sizeof(m.model), p.model);
    m.helper_read_only = p.helper_read_only;
    m.container = !m.partition && !m.filesystem[0] && block_count_partitions(b->config.sysfs, name) > 0;
    *ret = m;
    return 1;
}

static bool ext_family(const char *s)
{
    return strlen(s) == 4 && text_starts(s, "ext");
}

/* The kernel's driver against blkid's name. A medium that claims to be one filesystem and is mounted as another is what it
 * is mounted as. */
static bool same_filesystem(const char *blkid, const char *driver)
{
    return strcmp(blkid, driver) == 0 || strcmp(driver, "fuseblk") == 0 || (ext_family(blkid) && ext_family(driver)) ||
           (strcmp(blkid, "ntfs") == 0 && text_starts(driver, "ntfs")) ||
           (strcmp(blkid, "vfat") == 0 && strcmp(driver, "msdos") == 0);
}

static void settle_filesystem(struct medium *m)
{
    if (!m->mounted_as[0] || (m->filesystem[0] && same_filesystem(m->filesystem, m->mounted_as)))
        return;
    copy(m->filesystem, sizeof(m->filesystem), strcmp(m->mounted_as, "ntfs3") == 0 ? "ntfs" : m->mounted_as);
    m->container = false;
}

void medium_set_mounted_as(struct medium *m, const char *type)
{
    copy(m->mounted_as, sizeof(m->mounted_as), type);
    settle_filesystem(m);
}

void medium_refresh(struct medium *m, const struct medium *fresh)
{
    struct medium old = *m;

    *m = *fresh;
    m->verdict = old.verdict;
    memcpy(m->rule, old.rule, sizeof(m->rule));
    memcpy(m->mounted_as, old.mounted_as, sizeof(m->mounted_as));
    m->read_only = old.read_only;
    m->permitted = old.permitted;
    m->decided = old.decided;
    m->told = old.told;
    m->asserted = old.asserted;
    m->failed = old.failed;
    m->exporting = old.exporting;
    m->opening = old.opening;
    m->verdict.rule = old.verdict.rule ? m->rule : NULL;
    settle_filesystem(m);
}

static bool verdicts_differ(const struct verdict *a, const struct verdict *b)
{
    return a->kind != b->kind || a->ruled != b->ruled || a->allow != b->allow || a->reason != b->reason ||
           a->exec != b->exec || a->cacheable != b->cacheable || a->monitor != b->monitor ||
           !text_equal(a->rule, b->rule) || strcmp(a->medium_rule, b->medium_rule) != 0 ||
           a->n_holders != b->n_holders || memcmp(a->holders, b->holders, sizeof(a->holders)) != 0;
}

void medium_facts(const struct medium *m, struct decide_medium_facts *ret)
{
    *ret = (struct decide_medium_facts){.bus = exit_bus_name(m->bus),
                                        .node = m->node,
                                        .filesystem = m->filesystem,
                                        .label = m->label,
                                        .uuid = m->uuid,
                                        .serial = m->serial,
                                        .capacity = m->capacity,
                                        .inside_luks = m->inside_luks};
}

/* Which media rule is to be unlocked is known when it has refused. */
static void decide_with_grants(const struct block_manager *b, const struct medium *m, struct decide_medium_facts *facts,
                               struct verdict *ret)
{
    if (b->config.granted && facts->usb_rule)
        facts->usb_granted = b->config.granted(b->config.context, m, true, facts->usb_rule, &facts->usb_granted_to);
    decide_medium(b->policy, facts, ret);
    if (ret->reason != REASON_LOCKED || !b->config.granted)
        return;
    facts->granted = b->config.granted(b->config.context, m, false, ret->rule, &facts->granted_to);
    if (facts->granted)
        decide_medium(b->policy, facts, ret);
}

void medium_decide(struct block_manager *b, struct medium *m, int64_t wall_us)
{
    struct verdict v = {.rule = "default"};
    bool news;

    if (b->policy) {
        struct decide_medium_facts facts;

        medium_facts(m, &facts);
        facts.persons = b->persons;
        facts.n_persons = b->n_persons;
        if (m->usb[0] && b->config.usb_rule_of)
            facts.usb_rule = b->config.usb_rule_of(b->config.context, m->usb);
        decide_time_local(wall_us, &facts.now);
        decide_time_not_before(&facts.now, b->policy->not_before_us);
        decide_with_grants(b, m, &facts, &v);
    }
    if ((m->failed || b->blind) && block_manager_mode(b) != EXIT_MODE_MONITOR) {
        /* It could not be made read-only, or what there is cannot be seen: whatever the rule says, nobody gets it. */
        v.kind = v.ruled = VERDICT_DENY;
        v.reason = m->failed ? REASON_WRITE : REASON_UNKNOWN;
    }
    news = !m->decided || verdicts_differ(&m->verdict, &v);
    if (news) {
        copy(m->rule, sizeof(m->rule), v.rule ? v.rule : "default");
        m->verdict = v;
        m->verdict.rule = m->rule;
        m->decided = true;
        b->dirty = true;
        if (!m->container) {
            m->told = true;
            b->config.report(b->config.context, BLOCK_REPORT_DECIDED, m, "");
        }
    }
}

static void release(struct block_manager *b, struct medium *m)
{
    /* Only what was set by us or by our helper: a write-protect switch and other people's settings stay. */
    if (!m->asserted && !m->helper_read_only)
        return;
    if (b->config.ops.set_read_only(b->config.ops.context, m->name, m->device, false) >= 0)
        m->asserted = false;
    m->read_only = block_read_only(b->config.sysfs, m->name) > 0;
}

struct look {
    const struct block_manager *b;
    const struct medium *m;
};

/* No device of that name, another one, another disk in it, or none. An error that says nothing of the kind is no answer. */
static bool has_left(void *context)
{
    const struct look *look = context;
    const struct medium *m = look->m;
    int sysfs = look->b->config.sysfs, r;
    uint64_t diskseq, sectors;
    char id[EXIT_ID_SIZE];
    dev_t device;

    r = block_read_device(sysfs, m->name, &device);
    if (r < 0)
        return r == -ENOENT || r == -ENODEV;
    if (device != m->device)
        return true;
    if (block_diskseq(sysfs, m->name, &diskseq) >= 0) {
        exit_id(m->name, diskseq, id);
        if (strcmp(id, m->id) != 0)
            return true;
    }
    return block_read_number(sysfs, m->name, "size", &sectors) >= 0 && sectors == 0;
}

/* The kernel takes the node and the capacity away before the directory (del_gendisk), hence the patience. */
static bool is_gone(const struct block_manager *b, const struct medium *m, int64_t *patience_us)
{
    struct look look = {.b = b, .m = m};

    return clock_wait_until(patience_us, has_left, &look);
}

int medium_assert(struct block_manager *b, struct medium *m)
{
    char message[96];
    int r = block_read_only(b->config.sysfs, m->name), error = 0;
    int64_t no_patience = 0;
    bool cleared;

    if (block_manager_mode(b) == EXIT_MODE_MONITOR) {
        m->read_only = r > 0;
        m->failed = false;
        if (m->read_only)
            release(b, m);
        return 0;
    }
    if (m->opening && m->asserted) {
        m->read_only = r > 0;
        return 0; /* what cleared it sets it again; left in the middle, the end of the export does */
    }
    cleared = r == 0 && m->asserted;
    /* At first sight always: a partition shows its disk's flag, and shall keep its own when that one is cleared. */
    if (r <= 0 || !m->asserted) {
        error = b->config.ops.set_read_only(b->config.ops.context, m->name, m->device, true);
        r = block_read_only(b->config.sysfs, m->name);
    }
    m->read_only = r > 0;
    if (m->read_only) {
        if (cleared && is_gone(b, m, &no_patience))
            return MEDIUM_E_GONE; /* the flag was that of the next medium, and is set now */
        if (cleared) {
            b->dirty = true; /* a filesystem may have been mounted writable meanwhile */
            b->config.report(b->config.context, BLOCK_REPORT_REASSERTED, m,
                             "the read-only flag had been cleared and was set again");
        }
        m->asserted = true;
        m->failed = false;
    } else if (!m->failed) {
        if (is_gone(b, m, &b->patience_left_us))
            return MEDIUM_E_GONE;
        m->failed = true;
        b->dirty = true;
        (void)snprintf(message, sizeof(message), "cannot be made read-only (error %d): refused",
                       error < 0 ? -error
                       : r < 0   ? -r
                                 : EROFS);
        b->config.report(b->config.context, BLOCK_REPORT_FAILED, m, message);
    }
    return 0;
}

void medium_publish(struct block_manager *b, struct medium *m, bool permit, bool force)
{
    int r = exit_run_permit(b->config.run, m->id, permit);

    m->permitted = permit && r >= 0;
    if (r > 0 || force)
        (void)b->config.ops.trigger(b->config.ops.context, m->name);
}
