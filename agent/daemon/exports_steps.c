/*
 * What the worker says, step by step. Owns: the decision about each file, and that no step is taken before the one before it is recorded.
 * Must not: believe the worker about anything kuraband can find out itself: in which store a file lies says the gate.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "ctl/server.h"
#include "daemon/daemon.h"
#include "daemon/exports_internal.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "device/block.h"
#include "export/ledger.h"
#include "export/list.h"
#include "gate/gate.h"
#include "json/whole.h"
#include "policy/policy.h"

#define UDEVD_CONTROL "/run/udev/control" /* udevd's socket: it runs */

enum {
    HIDE_POLL_US = 100 * 1000,
    HIDE_MAX_US = 20 * 1000 * 1000,
    HIDE_REST_US = 500 * 1000, /* udisks and desktops hear of it after udev has it in its database */
};

/* --- the stager --- */

/* Only where a file could be taken out at all the gate lets it in. */
static int let_in(struct exporting *x, pid_t pid)
{
    const struct policy *p = rulebook_policy(x->daemon->rulebook);
    _cleanup_free_ bool *permitted = calloc(p->n_stores + 1, sizeof(*permitted));

    if (!permitted)
        return -ENOMEM;
    for (size_t i = 0; i < p->n_stores; i++) {
        struct verdict v;

        exports_decide(x, 0, (int)i, 0, &v);
        permitted[i] = v.kind == VERDICT_ALLOW;
    }
    return gate_set_exporter(x->daemon->gate, pid, p, permitted);
}

static int on_stager(struct exporting *x, struct buf_reader *in)
{
    struct daemon *d = x->daemon;
    json_t *answer, *unasked;
    uint32_t pid = 0;
    int r = buf_get_u32(in, &pid);

    if (r >= 0)
        r = buf_get_end(in);
    if (r < 0 || pid == 0 || pid > INT32_MAX)
        return -EBADMSG;
    r = let_in(x, (pid_t)pid);
    if (r < 0) {
        exports_stop_by(x, "failed", "the stores cannot be opened for it");
        return 1;
    }
    unasked = json_array();
    for (size_t i = 0; i < x->n_unasked; i++)
        whole_add(&unasked, json_integer(x->unasked[i]));
    answer = json_pack("{s:s, s:s, s:s, s:o}", "id", x->id, "device", x->medium_id, "node", x->subject->device_node,
                       "unasked", unasked);
    if (!answer) {
        exports_stop_by(x, "failed", strerrordesc_np(ENOMEM));
        return 1;
    }
    r = ctl_server_answer(d->control, x->ticket, CTL_CODE_OK, answer, x->client);
    json_decref(answer);
    x->client = close_fd(x->client);
    x->phase = EXPORTS_FILES;
    if (r < 0 || exports_send(x, EXPORT_STAGE, "") < 0) {
        exports_stop_by(x, "cancelled", "whoever asked for it went away");
        return 1;
    }
    return 0;
}

/* --- the files --- */

void exports_record_file(struct exporting *x, const struct exports_file *f, const char *reason)
{
    const struct policy *p = rulebook_policy(x->daemon->rulebook);
    json_t *extra = json_pack("{s:s, s:I}", "id", x->id, "size", (json_int_t)f->size);
    struct verdict v = f->verdict;
    struct audit_event e;

    v.rule = f->rule;
    audit_event_init(&e, AUDIT_EXPORT_FILE);
    event_set_verdict(&e, &v);
    if (reason)
        audit_set(e.reason, sizeof(e.reason), reason);
    audit_set(e.path, sizeof(e.path), f->name);
    if (f->store >= 0 && (size_t)f->store < p->n_stores) {
        audit_set(e.store, sizeof(e.store), p->stores[f->store].id);
        audit_set(e.store_class, sizeof(e.store_class), p->stores[f->store].class_ ? p->stores[f->store].class_ : "");
    }
    if (extra && f->sha256[0] != '\0')
        whole_set(&extra, "sha256", json_string(f->sha256));
    exports_add_record(x, &e, extra);
}

/* The reason for a person: what policy says comes first, because that is what they can do something about. */
static const char *judge_file(struct exporting *x, struct exports_file *f, int store, uint32_t error)
{
    f->store = store;
    if (store == -EXDEV) {
        f->store = -1;
        f->verdict = (struct verdict){.reason = REASON_UNKNOWN};
        (void)snprintf(f->rule, sizeof(f->rule), "default");
    } else {
        exports_judge(x, f);
    }
    if (f->verdict.kind != VERDICT_ALLOW)
        return verdict_reason_name(f->verdict.reason);
    if (error == 0)
        return NULL;
    f->verdict.kind = f->verdict.ruled = VERDICT_DENY;
    return error == EISDIR || error == EINVAL ? "not-a-file" : "unreadable";
}

static int get_opened(const struct exporting *x, struct buf_reader *in, struct exports_file *f, uint32_t *ret_error)
{
    _cleanup_free_ char *name = NULL;
    uint32_t index = 0;
    int r = buf_get_u32(in, &index);

    if (r >= 0)
        r = buf_get_string(in, EXPORT_NAME_MAX, &name);
    if (r >= 0)
        r = buf_get_u64(in, &f->size);
    if (r >= 0)
        r = buf_get_u32(in, ret_error);
    if (r >= 0)
        r = buf_get_end(in);
    if (r < 0 || index != x->n_files || x->n_files >= EXPORT_FILES_MAX || !text_is_printable_utf8(name) ||
        f->size > INT64_MAX)
        return -EBADMSG;
    memcpy(f->name, name, strlen(name) + 1);
    return 0;
}

static int on_opened(struct exporting *x, struct buf_reader *in)
{
    struct exports_file f = {.store = -1}, *files;
    uint32_t error = 0;
    const char *reason;
    int r = get_opened(x, in, &f, &error);

    if (r < 0)
        return r;
    files = reallocarray(x->files, x->n_files + 1, sizeof(*files));
    if (!files)
        return -ENOMEM;
    x->files = files;
    reason = judge_file(x, &f, gate_exporter_store(x->daemon->gate), error);
    files[x->n_files] = f;
    if (reason) {
        x->refused = true;
        exports_record_file(x, &files[x->n_files], reason);
        files[x->n_files].rule[0] = '\0'; /* counts for none */
    }
    x->n_files++;
    return exports_send(x, EXPORT_VERDICT, "1ss", reason ? 0U : 1U, reason ? reason : "rule", f.rule) < 0 ? -EPIPE : 0;
}

/* The strictest of what their rules ask for. Of the two that are encrypted neither is: what must go into one may not go into the other. */
static int choose_container(struct exporting *x)
{
    const struct policy *p = rulebook_policy(x->daemon->rulebook);
    unsigned seen = 0;

    for (size_t i = 0; i < x->n_files; i++) {
        const struct policy_export_rule *rule = decide_export_rule(p, x->target, x->files[i].store);

        seen |= rule ? 1U << rule->container : ~0U;
    }
    if (seen == 1U << POLICY_CONTAINER_PLAIN)
        x->container = EXPORT_PLAIN;
    else if ((seen & ~(1U << POLICY_CONTAINER_PLAIN)) == 1U << POLICY_CONTAINER_ZIP_AES256)
        x->container = EXPORT_ZIP_AES256;
    else if ((seen & ~(1U << POLICY_CONTAINER_PLAIN)) == 1U << POLICY_CONTAINER_LUKS)
        x->container = EXPORT_LUKS;
    else
        return -ENOTSUP;
    return 0;
}

/* What was shown to who gave their codes; not only the files, all of them. */
static bool is_approved_list(const struct exporting *x)
{
    struct digest_fields *list = NULL;
    char hex[DIGEST_HEX_SIZE];
    struct digest digest;
    int r = export_list_new(x->n_files, &list);

    for (size_t i = 0; i < x->n_files && r >= 0; i++)
        r = export_list_add(list, x->files[i].name, x->files[i].size);
    if (r >= 0)
        r = digest_fields_finish(list, &digest);
    (void)digest_fields_free(list);
    if (r < 0)
        return false;
    digest_to_hex(&digest, hex);
    return strcmp(hex, x->list) == 0;
}

static int on_opened_end(struct exporting *x, struct buf_reader *in)
{
    uint32_t n = 0;

    if (buf_get_u32(in, &n) < 0 || buf_get_end(in) < 0 || n != x->n_files || n == 0 || x->refused)
        return -EBADMSG;
    if (!is_approved_list(x)) {
        exports_stop_by(x, "list", "these are not the files that the codes were given for");
        return 1;
    }
    if (choose_container(x) < 0) {
        exports_stop_by(x, "container", "some of the files go into a zip only, others into LUKS only");
        return 1;
    }
    x->phase = EXPORTS_COPIES;
    return exports_send(x, EXPORT_COPY, "") < 0 ? -EPIPE : 0;
}

static int on_staged(struct exporting *x, struct buf_reader *in)
{
    _cleanup_free_ char *hex = NULL;
    struct digest digest;
    uint32_t index = 0;
    uint64_t size = 0;
    int r = buf_get_u32(in, &index);

    if (r >= 0)
        r = buf_get_u64(in, &size);
    if (r >= 0)
        r = buf_get_string(in, DIGEST_HEX_SIZE - 1, &hex);
    if (r >= 0)
        r = buf_get_end(in);
    if (r < 0 || index != x->n_staged || index >= x->n_files || size != x->files[index].size ||
        digest_from_hex(hex, &digest) < 0)
        return -EBADMSG;
    digest_to_hex(&digest, x->files[index].sha256);
    x->n_staged++;
    return 0;
}

/* Opened again when all is copied: what was judged is what was read. A mark of a store may have come after the verdict. */
static int on_again(struct exporting *x, struct buf_reader *in)
{
    uint32_t index = 0, error = 0;
    struct exports_file *f;
    int r = buf_get_u32(in, &index);

    if (r >= 0)
        r = buf_get_u32(in, &error);
    if (r >= 0)
        r = buf_get_end(in);
    if (r < 0 || x->n_staged != x->n_files || index != x->n_again || index >= x->n_files)
        return -EBADMSG;
    f = &x->files[x->n_again++];
    if (gate_exporter_store(x->daemon->gate) == f->store && error == 0)
        return exports_send(x, EXPORT_VERDICT, "1ss", 1U, "rule", f->rule) < 0 ? -EPIPE : 0;
    x->refused = true;
    f->verdict.kind = f->verdict.ruled = VERDICT_DENY;
    exports_record_file(x, f, "moved");
    return exports_send(x, EXPORT_VERDICT, "1ss", 0U, "moved", f->rule) < 0 ? -EPIPE : 0;
}

static uint64_t total_size(const struct exporting *x)
{
    uint64_t size = 0;

    for (size_t i = 0; i < x->n_files; i++)
        size += x->files[i].size;
    return size;
}

static int on_staged_end(struct exporting *x, struct buf_reader *in)
{
    uint64_t size = 0;

    if (buf_get_u64(in, &size) < 0 || buf_get_end(in) < 0 || x->n_again != x->n_files || x->refused ||
        size != total_size(x))
        return -EBADMSG;
    gate_clear_exporter(x->daemon->gate);
    /* Nobody can change a staged byte from here on. This is where contents will be looked at, before anything is packed; a rule that asks for
     * it has refused the file already (REASON_CONTENT). */
    x->phase = EXPORTS_CONTAINER;
    return exports_send(x, EXPORT_PACK, "1", (unsigned)x->container) < 0 ? -EPIPE : 0;
}

/* --- the medium --- */

/* Where no udevd runs nobody is told of media, and nobody has to be told that one is gone. */
static bool is_out_of_sight(struct exporting *x)
{
    if (!block_manager_is_hidden(x->daemon->block, x->device))
        return false;
    if (access(UDEVD_CONTROL, F_OK) < 0)
        return true;
    if (x->hidden_since_us == 0)
        x->hidden_since_us = clock_boottime_us();
    return clock_boottime_us() - x->hidden_since_us >= HIDE_REST_US;
}

static int on_hide_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct exporting *x = userdata;
    struct daemon *d = x->daemon;

    (void)usec;
    if (exports_stop_when_refused(x))
        return 0;
    if (!is_out_of_sight(x)) {
        if (clock_boottime_us() - x->hiding_since_us > HIDE_MAX_US) {
            exports_stop_by(x, "busy", "udev does not take the medium away from others");
            return 0;
        }
        (void)sd_event_source_set_time(source, clock_boottime_us() + HIDE_POLL_US);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    }
    wire_media_tick(d);               /* what is mounted in other namespaces goes as well */
    if (exports_stop_when_refused(x)) /* what is there, and what is decided of it, is known anew */
        return 0;
    if (block_manager_set_export(d->block, x->device, MEDIUM_EXPORT_OPENING, clock_wall_us()) < 0) {
        exports_stop_by(x, "removed", "the medium is gone");
        return 0;
    }
    x->phase = EXPORTS_MOUNT;
    if (exports_send(x, EXPORT_OPEN, "") < 0)
        exports_stop_by(x, "killed", "the exporting process ended");
    return 0;
}

static int on_ready(struct exporting *x, struct buf_reader *in)
{
    struct daemon *d = x->daemon;
    uint64_t size = 0;

    if (buf_get_u64(in, &size) < 0 || buf_get_end(in) < 0)
        return -EBADMSG;
    if (exports_stop_when_refused(x))
        return 1;
    if (block_manager_set_export(d->block, x->device, MEDIUM_EXPORT_CLOSED, clock_wall_us()) < 0) {
        exports_stop_by(x, "removed", "the medium is gone");
        return 1;
    }
    x->phase = EXPORTS_HIDING;
    x->hiding_since_us = clock_boottime_us();
    return sd_event_add_time(d->loop, &x->timer, CLOCK_BOOTTIME, x->hiding_since_us, 1000, on_hide_timer, x);
}

static int on_mounted(struct exporting *x, struct buf_reader *in)
{
    if (buf_get_end(in) < 0)
        return -EBADMSG;
    x->phase = EXPORTS_ROOM;
    (void)block_manager_set_export(x->daemon->block, x->device, MEDIUM_EXPORT_CLOSED, clock_wall_us());
    return 0;
}

/* --- what leaves --- */

static int count_files(struct exporting *x)
{
    _cleanup_free_ struct ledger_count *counts = calloc(x->n_files, sizeof(*counts));
    size_t n = 0;

    if (!counts)
        return -ENOMEM;
    for (size_t i = 0; i < x->n_files; i++) {
        size_t at = 0;

        while (at < n && strcmp(counts[at].rule, x->files[i].rule) != 0)
            at++;
        if (at == n)
            counts[n++].rule = x->files[i].rule;
        counts[at].files++;
        counts[at].bytes += x->files[i].size;
    }
    return ledger_commit(x->daemon->exports->ledger, x->id, x->person.uid, ledger_day(clock_wall_us()), counts, n);
}

static int get_contents(struct exporting *x, struct buf_reader *in)
{
    _cleanup_free_ char *name = NULL, *hex = NULL;
    struct digest digest;
    int r = buf_get_string(in, EXPORT_NAME_MAX, &name);

    if (r >= 0)
        r = buf_get_u64(in, &x->size);
    if (r >= 0)
        r = buf_get_string(in, DIGEST_HEX_SIZE - 1, &hex);
    if (r >= 0)
        r = buf_get_end(in);
    if (r < 0 || digest_from_hex(hex, &digest) < 0 || !text_is_printable_utf8(name))
        return -EBADMSG;
    memcpy(x->name, name, strlen(name) + 1);
    digest_to_hex(&digest, x->sha256);
    return 0;
}

static int stop_when_disturbed(struct exporting *x)
{
    if (exports_stop_when_refused(x))
        return 1;
    if (!x->intruded)
        return 0;
    exports_stop_by(x, "busy", "somebody else mounted the medium while it was written to");
    return 1;
}

/* Nothing is written yet. Each file and its digest are in the journal, and counted, before its first byte: from there on who goes away, pulls the
 * medium out or cuts the power may have it, under whatever name. */
static int on_room(struct exporting *x, struct buf_reader *in)
{
    int r = get_contents(x, in);

    if (r < 0)
        return r;
    if (stop_when_disturbed(x) || exports_stop_by_rule(x, true))
        return 1;
    for (size_t i = 0; i < x->n_files; i++)
        exports_record_file(x, &x->files[i], NULL);
    if (recorder_sync(x->daemon->recorder) < 0) {
        exports_stop_by(x, "journal", "the journal could not take it, so it was not given");
        return 1;
    }
    if (count_files(x) < 0) {
        exports_stop_by(x, "ledger", "it could not be counted, so it was not given");
        return 1;
    }
    x->phase = EXPORTS_DATA;
    return exports_send(x, EXPORT_WRITE, "") < 0 ? -EPIPE : 0;
}

/* All of it, read back, but without a name. */
static int on_written(struct exporting *x, struct buf_reader *in)
{
    if (buf_get_end(in) < 0)
        return -EBADMSG;
    if (stop_when_disturbed(x))
        return 1;
    x->phase = EXPORTS_NAME;
    return exports_send(x, EXPORT_COMMIT, "") < 0 ? -EPIPE : 0;
}

static int on_done(struct exporting *x, struct buf_reader *in)
{
    struct daemon *d = x->daemon;
    _cleanup_free_ char *name = NULL;
    struct audit_event e;

    if (buf_get_string(in, EXPORT_NAME_MAX, &name) < 0 || buf_get_end(in) < 0 || !text_is_printable_utf8(name))
        return -EBADMSG;
    memcpy(x->name, name, strlen(name) + 1);
    audit_event_init(&e, AUDIT_EXPORT_FINISHED);
    audit_set(e.path, sizeof(e.path), x->name);
    audit_set(e.message, sizeof(e.message), x->reason);
    exports_add_record(x, &e, exports_record(x));
    if (recorder_sync(d->recorder) == 0)
        (void)ledger_end(d->exports->ledger, x->id);
    exports_show(d, x->device); /* before the person is told that they may have it */
    x->phase = EXPORTS_ENDED;
    return exports_send(x, EXPORT_RECORDED, "") < 0 ? -EPIPE : 0;
}

static int on_failed(struct exporting *x, struct buf_reader *in)
{
    _cleanup_free_ char *reason = NULL, *detail = NULL;
    int r = buf_get_string(in, 31, &reason);

    if (r >= 0)
        r = buf_get_string(in, EXPORT_TEXT_MAX, &detail);
    if (r >= 0)
        r = buf_get_end(in);
    if (r < 0 || x->phase == EXPORTS_ENDED || !text_is_printable_utf8(reason))
        return -EBADMSG;
    x->said_end = exports_reason_is_end(reason);
    exports_end(x, reason, detail);
    return 1;
}

int exports_on_frame(struct exporting *x, uint16_t type, struct buf_reader *in)
{
    static const struct {
        uint16_t type;
        enum exports_phase phase;
        int (*handler)(struct exporting *x, struct buf_reader *in);
    } steps[] = {
        {EXPORT_STAGER, EXPORTS_STAGER, on_stager},
        {EXPORT_OPENED, EXPORTS_FILES, on_opened},
        {EXPORT_OPENED_END, EXPORTS_FILES, on_opened_end},
        {EXPORT_STAGED, EXPORTS_COPIES, on_staged},
        {EXPORT_AGAIN, EXPORTS_COPIES, on_again},
        {EXPORT_STAGED_END, EXPORTS_COPIES, on_staged_end},
        {EXPORT_READY, EXPORTS_CONTAINER, on_ready},
        {EXPORT_MOUNTED, EXPORTS_MOUNT, on_mounted},
        {EXPORT_ROOM, EXPORTS_ROOM, on_room},
        {EXPORT_WRITTEN, EXPORTS_DATA, on_written},
        {EXPORT_DONE, EXPORTS_NAME, on_done},
    };

    if (type == EXPORT_FAILED)
        return on_failed(x, in);
    for (size_t i = 0; i < ELEMENTS(steps); i++)
        if (steps[i].type == type && steps[i].phase == x->phase)
            return steps[i].handler(x, in);
    return -EBADMSG;
}
