/* What is plugged in becomes what policy says, at the start, on arrival and when policy, people or the hour change. */
#include "test.h"

#include "device/usb.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/files.h"
#include "unit/device/usb_fixture.h"

static void root_hubs_are_closed_and_remembered(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    _cleanup_free_ char *saved = NULL;

    (void)state;
    assert_string_equal(fake_usb_get(&x->bus, "usb1", NULL, "authorized_default"), "0");
    assert_string_equal(fake_usb_get(&x->bus, "usb1", NULL, "interface_authorized_default"), "0");
    assert_true(usb_manager_guarded(x->m));
    assert_int_equal(usb_manager_hubs(x->m), 1);
    assert_int_equal(usb_manager_count(x->m), 0);
    assert_int_equal(x->n, 0);

    /* A second start finds its own zeros and must not take them for the previous values. */
    x->m = usb_manager_free(x->m);
    assert_string_equal(fake_usb_get(&x->bus, "usb1", NULL, "authorized_default"), "0");
    fixture_manage(x, &p.policy);
    assert_int_equal(usb_manager_start(x->m, FIXTURE_NOW), 0);
    assert_int_equal(files_read_text_at(x->bus.state_fd, "usb-defaults", 4096, &saved), 0);
    assert_string_equal(saved, "kuraban-usb-defaults/1\n1 1 devices/pci0000:00/0000:00:14.0/usb1");
    assert_int_equal(usb_manager_purge(x->m), 0);
    assert_string_equal(fake_usb_get(&x->bus, "usb1", NULL, "authorized_default"), "1");
    assert_string_equal(fake_usb_get(&x->bus, "usb1", NULL, "interface_authorized_default"), "1");
    assert_int_equal(faccessat(x->bus.state_fd, "usb-defaults", F_OK, 0), -1);
}

static void purge_puts_back_what_was(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_new(fixture_policy(&p));

    (void)state;
    fake_usb_set(&x->bus, "usb1", NULL, "authorized_default", "2");
    fake_usb_add_root_hub(&x->bus, "usb2", "0000:00:14.0");
    fake_usb_set(&x->bus, "usb2", NULL, "interface_authorized_default", "0");
    assert_int_equal(usb_manager_start(x->m, FIXTURE_NOW), 0);
    fake_usb_add_root_hub(&x->bus, "usb10", "0000:03:00.0"); /* hot-plugged controller */
    fixture_event(x, "usb10");
    assert_int_equal(usb_manager_hubs(x->m), 3);
    assert_string_equal(fake_usb_get(&x->bus, "usb10", NULL, "authorized_default"), "0");

    x->m = usb_manager_free(x->m);
    fixture_manage(x, &p.policy); /* purge needs no start */
    assert_int_equal(usb_manager_purge(x->m), 0);
    assert_string_equal(fake_usb_get(&x->bus, "usb1", NULL, "authorized_default"), "2");
    assert_string_equal(fake_usb_get(&x->bus, "usb1", NULL, "interface_authorized_default"), "1");
    assert_string_equal(fake_usb_get(&x->bus, "usb2", NULL, "authorized_default"), "1");
    assert_string_equal(fake_usb_get(&x->bus, "usb2", NULL, "interface_authorized_default"), "0");
    assert_string_equal(fake_usb_get(&x->bus, "usb10", NULL, "authorized_default"), "1");
}

static void machine_without_usb(void **state)
{
    struct fixture_policy p;
    _cleanup_(fixture_freep) struct fixture *x = calloc(1, sizeof(*x));

    (void)state;
    assert_non_null(x);
    fake_usb_init(&x->bus, false);
    fixture_manage(x, fixture_policy(&p));
    assert_int_equal(usb_manager_start(x->m, FIXTURE_NOW), USB_MANAGER_E_NO_BUS);
    assert_int_equal(usb_manager_hubs(x->m), 0);
    assert_int_equal(usb_manager_count(x->m), 0);
    assert_int_equal(usb_manager_rescan(x->m, FIXTURE_NOW), USB_MANAGER_E_NO_BUS);
    assert_int_equal(usb_manager_purge(x->m), 0);
    assert_int_equal(x->n, 0);
}

static void present_devices_are_decided(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_new(fixture_policy(&p));

    (void)state;
    fake_usb_plug(&x->bus, &KEYBOARD); /* the hub still opens everything */
    fake_usb_plug(&x->bus, &STRANGER);
    assert_true(fake_usb_bound(&x->bus, "1-3:1.0"));
    assert_int_equal(usb_manager_start(x->m, FIXTURE_NOW), 0);

    assert_true(fixture_authorized(x, "1-1"));
    assert_true(fake_usb_bound(&x->bus, "1-1:1.0"));
    assert_true(fake_usb_bound(&x->bus, "1-1:1.1"));
    assert_false(fixture_authorized(x, "1-3"));
    assert_false(fake_usb_bound(&x->bus, "1-3:1.0"));
    assert_true(usb_device_present_at_start(fixture_device(x, "1-1")));
    assert_string_equal(fixture_last(x, AUDIT_DEVICE_DECIDED, "1-3")->rule, "default");
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_FAILED, NULL), 0);

    fixture_plug(x, &STICK);
    assert_false(usb_device_present_at_start(fixture_device(x, "1-2")));
}

static void permitted_device_is_opened(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    const struct usb_device *d;

    (void)state;
    fixture_plug(x, &STICK);
    assert_true(fixture_authorized(x, "1-2"));
    assert_true(fake_usb_bound(&x->bus, "1-2:1.0"));
    d = fixture_device(x, "1-2");
    assert_int_equal(usb_device_verdict(d)->kind, VERDICT_ALLOW);
    assert_int_equal(usb_device_verdict(d)->allow, POLICY_READ);
    assert_string_equal(usb_device_verdict(d)->rule, "stick");
    assert_int_equal(usb_device_vendor(d), 0x0781);
    assert_string_equal(usb_device_serial(d), "S1");
    assert_string_equal(usb_device_connect_type(d), "hotplug");
    assert_string_equal(usb_device_removable(d), "removable");
    assert_int_equal(strlen(usb_device_hash(d)), 64);
    assert_int_equal(strlen(usb_device_parent_hash(d)), 64);
    assert_memory_equal(usb_device_id(d), usb_device_hash(d), 16);
    assert_string_equal(usb_device_id(d) + 16, "@1-2");
    assert_true(usb_device_authorized(d));
    assert_true(usb_device_interface_authorized(d, 0));
    assert_int_equal(x->n, 2);
    assert_int_equal(x->reports[0].action, AUDIT_DEVICE_APPEARED);
    assert_int_equal(x->reports[1].action, AUDIT_DEVICE_DECIDED);
}

static void refused_device_is_never_touched(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    x->bus.writes = 0;
    fixture_plug(x, &STRANGER);
    assert_false(fixture_authorized(x, "1-3"));
    assert_int_equal(x->bus.writes, 0);
    assert_int_equal(fixture_last(x, AUDIT_DEVICE_DECIDED, "1-3")->verdict.kind, VERDICT_DENY);
}

static void refused_device_is_removed_on_demand(void **state)
{
    static char id[] = "out";
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    p.rules[RULE_STICK] = (struct policy_usb_rule){.id = id, .remove = true, .when = {.from = -1, .to = -1}};
    fixture_plug(x, &STRANGER);
    assert_false(fake_usb_exists(&x->bus, "1-3"));
    fixture_event(x, "1-3");
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_REMOVED, "1-3"), 1);
    assert_int_equal(usb_manager_count(x->m), 0);
}

static void no_authorization(struct fake_usb *f, const char *name, const char *interface, const char *attribute,
                             const char *value)
{
    (void)f;
    (void)interface;
    if (strcmp(name, "1-2") == 0 && strcmp(attribute, "authorized") == 0)
        fail_msg("authorized=%s was written", value);
}

/* The machine may run from it: a rule that lets a disk be read takes nothing from it on the way, not even for a moment. */
static void a_disk_that_runs_is_left_alone(void **state)
{
    struct fixture_policy p;
    struct policy *policy = fixture_policy(&p);
    _fixture_ x = fixture_new(policy);

    (void)state;
    assert_int_equal(p.rules[RULE_STICK].allow, POLICY_READ);
    fake_usb_plug(&x->bus, &STICK);
    assert_true(fake_usb_bound(&x->bus, "1-2:1.0"));
    x->bus.written = no_authorization;
    assert_int_equal(usb_manager_start(x->m, FIXTURE_NOW), 0);
    usb_manager_set_policy(x->m, policy, FIXTURE_NOW);
    assert_int_equal(usb_manager_rescan(x->m, FIXTURE_NOW), 0);
    assert_true(fake_usb_bound(&x->bus, "1-2:1.0"));
    assert_true(usb_device_interface_authorized(fixture_device(x, "1-2"), 0));
}

static void composite_keeps_its_keyboard_and_loses_its_disk(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_new(fixture_policy(&p));
    struct fake_device other = COMPOSITE;

    (void)state;
    fake_usb_plug(&x->bus, &COMPOSITE); /* present, disk already bound */
    assert_int_equal(usb_manager_start(x->m, FIXTURE_NOW), 0);
    assert_true(fixture_authorized(x, "1-4"));
    assert_false(fake_usb_bound(&x->bus, "1-4:1.0"));
    assert_true(fake_usb_bound(&x->bus, "1-4:1.1"));

    other.name = "1-6"; /* and one that comes later */
    other.serial = "C2";
    fixture_plug(x, &other);
    assert_false(fake_usb_bound(&x->bus, "1-6:1.0"));
    assert_true(fake_usb_bound(&x->bus, "1-6:1.1"));
    assert_false(usb_device_interface_authorized(fixture_device(x, "1-6"), 0));
    assert_true(usb_device_interface_authorized(fixture_device(x, "1-6"), 1));
}

static void interface_needs_all_its_alternates(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    struct fake_device d = COMPOSITE;

    (void)state;
    d.interfaces[0] = (struct fake_interface){0, 0, 3, 1, 1};
    d.interfaces[1] = (struct fake_interface){0, 1, 8, 6, 0x50}; /* a keyboard that can become a disk */
    d.interfaces[2] = (struct fake_interface){1, 0, 3, 1, 1};
    d.n_interfaces = 3;
    fixture_plug(x, &d);
    assert_false(fake_usb_bound(&x->bus, "1-4:1.0"));
    assert_true(fake_usb_bound(&x->bus, "1-4:1.1"));
}

static void composite_is_refused_where_the_bus_opens_interfaces(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_new(fixture_policy(&p));

    (void)state;
    x->bus.fail_attribute = "interface_authorized_default";
    x->bus.fail_with = -EINVAL;
    assert_int_equal(usb_manager_start(x->m, FIXTURE_NOW), 0);
    assert_false(usb_manager_guarded(x->m));
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_FAILED, ""), 1);
    fixture_plug(x, &COMPOSITE);
    assert_false(fixture_authorized(x, "1-4"));
    assert_true(usb_device_failed(fixture_device(x, "1-4")));
    fixture_plug(x, &KEYBOARD); /* wholly permitted: no harm */
    assert_true(fixture_authorized(x, "1-1"));
}

static void malformed_descriptors_are_refused(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    fake_usb_plug(&x->bus, &STICK);
    fake_usb_set_bytes(&x->bus, "1-2", "descriptors", "\x12\x01", 2);
    fixture_event(x, "1-2");
    assert_false(fixture_authorized(x, "1-2"));
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_FAILED, "1-2"), 1);
    assert_int_equal(usb_device_verdict(fixture_device(x, "1-2"))->reason, REASON_UNKNOWN);

    fake_usb_plug(&x->bus, &KEYBOARD);
    fake_usb_set(&x->bus, "1-1", NULL, "idProduct", "c31d"); /* not what the descriptor says */
    fixture_event(x, "1-1");
    assert_false(fixture_authorized(x, "1-1"));

    fake_usb_plug(&x->bus, &HUB);
    fake_usb_set(&x->bus, "1-5", NULL, "idVendor", "05e4");
    fixture_event(x, "1-5");
    assert_false(fixture_authorized(x, "1-5"));
}

static void foreign_strings_are_made_printable(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    struct fake_device d = STRANGER;

    (void)state;
    d.serial = "a\x1b[2J\nb";
    d.product_name = "\xff\xfe";
    fixture_plug(x, &d);
    assert_string_equal(usb_device_serial(fixture_device(x, "1-3")), "a\\x1b[2J\\x0ab");
    assert_string_equal(usb_device_name(fixture_device(x, "1-3")), "\\xff\\xfe");
}

static void monitor_mode_opens_and_says_so(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_new(fixture_policy(&p));

    (void)state;
    p.policy.mode = POLICY_MONITOR;
    fake_usb_plug(&x->bus, &STRANGER);
    assert_int_equal(usb_manager_start(x->m, FIXTURE_NOW), 0);
    assert_true(fake_usb_bound(&x->bus, "1-3:1.0"));
    fixture_plug(x, &COMPOSITE);
    assert_true(fake_usb_bound(&x->bus, "1-4:1.0"));
    assert_true(fake_usb_bound(&x->bus, "1-4:1.1"));
    fake_usb_plug(&x->bus, &STICK);
    fake_usb_set_bytes(&x->bus, "1-2", "descriptors", "\x12\x01", 2);
    fixture_event(x, "1-2");
    assert_true(fixture_authorized(x, "1-2")); /* nothing is refused, but said */
    assert_int_equal(fixture_last(x, AUDIT_DEVICE_DECIDED, "1-2")->verdict.ruled, VERDICT_DENY);
    assert_int_equal(fixture_last(x, AUDIT_DEVICE_DECIDED, "1-3")->verdict.kind, VERDICT_ALLOW);
    assert_int_equal(fixture_last(x, AUDIT_DEVICE_DECIDED, "1-3")->verdict.ruled, VERDICT_DENY);
}

/* The keyboard with a disk in it, of which the rule permits the keyboard alone. */
static void monitor_tells_of_interfaces(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    const struct fixture_report *last;

    (void)state;
    fixture_plug(x, &COMPOSITE);
    last = fixture_last(x, AUDIT_DEVICE_DECIDED, "1-4");
    assert_string_equal(last->message, "interfaces that are refused: 08:06:50");
    assert_int_equal(last->verdict.ruled, VERDICT_ALLOW);
    assert_false(fake_usb_bound(&x->bus, "1-4:1.0"));
    /* The rule alone, then the whole policy. */
    for (int i = 0; i < 2; i++) {
        struct fixture_policy q;

        fixture_policy(&q);
        q.rules[RULE_MIXED].monitor = i == 0;
        q.policy.mode = i == 0 ? POLICY_ENFORCE : POLICY_MONITOR;
        usb_manager_set_policy(x->m, &q.policy, FIXTURE_NOW);
        last = fixture_last(x, AUDIT_DEVICE_DECIDED, "1-4");
        assert_string_equal(last->message, "interfaces that would be refused: 08:06:50");
        assert_int_equal(last->verdict.kind, VERDICT_ALLOW);
        assert_int_equal(last->verdict.ruled, VERDICT_DENY);
        assert_int_equal(last->verdict.reason, REASON_INTERFACES);
        assert_true(fake_usb_bound(&x->bus, "1-4:1.0"));
        assert_true(fake_usb_bound(&x->bus, "1-4:1.1"));
        usb_manager_set_policy(x->m, &p.policy, FIXTURE_NOW);
        assert_false(fake_usb_bound(&x->bus, "1-4:1.0"));
    }
}

static void new_policy_decides_again(void **state)
{
    struct fixture_policy p, q;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    fixture_plug(x, &KEYBOARD);
    fixture_plug(x, &STICK);
    fixture_plug(x, &COMPOSITE);
    fixture_policy(&q);
    q.rules[RULE_STICK].allow = POLICY_REFUSE;
    q.rules[RULE_MIXED].only = (struct policy_interfaces){.items = STORAGE, .n = 1, .op = POLICY_SET_ONE_OF};
    usb_manager_set_policy(x->m, &q.policy, FIXTURE_NOW);
    memset(&p, 0xff, sizeof(p)); /* nothing may point into the old one */
    assert_true(fake_usb_bound(&x->bus, "1-1:1.0"));
    assert_false(fixture_authorized(x, "1-2"));
    assert_true(fake_usb_bound(&x->bus, "1-4:1.0")); /* the same verdict, other interfaces */
    assert_false(fake_usb_bound(&x->bus, "1-4:1.1"));
    assert_string_equal(usb_device_verdict(fixture_device(x, "1-1"))->rule, "input");

    fixture_policy(&p);
    usb_manager_set_policy(x->m, &p.policy, FIXTURE_NOW);
    assert_true(fake_usb_bound(&x->bus, "1-2:1.0"));
    assert_true(fake_usb_bound(&x->bus, "1-4:1.1"));
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_DECIDED, "1-2"), 3);
}

static void people_decide(void **state)
{
    static uid_t clerk = 1001;
    struct decide_person person = {.uid = 1001, .login_uid = 1001};
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    p.rules[RULE_STICK].who = (struct policy_who){.uids = &clerk, .n_uids = 1, .restricted = true};
    fixture_plug(x, &STICK);
    assert_false(fixture_authorized(x, "1-2"));
    assert_int_equal(usb_device_verdict(fixture_device(x, "1-2"))->reason, REASON_WHO);
    assert_int_equal(usb_manager_set_persons(x->m, &person, 1, FIXTURE_NOW), 0);
    assert_true(fake_usb_bound(&x->bus, "1-2:1.0"));
    assert_int_equal(usb_manager_set_persons(x->m, NULL, 0, FIXTURE_NOW), 0);
    assert_false(fixture_authorized(x, "1-2"));
}

static void hours_and_ends_decide(void **state)
{
    const int64_t minute = INT64_C(60) * 1000000;
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    unsigned writes;

    (void)state;
    p.rules[RULE_STICK].when = (struct policy_when){.from = 10 * 60, .to = 10 * 60 + 5, .restricted = true};
    p.rules[RULE_INPUT].until_us = FIXTURE_NOW + 10 * minute;
    fixture_plug(x, &STICK);
    fixture_plug(x, &KEYBOARD);
    assert_true(fixture_authorized(x, "1-2"));
    writes = x->bus.writes;
    usb_manager_tick(x->m, FIXTURE_NOW + 4 * minute);
    assert_true(fixture_authorized(x, "1-2"));
    assert_int_equal(x->bus.writes, writes);
    usb_manager_tick(x->m, FIXTURE_NOW + 5 * minute);
    assert_false(fixture_authorized(x, "1-2"));
    assert_int_equal(usb_device_verdict(fixture_device(x, "1-2"))->reason, REASON_WHEN);
    assert_true(fixture_authorized(x, "1-1"));
    p.policy.not_before_us = FIXTURE_NOW + 11 * minute; /* the clock is behind what is known of the time */
    usb_manager_tick(x->m, FIXTURE_NOW);
    assert_true(fixture_authorized(x, "1-2")); /* hours are the clock's */
    assert_false(fixture_authorized(x, "1-1"));
    p.policy.not_before_us = 0;
    usb_manager_tick(x->m, FIXTURE_NOW);
    assert_true(fixture_authorized(x, "1-1"));
    usb_manager_tick(x->m, FIXTURE_NOW + 11 * minute);
    assert_false(fixture_authorized(x, "1-1"));
    assert_int_equal(usb_device_verdict(fixture_device(x, "1-1"))->reason, REASON_EXPIRED);
}

static void emergency_opens_input_and_nothing_else(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    p.policy.n_usb = 0;
    fixture_plug(x, &KEYBOARD);
    fixture_plug(x, &STICK);
    fixture_plug(x, &COMPOSITE);
    assert_false(fixture_authorized(x, "1-1"));
    usb_manager_set_emergency(x->m, true, FIXTURE_NOW);
    assert_true(fake_usb_bound(&x->bus, "1-1:1.0"));
    assert_false(fixture_authorized(x, "1-2"));
    assert_false(fixture_authorized(x, "1-4")); /* a keyboard with a disk is not an input device */
    usb_manager_set_emergency(x->m, false, FIXTURE_NOW);
    assert_false(fixture_authorized(x, "1-1"));
}

static void two_claim_one_identity(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    struct fake_device clone = STICK, mouse = KEYBOARD;

    (void)state;
    p.rules[RULE_STICK].unique_serial = true;
    clone.name = "1-6";
    fixture_plug(x, &STICK);
    fixture_plug(x, &clone);
    assert_true(fixture_authorized(x, "1-2"));
    assert_false(fixture_authorized(x, "1-6"));
    assert_true(usb_device_duplicate(fixture_device(x, "1-6")));
    assert_int_equal(usb_device_verdict(fixture_device(x, "1-6"))->reason, REASON_DUPLICATE);
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_CHANGED, "1-2"), 1); /* both are reported */
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_DECIDED, "1-6"), 1);
    clone.name = "1-8";
    fixture_plug(x, &clone);
    assert_false(fixture_authorized(x, "1-8"));
    fixture_unplug(x, "1-2");
    assert_true(fixture_authorized(x, "1-6")); /* the earliest of those that are there */
    assert_false(fixture_authorized(x, "1-8"));

    mouse.name = "1-7"; /* without serial: equal models, no claim */
    fixture_plug(x, &KEYBOARD);
    fixture_plug(x, &mouse);
    assert_false(usb_device_duplicate(fixture_device(x, "1-7")));
}

static void duplicate_by_port(void **state)
{
    static char port[] = "1-2";
    static char *ports[] = {port};
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    struct fake_device clone = STICK;

    (void)state;
    p.rules[RULE_STICK].match.ports = (struct policy_strings){.items = ports, .n = 1, .op = POLICY_SET_ONE_OF};
    clone.name = "1-6";
    fixture_plug(x, &clone);
    fixture_plug(x, &STICK);
    assert_false(fixture_authorized(x, "1-6"));
    assert_true(fixture_authorized(x, "1-2"));
    assert_true(usb_device_duplicate(fixture_device(x, "1-2")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_hubs_are_closed_and_remembered),
        cmocka_unit_test(purge_puts_back_what_was),
        cmocka_unit_test(machine_without_usb),
        cmocka_unit_test(present_devices_are_decided),
        cmocka_unit_test(permitted_device_is_opened),
        cmocka_unit_test(refused_device_is_never_touched),
        cmocka_unit_test(refused_device_is_removed_on_demand),
        cmocka_unit_test(a_disk_that_runs_is_left_alone),
        cmocka_unit_test(composite_keeps_its_keyboard_and_loses_its_disk),
        cmocka_unit_test(interface_needs_all_its_alternates),
        cmocka_unit_test(composite_is_refused_where_the_bus_opens_interfaces),
        cmocka_unit_test(malformed_descriptors_are_refused),
        cmocka_unit_test(foreign_strings_are_made_printable),
        cmocka_unit_test(monitor_mode_opens_and_says_so),
        cmocka_unit_test(monitor_tells_of_interfaces),
        cmocka_unit_test(new_policy_decides_again),
        cmocka_unit_test(people_decide),
        cmocka_unit_test(hours_and_ends_decide),
        cmocka_unit_test(emergency_opens_input_and_nothing_else),
        cmocka_unit_test(two_claim_one_identity),
        cmocka_unit_test(duplicate_by_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
