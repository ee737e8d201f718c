#include "fake/chain.h"

#include "test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "policy/trust/write.h"
#include "scratch.h"

enum {
    LINES_MAX = 64 * 1024 * 1024
};

void chain_init(struct chain *c)
{
    char path[] = "/tmp/kuraban-chain.XXXXXX";
    uint8_t *pem = NULL;
    size_t size = 0;
    int fd;

    *c = (struct chain){.wall_us = INT64_C(1795395723000000)};
    assert_non_null(mkdtemp(path));
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(journal_key_open(fd, &c->key), JOURNAL_KEY_CREATED);
    assert_int_equal(files_read_at(fd, JOURNAL_KEY_PUBLIC, 4096, &pem, &size), 0);
    assert_int_equal(trust_key_read_public(pem, size, c->public), TRUST_KEY_OK);
    assert_int_equal(fleet_terminal_id(c->public, c->terminal), 0);
    buf_init(&c->lines, LINES_MAX);
    free(pem);
    (void)close(fd);
    scratch_remove(path);
}

void chain_done(struct chain *c)
{
    c->key = journal_key_free(c->key);
    buf_done(&c->lines);
}

void chain_copy(const struct chain *from, struct chain *ret)
{
    *ret = *from;
    buf_init(&ret->lines, LINES_MAX);
    assert_int_equal(buf_add(&ret->lines, from->lines.data, from->lines.size), 0);
}

void chain_done_copy(struct chain *c)
{
    buf_done(&c->lines);
}

void chain_add(struct chain *c, const struct audit_event *e, const char *name, json_t *value)
{
    const struct record_link link = {
        .seq = c->seq + 1, .prev = c->hash, .boot = "6d012a34-8c0b-4849-b656-6217fdcb05e0"};
    const struct record_extra extra = {.name = name, .value = value};
    size_t before = c->lines.size;

    assert_true(c->seq < CHAIN_LINES_MAX);
    assert_int_equal(record_format(e, &link, name ? &extra : NULL, &c->lines), 0);
    assert_int_equal(digest_bytes(c->lines.data + before, c->lines.size - before - 1, &c->hash), 0);
    c->seq++;
    c->ends[c->seq] = c->lines.size;
    c->wall_us += 1000000;
    json_decref(value);
}

static struct audit_event event(const struct chain *c, enum audit_action action)
{
    struct audit_event e;

    audit_event_init(&e, action);
    e.wall_us = c->wall_us;
    e.boottime_us = c->seq * 1000000;
    return e;
}

void chain_open(struct chain *c, const char *path, bool allowed)
{
    struct audit_event e = event(c, AUDIT_FILE_OPEN);

    e.has_verdict = true;
    e.allowed = allowed;
    e.has_uid = e.has_login_uid = true;
    e.uid = e.login_uid = 1000;
    e.pid = 4711;
    e.session = 3;
    e.start_time = 123456;
    e.program_device = 64769;
    e.program_inode = 262151;
    e.policy_version = 42;
    audit_set(e.policy_name, sizeof(e.policy_name), "kazei");
    audit_set(e.reason, sizeof(e.reason), "rule");
    audit_set(e.rule, sizeof(e.rule), allowed ? "office" : "default");
    audit_set(e.program, sizeof(e.program), "/usr/bin/libreoffice");
    audit_set(e.path, sizeof(e.path), path);
    audit_set(e.store, sizeof(e.store), "residents");
    audit_set(e.store_class, sizeof(e.store_class), "3A");
    chain_add(c, &e, NULL, NULL);
}

void chain_fill(struct chain *c, unsigned lines)
{
    for (unsigned i = 0; i < lines; i++) {
        char path[64];

        (void)snprintf(path, sizeof(path), "/srv/residents/2026/%" PRIu64 ".ods", c->seq);
        chain_open(c, path, i % 3 != 0);
    }
}

void chain_checkpoint(struct chain *c, const struct journal_key *signer)
{
    struct audit_event e = event(c, AUDIT_JOURNAL_CHECKPOINT);
    char signature[JOURNAL_SIGNATURE_TEXT], prev[DIGEST_HEX_SIZE], key[DIGEST_HEX_SIZE], when[CLOCK_RFC3339_SIZE];

    digest_to_hex(&c->hash, prev);
    clock_format_rfc3339(e.wall_us, when);
    journal_key_id(signer ? signer : c->key, key);
    assert_int_equal(
        journal_key_sign(signer ? signer : c->key, JOURNAL_DOMAIN_CHECKPOINT, c->seq + 1, prev, when, signature), 0);
    chain_add(c, &e, "checkpoint",
              json_pack("{s:s, s:I, s:s}", "key", key, "head", (json_int_t)c->seq, "signature", signature));
}

void chain_release(struct chain *c, uint64_t last)
{
    const struct digest d = chain_hash(c, last);
    struct audit_event e = event(c, AUDIT_JOURNAL_RELEASED);
    char hash[DIGEST_HEX_SIZE];

    digest_to_hex(&d, hash);
    chain_add(c, &e, "released",
              json_pack("{s:i, s:I, s:s, s:i}", "first", 1, "last", (json_int_t)last, "hash", hash, "segments", 1));
}

const char *chain_lines(const struct chain *c, uint64_t first, uint64_t last, size_t *ret_size)
{
    assert_true(first >= 1 && first <= last && last <= c->seq);
    *ret_size = c->ends[last] - c->ends[first - 1];
    return (const char *)c->lines.data + c->ends[first - 1];
}

struct digest chain_hash(const struct chain *c, uint64_t seq)
{
    struct digest d = {0};
    size_t size = 0;
    const char *line = seq > 0 ? chain_lines(c, seq, seq, &size) : NULL;

    if (line)
        assert_int_equal(digest_bytes(line, size - 1, &d), 0);
    return d;
}
