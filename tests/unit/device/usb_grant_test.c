/* A device whose rule permits it after an unlocking: closed, open while a grant is in force, closed again, and never by another's grant. */
#include "test.h"

#include "device/usb.h"
#include "unit/device/usb_fixture.h"

/* Whom the test grants what. */
static struct {
    char id[128], hash[72], rule[64];
    unsigned asked;
} grant;

static bool granted(void *context, const struct usb_device *d, const char *rule)
{
    (void)context;
    grant.asked++;
    return strcmp(usb_device_id(d), grant.id) == 0 && strcmp(usb_device_hash(d), grant.hash) == 0 &&
           strcmp(rule, grant.rule) == 0;
}

static void give(struct fixture *x, const char *port)
{
    const struct usb_device *d = fixture_device(x, port);

    (void)snprintf(grant.id, sizeof(grant.id), "%s", usb_device_id(d));
    (void)snprintf(grant.hash, sizeof(grant.hash), "%s", usb_device_hash(d));
    (void)snprintf(grant.rule, sizeof(grant.rule), "%s", ID_STICK);
}

static struct fixture *locked(struct fixture_policy *p)
{
    struct fixture *x;

    memset(&grant, 0, sizeof(grant));
    (void)fixture_policy(p);
    p->rules[RULE_STICK].unlock = (struct policy_unlock){.needed = true, .factors = POLICY_FACTOR_TOTP, .for_us = 1};
    x = fixture_new_granted(&p->policy, granted);
    assert_int_equal(usb_manager_start(x->m, FIXTURE_NOW), 0);
    return x;
}

static const struct verdict *verdict(struct fixture *x, const char *port)
{
    return usb_device_verdict(fixture_device(x, port));
}

static void locked_unlocked_and_locked_again(void **state)
{
    struct fixture_policy p;
    _fixture_ x = locked(&p);
    size_t reports;

    (void)state;
    fixture_plug(x, &STICK);
    assert_int_equal(verdict(x, "1-2")->reason, REASON_LOCKED);
    assert_false(fixture_authorized(x, "1-2"));
    reports = x->n;
    usb_manager_reconsider(x->m, "1-2", FIXTURE_NOW); /* nothing has changed */
    usb_manager_reconsider(x->m, "9-9", FIXTURE_NOW); /* nothing is there */
    assert_int_equal(x->n, reports);

    give(x, "1-2");
    usb_manager_reconsider(x->m, "1-2", FIXTURE_NOW);
    assert_int_equal(verdict(x, "1-2")->kind, VERDICT_ALLOW);
    assert_true(fixture_authorized(x, "1-2"));
    assert_true(fake_usb_bound(&x->bus, "1-2:1.0"));
    usb_manager_tick(x->m, FIXTURE_NOW); /* it stays so */
    usb_manager_set_policy(x->m, &p.policy, FIXTURE_NOW);
    assert_true(fixture_authorized(x, "1-2"));

    grant.id[0] = '\0';
    usb_manager_reconsider(x->m, "1-2", FIXTURE_NOW);
    assert_int_equal(verdict(x, "1-2")->reason, REASON_LOCKED);
    assert_false(fixture_authorized(x, "1-2"));
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_DECIDED, "1-2"), 3);
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_CHANGED, NULL), 0);
}

static void a_twin_stays_locked(void **state)
{
    struct fixture_policy p;
    struct fake_device twin = STICK;
    _fixture_ x = locked(&p);

    (void)state;
    twin.name = "1-6";
    fixture_plug(x, &STICK);
    give(x, "1-2");
    usb_manager_reconsider(x->m, "1-2", FIXTURE_NOW);
    fixture_plug(x, &twin);
    usb_manager_reconsider(x->m, "1-6", FIXTURE_NOW);
    assert_string_equal(usb_device_hash(fixture_device(x, "1-6")), usb_device_hash(fixture_device(x, "1-2")));
    assert_int_equal(verdict(x, "1-6")->reason, REASON_LOCKED);
    assert_false(fixture_authorized(x, "1-6"));
    assert_true(fixture_authorized(x, "1-2"));
}

static void changed_descriptors_are_another_device(void **state)
{
    struct fixture_policy p;
    struct fake_device changed = STICK;
    uint8_t bytes[256];
    _fixture_ x = locked(&p);
    size_t n;

    (void)state;
    changed.product = 0x5584;
    fixture_plug(x, &STICK);
    give(x, "1-2");
    usb_manager_reconsider(x->m, "1-2", FIXTURE_NOW);
    assert_true(fixture_authorized(x, "1-2"));
    n = fake_usb_descriptors(&changed, bytes);
    fake_usb_set_bytes(&x->bus, "1-2", "descriptors", bytes, n);
    fake_usb_set(&x->bus, "1-2", NULL, "idProduct", "5584");
    fixture_event(x, "1-2");
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_CHANGED, "1-2"), 1);
    assert_string_not_equal(usb_device_hash(fixture_device(x, "1-2")), grant.hash);
    assert_int_equal(verdict(x, "1-2")->reason, REASON_LOCKED);
    assert_false(fixture_authorized(x, "1-2"));
}

/* A grant lifts nothing but the lock, and only what is locked asks for one. */
static void other_refusals_stay(void **state)
{
    static uid_t nobody_here[] = {4711};
    struct fixture_policy p;
    _fixture_ x = locked(&p);

    (void)state;
    fixture_plug(x, &STRANGER);
    assert_int_equal(grant.asked, 0);
    p.rules[RULE_STICK].who = (struct policy_who){.restricted = true, .uids = nobody_here, .n_uids = 1};
    fixture_plug(x, &STICK);
    give(x, "1-2");
    usb_manager_reconsider(x->m, "1-2", FIXTURE_NOW);
    assert_int_equal(verdict(x, "1-2")->reason, REASON_WHO);
    assert_false(fixture_authorized(x, "1-2"));
    assert_int_equal(grant.asked, 0);
}

static void without_grants_it_stays_locked(void **state)
{
    struct fixture_policy p;
    struct policy *policy = fixture_policy(&p);
    _fixture_ x = fixture_started(policy);

    (void)state;
    p.rules[RULE_STICK].unlock.needed = true;
    fixture_plug(x, &STICK);
    usb_manager_reconsider(x->m, "1-2", FIXTURE_NOW);
    assert_int_equal(verdict(x, "1-2")->reason, REASON_LOCKED);
    assert_false(fixture_authorized(x, "1-2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locked_unlocked_and_locked_again),       cmocka_unit_test(a_twin_stays_locked),
        cmocka_unit_test(changed_descriptors_are_another_device), cmocka_unit_test(other_refusals_stay),
        cmocka_unit_test(without_grants_it_stays_locked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
