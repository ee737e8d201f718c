/*
 * One event, from the queue to its answer.
 *
 * Owns: the event's descriptor from the moment the worker popped it: every path through judge_event() answers exactly once and
 * closes it. Must not: record before it answered, open a guarded file, ask NSS, take a lock the reader takes (there is none).
 *
 * A process that is traced, or lives in a user namespace of its own, is refused in stores: the first is steered by somebody else, the
 * second may have changed what /proc/PID/exe shows. Any fact that cannot be had makes the subject unknown, which decide refuses.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "gate/internal.h"
#include "gate/judge.h"
#include "gate/program.h"
#include "gate/stores.h"
#include "kern/fanotify.h"
#include "kern/lease.h"
#include "kern/proc.h"
#include "policy/policy.h"

struct object {
    enum decide_object_kind kind;
    const struct view_medium *medium;
    enum stores_place place;
    size_t store;
    bool canary;
    struct stat st;
};

static void find_object(struct gate *g, const struct view *v, int fd, struct object *ret)
{
    size_t store = 0;

    *ret = (struct object){.kind = DECIDE_OBJECT_UNKNOWN};
    if (fstat(fd, &ret->st) < 0)
        return;
    for (int i = 0; i < GATE_GROUPS; i++)
        ret->canary |= ret->st.st_dev == g->canary[i].device && ret->st.st_ino == g->canary[i].inode;
    if (ret->canary)
        return;
    ret->medium = view_find_medium(v, ret->st.st_dev);
    if (ret->medium) {
        ret->kind = DECIDE_OBJECT_MEDIUM;
        return;
    }
    ret->place = v->stores ? stores_find(v->stores, fd, &ret->st, &store) : STORES_NONE;
    if (ret->place != STORES_NONE) {
        ret->kind = DECIDE_OBJECT_STORE;
        ret->store = store;
    }
}

/* Opened for writing, as far as can be known. O_RDONLY|O_TRUNC has no write access and looks like reading, so a medium that is not
 * mounted read-only counts as written: where the mount is read-only the kernel refuses both before it asks. */
static bool means_writing(int fd, const struct object *object)
{
    struct statvfs fs;

    if (lease_probe_write(fd) == LEASE_WRITE)
        return true;
    return object->medium && (fstatvfs(fd, &fs) < 0 || !(fs.f_flag & ST_RDONLY));
}

static void fill_subject(const struct facts *f, struct decide_subject *s)
{
    *s = (struct decide_subject){.program = -1, .person = {.uid = (uid_t)-1, .login_uid = (uid_t)-1}};
    if (f->person_known) {
        s->person.uid = f->asker.uid;
        s->person.login_uid = f->asker.has_login_uid ? f->asker.login_uid : (uid_t)-1;
        s->person.gids = f->status.gids;
        s->person.n_gids = f->status.n_gids;
    }
    if (f->exe_known) {
        s->exe_known = true;
        s->exe_device = f->asker.exe.st_dev;
        s->exe_inode = f->asker.exe.st_ino;
    }
}

static void fill_program(struct gate *g, const struct view *v, const struct facts *f, size_t store,
                         struct decide_subject *s)
{
    const struct policy_store *rule = &v->policy->stores[store];

    s->program = -1;
    s->hash_state = DECIDE_HASH_UNKNOWN;
    if (!s->exe_known || f->steered)
        return;
    s->program = programs_match(stores_programs(v->stores), store, &f->asker.exe);
    if (s->program >= 0 && rule->programs[s->program].has_sha256 &&
        hashes_get(g->hashes, f->pid_fd, &f->asker.exe, &s->sha256) == 0)
        s->hash_state = DECIDE_HASH_KNOWN;
}

static void decide_store(struct gate *g, const struct view *v, const struct facts *f, size_t store,
                         struct decide_open_facts *o, struct verdict *ret)
{
    o->store = store;
    fill_program(g, v, f, store, &o->subject);
    decide_open(v->policy, o, ret);
}

/* One of several stores, it cannot be said which: the first that refuses in force decides, else the first that would have. */
static void decide_some(struct gate *g, const struct view *v, const struct facts *f, struct object *object,
                        struct decide_open_facts *o, struct verdict *ret)
{
    struct verdict all = {0}, one = {0};
    bool any = false;

    for (size_t i = 0; i < stores_count(v->stores); i++) {
        if (!stores_shares(v->stores, i, object->st.st_dev))
            continue;
        decide_store(g, v, f, i, o, any ? &one : &all);
        if (!any || decide_both(&all, &one))
            object->store = i;
        any = true;
        if (all.kind == VERDICT_DENY)
            break;
    }
    *ret = all;
}

static void decide(struct gate *g, const struct view *v, const struct facts *f, struct object *object,
                   struct record *rec, struct verdict *ret)
{
    struct decide_open_facts o = {.kind = object->kind, .write = rec->write, .execute = rec->execute};

    *ret = (struct verdict){0};
    if (!v->policy)
        return; /* zero denies */
    fill_subject(f, &o.subject);
    o.journal_full = atomic_load(&g->journal_full);
    decide_time_local(rec->wall_us, &o.now);
    decide_time_not_before(&o.now, v->policy->not_before_us);
    if (object->medium) {
        o.medium = &object->medium->m.verdict;
        o.medium_bus = object->medium->m.bus;
        decide_open(v->policy, &o, ret);
    } else if (object->kind == DECIDE_OBJECT_STORE) {
        if (exporter_decides(&g->exporter, &f->asker, v->policy, object->store, object->place != STORES_SOME,
                             rec->write, ret))
            return;
        if (object->place == STORES_SOME)
            decide_some(g, v, f, object, &o, ret);
        else
            decide_store(g, v, f, object->store, &o, ret);
    } else {
        gate_fail(g, GATE_FAILURE_OBJECT);
        decide_open(v->policy, &o, ret);
    }
}

/* A new file gets its mark before its creator may go on. */
static void adopt(struct gate *g, const struct view *v, int fd, const struct object *object, struct verdict *verdict)
{
    int r = stores_adopt(v->stores, fd, &object->st, object->store);

    if (r >= 0)
        return;
    gate_fail(g, GATE_FAILURE_ADOPT);
    verdict->ruled = VERDICT_DENY;
    verdict->reason = REASON_UNKNOWN;
    if (!atomic_load(&g->monitor) && !v->policy->stores[object->store].monitor)
        verdict->kind = VERDICT_DENY;
}

static void answer(struct gate *g, int group, int fd, const struct verdict *v)
{
    int r;

    /* Counted first: whoever was answered may look at once. */
    atomic_fetch_add_explicit(&g->decisions, 1, memory_order_relaxed);
    if (v->kind != VERDICT_ALLOW)
        atomic_fetch_add_explicit(&g->denied, 1, memory_order_relaxed);
    else if (v->ruled != VERDICT_ALLOW)
        atomic_fetch_add_explicit(&g->would_refuse, 1, memory_order_relaxed);
    r = fanotify_answer(group, fd, v->kind == VERDICT_ALLOW);
    if (r == -ENOENT)
        atomic_fetch_add_explicit(&g->gone, 1, memory_order_relaxed);
    else if (r < 0)
        gate_fail(g, GATE_FAILURE_ANSWER);
}

/* After the answer, while the descriptor is still ours. A write-open of such a file fails in the kernel before anybody is asked,
 * because the medium is read-only at block level; without that the gate goes on asking. */
static void stop_asking(struct gate *g, const struct view *v, int fd, const struct object *object,
                        const struct verdict *verdict)
{
    int group = g->group[GATE_EXITS];

    if (!object->medium || !object->medium->m.read_only || !verdict->cacheable || verdict->ruled != VERDICT_ALLOW ||
        verdict->kind != VERDICT_ALLOW || !S_ISREG(object->st.st_mode))
        return;
    if (fanotify_ignore_open(g->options.ops, group, fd) < 0)
        return; /* asked again next time: only slower */
    /* The main thread swaps the view, then flushes. Seeing the old generation here means that the flush is still to come. */
    if (atomic_load(&g->generation) != v->generation)
        (void)fanotify_unignore_open(g->options.ops, group, fd);
}

static char *path_of(struct gate *g, int fd)
{
    char path[PATH_MAX];
    int r;

    r = proc_path_of_fd(g->options.proc_fd, fd, path, sizeof(path));
    if (r < 0 && r != -ENAMETOOLONG)
        return NULL;
    return strdup(path);
}

static void record(struct gate *g, struct view *v, int fd, const struct facts *f, const struct object *object,
                   const struct record *made)
{
    struct record *r = malloc(sizeof(*r));

    if (!r) {
        atomic_fetch_add(&g->unrecorded[made->verdict.kind == VERDICT_ALLOW], 1);
        gate_fail(g, GATE_FAILURE_RECORD);
        return;
    }
    *r = *made;
    r->action = AUDIT_FILE_OPEN;
    r->view = view_ref(v);
    r->medium = object->medium;
    r->has_store = object->kind == DECIDE_OBJECT_STORE;
    r->store = object->store;
    r->has_verdict = true;
    r->asker = f->asker;
    r->program = f->program ? strdup(f->program) : NULL;
    r->path = path_of(g, fd);
    if (f->steered)
        r->message = strdup("the process is traced or in a user namespace of its own");
    record_push(g, r);
}

static void refresh(struct gate *g, struct view **view)
{
    if (*view && (*view)->generation == atomic_load(&g->generation))
        return;
    (void)view_unref(*view);
    *view = gate_take_view(g);
}

void judge_init(struct judge *j)
{
    j->view = NULL;
    askers_init(&j->askers);
}

void judge_done(struct judge *j)
{
    j->view = view_unref(j->view);
    askers_done(&j->askers);
}

void judge_event(struct gate *g, struct judge *j, const struct queue_item *item)
{
    _cleanup_close_ int fd = item->fd;
    int group = g->group[item->flags & READER_EVENT_GROUP];
    struct record made = {.execute = (item->flags & READER_EVENT_EXECUTE) != 0,
                          .wall_us = clock_wall_us(),
                          .boottime_us = clock_boottime_us()};
    struct facts *f = &j->facts;
    struct object object;

    refresh(g, &j->view);
    find_object(g, j->view, fd, &object);
    if (object.canary) {
        answer(g, group, fd, &made.verdict); /* zero denies */
        return;
    }
    made.write = !made.execute && means_writing(fd, &object);
    if (askers_gather(&j->askers, g, item->pid, object.kind == DECIDE_OBJECT_STORE, made.boottime_us, f) < 0)
        gate_fail(g, GATE_FAILURE_FACTS);
    decide(g, j->view, f, &object, &made, &made.verdict);
    if (object.place == STORES_NEW || object.place == STORES_SOME)
        adopt(g, j->view, fd, &object, &made.verdict);
    answer(g, group, fd, &made.verdict);
    stop_asking(g, j->view, fd, &object, &made.verdict);
    record(g, j->view, fd, f, &object, &made);
}
