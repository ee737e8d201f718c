/* Tables of long lists: every listed text is found, no other; a list as long as a document holds. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/index.h"

static void test_tables(void **state)
{
    static const size_t lengths[] = {1, 15, 16, 17, 40, 1000, 16384};

    (void)state;
    for (size_t l = 0; l < ELEMENTS(lengths); l++) {
        struct policy_strings set = {.items = calloc(lengths[l], sizeof(char *)), .n = lengths[l]};
        char text[32];

        assert_non_null(set.items);
        for (size_t i = 0; i < set.n; i++)
            assert_true(asprintf(&set.items[i], "4C53%zu", i * 7) > 0);
        assert_int_equal(policy_strings_index(&set), 0);
        assert_int_equal(set.table != NULL, set.n >= 16);
        for (size_t i = 0; i < set.n * 7; i++) {
            (void)snprintf(text, sizeof(text), "4C53%zu", i);
            assert_int_equal(policy_strings_has(&set, text), i % 7 == 0);
        }
        assert_false(policy_strings_has(&set, ""));
        for (size_t i = 0; i < set.n; i++)
            free(set.items[i]);
        free(set.items);
        free(set.table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
