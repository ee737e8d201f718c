/* Policies and heads: the bytes as they came, and a group's head that never goes back. */
#include "unit/hub_store/fixture.h"

#include "hub/store/groups.h"
#include "hub/store/journal.h"
#include "hub/store/policies.h"

static struct hub_policy policy(uint8_t first, uint64_t version)
{
    return (struct hub_policy){.document = {.bytes = {first}}, .version = version, .name = "課税課 標準"};
}

static int set(struct fixture *f, const char *group, uint8_t first, uint64_t version, const char *envelope)
{
    const struct hub_head head = {.version = version, .policy = {.bytes = {first}}, .expires_us = 7};

    return hub_head_set(f->store, &f->actor, group, &head, envelope, strlen(envelope));
}

static uint64_t records(struct fixture *f)
{
    struct digest head;
    uint64_t seq = 0;

    assert_int_equal(hub_journal_walk(f->store, NULL, NULL, &seq, &head), HUB_JOURNAL_WHOLE);
    return seq;
}

static int count(void *context, const struct hub_policy *p)
{
    assert_int_equal(p->version, 42);
    assert_string_equal(p->name, "課税課 標準");
    ++*(int *)context;
    return 0;
}

static void test_policies(void **state)
{
    static const char envelope[] = "{\0\xff}"; /* any bytes */
    struct fixture *f = *state;
    struct hub_policy p = policy(1, 42), bad = policy(2, 1);
    uint8_t *bytes = NULL;
    size_t size = 0;
    int n = 0;

    assert_int_equal(hub_policy_add(f->store, &f->actor, &p, envelope, sizeof(envelope)), HUB_POLICY_OK);
    assert_int_equal(hub_policy_add(f->store, &f->actor, &p, "other", 5), HUB_POLICY_E_EXISTS);
    assert_int_equal(hub_policy_add(f->store, &f->actor, &bad, envelope, 0), HUB_POLICY_E_SIZE);
    assert_int_equal(hub_policy_add(f->store, &f->actor, &bad, envelope, HUB_ENVELOPE_MAX + 1), HUB_POLICY_E_SIZE);
    bad.name[0] = '\0';
    assert_int_equal(hub_policy_add(f->store, &f->actor, &bad, envelope, 1), HUB_POLICY_E_SIZE);
    assert_int_equal(hub_policy_get(f->store, &bad.document, &bytes, &size), 0);
    assert_null(bytes);
    assert_int_equal(hub_policy_get(f->store, &p.document, &bytes, &size), 1);
    assert_int_equal(size, sizeof(envelope));
    assert_memory_equal(bytes, envelope, size);
    free(bytes);
    assert_int_equal(hub_policy_each(f->store, count, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(records(f), 1);
}

static void test_heads(void **state)
{
    struct fixture *f = *state;
    struct hub_policy p = policy(1, 42);
    struct hub_head h;
    uint8_t *bytes = NULL;
    size_t size = 0;

    assert_int_equal(hub_policy_add(f->store, &f->actor, &p, "p", 1), HUB_POLICY_OK);
    assert_int_equal(set(f, "kazei", 1, 5, "h5"), HUB_POLICY_E_GROUP);
    assert_int_equal(hub_group_create(f->store, &f->actor, "kazei"), HUB_GROUP_OK);
    assert_int_equal(hub_head_get(f->store, "kazei", &h, &bytes, &size), 0);
    assert_int_equal(set(f, "kazei", 2, 5, "h5"), HUB_POLICY_E_UNKNOWN);
    assert_int_equal(set(f, "kazei", 1, 5, "h5"), HUB_POLICY_OK);
    assert_int_equal(set(f, "kazei", 1, 5, "again"), HUB_POLICY_E_OLDER);
    assert_int_equal(set(f, "kazei", 1, 4, "h4"), HUB_POLICY_E_OLDER);
    assert_int_equal(set(f, "kazei", 1, 6, ""), HUB_POLICY_E_SIZE);
    assert_int_equal(records(f), 3);
    assert_int_equal(fixture_reopen(f), 0);
    assert_int_equal(hub_head_get(f->store, "kazei", &h, &bytes, &size), 1);
    assert_int_equal(h.version, 5);
    assert_int_equal(h.expires_us, 7);
    assert_true(digest_equal(&h.policy, &p.document));
    assert_int_equal(size, 2);
    assert_memory_equal(bytes, "h5", 2);
    free(bytes);
    assert_int_equal(set(f, "kazei", 1, 6, "h6"), HUB_POLICY_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_policies, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(test_heads, fixture_begin, fixture_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
