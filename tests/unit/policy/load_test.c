/* What the loader makes of good documents: every field, the zones' defaults, limits, times, names, references. */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "policy/findings.h"
#include "policy/warn.h"
#include "slurp.h"

#define HEAD "format: kuraban-policy/1\norganization: city.example\nname: test\nversion: 1\n"

static struct policy *load_bytes(const char *bytes, size_t size)
{
    struct policy_findings findings = {0};
    struct policy *p = NULL;
    int r = policy_load("test.yaml", (const uint8_t *)bytes, size, &findings, &p);

    if (r != 0) {
        policy_findings_print(&findings, stderr, "test.yaml", (const uint8_t *)bytes, size);
        fail_msg("does not load: %d", r);
    }
    policy_findings_done(&findings);
    return p;
}

static struct policy *load_text(const char *text)
{
    return load_bytes(text, strlen(text));
}

static int refused(const char *bytes, size_t size)
{
    struct policy_findings findings = {0};
    struct policy *p = NULL;
    int r = policy_load("test.yaml", (const uint8_t *)bytes, size, &findings, &p);

    assert_null(p);
    assert_true(findings.n_errors > 0);
    policy_findings_done(&findings);
    return r;
}

static int64_t moment(const char *text)
{
    int64_t us = 0;

    assert_int_equal(clock_parse_rfc3339(text, &us), 0);
    return us;
}

static void check_full_head(const struct policy *p)
{
    assert_string_equal(p->organization, "matsudo.example");
    assert_string_equal(p->name, "課税課 標準");
    assert_int_equal(p->version, 42);
    assert_int_equal(p->scope_groups.n, 1);
    assert_string_equal(p->scope_groups.items[0], "kazei");
    assert_true(p->valid_from_us == moment("2026-04-01T00:00:00+09:00"));
    assert_true(p->valid_until_us == moment("2027-03-31T23:59:59+09:00"));
    assert_int_equal(p->zone, POLICY_ZONE_MYNUMBER);
    assert_int_equal(p->mode, POLICY_ENFORCE);
    assert_int_equal(p->audit.keep_days, 1096);
    assert_int_equal(p->audit.segment_size, 32U << 20);
    assert_true(p->audit.total_size == UINT64_C(8) << 30);
    assert_int_equal(p->audit.when_full, POLICY_FULL_REFUSE_EXPORT);
}

static void check_full_usb(const struct policy *p)
{
    const struct policy_usb_rule *r = p->usb;

    assert_int_equal(p->n_usb, 5);
    assert_string_equal(r[0].id, "kb-builtin");
    assert_int_equal(r[0].at.line, 10);
    assert_int_equal(r[0].at.column, 5);
    assert_int_equal(r[0].allow, POLICY_USE);
    assert_int_equal(r[0].match.interfaces.op, POLICY_SET_ALL_OF);
    assert_string_equal(r[0].match.connect_types.items[0], "hardwired");
    assert_false(r[0].unique_serial);
    assert_string_equal(r[1].name, "課税課 承認USBメモリ");
    assert_int_equal(r[1].match.devices.items[0].vendor, 0x0781);
    assert_int_equal(r[1].match.serials.n, 2);
    assert_int_equal(r[1].match.serials.op, POLICY_SET_ONE_OF);
    assert_int_equal(r[1].match.interfaces.op, POLICY_SET_EQUALS);
    assert_int_equal(r[1].match.interfaces.items[0].protocol, 0x50);
    assert_true(r[1].medium.luks_only);
    assert_true(r[1].medium.capacity_max == UINT64_C(64) << 30);
    assert_int_equal(r[1].medium.filesystems.n, 2);
    assert_true(r[1].unique_serial);
    assert_true(r[1].who.restricted);
    assert_int_equal(r[1].when.days, 0x1f);
    assert_int_equal(r[1].when.from, 8 * 60 + 30);
    assert_int_equal(r[1].when.to, 17 * 60 + 15);
    assert_true(r[2].remove);
    assert_int_equal(r[2].allow, POLICY_REFUSE);
    assert_true(r[2].match.interfaces.items[0].any_subclass);
    assert_int_equal(r[3].match.devices.n, 2);
    assert_true(r[3].match.devices.items[0].any_product);
    assert_int_equal(r[3].match.names.op, POLICY_SET_NONE_OF);
    assert_int_equal(r[3].match.ports.n, 2);
    assert_int_equal(r[3].match.connect_types.n, 2);
    assert_int_equal(r[3].match.interfaces.op, POLICY_SET_MATCH_ALL);
    assert_int_equal(r[3].only.n, 1);
    assert_true(r[3].monitor);
    assert_false(r[3].unique_serial);
    assert_int_equal(r[4].allow, POLICY_READ);
    assert_false(r[4].unique_serial); /* unique: ignore against the zone's default */
}

static void check_full_rest(const struct policy *p)
{
    const struct policy_medium_rule *m = p->media.rules;
    const struct policy_store *s = p->stores;

    assert_int_equal(p->media.n_rules, 2);
    assert_int_equal(p->media.network, POLICY_REFUSE);
    assert_string_equal(p->media.network_allow.items[0], "//files.matsudo.example/kazei");
    assert_string_equal(m[0].match.paths.items[0], "/dev/sr*");
    assert_string_equal(m[0].match.filesystems.items[0], "iso9660");
    assert_string_equal(m[0].who.users.items[1], "sato");
    assert_int_equal(m[1].allow, POLICY_REFUSE);
    assert_int_equal(p->n_stores, 1);
    assert_string_equal(s->path, "/srv/juki");
    assert_string_equal(s->class_, "3B");
    assert_int_equal(s->n_programs, 2);
    assert_true(s->programs[0].has_sha256);
    assert_int_equal(s->programs[0].sha256.bytes[0], 0x9f);
    assert_false(s->programs[1].has_sha256);
    assert_int_equal(s->when.days, 1 | 2 | 32);
    assert_int_equal(s->when.from, 22 * 60);
}

static void test_full_document(void **state)
{
    size_t size;
    _cleanup_free_ char *bytes = slurp(KURABAN_TEST_DATA "/policy/full.yaml", &size);
    struct policy *p = load_bytes(bytes, size);
    struct digest sha256;

    (void)state;
    check_full_head(p);
    check_full_usb(p);
    check_full_rest(p);
    assert_int_equal(digest_bytes(bytes, size, &sha256), 0);
    assert_int_equal(digest_equal(&sha256, &p->sha256), 1);
    (void)policy_unref(p);
}

static void test_shipped_example(void **state)
{
    size_t size;
    char path[512];
    _cleanup_free_ char *bytes = NULL;
    struct policy_findings findings = {0};
    struct policy *p = NULL;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/docs/examples/policy.yaml", getenv("KURABAN_SOURCE"));
    bytes = slurp(path, &size);
    assert_int_equal(policy_load(path, (const uint8_t *)bytes, size, &findings, &p), 0);
    assert_int_equal(findings.n, 0);
    assert_int_equal(p->mode, POLICY_MONITOR);
    (void)policy_unref(p);
    policy_findings_done(&findings);
}

/* The example between ".Bd -literal" and ".Ed" under EXAMPLES, with mdoc's escapes undone. */
static void test_man_page_example(void **state)
{
    size_t size, n = 0;
    char path[512], *from, *to;
    _cleanup_free_ char *page = NULL, *text = NULL;
    struct policy *p;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/man/kuraban-policy.5", getenv("KURABAN_SOURCE"));
    page = slurp(path, &size);
    from = strstr(page, ".Sh EXAMPLES");
    assert_non_null(from);
    from = strstr(from, ".Bd -literal");
    assert_non_null(from);
    from = strchr(from, '\n') + 1;
    to = strstr(from, "\n.Ed");
    assert_non_null(to);
    text = calloc(1, size);
    assert_non_null(text);
    for (; from <= to; from++) {
        if (from[0] == '\\' && (from[1] == '-' || from[1] == '&'))
            from += from[1] == '&' ? 2 : 1;
        text[n++] = *from;
    }
    p = load_bytes(text, n);
    assert_true(p->n_usb >= 3 && p->n_stores >= 1 && p->media.n_rules >= 1);
    (void)policy_unref(p);
}

static void test_zone_defaults(void **state)
{
    static const struct {
        const char *zone;
        enum policy_allow optical, sdcard, firewire, thunderbolt, other, network, fuse;
        bool unique;
    } cases[] = {
        {"", 0, 0, 0, 0, 0, 0, 0, true},
        {"zone: mynumber\n", 0, 0, 0, 0, 0, 0, 0, true},
        {"zone: lgwan\n", POLICY_READ, 0, 0, 0, 0, POLICY_USE, 0, true},
        {"zone: internet\n", POLICY_READ, POLICY_READ, 0, 0, 0, POLICY_USE, POLICY_USE, false},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char text[512];
        struct policy *p;

        /* The zone is written last: its defaults must not depend on the order. */
        (void)snprintf(text, sizeof(text), HEAD "usb: [{id: s, allow: read, match: {serial: X}}]\n%s", cases[i].zone);
        p = load_text(text);
        assert_int_equal(p->media.optical, cases[i].optical);
        assert_int_equal(p->media.sdcard, cases[i].sdcard);
        assert_int_equal(p->media.firewire, cases[i].firewire);
        assert_int_equal(p->media.thunderbolt, cases[i].thunderbolt);
        assert_int_equal(p->media.other, cases[i].other);
        assert_int_equal(p->media.network, cases[i].network);
        assert_int_equal(p->media.fuse, cases[i].fuse);
        assert_false(p->media.exec);
        assert_int_equal(p->usb[0].unique_serial, cases[i].unique);
        assert_int_equal(p->audit.keep_days, 1096);
        assert_int_equal(p->audit.segment_size, 16U << 20);
        (void)policy_unref(p);
    }
}

static void test_written_beats_zone(void **state)
{
    struct policy *p = load_text(HEAD "media: {optical: refuse, network: refuse, sdcard: read, exec: allow, fuse: "
                                      "{allow: [fuse.portal]}}\nzone: internet\n");

    (void)state;
    assert_int_equal(p->media.optical, POLICY_REFUSE);
    assert_int_equal(p->media.network, POLICY_REFUSE);
    assert_int_equal(p->media.sdcard, POLICY_READ);
    assert_int_equal(p->media.fuse, POLICY_USE); /* default left to the zone */
    assert_int_equal(p->media.fuse_allow.n, 1);
    assert_true(p->media.exec);
    (void)policy_unref(p);
}

/* A bare date is valid through the end of that local day, also on the days when clocks change. */
static void test_until_is_the_whole_day(void **state)
{
    static const struct {
        const char *zone, *until, *last;
    } cases[] = {
        {"Asia/Tokyo", "2027-03-31", "2027-03-31T23:59:59.999999+09:00"},
        {"Asia/Tokyo", "2027-03-31T12:00:00+09:00", "2027-03-31T12:00:00+09:00"},
        {"UTC", "2028-02-29", "2028-02-29T23:59:59.999999Z"},
        {"Europe/Berlin", "2027-03-28", "2027-03-28T23:59:59.999999+02:00"},
        {"Europe/Berlin", "2027-10-31", "2027-10-31T23:59:59.999999+01:00"},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char text[512];
        struct policy *p;

        assert_int_equal(setenv("TZ", cases[i].zone, 1), 0);
        tzset();
        (void)snprintf(text, sizeof(text), HEAD "usb: [{id: s, allow: use, until: %s}]\n", cases[i].until);
        p = load_text(text);
        if (p->usb[0].until_us != moment(cases[i].last))
            fail_msg("%s in %s", cases[i].until, cases[i].zone);
        (void)policy_unref(p);
    }
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
}

static void test_periods(void **state)
{
    static const struct {
        const char *text;
        int64_t days;
    } cases[] = {{"1d", 1}, {"2w", 14}, {"18m", 558}, {"1y", 366}, {"3y", 1096}, {"5y", 1827}};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char text[256];
        struct policy *p;

        (void)snprintf(text, sizeof(text), HEAD "audit: {keep: %s}\n", cases[i].text);
        p = load_text(text);
        assert_int_equal(p->audit.keep_days, cases[i].days);
        (void)policy_unref(p);
    }
}

static void test_days(void **state)
{
    static const struct {
        const char *text;
        unsigned days;
    } cases[] = {
        {"mon", 1}, {"sat", 32}, {"mon-sun", 127}, {"fri-mon", 16 | 32 | 64 | 1}, {"[tue, thu-fri]", 2 | 8 | 16}};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char text[256];
        struct policy *p;

        (void)snprintf(text, sizeof(text), HEAD "usb: [{id: a, allow: use, when: {days: %s}}]\n", cases[i].text);
        p = load_text(text);
        assert_int_equal(p->usb[0].when.days, cases[i].days);
        assert_int_equal(p->usb[0].when.from, -1);
        (void)policy_unref(p);
    }
}

/* 5 000 serials of a 256 KiB document fit; one byte more than the limit is refused before it is parsed. */
static void test_limits(void **state)
{
    _cleanup_free_ char *text = malloc(POLICY_DOCUMENT_MAX + 2);
    size_t n;
    struct policy *p;

    (void)state;
    assert_non_null(text);
    n = (size_t)sprintf(text, HEAD "usb:\n  - id: sticks\n    allow: read\n    match:\n      serial:\n");
    for (unsigned i = 0; i < 5000; i++)
        n += (size_t)sprintf(text + n, "        - \"4C530001%016u\"\n", i);
    p = load_bytes(text, n);
    assert_int_equal(p->usb[0].match.serials.n, 5000);
    (void)policy_unref(p);
    memset(text + n, '\n', POLICY_DOCUMENT_MAX + 1 - n);
    p = load_bytes(text, POLICY_DOCUMENT_MAX);
    (void)policy_unref(p);
    assert_int_equal(refused(text, POLICY_DOCUMENT_MAX + 1), POLICY_E_INVALID);
}

/* Small documents that ask for much: each must be refused, and soon. */
static void test_greedy_documents(void **state)
{
    _cleanup_free_ char *text = malloc(POLICY_DOCUMENT_MAX);
    clock_t begin = clock();
    size_t n = sizeof(HEAD) - 1;

    (void)state;
    assert_non_null(text);
    memset(text, '[', POLICY_DOCUMENT_MAX); /* depth */
    assert_int_equal(refused(text, POLICY_DOCUMENT_MAX), POLICY_E_INVALID);
    memcpy(text, HEAD, n); /* nodes */
    n += (size_t)sprintf(text + n, "usb: [");
    while (n + 3 < POLICY_DOCUMENT_MAX)
        n += (size_t)sprintf(text + n, "a,");
    assert_int_equal(refused(text, n), POLICY_E_INVALID);
    n = sizeof(HEAD) - 1; /* unknown keys */
    for (unsigned i = 0; n + 16 < POLICY_DOCUMENT_MAX && i < 30000; i++)
        n += (size_t)sprintf(text + n, "k%x: 1\n", i);
    assert_int_equal(refused(text, n), POLICY_E_INVALID);
    assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 10);
}

static int find_user(void *context, const char *name, uid_t *ret)
{
    (void)context;
    if (strcmp(name, "tanaka") != 0)
        return strcmp(name, "late") == 0 ? -EAGAIN : -ENOENT;
    *ret = 1001;
    return 0;
}

static int find_group(void *context, const char *name, gid_t *ret)
{
    ++*(unsigned *)context;
    if (strcmp(name, "kazei") != 0)
        return -ENOENT;
    *ret = 2001;
    return 0;
}

static void test_resolve(void **state)
{
    unsigned asked = 0;
    const struct policy_names names = {find_user, find_group, &asked};
    struct policy_findings findings = {0};
    struct policy *p =
        load_text(HEAD "usb:\n  - {id: a, allow: use, who: {users: [tanaka, nobody-here], groups: kazei}}\n"
                       "stores: [{id: s, path: /srv/s, who: {groups: [gone]}}]\n");

    (void)state;
    for (unsigned twice = 0; twice < 2; twice++) {
        assert_int_equal(policy_resolve(p, &names, &findings), 0);
        assert_int_equal(p->usb[0].who.n_uids, 1);
        assert_int_equal(p->usb[0].who.uids[0], 1001);
        assert_int_equal(p->usb[0].who.n_gids, 1);
        assert_int_equal(p->usb[0].who.gids[0], 2001);
        assert_true(p->stores[0].who.restricted);
        assert_int_equal(p->stores[0].who.n_gids, 0);
    }
    assert_int_equal(findings.n, 4);
    assert_int_equal(findings.n_errors, 0);
    assert_string_equal(findings.items[0].message, "there is no user 'nobody-here' on this terminal");
    assert_int_equal(findings.items[0].at.line, 6);
    assert_int_equal(asked, 4);
    policy_findings_done(&findings);
    (void)policy_unref(p);
}

static void test_resolve_without_answer(void **state)
{
    unsigned asked = 0;
    const struct policy_names names = {find_user, find_group, &asked};
    struct policy_findings findings = {0};
    struct policy *p = load_text(HEAD "usb:\n  - {id: a, refuse: true, who: {users: [late]}}\n"
                                      "  - {id: b, refuse: true, who: {users: [nobody-here]}}\n");

    (void)state;
    assert_int_equal(policy_resolve(p, &names, &findings), 0);
    assert_true(p->usb[0].who.unasked);
    assert_false(p->usb[1].who.unasked);
    assert_int_equal(findings.n, 2);
    assert_non_null(strstr(findings.items[0].message, "did not answer for 'late'"));
    policy_findings_done(&findings);
    (void)policy_unref(p);
}

static void test_references(void **state)
{
    struct policy *p = load_text(HEAD);

    (void)state;
    assert_ptr_equal(policy_ref(p), p);
    assert_null(policy_unref(p));
    assert_int_equal(p->version, 1);
    assert_null(policy_unref(p));
    assert_null(policy_unref(NULL));
    assert_null(policy_ref(NULL));
}

static void test_expiry(void **state)
{
    static const struct {
        const char *now, *message;
    } cases[] = {
        {"2027-01-01T00:00:00Z", NULL},
        {"2027-03-11T00:00:00Z", "the policy expires in 20 days"},
        {"2027-04-01T00:00:00Z", "the policy has expired; it keeps ruling until a new one comes"},
        {"2026-03-01T00:00:00Z", "the policy is meant to rule from a later date"},
    };
    struct policy *p = load_text(HEAD "valid: {from: 2026-04-01T00:00:00Z, until: 2027-03-31T12:00:00Z}\n"
                                      "usb: [{id: a, allow: use, until: 2027-03-20T00:00:00Z}]\n");

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct policy_findings findings = {0};

        policy_warn_expiry(p, moment(cases[i].now), &findings);
        assert_int_equal(findings.n_errors, 0);
        if (!cases[i].message) {
            assert_int_equal(findings.n, 0);
        } else {
            assert_string_equal(findings.items[0].message, cases[i].message);
            if (i == 1)
                assert_string_equal(findings.items[1].message, "rule 'a' expires in 9 days");
            if (i == 2)
                assert_string_equal(findings.items[1].message, "rule 'a' has expired");
        }
        policy_findings_done(&findings);
    }
    (void)policy_unref(p);
}

/* Without an end nobody is reminded; the end of the fiscal year is proposed. */
static void test_no_end(void **state)
{
    static const struct {
        const char *now, *hint;
    } cases[] = {
        {"2027-03-31T23:59:59+09:00", "2027-03-31"}, {"2027-04-01T00:00:00+09:00", "2028-03-31"},
        {"2027-12-31T23:59:59+09:00", "2028-03-31"}, {"2028-01-01T00:00:00+09:00", "2028-03-31"},
        {"2028-02-29T12:00:00+09:00", "2028-03-31"},
    };
    struct policy *p = load_text(HEAD "valid: {from: 2026-04-01}\n"), *watching = load_text(HEAD "mode: monitor\n");
    struct policy_findings none = {0};

    (void)state;
    assert_int_equal(setenv("TZ", "Asia/Tokyo", 1), 0);
    tzset();
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct policy_findings findings = {0};

        policy_warn_expiry(p, moment(cases[i].now), &findings);
        assert_int_equal(findings.n, 1);
        assert_int_equal(findings.n_errors, 0);
        assert_string_equal(findings.items[0].message, "the policy does not say until when it is valid");
        assert_non_null(strstr(findings.items[0].hint, cases[i].hint));
        policy_findings_done(&findings);
    }
    policy_warn_expiry(watching, moment(cases[0].now), &none);
    assert_int_equal(none.n, 0);
    (void)policy_unref(p);
    (void)policy_unref(watching);
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
}

/* However much is warned of, all of the document is read, and an error in it is found. */
static void test_warnings_stop_nothing(void **state)
{
    static char text[65536];
    size_t n = (size_t)sprintf(text, HEAD "usb:\n  - {id: first, allow: read, match: {port: [");
    struct policy_findings findings = {0};
    struct policy *p = NULL;

    (void)state;
    for (int i = 0; i < 300; i++)
        n += (size_t)sprintf(text + n, "odd%d, ", i);
    n += (size_t)sprintf(text + n, "1-2]}}\n");
    for (int i = 0; i < 50; i++)
        n += (size_t)sprintf(text + n, "  - {id: r%d, refuse: true, match: {serial: S%d}}\n", i, i);
    assert_int_equal(policy_load("t", (const uint8_t *)text, n, &findings, &p), 0);
    assert_int_equal(findings.n, POLICY_FINDINGS_MAX);
    assert_int_equal(p->n_usb, 51);
    assert_string_equal(p->usb[50].id, "r49");
    assert_string_equal(p->usb[50].match.serials.items[0], "S49");
    (void)policy_unref(p);
    policy_findings_done(&findings);
    n += (size_t)sprintf(text + n, "  - {id: last, refuse: true, mach: {}}\n  - {id: r1, allow: read}\nusb: []\n");
    assert_int_equal(policy_load("t", (const uint8_t *)text, n, &findings, &p), POLICY_E_INVALID);
    assert_int_equal(findings.n, 1); /* the key that is given twice, before anything else is read */
    policy_findings_done(&findings);
    n -= strlen("usb: []\n");
    assert_int_equal(policy_load("t", (const uint8_t *)text, n, &findings, &p), POLICY_E_INVALID);
    assert_int_equal(findings.n_errors, 1);
    assert_string_equal(findings.items[POLICY_FINDINGS_MAX - 1].message, "unknown key 'mach' in a USB rule");
    policy_findings_done(&findings);
}

static void test_without_findings(void **state)
{
    struct policy *p = NULL;

    (void)state;
    assert_int_equal(policy_load("x", (const uint8_t *)"nonsense", 8, NULL, &p), POLICY_E_INVALID);
    assert_null(p);
    assert_int_equal(policy_load("x", (const uint8_t *)HEAD, sizeof(HEAD) - 1, NULL, &p), 0);
    (void)policy_unref(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_document),
        cmocka_unit_test(test_shipped_example),
        cmocka_unit_test(test_man_page_example),
        cmocka_unit_test(test_zone_defaults),
        cmocka_unit_test(test_written_beats_zone),
        cmocka_unit_test(test_until_is_the_whole_day),
        cmocka_unit_test(test_periods),
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_greedy_documents),
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_resolve_without_answer),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_no_end),
        cmocka_unit_test(test_warnings_stop_nothing),
        cmocka_unit_test(test_without_findings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
