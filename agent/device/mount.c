/*
 * The watcher of mounts. Owns: which mounts are known, guarded, refused. Must not: open or stat anything on FUSE or network
 * filesystems, decide (decide/), journal (it reports).
 */
#include "device/mount.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/text.h"

enum {
    KNOWN_MAX = 16384,
    PASSES_MAX = 64, /* detaching takes whole trees away, so the list is read again after each */
    PROCESSES_PER_TICK = 4096,
};

/* Mount ids are unique over all namespaces while the mount lives. */
struct known {
    int id;
    bool own;  /* in our namespace */
    bool seen; /* in the present round */
    bool reported;
    bool failed; /* what had to be done could not be done */
    bool tried;  /* in the present refresh */
    enum verdict_kind kind;
    bool medium;
    dev_t device;
};

struct guarded {
    dev_t device;
    bool detached; /* open files may live on: stays guarded until the medium goes */
};

struct mount_manager {
    struct mount_manager_config config;
    int watch;
    struct known *known;
    size_t n_known, known_capacity;
    struct known spare; /* stands in when there is no room */
    struct guarded *guarded;
    size_t n_guarded;
    struct mount_namespaces namespaces;
    bool refreshing;
    bool lost_others; /* told: other namespaces cannot be gone through */
    int64_t wall_us;  /* of the present call */
};

static const char *const network_types[] = {
    "nfs",       "nfs4",   "cifs",   "smb3",   "smbfs",  "9p",    "virtiofs", "ceph",      "afs",   "kafs",
    "coda",      "ncpfs",  "gfs2",   "lustre", "beegfs", "pvfs2", "orangefs", "glusterfs", "davfs", "davfs2",
    "curlftpfs", "vboxsf", "vmhgfs", "prl_fs", "shfs",   "gpfs",  "panfs",    "ocfs2",     "nvfs",
};

static bool at_portal(const struct mount_entry *e)
{
    char user[16], place[48];

    if (!mount_option(e->super_options, "user_id", user, sizeof(user)))
        return false;
    (void)snprintf(place, sizeof(place), "/run/user/%s/doc", user);
    return strcmp(e->point, place) == 0;
}

static bool by_root(const struct mount_entry *e)
{
    char user[16];

    return mount_option(e->super_options, "user_id", user, sizeof(user)) && strcmp(user, "0") == 0;
}

enum mount_class mount_classify(const struct mount_entry *e, bool own_namespace)
{
    for (size_t i = 0; i < ELEMENTS(network_types); i++) {
        if (strcmp(e->type, network_types[i]) == 0)
            return MOUNT_CLASS_NETWORK;
    }
    if (strcmp(e->type, "fuse") != 0 && !text_starts(e->type, "fuse."))
        return MOUNT_CLASS_LOCAL;
    if (own_namespace && strcmp(e->type, "fuse.portal") == 0 && at_portal(e))
        return MOUNT_CLASS_SYSTEM;
    if (own_namespace && strcmp(e->type, "fuse.lxcfs") == 0 && strcmp(e->point, "/var/lib/lxcfs") == 0 && by_root(e))
        return MOUNT_CLASS_SYSTEM;
    return MOUNT_CLASS_FUSE;
}

/* A terminal whose system lies on a network filesystem keeps it (H9); only root mounts there. */
static bool is_system_place(const char *point)
{
    static const char *const places[] = {"/", "/usr", "/boot", "/boot/efi", "/efi", "/var"};

    for (size_t i = 0; i < ELEMENTS(places); i++) {
        if (strcmp(point, places[i]) == 0)
            return true;
    }
    return false;
}

/* btrfs and bcachefs have no device number of their own; the kernel itself writes their source. */
static dev_t entry_device(const struct mount_entry *e)
{
    struct stat st;

    if (e->major != 0)
        return makedev(e->major, e->minor);
    if ((strcmp(e->type, "btrfs") == 0 || strcmp(e->type, "bcachefs") == 0) && text_starts(e->source, "/dev/") &&
        stat(e->source, &st) == 0 && S_ISBLK(st.st_mode))
        return st.st_rdev;
    return 0;
}

/* Where id stands or belongs: the list is sorted, because anybody may make a hundred thousand mounts. */
static size_t place_of(const struct mount_manager *mm, int id)
{
    size_t from = 0, to = mm->n_known;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (mm->known[middle].id < id)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static bool has_room(struct mount_manager *mm)
{
    size_t wanted = mm->known_capacity ? mm->known_capacity * 2 : 32;
    struct known *grown;

    if (mm->n_known >= KNOWN_MAX)
        return false;
    if (mm->n_known < mm->known_capacity)
        return true;
    grown = reallocarray(mm->known, wanted, sizeof(*grown));
    if (!grown)
        return false;
    mm->known = grown;
    mm->known_capacity = wanted;
    return true;
}

/* Never NULL: without room the mount is judged like one that is seen for the first time, each time. */
static struct known *know(struct mount_manager *mm, int id, bool own)
{
    const struct known fresh = {.id = id, .own = own};
    size_t i = place_of(mm, id);

    if (i < mm->n_known && mm->known[i].id == id)
        return &mm->known[i];
    if (!has_room(mm)) {
        mm->spare = fresh;
        return &mm->spare;
    }
    memmove(&mm->known[i + 1], &mm->known[i], (mm->n_known - i) * sizeof(*mm->known));
    mm->n_known++;
    mm->known[i] = fresh;
    return &mm->known[i];
}

static struct guarded *find_guarded(struct mount_manager *mm, dev_t device)
{
    for (size_t i = 0; i < mm->n_guarded; i++) {
        if (mm->guarded[i].device == device)
            return &mm->guarded[i];
    }
    return NULL;
}

static int guard(struct mount_manager *mm, const struct mount_place *place, dev_t device, const struct medium *m)
{
    _cleanup_close_ int fd = -1;
    struct guarded *g;
    int r = mm->config.ops.open(mm->config.ops.context, place, &fd);

    if (r != 0)
        return r;
    if (!find_guarded(mm, device)) {
        g = reallocarray(mm->guarded, mm->n_guarded + 1, sizeof(*g));
        if (!g)
            return -ENOMEM;
        mm->guarded = g;
        mm->guarded[mm->n_guarded++] = (struct guarded){.device = device};
    }
    return mm->config.guard(mm->config.context, fd, device, m);
}

static const char *outcome(int r)
{
    switch (r) {
    case 0:
        return "";
    case MOUNT_E_COVERED:
        return "covered by another mount";
    case MOUNT_E_GONE:
        return "gone";
    case MOUNT_E_TIMEOUT:
        return "the path does not answer";
    case -EBUSY:
        return "open for writing";
    case -EINVAL:
        return "locked by its namespace";
    default:
        return "refused by the kernel";
    }
}

/* 1: detached, the table is stale now. 0: nothing to be done or not possible. */
static int detach(struct mount_manager *mm, struct known *k, const struct mount_entry *e, pid_t pid,
                  const struct medium *m, const struct verdict *v, enum mount_report what, const char *message)
{
    struct mount_place place = {.pid = pid, .point = e->point, .mount_id = e->id};
    char text[128];
    int r;

    if (k->tried)
        return 0;
    k->tried = true;
    r = mm->config.ops.detach(mm->config.ops.context, &place);
    if (r == MOUNT_E_TIMEOUT) {
        place.mount_id = -1; /* even the check waits for a server that is dead */
        r = mm->config.ops.detach(mm->config.ops.context, &place);
    }
    if (r == 0) {
        mm->config.report(mm->config.context, what, e, pid, m, v, message);
        k->failed = false;
        return 1;
    }
    if (r == MOUNT_E_GONE)
        return 0;
    if (!k->failed) {
        (void)snprintf(text, sizeof(text), "cannot be detached: %s", outcome(r));
        mm->config.report(mm->config.context, MOUNT_REPORT_FAILED, e, pid, m, v, text);
    }
    k->failed = true;
    return 0;
}

/* The superblock was mounted before the flag was there, or while it was cleared: the flag does not reach it. */
static int take_write_away(struct mount_manager *mm, struct known *k, const struct mount_entry *e, pid_t pid,
                           const struct medium *m)
{
    const struct mount_place place = {.pid = pid, .point = e->point, .mount_id = e->id};
    const struct verdict v = {.rule = m->rule, .reason = REASON_WRITE, .allow = m->verdict.allow};
    int r = mm->config.ops.make_read_only(mm->config.ops.context, &place);

    if (r == 0) {
        mm->config.report(mm->config.context, MOUNT_REPORT_READ_ONLY, e, pid, m, &v,
                          "an exit was mounted writable; made read-only");
        return 1;
    }
    return r == MOUNT_E_GONE ? 0
                             : detach(mm, k, e, pid, m, &v, MOUNT_REPORT_READ_ONLY,
                                      "an exit was mounted writable and in use; detached");
}

/* The gate is asked about execve(2). A loader that maps a program (ld.so FILE) only opens it, as for reading: that the mount
 * itself refuses. */
static int take_exec_away(struct mount_manager *mm, struct known *k, const struct mount_entry *e, pid_t pid,
                          const struct medium *m)
{
    const struct mount_place place = {.pid = pid, .point = e->point, .mount_id = e->id};
    char text[128];
    int r;

    k->tried = true;
    r = mm->config.ops.forbid_exec(mm->config.ops.context, &place);
    if (r == 0 || r == MOUNT_E_GONE)
        return 0; /* the table still says where everything is */
    if (!k->failed) {
        (void)snprintf(text, sizeof(text), "programs on it cannot be kept from being mapped: %s", outcome(r));
        mm->config.report(mm->config.context, MOUNT_REPORT_FAILED, e, pid, m, &m->verdict, text);
    }
    k->failed = true;
    return 0;
}

/* Nobody reads of an export before it is finished, nor keeps it from beginning. */
static int keep_off_export(struct mount_manager *mm, struct known *k, const struct mount_entry *e, pid_t pid,
                           const struct medium *m)
{
    /* No verdict: nobody was refused anything. */
    return detach(mm, k, e, pid, m, NULL, MOUNT_REPORT_DETACHED, "an export writes to the medium; detached");
}

static int handle_medium(struct mount_manager *mm, const struct mount_entry *e, pid_t pid, const struct medium *m,
                         dev_t device)
{
    const struct mount_place place = {.pid = pid, .point = e->point, .mount_id = e->id};
    struct known *k = know(mm, e->id, pid == 0);
    struct guarded *g;
    int r;

    k->seen = true;
    k->medium = true;
    k->device = device;
    if (m->exporting)
        return keep_off_export(mm, k, e, pid, m);
    if (!k->reported) {
        /* The mark is on the filesystem: one more mount of it elsewhere needs none. Nor is a path that does not answer
         * tried for ever, it would cost its deadline each time. */
        r = pid != 0 && find_guarded(mm, device) ? 0 : guard(mm, &place, device, m);
        k->reported = r == 0 || r == MOUNT_E_TIMEOUT;
        if (r == MOUNT_E_TIMEOUT)
            mm->config.report(mm->config.context, MOUNT_REPORT_FAILED, e, pid, m, &m->verdict,
                              "cannot be guarded: the path does not answer");
        /* Who may read, when, and that nothing is run from it: without the mark nobody asks. */
        if (r < 0 && block_manager_mode(mm->config.block) != EXIT_MODE_MONITOR)
            return detach(mm, k, e, pid, m, &m->verdict, MOUNT_REPORT_FAILED, "could not be guarded; detached");
    }
    if (m->verdict.kind != VERDICT_ALLOW) {
        r = detach(mm, k, e, pid, m, &m->verdict, MOUNT_REPORT_DETACHED, "a refused medium was mounted; detached");
        g = find_guarded(mm, device);
        if (r > 0 && g)
            g->detached = true;
        return r;
    }
    if (block_manager_mode(mm->config.block) != EXIT_MODE_MONITOR && mount_super_writable(e))
        return k->tried ? 0 : take_write_away(mm, k, e, pid, m);
    /* A rule that only records leaves execution to the gate, which records it. Being written to is no rule's to permit. */
    if (!m->verdict.monitor && !m->verdict.exec && mount_runs_programs(e))
        return k->tried ? 0 : take_exec_away(mm, k, e, pid, m);
    k->failed = false;
    return 0;
}

static int handle_filesystem(struct mount_manager *mm, const struct mount_entry *e, pid_t pid, enum mount_class class_)
{
    const struct policy *policy = block_manager_policy(mm->config.block);
    const struct decide_mount_facts facts = {.kind =
                                                 class_ == MOUNT_CLASS_FUSE ? DECIDE_MOUNT_FUSE : DECIDE_MOUNT_NETWORK,
                                             .type = e->type,
                                             .source = e->source};
    struct verdict v = {.rule = "default"};
    struct known *k = know(mm, e->id, pid == 0);

    k->seen = true;
    if (class_ == MOUNT_CLASS_SYSTEM) {
        v.kind = v.ruled = VERDICT_ALLOW;
        v.allow = POLICY_USE;
        v.rule = "system";
    } else if (policy) {
        decide_mount(policy, &facts, &v);
    }
    if (v.kind != VERDICT_ALLOW)
        return detach(mm, k, e, pid, NULL, &v, MOUNT_REPORT_DECIDED, "detached");
    if (!k->reported || k->kind != v.kind)
        mm->config.report(mm->config.context, MOUNT_REPORT_DECIDED, e, pid, NULL, &v, "");
    k->reported = true;
    k->kind = v.kind;
    return 0;
}

static int handle(struct mount_manager *mm, const struct mount_entry *e, pid_t pid)
{
    dev_t device = entry_device(e);
    const struct medium *m = device ? block_manager_learn(mm->config.block, device, e->type, mm->wall_us) : NULL;
    enum exit_mode mode = block_manager_mode(mm->config.block);
    enum mount_class class_;

    if (m)
        return handle_medium(mm, e, pid, m, device);
    if (!block_manager_filesystems(mm->config.block) || mode == EXIT_MODE_OFF)
        return 0;
    class_ = mount_classify(e, pid == 0);
    if (class_ == MOUNT_CLASS_LOCAL || (pid == 0 && class_ == MOUNT_CLASS_NETWORK && is_system_place(e->point)))
        return 0;
    return handle_filesystem(mm, e, pid, class_);
}

/* Nobody can say what is mounted there: refused as far as that goes, and an alarm. Told once while it lasts; no mount has a
 * negative id. */
static void tell_unread(struct mount_manager *mm, pid_t pid)
{
    const struct mount_entry nothing = {
        .root = "", .point = "", .options = "", .type = "", .source = "", .super_options = ""};
    const struct verdict v = {.kind = VERDICT_DENY, .ruled = VERDICT_DENY, .reason = REASON_UNKNOWN, .rule = "default"};

    mm->config.report(mm->config.context, MOUNT_REPORT_UNREAD, &nothing, pid, NULL, &v,
                      "the mounts of a namespace cannot be read (too many?): what is mounted there is not guarded");
}

static void cannot_read(struct mount_manager *mm, pid_t pid)
{
    struct known *k = know(mm, -1 - (int)pid, pid == 0);

    k->seen = true;
    if (!k->failed)
        tell_unread(mm, pid);
    k->failed = true;
}

/* One namespace, until nothing is left to detach. */
static int look(struct mount_manager *mm, pid_t pid)
{
    char name[64];
    int r;

    (void)snprintf(name, sizeof(name), pid == 0 ? "self/mountinfo" : "%d/mountinfo", (int)pid);
    for (unsigned pass = 0; pass < PASSES_MAX; pass++) {
        struct mount_table t;
        bool again = false;

        r = mount_table_read(mm->config.proc, name, &t);
        if (r < 0) {
            if (pid == 0 || !mount_process_gone(r))
                cannot_read(mm, pid);
            return r;
        }
        for (size_t i = 0; i < t.n && !again; i++)
            again = handle(mm, &t.items[i], pid) > 0;
        mount_table_done(&t);
        if (!again)
            return 0;
    }
    return 0;
}

static void forget(struct mount_manager *mm, bool own)
{
    size_t kept = 0;

    for (size_t i = 0; i < mm->n_known; i++) {
        if (mm->known[i].own != own || mm->known[i].seen)
            mm->known[kept++] = mm->known[i];
    }
    mm->n_known = kept;
    for (size_t i = mm->n_guarded; i-- > 0;) {
        bool mounted = mm->guarded[i].detached;

        for (size_t j = 0; j < mm->n_known && !mounted; j++)
            mounted = mm->known[j].medium && mm->known[j].device == mm->guarded[i].device;
        if (mounted && block_manager_find(mm->config.block, mm->guarded[i].device))
            continue;
        mm->config.unguard(mm->config.context, mm->guarded[i].device);
        mm->guarded[i] = mm->guarded[--mm->n_guarded];
    }
}

static void begin(struct mount_manager *mm, bool own)
{
    for (size_t i = 0; i < mm->n_known; i++) {
        mm->known[i].tried = false;
        if (mm->known[i].own == own)
            mm->known[i].seen = false;
    }
}

int mount_manager_refresh(struct mount_manager *mm, int64_t wall_us)
{
    int r;

    /* Learning a filesystem may change a verdict, which calls the block manager's listener: us. */
    if (mm->refreshing)
        return 0;
    mm->refreshing = true;
    mm->wall_us = wall_us;
    (void)mount_watch_rearm(mm->watch);
    begin(mm, true);
    r = look(mm, 0);
    if (r >= 0)
        forget(mm, true);
    mm->refreshing = false;
    return r;
}

static int visit(void *context, pid_t pid, const struct mount_table *table)
{
    struct mount_manager *mm = context;
    int r;

    if (!table) {
        cannot_read(mm, pid);
        return 0;
    }
    r = look(mm, pid); /* the table goes stale with the first detach */
    return r == -ENOMEM ? r : 0;
}

int mount_manager_tick(struct mount_manager *mm, int64_t wall_us)
{
    int r, own = mount_manager_refresh(mm, wall_us);

    if (block_manager_mode(mm->config.block) == EXIT_MODE_OFF)
        return own;
    mm->wall_us = wall_us;
    if (mm->namespaces.cursor == 0)
        begin(mm, false);
    r = mount_namespaces_scan(&mm->namespaces, mm->config.proc, PROCESSES_PER_TICK, visit, mm);
    if (r >= 0 && mm->namespaces.cursor == 0)
        forget(mm, false);
    if (r < 0 && !mm->lost_others)
        tell_unread(mm, 0);
    mm->lost_others = r < 0;
    return own < 0 ? own : r;
}

static void block_changed(void *context, int64_t wall_us)
{
    (void)mount_manager_refresh(context, wall_us);
}

int mount_manager_new(const struct mount_manager_config *config, int64_t wall_us, struct mount_manager **ret)
{
    struct mount_manager *mm = calloc(1, sizeof(*mm));
    int r;

    if (!mm)
        return -ENOMEM;
    mm->config = *config;
    mm->watch = mount_watch_open(config->proc);
    if (mm->watch < 0) {
        r = mm->watch;
        mount_manager_free(mm);
        return r;
    }
    (void)mount_manager_refresh(mm, wall_us); /* it tells; what cannot be read now is tried again at each tick */
    block_manager_listen(config->block, block_changed, mm);
    *ret = mm;
    return 0;
}

struct mount_manager *mount_manager_free(struct mount_manager *mm)
{
    if (!mm)
        return NULL;
    block_manager_listen(mm->config.block, NULL, NULL);
    close_fd(mm->watch);
    mount_namespaces_done(&mm->namespaces);
    free(mm->known);
    free(mm->guarded);
    free(mm);
    return NULL;
}

int mount_manager_fd(const struct mount_manager *mm)
{
    return mm->watch;
}
