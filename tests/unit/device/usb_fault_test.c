/*
 * Every single call fails once, and from some call on all fail: nothing opens that policy does not permit, and it is reported.
 */
#include "test.h"

#include "device/usb.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "unit/device/usb_fixture.h"

static const int ERRORS[] = {-EINVAL, -ENODEV, -ENOMEM};

/* What may never be, whatever fails: a driver on something forbidden, once the defaults were closed. */
static void assert_closed(struct fixture *x, unsigned call)
{
    if (fake_usb_bound(&x->bus, "1-3:1.0") || fixture_authorized(x, "1-3"))
        fail_msg("call %u: the stranger is open", call);
    if (fake_usb_bound(&x->bus, "1-4:1.0"))
        fail_msg("call %u: the disk of the composite device is open", call);
}

/* Plugs one after the other with call number `call` failing; returns whether that call was reached. */
static bool run_arrivals(unsigned call, unsigned count, int error)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    bool reached;

    x->bus.calls = 0;
    x->bus.fail_from = call;
    x->bus.fail_count = count;
    x->bus.fail_with = error;
    fake_usb_plug(&x->bus, &STICK);
    fake_usb_plug(&x->bus, &STRANGER);
    fake_usb_plug(&x->bus, &COMPOSITE);
    (void)usb_manager_event(x->m, "1-2", FIXTURE_NOW);
    (void)usb_manager_event(x->m, "1-3", FIXTURE_NOW);
    (void)usb_manager_event(x->m, "1-4", FIXTURE_NOW);
    reached = x->bus.calls >= call;
    assert_closed(x, call);
    /* A device that is not fully open although policy permits it was reported, unless memory was short (then it is returned). */
    if (reached && error != -ENOMEM && !fake_usb_bound(&x->bus, "1-2:1.0") &&
        fixture_count(x, AUDIT_DEVICE_FAILED, NULL) == 0)
        fail_msg("call %u: refused in silence", call);
    /* When calls work again, a new policy or a rescan mends it. */
    x->bus.fail_from = 0;
    assert_int_equal(usb_manager_rescan(x->m, FIXTURE_NOW), 0);
    usb_manager_set_policy(x->m, &p.policy, FIXTURE_NOW);
    assert_closed(x, call);
    return reached;
}

static void each_call_on_arrival(void **state)
{
    (void)state;
    for (size_t e = 0; e < ELEMENTS(ERRORS); e++) {
        unsigned call = 1;

        while (run_arrivals(call, 1, ERRORS[e]))
            call++;
        assert_true(call > 50); /* the loop did walk through the calls */
    }
}

static void all_calls_from_one_on(void **state)
{
    unsigned call = 1;

    (void)state;
    while (run_arrivals(call, 1000, -EIO))
        call++;
    assert_true(call > 50);
}

/* At the start devices are open already: a failure must close them or say that it could not. */
static bool run_start(unsigned call, int error)
{
    struct fixture_policy p;
    _fixture_ x = fixture_new(fixture_policy(&p));
    int r;

    fake_usb_plug(&x->bus, &KEYBOARD);
    fake_usb_plug(&x->bus, &STRANGER);
    x->bus.calls = 0;
    x->bus.fail_from = call;
    x->bus.fail_count = 1;
    x->bus.fail_with = error;
    r = usb_manager_start(x->m, FIXTURE_NOW);
    if (x->bus.calls < call)
        return false;
    if (fixture_authorized(x, "1-3") && fixture_count(x, AUDIT_DEVICE_FAILED, NULL) == 0)
        fail_msg("call %u: the stranger stays open in silence", call);
    x->bus.fail_from = 0;
    /* What it could not read as a whole it reads again by itself. */
    if (r < 0)
        usb_manager_tick(x->m, FIXTURE_NOW);
    else
        assert_int_equal(usb_manager_rescan(x->m, FIXTURE_NOW), 0);
    assert_false(fixture_authorized(x, "1-3"));
    assert_true(usb_manager_guarded(x->m));
    usb_manager_set_policy(x->m, &p.policy, FIXTURE_NOW);
    assert_true(fake_usb_bound(&x->bus, "1-1:1.0")); /* nobody is locked out for good */
    return true;
}

static void each_call_at_start(void **state)
{
    (void)state;
    for (size_t e = 0; e < ELEMENTS(ERRORS); e++) {
        unsigned call = 1;

        while (run_start(call, ERRORS[e]))
            call++;
        assert_true(call > 30);
    }
}

/* A new policy refuses a device that is open. */
static bool run_refusal(unsigned call, int error)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    fixture_plug(x, &STICK);
    x->bus.calls = 0;
    x->bus.fail_from = call;
    x->bus.fail_count = 1;
    x->bus.fail_with = error;
    p.rules[RULE_STICK].allow = POLICY_REFUSE;
    usb_manager_set_policy(x->m, &p.policy, FIXTURE_NOW);
    if (x->bus.calls < call)
        return false;
    if (fake_usb_exists(&x->bus, "1-2") && fixture_authorized(x, "1-2"))
        fail_msg("call %u: still open", call);
    return true;
}

static void each_call_of_a_refusal(void **state)
{
    (void)state;
    for (size_t e = 0; e < ELEMENTS(ERRORS); e++) {
        unsigned call = 1;

        while (run_refusal(call, ERRORS[e]))
            call++;
        assert_true(call >= 3);
    }
}

static void what_cannot_be_deauthorized_is_removed(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    fixture_plug(x, &STICK);
    p.rules[RULE_STICK].allow = POLICY_REFUSE;
    x->bus.fail_attribute = "authorized";
    x->bus.fail_with = -EIO;
    usb_manager_set_policy(x->m, &p.policy, FIXTURE_NOW);
    assert_false(fake_usb_exists(&x->bus, "1-2"));
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_FAILED, "1-2"), 1);
}

static void a_write_without_effect_is_a_failure(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    x->bus.ignore_attribute = "authorized";
    fixture_plug(x, &KEYBOARD);
    assert_true(usb_device_failed(fixture_device(x, "1-1")));
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_FAILED, "1-1"), 1);
    x->bus.ignore_attribute = NULL;
    fixture_plug(x, &STICK);
    p.rules[RULE_STICK].allow = POLICY_REFUSE;
    x->bus.ignore_attribute = "authorized";
    usb_manager_set_policy(x->m, &p.policy, FIXTURE_NOW);
    assert_false(fake_usb_exists(&x->bus, "1-2"));
}

static void a_new_policy_reads_the_unreadable_again(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    fake_usb_plug(&x->bus, &KEYBOARD);
    x->bus.calls = 0;
    x->bus.fail_from = 2; /* the first attribute */
    x->bus.fail_count = 1;
    x->bus.fail_with = -EIO;
    fixture_event(x, "1-1");
    assert_true(usb_device_failed(fixture_device(x, "1-1")));
    assert_false(fixture_authorized(x, "1-1"));
    usb_manager_set_policy(x->m, &p.policy, FIXTURE_NOW);
    assert_false(usb_device_failed(fixture_device(x, "1-1")));
    assert_true(fake_usb_bound(&x->bus, "1-1:1.0"));
}

static void a_driver_that_cannot_be_probed(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    x->bus.fail_attribute = "drivers_probe";
    x->bus.fail_with = -ENODEV;
    fixture_plug(x, &KEYBOARD);
    assert_false(fixture_authorized(x, "1-1"));
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_FAILED, "1-1"), 1);
    usb_manager_tick(x->m, FIXTURE_NOW); /* no storm of attempts */
    fixture_event(x, "1-1");
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_FAILED, "1-1"), 1);
    x->bus.fail_attribute = NULL;
    usb_manager_set_policy(x->m, &p.policy, FIXTURE_NOW);
    assert_true(fake_usb_bound(&x->bus, "1-1:1.0"));
}

/* A daemon that died between opening an interface and probing it must not leave a dead keyboard (H9). */
static void start_finishes_what_was_begun(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    fake_usb_plug(&x->bus, &KEYBOARD);
    fake_usb_write(&x->bus, "1-1", NULL, "authorized", "1");
    fake_usb_write(&x->bus, "1-1", "1-1:1.0", "authorized", "1");
    assert_false(fake_usb_bound(&x->bus, "1-1:1.0"));
    x->m = usb_manager_free(x->m);
    fixture_manage(x, &p.policy);
    assert_int_equal(usb_manager_start(x->m, FIXTURE_NOW), 0);
    assert_true(fake_usb_bound(&x->bus, "1-1:1.0"));
    assert_true(fake_usb_bound(&x->bus, "1-1:1.1"));
}

static void a_foreign_state_file_is_kept(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_new(fixture_policy(&p));
    int fd = openat(x->bus.state_fd, "usb-defaults", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "what is this\n", 13), 13);
    close(fd);
    assert_int_equal(usb_manager_start(x->m, FIXTURE_NOW), 0);
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_FAILED, ""), 1);
    assert_true(usb_manager_guarded(x->m)); /* closed all the same */
    assert_int_equal(usb_manager_purge(x->m), -EBADMSG);
    assert_int_equal(faccessat(x->bus.state_fd, "usb-defaults", F_OK, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_on_arrival),
        cmocka_unit_test(all_calls_from_one_on),
        cmocka_unit_test(each_call_at_start),
        cmocka_unit_test(each_call_of_a_refusal),
        cmocka_unit_test(what_cannot_be_deauthorized_is_removed),
        cmocka_unit_test(a_write_without_effect_is_a_failure),
        cmocka_unit_test(a_new_policy_reads_the_unreadable_again),
        cmocka_unit_test(a_driver_that_cannot_be_probed),
        cmocka_unit_test(start_finishes_what_was_begun),
        cmocka_unit_test(a_foreign_state_file_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
