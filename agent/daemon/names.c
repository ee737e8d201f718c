/*
 * Owns: asking the machine's name service who a name in a policy is. Called while a policy is taken, never from the gate.
 */
#include "daemon/names.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "policy/policy.h"

enum {
    NAME_BUFFER = 16 * 1024,
    GROUP_BUFFER = 256 * 1024
};

/* What getpwnam_r(3) and getgrnam_r(3) return for a name that is not there; anything else is no answer. */
static int no_entry(int error)
{
    return error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM ? -ENOENT : -EAGAIN;
}

static int find_user(void *context, const char *name, uid_t *ret)
{
    char buffer[NAME_BUFFER];
    struct passwd entry, *found = NULL;
    int error = getpwnam_r(name, &entry, buffer, sizeof(buffer), &found);

    (void)context;
    if (!found)
        return no_entry(error);
    *ret = found->pw_uid;
    return 0;
}

static int find_group(void *context, const char *name, gid_t *ret)
{
    _cleanup_free_ char *buffer = malloc(GROUP_BUFFER);
    struct group entry, *found = NULL;
    int error = buffer ? getgrnam_r(name, &entry, buffer, GROUP_BUFFER, &found) : ENOMEM;

    (void)context;
    if (!found)
        return no_entry(error);
    *ret = found->gr_gid;
    return 0;
}

const struct policy_names names_of_machine = {.user = find_user, .group = find_group};
