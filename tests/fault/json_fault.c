/*
 * What is written as JSON while calls fail, each once: records and heads of the journal, the broker's JWTs. What must hold: the bytes are those that come
 * without a fault, or there are none; no leak. Usage: json [--every STEP].
 */
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/head.h"
#include "audit/record.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "fault/fault.h"
#include "hub/nats/jwt.h"
#include "json/whole.h"

static struct journal_key *key;
static struct wire_key *operator, * account, *signer;
static uint64_t rounds, whole, failed;

#define SET(field_, value_) audit_set(field_, sizeof(field_), value_)

static void fill_event(struct audit_event *e)
{
    audit_event_init(e, AUDIT_EXPORT_FINISHED);
    e->wall_us = 1795395723000004;
    e->boottime_us = 123456789;
    e->has_verdict = e->allowed = e->has_uid = e->has_login_uid = e->write = true;
    e->uid = e->login_uid = 1001;
    e->pid = 4321;
    SET(e->rule, "out");
    SET(e->reason, "rule");
    SET(e->policy_name, "課税課 標準");
    SET(e->program, "/usr/bin/kuraban");
    SET(e->device_id, "usb:0781:5583:4C530001");
    SET(e->device_bus, "usb");
    SET(e->device_name, "Ultra Fit");
    SET(e->device_node, "/dev/sdb1");
    SET(e->path, "名簿.csv");
    SET(e->store, "juki");
    SET(e->message, "月次報告");
}

static int write_record(struct buf *out)
{
    const struct record_link link = {.seq = 7, .boot = "1f6c0b0e-0c9d-4c67-8a0f-6a4a8b1c2d3e"};
    json_t *extra =
        json_pack("{s:s, s:I, s:[i,i], s:s}", "id", "0123456789abcdef", "size", (json_int_t)4711, "approvers", 1002,
                  1003, "sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    struct audit_event e;
    int r = extra ? 0 : -1;

    fill_event(&e);
    if (r == 0)
        r = record_format(&e, &link, &(struct record_extra){.name = "export", .value = extra}, out);
    json_decref(extra);
    return r;
}

static int write_head(struct buf *out)
{
    return head_format(key, 42, &(struct digest){.bytes = {1, 2, 3}}, 1795395723000004, out);
}

static int write_account(struct buf *out)
{
    static const char *const subjects[] = {"evt.{{name()}}.*", "ack.{{name()}}", NULL};
    const struct jwt_scope scope = {wire_key_public(signer), "terminal", subjects, subjects, 262144, 16};
    const struct jwt_revocation revoked = {wire_key_public(signer), 1795395000};
    const struct jwt_account a = {"kuraban", wire_key_public(account), true, &scope, 1, &revoked, 1};
    char *token = NULL;
    int r = jwt_account(operator, & a, 1795395723, &token);

    if (r == 0)
        r = buf_add_string(out, token);
    free(token);
    return r;
}

static const struct writer {
    const char *name;
    int (*write)(struct buf *out);
} writers[] = {{"record", write_record}, {"head", write_head}, {"account", write_account}};

static struct fault_account run(const struct writer *w, const struct fault_plan *plan, struct buf *out, int *ret)
{
    buf_init(out, 1 << 20);
    fault_begin(plan);
    *ret = w->write(out);
    if (*ret < 0)
        buf_done(out);
    return fault_end();
}

static int look_at(const struct writer *w, const struct buf *good, uint64_t nth, int64_t blocks)
{
    const struct fault_plan plan = {.nth = nth};
    struct fault_account a;
    struct buf out;
    int r;

    a = run(w, &plan, &out, &r);
    rounds++;
    whole += r >= 0;
    failed += r < 0;
    if (r < 0 ? a.blocks != 0
              : a.blocks != blocks || out.size != good->size || memcmp(out.data, good->data, out.size) != 0) {
        printf("FAILED: %s, call %" PRIu64 ": %s: %.*s\n", w->name, nth,
               r < 0 ? "leaks memory" : "called written, and is something else", (int)out.size,
               out.data ? (const char *)out.data : "");
        r = 1;
    } else {
        r = 0;
    }
    buf_done(&out);
    return r;
}

static int each_call(const struct writer *w, uint64_t step)
{
    const struct fault_plan none = {0};
    struct fault_account plain;
    struct buf good;
    int r;

    (void)run(w, &none, &good, &r); /* the first time OpenSSL fills its caches */
    buf_done(&good);
    plain = run(w, &none, &good, &r);
    if (r < 0) {
        printf("FAILED: %s without faults\n", w->name);
        return 1;
    }
    r = 0;
    for (uint64_t n = 1; n <= plain.calls && r == 0; n += step)
        r = look_at(w, &good, n, plain.blocks);
    buf_done(&good);
    return r;
}

static int make_keys(void)
{
    char directory[] = "/tmp/kuraban-fault-XXXXXX", command[64];
    _cleanup_close_ int fd = -1;
    int r;

    if (!mkdtemp(directory))
        return -1;
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = fd < 0 ? -1 : journal_key_open(fd, &key);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    if (system(command) != 0 || r < 0)
        return -1;
    return wire_key_new(NKEY_OPERATOR, &operator) < 0 || wire_key_new(NKEY_ACCOUNT, &account) < 0 ||
                   wire_key_new(NKEY_ACCOUNT, &signer) < 0
               ? -1
               : 0;
}

int main(int argc, char **argv)
{
    uint64_t step = 1;
    int r;

    if (fault_init() < 0) {
        fputs("OpenSSL has allocated before main()\n", stderr);
        return 1;
    }
    if (argc == 3 && (strcmp(argv[1], "--every") != 0 || text_to_u64(argv[2], UINT32_MAX, &step) < 0 || step == 0))
        return 2;
    json_set_alloc_funcs(malloc, free);
    r = make_keys();
    for (size_t i = 0; i < ELEMENTS(writers) && r == 0; i++)
        r = each_call(&writers[i], step);
    printf("%" PRIu64 " rounds: whole %" PRIu64 ", error %" PRIu64 "\n", rounds, whole, failed);
    (void)journal_key_free(key);
    (void)wire_key_free(operator);
    (void)wire_key_free(account);
    (void)wire_key_free(signer);
    return r != 0 || failed == 0; /* without an error nothing was tested */
}
