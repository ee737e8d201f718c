/* What is shut in writes no file, starts nothing and speaks to this machine alone. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cage/cage.h"
#include "fake/people.h"

enum {
    NO_CAGE = 90,
    WRITES,
    STARTS,
    TALKS,
    NOT_LOCAL,
    READS_NOT,
};

static int try_all(void)
{
    char *const words[] = {(char *)(uintptr_t) "true", NULL};
    char path[] = "/tmp/cage-test.XXXXXX";
    int fd;

    if (cage_enter(CAGE_LOCAL) < 0)
        return NO_CAGE;
    if (mkstemp(path) >= 0 || errno != EACCES)
        return WRITES;
    if (socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 || errno != EPERM)
        return TALKS;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return NOT_LOCAL;
    close_fd(fd);
    fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return READS_NOT;
    close_fd(fd);
    (void)execv("/bin/true", words);
    return errno == EPERM ? 0 : STARTS;
}

static void test_cage(void **state)
{
    pid_t pid;
    int status;

    (void)state;
    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(try_all());
    status = exit_status_of(pid);
    if (status == WRITES && syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1)
        skip_because("this kernel has no Landlock: files can be written");
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
