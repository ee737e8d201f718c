/*
 * The cage of what shows foreign names, and of what speaks with the network: little, because a person's program can do what the person can. Owns: what
 * is forbidden. Must not: keep the program from running where the kernel knows none of it.
 */
#include "cage/cage.h"

#include <errno.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE /* 6.2 */
#    define LANDLOCK_ACCESS_FS_TRUNCATE (UINT64_C(1) << 14)
#endif

/* Everything but reading and running: that is the filter's. */
static uint64_t writing(int abi)
{
    uint64_t rights = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                      LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                      LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                      LANDLOCK_ACCESS_FS_MAKE_SYM;

    return abi >= 3 ? rights | LANDLOCK_ACCESS_FS_TRUNCATE : rights;
}

/* Also keeps it from tracing what is not in the same cage. */
static int write_nothing(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct landlock_ruleset_attr rules = {0};
    _cleanup_close_ int fd = -1;

    if (abi < 1)
        return 0; /* not in this kernel, or switched off */
    rules.handled_access_fs = writing((int)abi);
    fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules.handled_access_fs), 0);
    return fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
}

/* Sockets of other kinds than these are refused. Netlink: getaddrinfo(3) asks which addresses there are. */
static int filter_sockets(scmp_filter_ctx filter, enum cage kind)
{
    static const unsigned network[] = {AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    const struct scmp_arg_cmp not_local = {.arg = 0, .op = SCMP_CMP_NE, .datum_a = AF_UNIX};
    const struct scmp_arg_cmp above = {.arg = 0, .op = SCMP_CMP_GT, .datum_a = AF_NETLINK};
    int r;

    if (kind == CAGE_LOCAL)
        return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, &not_local);
    r = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, &above);
    for (unsigned family = 0; r >= 0 && family <= AF_NETLINK; family++) {
        const struct scmp_arg_cmp this = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = family};
        bool permitted = false;

        for (size_t i = 0; i < ELEMENTS(network); i++)
            permitted = permitted || network[i] == family;
        if (!permitted)
            r = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, &this);
    }
    return r;
}

static int filter_calls(enum cage kind)
{
    /* io_uring opens sockets past the filter. ptrace(2) is Landlock's, and a leak checker's. */
    static const int forbidden[] = {SCMP_SYS(execve),
                                    SCMP_SYS(execveat),
                                    SCMP_SYS(io_uring_setup),
                                    SCMP_SYS(process_vm_readv),
                                    SCMP_SYS(process_vm_writev),
                                    SCMP_SYS(perf_event_open),
                                    SCMP_SYS(bpf),
                                    SCMP_SYS(userfaultfd),
                                    SCMP_SYS(keyctl),
                                    SCMP_SYS(add_key),
                                    SCMP_SYS(request_key),
                                    SCMP_SYS(unshare),
                                    SCMP_SYS(setns),
                                    SCMP_SYS(mount),
                                    SCMP_SYS(pidfd_getfd)};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int r = 0;

    if (!filter)
        return -ENOMEM;
    for (size_t i = 0; i < ELEMENTS(forbidden) && r >= 0; i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), forbidden[i], 0);
    if (r >= 0)
        r = filter_sockets(filter, kind);
    if (r >= 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}

int cage_enter(enum cage kind)
{
    int r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : write_nothing();

    return r < 0 ? r : filter_calls(kind);
}
