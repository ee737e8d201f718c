/* Single attributes: the set operators against the text of usbguard-rules.conf(5), wildcards, people, hours. */
#include "test.h"

#include <string.h>

#include "base/cleanup.h"
#include "decide/match.h"

#define I(c, s, p)                                                                                                     \
    {                                                                                                                  \
        .class_ = (c), .subclass = (s), .protocol = (p)                                                                \
    }
#define W(c, s, p, as, ap)                                                                                             \
    {                                                                                                                  \
        .class_ = (c), .subclass = (s), .protocol = (p), .any_subclass = (as), .any_protocol = (ap)                    \
    }

static struct policy_interface storage = W(8, 6, 0x50, false, false), any_storage = W(8, 0, 0, true, true),
                               any_scsi = W(8, 6, 0, false, true), keyboard = W(3, 1, 1, false, false),
                               any_input = W(3, 0, 0, true, true);

static const struct decide_interface stick[] = {I(8, 6, 0x50)}, uas[] = {I(8, 6, 0x50), I(8, 6, 0x62)},
                                     bad_usb[] = {I(8, 6, 0x50), I(3, 1, 1)}, bad_usb2[] = {I(3, 1, 1), I(8, 6, 0x50)},
                                     keys[] = {I(3, 1, 1), I(3, 0, 0)}, twice[] = {I(8, 6, 0x50), I(8, 6, 0x50)};

enum device {
    STICK,
    UAS,
    BAD_USB,
    BAD_USB2,
    KEYS,
    TWICE,
    NOTHING,
    DEVICES_
};

static const struct {
    const struct decide_interface *items;
    size_t n;
} devices[DEVICES_] = {{stick, 1}, {uas, 2}, {bad_usb, 2}, {bad_usb2, 2}, {keys, 2}, {twice, 2}, {NULL, 0}};

/* Rows: a listed set; columns: stick, uas, storage+keyboard, keyboard+storage, keyboard+mouse, storage twice, none. */
static void test_interface_sets(void **state)
{
    static struct policy_interface *const lists[][2] = {{&storage},
                                                        {&any_storage},
                                                        {&any_scsi},
                                                        {&storage, &keyboard},
                                                        {&any_storage, &any_input},
                                                        {&any_storage, &storage},
                                                        {&storage, &storage},
                                                        {&any_input}};
    static const struct {
        enum policy_set_operator op;
        unsigned list;
        const char *expected;
    } cases[] = {
        {POLICY_SET_ALL_OF, 0, "1111010"},         {POLICY_SET_ALL_OF, 3, "0011000"},
        {POLICY_SET_ALL_OF, 4, "0011000"},         {POLICY_SET_ALL_OF, 7, "0011100"},
        {POLICY_SET_ONE_OF, 0, "1111010"},         {POLICY_SET_ONE_OF, 3, "1111110"},
        {POLICY_SET_ONE_OF, 7, "0011100"},         {POLICY_SET_NONE_OF, 0, "0000100"},
        {POLICY_SET_NONE_OF, 7, "1100010"},        {POLICY_SET_NONE_OF, 4, "0000000"},
        {POLICY_SET_EQUALS, 0, "1000000"},         {POLICY_SET_EQUALS, 1, "1000000"},
        {POLICY_SET_EQUALS, 3, "0011000"},         {POLICY_SET_EQUALS, 4, "0011000"},
        {POLICY_SET_EQUALS, 5, "0100010"}, /* not the keyboard of [08:06:50, 03:01:01] */
        {POLICY_SET_EQUALS, 6, "0000010"},         {POLICY_SET_EQUALS, 7, "0000000"},
        {POLICY_SET_EQUALS_ORDERED, 0, "1000000"}, {POLICY_SET_EQUALS_ORDERED, 3, "0010000"},
        {POLICY_SET_EQUALS_ORDERED, 4, "0010000"}, {POLICY_SET_EQUALS_ORDERED, 5, "0000010"},
        {POLICY_SET_MATCH_ALL, 0, "1000010"},      {POLICY_SET_MATCH_ALL, 1, "1100010"},
        {POLICY_SET_MATCH_ALL, 2, "1100010"},      {POLICY_SET_MATCH_ALL, 4, "1111110"},
        {POLICY_SET_MATCH_ALL, 7, "0000100"},      {(enum policy_set_operator)99, 1, "0000000"},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct policy_interface items[2] = {*lists[cases[i].list][0]};
        struct policy_interfaces set = {.items = items, .n = 1, .op = cases[i].op};

        if (lists[cases[i].list][1])
            items[set.n++] = *lists[cases[i].list][1];
        for (unsigned d = 0; d < DEVICES_; d++)
            if (match_interfaces(&set, devices[d].items, devices[d].n) != (cases[i].expected[d] == '1'))
                fail_msg("case %zu, device %u", i, d);
    }
}

/* As many of each: a second keyboard is another device. */
static void test_interface_counts(void **state)
{
    static const struct decide_interface one_key[] = {I(8, 6, 0x50), I(3, 1, 1), I(8, 6, 0x50)},
                                         two_keys[] = {I(8, 6, 0x50), I(3, 1, 1), I(3, 1, 1)},
                                         uas_key[] = {I(8, 6, 0x62), I(3, 1, 1), I(8, 6, 0x50)},
                                         uas_only[] = {I(8, 6, 0x62), I(3, 1, 1), I(8, 6, 0x62)};
    struct policy_interface exact[] = {storage, storage, keyboard}, mixed[] = {any_storage, storage, any_input};
    const struct policy_interfaces set = {.items = exact, .n = 3, .op = POLICY_SET_EQUALS};
    const struct policy_interfaces wild = {.items = mixed, .n = 3, .op = POLICY_SET_EQUALS};

    (void)state;
    assert_true(match_interfaces(&set, one_key, 3));
    assert_false(match_interfaces(&set, two_keys, 3));
    assert_false(match_interfaces(&set, uas_key, 3));
    assert_true(match_interfaces(&wild, one_key, 3));
    assert_true(match_interfaces(&wild, uas_key, 3));
    assert_false(match_interfaces(&wild, two_keys, 3));
    assert_false(match_interfaces(&wild, uas_only, 3));
}

static void test_interface_wildcards(void **state)
{
    static const struct {
        struct policy_interface *wanted;
        struct decide_interface have;
        bool match;
    } cases[] = {
        {&storage, I(8, 6, 0x50), true},     {&storage, I(8, 6, 0x51), false},  {&storage, I(8, 5, 0x50), false},
        {&storage, I(9, 6, 0x50), false},    {&any_scsi, I(8, 6, 0xff), true},  {&any_scsi, I(8, 5, 0x50), false},
        {&any_storage, I(8, 0xff, 0), true}, {&any_storage, I(0, 0, 0), false},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++)
        assert_int_equal(match_interface(cases[i].wanted, &cases[i].have), cases[i].match);
}

static void test_device_ids(void **state)
{
    struct policy_usb_id one = {.vendor = 0x781, .product = 0x5583}, vendor = {.vendor = 0x781, .any_product = true},
                         all = {.any_vendor = true, .any_product = true}, other = {.vendor = 0x46d, .product = 1};
    const struct {
        struct policy_usb_id ids[2];
        size_t n;
        enum policy_set_operator op;
        const char *expected; /* 0781:5583, 0781:0001, 046d:0001 */
    } cases[] = {
        {{{0}}, 0, POLICY_SET_ONE_OF, "111"},           {{one}, 1, POLICY_SET_ONE_OF, "100"},
        {{vendor}, 1, POLICY_SET_ONE_OF, "110"},        {{all}, 1, POLICY_SET_ONE_OF, "111"},
        {{one, other}, 2, POLICY_SET_ONE_OF, "101"},    {{one, other}, 2, POLICY_SET_ALL_OF, "000"},
        {{one, vendor}, 2, POLICY_SET_ALL_OF, "100"},   {{vendor}, 1, POLICY_SET_NONE_OF, "001"},
        {{one, other}, 2, POLICY_SET_MATCH_ALL, "101"}, {{one}, 1, POLICY_SET_EQUALS, "100"},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct policy_usb_id items[2] = {cases[i].ids[0], cases[i].ids[1]};
        struct policy_usb_match m = {.devices = {.items = items, .n = cases[i].n, .op = cases[i].op}};

        assert_int_equal(match_usb_id(&m, 0x781, 0x5583), cases[i].expected[0] == '1');
        assert_int_equal(match_usb_id(&m, 0x781, 1), cases[i].expected[1] == '1');
        assert_int_equal(match_usb_id(&m, 0x46d, 1), cases[i].expected[2] == '1');
    }
}

static void test_strings(void **state)
{
    static const struct {
        const char *items[3], *value;
        enum policy_set_operator op;
        bool match;
    } cases[] = {
        {{NULL}, "x", POLICY_SET_NONE_OF, true},
        {{"a", "b"}, "b", POLICY_SET_ONE_OF, true},
        {{"a", "b"}, "c", POLICY_SET_ONE_OF, false},
        {{"a", "b"}, "A", POLICY_SET_ONE_OF, false},
        {{"a"}, "ab", POLICY_SET_ONE_OF, false},
        {{""}, "", POLICY_SET_ONE_OF, true},
        {{""}, NULL, POLICY_SET_ONE_OF, true},
        {{"a"}, NULL, POLICY_SET_ONE_OF, false},
        {{"a", "b"}, "a", POLICY_SET_ALL_OF, false},
        {{"a"}, "a", POLICY_SET_ALL_OF, true},
        {{"a"}, "a", POLICY_SET_EQUALS, true},
        {{"a", "b"}, "a", POLICY_SET_EQUALS, false},
        {{"a"}, "a", POLICY_SET_EQUALS_ORDERED, true},
        {{"a", "b"}, "b", POLICY_SET_MATCH_ALL, true},
        {{"a", "b"}, "c", POLICY_SET_MATCH_ALL, false},
        {{"a", "b"}, "c", POLICY_SET_NONE_OF, true},
        {{"a", "b"}, "a", POLICY_SET_NONE_OF, false},
        {{"*"}, "a", POLICY_SET_ONE_OF, false},
        {{"a"}, "a", (enum policy_set_operator)99, false},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char *items[3] = {NULL};
        struct policy_strings set = {.items = items, .op = cases[i].op};

        while (set.n < 3 && cases[i].items[set.n]) {
            items[set.n] = (char *)(uintptr_t)cases[i].items[set.n];
            set.n++;
        }
        if (match_strings(&set, cases[i].value) != cases[i].match)
            fail_msg("case %zu", i);
    }
}

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *value;
        bool match;
    } cases[] = {
        {"/dev/sr*", "/dev/sr0", true},
        {"/dev/*", "/dev/disk/by-id", false},
        {"//files/*", "//files/tax", true},
        {"//files/*", "//files/a/b", false},
        {"fuse.portal", "fuse.portal", true},
        {"fuse.?", "fuse.sshfs", false},
        {"*", "", true},
        {"/dev/sd[ab]", "/dev/sdb", true},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char *items[1] = {(char *)(uintptr_t)cases[i].pattern};
        struct policy_strings set = {.items = items, .n = 1, .op = POLICY_SET_ONE_OF};

        assert_int_equal(match_patterns(&set, cases[i].value), cases[i].match);
    }
}

static void test_people(void **state)
{
    uid_t uids[] = {1001};
    gid_t gids[] = {2001, 2002}, mine[] = {100, 2002}, others[] = {100};
    struct policy_who nobody = {.restricted = true}, some = {.uids = uids, .n_uids = 1, .restricted = true},
                      group = {.gids = gids, .n_gids = 2, .restricted = true}, all = {0};
    struct decide_person person = {.uid = 1001}, member = {.uid = 7, .gids = mine, .n_gids = 2},
                         stranger = {.uid = 8, .gids = others, .n_gids = 1}, both[] = {stranger, member};

    (void)state;
    assert_true(match_person(&some, &person));
    assert_false(match_person(&some, &member));
    assert_true(match_person(&group, &member));
    assert_false(match_person(&group, &stranger));
    assert_false(match_person(&nobody, &person)); /* names that do not exist here match nobody */
    assert_true(match_person(&all, &stranger));
    assert_true(match_persons(&all, NULL, 0));
    assert_false(match_persons(&some, NULL, 0));
    assert_true(match_persons(&group, both, 2));
    assert_false(match_persons(&group, both, 1));
}

/* Every minute of the week against an independent count. */
static void test_hours(void **state)
{
    static const struct {
        uint8_t days;
        int16_t from, to;
        unsigned minutes; /* permitted in a week */
        struct {
            uint8_t day;
            int16_t minute;
            bool match;
        } at[6];
    } cases[] = {
        {0x1f, 510, 1035, 5 * 525, {{0, 509, 0}, {0, 510, 1}, {4, 1034, 1}, {4, 1035, 0}, {5, 600, 0}, {6, 600, 0}}},
        {0x7f, 0, 1440, 7 * 1440, {{0, 0, 1}, {6, 1439, 1}, {3, 720, 1}, {3, 0, 1}, {3, 1439, 1}, {5, 1, 1}}},
        {0, 1320, 360, 7 * 480, {{0, 1319, 0}, {0, 1320, 1}, {0, 359, 1}, {0, 360, 0}, {6, 1439, 1}, {6, 0, 1}}},
        /* Friday night only: from Friday 22:00 to Saturday 06:00. */
        {1 << 4, 1320, 360, 480, {{4, 1320, 1}, {5, 0, 1}, {5, 359, 1}, {5, 360, 0}, {4, 100, 0}, {5, 1320, 0}}},
        /* Sunday night reaches into Monday. */
        {1 << 6, 1320, 360, 480, {{6, 1400, 1}, {0, 10, 1}, {6, 10, 0}, {0, 1400, 0}, {0, 360, 0}, {6, 1319, 0}}},
        {1 << 5, -1, -1, 1440, {{5, 0, 1}, {5, 1439, 1}, {4, 1439, 0}, {6, 0, 0}, {0, 5, 0}, {5, 700, 1}}},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct policy_when when = {.days = cases[i].days, .from = cases[i].from, .to = cases[i].to, .restricted = true};
        unsigned minutes = 0;

        for (uint8_t day = 0; day < 7; day++)
            for (int16_t minute = 0; minute < 1440; minute++)
                minutes += match_when(&when, &(struct decide_time){.weekday = day, .minute = minute});
        assert_int_equal(minutes, cases[i].minutes);
        for (size_t k = 0; k < 6; k++)
            if (match_when(&when, &(struct decide_time){.weekday = cases[i].at[k].day,
                                                        .minute = cases[i].at[k].minute}) != cases[i].at[k].match)
                fail_msg("case %zu moment %zu", i, k);
    }
    assert_true(match_when(&(struct policy_when){0}, &(struct decide_time){0}));
}

static void test_names_are_complete(void **state)
{
    (void)state;
    for (int i = 0; i < REASON_COUNT_; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(verdict_reason_name((enum verdict_reason)i),
                                    verdict_reason_name((enum verdict_reason)k));
    for (int i = 0; i < MISMATCH_COUNT_; i++) {
        assert_string_not_equal(decide_mismatch_name((enum decide_mismatch)i), "unknown");
        for (int k = 0; k < i; k++)
            assert_string_not_equal(decide_mismatch_name((enum decide_mismatch)i),
                                    decide_mismatch_name((enum decide_mismatch)k));
    }
    assert_string_equal(verdict_kind_name(VERDICT_DENY), "deny");
    assert_string_equal(verdict_kind_name(VERDICT_ALLOW), "allow");
    assert_string_equal(verdict_kind_name((enum verdict_kind)2), "deny");
    assert_string_equal(verdict_reason_name(REASON_COUNT_), "unknown");
    assert_string_equal(decide_mismatch_name(MISMATCH_COUNT_), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interface_sets),
        cmocka_unit_test(test_interface_counts),
        cmocka_unit_test(test_interface_wildcards),
        cmocka_unit_test(test_device_ids),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_people),
        cmocka_unit_test(test_hours),
        cmocka_unit_test(test_names_are_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
