/* Where the messages come from: nobody chooses root's catalogue, because it is a set of format strings. */
#include "test.h"

#include <libintl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/i18n.h"

/* In a child: gettext remembers. 0 when the directory in the environment was taken. */
static int takes_directory(uid_t uid)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        const char *bound;

        if ((uid != geteuid() && setresuid(uid, uid, uid) < 0) ||
            setenv("KURABAN_LOCALE_DIR", "/nonexistent/ours", 1) < 0)
            _exit(2);
        i18n_init();
        bound = bindtextdomain("kuraban", NULL);
        _exit(bound && strcmp(bound, "/nonexistent/ours") == 0 ? 0 : 1);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_root_takes_none(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        printf("SKIP: needs root\n");
        skip();
    }
    assert_int_equal(takes_directory(0), 1);
}

static void test_others_take_it(void **state)
{
    (void)state;
    assert_int_equal(takes_directory(geteuid() == 0 ? 65534 : geteuid()), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_root_takes_none),
        cmocka_unit_test(test_others_take_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
