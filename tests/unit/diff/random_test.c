/*
 * Small policies made at random, and every device there can be for them: what diff says must be what decide does. A difference that
 * is not told is what an approver would sign unseen; one that is told and is none is what teaches people not to read.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "decide/decide.h"
#include "policy/diff/diff.h"
#include "policy/findings.h"

enum {
    ROUNDS = 400,
    ROUNDS_LOCKING = 120,
    INTERFACES_MAX = 3,
    RULES_MAX = 8,
};

static uint64_t seed;

static unsigned choose(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

static const char *const operators[] = {"one-of", "all-of", "none-of", "equals", "equals-ordered", "match-all"};
static const char *const patterns[] = {"08:06:50", "08:*:*", "03:01:01", "03:*:*"};
static const char *const devices[] = {"0001:0001", "0001:0002", "0001:*", "0002:0001", "*:*"};
static const char *const serials[] = {"A", "B", "C"};

/* key: {operator: [some of items]}, */
static void add_set(FILE *out, const char *key, const char *const *items, unsigned n, unsigned n_operators)
{
    unsigned first = choose(n), more = choose(2);

    (void)fprintf(out, "%s: {%s: [\"%s\"", key, operators[choose(n_operators)], items[first]);
    if (more)
        (void)fprintf(out, ", \"%s\"", items[(first + 1 + choose(n - 1)) % n]);
    (void)fputs("]}, ", out);
}

static bool locking; /* rules that unlock and take out, too */

static char *make_rule(unsigned i)
{
    static const char *const verdicts[2][6] = {
        {"allow: use", "allow: read", "refuse: true", "refuse: true, when: {days: sun}",
         "allow: use, when: {days: sun}", "allow: {what: use, interfaces: [\"03:*:*\"]}"},
        {"allow: use", "allow: read, unlock: {}", "allow: export", "refuse: true, when: {days: sun}",
         "allow: use, unlock: {}", "allow: export, unlock: {}"}};
    unsigned attributes = 1 + choose(7);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    (void)fprintf(out, "  - {id: r%u, match: {", i);
    if (attributes & 1)
        add_set(out, "device", devices, 5, 3);
    if (attributes & 2)
        add_set(out, "serial", serials, 3, 3);
    if (attributes & 4)
        add_set(out, "interfaces", patterns, 4, 6);
    (void)fprintf(out, "}, %s}\n", verdicts[locking][choose(6)]);
    assert_int_equal(fclose(out), 0);
    return text;
}

struct rules {
    char *items[RULES_MAX];
    unsigned n;
};

static void rules_done(struct rules *r)
{
    for (unsigned i = 0; i < r->n; i++)
        free(r->items[i]);
}

static void make_rules(struct rules *r)
{
    r->n = 1 + choose(4);
    for (unsigned i = 0; i < r->n; i++)
        r->items[i] = make_rule(i);
}

/* One rule moved, gone, come, or other: as people change a policy. */
static void change_rules(const struct rules *from, struct rules *ret)
{
    unsigned at = choose(from->n), other = choose(from->n), how = choose(4);
    char *item;

    ret->n = 0;
    for (unsigned i = 0; i < from->n; i++)
        if (how != 1 || i != at || from->n == 1)
            ret->items[ret->n++] = how == 2 && i == at ? make_rule(i) : strdup(from->items[i]);
    if (how == 3)
        ret->items[ret->n++] = make_rule(9);
    if (how == 1)
        return;
    at = how == 3 ? ret->n - 1 : how == 0 ? at : other;
    item = ret->items[at];
    ret->items[at] = ret->items[other];
    ret->items[other] = item;
}

static struct policy *make_policy(const struct rules *rules, char **ret_text)
{
    struct policy_findings findings = {0};
    struct policy *p = NULL;
    size_t size = 0;
    FILE *out = open_memstream(ret_text, &size);

    assert_non_null(out);
    (void)fputs("format: kuraban-policy/1\norganization: o\nname: n\nversion: 1\nzone: internet\nusb:\n", out);
    for (unsigned i = 0; i < rules->n; i++)
        (void)fputs(rules->items[i], out);
    assert_int_equal(fclose(out), 0);
    if (policy_load("random", (const uint8_t *)*ret_text, size, &findings, &p) != 0)
        fail_msg("%s\n%u: %s", *ret_text, findings.items[0].at.line, findings.items[0].message);
    policy_findings_done(&findings);
    return p;
}

/* Storage and keyboard as patterns name them, others of their class, and what no pattern names. */
static const struct decide_interface kinds[] = {{.class_ = 0x08, .subclass = 0x06, .protocol = 0x50},
                                                {.class_ = 0x08, .subclass = 0x01, .protocol = 0x01},
                                                {.class_ = 0x03, .subclass = 0x01, .protocol = 0x01},
                                                {.class_ = 0x03, .subclass = 0x00, .protocol = 0x00},
                                                {.class_ = 0xee, .subclass = 0x00, .protocol = 0x00}};

struct device {
    struct decide_usb_facts facts;
    struct decide_interface interfaces[INTERFACES_MAX];
};

/* The i-th of all devices; false past the last. */
static bool make_device(unsigned i, struct device *ret)
{
    static const uint16_t numbers[] = {1, 2, 3};
    static const char *const claims[] = {"A", "B", "C", "D"};
    unsigned list;

    *ret = (struct device){0};
    ret->facts = (struct decide_usb_facts){.name = "", .port = "", .connect_type = "", .hash = "", .parent_hash = ""};
    ret->facts.vendor = numbers[i % 3];
    i /= 3;
    ret->facts.product = numbers[i % 3];
    i /= 3;
    ret->facts.serial = claims[i % 4];
    i /= 4;
    for (list = i; ret->facts.n_interfaces < INTERFACES_MAX && list > 0; list /= 6)
        if (list % 6 > 0)
            ret->interfaces[ret->facts.n_interfaces++] = kinds[list % 6 - 1];
    ret->facts.interfaces = ret->interfaces;
    return i < 6 * 6 * 6;
}

/* What a device gets, at an hour of Sunday and of another day, locked and unlocked. */
static bool same_decision(const struct policy *a, const struct policy *b, struct decide_usb_facts *facts)
{
    for (unsigned k = 0; k < (locking ? 4 : 2); k++) {
        struct verdict x, y;

        facts->now = (struct decide_time){.weekday = (uint8_t)(5 + k % 2)};
        facts->granted = k / 2;
        decide_usb(a, facts, &x);
        decide_usb(b, facts, &y);
        if (x.kind != y.kind || x.allow != y.allow)
            return false;
        for (size_t i = 0; i < facts->n_interfaces; i++)
            if (decide_usb_interface(a, &x, &facts->interfaces[i]) !=
                decide_usb_interface(b, &y, &facts->interfaces[i]))
                return false;
    }
    return true;
}

static bool find_difference(const struct policy *a, const struct policy *b, struct device *ret)
{
    for (unsigned i = 0; make_device(i, ret); i++)
        if (ret->facts.n_interfaces > 0 && !same_decision(a, b, &ret->facts))
            return true;
    return false;
}

static bool is_told(const struct diff *d)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->items[i].devices.n > 0)
            return true;
    return false;
}

/* Longer than what print_error() of cmocka takes. */
static void tell_round(uint64_t round, bool differ, const char *before, const char *after, const struct device *device)
{
    (void)fprintf(stderr, "round %llu: %s\n%s%s", (unsigned long long)round,
                  differ ? "not told" : "told, and nothing differs", before, after);
    (void)fprintf(stderr, "%04x:%04x %s", device->facts.vendor, device->facts.product, device->facts.serial);
    for (size_t i = 0; i < device->facts.n_interfaces; i++)
        (void)fprintf(stderr, " %02x:%02x:%02x", device->interfaces[i].class_, device->interfaces[i].subclass,
                      device->interfaces[i].protocol);
    (void)fputc('\n', stderr);
}

static void test_random(void **state)
{
    size_t different = 0, untold = 0, vain = 0;

    (void)state;
    for (seed = 1; seed <= ROUNDS + ROUNDS_LOCKING; seed++) {
        uint64_t round = seed;
        char *before, *after;
        struct rules old, new;
        struct policy *a, *b;
        struct diff *d = NULL;
        struct device device;
        bool differ, told;

        locking = round > ROUNDS;
        make_rules(&old);
        if (round % 4 == 0)
            make_rules(&new);
        else
            change_rules(&old, &new);
        a = make_policy(&old, &before);
        b = make_policy(&new, &after);
        assert_int_equal(diff_policies(a, b, NULL, &d), 0);
        differ = find_difference(a, b, &device);
        told = is_told(d);
        different += differ;
        untold += differ && !told;
        vain += told && !differ;
        if (differ != told && untold + vain < 4)
            tell_round(round, differ, before, after, &device);
        (void)diff_free(d);
        (void)policy_unref(a);
        (void)policy_unref(b);
        free(before);
        free(after);
        rules_done(&old);
        rules_done(&new);
        seed = round;
    }
    print_message("%d pairs, %zu differ; %zu not told, %zu told in vain\n", ROUNDS + ROUNDS_LOCKING, different, untold,
                  vain);
    assert_true(different > (ROUNDS + ROUNDS_LOCKING) / 4);
    assert_int_equal(untold, 0);
    assert_int_equal(vain, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
