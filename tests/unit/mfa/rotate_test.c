/* kill -9 while the key is changed, before each secret and at any moment: afterwards one key is in force, the old or the new one, and codes go on. */
#include "unit/mfa/fixture.h"

#include <signal.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>

enum {
    KILLS = 40,
    PEOPLE = 20
};

/* Says so each time a change is done. */
static _Noreturn void rotate_for_ever(struct fixture *f, int to)
{
    reopen(f);
    for (;;)
        if (mfa_rotate(f->mfa) != 0 || write(to, "x", 1) != 1)
            _exit(1);
}

/* After the first change, at a moment within the next ones. */
static unsigned kill_in_between(struct fixture *f, unsigned round)
{
    struct timespec moment = {.tv_nsec = (long)(round * 173 % 41) * 100000}; /* no condition: any moment will do */
    unsigned changes = 0;
    int ends[2], status = 0;
    pid_t child;
    char byte;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        rotate_for_ever(f, ends[1]);
    close_fd(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    changes++;
    (void)nanosleep(&moment, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    while (read(ends[0], &byte, 1) == 1)
        changes++;
    close_fd(ends[0]);
    return changes;
}

/* One for the new key, which is then in its file, one for each secret that is put under it. */
static int random_until(void *context, void *bytes, size_t size)
{
    unsigned *left = context;

    if ((*left)-- == 0)
        (void)raise(SIGKILL);
    return getrandom(bytes, size, 0) == (ssize_t)size ? 0 : -EIO;
}

static void kill_after(struct fixture *f, unsigned calls)
{
    const struct mfa_ops ops = {.random = random_until, .context = &calls};
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        f->options.ops = &ops;
        reopen(f);
        (void)mfa_rotate(f->mfa);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void enrol_people(struct fixture *f)
{
    for (uid_t uid = 2000; uid < 2000 + PEOPLE; uid++) {
        char base32[] = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJA";

        base32[31] = (char)('A' + uid - 2000);
        assert_int_equal(mfa_import(f->mfa, uid, "a", base32, &totp_default, 0, &f->now, NULL), 0);
    }
    enrol(f, TANAKA, "tanaka");
}

static void assert_whole(struct fixture *f)
{
    reopen(f);
    assert_int_equal(mfa_condition(f->mfa), MFA_GOOD);
    assert_string_equal(mfa_complaint(f->mfa), ""); /* every secret opens */
    pass(f, 30);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
    assert_int_equal(faccessat(f->fd, "mfa.key.next", F_OK, 0), -1);
}

static void test_killed_before_each_secret(void **state)
{
    struct fixture *f = *state;

    enrol_people(f);
    for (unsigned calls = 0; calls <= PEOPLE + 1; calls++) {
        f->mfa = mfa_free(f->mfa);
        kill_after(f, calls);
        assert_int_equal(faccessat(f->fd, "mfa.key.next", F_OK, 0), calls > 0 ? 0 : -1);
        assert_whole(f);
    }
}

static void test_killed(void **state)
{
    struct fixture *f = *state;
    unsigned changes = 0, cut_short = 0;

    enrol_people(f);
    for (unsigned i = 0; i < KILLS; i++) {
        f->mfa = mfa_free(f->mfa);
        changes += kill_in_between(f, i);
        cut_short += faccessat(f->fd, "mfa.key.next", F_OK, 0) == 0;
        assert_whole(f);
    }
    print_message("%u changes, %u of %d kills in the middle of one\n", changes, cut_short, KILLS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_killed_before_each_secret, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
