/* Every verb and option is in kuraban-hub(8), and every verb in the completion. */
#include "unit/cli/documented.h"

#include "hub/cli/hub.h"

static void test_man_page(void **state)
{
    (void)state;
    documented_in_man(&hub_program, "man/kuraban-hub.8", "");
}

static void test_completion(void **state)
{
    (void)state;
    documented_in_completion(&hub_program, "packaging/completion/kuraban-hub");
}

static void test_tables_fit(void **state)
{
    (void)state;
    documented_fits(&hub_program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_man_page),
        cmocka_unit_test(test_completion),
        cmocka_unit_test(test_tables_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
