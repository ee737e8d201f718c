/* Owns: facts for policy explain, gathered the way the gate does it (device and inode, not names). Must not: decide. */
#include "cli/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

enum {
    GROUPS_MAX = 1024
};

#define PROGRAM_SIZE_MAX (1ULL << 30)

static const struct passwd *find_passwd(const char *name)
{
    uint64_t uid = 0;

    if (!name)
        return getpwuid(getuid());
    if (text_to_u64(name, UINT32_MAX - 1, &uid) == 0)
        return getpwuid((uid_t)uid);
    return getpwnam(name);
}

int explain_find_person(const char *name, struct explain_person *ret)
{
    const struct passwd *entry = find_passwd(name);
    int n = GROUPS_MAX;
    gid_t *gids;

    if (!entry)
        return -ENOENT;
    gids = calloc(GROUPS_MAX, sizeof(*gids));
    if (!gids)
        return -ENOMEM;
    if (getgrouplist(entry->pw_name, entry->pw_gid, gids, &n) < 0)
        n = GROUPS_MAX; /* it filled what fits */
    ret->gids = gids;
    ret->person =
        (struct decide_person){.uid = entry->pw_uid, .login_uid = entry->pw_uid, .gids = gids, .n_gids = (size_t)n};
    return 0;
}

void explain_person_done(struct explain_person *p)
{
    free(p->gids);
    *p = (struct explain_person){0};
}

static bool is_below(const char *path, const char *directory)
{
    size_t n = strlen(directory);

    return strncmp(path, directory, n) == 0 && (path[n] == 0 || path[n] == '/');
}

int explain_find_store(const struct policy *policy, const char *path, size_t *ret)
{
    _cleanup_free_ char *resolved = realpath(path, NULL);
    size_t longest = 0;
    int r = EXPLAIN_E_NO_STORE;

    if (!resolved)
        return -errno;
    for (size_t i = 0; i < policy->n_stores; i++) {
        _cleanup_free_ char *store = realpath(policy->stores[i].path, NULL);

        if (!store || !is_below(resolved, store) || strlen(store) <= longest)
            continue;
        longest = strlen(store);
        *ret = i;
        r = 0;
    }
    return r;
}

int explain_subject(const struct policy_store *store, const char *program, struct decide_subject *ret)
{
    _cleanup_close_ int fd = open(program, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct decide_subject s = {.program = -1, .exe_known = true};
    struct stat st, listed;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    s.exe_device = st.st_dev;
    s.exe_inode = st.st_ino;
    for (size_t i = 0; i < store->n_programs && s.program < 0; i++)
        if (stat(store->programs[i].path, &listed) == 0 && listed.st_dev == st.st_dev && listed.st_ino == st.st_ino)
            s.program = (int)i;
    if (s.program >= 0 && store->programs[s.program].has_sha256 && S_ISREG(st.st_mode) &&
        digest_fd(fd, PROGRAM_SIZE_MAX, &s.sha256) == 0)
        s.hash_state = DECIDE_HASH_KNOWN;
    *ret = s;
    return 0;
}
