/* The word on the kernel's command line that opens input devices: as a word of its own, before "--", or not at all. */
#include "test.h"

#include "daemon/daemon.h"

static void test_the_word(void **state)
{
    static const char *const yes[] = {"kuraban.emergency", "ro quiet kuraban.emergency", "kuraban.emergency quiet",
                                      "ro\tkuraban.emergency\n", "  kuraban.emergency  "};

    (void)state;
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        assert_true(emergency_has_word(yes[i]));
}

static void test_not_the_word(void **state)
{
    static const char *const no[] = {"",
                                     " ",
                                     "ro quiet",
                                     "kuraban.emergency=0",
                                     "kuraban.emergency=1",
                                     "xkuraban.emergency",
                                     "kuraban.emergencyx",
                                     "KURABAN.EMERGENCY",
                                     "kuraban.emergenc",
                                     "init=/bin/sh,kuraban.emergency",
                                     "quiet -- kuraban.emergency"};

    (void)state;
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        assert_false(emergency_has_word(no[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_word),
        cmocka_unit_test(test_not_the_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
