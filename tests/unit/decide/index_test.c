/*
 * A decision through the index of the policy is the decision of asking every rule in order: 100 000 random pairs of policy and
 * device, and as many of medium. The reference is the same policy without index and without tables.
 */
#include "test.h"

#include <stdlib.h>

#include "policy/index.h"
#include "unit/decide/fixture.h"

enum {
    POLICIES = 1000,
    FACTS = 100,
    LONG_LIST = 40,
};

static const char *const operators[] = {"all-of", "one-of", "none-of", "equals", "equals-ordered", "match-all"};
static const char *const texts[] = {"", "A", "B", "C", "D", "AB", "日本", "0000"};
static const char *const devices[] = {"0781:5583", "0781:5584", "0781:*", "*:*", "046d:5583", "046d:c31c"};
static const char *const interfaces[] = {"08:06:50", "08:06:*", "08:*:*", "03:01:01", "03:*:*", "09:00:00"};
static const char *const types[] = {"hardwired", "hotplug", "unknown"};
static const char *const buses[] = {"usb", "mmc", "optical", "loop", "other"};

static unsigned seed = 20261123; /* the same documents in each run; KURABAN_SEED tries others */

static unsigned below(unsigned n)
{
    seed = seed * 1103515245U + 12345U;
    return (seed >> 16) % n;
}

struct text {
    char bytes[32768];
    size_t size;
};

static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    t->size += (size_t)vsnprintf(t->bytes + t->size, sizeof(t->bytes) - t->size, format, arguments);
    va_end(arguments);
    assert_true(t->size < sizeof(t->bytes));
}

/* A set of 1 to 3 different words, or now and then of more serials than are compared one by one, mostly under an operator. */
static void put_set(struct text *t, const char *key, const char *const words[], unsigned n, bool may_be_long)
{
    bool with_operator = below(3) > 0;
    bool is_long = may_be_long && below(8) == 0;
    unsigned first = below(n), count = 1 + below(3);

    if (with_operator)
        put(t, "%s: {%s: [", key, operators[below(ELEMENTS(operators))]);
    else
        put(t, "%s: [", key);
    for (unsigned i = 0; i < count && i < n; i++)
        put(t, "%s\"%s\"", i > 0 ? ", " : "", words[(first + i) % n]);
    for (unsigned i = 0; is_long && i < LONG_LIST; i++)
        put(t, ", \"L%u\"", i);
    put(t, with_operator ? "]}" : "]");
}

static void put_match(struct text *t, bool usb)
{
    static const char *const usb_keys[] = {"serial",        "name",
                                           "hash",          "parent-hash",
                                           "port",          "device",
                                           "connect-type",  "interfaces",
                                           "usbguard-hash", "usbguard-parent-hash"},
                             *const medium_keys[] = {"serial", "label", "uuid", "bus"};
    unsigned chosen = 1 + below(usb ? 1023 : 15);
    bool first = true;

    put(t, "match: {");
    for (unsigned i = 0; i < (usb ? 10 : 4); i++) {
        const char *key = usb ? usb_keys[i] : medium_keys[i];

        if (!(chosen & (1U << i)) || (below(2) && (chosen & (chosen - 1)) != 0 && !first))
            continue;
        put(t, "%s", first ? "" : ", ");
        first = false;
        if (strcmp(key, "device") == 0)
            put_set(t, key, devices, ELEMENTS(devices), false);
        else if (strcmp(key, "interfaces") == 0)
            put_set(t, key, interfaces, ELEMENTS(interfaces), false);
        else if (strcmp(key, "connect-type") == 0)
            put_set(t, key, types, ELEMENTS(types), false);
        else if (strcmp(key, "bus") == 0)
            put_set(t, key, buses, ELEMENTS(buses), false);
        else
            put_set(t, key, texts, ELEMENTS(texts), true);
    }
    put(t, "}");
}

static void put_rule(struct text *t, bool usb, unsigned i)
{
    put(t, "%s  - {id: %c%u, %s", usb ? "" : "  ", usb ? 'u' : 'm', i, below(3) ? "allow: read" : "refuse: true");
    if (below(10) > 0) {
        put(t, ", ");
        put_match(t, usb);
    }
    if (below(4) == 0)
        put(t, ", who: {users: [tanaka]}");
    if (below(4) == 0)
        put(t, ", when: {days: mon-wed}");
    if (below(6) == 0)
        put(t, ", until: 2026-11-20");
    if (below(6) == 0)
        put(t, ", monitor: true");
    put(t, "}\n");
}

static void make_document(struct text *t)
{
    unsigned n = below(24);

    t->size = 0;
    put(t, "format: kuraban-policy/1\norganization: c\nname: n\nversion: 1\nmode: %s\n",
        below(5) ? "enforce" : "monitor");
    put(t, n > 0 ? "usb:\n" : "");
    for (unsigned i = 0; i < n; i++)
        put_rule(t, true, i);
    n = below(16);
    put(t, n > 0 ? "media:\n  rules:\n" : "");
    for (unsigned i = 0; i < n; i++)
        put_rule(t, false, i);
}

static struct policy *load(const struct text *t)
{
    static const struct policy_names names = {fixture_user, fixture_group, NULL};
    struct policy_findings findings = {0};
    struct policy *p = NULL;

    if (policy_load("random", (const uint8_t *)t->bytes, t->size, &findings, &p) != 0) {
        policy_findings_print(&findings, stderr, "random", (const uint8_t *)t->bytes, t->size);
        fail_msg("does not load:\n%s", t->bytes);
    }
    policy_findings_done(&findings);
    assert_int_equal(policy_resolve(p, &names, NULL), 0);
    return p;
}

/* The policy as it would be without anything that index.c made. */
struct plain {
    struct policy policy;
    struct policy_usb_rule usb[32];
    struct policy_medium_rule media[32];
};

static void make_plain(const struct policy *p, struct plain *ret)
{
    ret->policy = *p;
    for (size_t i = 0; i < p->n_usb; i++) {
        struct policy_usb_match *m = &ret->usb[i].match;

        ret->usb[i] = p->usb[i];
        m->serials.table = m->names.table = m->hashes.table = m->parent_hashes.table = m->ports.table = NULL;
        m->connect_types.table = m->usbguard_hashes.table = m->usbguard_parent_hashes.table = NULL;
    }
    for (size_t i = 0; i < p->media.n_rules; i++) {
        struct policy_medium_match *m = &ret->media[i].match;

        ret->media[i] = p->media.rules[i];
        m->serials.table = m->labels.table = m->uuids.table = m->buses.table = NULL;
    }
    ret->policy.usb = ret->usb;
    ret->policy.media.rules = ret->media;
    ret->policy.usb_index = ret->policy.media_index = NULL;
}

static const char *any_text(void)
{
    static char of_list[8];
    unsigned i = below(ELEMENTS(texts) + 2);

    if (i == ELEMENTS(texts))
        return NULL;
    if (i < ELEMENTS(texts))
        return texts[i];
    (void)snprintf(of_list, sizeof(of_list), "L%u", below(LONG_LIST + 5));
    return of_list;
}

static void check_verdicts(const struct verdict *a, const struct verdict *b, const struct text *t)
{
    if (a->kind != b->kind || a->ruled != b->ruled || a->allow != b->allow || a->reason != b->reason ||
        strcmp(a->rule, b->rule) != 0 || strcmp(a->medium_rule, b->medium_rule) != 0 || a->cacheable != b->cacheable ||
        a->monitor != b->monitor || a->exec != b->exec)
        fail_msg("index: %s %s %s\nlinear: %s %s %s\n%s", verdict_kind_name(a->ruled), a->rule,
                 verdict_reason_name(a->reason), verdict_kind_name(b->ruled), b->rule, verdict_reason_name(b->reason),
                 t->bytes);
}

static const struct decide_time tuesday = {.wall_us = INT64_C(1795482000000000), .weekday = 1, .minute = 600};

static unsigned decided, long_lists;

static void check_usb(const struct policy *p, const struct plain *plain, const struct text *t)
{
    static const struct decide_interface have[] = {
        {.class_ = 8, .subclass = 6, .protocol = 0x50}, {.class_ = 3, .subclass = 1, .protocol = 1}, {.class_ = 9}};
    unsigned from = below(3);
    struct decide_usb_facts facts = {.vendor = below(2) ? 0x0781 : 0x046d,
                                     .product = below(2) ? 0x5583 : 0xc31c,
                                     .name = texts[below(ELEMENTS(texts))],
                                     .hash = texts[below(ELEMENTS(texts))],
                                     .parent_hash = texts[below(ELEMENTS(texts))],
                                     .usbguard_hash = texts[below(ELEMENTS(texts))],
                                     .usbguard_parent_hash = texts[below(ELEMENTS(texts))],
                                     .port = texts[below(ELEMENTS(texts))],
                                     .connect_type = types[below(ELEMENTS(types))],
                                     .interfaces = have + from,
                                     .n_interfaces = 1 + below(3 - from),
                                     .duplicate = below(4) == 0,
                                     .persons = &tanaka,
                                     .n_persons = below(2),
                                     .now = tuesday};
    struct verdict a = {0}, b = {0};

    facts.serial = any_text();
    decide_usb(p, &facts, &a);
    decide_usb(&plain->policy, &facts, &b);
    check_verdicts(&a, &b, t);
    for (unsigned i = 0; i < ELEMENTS(have); i++)
        assert_int_equal(decide_usb_interface(p, &a, &have[i]), decide_usb_interface(&plain->policy, &b, &have[i]));
    decided += strcmp(a.rule, "default") != 0;
}

static void check_medium(const struct policy *p, const struct plain *plain, const struct text *t)
{
    struct decide_medium_facts facts = {.bus = buses[below(ELEMENTS(buses))],
                                        .node = "/dev/sdb",
                                        .filesystem = "vfat",
                                        .label = texts[below(ELEMENTS(texts))],
                                        .uuid = texts[below(ELEMENTS(texts))],
                                        .capacity = 1,
                                        .persons = &tanaka,
                                        .n_persons = below(2),
                                        .now = tuesday};
    struct verdict a = {0}, b = {0};
    char rule[16];

    facts.serial = any_text();
    if (below(2)) {
        (void)snprintf(rule, sizeof(rule), "u%u", below(24));
        facts.usb_rule = rule;
    }
    decide_medium(p, &facts, &a);
    decide_medium(&plain->policy, &facts, &b);
    check_verdicts(&a, &b, t);
    decided += strcmp(a.rule, "default") != 0;
}

static void test_same_decisions(void **state)
{
    static struct plain plain;
    static struct text t;

    const char *other = getenv("KURABAN_SEED");

    (void)state;
    if (other)
        seed = (unsigned)strtoul(other, NULL, 10);
    for (unsigned i = 0; i < POLICIES; i++) {
        struct policy *p;

        make_document(&t);
        p = load(&t);
        for (size_t k = 0; k < p->n_usb; k++)
            long_lists += p->usb[k].match.serials.table != NULL;
        assert_true(p->n_usb <= ELEMENTS(plain.usb) && p->media.n_rules <= ELEMENTS(plain.media));
        make_plain(p, &plain);
        for (unsigned k = 0; k < FACTS; k++) {
            check_usb(p, &plain, &t);
            check_medium(p, &plain, &t);
        }
        (void)policy_unref(p);
    }
    assert_true(long_lists > POLICIES / 10);
    /* Else it would have compared nothing but defaults. */
    assert_in_range(decided, POLICIES * FACTS / 2, 2 * POLICIES * FACTS - POLICIES * FACTS / 8);
}

/* What is proposed for a device among thousands: a handful, in order. */
static void test_few_are_proposed(void **state)
{
    static char text[POLICY_DOCUMENT_MAX];
    size_t n = (size_t)sprintf(text, "format: kuraban-policy/1\norganization: c\nname: n\nversion: 1\nusb:\n"),
           proposed = 0;
    struct policy_values values = {
        .text = {[POLICY_KEY_SERIAL] = "S02500"}, .has_device = true, .vendor = 0x781, .product = 0x5583};
    struct policy_findings findings = {0};
    struct policy_candidates c;
    struct policy *p = NULL;
    size_t i, last = 0;
    bool seen = false;

    (void)state;
    /* All of one type: they must be filed by what differs. */
    for (unsigned k = 0; k < 3000; k++)
        n += (size_t)sprintf(text + n, "- {id: r%u, allow: read, match: {device: \"0781:5583\", serial: S%05u}}\n", k,
                             k);
    assert_int_equal(policy_load("many", (const uint8_t *)text, n, &findings, &p), 0);
    policy_findings_done(&findings);
    policy_candidates_init(&c, p->usb_index, p->n_usb, &values);
    for (; policy_candidates_next(&c, &i); last = i, proposed++) {
        assert_true(proposed == 0 || i > last);
        seen = seen || i == 2500;
    }
    assert_true(seen);
    assert_in_range(proposed, 1, 8);
    assert_ptr_equal(policy_find_usb_rule(p, "r2999"), &p->usb[2999]);
    assert_null(policy_find_usb_rule(p, "r3000"));
    assert_null(policy_find_usb_rule(p, NULL));
    (void)policy_unref(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_decisions),
        cmocka_unit_test(test_few_are_proposed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
