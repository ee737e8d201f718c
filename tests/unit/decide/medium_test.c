/* Verdicts for media and mounts: USB media under both their rules, classes, conditions, and that zero means no. */
#include "test.h"

#include "decide/decide.h"
#include "unit/decide/fixture.h"

static const struct decide_time office = {.wall_us = INT64_C(1795395600000000), .weekday = 0, .minute = 600};

static struct decide_medium_facts partition(void)
{
    return (struct decide_medium_facts){.bus = "usb",
                                        .node = "/dev/sdb1",
                                        .filesystem = "vfat",
                                        .label = "DATA",
                                        .uuid = "1234-ABCD",
                                        .serial = "4C53",
                                        .capacity = UINT64_C(16) << 30,
                                        .persons = &member,
                                        .n_persons = 1,
                                        .now = office};
}

static struct verdict decided(const struct policy *p, const struct decide_medium_facts *facts)
{
    struct verdict v = {0};

    decide_medium(p, facts, &v);
    return v;
}

/* The rule of the device, its conditions, and what the medium is: who may have it, and why not. */
static void test_usb_conditions(void **state)
{
    static const struct {
        const char *rule, *filesystem;
        bool inside_luks;
        uint64_t capacity;
        enum policy_allow allow;
        enum verdict_reason reason;
    } cases[] = {
        {"allow: read", "vfat", false, 1, POLICY_READ, REASON_RULE},
        {"allow: use", "vfat", false, 1, POLICY_READ, REASON_RULE}, /* never more than reading */
        {FIXTURE_EXPORT, "vfat", false, 1, POLICY_EXPORT, REASON_RULE},
        {"refuse: true", "vfat", false, 1, POLICY_REFUSE, REASON_RULE},
        {"allow: read, medium: {filesystem: [vfat, exfat]}", "vfat", false, 1, POLICY_READ, REASON_RULE},
        {"allow: read, medium: {filesystem: [vfat, exfat]}", "ntfs", false, 1, POLICY_REFUSE, REASON_FILESYSTEM},
        {"allow: read, medium: {filesystem: [vfat]}", "", false, 1, POLICY_REFUSE, REASON_FILESYSTEM},
        {"allow: read, medium: {filesystem: {none-of: [ntfs]}}", "", false, 1, POLICY_REFUSE, REASON_FILESYSTEM},
        {"allow: read, medium: {filesystem: {none-of: [ntfs]}}", "vfat", false, 1, POLICY_READ, REASON_RULE},
        {"allow: read, medium: {filesystem: {none-of: [ntfs]}}", "ntfs", false, 1, POLICY_REFUSE, REASON_FILESYSTEM},
        {"allow: read, medium: {luks-only: true}", "vfat", false, 1, POLICY_REFUSE, REASON_ENCRYPTION},
        {"allow: read, medium: {luks-only: true}", "", false, 1, POLICY_REFUSE, REASON_ENCRYPTION},
        {"allow: read, medium: {luks-only: true}", "crypto_LUKS", false, 1, POLICY_READ, REASON_RULE},
        {"allow: read, medium: {luks-only: true}", "vfat", true, 1, POLICY_READ, REASON_RULE},
        {"allow: read, medium: {luks-only: true, filesystem: ext4}", "crypto_LUKS", false, 1, POLICY_READ, REASON_RULE},
        {"allow: read, medium: {luks-only: true, filesystem: ext4}", "vfat", true, 1, POLICY_REFUSE, REASON_FILESYSTEM},
        {"allow: read, medium: {luks-only: true, filesystem: ext4}", "ext4", true, 1, POLICY_READ, REASON_RULE},
        {"allow: read, medium: {luks-only: true, filesystem: ext4}", "ext4", false, 1, POLICY_REFUSE,
         REASON_ENCRYPTION},
        {"allow: read, medium: {filesystem: crypto_LUKS}", "crypto_LUKS", false, 1, POLICY_READ, REASON_RULE},
        {"allow: read, medium: {filesystem: crypto_LUKS}", "ext4", true, 1, POLICY_READ, REASON_RULE},
        {"allow: read, medium: {filesystem: crypto_LUKS}", "ext4", false, 1, POLICY_REFUSE, REASON_FILESYSTEM},
        {"allow: read, medium: {capacity-max: 4K}", "vfat", false, 4096, POLICY_READ, REASON_RULE},
        {"allow: read, medium: {capacity-max: 4K}", "vfat", false, 4097, POLICY_REFUSE, REASON_CAPACITY},
        {"allow: read, medium: {capacity-max: 4K}", "vfat", false, 0, POLICY_REFUSE, REASON_CAPACITY},
        {"allow: read, medium: {label: DATA}", "vfat", false, 1, POLICY_READ, REASON_RULE},
        {"allow: read, medium: {label: OTHER}", "vfat", false, 1, POLICY_REFUSE, REASON_FILESYSTEM},
        {"allow: read, medium: {uuid: x}", "vfat", false, 1, POLICY_REFUSE, REASON_FILESYSTEM},
        {"allow: read, who: {users: [tanaka]}", "vfat", false, 1, POLICY_REFUSE, REASON_WHO},
        {"allow: read, who: {groups: [kazei]}", "vfat", false, 1, POLICY_READ, REASON_RULE},
        {"allow: read, when: {days: tue}", "vfat", false, 1, POLICY_REFUSE, REASON_WHEN},
        {"allow: read, until: 2026-11-22", "vfat", false, 1, POLICY_REFUSE, REASON_EXPIRED},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct decide_medium_facts f = partition();
        char text[512];
        struct policy *p;
        struct verdict v;

        f.usb_rule = "a";
        f.filesystem = cases[i].filesystem;
        f.inside_luks = cases[i].inside_luks;
        f.capacity = cases[i].capacity;
        (void)snprintf(text, sizeof(text), "usb: [{id: a, %s}]\n", cases[i].rule);
        p = resolved_policy_of(text);
        v = decided(p, &f);
        if (v.allow != cases[i].allow || v.reason != cases[i].reason)
            fail_msg("case %zu: %d %s", i, (int)v.allow, verdict_reason_name(v.reason));
        assert_int_equal(v.kind, cases[i].allow == POLICY_REFUSE ? VERDICT_DENY : VERDICT_ALLOW);
        assert_string_equal(v.rule, "a");
        assert_false(v.exec);
        (void)policy_unref(p);
    }
}

/* Media rules take away from what the device's rule permits, and never add to it. */
static void test_media_rules_refine(void **state)
{
    static const struct {
        const char *usb, *media;
        enum policy_allow allow;
        const char *rule, *medium_rule;
        bool exec;
    } cases[] = {
        {"allow: read", "[{id: m, refuse: true, match: {label: DATA}}]", POLICY_REFUSE, "m", "", false},
        {"allow: read", "[{id: m, refuse: true, match: {label: X}}]", POLICY_READ, "a", "", false},
        {"allow: read", "[{id: m, " FIXTURE_EXPORT ", match: {label: DATA}}]", POLICY_READ, "a", "m", false},
        {FIXTURE_EXPORT, "[{id: m, allow: read, match: {label: DATA}}]", POLICY_READ, "a", "m", false},
        {FIXTURE_EXPORT, "[{id: m, " FIXTURE_EXPORT "}]", POLICY_EXPORT, "a", "m", false},
        {"refuse: true", "[{id: m, allow: read}]", POLICY_REFUSE, "a", "", false},
        {"allow: read", "[{id: m, allow: read, exec: allow}]", POLICY_READ, "a", "m", true},
        {"allow: read", "[{id: m, allow: read, medium: {luks-only: true}}]", POLICY_REFUSE, "m", "", false},
        {"allow: read", "[{id: m, allow: read, who: {users: [tanaka]}}]", POLICY_REFUSE, "m", "", false},
        {"allow: read", "[{id: m, refuse: true, who: {users: [tanaka]}}, {id: n, allow: read}]", POLICY_READ, "a", "n",
         false},
        /* One that only records takes nothing away, and gives nothing that the device's rule does not. */
        {"allow: read", "[{id: m, refuse: true, monitor: true}]", POLICY_READ, "m", "a", false},
        {FIXTURE_EXPORT, "[{id: m, allow: read, monitor: true, medium: {luks-only: true}}]", POLICY_EXPORT, "m", "a",
         false},
        {"allow: read, monitor: true", "[{id: m, refuse: true}]", POLICY_REFUSE, "m", "", false},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct decide_medium_facts f = partition();
        char text[512];
        struct policy *p;
        struct verdict v;

        f.usb_rule = "a";
        (void)snprintf(text, sizeof(text), "usb: [{id: a, %s}]\nmedia: {rules: %s}\n", cases[i].usb, cases[i].media);
        p = resolved_policy_of(text);
        v = decided(p, &f);
        assert_int_equal(v.allow, cases[i].allow);
        assert_string_equal(v.rule, cases[i].rule);
        assert_string_equal(v.medium_rule, cases[i].medium_rule);
        assert_int_equal(v.exec, cases[i].exec);
        (void)policy_unref(p);
    }
}

/* Whom a refusal means is not always known: then it means whoever is there. */
static void test_refusal_without_name_service(void **state)
{
    const char *text = "usb: [{id: a, allow: read}]\nmedia: {rules: [{id: m, refuse: true, who: {groups: [kazei]}}]}\n";
    struct decide_person lost = {.uid = 1500, .login_uid = 1500, .groups_unknown = true};
    struct decide_medium_facts f = partition();
    struct policy *p = resolved_policy_of(text);

    (void)state;
    f.usb_rule = "a";
    f.persons = &stranger;
    f.n_persons = 1;
    assert_int_equal(decided(p, &f).allow, POLICY_READ);
    f.persons = &lost;
    assert_int_equal(decided(p, &f).allow, POLICY_REFUSE);
    f.persons = &stranger;
    p->media.rules[0].who.unasked = true;
    assert_int_equal(decided(p, &f).allow, POLICY_REFUSE);
    assert_string_equal(decided(p, &f).rule, "m");
    f.n_persons = 0;
    assert_int_equal(decided(p, &f).allow, POLICY_READ);
    (void)policy_unref(p);
}

static void test_recorded_refusal_restricts_as_before(void **state)
{
    struct policy *p =
        policy_of("usb: [{id: a, allow: read}]\nmedia: {rules: [{id: m, refuse: true, monitor: true}]}\n");
    struct decide_medium_facts f = partition();
    struct verdict v;

    (void)state;
    f.usb_rule = "a";
    v = decided(p, &f);
    assert_int_equal(v.kind, VERDICT_ALLOW);
    assert_int_equal(v.ruled, VERDICT_DENY); /* recorded */
    assert_false(v.monitor);                 /* but restricted: `a` is in force */
    (void)policy_unref(p);
}

/* What a rule says of execution beats what the section says, in both directions. */
static void test_exec_of_the_rule(void **state)
{
    static const struct {
        const char *media;
        const char *bus;
        bool exec;
    } cases[] = {
        {"{exec: allow, rules: [{id: m, allow: read, exec: refuse}]}", "optical", false},
        {"{exec: allow, rules: [{id: m, allow: read}]}", "optical", true},
        {"{exec: refuse, rules: [{id: m, allow: read, exec: allow}]}", "optical", true},
        {"{exec: allow, rules: [{id: m, allow: read, exec: refuse}]}", "usb", false},
        {"{exec: allow, rules: [{id: m, allow: read}]}", "usb", true},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct decide_medium_facts f = partition();
        char text[256];
        struct policy *p;
        struct verdict v;

        f.bus = cases[i].bus;
        f.usb_rule = strcmp(f.bus, "usb") == 0 ? "a" : NULL;
        (void)snprintf(text, sizeof(text), "usb: [{id: a, allow: read}]\nmedia: %s\n", cases[i].media);
        p = policy_of(text);
        v = decided(p, &f);
        assert_int_equal(v.kind, VERDICT_ALLOW);
        if (v.exec != cases[i].exec)
            fail_msg("case %zu", i);
        (void)policy_unref(p);
    }
}

static void test_usb_without_its_rule(void **state)
{
    struct policy *p = policy_of("zone: internet\nmedia: {other: read, optical: read}\nusb: [{id: a, allow: read}]\n");
    struct policy *named = policy_of("media: {rules: [{id: m, allow: read, match: {bus: usb}}]}\n");
    struct policy *watched = policy_of("mode: monitor\n");
    struct decide_medium_facts f = partition();
    struct verdict v;

    (void)state;
    f.usb_rule = "gone";
    v = decided(p, &f);
    assert_int_equal(v.kind, VERDICT_DENY);
    f.usb_rule = "default";
    v = decided(p, &f);
    assert_int_equal(v.kind, VERDICT_DENY);
    f.usb_rule = NULL; /* no class default stands in for it */
    v = decided(p, &f);
    assert_int_equal(v.kind, VERDICT_DENY);
    assert_string_equal(v.rule, "default");
    v = decided(named, &f);
    assert_int_equal(v.kind, VERDICT_ALLOW);
    assert_string_equal(v.rule, "m");
    f.usb_rule = "default";
    v = decided(watched, &f);
    assert_int_equal(v.kind, VERDICT_ALLOW);
    assert_int_equal(v.ruled, VERDICT_DENY);
    assert_true(v.monitor);
    (void)policy_unref(p);
    (void)policy_unref(named);
    (void)policy_unref(watched);
}

static void test_classes(void **state)
{
    static const struct {
        const char *key, *bus, *rule;
    } cases[] = {
        {"optical", "optical", "media.optical"},    {"sdcard", "mmc", "media.sdcard"},
        {"firewire", "firewire", "media.firewire"}, {"thunderbolt", "thunderbolt", "media.thunderbolt"},
        {"other", "loop", "media.other"},           {"other", "other", "media.other"},
    };
    static const char *const buses[] = {"usb", "optical", "mmc", "firewire", "thunderbolt", "loop", "other", "new bus"};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char text[256];
        struct policy *p;

        (void)snprintf(text, sizeof(text), "media: {%s: read}\n", cases[i].key);
        p = policy_of(text);
        for (size_t k = 0; k < ELEMENTS(buses); k++) {
            struct decide_medium_facts f = partition();
            bool other = strcmp(cases[i].key, "other") == 0 && (k == 5 || k == 6);
            struct verdict v;

            f.bus = buses[k];
            v = decided(p, &f);
            assert_int_equal(v.kind == VERDICT_ALLOW, other || strcmp(buses[k], cases[i].bus) == 0);
            if (v.kind == VERDICT_ALLOW)
                assert_string_equal(v.rule, cases[i].rule);
            assert_true(v.cacheable);
        }
        (void)policy_unref(p);
    }
}

static void test_rules_before_classes(void **state)
{
    struct policy *p =
        resolved_policy_of("media:\n  optical: read\n  exec: allow\n  rules:\n"
                           "    - {id: disc, refuse: true, match: {bus: optical, path: /dev/sr*, label: BAD}}\n"
                           "    - {id: card, allow: read, match: {bus: mmc, serial: \"0x1\"}, who: {users: [tanaka]}}\n"
                           "    - {id: uuid, allow: read, match: {uuid: U}}\n");
    struct decide_medium_facts f = partition();
    struct verdict v;

    (void)state;
    f.bus = "optical";
    f.node = "/dev/sr0";
    f.label = "BAD";
    v = decided(p, &f);
    assert_string_equal(v.rule, "disc");
    assert_int_equal(v.kind, VERDICT_DENY);
    assert_int_equal(decide_medium_mismatch(p, 0, &f), MISMATCH_NONE);
    f.label = "GOOD";
    assert_int_equal(decide_medium_mismatch(p, 0, &f), MISMATCH_LABEL);
    v = decided(p, &f);
    assert_string_equal(v.rule, "media.optical");
    assert_int_equal(v.allow, POLICY_READ);
    assert_true(v.exec);
    f.node = "/dev/cdrom";
    assert_int_equal(decide_medium_mismatch(p, 0, &f), MISMATCH_PATH);
    assert_int_equal(decide_medium_mismatch(p, 1, &f), MISMATCH_BUS);
    assert_int_equal(decide_medium_mismatch(p, 2, &f), MISMATCH_UUID);
    f.bus = "mmc";
    assert_int_equal(decide_medium_mismatch(p, 1, &f), MISMATCH_SERIAL);
    f.serial = "0x1";
    v = decided(p, &f);
    assert_string_equal(v.rule, "card");
    assert_int_equal(v.reason, REASON_WHO);
    assert_false(v.cacheable);
    f.persons = &tanaka;
    v = decided(p, &f);
    assert_int_equal(v.kind, VERDICT_ALLOW);
    assert_false(v.cacheable);
    (void)policy_unref(p);
}

static void test_mounts(void **state)
{
    static const struct {
        const char *media;
        enum decide_mount_kind kind;
        const char *type, *source, *rule;
        bool allowed;
    } cases[] = {
        {"{}", DECIDE_MOUNT_NETWORK, "nfs4", "srv:/x", "media.network", false},
        {"{}", DECIDE_MOUNT_FUSE, "fuse.sshfs", "u@h:", "media.fuse", false},
        {"{network: use}", DECIDE_MOUNT_NETWORK, "nfs4", "srv:/x", "media.network", true},
        {"{network: use}", DECIDE_MOUNT_FUSE, "fuse.sshfs", "u@h:", "media.fuse", false},
        {"{fuse: use}", DECIDE_MOUNT_NETWORK, "nfs4", "srv:/x", "media.network", false},
        {"{fuse: use}", DECIDE_MOUNT_FUSE, "fuse.sshfs", "", "media.fuse", true},
        {"{network: {allow: [\"//f/*\"]}}", DECIDE_MOUNT_NETWORK, "cifs", "//f/tax", "media.network", true},
        {"{network: {allow: [\"//f/*\"]}}", DECIDE_MOUNT_NETWORK, "cifs", "//g/tax", "media.network", false},
        {"{network: {allow: [\"//f/*\"]}}", DECIDE_MOUNT_NETWORK, "cifs", "//f/tax/deep", "media.network", false},
        {"{network: {allow: [\"//f/*\"]}}", DECIDE_MOUNT_FUSE, "fuse.x", "//f/tax", "media.fuse", false},
        {"{fuse: {allow: [fuse.portal]}}", DECIDE_MOUNT_FUSE, "fuse.portal", "portal", "media.fuse", true},
        {"{fuse: {allow: [fuse.portal]}}", DECIDE_MOUNT_FUSE, "fuse.portals", "portal", "media.fuse", false},
        {"{network: use, fuse: use}", DECIDE_MOUNT_NETWORK, "", "x", "default", false},
        {"{network: use, fuse: use}", DECIDE_MOUNT_FUSE, NULL, NULL, "default", false},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct decide_mount_facts f = {.kind = cases[i].kind, .type = cases[i].type, .source = cases[i].source};
        struct verdict v = {0};
        char text[256];
        struct policy *p;

        (void)snprintf(text, sizeof(text), "media: %s\n", cases[i].media);
        p = policy_of(text);
        decide_mount(p, &f, &v);
        if ((v.kind == VERDICT_ALLOW) != cases[i].allowed || strcmp(v.rule, cases[i].rule) != 0)
            fail_msg("case %zu", i);
        (void)policy_unref(p);
    }
}

static void test_zero_means_no(void **state)
{
    static const struct policy nothing;
    struct policy *all = policy_of("zone: internet\nmedia: {optical: read, sdcard: read, firewire: read, thunderbolt: "
                                   "read, other: read, rules: [{id: all, allow: read}]}\nusb: [{id: a, allow: use}]\n");
    struct decide_medium_facts none = {0}, f = partition();
    struct policy_medium_rule zero_rule = {.id = (char *)(uintptr_t) "zero"};
    const struct policy with_zero_rule = {.media = {.rules = &zero_rule, .n_rules = 1, .optical = POLICY_READ}};
    struct verdict v;

    (void)state;
    v = decided(all, &none);
    assert_int_equal(v.kind, VERDICT_DENY);
    assert_int_equal(v.reason, REASON_UNKNOWN);
    v = decided(&nothing, &f);
    assert_int_equal(v.kind, VERDICT_DENY);
    f.bus = "optical";
    v = decided(&nothing, &f);
    assert_int_equal(v.kind, VERDICT_DENY);
    v = decided(&with_zero_rule, &f);
    assert_int_equal(v.kind, VERDICT_DENY);
    assert_string_equal(v.rule, "zero");
    decide_mount(&nothing, &(struct decide_mount_facts){.type = "nfs", .source = "x"}, &v);
    assert_int_equal(v.kind, VERDICT_DENY);
    decide_mount(all, &(struct decide_mount_facts){0}, &v);
    assert_int_equal(v.kind, VERDICT_DENY);
    (void)policy_unref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usb_conditions),
        cmocka_unit_test(test_media_rules_refine),
        cmocka_unit_test(test_exec_of_the_rule),
        cmocka_unit_test(test_refusal_without_name_service),
        cmocka_unit_test(test_recorded_refusal_restricts_as_before),
        cmocka_unit_test(test_usb_without_its_rule),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_rules_before_classes),
        cmocka_unit_test(test_mounts),
        cmocka_unit_test(test_zero_means_no),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
