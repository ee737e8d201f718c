#include "test.h"

#include <string.h>

#include "cli/why_words.h"

/* A reason that is added to decide.h without words for people fails here. */
static void test_every_reason_has_words(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_COUNT_; i++) {
        const struct why_words *w = why_words_at((enum verdict_reason)i);

        if (!w->reason || !*w->reason || !w->next || !*w->next)
            fail_msg("reason %u (%s) has no words", i, verdict_reason_name((enum verdict_reason)i));
        assert_ptr_equal(w, why_words_of(verdict_reason_name((enum verdict_reason)i)));
    }
}

static void test_unknown_reasons(void **state)
{
    (void)state;
    assert_ptr_equal(why_words_of("of a newer version"), why_words_at(REASON_UNKNOWN));
    assert_ptr_equal(why_words_of(""), why_words_at(REASON_UNKNOWN));
    assert_ptr_equal(why_words_at(REASON_COUNT_), why_words_at(REASON_UNKNOWN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_reason_has_words),
        cmocka_unit_test(test_unknown_reasons),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
