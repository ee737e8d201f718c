/*
 * The life of an export in the daemon. Owns: the one that runs, its records in the journal, the ledger. Must not: touch a byte of what
 * is exported, or leave the medium to others before it is certain that it is closed.
 *
 * The journal is ahead of the medium: begun, and each file with its digest and the day's count, are durable before the first byte. What has begun
 * and not ended when kuraband starts is recorded as failed then, with what is known.
 */
#include "daemon/exports.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

#include "audit/audit.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/frame.h"
#include "base/log.h"
#include "ctl/server.h"
#include "daemon/daemon.h"
#include "daemon/exports_internal.h"
#include "daemon/peer.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "daemon/sessions.h"
#include "device/block.h"
#include "export/ledger.h"
#include "export/medium.h"
#include "gate/gate.h"
#include "json/whole.h"

/* --- records --- */

static const char *container_name(const struct exporting *x)
{
    static const char *const names[] = {
        [EXPORT_ZIP_AES256] = "zip-aes256", [EXPORT_LUKS] = "luks", [EXPORT_PLAIN] = "plain"};

    return names[x->container];
}

static json_t *approvers_json(const struct exporting *x)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < x->n_approvers; i++)
        whole_add(&array, json_integer(x->approvers[i].uid));
    return array;
}

json_t *exports_record(const struct exporting *x)
{
    json_t *o = json_pack("{s:s, s:s, s:o, s:s}", "id", x->id, "reason", x->reason, "approvers", approvers_json(x),
                          "list", x->list);

    if (o && x->phase >= EXPORTS_CONTAINER)
        whole_set(&o, "container", json_string(container_name(x)));
    if (o && x->n_files > 0)
        whole_set(&o, "files", json_integer((json_int_t)x->n_files));
    if (o && x->sha256[0] != '\0') {
        whole_set(&o, "name", json_string(x->name));
        whole_set(&o, "size", json_integer((json_int_t)x->size));
        whole_set(&o, "sha256", json_string(x->sha256));
    }
    return o;
}

void exports_add_record(struct exporting *x, struct audit_event *e, json_t *extra)
{
    struct audit_event whole = *x->subject;

    whole.action = e->action;
    whole.alarm = e->alarm;
    whole.wall_us = e->wall_us;
    whole.boottime_us = e->boottime_us;
    whole.has_verdict = e->has_verdict;
    whole.allowed = e->allowed;
    whole.would_refuse = e->would_refuse;
    memcpy(whole.reason, e->reason, sizeof(whole.reason));
    if (e->rule[0] != '\0')
        memcpy(whole.rule, e->rule, sizeof(whole.rule));
    memcpy(whole.path, e->path, sizeof(whole.path));
    memcpy(whole.store, e->store, sizeof(whole.store));
    memcpy(whole.store_class, e->store_class, sizeof(whole.store_class));
    memcpy(whole.message, e->message, sizeof(whole.message));
    recorder_add_with(x->daemon->recorder, &whole, "export", extra);
}

/* What may be on the medium of one that failed: in "on_medium", and in words. */
struct left {
    const char *name, *words;
};
static const struct left left_nothing = {"nothing", "nothing of it is on the medium"},
                         left_bytes = {"bytes", "its bytes may be on the medium"},
                         left_whole = {"whole", "it may be whole on the medium"};

static const struct left *left_by(const struct exporting *x)
{
    return x->phase < EXPORTS_DATA ? &left_nothing : x->phase < EXPORTS_NAME ? &left_bytes : &left_whole;
}

static void set_message(struct audit_event *e, const char *detail, const struct left *left)
{
    char message[2 * AUDIT_TEXT_MAX];

    (void)snprintf(message, sizeof(message), "%.180s; %s", detail, left->words);
    audit_set(e->message, sizeof(e->message), message);
}

static void record_failed(struct exporting *x, const char *reason, const char *detail)
{
    const struct left *left = left_by(x);
    json_t *extra = exports_record(x);
    struct audit_event e;

    audit_event_init(&e, AUDIT_EXPORT_FAILED);
    e.alarm = left == &left_whole;
    audit_set(e.reason, sizeof(e.reason), reason);
    set_message(&e, detail, left);
    if (extra)
        whole_set(&extra, "on_medium", json_string(left->name));
    exports_add_record(x, &e, extra);
}

/* --- the end --- */

static void exporting_free(struct exporting *x)
{
    sd_event_source_disable_unref(x->io);
    sd_event_source_disable_unref(x->end);
    sd_event_source_disable_unref(x->timer);
    close_fd(x->control);
    close_fd(x->life);
    close_fd(x->client);
    buf_done(&x->in);
    for (size_t i = 0; i < x->n_approvers; i++)
        free((void *)(uintptr_t)x->approvers[i].gids);
    free(x->approvers);
    free(x->gids);
    free(x->subject);
    free(x->files);
    free(x);
}

/* Whoever waits for the answer gets one. */
static void answer_failed(struct exporting *x, const char *reason, const char *detail)
{
    json_t *answer;

    if (x->phase != EXPORTS_STAGER || !x->daemon->control || x->ticket == 0)
        return;
    answer = json_pack("{s:s, s:s}", "message", detail, "reason", reason);
    (void)ctl_server_answer(x->daemon->control, x->ticket, CTL_CODE_FAILED, answer, -1);
    json_decref(answer);
}

void exports_end(struct exporting *x, const char *reason, const char *detail)
{
    struct daemon *d = x->daemon;

    gate_clear_exporter(d->gate);
    if (reason) {
        answer_failed(x, reason, detail);
        record_failed(x, reason, detail);
        exports_pace_note(x);
    }
    if (recorder_sync(d->recorder) == 0 && d->exports->ledger) {
        /* From here on its worker may have the medium. */
        if (reason && x->phase >= EXPORTS_MOUNT)
            (void)ledger_set_leaving(d->exports->ledger, x->id);
        else
            (void)ledger_end(d->exports->ledger, x->id);
    }
    exports_let_go(x);
    exports_behind_add(x);
    d->exports->now = NULL;
    exporting_free(x);
    daemon_changed(d);
}

void exports_stop_by(struct exporting *x, const char *reason, const char *detail)
{
    (void)exports_send(x, EXPORT_STOP, "ss", reason, detail);
    exports_end(x, reason, detail);
}

/* --- beginning --- */

static int make_id(char ret[static 17])
{
    uint8_t bytes[8];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return -EIO;
    for (size_t i = 0; i < sizeof(bytes); i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

static int copy_approvers(struct exporting *x, const struct exports_request *r)
{
    x->approvers = calloc(r->n_approvers + 1, sizeof(*x->approvers));
    if (!x->approvers)
        return -ENOMEM;
    for (size_t i = 0; i < r->n_approvers; i++) {
        struct decide_person *p = &x->approvers[i];
        gid_t *gids = NULL;
        int e;

        *p = (struct decide_person){.uid = r->approvers[i], .login_uid = r->approvers[i]};
        e = sessions_groups_of(p->uid, &gids, &p->n_gids, &p->groups_unknown);
        if (e < 0)
            return e;
        p->gids = gids;
        x->n_approvers++;
    }
    return 0;
}

/* Groups as the process has them; the primary one is among them for the rules. */
static int copy_person(struct exporting *x, const struct exports_request *r)
{
    uid_t login = UINT32_MAX;

    x->gids = calloc(r->n_gids + 1, sizeof(*x->gids));
    if (!x->gids)
        return -ENOMEM;
    x->gids[0] = r->gid;
    if (r->n_gids > 0)
        memcpy(x->gids + 1, r->gids, r->n_gids * sizeof(*x->gids));
    (void)peer_login_uid(x->daemon->proc_fd, r->peer, &login);
    x->person = (struct decide_person){.uid = r->uid, .login_uid = login, .gids = x->gids, .n_gids = r->n_gids + 1};
    return 0;
}

static int copy_subject(struct exporting *x, const struct exports_request *r)
{
    x->subject = calloc(1, sizeof(*x->subject));
    if (!x->subject)
        return -ENOMEM;
    audit_event_init(x->subject, AUDIT_EXPORT_STARTED);
    wire_media_fill(x->subject, r->medium);
    x->subject->has_uid = true;
    x->subject->uid = r->uid;
    x->subject->pid = r->pid;
    x->subject->has_login_uid = x->person.login_uid != UINT32_MAX;
    x->subject->login_uid = x->person.login_uid;
    audit_set(x->subject->rule, sizeof(x->subject->rule), x->target);
    return 0;
}

static int exporting_new(struct daemon *d, const struct exports_request *r, struct exporting **ret)
{
    struct exporting *x = calloc(1, sizeof(*x));
    int e;

    if (!x)
        return -ENOMEM;
    x->daemon = d;
    x->client = x->control = x->life = -1;
    x->device = r->medium->device;
    x->factors = r->factors;
    x->ticket = r->ticket;
    (void)snprintf(x->target, sizeof(x->target), "%.64s", r->medium->rule);
    (void)snprintf(x->medium_id, sizeof(x->medium_id), "%s", r->medium->id);
    (void)snprintf(x->reason, sizeof(x->reason), "%.200s", r->reason);
    (void)snprintf(x->list, sizeof(x->list), "%s", r->list);
    for (size_t i = 0; i < r->n_unasked && i < ELEMENTS(x->unasked); i++)
        x->unasked[x->n_unasked++] = r->unasked[i];
    buf_init(&x->in, FRAME_HEADER_SIZE + FRAME_BODY_MAX);
    e = make_id(x->id);
    if (e >= 0)
        e = copy_person(x, r);
    if (e >= 0)
        e = copy_subject(x, r);
    if (e >= 0)
        e = copy_approvers(x, r);
    if (e < 0) {
        exporting_free(x);
        return e;
    }
    *ret = x;
    return 0;
}

static int open_ledger(struct daemon *d)
{
    int r;

    if (d->exports->ledger)
        return 0;
    r = ledger_open(d->state_fd, &d->exports->ledger);
    if (r < 0)
        log_error("export.ledger", "error=%s", strerrorname_np(-r));
    return r;
}

/* In the journal and in the ledger, durably, before anything of it is done. */
static int record_begun(struct exporting *x)
{
    const struct ledger_export e = {
        .id = x->id, .device = x->medium_id, .text = x->subject->device_node, .uid = x->person.uid};
    struct audit_event begun;
    int r;

    audit_event_init(&begun, AUDIT_EXPORT_STARTED);
    audit_set(begun.message, sizeof(begun.message), x->reason);
    exports_add_record(x, &begun, exports_record(x));
    r = recorder_sync(x->daemon->recorder);
    if (r < 0)
        return EXPORTS_E_JOURNAL;
    r = ledger_begin(x->daemon->exports->ledger, &e);
    return r < 0 ? EXPORTS_E_LEDGER : 0;
}

/* "kuraban-20261123-162040": what it is and when, sorted by time. */
static void make_name(char ret[static 64])
{
    time_t now = (time_t)(clock_wall_us() / 1000000);
    struct tm tm = {0};

    (void)localtime_r(&now, &tm);
    (void)strftime(ret, 64, "kuraban-%Y%m%d-%H%M%S", &tm);
}

int exports_check(struct daemon *d, const struct medium *m, const struct ctl_peer *peer)
{
    uid_t login_uid = UINT32_MAX;

    if (d->exports->now && d->exports->now->phase == EXPORTS_ENDED)
        exports_end(d->exports->now, NULL, ""); /* only its process is still there */
    if (d->exports->now || exports_is_leaving(d, m->device))
        return EXPORTS_E_BUSY;
    if (exports_behind_is_full(d, peer->uid))
        return EXPORTS_E_UNANSWERED;
    (void)peer_login_uid(d->proc_fd, peer, &login_uid);
    if (exports_pace_is_over(d, peer->uid, login_uid))
        return EXPORTS_E_PAUSE;
    if (!medium_knows(m->filesystem))
        return EXPORTS_E_FILESYSTEM;
    return open_ledger(d) < 0 ? EXPORTS_E_LEDGER : 0;
}

static int begin(struct daemon *d, const struct exports_request *r)
{
    struct exporting *x = NULL;
    char name[64];
    int e = exports_check(d, r->medium, r->peer);

    if (e != 0)
        return e;
    e = exporting_new(d, r, &x);
    if (e < 0)
        return e;
    e = record_begun(x);
    if (e != 0) {
        exporting_free(x);
        return e;
    }
    d->exports->now = x;
    make_name(name);
    e = exports_spawn(x, r->gid, r->medium->filesystem, name);
    if (e < 0) {
        x->ticket = 0; /* the caller answers */
        exports_end(x, "failed", strerrordesc_np(-e));
    }
    return e;
}

int exports_begin(struct daemon *d, struct exports_request *r)
{
    int e = begin(d, r);

    free(r->gids);
    r->gids = NULL;
    return e;
}

/* --- the daemon's life --- */

static void record_unfinished(void *context, const struct ledger_export *e)
{
    /* In what phase it was is not known. */
    const struct left *left = e->phase == LEDGER_COMMITTED ? &left_whole : &left_nothing;
    struct daemon *d = context;
    struct audit_event event;

    if (e->phase == LEDGER_LEAVING)
        return; /* that is recorded */
    audit_event_init(&event, AUDIT_EXPORT_FAILED);
    event.has_uid = true;
    event.uid = e->uid;
    event.alarm = left == &left_whole;
    audit_set(event.device_id, sizeof(event.device_id), e->device);
    audit_set(event.device_node, sizeof(event.device_node), e->text);
    audit_set(event.reason, sizeof(event.reason), "interrupted");
    set_message(&event, "kuraband ended before it was finished", left);
    recorder_add_with(d->recorder, &event, "export", json_pack("{s:s, s:s}", "id", e->id, "on_medium", left->name));
}

static void add_held(struct exports *x, const char *id, const char *device)
{
    struct exports_held *held = reallocarray(x->held, x->n_held + 1, sizeof(*held));

    if (!held) {
        x->unsure = true;
        return;
    }
    x->held = held;
    (void)snprintf(held[x->n_held].id, sizeof(held->id), "%.31s", id);
    (void)snprintf(held[x->n_held].device, sizeof(held->device), "%.*s", (int)sizeof(held->device) - 1, device);
    x->n_held++;
}

static void hold(void *context, const struct ledger_export *e)
{
    add_held(context, e->id, e->device);
}

/* Without it exports are refused; everything else guards on. */
int exports_open(struct daemon *d)
{
    d->exports = calloc(1, sizeof(*d->exports));
    if (!d->exports)
        return -ENOMEM;
    exports_pace_start(d);
    d->exports->unsure = open_ledger(d) < 0 || ledger_unfinished(d->exports->ledger, hold, d->exports) < 0;
    return 0;
}

bool exports_holds(const struct daemon *d, const char *medium_id)
{
    for (size_t i = 0; d->exports && i < d->exports->n_held; i++)
        if (strcmp(d->exports->held[i].device, medium_id) == 0)
            return true;
    return d->exports && d->exports->unsure;
}

/* Every medium that is there; who holds it is not known, only whether somebody does. */
static void hold_all(struct daemon *d)
{
    struct audit_event e;

    for (size_t i = 0; d->block && i < block_manager_count(d->block); i++)
        add_held(d->exports, "", block_manager_at(d->block, i)->id);
    audit_event_init(&e, AUDIT_EXPORT_FAILED);
    e.alarm = true;
    audit_set(e.reason, sizeof(e.reason), "ledger");
    audit_set(
        e.message, sizeof(e.message),
        "export.db cannot be read: which exports did not end is not known. Media that are there are shown when nobody has them");
    recorder_add(d->recorder, &e);
}

int exports_start(struct daemon *d)
{
    struct exports *x = d->exports;

    if (x->ledger && ledger_unfinished(x->ledger, record_unfinished, d) > 0 && recorder_sync(d->recorder) == 0)
        for (size_t i = 0; i < x->n_held; i++)
            (void)ledger_set_leaving(x->ledger, x->held[i].id);
    if (x->unsure)
        hold_all(d);
    for (size_t i = 0; i < x->n_held; i++)
        exports_let_go_of(d, &x->held[i]);
    free(x->held);
    x->held = NULL;
    x->n_held = 0;
    x->unsure = false;
    return 0;
}

static void pass_over(void *context, const struct ledger_export *e)
{
    (void)context;
    (void)e;
}

bool exports_ledger_is_good(struct daemon *d)
{
    return open_ledger(d) >= 0 && ledger_unfinished(d->exports->ledger, pass_over, NULL) >= 0;
}

void exports_end_by_policy(struct daemon *d)
{
    struct exporting *x = d->exports ? d->exports->now : NULL;

    if (x && x->phase < EXPORTS_NAME)
        exports_stop_by(x, "policy", "another policy rules now");
    if (d->gate)
        gate_clear_exporter(d->gate);
}

int exports_stop_when_refused(struct exporting *x)
{
    const char *reason = exports_target_refused(x);

    if (!reason)
        return exports_stop_by_rule(x, false);
    exports_stop_by(x, reason,
                    strcmp(reason, "removed") == 0 ? "the medium is gone" : "the medium is not permitted any more");
    return 1;
}

void exports_tick(struct daemon *d)
{
    struct exporting *x = d->exports ? d->exports->now : NULL;

    if (x && x->phase < EXPORTS_NAME)
        (void)exports_stop_when_refused(x);
}

/* While the export has it mounted only root can mount it as well, and only by sharing it (6.8 and later): then somebody may have seen, or
 * changed, what has no name yet. Called by the mount manager, so this only remembers it. */
void exports_note_mount(struct daemon *d, dev_t device)
{
    struct exporting *x = d->exports ? d->exports->now : NULL;

    if (x && x->device == device && (x->phase == EXPORTS_ROOM || x->phase == EXPORTS_DATA))
        x->intruded = true;
}

void exports_stop(struct daemon *d)
{
    if (!d->exports)
        return;
    if (d->exports->now && d->exports->now->phase == EXPORTS_ENDED)
        exports_end(d->exports->now, NULL, "");
    else if (d->exports->now)
        exports_stop_by(d->exports->now, "stopped", "kuraband ends");
    exports_leave_stop(d);
    exports_behind_stop(d);
    d->exports->ledger = ledger_free(d->exports->ledger);
    free(d->exports->held);
    free(d->exports);
    d->exports = NULL;
}
