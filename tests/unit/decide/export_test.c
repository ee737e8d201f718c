/* What may be taken out: which rule speaks, each of its conditions with its reason, and that zero means no. */
#include "test.h"

#include "decide/decide.h"
#include "unit/decide/fixture.h"

static const struct decide_time office = {.wall_us = INT64_C(1795395600000000), .weekday = 0, .minute = 600};

/* Text of rules, which own theirs elsewhere. */
#define TEXT(text_) ((char[]){text_})
#define LIST(...)                                                                                                      \
    {                                                                                                                  \
        .items = (char *[]){__VA_ARGS__}, .n = ELEMENTS(((char *[]){__VA_ARGS__})), .op = POLICY_SET_ONE_OF            \
    }
#define TO_STICK LIST(TEXT("stick"))
#define TO_ANY LIST(TEXT("stick"), TEXT("card"))
#define FROM_JUKI LIST(TEXT("juki"))
#define OF_2 LIST(TEXT("2"))

/* Stick and card are export targets, "reader" is not; juki is of class 3B, toukei of class 2. */
static struct policy *sample(void)
{
    return resolved_policy_of(
        "usb:\n"
        "  - {id: stick, " FIXTURE_EXPORT ", match: {serial: A}}\n"
        "  - {id: reader, allow: read, match: {serial: B}}\n"
        "media: {rules: [{id: card, " FIXTURE_EXPORT ", match: {bus: mmc}}]}\n"
        "stores: [{id: juki, path: /srv/juki, class: 3B}, {id: toukei, path: /srv/t, class: 2}]\n");
}

static struct decide_export_facts asks(const char *target, int store)
{
    return (struct decide_export_facts){.person = member,
                                        .target = target,
                                        .store = store,
                                        .size = 1000,
                                        .approvers = &tanaka,
                                        .n_approvers = 1,
                                        .factors = POLICY_FACTOR_TOTP,
                                        .now = office};
}

static struct verdict decided(struct policy *p, struct policy_export_rule *rules, size_t n,
                              const struct decide_export_facts *facts)
{
    struct verdict v = {0};

    p->export = rules;
    p->n_export = n;
    decide_export(p, facts, &v);
    p->export = NULL; /* not from a document */
    p->n_export = 0;
    return v;
}

static void test_first_match(void **state)
{
    struct policy *p = sample();
    struct policy_export_rule rules[] = {
        {.id = TEXT("a"), .to = TO_STICK, .from = FROM_JUKI},
        {.id = TEXT("b"), .to = TO_ANY, .from = FROM_JUKI, .classes = OF_2},
        {.id = TEXT("c"), .to = TO_STICK, .elsewhere = true},
    };
    const struct {
        const char *target;
        int store;
        const char *rule;
        enum verdict_reason reason;
    } cases[] = {
        {"stick", 0, "a", REASON_RULE},          {"card", 0, "b", REASON_RULE},
        {"stick", 1, "b", REASON_RULE},          {"card", 1, "b", REASON_RULE},
        {"stick", -1, "c", REASON_RULE},         {"card", -1, "default", REASON_SOURCE},
        {"reader", 0, "default", REASON_TARGET}, {"unheard-of", 0, "default", REASON_TARGET},
        {"", 0, "default", REASON_TARGET},       {NULL, 0, "default", REASON_TARGET},
        {"stick", 2, "default", REASON_UNKNOWN}, {"stick", -2, "default", REASON_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct decide_export_facts facts = asks(cases[i].target, cases[i].store);
        struct verdict v = decided(p, rules, ELEMENTS(rules), &facts);

        assert_string_equal(v.rule, cases[i].rule);
        assert_int_equal(v.reason, cases[i].reason);
        assert_int_equal(v.kind, cases[i].reason == REASON_RULE ? VERDICT_ALLOW : VERDICT_DENY);
        assert_int_equal(v.allow, cases[i].reason == REASON_RULE ? POLICY_EXPORT : POLICY_REFUSE);
        assert_false(v.cacheable);
    }
    (void)policy_unref(p);
}

/* A rule that names the target but has lost its permission to export there is worth nothing. */
static void test_target_must_be_one(void **state)
{
    struct policy *p = sample();
    struct policy_export_rule rule = {.id = TEXT("a"), .to = LIST(TEXT("reader")), .from = FROM_JUKI};
    struct decide_export_facts facts = asks("reader", 0);
    struct verdict v = decided(p, &rule, 1, &facts);

    (void)state;
    assert_int_equal(v.kind, VERDICT_DENY);
    assert_int_equal(v.reason, REASON_TARGET);
    p->usb[1].allow = POLICY_EXPORT;
    v = decided(p, &rule, 1, &facts);
    assert_int_equal(v.kind, VERDICT_ALLOW);
    (void)policy_unref(p);
}

struct change {
    void (*rule)(struct policy_export_rule *r);
    void (*facts)(struct decide_export_facts *f);
    enum verdict_reason reason;
};

static uid_t tanakas[] = {1001};

static void r_who(struct policy_export_rule *r)
{
    r->who = (struct policy_who){.uids = tanakas, .n_uids = 1, .restricted = true};
}
static void r_when(struct policy_export_rule *r)
{
    r->when = (struct policy_when){.days = 1U << 6, .from = -1, .to = -1, .restricted = true};
}
static void r_until(struct policy_export_rule *r)
{
    r->until_us = INT64_C(1795395599999999);
}
static void r_content(struct policy_export_rule *r)
{
    r->content = true;
}
static void r_size(struct policy_export_rule *r)
{
    r->file_max = 1000;
}
static void r_files(struct policy_export_rule *r)
{
    r->day_files = 3;
}
static void r_bytes(struct policy_export_rule *r)
{
    r->day_bytes = 5000;
}
static void r_factor(struct policy_export_rule *r)
{
    r->factors = POLICY_FACTOR_TOTP;
}
static void r_factors(struct policy_export_rule *r)
{
    r->factors = POLICY_FACTOR_TOTP | POLICY_FACTOR_PASSWORD;
}
static void r_approval(struct policy_export_rule *r)
{
    r->approvals = 2;
}
static void f_tanaka(struct decide_export_facts *f)
{
    f->person = tanaka;
}
static void f_larger(struct decide_export_facts *f)
{
    f->size = 1001;
}
static void f_two_files(struct decide_export_facts *f)
{
    f->day_files = 2;
}
static void f_three_files(struct decide_export_facts *f)
{
    f->day_files = 3;
}
static void f_4000(struct decide_export_facts *f)
{
    f->day_bytes = 4000;
}
static void f_4001(struct decide_export_facts *f)
{
    f->day_bytes = 4001;
}
static void f_wraps(struct decide_export_facts *f)
{
    f->size = UINT64_MAX;
    f->day_bytes = 2;
}
static void f_over_already(struct decide_export_facts *f)
{
    f->size = 0;
    f->day_bytes = UINT64_MAX;
}
static void f_no_factor(struct decide_export_facts *f)
{
    f->factors = 0;
}
static void f_both_factors(struct decide_export_facts *f)
{
    f->factors = POLICY_FACTOR_TOTP | POLICY_FACTOR_PASSWORD;
}
static const struct decide_person two[] = {{.uid = 1001}, {.uid = 1600}}, twice[] = {{.uid = 1001}, {.uid = 1001}},
                                  with_self[] = {{.uid = 1500}, {.uid = 1001}};

static const struct decide_person in_kazei = {.uid = 1700, .gids = kazei_gids, .n_gids = 2};

static void f_two_people(struct decide_export_facts *f)
{
    f->approvers = two;
    f->n_approvers = 2;
}
static void f_one_twice(struct decide_export_facts *f)
{
    f->approvers = twice;
    f->n_approvers = 2;
}
static void f_and_self(struct decide_export_facts *f)
{
    f->approvers = with_self;
    f->n_approvers = 2;
}
static void r_approvers(struct policy_export_rule *r)
{
    r->approvals = 1;
    r->approvers = (struct policy_who){.uids = tanakas, .n_uids = 1, .restricted = true};
}
static void r_nobody_approves(struct policy_export_rule *r)
{
    r->approvals = 1;
    r->approvers = (struct policy_who){.restricted = true};
}
static void f_stranger_approves(struct decide_export_facts *f)
{
    f->approvers = &stranger;
}
static void f_journal(struct decide_export_facts *f)
{
    f->journal_full = true;
}

static const struct change changes[] = {
    {r_who, NULL, REASON_WHO},
    {r_who, f_tanaka, REASON_RULE},
    {r_when, NULL, REASON_WHEN},
    {r_until, NULL, REASON_EXPIRED},
    {r_content, NULL, REASON_CONTENT},
    {r_size, NULL, REASON_RULE},
    {r_size, f_larger, REASON_SIZE},
    {r_files, f_two_files, REASON_RULE},
    {r_files, f_three_files, REASON_LIMIT},
    {r_bytes, f_4000, REASON_RULE},
    {r_bytes, f_4001, REASON_LIMIT},
    {r_bytes, f_wraps, REASON_LIMIT},
    {r_bytes, f_over_already, REASON_LIMIT},
    {NULL, f_wraps, REASON_RULE},
    {r_factor, NULL, REASON_RULE},
    {r_factor, f_no_factor, REASON_FACTOR},
    {r_factors, NULL, REASON_FACTOR},
    {r_factors, f_both_factors, REASON_RULE},
    {r_approval, NULL, REASON_APPROVAL},
    {r_approval, f_two_people, REASON_RULE},
    {r_approval, f_one_twice, REASON_APPROVAL},
    {r_approval, f_and_self, REASON_APPROVAL},
    {r_approvers, NULL, REASON_RULE},
    {r_approvers, f_stranger_approves, REASON_APPROVAL},
    {r_nobody_approves, NULL, REASON_APPROVAL},
    {NULL, f_journal, REASON_JOURNAL},
};

/* An earlier rule whose condition does not hold refuses: the later one would have let it out. */
static void test_conditions(void **state)
{
    struct policy *p = sample();

    (void)state;
    for (size_t i = 0; i < ELEMENTS(changes); i++) {
        struct policy_export_rule rules[] = {
            {.id = TEXT("first"), .to = TO_STICK, .from = FROM_JUKI},
            {.id = TEXT("later"), .to = TO_STICK, .from = FROM_JUKI},
        };
        struct decide_export_facts facts = asks("stick", 0);
        struct verdict v;

        if (changes[i].rule)
            changes[i].rule(&rules[0]);
        if (changes[i].facts)
            changes[i].facts(&facts);
        v = decided(p, rules, ELEMENTS(rules), &facts);
        if (v.reason != changes[i].reason)
            fail_msg("change %zu gives %s", i, verdict_reason_name(v.reason));
        assert_string_equal(v.rule, "first");
        assert_int_equal(v.kind, changes[i].reason == REASON_RULE ? VERDICT_ALLOW : VERDICT_DENY);
        assert_int_equal(v.allow, changes[i].reason == REASON_RULE ? POLICY_EXPORT : POLICY_REFUSE);
        rules[0].monitor = true;
        v = decided(p, rules, ELEMENTS(rules), &facts);
        assert_int_equal(v.kind, VERDICT_ALLOW);
        assert_int_equal(v.ruled, changes[i].reason == REASON_RULE ? VERDICT_ALLOW : VERDICT_DENY);
        assert_int_equal(v.reason, changes[i].reason);
    }
    (void)policy_unref(p);
}

static void test_full_journal(void **state)
{
    struct policy *p = sample();
    struct policy_export_rule rule = {.id = TEXT("a"), .to = TO_STICK, .from = FROM_JUKI};
    struct decide_export_facts facts = asks("stick", 0);

    (void)state;
    facts.journal_full = true;
    for (int full = POLICY_FULL_REFUSE_EXPORT; full <= (int)POLICY_FULL_DROP_OLDEST; full++) {
        p->audit.when_full = (enum policy_when_full)full;
        assert_int_equal(decided(p, &rule, 1, &facts).kind,
                         full == (int)POLICY_FULL_DROP_OLDEST ? VERDICT_ALLOW : VERDICT_DENY);
    }
    (void)policy_unref(p);
}

static void test_zero_means_no(void **state)
{
    static const struct policy nothing;
    struct policy *p = sample();
    struct policy_export_rule zero = {0}, all = {.id = TEXT("a"), .to = TO_ANY, .from = FROM_JUKI};
    struct decide_export_facts facts = {0};
    struct verdict v = {.kind = VERDICT_ALLOW};

    (void)state;
    all.elsewhere = true;
    assert_int_equal(decided(p, &all, 1, &facts).kind, VERDICT_DENY);
    facts = asks("stick", 0);
    assert_int_equal(decided(p, &zero, 1, &facts).kind, VERDICT_DENY);
    assert_int_equal(decided(p, NULL, 0, &facts).reason, REASON_DEFAULT);
    decide_export(&nothing, &facts, &v);
    assert_int_equal(v.kind, VERDICT_DENY);
    assert_string_equal(v.rule, "default");
    assert_null(decide_export_rule(&nothing, "stick", 0));
    assert_null(decide_export_rule(p, NULL, -1));
    (void)policy_unref(p);
}

/* Facts without a grant, and any facts of a zeroed unlock. */
static void test_unlock(void **state)
{
    static const struct decide_interface storage = {.class_ = 0x08, .subclass = 0x06, .protocol = 0x50};
    struct policy *p = resolved_policy_of("usb: [{id: a, allow: read, who: {users: [tanaka]}}]\n"
                                          "media: {rules: [{id: m, allow: read, match: {bus: mmc}}]}\n");
    struct decide_usb_facts device = {
        .vendor = 1, .product = 2, .interfaces = &storage, .n_interfaces = 1, .persons = &tanaka, .n_persons = 1};
    struct decide_medium_facts card = {.bus = "mmc", .node = "/dev/mmcblk0", .filesystem = "vfat", .capacity = 1},
                               stick = {.bus = "usb",
                                        .node = "/dev/sdb1",
                                        .filesystem = "vfat",
                                        .capacity = 1,
                                        .usb_rule = "a",
                                        .persons = &tanaka,
                                        .n_persons = 1};
    struct verdict v;

    (void)state;
    decide_medium(p, &card, &v);
    assert_true(v.kind == VERDICT_ALLOW && v.cacheable);
    p->usb[0].unlock.needed = p->media.rules[0].unlock.needed = true;
    decide_usb(p, &device, &v);
    assert_true(v.kind == VERDICT_DENY && v.ruled == VERDICT_DENY && v.reason == REASON_LOCKED && !v.cacheable);
    assert_string_equal(v.rule, "a");
    decide_medium(p, &card, &v);
    assert_true(v.kind == VERDICT_DENY && v.reason == REASON_LOCKED && !v.cacheable && !v.exec);
    decide_medium(p, &stick, &v);
    assert_true(v.kind == VERDICT_DENY && v.reason == REASON_LOCKED && !v.cacheable);
    card.granted_to = 1001;
    stick.usb_granted_to = 1002;
    device.granted = card.granted = stick.usb_granted = true;
    decide_usb(p, &device, &v);
    assert_true(v.kind == VERDICT_ALLOW && v.reason == REASON_RULE && !v.cacheable);
    decide_medium(p, &card, &v);
    assert_true(v.kind == VERDICT_ALLOW && !v.cacheable && v.n_holders == 1 && v.holders[0] == 1001);
    decide_medium(p, &stick, &v);
    assert_true(v.kind == VERDICT_ALLOW && !v.cacheable && v.n_holders == 1 && v.holders[0] == 1002);
    /* One grant does not stand for the other. */
    stick.usb_granted = false;
    stick.granted = true;
    decide_medium(p, &stick, &v);
    assert_true(v.kind == VERDICT_DENY && v.reason == REASON_LOCKED && v.n_holders == 0);
    stick.usb_granted = true;
    stick.granted = false;
    /* Whom unlocking would not help is not told to unlock; a grant lifts no other condition. */
    device.persons = stick.persons = &stranger;
    decide_usb(p, &device, &v);
    assert_true(v.kind == VERDICT_DENY && v.reason == REASON_WHO);
    device.granted = false;
    decide_usb(p, &device, &v);
    assert_true(v.kind == VERDICT_DENY && v.reason == REASON_WHO);
    (void)policy_unref(p);
}

/* What a grant wants: read from a policy, so that names count as they are resolved. */
static void test_unlocking(void **state)
{
    static const struct {
        const char *unlock;
        uint8_t factors;
        const struct decide_person *approvers;
        size_t n;
        enum verdict_reason reason;
    } cases[] = {
        {"", POLICY_FACTOR_TOTP, NULL, 0, REASON_RULE},
        {"", 0, NULL, 0, REASON_FACTOR},
        {"", POLICY_FACTOR_PASSWORD, NULL, 0, REASON_FACTOR},
        {"factors: totp", 0, &tanaka, 1, REASON_FACTOR},
        {"approvals: 1", POLICY_FACTOR_TOTP, NULL, 0, REASON_APPROVAL},
        {"approvals: 1", POLICY_FACTOR_TOTP, &tanaka, 1, REASON_RULE},
        {"approvals: 1", 0, &tanaka, 1, REASON_FACTOR},
        {"approvals: 2", POLICY_FACTOR_TOTP, twice, 2, REASON_APPROVAL},
        {"approvals: 2", POLICY_FACTOR_TOTP, two, 2, REASON_RULE},
        {"approvals: 2", POLICY_FACTOR_TOTP, with_self, 2, REASON_APPROVAL},
        {"approvals: 1, approvers: {users: [tanaka]}", POLICY_FACTOR_TOTP, &tanaka, 1, REASON_RULE},
        {"approvals: 1, approvers: {users: [sato]}", POLICY_FACTOR_TOTP, &tanaka, 1, REASON_APPROVAL},
        {"approvals: 1, approvers: {groups: [kazei]}", POLICY_FACTOR_TOTP, &tanaka, 1, REASON_APPROVAL},
        {"approvals: 1, approvers: {groups: [kazei]}", POLICY_FACTOR_TOTP, &in_kazei, 1, REASON_RULE},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        const struct decide_unlock_facts facts = {
            .person = member, .factors = cases[i].factors, .approvers = cases[i].approvers, .n_approvers = cases[i].n};
        struct policy *p;
        char body[256];

        (void)snprintf(body, sizeof(body), "usb: [{id: a, allow: read, unlock: {%s}}]\n", cases[i].unlock);
        p = resolved_policy_of(body);
        if (decide_unlock(&p->usb[0].unlock, &facts) != cases[i].reason)
            fail_msg("%s (%zu)", cases[i].unlock, i);
        (void)policy_unref(p);
    }
}

static void test_unlock_monitored(void **state)
{
    static const struct decide_interface storage = {.class_ = 0x08, .subclass = 0x06, .protocol = 0x50};
    const struct decide_usb_facts device = {.vendor = 1, .product = 2, .interfaces = &storage, .n_interfaces = 1};
    struct policy *p = policy_of("usb: [{id: a, allow: read, monitor: true}]\n");
    struct verdict v;

    (void)state;
    p->usb[0].unlock.needed = true;
    decide_usb(p, &device, &v);
    assert_true(v.kind == VERDICT_ALLOW && v.ruled == VERDICT_DENY && v.reason == REASON_LOCKED && v.monitor);
    (void)policy_unref(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_match),   cmocka_unit_test(test_target_must_be_one),
        cmocka_unit_test(test_conditions),    cmocka_unit_test(test_full_journal),
        cmocka_unit_test(test_zero_means_no), cmocka_unit_test(test_unlock),
        cmocka_unit_test(test_unlocking),     cmocka_unit_test(test_unlock_monitored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
