/* Every finding has its words. */
#include "test.h"

#include <string.h>

#include "cli/lint_words.h"

static void test_all(void **state)
{
    (void)state;
    for (int i = 1; i < BYPASS_KIND_COUNT_; i++) {
        const char *subject = strchr(lint_means((enum bypass_kind)i), '%');

        assert_true(*lint_means((enum bypass_kind)i));
        assert_true(!subject || (subject[1] == 's' && !strchr(subject + 1, '%')));
        assert_non_null(lint_todo((enum bypass_kind)i));
        assert_true(*bypass_kind_name((enum bypass_kind)i));
        assert_true(*lint_todo((enum bypass_kind)i) || bypass_is_note((enum bypass_kind)i));
    }
    for (int i = 1; i < BYPASS_REASON_COUNT_; i++)
        assert_true(*lint_reason((enum bypass_reason)i) && *bypass_reason_name((enum bypass_reason)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
