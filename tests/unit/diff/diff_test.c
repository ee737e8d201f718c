/* What a new policy changes: one table of documents and what is told of them. */
#include "unit/diff/fixture.h"

#include "base/cleanup.h"

#define STICK(rest_) "  - {id: stick, match: {device: \"0781:5583\", serial: [A, B]}, allow: read" rest_ "}\n"
#define KEYS "  - {id: keys, match: {interfaces: {match-all: [\"03:*:*\"]}}, allow: use}\n"
#define BOTH "{0781:5583; serial A | 0781:5583; serial B}\n"

static const struct diff_row rows[] = {
    {"nothing", "usb:\n" STICK(""), "usb:\n" STICK(""), ""},
    {"comments and order of a list", "usb:\n" STICK(""),
     "# new\nusb:\n  - {id: stick, match: {serial: [B, A], device: \"0781:5583\"}, allow: read}\n", ""},
    {"a device more", "usb:\n" STICK(""),
     "usb:\n  - {id: stick, match: {device: \"0781:5583\", serial: [A, B, C]}, allow: read}\n",
     "wider usb permitted; allow: - > read; unique: - > refuse [default > stick] {0781:5583; serial C}\n"},
    {"a device less", "usb:\n" STICK(""),
     "usb:\n  - {id: stick, match: {device: \"0781:5583\", serial: A}, allow: read}\n",
     "narrower usb refused; allow: read > -; unique: refuse > - [stick > default] {0781:5583; serial B}\n"},
    {"longer hours", "usb:\n" STICK(", when: {days: mon-fri, from: \"08:30\", to: \"17:15\"}"),
     "usb:\n" STICK(", when: {days: mon-fri, from: \"08:30\", to: \"20:00\"}"),
     "wider usb conditions; when: mon-fri 08:30-17:15 > mon-fri 08:30-20:00 [stick > stick] " BOTH},
    {"other hours", "usb:\n" STICK(", when: {days: mon-fri, from: \"08:30\", to: \"17:15\"}"),
     "usb:\n" STICK(", when: {days: mon-fri, from: \"09:30\", to: \"18:15\"}"),
     "other usb conditions; when: mon-fri 08:30-17:15 > mon-fri 09:30-18:15 [stick > stick] " BOTH},
    {"a night of the same minutes is the same", "usb:\n" STICK(", when: {days: [mon, tue]}"),
     "usb:\n" STICK(", when: {days: mon-tue}"), ""},
    {"more people", "usb:\n" STICK(", who: {groups: [tax]}"), "usb:\n" STICK(", who: {groups: [tax, welfare]}"),
     "wider usb conditions; who: groups tax > groups tax, welfare [stick > stick] " BOTH},
    {"everybody", "usb:\n" STICK(", who: {users: [sato]}"), "usb:\n" STICK(""),
     "wider usb conditions; who: users sato > - [stick > stick] " BOTH},
    {"other people", "usb:\n" STICK(", who: {users: [sato]}"), "usb:\n" STICK(", who: {users: [tanaka]}"),
     "other usb conditions; who: users sato > users tanaka [stick > stick] " BOTH},
    {"an earlier end", "usb:\n" STICK(", until: 2027-03-31"), "usb:\n" STICK(", until: 2026-12-31"),
     "narrower usb conditions; until: 2027-03-31 > 2026-12-31 [stick > stick] " BOTH},
    {"LUKS no longer, smaller, another filesystem",
     "usb:\n" STICK(", medium: {luks-only: true, capacity-max: 64G, filesystem: vfat}"),
     "usb:\n" STICK(", medium: {capacity-max: 32G, filesystem: exfat}"),
     "other usb conditions; luks-only: true > -; filesystem: vfat > exfat; capacity-max: 64G > 32G [stick > stick] " BOTH},
    {"using instead of reading", "usb:\n  - {id: cam, match: {device: \"046d:0001\"}, allow: read}\n",
     "usb:\n  - {id: cam, match: {device: \"046d:0001\"}, allow: use}\n",
     "wider usb permitted; allow: - > use [cam > cam] {046d:0001; interfaces …}\n"
     "wider usb conditions; allow: read > use [cam > cam] {046d:0001}\n"},
    {"some interfaces only", "usb:\n  - {id: cam, match: {device: \"046d:*\"}, allow: use}\n",
     "usb:\n  - {id: cam, match: {device: \"046d:*\"}, allow: {what: use, interfaces: [\"0e:*:*\"]}}\n",
     "narrower usb refused; allow: use > - [cam > cam] {046d:*; interfaces …}\n"
     "narrower usb conditions; allow.interfaces: - > 0e:*:* [cam > cam] {046d:*}\n"},
    {"a rule that only records", "usb:\n  - {id: no, match: {device: \"046d:*\"}, refuse: true}\n",
     "usb:\n  - {id: no, match: {device: \"046d:*\"}, refuse: true, monitor: true}\n",
     "wider usb permitted; allow: - > refuse; monitor: - > true [no > no] {046d:*}\n"},
    {"removed from the bus as well", "usb:\n  - {id: no, match: {device: \"046d:*\"}, refuse: true}\n",
     "usb:\n  - {id: no, match: {device: \"046d:*\"}, refuse: true, remove: true}\n",
     "other usb conditions; remove: - > true [no > no] {046d:*}\n"},
    {"the duplicate of a serial", "usb:\n" STICK(""), "usb:\n" STICK(", unique: ignore"),
     "wider usb conditions; unique: refuse > - [stick > stick] " BOTH},
    /* Order. */
    {"a rule moved, nothing changes",
     "usb:\n" KEYS "  - {id: hub, match: {interfaces: {equals: [\"09:00:00\"]}}, allow: use}\n",
     "usb:\n  - {id: hub, match: {interfaces: {equals: [\"09:00:00\"]}}, allow: use}\n" KEYS,
     "none usb moved keys; place: 1 > 2 [keys > keys]\n"},
    {"a rule moved, and decides what another did",
     "usb:\n  - {id: no, match: {device: \"0781:*\"}, refuse: true}\n  - {id: a, match: {serial: A}, allow: read}\n",
     "usb:\n  - {id: a, match: {serial: A}, allow: read}\n  - {id: no, match: {device: \"0781:*\"}, refuse: true}\n",
     "wider usb permitted; allow: - > read; unique: - > refuse [no > a] {0781:*; serial A}\n"
     "other usb moved no; place: 1 > 2 [no > no]\n"},
    {"a stick that types, when the order turns",
     "usb:\n  - {id: typing, match: {interfaces: {one-of: [\"03:*:*\"]}}, allow: use}\n"
     "  - {id: no, match: {interfaces: {one-of: [\"08:*:*\"]}}, refuse: true}\n",
     "usb:\n  - {id: no, match: {interfaces: {one-of: [\"08:*:*\"]}}, refuse: true}\n"
     "  - {id: typing, match: {interfaces: {one-of: [\"03:*:*\"]}}, allow: use}\n",
     "other usb moved typing; place: 1 > 2 [typing > typing]\n"
     "narrower usb refused; allow: use > - [typing > no] {interfaces 03:*:*, 08:*:*}\n"},
    {"a rule is called otherwise", "usb:\n" KEYS,
     "usb:\n  - {id: input, match: {interfaces: {match-all: [\"03:*:*\"]}}, allow: use}\n",
     "none usb renamed keys [keys > input]\n"},
    {"another name", "usb:\n" STICK(", name: a"), "usb:\n" STICK(", name: b"), "none usb changed stick; name: a > b\n"},
    {"a rule that never decides", "usb:\n" KEYS,
     "usb:\n" KEYS "  - {id: k2, match: {interfaces: {match-all: [\"03:*:*\"]}, port: 1-1}, refuse: true}\n",
     "none usb added k2 [ > k2]\n"},
    {"one rule in two", "usb:\n" STICK(""),
     "usb:\n  - {id: stick, match: {device: \"0781:5583\", serial: A}, allow: read}\n"
     "  - {id: other, match: {device: \"0781:5583\", serial: B}, allow: read}\n",
     "none usb added other [ > other]\nnone usb rewritten stick [stick > stick]\n"},
    /* Matching. */
    {"what may come with the storage", "usb:\n  - {id: s, match: {interfaces: {equals: [\"08:06:50\"]}}, allow: use}\n",
     "usb:\n  - {id: s, match: {interfaces: {all-of: [\"08:06:50\"]}}, allow: use}\n",
     "wider usb permitted; allow: - > use [default > s] {interfaces 08:06:50, …}\n"},
    {"all products", "usb:\n  - {id: v, match: {device: \"046d:0001\"}, allow: use}\n",
     "usb:\n  - {id: v, match: {device: \"046d:*\"}, allow: use}\n",
     "wider usb permitted; allow: - > use [default > v] {046d:*}\n"},
    {"everything", "usb:\n" KEYS, "usb:\n" KEYS "  - {id: all, allow: use}\n",
     "wider usb permitted; allow: - > use [default > all] {}\n"},
    {"one less left out", "usb:\n  - {id: v, match: {serial: {none-of: [A, B]}}, allow: use}\n",
     "usb:\n  - {id: v, match: {serial: {none-of: [A]}}, allow: use}\n",
     "wider usb permitted; allow: - > use; unique: - > refuse [default > v] {serial B}\n"},
    {"a keyboard that may only be read does not type", "usb:\n" KEYS,
     "usb:\n  - {id: keys, match: {interfaces: {match-all: [\"03:*:*\"]}}, allow: read}\n",
     "narrower usb refused; allow: use > - [keys > keys] {interfaces 03:*:*}\n"},
    /* Refusals that some escape. */
    {"refused on Sundays", "usb:\n" KEYS, "usb:\n  - {id: rest, refuse: true, when: {days: sun}}\n" KEYS,
     "narrower usb conditions; refused-first: - > rest (sun) [keys > keys] {interfaces 03:*:*}\n"},
    {"refused on weekends", "usb:\n  - {id: rest, refuse: true, when: {days: sun}}\n" KEYS,
     "usb:\n  - {id: rest, refuse: true, when: {days: sat-sun}}\n" KEYS,
     "narrower usb conditions; refused-first: rest (sun) > rest (sat,sun) [keys > keys] {interfaces 03:*:*}\n"},
    {"refused to more, of what is refused", "usb:\n  - {id: rest, refuse: true, who: {users: [a]}}\n",
     "usb:\n  - {id: rest, refuse: true, who: {users: [a, b]}}\n", "none usb rewritten rest [rest > rest]\n"},
    /* Media. */
    {"a class of media", "media: {optical: refuse}\n", "media: {optical: read}\n",
     "wider media permitted; allow: - > read [media.optical > media.optical] {optical}\n"},
    {"one disc", "",
     "media: {rules: [{id: cd, match: {bus: optical, label: D}, medium: {filesystem: iso9660}, allow: read}]}\n",
     "wider media permitted; allow: - > read; filesystem: - > iso9660 [media.optical > cd] {optical; label D}\n"},
    {"a path", "media: {rules: [{id: cd, match: {path: \"/dev/sr*\", bus: optical}, allow: read}]}\n",
     "media: {rules: [{id: cd, match: {path: /dev/sr0, bus: optical}, allow: read}]}\n",
     "narrower media refused; allow: read > - [cd > media.optical] {optical; path /dev/sr*}\n"},
    {"execution of one", "media: {rules: [{id: cd, match: {bus: optical}, allow: read}]}\n",
     "media: {rules: [{id: cd, match: {bus: optical}, allow: read, exec: allow}]}\n",
     "wider media conditions; exec: - > allow [cd > cd] {optical}\n"},
    {"execution", "", "media: {exec: allow}\n", "wider media changed; media.exec: refuse > allow\n"},
    {"USB media refused", "", "media: {rules: [{id: no, match: {bus: usb, label: X}, refuse: true}]}\n",
     "narrower media refused [usb > no] {usb; label X}\n"},
    /* The zone's defaults are told where they are. */
    {"another zone", "zone: mynumber\n", "zone: lgwan\n",
     "wider media permitted; allow: - > read [media.optical > media.optical] {optical}\n"
     "wider mounts changed; media.network: refuse > use\n"
     "other document changed; zone: mynumber > lgwan\n"},
    {"a file server", "media: {network: {default: refuse, allow: [\"//a/b\"]}}\n",
     "media: {network: {default: refuse, allow: [\"//a/b\", \"//c/d\"]}}\n",
     "wider mounts permitted media.network; allow: - > //c/d\n"},
    {"a file server less", "media: {network: {default: refuse, allow: [\"//a/b\"]}}\n", "",
     "narrower mounts refused media.network; allow: //a/b > -\n"},
    {"a file server where all may", "media: {network: {default: use}}\n",
     "media: {network: {default: use, allow: [\"//c/d\"]}}\n",
     "none mounts permitted media.network; allow: - > //c/d\n"},
    /* Stores. */
    {"a program", "stores: [{id: s, path: /srv, programs: [{path: /a}]}]\n",
     "stores: [{id: s, path: /srv, programs: [{path: /a}, {path: /b}]}]\n",
     "wider stores changed /srv; programs: - > /b\n"},
    {"one for another", "stores: [{id: s, path: /srv, programs: [{path: /a}]}]\n",
     "stores: [{id: s, path: /srv, programs: [{path: /b}]}]\n",
     "wider stores changed /srv; programs: - > /b\nnarrower stores changed /srv; programs: /a > -\n"},
    {"a store", "", "stores: [{id: s, path: /srv, programs: [{path: /a}], who: {groups: [g]}}]\n",
     "narrower stores added /srv; programs: - > /a; who: - > groups g\n"},
    {"a store elsewhere", "stores: [{id: s, path: /srv, programs: [{path: /a}]}]\n",
     "stores: [{id: s, path: /srv2, programs: [{path: /a}]}]\n",
     "wider stores removed /srv; programs: /a > -\nnarrower stores added /srv2; programs: - > /a\n"},
    {"a store called otherwise", "stores: [{id: s, path: /srv, programs: [{path: /a}]}]\n",
     "stores: [{id: t, path: /srv, programs: [{path: /a}]}]\n", "none stores changed /srv; id: s > t\n"},
    {"a store that only records", "stores: [{id: s, path: /srv, programs: [{path: /a}], when: {days: mon}}]\n",
     "stores: [{id: s, path: /srv, programs: [{path: /a}], monitor: true}]\n",
     "wider stores changed /srv; when: mon > -; monitor: - > true\n"},
    /* The document. */
    {"mode", "mode: enforce\n", "mode: monitor\n", "wider document changed; mode: enforce > monitor\n"},
    {"scope and dates", "scope: {groups: [tax]}\nvalid: {until: 2027-03-31}\n",
     "scope: {groups: [tax, welfare]}\nvalid: {until: 2028-03-31}\n",
     "other document changed; scope: groups tax > groups tax, welfare\n"
     "other document changed; valid.until: 2027-03-31 > 2028-03-31\n"},
    {"the journal", "audit: {keep: 3y, when-full: refuse-all}\n", "audit: {keep: 1y, when-full: drop-oldest}\n",
     "wider audit changed; audit.keep: 1096d > 366d\nwider audit changed; audit.when-full: refuse-all > drop-oldest\n"},
};

static void test_table(void **state)
{
    (void)state;
    diff_rows_told(rows, ELEMENTS(rows));
}

static void test_backwards(void **state)
{
    (void)state;
    diff_rows_backwards(rows, ELEMENTS(rows));
}

static void test_version(void **state)
{
    static const enum diff_effect expected[] = {DIFF_OTHER, DIFF_NONE};

    (void)state;
    for (unsigned rising = 0; rising < 2; rising++) {
        struct policy *a = diff_load("", 5), *b = diff_load("", rising ? 6 : 4);
        struct diff *d = NULL;

        assert_int_equal(diff_policies(a, b, NULL, &d), 0);
        assert_int_equal(d->n, 1);
        assert_int_equal(d->items[0].effect, expected[rising]);
        assert_string_equal(d->items[0].details[0].key, "version");
        (void)diff_free(d);
        (void)policy_unref(a);
        (void)policy_unref(b);
    }
}

static char *many(size_t from, size_t to, bool each)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    (void)fputs("usb:\n  - {id: keys, match: {interfaces: {match-all: [\"03:*:*\"]}}, allow: use}\n", out);
    if (!each)
        (void)fputs("  - {id: sticks, allow: read, match: {device: \"0781:5583\", serial: [", out);
    for (size_t i = from; i < to; i++) {
        if (each)
            (void)fprintf(out, "  - {id: s%zu, allow: read, match: {serial: S%zu}}\n", i, i);
        else
            (void)fprintf(out, "%sS%zu, S%zu-", i > from ? ", " : "", i, i);
    }
    if (!each)
        (void)fputs("]}}\n", out);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* Thousands are one change with a list, whether they stand in one rule or in one each. */
static void test_many(void **state)
{
    (void)state;
    for (unsigned each = 0; each < 2; each++) {
        char *before = many(0, 1000, each), *after = many(100, 1000, each);
        struct policy *a = diff_load(before, 1), *b = diff_load(after, 1);
        struct diff *d = NULL;

        assert_int_equal(diff_policies(a, b, NULL, &d), 0);
        assert_false(d->incomplete);
        assert_int_equal(d->n, 1);
        assert_int_equal(d->items[0].kind, DIFF_REFUSED);
        assert_int_equal(d->items[0].devices.n, each ? 100 : 200);
        assert_int_equal(d->items[0].rules_before.n, each ? 100 : 1);
        (void)diff_free(d);
        (void)policy_unref(a);
        (void)policy_unref(b);
        free(before);
        free(after);
    }
}

/* A limit is said, not passed over. */
static void test_limit(void **state)
{
    const struct diff_options few = {.cases_max = 10};
    char *before = many(0, 100, false);
    struct policy *a = diff_load(before, 1), *b = diff_load("", 1);
    struct diff *d = NULL;

    (void)state;
    assert_int_equal(diff_policies(a, b, &few, &d), 0);
    assert_true(d->incomplete);
    (void)diff_free(d);
    (void)policy_unref(a);
    (void)policy_unref(b);
    free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table), cmocka_unit_test(test_backwards), cmocka_unit_test(test_version),
        cmocka_unit_test(test_many),  cmocka_unit_test(test_limit),
    };

    if (setenv("TZ", "Asia/Tokyo", 1) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
