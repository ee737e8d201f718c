/* What a terminal takes of its centre and what it holds: over starts, beside what is held, and when the file is gone or another. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "fake/statements.h"
#include "member/member.h"
#include "test.h"

struct place {
    char path[64];
    int fd;
    struct trust_root *root;
    uint8_t journal[TRUST_PUBLIC_SIZE];
    char wire[NKEY_PUBLIC_SIZE];
    struct digest own; /* of every record up to newest */
    uint64_t newest;
};

static int own_hash(void *context, uint64_t sequence, struct digest *ret)
{
    const struct place *p = context;

    if (sequence > p->newest)
        return 1;
    *ret = p->own;
    return 0;
}

static struct member_view view_of(struct place *p)
{
    return (struct member_view){.root = p->root, .now_us = SIGNED_NOW, .own_hash = own_hash, .context = p};
}

static struct member *open_it(const struct place *p, enum member_condition condition)
{
    struct member *m = NULL;

    assert_int_equal(member_open(p->fd, p->journal, p->root, &m), 0);
    if (member_condition(m) != condition)
        fail_msg("condition %d: %s", member_condition(m), member_complaint(m));
    return m;
}

static struct signed_bytes bytes_of(const struct fleet_statement *s, unsigned signers)
{
    return signed_file(statement_envelope(s, signers));
}

/* Judged, and kept when it is good. */
static int take(struct member *m, struct place *p, const struct fleet_statement *s, struct member_refusal *refusal)
{
    struct member_view view = view_of(p);
    struct fleet_statement *opened = NULL;
    struct signed_bytes b = bytes_of(s, KEY(6));
    int r;

    *refusal = (struct member_refusal){0};
    r = member_judge(m, &view, b.data, b.size, &opened, refusal);
    assert_int_equal(r == 0, opened != NULL);
    if (r == 0) {
        assert_int_equal(opened->kind, s->kind);
        assert_int_equal(member_keep(m, opened, b.data, b.size, view.now_us), 0);
    }
    fleet_statement_free(opened);
    free(b.data);
    return r;
}

static void refused(struct member *m, struct place *p, const struct fleet_statement *s, const char *reason)
{
    struct member_refusal why;

    assert_int_equal(take(m, p, s, &why), MEMBER_E_REFUSED);
    assert_string_equal(why.reason, reason);
    assert_non_null(why.text);
}

static void taken(struct member *m, struct place *p, const struct fleet_statement *s)
{
    struct member_refusal why;

    if (take(m, p, s, &why) != 0)
        fail_msg("%s: %s", why.reason, why.complaint.text);
}

static void known(struct member *m, struct place *p, const struct fleet_statement *s)
{
    struct member_refusal why;

    assert_int_equal(take(m, p, s, &why), MEMBER_E_KNOWN);
}

static int join(struct member *m, struct place *p, const struct fleet_statement *s)
{
    struct member_view view = view_of(p);
    struct member_refusal why = {0};
    struct signed_bytes b = bytes_of(s, KEY(6));
    int r = member_join(m, &view, p->wire, b.data, b.size, &why);

    free(b.data);
    return r;
}

static struct member *joined(struct place *p)
{
    struct member *m = open_it(p, MEMBER_NONE);
    const struct fleet_statement s = statement_usual(FLEET_MEMBERSHIP);

    assert_int_equal(join(m, p, &s), 0);
    assert_int_equal(member_condition(m), MEMBER_GOOD);
    return m;
}

static void test_nothing_before(void **state)
{
    struct place *p = *state;
    struct member *m = open_it(p, MEMBER_NONE);
    const struct fleet_statement s = statement_usual(FLEET_ORDER);

    assert_null(member_membership(m));
    assert_null(member_ack(m));
    refused(m, p, &s, "not-enrolled");
    assert_int_equal(member_keep(m, &s, (const uint8_t *)"", 0, SIGNED_NOW), -EINVAL);
    m = member_free(m);
}

static void test_membership(void **state)
{
    struct place *p = *state;
    struct member *m = joined(p);
    struct fleet_statement s = statement_usual(FLEET_MEMBERSHIP);

    known(m, p, &s);
    s.membership.serial = 2;
    refused(m, p, &s, "rollback");
    s.membership.serial = 4;
    s.membership.groups.n = 1;
    taken(m, p, &s);
    assert_int_equal(member_membership(m)->groups.n, 1);
    statement_wire(STATEMENT_OTHER, s.membership.wire);
    s.membership.serial = 5;
    refused(m, p, &s, "keys");
    m = member_free(m);
    m = open_it(p, MEMBER_GOOD);
    assert_true(member_membership(m)->serial == 4);
    /* Another enrolment may begin anew. */
    s = statement_usual(FLEET_MEMBERSHIP);
    s.membership.serial = 1;
    assert_int_equal(join(m, p, &s), 0);
    assert_true(member_membership(m)->serial == 1);
    p->wire[5] = p->wire[5] == 'A' ? 'B' : 'A';
    assert_int_equal(join(m, p, &s), MEMBER_E_REFUSED);
    m = member_free(m);
}

static void test_ack(void **state)
{
    struct place *p = *state;
    struct member *m = joined(p);
    struct fleet_statement s = statement_usual(FLEET_ACK);

    p->newest = s.ack.sequence - 1;
    p->own = s.ack.hash;
    refused(m, p, &s, "ahead");
    p->newest++;
    p->own.bytes[0] ^= 1;
    refused(m, p, &s, "fork");
    p->own.bytes[0] ^= 1;
    taken(m, p, &s);
    known(m, p, &s);
    s.ack.sequence--;
    refused(m, p, &s, "rollback");
    s.ack.sequence += 2;
    refused(m, p, &s, "ahead");
    m = member_free(m);
    m = open_it(p, MEMBER_GOOD);
    assert_true(member_ack(m)->sequence == 4711);
    assert_true(member_membership(m)->serial == 3);
    m = member_free(m);
}

static void test_order_once(void **state)
{
    struct place *p = *state;
    struct member *m = joined(p);
    struct fleet_statement s = statement_usual(FLEET_ORDER);

    taken(m, p, &s);
    known(m, p, &s);
    m = member_free(m);
    m = open_it(p, MEMBER_GOOD);
    known(m, p, &s); /* after a start as well */
    for (unsigned i = 1; i < MEMBER_ORDERS_MAX; i++) {
        s.order.id[0] = (uint8_t)i;
        s.order.id[1] = 1;
        taken(m, p, &s);
    }
    s.order.id[1] = 2;
    refused(m, p, &s, "too-many");
    m = member_free(m);
}

/* What is over is forgotten, and not before nobody can bring it again. */
static void test_order_forgotten(void **state)
{
    struct place *p = *state;
    struct member *m = joined(p);
    struct fleet_statement s = statement_usual(FLEET_ORDER);
    struct member_view view = view_of(p);
    struct member_refusal why = {0};
    struct fleet_statement *opened = NULL;
    struct signed_bytes b = bytes_of(&s, KEY(6));

    taken(m, p, &s);
    view.now_us = s.order.expires_us - 1;
    assert_int_equal(member_judge(m, &view, b.data, b.size, &opened, &why), MEMBER_E_KNOWN);
    view.now_us = s.order.expires_us;
    assert_int_equal(member_judge(m, &view, b.data, b.size, &opened, &why), MEMBER_E_REFUSED);
    assert_string_equal(why.reason, "expired");
    free(b.data);
    m = member_free(m);
}

static void test_signed_by_others(void **state)
{
    struct place *p = *state;
    struct member *m = joined(p);
    struct fleet_statement s = statement_usual(FLEET_MEMBERSHIP), *opened = NULL;
    struct member_view view = view_of(p);
    struct member_refusal why = {0};
    struct signed_bytes b;

    s.membership.serial = 9;
    b = bytes_of(&s, KEY(3) | KEY(4)); /* two who sign policies */
    assert_int_equal(member_judge(m, &view, b.data, b.size, &opened, &why), MEMBER_E_REFUSED);
    assert_string_equal(why.reason, "too-few-signatures");
    free(b.data);
    b = signed_file(statement_usual_envelope(FLEET_REPORT));
    assert_int_equal(member_judge(m, &view, b.data, b.size, &opened, &why), MEMBER_E_REFUSED);
    assert_string_equal(why.reason, "payload-type");
    free(b.data);
    b = bytes_of(&s, KEY(6));
    view.root = NULL;
    assert_int_equal(member_judge(m, &view, b.data, b.size, &opened, &why), MEMBER_E_REFUSED);
    assert_string_equal(why.reason, "no-root");
    assert_int_equal(member_join(m, &view, p->wire, b.data, b.size, &why), MEMBER_E_REFUSED);
    free(b.data);
    m = member_free(m);
}

/* The root names another key for the centre: what is held stays, and orders nothing that follows. */
static void test_rotated(void **state)
{
    struct place *p = *state;
    struct signed_root next = signed_root_version(4);
    struct trust_envelope *e;
    struct member *m = joined(p);
    struct fleet_statement s = statement_usual(FLEET_MEMBERSHIP), *opened = NULL;
    struct member_refusal why = {0};
    struct member_view view;
    struct signed_bytes b;

    s.membership.serial = TRUST_VERSION_MAX; /* by who has stolen the key */
    taken(m, p, &s);
    m = member_free(m);
    next.keys[TRUST_ROLE_HEAD] = KEY(7);
    e = signed_make_root(&next, SIGNED_ROOT_SIGNERS);
    trust_root_free(p->root);
    assert_int_equal(trust_root_parse(e->payload, e->size, &p->root, NULL), TRUST_OK);
    trust_envelope_free(e);
    m = open_it(p, MEMBER_GOOD);
    assert_true(member_membership(m)->serial == TRUST_VERSION_MAX);
    refused(m, p, &s, "too-few-signatures");
    s.membership.serial = 4;
    b = bytes_of(&s, KEY(7));
    view = view_of(p);
    assert_int_equal(member_judge(m, &view, b.data, b.size, &opened, &why), 0);
    assert_int_equal(member_keep(m, opened, b.data, b.size, view.now_us), 0);
    fleet_statement_free(opened);
    free(b.data);
    assert_true(member_membership(m)->serial == 4);
    m = member_free(m);
}

static void write_back(const struct place *p, const char *text)
{
    assert_int_equal(files_write_atomic_at(p->fd, "fleet.json", text, strlen(text), 0600), 0);
}

static void test_damaged(void **state)
{
    struct place *p = *state;
    struct member *m = joined(p);
    const struct fleet_statement order = statement_usual(FLEET_ORDER), s = statement_usual(FLEET_MEMBERSHIP);
    char *good = NULL, *payload;

    m = member_free(m);
    assert_int_equal(files_read_text_at(p->fd, "fleet.json", 1 << 20, &good), 0);
    write_back(p, "{}");
    m = open_it(p, MEMBER_DAMAGED);
    assert_null(member_membership(m));
    refused(m, p, &order, "damaged");
    m = member_free(m);
    assert_int_equal(unlinkat(p->fd, "fleet.json", 0), 0);
    m = open_it(p, MEMBER_DAMAGED);
    m = member_free(m);
    /* One letter of what is signed. */
    payload = strstr(good, "\"payload\": \"") + strlen("\"payload\": \"") + 40;
    *payload = *payload == 'A' ? 'B' : 'A';
    write_back(p, good);
    m = open_it(p, MEMBER_DAMAGED);
    /* Enrolled again it is good. */
    assert_int_equal(join(m, p, &s), 0);
    m = member_free(m);
    m = open_it(p, MEMBER_GOOD);
    assert_int_equal(member_leave(m), 0);
    m = member_free(m);
    m = open_it(p, MEMBER_NONE);
    m = member_free(m);
    free(good);
}

/* Another machine's file, put here. */
static void test_of_another(void **state)
{
    struct place *p = *state;
    struct member *m = joined(p);

    m = member_free(m);
    signed_public(STATEMENT_OTHER, p->journal);
    m = open_it(p, MEMBER_DAMAGED);
    assert_non_null(strstr(member_complaint(m), "fleet.json"));
    m = member_free(m);
}

static int begin(void **state)
{
    struct place *p = calloc(1, sizeof(*p));

    assert_non_null(p);
    (void)snprintf(p->path, sizeof(p->path), "/tmp/kuraban-member.XXXXXX");
    assert_non_null(mkdtemp(p->path));
    p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(p->fd >= 0);
    p->root = statement_root();
    signed_public(STATEMENT_JOURNAL, p->journal);
    statement_wire(STATEMENT_WIRE, p->wire);
    *state = p;
    return 0;
}

static int end(void **state)
{
    struct place *p = *state;

    (void)unlinkat(p->fd, "fleet.json", 0);
    (void)unlinkat(p->fd, "fleet.installed", 0);
    close(p->fd);
    assert_int_equal(rmdir(p->path), 0);
    trust_root_free(p->root);
    free(p);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_before), TEST(test_membership),      TEST(test_ack),
        TEST(test_order_once),     TEST(test_order_forgotten), TEST(test_signed_by_others),
        TEST(test_rotated),        TEST(test_damaged),         TEST(test_of_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
