/* Every verb and option is in kuraban(1), and every verb in the completion; audit export says that it has the filters of audit show. */
#include "unit/cli/documented.h"

static void test_man_page(void **state)
{
    (void)state;
    documented_in_man(&cli_kuraban, "man/kuraban.1", "audit export");
}

static void test_completion(void **state)
{
    (void)state;
    documented_in_completion(&cli_kuraban, "packaging/completion/kuraban");
}

static void test_tables_fit(void **state)
{
    (void)state;
    documented_fits(&cli_kuraban);
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
