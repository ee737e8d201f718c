/*
 * kuraban-udev: what happens to a block device before any program hears of it. Owns: setting exits read-only inside udev
 * and telling the rules to hide them. Must not: talk to the daemon (it may be absent), wait, or let anything unreadable
 * pass as harmless.
 */
#include "udev/helper.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "device/exit.h"
#include "device/exit_run.h"

struct picture {
    struct exit_list list;
    struct exit_system system;
    struct mount_table mounts;
};

static void picture_done(struct picture *p)
{
    exit_list_done(&p->list);
    exit_system_done(&p->system);
    mount_table_done(&p->mounts);
}

/* The system's own devices must be known for certain (H9): without the list of mounts this fails. Lists that cannot be
 * read only mean fewer exceptions. */
static int picture_load(const struct helper_roots *roots, struct picture *p)
{
    _cleanup_free_ char *swaps = NULL;
    int r = mount_table_read(roots->proc, "self/mountinfo", &p->mounts);

    if (r < 0)
        return r;
    (void)files_read_text_at(roots->proc, "swaps", 65536, &swaps);
    (void)exit_run_list(roots->state, &p->list);
    (void)exit_run_list(roots->run, &p->list);
    return exit_system_find(roots->sysfs, &p->mounts, swaps, &p->system);
}

static int assert_read_only(const struct helper_roots *roots, const char *name)
{
    dev_t device;
    int r = block_read_device(roots->sysfs, name, &device);

    if (r >= 0)
        r = roots->ops->set_read_only(roots->ops->context, name, device, true);
    if (r >= 0)
        r = block_read_only(roots->sysfs, name);
    if (r == 0)
        r = -EROFS; /* the kernel took it and does not show it */
    return r < 0 ? r : 0;
}

static void tell(const struct helper_roots *roots, const char *name, enum exit_mode mode, const struct exit_info *info,
                 FILE *out)
{
    char id[EXIT_ID_SIZE];
    uint64_t diskseq;
    int r;

    (void)fprintf(out, "KURABAN_EXIT=1\nKURABAN_BUS=%s\nKURABAN_DISK=%s\n", exit_bus_name(info->bus), info->disk);
    if (mode == EXIT_MODE_MONITOR) {
        (void)fputs("KURABAN_MONITOR=1\n", out);
        return;
    }
    r = assert_read_only(roots, name);
    if (r < 0)
        (void)fprintf(out, "KURABAN_ERROR=%d\n", -r);
    else
        (void)fputs("KURABAN_READ_ONLY=1\n", out);
    if (r >= 0 && block_diskseq(roots->sysfs, name, &diskseq) >= 0) {
        exit_id(name, diskseq, id);
        if (exit_run_permitted(roots->run, id))
            return;
    }
    (void)fputs("KURABAN_HIDDEN=1\nUDISKS_IGNORE=1\nUDISKS_AUTO=0\n", out);
}

int helper_run(const struct helper_roots *roots, const char *name, FILE *out)
{
    _cleanup_(picture_done) struct picture p = {0};
    enum exit_mode mode = exit_run_mode(roots->run);
    struct exit_info info = {0};
    int r;

    if (mode == EXIT_MODE_OFF)
        return 0;
    r = picture_load(roots, &p);
    if (r < 0)
        return r;
    const struct exit_context c = {.sysfs = roots->sysfs,
                                   .list = &p.list,
                                   .system = &p.system,
                                   .mounts = &p.mounts,
                                   .listed_only = mode == EXIT_MODE_LISTED};

    r = exit_classify(&c, name, &info);
    if (r < 0)
        return r;
    if (info.is_exit)
        tell(roots, name, mode, &info, out);
    return fflush(out) == 0 ? 0 : -EIO;
}
