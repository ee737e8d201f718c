/*
 * The cage of what handles other people's bytes. Owns: the list of system calls. Must not: be entered before identity_take().
 */
#include "export/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/resource.h>

#include "base/cleanup.h"

/* copy, read, talk; memory; time; what libc and the sanitizers ask for on the way out. openat: /proc/self/fd/N, as the caller. */
static const char *const permitted[] = {
    "read",         "write",     "pread64", "pwrite64",    "readv",        "writev",          "lseek",
    "close",        "openat",    "open",    "fstat",       "newfstatat",   "statx",           "fstatfs",
    "fcntl",        "ftruncate", "fsync",   "fdatasync",   "fadvise64",    "sendmsg",         "recvmsg",
    "sendto",       "recvfrom",  "poll",    "ppoll",       "mmap",         "munmap",          "mremap",
    "mprotect",     "madvise",   "brk",     "futex",       "getrandom",    "clock_gettime",   "clock_nanosleep",
    "gettimeofday", "time",      "exit",    "exit_group",  "rt_sigaction", "rt_sigprocmask",  "rt_sigreturn",
    "sigaltstack",  "getpid",    "gettid",  "sched_yield", "getuid",       "geteuid",         "getgid",
    "getegid",      "prlimit64", "uname",   "readlink",    "readlinkat",   "restart_syscall",
};

static int limit(unsigned what, uint64_t value)
{
    const struct rlimit l = {value, value};

    return setrlimit(what, &l) < 0 ? -errno : 0;
}

int sandbox_enter(uint64_t size_max)
{
    scmp_filter_ctx filter;
    int r = limit(RLIMIT_FSIZE, size_max);

    if (r >= 0)
        r = limit(RLIMIT_CORE, 0);
    if (r < 0)
        return r;
    filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return -ENOMEM;
    for (size_t i = 0; i < ELEMENTS(permitted) && r >= 0; i++) {
        int number = seccomp_syscall_resolve_name(permitted[i]);

        if (number != __NR_SCMP_ERROR && number >= 0) /* not every machine has every one */
            r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    }
    if (r >= 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}
