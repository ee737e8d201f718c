/*
 * Onto the medium, in the process that may hang there. Owns: the writable mount while it lasts, and that kuraband has recorded what is about to happen
 * before it does. Must not: leave by any way without closing it; wait for anything but the medium without a sign of life.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "export/child.h"
#include "export/link.h"
#include "export/worker_internal.h"

enum {
    MOUNT_PATIENCE_US = 10 * 1000 * 1000, /* for whoever is just letting go of the medium */
};

/* Of one file its own; of several that of "<sha256>  <name>" lines, as sha256sum(1) writes them. */
static int items_digest(const struct worker *w, struct digest *ret)
{
    struct buf b;
    int r = 0;

    if (w->n_items == 1) {
        *ret = w->items[0].sha256;
        return 0;
    }
    buf_init(&b, EXPORT_FILES_MAX * (EXPORT_NAME_MAX + 72));
    for (size_t i = 0; i < w->n_items && r >= 0; i++) {
        char hex[DIGEST_HEX_SIZE];

        digest_to_hex(&w->items[i].sha256, hex);
        r = buf_printf(&b, "%s  %s\n", hex, w->items[i].name);
    }
    if (r >= 0)
        r = digest_bytes(b.data, b.size, ret);
    buf_done(&b);
    return r;
}

static int on_put(void *context, bool check, uint64_t done, uint64_t total)
{
    const struct worker *w = context;

    child_pulse_beat(w->beats, 1);
    return worker_tell_progress(context, check ? EXPORT_PHASE_CHECK : EXPORT_PHASE_WRITE, done, total) ? PUT_E_STOPPED
                                                                                                       : 0;
}

static int fail_put(struct worker *w, int r)
{
    static const struct worker_outcome outcomes[] = {
        {PUT_E_FULL, "full", "the medium has no room for it"},
        {PUT_E_LARGE, "large", "the medium's filesystem takes no file of that size"},
        {PUT_E_DIFFERS, "differs", "what is read back from the medium is not what was written"},
        {PUT_E_TAKEN, "name", "no free name on the medium"},
        {-ENODEV, "removed", "the medium is gone"},
        {-ENXIO, "removed", "the medium is gone"},
        {-EIO, "medium", "the medium fails, or was taken out"},
        {-EROFS, "medium", "the medium fails, or was taken out"},
    };

    return r == PUT_E_STOPPED ? worker_fail_left(w)
                              : worker_fail_outcome(w, outcomes, ELEMENTS(outcomes), r, "writing");
}

/* What will be on the medium is in the journal, and counted, before the first byte of it: whoever ends this from then on has it there. */
static int ask_to_write(struct worker *w, const struct put_options *o, struct place *place)
{
    char hex[DIGEST_HEX_SIZE];
    struct digest digest;
    int r = put_check(o, place);

    if (r != 0)
        return fail_put(w, r);
    r = items_digest(w, &digest);
    if (r < 0)
        return worker_fail_errno(w, "writing", r);
    digest_to_hex(&digest, hex);
    if (link_send(EXPORT_FD_CONTROL, EXPORT_ROOM, "s8s", w->final, worker_items_size(w), hex) < 0)
        return worker_fail_left(w);
    r = worker_await(w, EXPORT_WRITE, NULL);
    if (r == 0)
        w->writes = w->delivery->writes = true;
    return r;
}

static int commit(struct worker *w, const struct put_options *o, const struct place *place)
{
    int r = link_send(EXPORT_FD_CONTROL, EXPORT_WRITTEN, "") < 0 ? worker_fail_left(w)
                                                                 : worker_await(w, EXPORT_COMMIT, NULL);

    if (r != 0) {
        put_abort(o);
        return r;
    }
    w->committed = w->delivery->committed = true;
    r = put_commit(o, place, w->final);
    return r != 0 ? fail_put(w, r) : 0;
}

static int write_to(struct worker *w, int root)
{
    const struct put_options options = {.root = root,
                                        .id = w->export_id,
                                        .final = w->final,
                                        .items = w->items,
                                        .n = w->n_items,
                                        .progress = on_put,
                                        .context = w};
    struct place place = {0};
    int r;

    if (link_send(EXPORT_FD_CONTROL, EXPORT_MOUNTED, "") < 0)
        return worker_fail_left(w);
    (void)put_clean(root, (const char *const *)w->leftovers, w->n_leftovers);
    child_pulse_beat(w->beats, 1);
    r = ask_to_write(w, &options, &place);
    if (r == 0) {
        child_pulse_beat(w->beats, 1);
        r = put_write(&options);
        r = r != 0 ? fail_put(w, r) : commit(w, &options, &place);
    }
    place_done(&place);
    return r;
}

struct mounting {
    const struct worker *worker;
    int result, root;
};

static bool is_mounted(void *context)
{
    struct mounting *m = context;

    child_pulse_beat(m->worker->beats, 1);
    m->result = medium_mount(&m->worker->medium, &m->root);
    return m->result != MEDIUM_E_BUSY || worker_is_left(m->worker);
}

static int fail_mount(struct worker *w, int r)
{
    static const struct worker_outcome outcomes[] = {
        {MEDIUM_E_BUSY, "busy", "files of the medium are in use"},
        {MEDIUM_E_READ_ONLY, "read-only", "the medium takes no writing (a write-protect switch?)"},
        {MEDIUM_E_FILESYSTEM, "filesystem", "the medium's filesystem is not one that is written to, or is damaged"},
        {-ENODEV, "removed", "the medium is gone"},
        {-ENXIO, "removed", "the medium is gone"},
    };

    return worker_is_left(w) ? worker_fail_left(w)
                             : worker_fail_outcome(w, outcomes, ELEMENTS(outcomes), r, "mounting");
}

struct closing {
    const struct worker *worker;
    int result;
};

static bool is_closed(void *context)
{
    struct closing *c = context;

    child_pulse_beat(c->worker->beats, 1);
    c->result = medium_check_closed(&c->worker->medium);
    return c->result != MEDIUM_E_BUSY;
}

/* Somebody who may mount it read-only can do so in the moment after our unmounting: then it is busy, and not with what is ours. */
static bool close_medium(const struct worker *w, int root)
{
    struct closing c = {.worker = w};
    int64_t patience_us = MOUNT_PATIENCE_US;

    close_fd(root);
    if (medium_protect(&w->medium) < 0)
        return false;
    (void)clock_wait_until(&patience_us, is_closed, &c);
    return c.result == 0;
}

int worker_write(struct worker *w)
{
    struct mounting m = {.worker = w, .root = -1};
    int64_t patience_us = MOUNT_PATIENCE_US;
    int r;

    (void)clock_wait_until(&patience_us, is_mounted, &m);
    if (m.result != 0)
        return fail_mount(w, m.result);
    r = write_to(w, m.root);
    if (!close_medium(w, m.root))
        r = r != 0 ? r : worker_fail(w, "medium", "it is not certain that the medium is closed");
    return r;
}
