/*
 * The power goes, or the disk fails, at every system call of what the daemon does to its signed state: apply, install, remove. What the
 * next start finds is the old or the new policy, never none and never a half. The very functions of the daemon run in a child that is
 * traced: it is killed at the entry of call n, or call n fails with ENOSPC or EIO, for every n until it gets to its end.
 */
#include "unit/daemon/signed_fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "policy/trust/trust.h"

enum {
    CALLS_MAX = 4096,
    OLD = 2, /* policy versions */
    NEW = 3,
};

struct change {
    const char *what;
    void (*prepare)(const struct signed_place *p);
    int (*make)(struct rulebook *b, const struct signed_place *p); /* in the child */
    bool (*is_old)(const struct rulebook *b), (*is_new)(const struct rulebook *b);
};

/* --- what is done --- */

static void make_signed(const struct signed_place *p)
{
    struct rulebook *b;

    signed_write_file(p, 1);
    b = signed_open(p, 0);
    assert_int_equal(signed_install(b, p), 0);
    assert_int_equal(signed_apply(b, p, OLD, ""), 0);
    (void)rulebook_free(b);
    assert_int_equal(unlink(p->file), 0); /* nothing unsigned to fall back to */
}

static void make_unsigned(const struct signed_place *p)
{
    signed_write_file(p, 1);
    (void)rulebook_free(signed_open(p, 0));
}

static uint8_t *bundle; /* signed before: the child only stores */
static size_t bundle_size;

static int apply(struct rulebook *b, const struct signed_place *p)
{
    struct trust_complaint complaint = {0};

    (void)p;
    return rulebook_apply(b, bundle, bundle_size, SIGNED_NOW_US, &complaint);
}

static int install(struct rulebook *b, const struct signed_place *p)
{
    return signed_install(b, p);
}

static int take_away(struct rulebook *b, const struct signed_place *p)
{
    (void)p;
    return rulebook_remove(b);
}

static bool rules(const struct rulebook *b, enum rulebook_source source, uint64_t version,
                  enum trusted_condition condition)
{
    return rulebook_source(b) == source && rulebook_policy(b)->version == version &&
           trusted_condition(rulebook_trusted(b)) == condition;
}

static bool has_old(const struct rulebook *b)
{
    return rules(b, RULEBOOK_SIGNED, OLD, TRUSTED_GOOD);
}

static bool has_new(const struct rulebook *b)
{
    return rules(b, RULEBOOK_SIGNED, NEW, TRUSTED_GOOD);
}

static bool is_unsigned(const struct rulebook *b)
{
    return rules(b, RULEBOOK_FILE, 1, TRUSTED_NONE);
}

static bool is_installed(const struct rulebook *b)
{
    return rules(b, RULEBOOK_LAST_GOOD, 1, TRUSTED_GOOD);
}

static bool is_removed(const struct rulebook *b)
{
    return rules(b, RULEBOOK_LAST_GOOD, OLD, TRUSTED_NONE);
}

static const struct change changes[] = {
    {"apply", make_signed, apply, has_old, has_new},
    {"install", make_unsigned, install, is_unsigned, is_installed},
    {"remove", make_signed, take_away, has_old, is_removed},
};

/* --- the tracer --- */

struct run {
    size_t calls; /* system calls begun */
    bool ended;   /* by itself, before call n */
    int status;   /* of waitpid(2) */
    long numbers[CALLS_MAX];
};

static _Noreturn void child(struct rulebook *b, const struct change *change, const struct signed_place *p)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)dup2(null, STDERR_FILENO); /* a sanitizer whose own calls fail has much to say */
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(99);
    (void)raise(SIGSTOP);
    _exit(change->make(b, p) == 0 ? 0 : 1);
}

#if defined(__x86_64__)
static void skip_call(pid_t pid)
{
    struct user_regs_struct regs;

    assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &regs), 0);
    regs.orig_rax = (unsigned long long)-1;
    assert_int_equal(ptrace(PTRACE_SETREGS, pid, NULL, &regs), 0);
}

static void fail_call(pid_t pid, int error)
{
    struct user_regs_struct regs;

    assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &regs), 0);
    regs.rax = (unsigned long long)-(long long)error;
    assert_int_equal(ptrace(PTRACE_SETREGS, pid, NULL, &regs), 0);
}
#endif

/* Memory comes when an allocator or a sanitizer likes, so the calls for it are not counted: call n is the same in every run. */
static bool is_counted(long number)
{
    return number != SYS_mmap && number != SYS_munmap && number != SYS_mremap && number != SYS_mprotect &&
           number != SYS_madvise && number != SYS_brk;
}

/* At a call's entry (1), its exit (0), or elsewhere (-1). */
static int place_of(pid_t pid, long *ret_number)
{
    struct __ptrace_syscall_info info = {0};

    assert_true(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        *ret_number = (long)info.entry.nr;
        return 1;
    }
    return info.op == PTRACE_SYSCALL_INFO_EXIT ? 0 : -1;
}

static void kill_child(pid_t pid)
{
    int status;

    (void)kill(pid, SIGKILL);
    do
        assert_int_equal(waitpid(pid, &status, 0), pid);
    while (!WIFSIGNALED(status) && !WIFEXITED(status));
}

/* Runs to the entry of call n (0: to the end). error 0: killed there; else that call fails and the child goes on. */
static void trace(pid_t pid, size_t n, int error, struct run *ret)
{
    int deliver = 0, status;
    bool failing = false;

    *ret = (struct run){0};
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
    for (;;) {
        long number = -1;
        int place;

        assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, deliver), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        deliver = 0;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            ret->ended = ret->calls < n || n == 0 || error != 0;
            ret->status = status;
            return;
        }
        if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
            deliver = WSTOPSIG(status);
            continue;
        }
        place = place_of(pid, &number);
        if (place == 1 && !is_counted(number))
            continue;
        if (place == 1 && ret->calls < CALLS_MAX)
            ret->numbers[ret->calls++] = number;
        if (place == 1 && n != 0 && ret->calls == n) {
            if (error == 0) {
                kill_child(pid);
                return;
            }
#if defined(__x86_64__)
            skip_call(pid);
#endif
            failing = true;
        } else if (place == 0 && failing) {
            failing = false;
#if defined(__x86_64__)
            fail_call(pid, error);
#endif
        }
    }
}

static void run(const struct signed_place *p, const struct change *change, size_t n, int error, struct run *ret)
{
    struct rulebook *b;
    pid_t pid;

    signed_clear(p);
    change->prepare(p);
    b = signed_open(p, 0);
    assert_true(change->is_old(b));
    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child(b, change, p);
    trace(pid, n, error, ret);
    (void)rulebook_free(b);
}

/* The next start. Removing leaves the copy without a file, which is no reason to complain here. */
static bool found(const struct signed_place *p, const struct change *change, bool *ret_new)
{
    const struct rulebook_options options = {.file = p->file, .state_directory = p->fd};
    struct rulebook *b = NULL;
    bool old, new;

    assert_int_equal(rulebook_new(&options, &b), 0);
    assert_true(rulebook_open(b, SIGNED_NOW_US) >= 0);
    old = change->is_old(b);
    new = change->is_new(b);
    if (!old && !new)
        print_error("%s: source %s, version %llu, condition %d\n", change->what,
                    rulebook_source_name(rulebook_source(b)), (unsigned long long)rulebook_policy(b)->version,
                    trusted_condition(rulebook_trusted(b)));
    (void)rulebook_free(b);
    *ret_new = new;
    return old || new;
}

/* --- tests --- */

/* Data before its name, its name before the next step: what a kill cannot show but a power cut would. */
static void check_order(const struct run *r)
{
    bool dirty = false, named = false;

    for (size_t i = 0; i < r->calls; i++) {
        long number = r->numbers[i];

        if (number == SYS_write)
            dirty = true;
        else if (number == SYS_fsync || number == SYS_fdatasync)
            dirty = named = false;
        else if (number == SYS_renameat2 || number == SYS_unlinkat
#ifdef SYS_renameat
                 || number == SYS_renameat
#endif
        ) {
            assert_false(dirty); /* a name for bytes that are not on disk */
            assert_false(named); /* a second step before the first is on disk */
            named = true;
        }
    }
    assert_false(dirty);
    assert_false(named);
}

static void try_all(const struct signed_place *p, const struct change *change, int error)
{
    static struct run r, whole;
    size_t n, n_new = 0;
    bool new;

    run(p, change, 0, 0, &whole);
    for (n = 1;; n++) {
        run(p, change, n, error, &r);
        for (size_t i = 0; i < n && i < r.calls; i++)
            if (r.numbers[i] != whole.numbers[i])
                fail_msg("%s: call %zu is number %ld here and %ld there", change->what, i + 1, r.numbers[i],
                         whole.numbers[i]);
        if (!found(p, change, &new))
            fail_msg("%s: call %zu (number %ld), error %d: neither old nor new", change->what, n,
                     r.calls > 0 ? r.numbers[r.calls - 1] : -1, error);
        n_new += new;
        if (WIFEXITED(r.status) && r.ended && WEXITSTATUS(r.status) == 0 && !new)
            fail_msg("%s: call %zu, error %d: said to be done and is not", change->what, n, error);
        if (r.calls < n)
            break;
    }
    print_message("%s, %s: %zu calls, the new state after %zu of them\n", change->what,
                  error == 0        ? "killed"
                  : error == ENOSPC ? "ENOSPC"
                                    : "EIO",
                  n - 1, n_new);
    assert_int_equal(n - 1, whole.calls); /* every one of them */
    assert_true(n > 10);
    assert_true(n_new > 0); /* the end was reached, */
    assert_true(n_new < n); /* and the beginning */
}

static void test_order(void **state)
{
    static struct run r;

    for (size_t i = 0; i < ELEMENTS(changes); i++) {
        bool new = false;

        run(*state, &changes[i], 0, 0, &r);
        assert_true(WIFEXITED(r.status) && WEXITSTATUS(r.status) == 0);
        assert_true(found(*state, &changes[i], &new) && new);
        check_order(&r);
    }
}

static void test_killed_at_every_call(void **state)
{
    for (size_t i = 0; i < ELEMENTS(changes); i++)
        try_all(*state, &changes[i], 0);
}

static void test_every_call_fails(void **state)
{
#if defined(__x86_64__)
    for (size_t i = 0; i < ELEMENTS(changes); i++) {
        try_all(*state, &changes[i], ENOSPC);
        try_all(*state, &changes[i], EIO);
    }
#else
    (void)state;
    skip_because("registers of this machine are not known to the test");
#endif
}

static int setup(void **state)
{
    int r = signed_setup(state);

    if (r == 0)
        bundle = signed_policy(*state, NEW, "", &bundle_size);
    return r;
}

static int teardown(void **state)
{
    free(bundle);
    bundle = NULL;
    return signed_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_at_every_call, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_call_fails, setup, teardown),
    };

    if (geteuid() != 0) {
        (void)printf("SKIP: needs root, whose file the policy must be\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
