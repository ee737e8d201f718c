/*
 * Owns: looking at the media as kuraband would. It runs the daemon's own manager on a directory of its own and on ops that
 * cannot write, so that an explanation never differs from the decision by how a fact was read. Must not: change a device.
 */
#include "cli/present_media.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "config/config.h"

struct present_media {
    int sysfs, proc, dev, run;
    char directory[32]; /* where the manager keeps what it would publish */
    struct block_kernel kernel;
    struct block_manager *manager;
};

/* The manager goes on to decide; that the flag did not change is seen in its own record only. */
static int set_nothing(void *context, const char *name, dev_t device, bool read_only)
{
    (void)context;
    (void)name;
    (void)device;
    (void)read_only;
    return 0;
}

static int trigger_nothing(void *context, const char *name)
{
    (void)context;
    (void)name;
    return 0;
}

static void report_nothing(void *context, enum block_report what, const struct medium *m, const char *message)
{
    (void)context;
    (void)what;
    (void)m;
    (void)message;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

DEFINE_CLEANUP(struct present_media *, present_media_free);

struct present_media *present_media_free(struct present_media *p)
{
    if (!p)
        return NULL;
    (void)block_manager_free(p->manager);
    close_fd(p->sysfs);
    close_fd(p->proc);
    close_fd(p->dev);
    close_fd(p->run);
    if (p->directory[0])
        (void)nftw(p->directory, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
    free(p);
    return NULL;
}

static int open_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static int open_all(struct present_media *p, const struct cli *c)
{
    char directory[sizeof(p->directory)] = "/tmp/kuraban-explain-XXXXXX";

    p->sysfs = open_directory(c->sysfs);
    p->proc = open_directory(c->proc);
    p->dev = open_directory("/dev");
    if (p->sysfs < 0 || p->proc < 0 || p->dev < 0)
        return p->sysfs < 0 ? p->sysfs : p->proc < 0 ? p->proc : p->dev;
    if (!mkdtemp(directory))
        return -errno;
    memcpy(p->directory, directory, sizeof(directory));
    p->run = open_directory(p->directory);
    return p->run < 0 ? p->run : 0;
}

static int start(struct present_media *p, struct cli *c, struct policy *policy)
{
    struct block_manager_config config = {.state = -1, .report = report_nothing, .mode = EXIT_MODE_ON};
    int r = open_all(p, c);

    /* A machine, or a container, without block devices has no media. */
    if (r < 0 || (faccessat(p->sysfs, "class/block", F_OK, 0) < 0 && errno == ENOENT))
        return r;
    p->kernel = (struct block_kernel){.sysfs = p->sysfs, .dev = p->dev};
    block_ops_kernel(&p->kernel, &config.ops);
    config.ops.set_read_only = set_nothing;
    config.ops.trigger = trigger_nothing;
    config.sysfs = p->sysfs;
    config.proc = p->proc;
    config.run = p->run;
    config.exits = (const char *const *)c->config->exits;
    config.n_exits = c->config->n_exits;
    if (c->config->media == CONFIG_MEDIA_LISTED)
        config.mode = EXIT_MODE_LISTED;
    r = block_manager_new(&config, policy, clock_wall_us(), &p->manager);
    return r < 0 ? r : block_manager_blind(p->manager);
}

enum cli_exit present_media_read(struct cli *c, struct policy *policy, struct present_media **ret)
{
    _cleanup_(present_media_freep) struct present_media *p = calloc(1, sizeof(*p));
    int r = -ENOMEM;

    if (cli_config(c) != CLI_OK)
        return CLI_FAILED;
    if (p) {
        p->sysfs = p->proc = p->dev = p->run = -1;
        r = start(p, c, policy);
    }
    if (r < 0) {
        cli_error(c, _("cannot read the media: %s"), strerror(-r));
        return CLI_FAILED;
    }
    *ret = TAKE_PTR(p);
    return CLI_OK;
}

const struct medium *present_media_find(const struct present_media *p, const char *id)
{
    for (size_t i = 0; p->manager && i < block_manager_count(p->manager); i++) {
        const struct medium *m = block_manager_at(p->manager, i);

        if (text_equal(m->id, id) || text_equal(m->name, id) || text_equal(m->node, id))
            return m;
    }
    return NULL;
}

const struct medium *present_media_at(const struct present_media *p, dev_t device)
{
    return p->manager ? block_manager_find(p->manager, device) : NULL;
}
