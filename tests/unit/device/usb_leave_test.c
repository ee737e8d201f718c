/*
 * A device that is pulled out in the middle of anything: it was there, it is gone, and nothing failed. A device that only looks
 * as if it were leaving is an alarm.
 */
#include "test.h"

#include "device/usb.h"

#include <errno.h>

#include "base/clock.h"

#include "unit/device/usb_fixture.h"

enum {
    SLOWNESS = 4,
    PATIENCE_US = 10 * 1000 * 1000, /* never used up: the fake leaves after SLOWNESS calls */
};

static void assert_quiet(const struct fixture *x, unsigned call)
{
    if (fixture_count(x, AUDIT_DEVICE_FAILED, NULL) > 0)
        fail_msg("call %u: %s", call, fixture_last(x, AUDIT_DEVICE_FAILED, "1-2")->message);
    if (fixture_count(x, AUDIT_DEVICE_CHANGED, NULL) > 0)
        fail_msg("call %u: %s", call, fixture_last(x, AUDIT_DEVICE_CHANGED, "1-2")->message);
}

static void vanish_at(struct fixture *x, unsigned call, unsigned slowly)
{
    x->bus.calls = 0;
    x->bus.vanish = "1-2";
    x->bus.vanish_from = call;
    x->bus.vanish_slowly = slowly;
}

/* What the kernel tells afterwards, twice, as with the events of its interfaces. */
static bool leave(struct fixture *x, unsigned call)
{
    bool reached = x->bus.calls >= call;

    x->bus.vanish = NULL;
    fake_usb_unplug(&x->bus, "1-2");
    fixture_event(x, "1-2:1.0");
    fixture_event(x, "1-2");
    fixture_event(x, "1-2");
    assert_quiet(x, call);
    assert_null(usb_manager_find(x->m, "1-2"));
    if (fixture_count(x, AUDIT_DEVICE_APPEARED, "1-2") != fixture_count(x, AUDIT_DEVICE_REMOVED, "1-2"))
        fail_msg("call %u: appeared and removed do not match", call);
    return reached;
}

static void on_arrival(struct fixture *x, struct fixture_policy *p)
{
    (void)p;
    fixture_event(x, "1-2");
}

static void while_looked_at(struct fixture *x, struct fixture_policy *p)
{
    (void)p;
    fixture_event(x, "1-2:1.0");
}

static void while_refused(struct fixture *x, struct fixture_policy *p)
{
    p->rules[RULE_STICK].allow = POLICY_REFUSE;
    usb_manager_set_policy(x->m, &p->policy, FIXTURE_NOW);
}

static void while_removed(struct fixture *x, struct fixture_policy *p)
{
    p->rules[RULE_STICK].remove = true;
    while_refused(x, p);
}

static void while_rescanned(struct fixture *x, struct fixture_policy *p)
{
    (void)p;
    assert_int_equal(usb_manager_rescan(x->m, FIXTURE_NOW), 0);
}

static bool run_leaving(unsigned call, unsigned slowly, void (*action)(struct fixture *, struct fixture_policy *))
{
    struct fixture_policy p;
    _fixture_ x = fixture_new(fixture_policy(&p));

    x->m = usb_manager_free(x->m);
    x->patience_us = PATIENCE_US;
    fixture_manage(x, &p.policy);
    assert_int_equal(usb_manager_start(x->m, FIXTURE_NOW), 0);
    if (action == on_arrival)
        fake_usb_plug(&x->bus, &STICK);
    else
        fixture_plug(x, &STICK);
    vanish_at(x, call, slowly);
    action(x, &p);
    return leave(x, call);
}

static void run_all(void (*action)(struct fixture *, struct fixture_policy *), unsigned least)
{
    static const unsigned slowness[] = {0, 1, SLOWNESS};

    for (size_t i = 0; i < ELEMENTS(slowness); i++) {
        unsigned call = 1;

        while (run_leaving(call, slowness[i], action))
            call++;
        assert_true(call > least); /* it was pulled in every place */
    }
}

static void pulled_on_arrival(void **state)
{
    (void)state;
    run_all(on_arrival, 20);
}

static void pulled_while_looked_at(void **state)
{
    (void)state;
    run_all(while_looked_at, 8);
    run_all(while_rescanned, 8);
}

static void pulled_while_refused(void **state)
{
    (void)state;
    run_all(while_refused, 2);
    run_all(while_removed, 3);
}

/* Another device took the port before the first one's removal was told. */
static void the_next_one_is_another(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    struct fake_device next = STRANGER;

    (void)state;
    fixture_plug(x, &STICK);
    fake_usb_unplug(&x->bus, "1-2");
    next.name = "1-2";
    fake_usb_plug(&x->bus, &next);
    usb_manager_set_policy(x->m, &p.policy, FIXTURE_NOW);
    fixture_event(x, "1-2");
    assert_quiet(x, 0);
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_APPEARED, "1-2"), 2);
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_REMOVED, "1-2"), 1);
    assert_false(fixture_authorized(x, "1-2"));
}

/* Its attributes are gone and it is not: nobody can say what that is, so it is refused, with an alarm, once. */
static void an_empty_shell_is_an_alarm(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    fixture_plug(x, &STICK);
    fake_usb_strip(&x->bus, "1-2");
    fixture_event(x, "1-2");
    assert_true(usb_device_failed(fixture_device(x, "1-2")));
    assert_int_equal(usb_device_verdict(fixture_device(x, "1-2"))->kind, VERDICT_DENY);
    assert_true(fixture_count(x, AUDIT_DEVICE_FAILED, "1-2") >= 1);
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_REMOVED, "1-2"), 0);
}

/* A name, serial number or maker that is no longer there is how a device leaves, not another claim. */
static void a_string_that_is_gone_is_no_other_claim(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    fixture_plug(x, &STICK);
    fake_usb_remove(&x->bus, "1-2", "serial");
    fixture_event(x, "1-2");
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_CHANGED, "1-2"), 0);
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_FAILED, "1-2"), 1);
    assert_false(fixture_authorized(x, "1-2"));
}

/* Devices that cannot be read and stay, one after the other: each is an alarm, and the next device does not wait for all of them. What is waited is counted in
 * looks, not by the clock: on a busy machine everything else takes its time as well, of which a part comes back as patience. */
static void patience_is_not_without_end(void **state)
{
    enum {
        ONCE_US = 500 * 1000,
        TIMES = 10,
        LOOK_US = 2 * 1000, /* between two looks of clock_wait_until(), at least */
        OTHER_CALLS = 40,   /* of one arrival, in which nothing is waited for; more than there are */
        COMES_BACK = 4,     /* one part in so many of the time that goes by (usb_manager.c) */
    };
    struct fixture_policy p;
    _fixture_ x = fixture_new(fixture_policy(&p));
    uint64_t began, most_us;

    (void)state;
    x->m = usb_manager_free(x->m);
    x->patience_us = ONCE_US;
    fixture_manage(x, &p.policy);
    assert_int_equal(usb_manager_start(x->m, FIXTURE_NOW), 0);
    began = clock_boottime_us();
    x->bus.calls = 0;
    for (unsigned i = 0; i < TIMES; i++) {
        fake_usb_plug(&x->bus, &STRANGER);
        fake_usb_set_bytes(&x->bus, "1-3", "descriptors", "", 0);
        fixture_event(x, "1-3");
        fixture_unplug(x, "1-3");
    }
    most_us = ONCE_US + (clock_boottime_us() - began) / COMES_BACK;
    assert_in_range(x->bus.calls, 1, TIMES * OTHER_CALLS + most_us / LOOK_US);
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_FAILED, "1-3"), TIMES);
    fixture_plug(x, &STICK);
    assert_true(fixture_authorized(x, "1-2"));
}

static void a_root_hub_may_leave(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    size_t hubs = usb_manager_hubs(x->m);
    unsigned call = 1;
    bool reached = true;

    (void)state;
    while (reached) {
        fake_usb_add_root_hub(&x->bus, "usb2", "0000:00:15.0");
        x->bus.calls = 0;
        x->bus.vanish = "usb2";
        x->bus.vanish_from = call;
        x->bus.vanish_slowly = 0;
        fixture_event(x, "usb2");
        reached = x->bus.calls >= call++;
        x->bus.vanish = NULL;
        fake_usb_unplug(&x->bus, "usb2");
        fixture_event(x, "usb2");
        assert_int_equal(fixture_count(x, AUDIT_DEVICE_FAILED, NULL), 0);
        assert_int_equal(usb_manager_hubs(x->m), hubs);
    }
    assert_true(call > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pulled_on_arrival),          cmocka_unit_test(pulled_while_looked_at),
        cmocka_unit_test(pulled_while_refused),       cmocka_unit_test(the_next_one_is_another),
        cmocka_unit_test(an_empty_shell_is_an_alarm), cmocka_unit_test(a_string_that_is_gone_is_no_other_claim),
        cmocka_unit_test(a_root_hub_may_leave),       cmocka_unit_test(patience_is_not_without_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
