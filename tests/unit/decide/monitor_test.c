/*
 * Monitor mode in every part that decides: what enforce refuses is ruled the same, with the same rule and reason, and let pass; a rule
 * that alone is in monitor lifts its own refusals and no other's.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "decide/decide.h"
#include "unit/decide/fixture.h"

static const struct decide_time night = {.wall_us = INT64_C(1795395600000000), .weekday = 6, .minute = 120};

enum part {
    USB,
    TWIN,      /* of a device that is there already */
    INTERFACE, /* of a device that is permitted: the keyboard in the stick */
    MEDIUM,
    USB_MEDIUM, /* under the rule of its device */
    MOUNT,
    READ, /* opens */
    WRITE,
    EXECUTE,
    STORE,
};

struct refusal {
    enum part part;
    const char *body; /* '@' becomes ", monitor: true" for the rule alone; without one no rule decides */
    enum verdict_reason reason;
    const char *rule;
};

#define STICK "usb: [{id: r, allow: read, match: {serial: A}"
#define PROGRAM "programs: [{path: /opt/a}"
#define HASHED "programs: [{path: /opt/a, sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}]"

static const struct refusal refusals[] = {
    {USB, "usb: [{id: r, refuse: true@}]", REASON_RULE, "r"},
    {USB, "usb: [{id: r, refuse: true, remove: true@}]", REASON_RULE, "r"},
    {USB, "usb: []", REASON_DEFAULT, "default"},
    {USB, STICK ", who: {users: [tanaka]}@}]", REASON_WHO, "r"},
    {USB, STICK ", when: {days: mon-fri}@}]", REASON_WHEN, "r"},
    {USB, STICK ", until: 2020-03-31@}]", REASON_EXPIRED, "r"},
    {TWIN, STICK ", unique: refuse@}]", REASON_DUPLICATE, "r"},
    {USB, "usb: [{id: r, allow: {what: use, interfaces: [\"07:*:*\"]}@}]", REASON_INTERFACES, "r"},
    {INTERFACE, STICK "@}]", REASON_INTERFACES, "r"},
    {INTERFACE, "usb: [{id: r, allow: {what: use, interfaces: [\"08:*:*\"]}@}]", REASON_INTERFACES, "r"},
    {MEDIUM, "media: {optical: refuse}", REASON_RULE, "media.optical"},
    {MEDIUM, "media: {optical: read, rules: [{id: r, refuse: true@}]}", REASON_RULE, "r"},
    {MEDIUM, "media: {rules: [{id: r, allow: read, who: {users: [tanaka]}@}]}", REASON_WHO, "r"},
    {MEDIUM, "media: {rules: [{id: r, allow: read, when: {days: mon-fri}@}]}", REASON_WHEN, "r"},
    {MEDIUM, "media: {rules: [{id: r, allow: read, medium: {luks-only: true}@}]}", REASON_ENCRYPTION, "r"},
    {MEDIUM, "media: {rules: [{id: r, allow: read, medium: {filesystem: ext4}@}]}", REASON_FILESYSTEM, "r"},
    {MEDIUM, "media: {rules: [{id: r, allow: read, medium: {capacity-max: 1M}@}]}", REASON_CAPACITY, "r"},
    {USB_MEDIUM, "usb: [{id: r, refuse: true@}]", REASON_RULE, "r"},
    {USB_MEDIUM, STICK ", medium: {luks-only: true}@}]", REASON_ENCRYPTION, "r"},
    {USB_MEDIUM, STICK "}]\nmedia: {rules: [{id: m, refuse: true@}]}", REASON_RULE, "m"},
    {MOUNT, "media: {network: refuse}", REASON_RULE, "media.network"},
    {READ, STICK ", who: {users: [tanaka]}@}]", REASON_WHO, "r"},
    {READ, STICK ", when: {days: mon-fri}@}]", REASON_WHEN, "r"},
    {WRITE, STICK "@}]", REASON_WRITE, "r"},
    {EXECUTE, STICK "@}]", REASON_EXECUTE, "r"},
    {STORE, "stores: [{id: r, path: /srv@}]", REASON_PROGRAM, "r"},
    {STORE, "stores: [{id: r, path: /srv, " HASHED "@}]", REASON_HASH, "r"},
    {STORE, "stores: [{id: r, path: /srv, " PROGRAM "], who: {users: [tanaka]}@}]", REASON_WHO, "r"},
    {STORE, "stores: [{id: r, path: /srv, " PROGRAM "], when: {days: mon-fri}@}]", REASON_WHEN, "r"},
};

static struct policy *policy_in(const char *body, const char *mode, bool rule_alone)
{
    char text[1024];
    int n = snprintf(text, sizeof(text), "mode: %s\n", mode);

    for (const char *at = body; *at; at++)
        n += *at == '@' ? snprintf(text + n, sizeof(text) - (size_t)n, "%s", rule_alone ? ", monitor: true" : "")
                        : snprintf(text + n, sizeof(text) - (size_t)n, "%c", *at);
    return resolved_policy_of(text);
}

static const struct decide_interface typing_stick[] = {{.class_ = 8, .subclass = 6, .protocol = 0x50},
                                                       {.number = 1, .class_ = 3, .subclass = 1, .protocol = 1}};

static void decide_device(const struct policy *p, enum part part, struct verdict *ret)
{
    const struct decide_usb_facts facts = {.vendor = 0x0781,
                                           .product = 0x5583,
                                           .serial = "A",
                                           .name = "",
                                           .interfaces = typing_stick,
                                           .n_interfaces = 2,
                                           .duplicate = part == TWIN,
                                           .persons = &stranger,
                                           .n_persons = 1,
                                           .now = night};

    decide_usb(p, &facts, ret);
    if (part != INTERFACE)
        return;
    assert_true(decide_usb_interface(p, ret, &typing_stick[0]));
    assert_int_equal(ret->kind, VERDICT_ALLOW);
    /* As usb_judge_refused() sees it: refused in force, let pass by a rule or a policy that only records. */
    ret->kind = decide_usb_interface(p, ret, &typing_stick[1]) ? VERDICT_ALLOW : VERDICT_DENY;
    ret->ruled = VERDICT_DENY;
    ret->reason = REASON_INTERFACES;
}

static void decide_device_medium(const struct policy *p, enum part part, struct verdict *ret)
{
    const struct decide_medium_facts facts = {.bus = part == USB_MEDIUM ? "usb" : "optical",
                                              .node = "/dev/sr0",
                                              .filesystem = "iso9660",
                                              .label = "",
                                              .uuid = "",
                                              .serial = "A",
                                              .capacity = UINT64_C(1) << 30,
                                              .usb_rule = part == USB_MEDIUM ? "r" : NULL,
                                              .persons = &stranger,
                                              .n_persons = 1,
                                              .now = night};

    decide_medium(p, &facts, ret);
}

static void decide_an_open(const struct policy *p, enum part part, struct verdict *ret)
{
    const struct verdict medium = {
        .kind = VERDICT_ALLOW, .ruled = VERDICT_ALLOW, .allow = POLICY_READ, .reason = REASON_RULE, .rule = "r"};
    struct decide_open_facts facts = {.kind = part == STORE ? DECIDE_OBJECT_STORE : DECIDE_OBJECT_MEDIUM,
                                      .medium = &medium,
                                      .write = part == WRITE,
                                      .execute = part == EXECUTE,
                                      .subject = {.person = stranger, .exe_known = true, .program = 0},
                                      .now = night};

    decide_open(p, &facts, ret);
}

static void decide_part(const struct policy *p, enum part part, struct verdict *ret)
{
    const struct decide_mount_facts mount = {.kind = DECIDE_MOUNT_NETWORK, .type = "cifs", .source = "//server/share"};

    *ret = (struct verdict){0};
    if (part == USB || part == TWIN || part == INTERFACE)
        decide_device(p, part, ret);
    else if (part == MEDIUM || part == USB_MEDIUM)
        decide_device_medium(p, part, ret);
    else if (part == MOUNT)
        decide_mount(p, &mount, ret);
    else
        decide_an_open(p, part, ret);
}

static void check(const struct refusal *r, const char *mode, bool rule_alone, enum verdict_kind kind)
{
    struct policy *p = policy_in(r->body, mode, rule_alone);
    struct verdict v;

    decide_part(p, r->part, &v);
    if (v.ruled != VERDICT_DENY || v.kind != kind || v.reason != r->reason || strcmp(v.rule, r->rule) != 0)
        fail_msg("%s, %s%s: %s/%s %s by %s", r->body, mode, rule_alone ? ", the rule alone" : "",
                 verdict_kind_name(v.ruled), verdict_kind_name(v.kind), verdict_reason_name(v.reason), v.rule);
    (void)policy_unref(p);
}

static void test_every_part(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(refusals); i++) {
        check(&refusals[i], "enforce", false, VERDICT_DENY);
        check(&refusals[i], "monitor", false, VERDICT_ALLOW);
        check(&refusals[i], "monitor", true, VERDICT_ALLOW);
        if (strchr(refusals[i].body, '@'))
            check(&refusals[i], "enforce", true, VERDICT_ALLOW);
    }
}

/* What cannot be known at all is refused, and recorded as refused in monitor mode: a device that could not be read, a medium without a
 * bus, an object that is neither, a mount without a type. */
static void test_the_unknown(void **state)
{
    static const char *const modes[] = {"enforce", "monitor"};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(modes); i++) {
        struct policy *p = policy_in("usb: [{id: r, allow: use}]", modes[i], false);
        const struct decide_usb_facts usb = {.serial = "", .name = ""};
        const struct decide_medium_facts medium = {.bus = ""};
        const struct decide_mount_facts mount = {.type = ""};
        const struct decide_open_facts object = {.kind = DECIDE_OBJECT_UNKNOWN};
        struct verdict v[4] = {0};

        decide_usb(p, &usb, &v[0]);
        decide_medium(p, &medium, &v[1]);
        decide_mount(p, &mount, &v[2]);
        decide_open(p, &object, &v[3]);
        for (size_t k = 0; k < ELEMENTS(v); k++) {
            assert_int_equal(v[k].ruled, VERDICT_DENY);
            assert_int_equal(v[k].reason, REASON_UNKNOWN);
            assert_int_equal(v[k].kind, i == 0 ? VERDICT_DENY : VERDICT_ALLOW);
        }
        (void)policy_unref(p);
    }
}

/* Two rules speak for a USB medium, its device's and one of media.rules: one that only records lifts nothing of the other. */
static void test_the_other_rule_stays_in_force(void **state)
{
    static const struct {
        const char *device, *medium;
        enum verdict_kind written, executed;
    } cases[] = {
        {"", "", VERDICT_DENY, VERDICT_DENY},
        {", monitor: true", "", VERDICT_DENY, VERDICT_DENY},
        {"", ", monitor: true", VERDICT_DENY, VERDICT_DENY},
        {", monitor: true", ", monitor: true", VERDICT_ALLOW, VERDICT_ALLOW},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char body[256];
        struct policy *p;
        struct verdict medium = {0}, v = {0};
        struct decide_open_facts open = {.kind = DECIDE_OBJECT_MEDIUM, .medium = &medium, .now = night};

        (void)snprintf(body, sizeof(body), "usb: [{id: r, allow: read%s}]\nmedia: {rules: [{id: m, allow: read%s}]}\n",
                       cases[i].device, cases[i].medium);
        p = policy_in(body, "enforce", false);
        decide_device_medium(p, USB_MEDIUM, &medium);
        assert_int_equal(medium.monitor, cases[i].executed == VERDICT_ALLOW);
        open.write = true;
        decide_open(p, &open, &v);
        assert_int_equal(v.ruled, VERDICT_DENY);
        assert_int_equal(v.kind, cases[i].written);
        assert_int_equal(v.reason, REASON_WRITE);
        open.write = false;
        open.execute = true;
        decide_open(p, &open, &v);
        assert_int_equal(v.ruled, VERDICT_DENY);
        assert_int_equal(v.kind, cases[i].executed);
        assert_int_equal(v.reason, REASON_EXECUTE);
        (void)policy_unref(p);
    }
}

/* The device's rule refuses and only records that; what a media rule refuses in force stays refused. */
static void test_a_media_rule_stays_in_force_under_a_device_that_is_only_watched(void **state)
{
    static const struct {
        const char *device, *medium;
        enum verdict_kind kind;
        const char *rule;
    } cases[] = {
        {"refuse: true, monitor: true", "refuse: true", VERDICT_DENY, "m"},
        {"refuse: true, monitor: true", "allow: read, who: {users: [tanaka]}", VERDICT_DENY, "m"},
        {"allow: read, medium: {luks-only: true}, monitor: true", "refuse: true", VERDICT_DENY, "m"},
        {"refuse: true, monitor: true", "refuse: true, monitor: true", VERDICT_ALLOW, "r"},
        {"refuse: true, monitor: true", "allow: read", VERDICT_ALLOW, "r"},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char body[256];
        struct verdict v = {0};
        struct policy *p;

        (void)snprintf(body, sizeof(body), "usb: [{id: r, %s}]\nmedia: {rules: [{id: m, %s}]}\n", cases[i].device,
                       cases[i].medium);
        p = policy_in(body, "enforce", false);
        decide_device_medium(p, USB_MEDIUM, &v);
        if (v.ruled != VERDICT_DENY || v.kind != cases[i].kind || strcmp(v.rule, cases[i].rule) != 0)
            fail_msg("%s: %s by %s", body, verdict_kind_name(v.kind), v.rule);
        (void)policy_unref(p);
    }
}

/* One of two stores, it cannot be said which: a store that only records does not open the other one, in either order. */
static void test_a_watched_store_does_not_open_another(void **state)
{
    struct policy *p =
        policy_in("stores: [{id: watched, path: /srv/a, monitor: true}, {id: closed, path: /srv/b}, {id: open, path: "
                  "/srv/c, " PROGRAM "]}]",
                  "enforce", false);
    static const struct {
        size_t first, second;
        const char *rule;
        bool second_decides;
        enum verdict_kind kind;
    } cases[] = {
        {0, 1, "closed", true, VERDICT_DENY},    {1, 0, "closed", false, VERDICT_DENY},
        {2, 1, "closed", true, VERDICT_DENY},    {2, 0, "watched", true, VERDICT_ALLOW},
        {0, 2, "watched", false, VERDICT_ALLOW}, {2, 2, "open", false, VERDICT_ALLOW},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct decide_open_facts facts = {.kind = DECIDE_OBJECT_STORE,
                                          .subject = {.person = stranger, .exe_known = true, .program = -1},
                                          .now = night};
        struct verdict all = {0}, one = {0};

        facts.store = cases[i].first;
        facts.subject.program = cases[i].first == 2 ? 0 : -1;
        decide_open(p, &facts, &all);
        facts.store = cases[i].second;
        facts.subject.program = cases[i].second == 2 ? 0 : -1;
        decide_open(p, &facts, &one);
        assert_int_equal(decide_both(&all, &one), cases[i].second_decides);
        assert_string_equal(all.rule, cases[i].rule);
        assert_int_equal(all.kind, cases[i].kind);
    }
    (void)policy_unref(p);
}

static void test_two_that_allow_are_cacheable_when_both_are(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct verdict all = {.kind = VERDICT_ALLOW, .ruled = VERDICT_ALLOW, .cacheable = i & 1},
                       one = {.kind = VERDICT_ALLOW, .ruled = VERDICT_ALLOW, .cacheable = i & 2};

        assert_false(decide_both(&all, &one));
        assert_int_equal(all.cacheable, i == 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_part),
        cmocka_unit_test(test_the_unknown),
        cmocka_unit_test(test_the_other_rule_stays_in_force),
        cmocka_unit_test(test_a_watched_store_does_not_open_another),
        cmocka_unit_test(test_two_that_allow_are_cacheable_when_both_are),
        cmocka_unit_test(test_a_media_rule_stays_in_force_under_a_device_that_is_only_watched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
