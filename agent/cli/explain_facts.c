/*
 * Owns: from the options of policy explain to the facts of a device, a medium, a mount or an open: read from the machine where
 * real ones are named, made up where they are described. Must not: decide.
 */
#include "cli/explain_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/present.h"
#include "cli/present_media.h"
#include "device/exit.h"
#include "device/mount.h"

#define NOBODYS_UID ((uid_t)0xfffffffd) /* made up; the two above mean something to the kernel */

void explain_facts_done(struct explain_facts *f)
{
    (void)present_free(f->present);
    (void)present_media_free(f->media);
    mount_table_done(&f->mounts);
    free(f->interface_list);
    *f = (struct explain_facts){0};
}

/* --- do the options make sense? --- */

static bool any_given(const struct cli_arguments *a, enum explain_option first, enum explain_option last)
{
    for (unsigned i = first; i <= (unsigned)last; i++)
        if (a->values[i])
            return true;
    return false;
}

static bool is_described(const struct cli_arguments *a)
{
    return a->values[EXPLAIN_BUS] || (a->values[EXPLAIN_DEVICE] && explain_is_device_id(a->values[EXPLAIN_DEVICE]));
}

static bool is_bus(const char *name)
{
    for (unsigned i = 0; i < EXIT_BUS_COUNT_; i++)
        if (i != EXIT_BUS_USB && text_equal(exit_bus_name((enum exit_bus)i), name))
            return true;
    return false;
}

enum cli_exit explain_facts_usage(struct cli *c, const struct cli_arguments *a)
{
    const char *device = a->values[EXPLAIN_DEVICE], *bus = a->values[EXPLAIN_BUS], *path = a->values[EXPLAIN_PATH];

    if (!device && !bus && !path)
        return cli_usage(c, _("what is to be explained? --device, --bus, or --path with --program"));
    if (device && bus)
        return cli_usage(c, _("either --device or --bus"));
    if (!is_described(a) && any_given(a, EXPLAIN_SERIAL, EXPLAIN_LUKS))
        return cli_usage(c, _("a device is described by --device VENDOR:PRODUCT or --bus; one that is there is read"));
    if (a->values[EXPLAIN_EXPORT] && (!path || (!device && !bus)))
        return cli_usage(c, _("--export takes --path FILE out to what --device or --bus names"));
    if (a->values[EXPLAIN_EXPORT] && any_given(a, EXPLAIN_PROGRAM, EXPLAIN_EXECUTE))
        return cli_usage(c, _("a file is opened (--program, --write, --execute) or taken out (--export)"));
    if (a->values[EXPLAIN_SIZE] && !a->values[EXPLAIN_EXPORT])
        return cli_usage(c, _("--size belongs to --export"));
    if (device && path && !is_described(a) && !a->values[EXPLAIN_EXPORT])
        return cli_usage(c, _("either --device, or --path with --program"));
    if (bus && !is_bus(bus))
        return cli_usage(c,
                         _("--bus: “%s” is none of mmc, optical, firewire, thunderbolt, loop, other; USB media "
                           "belong to --device VENDOR:PRODUCT"),
                         cli_safe(c, bus));
    if (bus && any_given(a, EXPLAIN_INTERFACE, EXPLAIN_PARENT_HASH))
        return cli_usage(c, _("a medium on this bus has no USB interfaces, name, port or hash"));
    if (!path && any_given(a, EXPLAIN_PROGRAM, EXPLAIN_EXECUTE))
        return cli_usage(c, _("--program, --write and --execute belong to --path"));
    return CLI_OK;
}

/* --- described ones --- */

/* Every --interface, joined by commas. */
static char *join_interfaces(const struct cli_arguments *a)
{
    char *all = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&all, &size);
    bool first = true;

    if (!out)
        return NULL;
    for (size_t i = 0; i < a->n_given; i++) {
        if (a->given[i].option != EXPLAIN_INTERFACE)
            continue;
        (void)fprintf(out, "%s%s", first ? "" : ",", a->given[i].value);
        first = false;
    }
    if (fclose(out) == 0)
        return all;
    free(all);
    return NULL;
}

static enum cli_exit describe_usb_device(struct cli *c, const struct cli_arguments *a, struct explain_facts *f)
{
    struct explain_usb u = {.device = a->values[EXPLAIN_DEVICE],
                            .serial = a->values[EXPLAIN_SERIAL],
                            .name = a->values[EXPLAIN_NAME],
                            .port = a->values[EXPLAIN_PORT],
                            .connect_type = a->values[EXPLAIN_CONNECT_TYPE],
                            .hash = a->values[EXPLAIN_HASH],
                            .parent_hash = a->values[EXPLAIN_PARENT_HASH]};

    if (!a->values[EXPLAIN_INTERFACE])
        return cli_usage(c, _("--interface is missing: a device without interfaces is always refused (storage is "
                              "08:06:50, a keyboard 03:01:01)"));
    f->interface_list = join_interfaces(a);
    u.interfaces = f->interface_list;
    switch (explain_usb_facts(&u, f->interfaces, &f->facts.usb)) {
    case 0:
        break;
    case EXPLAIN_E_INTERFACES:
        return cli_usage(c, _("--interface: “%s” is no list of class:subclass:protocol"), cli_safe(c, u.interfaces));
    case EXPLAIN_E_HASH:
        return cli_usage(c, _("--hash and --parent-hash take 64 hex digits"));
    default:
        return cli_usage(c, _("--device: “%s” is no VENDOR:PRODUCT"), cli_safe(c, u.device));
    }
    f->facts.has_usb = true;
    (void)snprintf(f->device, sizeof(f->device), "%s%s%s", u.device, u.serial ? " " : "", u.serial ? u.serial : "");
    return CLI_OK;
}

static const char *value_of(const struct cli_arguments *a, enum explain_option option)
{
    return a->values[option] ? a->values[option] : "";
}

static enum cli_exit describe_medium_of(struct cli *c, const struct cli_arguments *a, struct explain_facts *f)
{
    uint64_t capacity = 0;

    if (a->values[EXPLAIN_CAPACITY] && text_to_size(a->values[EXPLAIN_CAPACITY], &capacity) < 0)
        return cli_usage(c, _("--capacity: “%s” is no size"), cli_safe(c, a->values[EXPLAIN_CAPACITY]));
    f->facts.has_medium = true;
    f->facts.medium = (struct decide_medium_facts){.bus = f->facts.has_usb ? "usb" : a->values[EXPLAIN_BUS],
                                                   .node = value_of(a, EXPLAIN_NODE),
                                                   .filesystem = value_of(a, EXPLAIN_FILESYSTEM),
                                                   .label = value_of(a, EXPLAIN_LABEL),
                                                   .uuid = value_of(a, EXPLAIN_UUID),
                                                   .serial = value_of(a, EXPLAIN_SERIAL),
                                                   .capacity = capacity,
                                                   .inside_luks = a->values[EXPLAIN_LUKS] != NULL};
    if (!f->facts.has_usb)
        (void)snprintf(f->device, sizeof(f->device), "%s%s%s", a->values[EXPLAIN_BUS],
                       a->values[EXPLAIN_NODE] ? " " : "", value_of(a, EXPLAIN_NODE));
    return CLI_OK;
}

static enum cli_exit describe_device(struct cli *c, const struct cli_arguments *a, struct explain_facts *f)
{
    enum cli_exit code = a->values[EXPLAIN_DEVICE] ? describe_usb_device(c, a, f) : CLI_OK;

    if (code == CLI_OK && (!f->facts.has_usb || a->values[EXPLAIN_PATH] || any_given(a, EXPLAIN_NODE, EXPLAIN_LUKS)))
        code = describe_medium_of(c, a, f);
    f->facts.has_open = code == CLI_OK && a->values[EXPLAIN_PATH] && !a->values[EXPLAIN_EXPORT];
    return code;
}

/* --- real ones --- */

static const struct usb_device *find_owner(const struct present *present, const char *syspath)
{
    for (size_t i = 0; *syspath && i < present_count(present); i++)
        if (text_equal(usb_device_path(present_at(present, i)), syspath + 1))
            return present_at(present, i);
    return NULL;
}

static enum cli_exit take_medium(struct cli *c, struct policy *policy, const struct medium *m, struct explain_facts *f)
{
    const struct usb_device *owner;
    enum cli_exit code;

    f->facts.has_medium = true;
    medium_facts(m, &f->facts.medium);
    (void)snprintf(f->device, sizeof(f->device), "%s", m->id);
    if (!m->usb[0])
        return CLI_OK;
    code = f->present ? CLI_OK : present_read(c, policy, &f->present);
    owner = code == CLI_OK ? find_owner(f->present, m->usb) : NULL;
    if (owner) {
        usb_device_facts(owner, &f->facts.usb);
        f->facts.has_usb = true;
    }
    return code;
}

static enum cli_exit find_device(struct cli *c, const char *id, struct policy *policy, struct explain_facts *f)
{
    const struct usb_device *d;
    const struct medium *m;
    enum cli_exit code = present_read(c, policy, &f->present);

    if (code != CLI_OK)
        return code;
    d = present_find(f->present, id);
    if (d) {
        usb_device_facts(d, &f->facts.usb);
        f->facts.has_usb = true;
        (void)snprintf(f->device, sizeof(f->device), "%s", usb_device_id(d));
        return CLI_OK;
    }
    code = present_media_read(c, policy, &f->media);
    if (code != CLI_OK)
        return code;
    m = present_media_find(f->media, id);
    if (m)
        return take_medium(c, policy, m, f);
    cli_error(c, _("no device “%s” is plugged in"), cli_safe(c, id));
    return CLI_FAILED;
}

static enum cli_exit failed(struct cli *c, const char *path, int error)
{
    cli_error(c, "%s: %s", cli_safe(c, path), strerror(-error));
    return CLI_FAILED;
}

static enum cli_exit take_store(struct cli *c, const struct cli_arguments *a, const struct policy *policy,
                                struct explain_facts *f)
{
    const char *program = a->values[EXPLAIN_PROGRAM];
    int r;

    if (!program)
        return cli_usage(c, _("--program is missing: a store permits programs"));
    r = explain_subject(&policy->stores[f->facts.open.store], program, &f->facts.open.subject, &f->by_name);
    if (r < 0)
        return failed(c, program, r);
    f->facts.open.kind = DECIDE_OBJECT_STORE;
    f->facts.has_open = true;
    return CLI_OK;
}

/* Which filesystem the file lies on says what guards it. Nothing on it is opened. */
static enum cli_exit take_mount(struct cli *c, const char *path, struct policy *policy, struct explain_facts *f)
{
    _cleanup_close_ int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_free_ char *resolved = realpath(path, NULL);
    const struct mount_entry *e;
    const struct medium *m;
    enum mount_class class_;
    enum cli_exit code;
    struct stat st;
    int r = proc < 0 || !resolved ? -errno : mount_table_read(proc, "self/mountinfo", &f->mounts);

    if (r < 0)
        return failed(c, path, r);
    e = mount_table_covering(&f->mounts, resolved);
    class_ = e ? mount_classify(e, true) : MOUNT_CLASS_LOCAL;
    if (class_ == MOUNT_CLASS_NETWORK || class_ == MOUNT_CLASS_FUSE) {
        f->facts.has_mount = true;
        f->facts.mount =
            (struct decide_mount_facts){.kind = class_ == MOUNT_CLASS_FUSE ? DECIDE_MOUNT_FUSE : DECIDE_MOUNT_NETWORK,
                                        .type = e->type,
                                        .source = e->source};
        return CLI_OK;
    }
    code = present_media_read(c, policy, &f->media);
    if (code != CLI_OK)
        return code;
    m = stat(resolved, &st) == 0 ? present_media_at(f->media, st.st_dev) : NULL;
    if (!m && e)
        m = present_media_find(f->media, e->source); /* btrfs: the device number of a file is another */
    if (!m)
        return CLI_OK; /* not guarded */
    f->facts.has_open = true;
    return take_medium(c, policy, m, f);
}

static enum cli_exit find_file(struct cli *c, const struct cli_arguments *a, struct policy *policy,
                               struct explain_facts *f)
{
    const char *path = a->values[EXPLAIN_PATH];
    int r = explain_find_store(policy, path, &f->facts.open.store, &f->by_name);

    if (r < 0)
        return failed(c, path, r);
    if (r == 0)
        return take_store(c, a, policy, f);
    if (f->by_name)
        return failed(c, path, -ENOENT); /* no store has the name, and there is no filesystem to ask about */
    return take_mount(c, path, policy, f);
}

static void take_person(struct explain_facts *f, const struct explain_person *who, const struct decide_time *now,
                        const struct cli_arguments *a)
{
    struct evaluate_facts *facts = &f->facts;

    facts->usb.persons = facts->medium.persons = &who->person;
    facts->usb.n_persons = facts->medium.n_persons = 1;
    facts->usb.now = facts->medium.now = facts->open.now = facts->export.now = *now;
    facts->open.subject.person = facts->export.person = who->person;
    facts->usb.granted = facts->medium.granted = facts->medium.usb_granted = a->values[EXPLAIN_UNLOCKED] != NULL;
    facts->medium.granted_to = facts->medium.usb_granted_to = who->person.uid;
    facts->open.write = a->values[EXPLAIN_WRITE] != NULL;
    facts->open.execute = a->values[EXPLAIN_EXECUTE] != NULL;
    facts->person = who->words;
    facts->program = a->values[EXPLAIN_PROGRAM];
}

/* --- taking out --- */

/* People who could approve, as far as the rule names any: so far is asked what the policy says, not who is there. */
static size_t make_approvers(const struct policy_who *who, uid_t self,
                             struct decide_person approvers[static EXPLAIN_APPROVERS_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < who->n_uids && n < EXPLAIN_APPROVERS_MAX; i++)
        if (who->uids[i] != self)
            approvers[n++] = (struct decide_person){.uid = who->uids[i]};
    for (; n < EXPLAIN_APPROVERS_MAX && (!who->restricted || who->n_gids > 0); n++)
        approvers[n] =
            (struct decide_person){.uid = NOBODYS_UID - (uid_t)n, .gids = who->gids, .n_gids = who->n_gids > 0 ? 1 : 0};
    return n;
}

static enum cli_exit take_export(struct cli *c, const struct cli_arguments *a, const struct policy *policy,
                                 struct explain_facts *f)
{
    const char *path = a->values[EXPLAIN_PATH];
    struct decide_export_facts *facts = &f->facts.export;
    struct stat st;
    size_t store = 0;
    int r = explain_find_store(policy, path, &store, &f->by_name);

    if (r < 0)
        return failed(c, path, r);
    f->facts.has_export = true;
    facts->store = r == 0 ? (int)store : -1;
    facts->factors = POLICY_FACTOR_PASSWORD | POLICY_FACTOR_TOTP;
    if (a->values[EXPLAIN_SIZE] && text_to_size(a->values[EXPLAIN_SIZE], &facts->size) < 0)
        return cli_usage(c, _("--size: “%s” is no size"), cli_safe(c, a->values[EXPLAIN_SIZE]));
    if (!a->values[EXPLAIN_SIZE] && stat(path, &st) == 0)
        facts->size = (uint64_t)st.st_size;
    return CLI_OK;
}

/* Which rule will speak is known when the device and the medium are: the approvers are those of that rule. */
static void give_approvals(const struct policy *policy, struct explain_facts *f)
{
    struct evaluate_steps steps;
    const struct policy_export_rule *rule;

    evaluate(policy, &f->facts, &steps);
    rule = decide_export_rule(policy, steps.export.target, steps.export.store);
    if (!rule)
        return;
    f->facts.export.n_approvers = make_approvers(&rule->approvers, f->facts.export.person.uid, f->approvers);
    f->facts.export.approvers = f->approvers;
}

enum cli_exit explain_facts_gather(struct cli *c, const struct cli_arguments *a, struct policy *policy,
                                   const struct explain_person *who, const struct decide_time *now,
                                   struct explain_facts *ret)
{
    enum cli_exit code;

    if (is_described(a))
        code = describe_device(c, a, ret);
    else if (a->values[EXPLAIN_DEVICE])
        code = find_device(c, a->values[EXPLAIN_DEVICE], policy, ret);
    else
        code = find_file(c, a, policy, ret);
    if (code == CLI_OK && a->values[EXPLAIN_EXPORT])
        code = take_export(c, a, policy, ret);
    take_person(ret, who, now, a);
    if (code == CLI_OK && a->values[EXPLAIN_EXPORT])
        give_approvals(policy, ret);
    return code;
}
