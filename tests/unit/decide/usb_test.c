/* Verdicts for USB devices: each reason, first match, monitor, interfaces, what can be cached, and that zero means no. */
#include "test.h"

#include "decide/decide.h"
#include "unit/decide/fixture.h"

static const struct decide_interface stick_interfaces[] = {{.class_ = 8, .subclass = 6, .protocol = 0x50}},
                                     camera_interfaces[] = {{.class_ = 0x0e, .subclass = 1},
                                                            {.number = 1, .class_ = 0x0e, .subclass = 2},
                                                            {.number = 2, .class_ = 1, .subclass = 1}},
                                     keyboard_interfaces[] = {{.class_ = 3, .subclass = 1, .protocol = 1}};

/* Monday 2026-11-23 10:00 in the office. */
static const struct decide_time office = {.wall_us = INT64_C(1795395600000000), .weekday = 0, .minute = 600};

static struct decide_usb_facts stick(void)
{
    return (struct decide_usb_facts){.vendor = 0x0781,
                                     .product = 0x5583,
                                     .serial = "4C53",
                                     .name = "Ultra",
                                     .manufacturer = "SanDisk",
                                     .port = "1-2",
                                     .connect_type = "hotplug",
                                     .hash = "aa",
                                     .parent_hash = "bb",
                                     .interfaces = stick_interfaces,
                                     .n_interfaces = 1,
                                     .now = office};
}

static const char rules[] =
    "usb:\n"
    "  - {id: nights, refuse: true, match: {device: \"0781:*\"}, when: {from: \"18:00\", to: \"08:00\"}}\n"
    "  - {id: lost, refuse: true, remove: true, match: {serial: LOST}}\n"
    "  - {id: ours, allow: read, match: {device: \"0781:5583\", serial: \"4C53\"}, who: {groups: [kazei]},\n"
    "     when: {days: mon-fri, from: \"08:30\", to: \"17:15\"}, until: 2027-03-31T00:00:00Z}\n"
    "  - {id: open, allow: read, match: {device: \"0781:5583\", serial: FREE}}\n"
    "  - {id: camera, allow: {what: use, interfaces: [\"0e:*:*\"]}, match: {device: \"046d:*\"}}\n"
    "  - {id: watched, allow: read, monitor: true, match: {serial: WATCH}, who: {users: [tanaka]}}\n"
    "  - {id: typed, allow: use, interfaces: {all-of: [\"03:01:01\"]}, connect: hardwired}\n"
    "  - {id: kept, " FIXTURE_EXPORT ", match: {serial: LENT}, unique: ignore}\n";

struct expected {
    enum verdict_kind ruled, kind;
    enum policy_allow allow;
    enum verdict_reason reason;
    const char *rule;
    bool cacheable;
};

static void check(const struct policy *p, const struct decide_usb_facts *facts, const struct expected *e)
{
    struct verdict v = {0};

    decide_usb(p, facts, &v);
    assert_string_equal(v.rule, e->rule);
    assert_string_equal(verdict_reason_name(v.reason), verdict_reason_name(e->reason));
    assert_int_equal(v.ruled, e->ruled);
    assert_int_equal(v.kind, e->kind);
    assert_int_equal(v.allow, e->allow);
    assert_int_equal(v.cacheable, e->cacheable);
    assert_int_equal(v.monitor, v.kind != v.ruled || p->mode == POLICY_MONITOR);
}

static void test_reasons(void **state)
{
    struct policy *p = resolved_policy_of(rules);
    struct decide_usb_facts f = stick();

    (void)state;
    f.persons = &member;
    f.n_persons = 1;
    check(p, &f, &(struct expected){VERDICT_ALLOW, VERDICT_ALLOW, POLICY_READ, REASON_RULE, "ours", false});
    f.persons = &stranger;
    check(p, &f, &(struct expected){0, 0, 0, REASON_WHO, "ours", false});
    f.n_persons = 0;
    check(p, &f, &(struct expected){0, 0, 0, REASON_WHO, "ours", false});
    f.persons = &member;
    f.n_persons = 1;
    f.now.minute = 8 * 60 + 29;
    check(p, &f, &(struct expected){0, 0, 0, REASON_WHEN, "ours", false});
    f.now.minute = 600;
    f.now.weekday = 5;
    check(p, &f, &(struct expected){0, 0, 0, REASON_WHEN, "ours", false});
    f.now = office;
    f.now.minute = 19 * 60; /* the refusing rule's hours */
    check(p, &f, &(struct expected){0, 0, 0, REASON_RULE, "nights", false});
    f.now = office;
    f.now.wall_us = INT64_C(1806451200000000); /* 2027-03-31T00:00:00Z: the last moment still counts */
    check(p, &f, &(struct expected){VERDICT_ALLOW, VERDICT_ALLOW, POLICY_READ, REASON_RULE, "ours", false});
    f.now.wall_us++;
    check(p, &f, &(struct expected){0, 0, 0, REASON_EXPIRED, "ours", false});
    f.now = office;
    f.duplicate = true;
    check(p, &f, &(struct expected){0, 0, 0, REASON_DUPLICATE, "ours", false});
    f = stick();
    f.serial = "other";
    check(p, &f, &(struct expected){0, 0, 0, REASON_DEFAULT, "default", false}); /* nights spoke of it */
    f.vendor = 0x1234;
    check(p, &f, &(struct expected){0, 0, 0, REASON_DEFAULT, "default", true});
    f.serial = "LOST";
    check(p, &f, &(struct expected){0, 0, 0, REASON_RULE, "lost", true});
    f.serial = "LENT";
    f.duplicate = true;
    check(p, &f, &(struct expected){VERDICT_ALLOW, VERDICT_ALLOW, POLICY_EXPORT, REASON_RULE, "kept", true});
    f.n_interfaces = 0;
    check(p, &f, &(struct expected){0, 0, 0, REASON_UNKNOWN, "default", false});
    (void)policy_unref(p);
}

static void test_hardwired_keyboard(void **state)
{
    struct policy *p = resolved_policy_of(rules);
    struct decide_usb_facts f = {
        .vendor = 1, .connect_type = "hardwired", .interfaces = keyboard_interfaces, .n_interfaces = 1, .now = office};

    (void)state;
    check(p, &f, &(struct expected){VERDICT_ALLOW, VERDICT_ALLOW, POLICY_USE, REASON_RULE, "typed", true});
    f.connect_type = "hotplug";
    check(p, &f, &(struct expected){0, 0, 0, REASON_DEFAULT, "default", true});
    f.connect_type = NULL;
    check(p, &f, &(struct expected){0, 0, 0, REASON_DEFAULT, "default", true});
    (void)policy_unref(p);
}

static void test_single_interfaces(void **state)
{
    struct policy *p = resolved_policy_of(rules);
    struct decide_usb_facts f = {.vendor = 0x046d, .interfaces = camera_interfaces, .n_interfaces = 3, .now = office};
    struct verdict v = {0};

    (void)state;
    decide_usb(p, &f, &v);
    assert_string_equal(v.rule, "camera");
    assert_int_equal(v.kind, VERDICT_ALLOW);
    assert_true(decide_usb_interface(p, &v, &camera_interfaces[0]));
    assert_true(decide_usb_interface(p, &v, &camera_interfaces[1]));
    assert_false(decide_usb_interface(p, &v, &camera_interfaces[2]));
    assert_false(decide_usb_interface(p, &(struct verdict){0}, &camera_interfaces[0]));
    v.rule = "gone";
    assert_false(decide_usb_interface(p, &v, &camera_interfaces[0]));
    v.rule = "default";
    assert_false(decide_usb_interface(p, &v, &camera_interfaces[0]));
    f.interfaces = camera_interfaces + 2;
    f.n_interfaces = 1;
    check(p, &f, &(struct expected){0, 0, 0, REASON_INTERFACES, "camera", true});
    (void)policy_unref(p);
}

/* A lent stick that types as well: `read` lets its storage in and nothing else; `use` permits all it can do. */
static void test_read_is_storage(void **state)
{
    static const struct decide_interface typing[] = {{.class_ = 8, .subclass = 6, .protocol = 0x50},
                                                     {.number = 1, .class_ = 3, .subclass = 1, .protocol = 1},
                                                     {.number = 2, .class_ = 0xff}};
    static const struct {
        const char *allow;
        bool storage, keyboard;
    } cases[] = {
        {"allow: read", true, false},
        {"allow: {what: read, interfaces: [\"08:*:*\"]}", true, false},
        {"allow: {what: use, interfaces: [\"03:01:01\"]}", false, true},
        {FIXTURE_EXPORT, true, false},
        {"allow: use", true, true},
        {"allow: read, monitor: true", true, true}, /* refuses nothing */
        {"refuse: true", false, false},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct decide_usb_facts f = stick();
        struct verdict v = {0};
        char text[256];
        struct policy *p;

        (void)snprintf(text, sizeof(text), "usb: [{id: a, match: {serial: \"4C53\"}, %s}]\n", cases[i].allow);
        p = policy_of(text);
        f.interfaces = typing;
        f.n_interfaces = 3;
        decide_usb(p, &f, &v);
        assert_int_equal(decide_usb_interface(p, &v, &typing[0]), cases[i].storage);
        if (decide_usb_interface(p, &v, &typing[1]) != cases[i].keyboard)
            fail_msg("%s", cases[i].allow);
        assert_false(decide_usb_interface(p, &v, &typing[2]) && !strstr(cases[i].allow, "use") && !v.monitor);
        f.interfaces = typing + 1; /* the keyboard alone */
        f.n_interfaces = 1;
        decide_usb(p, &f, &v);
        assert_int_equal(v.ruled == VERDICT_ALLOW, cases[i].keyboard && !v.monitor);
        if (cases[i].storage && !cases[i].keyboard)
            assert_int_equal(v.reason, REASON_INTERFACES);
        (void)policy_unref(p);
    }
}

static void test_monitor(void **state)
{
    struct policy *p = resolved_policy_of(rules);
    struct decide_usb_facts f = stick();
    struct verdict v = {0};

    (void)state;
    f.serial = "WATCH";
    f.persons = &stranger;
    f.n_persons = 1;
    check(p, &f, &(struct expected){VERDICT_DENY, VERDICT_ALLOW, POLICY_USE, REASON_WHO, "watched", false});
    decide_usb(p, &f, &v);
    assert_true(decide_usb_interface(p, &v, &stick_interfaces[0]));
    (void)policy_unref(p);

    p = policy_of("mode: monitor\n");
    f = stick();
    check(p, &f, &(struct expected){VERDICT_DENY, VERDICT_ALLOW, POLICY_USE, REASON_DEFAULT, "default", true});
    f.n_interfaces = 0;
    check(p, &f, &(struct expected){VERDICT_DENY, VERDICT_ALLOW, POLICY_USE, REASON_UNKNOWN, "default", false});
    (void)policy_unref(p);
}

/* The first rule that matches decides, whichever of two orders they stand in. */
static void test_first_match(void **state)
{
    static const char narrow[] = "  - {id: narrow, refuse: true, match: {serial: \"4C53\"}}\n",
                      wide[] = "  - {id: wide, allow: read, match: {device: \"0781:*\"}}\n";
    struct decide_usb_facts f = stick();
    struct verdict v = {0};
    char text[512];
    struct policy *p;

    (void)state;
    (void)snprintf(text, sizeof(text), "usb:\n%s%s", narrow, wide);
    p = policy_of(text);
    decide_usb(p, &f, &v);
    assert_string_equal(v.rule, "narrow");
    assert_int_equal(v.kind, VERDICT_DENY);
    (void)policy_unref(p);
    (void)snprintf(text, sizeof(text), "usb:\n%s%s", wide, narrow);
    p = policy_of(text);
    decide_usb(p, &f, &v);
    assert_string_equal(v.rule, "wide");
    assert_int_equal(v.kind, VERDICT_ALLOW);
    (void)policy_unref(p);
}

static void test_mismatches(void **state)
{
    static const struct {
        const char *match;
        enum decide_mismatch expected;
    } cases[] = {
        {"device: \"0781:5584\"", MISMATCH_DEVICE},
        {"serial: x", MISMATCH_SERIAL},
        {"serial: {none-of: [\"4C53\"]}", MISMATCH_SERIAL},
        {"name: x", MISMATCH_NAME},
        {"hash: x", MISMATCH_HASH},
        {"parent-hash: x", MISMATCH_PARENT_HASH},
        {"port: 1-3", MISMATCH_PORT},
        {"via-port: [1-3, 1-2.1]", MISMATCH_PORT},
        {"connect-type: hardwired", MISMATCH_CONNECT_TYPE},
        {"interfaces: [\"03:01:01\"]", MISMATCH_INTERFACES},
        {"device: \"0781:5583\", serial: \"4C53\", name: Ultra, hash: aa, parent-hash: bb, port: [1-3, 1-2], "
         "connect-type: hotplug, interfaces: [\"08:06:50\"]",
         MISMATCH_NONE},
        {"device: \"0781:5583\", serial: y, interfaces: [\"03:01:01\"]", MISMATCH_SERIAL},
    };
    struct decide_usb_facts f = stick();

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char text[512];
        struct policy *p;
        struct verdict v = {0};

        (void)snprintf(text, sizeof(text), "usb: [{id: a, allow: read, match: {%s}}]\n", cases[i].match);
        p = policy_of(text);
        assert_string_equal(decide_mismatch_name(decide_usb_mismatch(p, 0, &f)),
                            decide_mismatch_name(cases[i].expected));
        decide_usb(p, &f, &v);
        assert_int_equal(v.kind == VERDICT_ALLOW, cases[i].expected == MISMATCH_NONE);
        (void)policy_unref(p);
    }
}

static void test_conditions_of_refusals_select(void **state)
{
    static const struct {
        const char *condition;
        enum decide_mismatch expected;
    } cases[] = {{"who: {users: [tanaka]}", MISMATCH_WHO},
                 {"when: {days: sun}", MISMATCH_WHEN},
                 {"until: 2026-01-01", MISMATCH_EXPIRED}};
    struct decide_usb_facts f = stick();

    (void)state;
    f.persons = &member;
    f.n_persons = 1;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char text[512];
        struct policy *p;
        struct verdict v = {0};

        (void)snprintf(text, sizeof(text), "usb: [{id: a, refuse: true, %s}, {id: b, allow: read}]\n",
                       cases[i].condition);
        p = resolved_policy_of(text);
        assert_int_equal(decide_usb_mismatch(p, 0, &f), cases[i].expected);
        decide_usb(p, &f, &v);
        assert_string_equal(v.rule, "b");
        assert_false(v.cacheable); /* another person or another hour is refused by a */
        (void)policy_unref(p);
    }
}

static void test_emergency(void **state)
{
    struct policy *p = policy_of("zone: mynumber\n");
    struct decide_usb_facts f = stick();
    struct verdict v = {0};

    (void)state;
    f.emergency = true;
    decide_usb(p, &f, &v);
    assert_int_equal(v.kind, VERDICT_DENY);
    f.interfaces = keyboard_interfaces;
    decide_usb(p, &f, &v);
    assert_int_equal(v.kind, VERDICT_ALLOW);
    assert_string_equal(v.rule, DECIDE_RULE_EMERGENCY);
    assert_true(decide_usb_interface(p, &v, &keyboard_interfaces[0]));
    assert_false(decide_usb_interface(p, &v, &stick_interfaces[0]));
    f.n_interfaces = 0;
    decide_usb(p, &f, &v);
    assert_int_equal(v.kind, VERDICT_DENY);
    (void)policy_unref(p);
}

static void test_zero_means_no(void **state)
{
    static const struct policy nothing;
    struct decide_usb_facts f = stick(), none = {0};
    struct policy *all = policy_of("usb: [{id: all, allow: use}]\n");
    struct policy_usb_rule zero_rule = {.id = (char *)(uintptr_t) "zero"};
    const struct policy with_zero_rule = {.usb = &zero_rule, .n_usb = 1};
    struct verdict v = {.kind = VERDICT_ALLOW, .ruled = VERDICT_ALLOW, .allow = POLICY_USE, .cacheable = true};

    (void)state;
    assert_int_equal((struct verdict){0}.kind, VERDICT_DENY);
    assert_int_equal((struct verdict){0}.allow, POLICY_REFUSE);
    decide_usb(&nothing, &f, &v);
    assert_int_equal(v.kind, VERDICT_DENY);
    assert_int_equal(v.allow, POLICY_REFUSE);
    assert_string_equal(v.rule, "default");
    decide_usb(&with_zero_rule, &f, &v); /* a rule without verdict refuses everything */
    assert_int_equal(v.kind, VERDICT_DENY);
    decide_usb(all, &none, &v); /* even where everything is permitted, what is not known is not */
    assert_int_equal(v.kind, VERDICT_DENY);
    assert_int_equal(v.reason, REASON_UNKNOWN);
    decide_usb(all, &f, &v);
    assert_int_equal(v.kind, VERDICT_ALLOW);
    (void)policy_unref(all);
}

static void test_usbguard_hashes(void **state)
{
    struct policy *p = resolved_policy_of(
        "usb:\n"
        "  - {id: gone, refuse: true, match: {usbguard-hash: {one-of: [\"x=\", \"h=\"]}, usbguard-parent-hash: \"q=\"}}\n"
        "  - {id: moved, allow: use, match: {usbguard-hash: \"h=\", usbguard-parent-hash: {none-of: [\"p=\"]}}}\n");
    struct decide_usb_facts f = stick();

    (void)state;
    check(p, &f, &(struct expected){0, 0, 0, REASON_DEFAULT, "default", true}); /* not known */
    assert_int_equal(decide_usb_mismatch(p, 1, &f), MISMATCH_USBGUARD_HASH);
    f.usbguard_hash = "h=";
    f.usbguard_parent_hash = "other=";
    check(p, &f, &(struct expected){VERDICT_ALLOW, VERDICT_ALLOW, POLICY_USE, REASON_RULE, "moved", true});
    f.usbguard_parent_hash = "p=";
    check(p, &f, &(struct expected){0, 0, 0, REASON_DEFAULT, "default", true});
    assert_int_equal(decide_usb_mismatch(p, 1, &f), MISMATCH_USBGUARD_PARENT_HASH);
    assert_string_equal(decide_mismatch_name(MISMATCH_USBGUARD_PARENT_HASH), "usbguard-parent-hash");
    f.usbguard_parent_hash = "q=";
    check(p, &f, &(struct expected){0, 0, 0, REASON_RULE, "gone", true});
    (void)policy_unref(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reasons),           cmocka_unit_test(test_hardwired_keyboard),
        cmocka_unit_test(test_single_interfaces), cmocka_unit_test(test_read_is_storage),
        cmocka_unit_test(test_monitor),           cmocka_unit_test(test_first_match),
        cmocka_unit_test(test_mismatches),        cmocka_unit_test(test_conditions_of_refusals_select),
        cmocka_unit_test(test_emergency),         cmocka_unit_test(test_zero_means_no),
        cmocka_unit_test(test_usbguard_hashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
