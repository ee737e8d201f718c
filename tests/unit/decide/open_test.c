/* Verdicts for opens: media are never written, stores open for their programs only, what is not known is refused. */
#include "test.h"

#include <stdlib.h>
#include <time.h>

#include "decide/decide.h"
#include "unit/decide/fixture.h"

static const struct decide_time office = {.wall_us = INT64_C(1795395600000000), .weekday = 0, .minute = 600};

static const char rules[] =
    "usb:\n"
    "  - {id: free, allow: read}\n"
    "  - {id: ours, allow: read, match: {serial: a}, who: {groups: [kazei]}, when: {days: mon-fri}, until: 2026-12-31}\n"
    "  - {id: watched, allow: read, match: {serial: b}, monitor: true, who: {groups: [kazei]}}\n"
    "media:\n  optical: read\n  rules:\n"
    "    - {id: tanakas, allow: read, match: {label: T}, who: {users: [tanaka]}}\n"
    "    - {id: run, allow: read, exec: allow, match: {label: R}}\n"
    "stores:\n"
    "  - {id: juki, path: /srv/juki, who: {groups: [kazei]}, when: {days: mon}, programs: [{path: /opt/a}, {path: /opt/b, "
    "sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}]}\n"
    "  - {id: tried, path: /srv/tried, monitor: true}\n";

struct outcome {
    enum verdict_kind ruled, kind;
    enum verdict_reason reason;
    const char *rule;
    bool cacheable;
};

static void check(const struct policy *p, const struct decide_open_facts *f, const struct outcome *o, int line)
{
    struct verdict v = {.kind = VERDICT_ALLOW, .cacheable = true};

    decide_open(p, f, &v);
    if (v.ruled != o->ruled || v.kind != o->kind || v.reason != o->reason || strcmp(v.rule, o->rule) != 0 ||
        v.cacheable != o->cacheable)
        fail_msg("line %d: %s/%s %s by %s%s", line, verdict_kind_name(v.ruled), verdict_kind_name(v.kind),
                 verdict_reason_name(v.reason), v.rule, v.cacheable ? ", cacheable" : "");
}
#define check(p, f, ...) check(p, f, &(struct outcome){__VA_ARGS__}, __LINE__)
#define ALLOWED VERDICT_ALLOW, VERDICT_ALLOW, REASON_RULE
#define DENIED VERDICT_DENY, VERDICT_DENY
#define RECORDED VERDICT_DENY, VERDICT_ALLOW

static struct verdict medium_by(const char *rule)
{
    return (struct verdict){
        .kind = VERDICT_ALLOW, .ruled = VERDICT_ALLOW, .allow = POLICY_READ, .reason = REASON_RULE, .rule = rule};
}

static void test_media(void **state)
{
    struct policy *p = resolved_policy_of(rules);
    struct verdict m = medium_by("free");
    struct decide_open_facts f = {
        .kind = DECIDE_OBJECT_MEDIUM, .medium = &m, .subject.person = stranger, .now = office};

    (void)state;
    check(p, &f, ALLOWED, "free", true);
    f.write = true;
    check(p, &f, DENIED, REASON_WRITE, "free", false);
    f.write = false;
    f.execute = true;
    check(p, &f, DENIED, REASON_EXECUTE, "free", false);
    m.exec = true;
    check(p, &f, ALLOWED, "free", false);
    f.write = true; /* executing does not excuse writing */
    check(p, &f, DENIED, REASON_WRITE, "free", false);
    f.write = f.execute = false;
    m = medium_by("media.optical");
    check(p, &f, ALLOWED, "media.optical", true);
    m = medium_by("gone"); /* the rule left the policy; the medium was not decided again yet */
    check(p, &f, DENIED, REASON_UNKNOWN, "gone", false);
    m = medium_by("default");
    check(p, &f, DENIED, REASON_UNKNOWN, "default", false);
    m = (struct verdict){.rule = "free", .reason = REASON_RULE};
    check(p, &f, DENIED, REASON_RULE, "free", false);
    m = (struct verdict){.rule = "ours", .reason = REASON_ENCRYPTION};
    check(p, &f, DENIED, REASON_ENCRYPTION, "ours", false);
    (void)policy_unref(p);
}

/* Who may read, and when, is asked of each opener. */
static void test_medium_conditions(void **state)
{
    struct policy *p = resolved_policy_of(rules);
    struct verdict m = medium_by("ours");
    struct decide_open_facts f = {.kind = DECIDE_OBJECT_MEDIUM, .medium = &m, .subject.person = member, .now = office};

    (void)state;
    check(p, &f, ALLOWED, "ours", false);
    f.subject.person = stranger;
    check(p, &f, DENIED, REASON_WHO, "ours", false);
    f.subject.person = (struct decide_person){.uid = 0};
    check(p, &f, DENIED, REASON_WHO, "ours", false); /* root is nobody special */
    f.subject.person = member;
    f.now.weekday = 6;
    check(p, &f, DENIED, REASON_WHEN, "ours", false);
    f.now = office;
    f.now.wall_us += INT64_C(60) * 86400 * 1000000;
    check(p, &f, DENIED, REASON_EXPIRED, "ours", false);
    f.now = office;
    (void)strcpy(m.medium_rule, "tanakas"); /* both rules must hold */
    check(p, &f, DENIED, REASON_WHO, "tanakas", false);
    m = medium_by("free");
    (void)strcpy(m.medium_rule, "tanakas");
    f.subject.person = tanaka;
    check(p, &f, ALLOWED, "free", false);
    (void)strcpy(m.medium_rule, "gone");
    check(p, &f, DENIED, REASON_UNKNOWN, "free", false);
    (void)policy_unref(p);
}

static void test_stores(void **state)
{
    struct policy *p = resolved_policy_of(rules);
    struct decide_open_facts f = {
        .kind = DECIDE_OBJECT_STORE, .subject = {.person = member, .exe_known = true}, .now = office};

    (void)state;
    check(p, &f, ALLOWED, "juki", false);
    f.write = true;
    check(p, &f, ALLOWED, "juki", false);
    f.write = false;
    f.subject.program = -1;
    check(p, &f, DENIED, REASON_PROGRAM, "juki", false);
    f.subject.program = 2;
    check(p, &f, DENIED, REASON_PROGRAM, "juki", false);
    f.subject.program = 1; /* pinned: known and equal, or no */
    check(p, &f, DENIED, REASON_HASH, "juki", false);
    f.subject.sha256 = p->stores[0].programs[1].sha256;
    check(p, &f, DENIED, REASON_HASH, "juki", false);
    f.subject.hash_state = DECIDE_HASH_KNOWN;
    check(p, &f, ALLOWED, "juki", false);
    f.subject.sha256.bytes[31] ^= 1;
    check(p, &f, DENIED, REASON_HASH, "juki", false);
    f.subject.program = 0;
    f.subject.exe_known = false;
    check(p, &f, DENIED, REASON_UNKNOWN, "juki", false);
    f.subject.exe_known = true;
    f.subject.person = stranger;
    check(p, &f, DENIED, REASON_WHO, "juki", false);
    f.subject.person = member;
    f.now.weekday = 1;
    check(p, &f, DENIED, REASON_WHEN, "juki", false);
    f.now = office;
    f.store = 2;
    check(p, &f, DENIED, REASON_UNKNOWN, "default", false);
    f.store = SIZE_MAX;
    check(p, &f, DENIED, REASON_UNKNOWN, "default", false);
    (void)policy_unref(p);
}

static void test_monitor(void **state)
{
    struct policy *p = resolved_policy_of(rules), *all;
    struct verdict m = medium_by("watched");
    struct decide_open_facts f = {
        .kind = DECIDE_OBJECT_MEDIUM, .medium = &m, .subject.person = stranger, .now = office};
    struct decide_open_facts s = {
        .kind = DECIDE_OBJECT_STORE, .store = 1, .subject = {.exe_known = true}, .now = office};

    (void)state;
    check(p, &f, RECORDED, REASON_WHO, "watched", false);
    f.write = true;
    check(p, &f, RECORDED, REASON_WRITE, "watched", false);
    check(p, &s, RECORDED, REASON_PROGRAM, "tried", false);
    (void)policy_unref(p);
    all = policy_of("mode: monitor\n");
    m = (struct verdict){.ruled = VERDICT_DENY, .kind = VERDICT_ALLOW, .rule = "default", .reason = REASON_DEFAULT};
    check(all, &f, RECORDED, REASON_DEFAULT, "default", false);
    f.kind = DECIDE_OBJECT_UNKNOWN;
    check(all, &f, RECORDED, REASON_UNKNOWN, "default", false);
    (void)policy_unref(all);
}

/* A media rule that only records refused it; the rule of the device lets it in and goes on restricting. */
static void test_recorded_refusal(void **state)
{
    struct policy *p = resolved_policy_of(
        "usb: [{id: ours, allow: read, who: {groups: [kazei]}}]\nmedia: {rules: [{id: m, refuse: true, monitor: true}]}\n");
    struct verdict m = {.kind = VERDICT_ALLOW,
                        .ruled = VERDICT_DENY,
                        .allow = POLICY_READ,
                        .reason = REASON_RULE,
                        .rule = "m",
                        .medium_rule = "ours"};
    struct decide_open_facts f = {.kind = DECIDE_OBJECT_MEDIUM, .medium = &m, .subject.person = member, .now = office};

    (void)state;
    check(p, &f, RECORDED, REASON_RULE, "m", false);
    f.write = true;
    check(p, &f, DENIED, REASON_WRITE, "ours", false);
    f.write = false;
    f.execute = true;
    check(p, &f, DENIED, REASON_EXECUTE, "ours", false);
    f.execute = false;
    f.subject.person = stranger;
    check(p, &f, DENIED, REASON_WHO, "ours", false);
    (void)strcpy(m.medium_rule, "gone");
    check(p, &f, DENIED, REASON_UNKNOWN, "m", false);
    (void)policy_unref(p);
}

/* Who may read is only recorded by the second rule; that nothing is written or executed is not its to lift. */
static void test_recorded_condition(void **state)
{
    struct policy *p =
        resolved_policy_of("usb: [{id: free, allow: read}]\nmedia: {rules: [{id: m, allow: read, monitor: "
                           "true, who: {users: [tanaka]}}]}\n");
    struct verdict m = medium_by("free");
    struct decide_open_facts f = {
        .kind = DECIDE_OBJECT_MEDIUM, .medium = &m, .subject.person = stranger, .now = office};

    (void)state;
    (void)strcpy(m.medium_rule, "m");
    check(p, &f, RECORDED, REASON_WHO, "m", false);
    f.write = true;
    check(p, &f, DENIED, REASON_WRITE, "free", false);
    f.write = false;
    f.execute = true;
    check(p, &f, DENIED, REASON_EXECUTE, "free", false);
    (void)policy_unref(p);
}

static void test_full_journal(void **state)
{
    static const struct {
        const char *audit;
        bool refused;
    } cases[] = {{"{when-full: refuse-all}", true},
                 {"{when-full: refuse-export}", false},
                 {"{when-full: drop-oldest}", false},
                 {"{}", false}};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct verdict m = medium_by("free");
        struct decide_open_facts f = {.kind = DECIDE_OBJECT_MEDIUM, .medium = &m, .now = office, .journal_full = true};
        char text[256];
        struct policy *p;

        (void)snprintf(text, sizeof(text), "usb: [{id: free, allow: read}]\naudit: %s\n", cases[i].audit);
        p = policy_of(text);
        if (cases[i].refused)
            check(p, &f, DENIED, REASON_JOURNAL, "free", false);
        else
            check(p, &f, ALLOWED, "free", true);
        f.journal_full = false;
        check(p, &f, ALLOWED, "free", !cases[i].refused); /* what depends on the journal is not kept */
        f.journal_full = f.write = true;
        check(p, &f, DENIED, REASON_WRITE, "free", false);
        p->mode = POLICY_MONITOR;
        f.write = false;
        if (cases[i].refused)
            check(p, &f, RECORDED, REASON_JOURNAL, "free", false);
        (void)policy_unref(p);
    }
}

static void test_zero_means_no(void **state)
{
    static const struct policy nothing;
    static const struct verdict zero;
    struct policy_store zero_store = {.id = (char *)(uintptr_t) "zero"};
    const struct policy with_zero_store = {.stores = &zero_store, .n_stores = 1};
    struct policy *all = resolved_policy_of(rules);
    struct decide_open_facts f = {0};

    (void)state;
    check(&nothing, &f, DENIED, REASON_UNKNOWN, "default", false);
    check(all, &f, DENIED, REASON_UNKNOWN, "default", false);
    f.kind = (enum decide_object_kind)7;
    check(all, &f, DENIED, REASON_UNKNOWN, "default", false);
    f.kind = DECIDE_OBJECT_MEDIUM;
    check(all, &f, DENIED, REASON_UNKNOWN, "default", false);
    f.medium = &zero;
    check(all, &f, DENIED, REASON_UNKNOWN, "default", false);
    f = (struct decide_open_facts){.kind = DECIDE_OBJECT_STORE};
    check(all, &f, DENIED, REASON_UNKNOWN, "juki", false); /* program index 0 alone permits nothing */
    check(&nothing, &f, DENIED, REASON_UNKNOWN, "default", false);
    f.subject.exe_known = true;
    check(&with_zero_store, &f, DENIED, REASON_PROGRAM, "zero", false);
    (void)policy_unref(all);
}

static void test_local_time(void **state)
{
    struct decide_time t;

    (void)state;
    assert_int_equal(setenv("TZ", "Asia/Tokyo", 1), 0);
    tzset();
    decide_time_local(INT64_C(1795395600000000), &t); /* 2026-11-23T01:00:00Z */
    assert_int_equal(t.weekday, 0);
    assert_int_equal(t.minute, 600);
    assert_true(t.wall_us == INT64_C(1795395600000000));
    decide_time_local(INT64_C(1795359600000000) - 1, &t); /* the last microsecond of Sunday there */
    assert_int_equal(t.weekday, 6);
    assert_int_equal(t.minute, 1439);
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
}

/* What one person unlocked opens for that person: by the device's grant, the medium's own, or both. */
static void test_holders(void **state)
{
    struct policy *p = resolved_policy_of("usb: [{id: stick, allow: read}]\n"
                                          "media: {rules: [{id: card, allow: read, match: {bus: [usb, mmc]}}]}\n");
    struct decide_medium_facts usb = {.bus = "usb",
                                      .node = "/dev/sdb1",
                                      .filesystem = "vfat",
                                      .capacity = 1,
                                      .usb_rule = "stick",
                                      .usb_granted = true,
                                      .usb_granted_to = 1001,
                                      .granted = true,
                                      .granted_to = 1001};
    struct decide_medium_facts mmc = {
        .bus = "mmc", .node = "/dev/mmcblk0", .filesystem = "vfat", .capacity = 1, .granted = true, .granted_to = 1001};
    struct verdict medium;
    struct decide_open_facts f = {.kind = DECIDE_OBJECT_MEDIUM, .medium = &medium, .now = office};

    (void)state;
    p->usb[0].unlock.needed = p->media.rules[0].unlock.needed = true;
    decide_medium(p, &usb, &medium);
    assert_int_equal(medium.n_holders, 2);
    f.subject.person = tanaka;
    check(p, &f, ALLOWED, "stick", false);
    f.subject.person = stranger;
    check(p, &f, DENIED, REASON_LOCKED, "stick", false);
    f.subject.person = (struct decide_person){.uid = 0}; /* root is somebody else as well */
    check(p, &f, DENIED, REASON_LOCKED, "stick", false);
    f.write = true;
    check(p, &f, DENIED, REASON_WRITE, "stick", false);
    f.write = false;
    /* Unlocked by two people: it is neither's alone. */
    usb.granted_to = 1600;
    decide_medium(p, &usb, &medium);
    check(p, &f, DENIED, REASON_LOCKED, "stick", false);
    f.subject.person = stranger;
    check(p, &f, DENIED, REASON_LOCKED, "stick", false);
    decide_medium(p, &mmc, &medium);
    assert_int_equal(medium.n_holders, 1);
    check(p, &f, DENIED, REASON_LOCKED, "card", false);
    f.subject.person = tanaka;
    check(p, &f, ALLOWED, "card", false);
    p->media.rules[0].monitor = true;
    decide_medium(p, &mmc, &medium);
    f.subject.person = stranger;
    check(p, &f, RECORDED, REASON_LOCKED, "card", false);
    /* A rule without unlock lets everybody in, whatever was granted. */
    p->media.rules[0].monitor = p->media.rules[0].unlock.needed = false;
    decide_medium(p, &mmc, &medium);
    assert_int_equal(medium.n_holders, 0);
    check(p, &f, ALLOWED, "card", true);
    (void)policy_unref(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_media),
        cmocka_unit_test(test_holders),
        cmocka_unit_test(test_medium_conditions),
        cmocka_unit_test(test_stores),
        cmocka_unit_test(test_monitor),
        cmocka_unit_test(test_full_journal),
        cmocka_unit_test(test_recorded_refusal),
        cmocka_unit_test(test_recorded_condition),
        cmocka_unit_test(test_zero_means_no),
        cmocka_unit_test(test_local_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
