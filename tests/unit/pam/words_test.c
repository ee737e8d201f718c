#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fake/pam.h"
#include "pam/words.h"

static void test_names_of_locales(void **state)
{
    static const char *const good[] = {"ja_JP.UTF-8", "C", "C.UTF-8", "en_US", "sr_RS@latin"};
    static const char *const bad[] = {"",      "/tmp/x", "../ja", "ja_JP.UTF-8/",
                                      "ja JP", "ja%s",   "日本",  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(words_is_locale(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(words_is_locale(bad[i]));
}

static void test_every_outcome_has_words(void **state)
{
    (void)state;
    for (int i = 0; i < CTL_LOGIN_OUTCOMES_; i++) {
        const char *message = words_message((enum ctl_login_outcome)i);

        assert_non_null(words_name((enum ctl_login_outcome)i));
        if (i == CTL_LOGIN_ACCEPTED || i == CTL_LOGIN_NEEDED || i == CTL_LOGIN_NOT_NEEDED)
            assert_null(message);
        else
            assert_non_null(message);
        assert_true(!message || !strcasestr(message, "password"));
    }
}

static void test_rendering(void **state)
{
    struct fake_person person = {0};
    pam_handle_t *pamh = fake_pam_start(&person, "nobody");
    char text[WORDS_SIZE], long_text[2 * WORDS_SIZE];

    (void)state;
    words_render(pamh, "wait %u seconds, %u", 4294967295U, NULL, text);
    assert_string_equal(text, "wait 4294967295 seconds, %u");
    words_render(pamh, "%s: 100%, %n %s", 0, "<%u%n>", text);
    assert_string_equal(text, "<%u%n>: 100%, %n %s");
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    words_render(pamh, "a %s b", 0, long_text, text);
    assert_int_equal(strlen(text), WORDS_SIZE - 1);
    words_render(pamh, long_text, 0, "", text);
    assert_int_equal(strlen(text), WORDS_SIZE - 1);
    fake_pam_end(pamh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_locales),
        cmocka_unit_test(test_every_outcome_has_words),
        cmocka_unit_test(test_rendering),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
