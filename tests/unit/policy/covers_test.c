/*
 * Whether one rule matches all that another does is told from the rules alone. Here it is held against devices: where it says yes, no
 * device of all there are here matches the later rule and not the earlier one; and it says yes often enough to be of use.
 */
#include "test.h"

#include <string.h>

#include "base/cleanup.h"
#include "policy/covers.h"
#include "policy/when.h"

enum {
    ROUNDS = 60000,
    DEVICES = 24
};

static unsigned seed;

static unsigned below(unsigned n)
{
    seed = seed * 1103515245U + 12345U;
    return (seed >> 16) % n;
}

/* What decisions do with a set of interfaces, written a second time and slowly. */
struct interface {
    uint8_t bytes[3];
};

static const struct interface interfaces[] = {{{8, 6, 80}}, {{8, 6, 98}}, {{8, 5, 80}},
                                              {{3, 1, 1}},  {{3, 0, 0}},  {{255, 0, 0}}};

static bool fits(const struct policy_interface *p, const struct interface *i)
{
    return p->class_ == i->bytes[0] && (p->any_subclass || p->subclass == i->bytes[1]) &&
           (p->any_protocol || p->protocol == i->bytes[2]);
}

/* Can the interfaces be given to the listed ones, each to its own? */
static bool assign(const struct policy_interfaces *set, const struct interface *have, size_t n, unsigned given)
{
    size_t i = (size_t)__builtin_popcount(given);

    if (i == n)
        return true;
    for (size_t k = 0; k < set->n; k++)
        if (!(given & (1U << k)) && fits(&set->items[k], &have[i]) && assign(set, have, n, given | (1U << k)))
            return true;
    return false;
}

static bool takes(const struct policy_interfaces *set, const struct interface *have, size_t n)
{
    size_t listed = 0, present = 0;
    bool ordered = n == set->n;

    for (size_t k = 0; k < set->n; k++) {
        bool found = false;

        for (size_t i = 0; i < n; i++)
            found = found || fits(&set->items[k], &have[i]);
        present += found;
    }
    for (size_t i = 0; i < n; i++) {
        bool found = false;

        for (size_t k = 0; k < set->n; k++)
            found = found || fits(&set->items[k], &have[i]);
        listed += found;
        ordered = ordered && fits(&set->items[i], &have[i]);
    }
    switch (set->op) {
    case POLICY_SET_ALL_OF:
        return present == set->n;
    case POLICY_SET_ONE_OF:
        return present > 0;
    case POLICY_SET_NONE_OF:
        return present == 0;
    case POLICY_SET_EQUALS:
        return n == set->n && assign(set, have, n, 0);
    case POLICY_SET_EQUALS_ORDERED:
        return ordered;
    case POLICY_SET_MATCH_ALL:
        return listed == n;
    }
    return false;
}

static void make_interfaces(struct policy_interfaces *set, struct policy_interface items[3])
{
    set->op = (enum policy_set_operator)below(6);
    set->n = 1 + below(3);
    set->items = items;
    for (size_t i = 0; i < set->n; i++) {
        const struct interface *from = &interfaces[below(ELEMENTS(interfaces))];
        unsigned wild = below(3);

        items[i] = (struct policy_interface){from->bytes[0], from->bytes[1], from->bytes[2], wild == 2, wild > 0};
    }
}

static void test_interfaces(void **state)
{
    unsigned covered = 0;

    (void)state;
    seed = 3;
    for (unsigned r = 0; r < ROUNDS; r++) {
        struct policy_interface first_items[3], later_items[3];
        struct policy_usb_match first = {.has_interfaces = true}, later = {.has_interfaces = true};

        make_interfaces(&first.interfaces, first_items);
        make_interfaces(&later.interfaces, later_items);
        if (!covers_usb(&first, &later))
            continue;
        covered++;
        for (unsigned d = 0; d < DEVICES; d++) {
            struct interface have[4];
            size_t n = 1 + below(4);

            for (size_t i = 0; i < n; i++)
                have[i] = interfaces[below(ELEMENTS(interfaces))];
            if (takes(&later.interfaces, have, n) && !takes(&first.interfaces, have, n))
                fail_msg("round %u: operator %d covers operator %d, and does not", r, (int)first.interfaces.op,
                         (int)later.interfaces.op);
        }
    }
    assert_in_range(covered, ROUNDS / 20, ROUNDS / 2);
}

static char *const words[] = {(char *)(uintptr_t) "", (char *)(uintptr_t) "A", (char *)(uintptr_t) "B",
                              (char *)(uintptr_t) "C"};

static void make_words(struct policy_strings *set, char *items[3])
{
    unsigned first = below(ELEMENTS(words));

    *set = (struct policy_strings){.items = items, .n = below(4), .op = (enum policy_set_operator)below(6)};
    for (size_t i = 0; i < set->n; i++)
        items[i] = words[(first + i) % ELEMENTS(words)];
}

static bool takes_word(const struct policy_strings *set, const char *word)
{
    size_t hits = 0;

    for (size_t i = 0; i < set->n; i++)
        hits += strcmp(set->items[i], word) == 0;
    if (set->n == 0)
        return true;
    if (set->op == POLICY_SET_NONE_OF)
        return hits == 0;
    return set->op == POLICY_SET_ONE_OF || set->op == POLICY_SET_MATCH_ALL ? hits > 0 : hits == set->n;
}

/* As a serial of a USB device, and as label and node pattern of a medium: patterns must not be taken for words. */
static void test_words(void **state)
{
    static char star[] = "?";
    unsigned covered = 0;

    (void)state;
    seed = 5;
    for (unsigned r = 0; r < ROUNDS; r++) {
        char *first_items[3], *later_items[3];
        struct policy_usb_match first = {0}, later = {0};

        make_words(&first.serials, first_items);
        make_words(&later.serials, later_items);
        assert_int_equal(covers_usb(&first, &later),
                         covers_medium(&(struct policy_medium_match){.labels = first.serials},
                                       &(struct policy_medium_match){.labels = later.serials}));
        if (!covers_usb(&first, &later))
            continue;
        covered++;
        for (size_t i = 0; i < ELEMENTS(words); i++)
            if (takes_word(&later.serials, words[i]) && !takes_word(&first.serials, words[i]))
                fail_msg("round %u", r);
    }
    assert_in_range(covered, ROUNDS / 10, ROUNDS - ROUNDS / 10);
    for (unsigned i = 0; i < 2; i++) {
        char *none[] = {star}, *one[] = {words[1]};
        const struct policy_strings patterns = {.items = none, .n = 1, .op = POLICY_SET_NONE_OF},
                                    word = {.items = one, .n = 1, .op = POLICY_SET_ONE_OF};

        assert_int_equal(
            covers_medium(&(struct policy_medium_match){.paths = i ? patterns : (struct policy_strings){0}},
                          &(struct policy_medium_match){.paths = word}),
            i == 0);
    }
}

static void make_when(struct policy_when *when)
{
    *when = (struct policy_when){.restricted = below(4) > 0, .days = (uint8_t)below(128), .from = -1, .to = -1};
    if (when->days == 0 || below(2)) {
        when->from = (int16_t)(below(24) * 60);
        when->to = (int16_t)(below(24) * 60 + 1);
    }
}

/* Every minute of the week. */
static void test_hours(void **state)
{
    unsigned covered = 0;

    (void)state;
    seed = 7;
    for (unsigned r = 0; r < 4000; r++) {
        struct policy_when first, later;
        bool all = true;

        make_when(&first);
        make_when(&later);
        for (unsigned day = 0; day < 7; day++)
            for (int minute = 0; minute < 24 * 60; minute++)
                all = all && (!when_holds(&later, day, minute) || when_holds(&first, day, minute));
        assert_int_equal(when_covers(&first, &later), all);
        covered += all;
    }
    assert_in_range(covered, 1000, 3000);
}

static void test_people_and_ends(void **state)
{
    char *few[] = {words[1]}, *many[] = {words[1], words[2]};
    const struct policy_strings one = {.items = few, .n = 1}, two = {.items = many, .n = 2};
    const struct policy_who all = {0}, tax = {.restricted = true, .groups = one},
                            both = {.restricted = true, .groups = two}, person = {.restricted = true, .users = one},
                            mixed = {.restricted = true, .users = one, .groups = two};
    const struct policy_when always = {0};
    const struct {
        const struct policy_who *first, *later;
        int64_t first_until, later_until;
        bool covers;
    } cases[] = {
        {&all, &all, 0, 0, true},      {&all, &tax, 0, 0, true},    {&tax, &all, 0, 0, false},
        {&both, &tax, 0, 0, true},     {&tax, &both, 0, 0, false},  {&tax, &person, 0, 0, false},
        {&mixed, &person, 0, 0, true}, {&mixed, &both, 0, 0, true}, {&both, &mixed, 0, 0, false},
        {&all, &all, 0, 5, true},      {&all, &all, 5, 0, false},   {&all, &all, 5, 5, true},
        {&all, &all, 5, 4, true},      {&all, &all, 4, 5, false},   {&tax, &tax, 5, 5, true},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++)
        if (covers_conditions(&(struct covers_conditions){cases[i].first, &always, cases[i].first_until},
                              &(struct covers_conditions){cases[i].later, &always, cases[i].later_until}) !=
            cases[i].covers)
            fail_msg("case %zu", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interfaces),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_hours),
        cmocka_unit_test(test_people_and_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
