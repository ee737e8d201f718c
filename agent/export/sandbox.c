/*
 * The cage of what handles other people's bytes. Owns: the list of system calls, and what Landlock forbids besides. Must not: be entered before
 * identity_take() or identity_drop_capabilities().
 */
#include "export/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* copy, read, talk; memory; time; what libc and the sanitizers ask for on the way out. */
static const char *const permitted[] = {
    "read",          "write",          "pread64",         "pwrite64",  "readv",      "writev",      "lseek",
    "close",         "fstat",          "fstatfs",         "ftruncate", "fsync",      "fdatasync",   "fadvise64",
    "sendmsg",       "recvmsg",        "sendto",          "recvfrom",  "poll",       "ppoll",       "mmap",
    "munmap",        "mremap",         "mprotect",        "madvise",   "brk",        "futex",       "getrandom",
    "clock_gettime", "gettimeofday",   "clock_nanosleep", "time",      "exit",       "exit_group",  "rt_sigaction",
    "rt_sigreturn",  "rt_sigprocmask", "sigaltstack",     "getpid",    "gettid",     "sched_yield", "getuid",
    "geteuid",       "getgid",         "getegid",         "uname",     "newfstatat", "statx",       "restart_syscall",
};

/* Of a descriptor's own things: F_SETOWN and F_SETSIG would send a signal of one's choice to any process of root's. */
static const int controls[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL};

/* /proc/self/fd/N, as the caller. */
static const char *const opening[] = {"openat", "open", "readlink", "readlinkat"};

static int limit(unsigned what, uint64_t value)
{
    const struct rlimit l = {value, value};

    return setrlimit(what, &l) < 0 ? -errno : 0;
}

/* --- Landlock --- */

/* Everything that the kernel can forbid in filesystems: 5.13 the first of these, 5.19 moving between directories, 6.2 truncating. What is open stays
 * as it is. */
static uint64_t all_rights(int abi)
{
    return (UINT64_C(1) << (abi >= 3 ? 15 : abi == 2 ? 14 : 13)) - 1;
}

static int landlock_abi(void)
{
    long r = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return r < 0 ? -errno : (int)r;
}

bool sandbox_has_landlock(void)
{
    return landlock_abi() > 0;
}

int sandbox_enter_landlock(enum sandbox what)
{
    struct landlock_ruleset_attr rules = {0};
    int abi = landlock_abi(), r = 0;
    _cleanup_close_ int fd = -1;

    if (abi <= 0)
        return abi == 0 || abi == -ENOSYS ? -EOPNOTSUPP : abi;
    rules.handled_access_fs = all_rights(abi);
    if (what == SANDBOX_OPENS)
        rules.handled_access_fs &= ~(uint64_t)LANDLOCK_ACCESS_FS_READ_FILE;
    /* No rule is added: what is handled is refused everywhere. */
    fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules.handled_access_fs), 0);
    if (fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) < 0)
        r = -errno;
    return r;
}

/* --- system calls --- */

static int permit(scmp_filter_ctx filter, const char *const *names, size_t n)
{
    int r = 0;

    for (size_t i = 0; i < n && r >= 0; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);

        if (number != __NR_SCMP_ERROR && number >= 0) /* not every machine has every one */
            r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    }
    return r;
}

static int permit_when(scmp_filter_ctx filter, int call, unsigned argument, int value)
{
    const struct scmp_arg_cmp is_value = {.arg = argument, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)value};

    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &is_value);
}

/* Limits are one's own: those of root's other processes could be set as well, without a capability. */
static int permit_some(scmp_filter_ctx filter)
{
    int r = permit_when(filter, SCMP_SYS(prlimit64), 0, 0);

    for (size_t i = 0; i < ELEMENTS(controls) && r >= 0; i++)
        r = permit_when(filter, SCMP_SYS(fcntl), 1, controls[i]);
    return r;
}

static int enter_filter(enum sandbox what)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int r;

    if (!filter)
        return -ENOMEM;
    r = permit(filter, permitted, ELEMENTS(permitted));
    if (r >= 0)
        r = permit_some(filter);
    if (r >= 0 && what == SANDBOX_OPENS)
        r = permit(filter, opening, ELEMENTS(opening));
    if (r >= 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}

int sandbox_enter(enum sandbox what, uint64_t size_max)
{
    int r = limit(RLIMIT_FSIZE, size_max);

    if (r >= 0)
        r = limit(RLIMIT_CORE, 0);
    if (r >= 0)
        r = sandbox_enter_landlock(what);
    return r >= 0 || r == -EOPNOTSUPP ? enter_filter(what) : r;
}
