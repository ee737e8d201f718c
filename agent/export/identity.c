/*
 * Becoming somebody who may less. Owns: the order of the calls, and the check that each of them worked.
 */
#include "export/identity.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int identity_drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        syscall(SYS_capset, &header, none) < 0)
        return -errno;
    return 0;
}

int identity_take(const struct export_identity *id)
{
    /* The effective ids as well: some files ask for them (/proc/sys). The real and the saved one stay ours: the caller sends it no signals. */
    if (setgroups(id->n_gids, id->gids) < 0 || setresgid((gid_t)-1, id->gid, (gid_t)-1) < 0 ||
        setresuid((uid_t)-1, id->uid, (uid_t)-1) < 0)
        return -errno;
    /* The ids for files went along. Both answer with the id before; asked a second time they say whether the first took. */
    (void)setfsgid(id->gid);
    (void)setfsuid(id->uid);
    if ((gid_t)setfsgid(id->gid) != id->gid || (uid_t)setfsuid(id->uid) != id->uid || getegid() != id->gid ||
        geteuid() != id->uid)
        return -EPERM;
    return identity_drop_capabilities();
}
