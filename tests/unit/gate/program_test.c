#include "test.h"

#include "gate/program.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/policy.h"

static void test_system_programs_resolve(void **state)
{
    struct stat st, real;

    (void)state;
    assert_int_equal(program_resolve("/usr/bin/env", &st), PROGRAM_RESOLVED);
    assert_int_equal(stat("/usr/bin/env", &real), 0);
    assert_true(st.st_dev == real.st_dev && st.st_ino == real.st_ino);
    /* Through links: /bin is one on Debian, sh is one to dash. */
    assert_int_equal(program_resolve("/bin/sh", &st), PROGRAM_RESOLVED);
    assert_int_equal(stat("/bin/sh", &real), 0);
    assert_int_equal(st.st_ino, real.st_ino);
    assert_int_equal(program_resolve("/usr/bin/no-such-program", &st), PROGRAM_MISSING);
    assert_int_equal(program_resolve("usr/bin/env", &st), PROGRAM_MISSING);
    assert_int_equal(program_resolve("/usr/bin", &st), PROGRAM_MISSING);
}

/* /tmp may be written by everybody: nothing below it is a program of a policy, whoever owns it. */
static void test_writable_directories_are_not_trusted(void **state)
{
    char path[] = "/tmp/kuraban-program-XXXXXX";
    int fd = mkstemp(path);
    struct stat st = {.st_ino = 1};

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0755), 0);
    assert_int_equal(program_resolve(path, &st), PROGRAM_UNTRUSTED);
    assert_int_equal(st.st_ino, 1);
    close(fd);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/usr/bin/env", path), 0);
    assert_int_equal(program_resolve(path, &st), PROGRAM_UNTRUSTED);
    assert_int_equal(unlink(path), 0);
}

static void test_match(void **state)
{
    struct policy_program lines[] = {{.path = (char *)(uintptr_t) "/usr/bin/no-such-program"},
                                     {.path = (char *)(uintptr_t) "/usr/bin/env"}};
    struct policy_store store = {.programs = lines, .n_programs = 2};
    struct policy policy = {.stores = &store, .n_stores = 1};
    struct programs *ps;
    struct stat st;

    (void)state;
    assert_int_equal(programs_new(&policy, &ps), 0);
    assert_int_equal(programs_state(ps, 0, 0), PROGRAM_MISSING);
    assert_int_equal(programs_state(ps, 0, 1), PROGRAM_RESOLVED);
    assert_int_equal(stat("/usr/bin/env", &st), 0);
    assert_int_equal(programs_match(ps, 0, &st), 1);
    assert_int_equal(programs_match(ps, 1, &st), -1);
    st.st_ctim.tv_nsec ^= 1; /* the number was freed and used again */
    assert_int_equal(programs_match(ps, 0, &st), -1);
    assert_int_equal(stat("/usr/bin/cat", &st), 0);
    assert_int_equal(programs_match(ps, 0, &st), -1);
    assert_int_equal(programs_refresh(ps), 0);
    assert_null(programs_free(ps));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_system_programs_resolve),
        cmocka_unit_test(test_writable_directories_are_not_trusted),
        cmocka_unit_test(test_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
