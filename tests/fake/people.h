#pragma once

#include <errno.h>
#include <grp.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* Children of a test that are somebody else. */

enum {
    NOBODY = 65534,
    NOT_EXITED = 98, /* what exit_status_of() says of a child that was killed */
    NOT_BECOME = 99, /* what a child ends with that stays who it is */
};

/* In a child of root: this uid alone, without other groups, for good. */
static inline void become(uid_t uid)
{
    const gid_t gid = (gid_t)uid;

    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        _exit(NOT_BECOME);
}

static inline int exit_status_of(pid_t child)
{
    int status = -1;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : NOT_EXITED;
}
