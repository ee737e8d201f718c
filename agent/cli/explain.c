/*
 * Owns: facts for policy explain, gathered the way the gate does it (device and inode, not names) where the files are there.
 * Must not: decide.
 */
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

int explain_person_words(const char *user, const char *const *groups, size_t n_groups, char **ret)
{
    size_t size = 0;
    FILE *out = open_memstream(ret, &size);

    if (!out)
        return -ENOMEM;
    (void)fputs(user ? user : "", out);
    for (size_t i = 0; i < n_groups; i++)
        (void)fprintf(out, "%s%s", i > 0 ? ", " : user && *user ? " (" : "(", groups[i]);
    (void)fputs(n_groups > 0 ? ")" : "", out);
    return fclose(out) == 0 ? 0 : -ENOMEM;
}

static int find_words(const struct passwd *entry, const gid_t *gids, size_t n, char **ret)
{
    _cleanup_free_ char *user = strdup(entry->pw_name);
    char **groups = calloc(n > 0 ? n : 1, sizeof(*groups));
    size_t found = 0;
    int r = user && groups ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < n; i++) {
        const struct group *group = getgrgid(gids[i]);

        if (!group)
            continue;
        groups[found] = strdup(group->gr_name);
        if (groups[found])
            found++;
    }
    if (r == 0)
        r = explain_person_words(user, (const char *const *)groups, found, ret);
    for (size_t i = 0; i < found; i++)
        free(groups[i]);
    free(groups);
    return r;
}

int explain_find_person(const char *name, struct explain_person *ret)
{
    const struct passwd *entry = find_passwd(name);
    struct explain_person p = {0};
    int n = GROUPS_MAX, r;

    if (!entry)
        return -ENOENT;
    p.gids = calloc(GROUPS_MAX, sizeof(*p.gids));
    if (!p.gids)
        return -ENOMEM;
    if (getgrouplist(entry->pw_name, entry->pw_gid, p.gids, &n) < 0)
        n = GROUPS_MAX; /* it filled what fits */
    p.person =
        (struct decide_person){.uid = entry->pw_uid, .login_uid = entry->pw_uid, .gids = p.gids, .n_gids = (size_t)n};
    r = find_words(entry, p.gids, (size_t)n, &p.words);
    if (r < 0)
        explain_person_done(&p);
    else
        *ret = p;
    return r;
}

void explain_person_done(struct explain_person *p)
{
    free(p->gids);
    free(p->words);
    *p = (struct explain_person){0};
}

static bool is_below(const char *path, const char *directory)
{
    size_t n = strlen(directory);

    return strncmp(path, directory, n) == 0 && (path[n] == 0 || path[n] == '/');
}

/* path as it is; a store's path resolved where it is there. */
static int find_store(const struct policy *policy, const char *path, bool resolve, size_t *ret)
{
    size_t longest = 0;
    int r = EXPLAIN_E_NO_STORE;

    for (size_t i = 0; i < policy->n_stores; i++) {
        _cleanup_free_ char *resolved = resolve ? realpath(policy->stores[i].path, NULL) : NULL;
        const char *store = resolve ? resolved : policy->stores[i].path;

        if (!store || !is_below(path, store) || strlen(store) <= longest)
            continue;
        longest = strlen(store);
        *ret = i;
        r = 0;
    }
    return r;
}

int explain_find_store_by_name(const struct policy *policy, const char *path, size_t *ret)
{
    return find_store(policy, path, false, ret);
}

int explain_find_store(const struct policy *policy, const char *path, size_t *ret, bool *ret_by_name)
{
    _cleanup_free_ char *resolved = realpath(path, NULL);

    if (resolved)
        return find_store(policy, resolved, true, ret);
    if (errno != ENOENT || *path != '/')
        return -errno;
    *ret_by_name = true;
    return find_store(policy, path, false, ret);
}

int explain_find_program_by_name(const struct policy_store *store, const char *program)
{
    for (size_t i = 0; i < store->n_programs; i++)
        if (text_equal(store->programs[i].path, program))
            return (int)i;
    return -1;
}

/* The file that is behind fd. */
static int find_program(const struct policy_store *store, int fd, struct decide_subject *ret)
{
    struct decide_subject s = {.program = -1, .exe_known = true};
    struct stat st, listed;

    if (fstat(fd, &st) < 0)
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

int explain_subject(const struct policy_store *store, const char *program, struct decide_subject *ret,
                    bool *ret_by_name)
{
    _cleanup_close_ int fd = open(program, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd >= 0)
        return find_program(store, fd, ret);
    if (errno != ENOENT || *program != '/')
        return -errno;
    *ret = (struct decide_subject){.program = explain_find_program_by_name(store, program), .exe_known = true};
    *ret_by_name = true;
    return 0;
}
