/* Owns: how files that people carry to terminals come to be. Must not: follow a link, or leave a half one. */
#include "cli/out_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "cli/i18n.h"

/* The directory of a path and the name in it. The directory itself may be reached through links: it is the caller's own word. */
static int open_parent(const char *path, const char **ret_name)
{
    _cleanup_free_ char *folder = strdup(path);
    char *slash;
    int fd;

    if (!folder)
        return -ENOMEM;
    slash = strrchr(folder, '/');
    *ret_name = slash ? path + (slash - folder) + 1 : path;
    if (!**ret_name || strcmp(*ret_name, ".") == 0 || strcmp(*ret_name, "..") == 0)
        return -EISDIR;
    if (slash)
        slash[slash == folder] = '\0';
    fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* renameat2(2): some filesystems (NFS, old FAT) know no RENAME_NOREPLACE; there a link that fails when the name exists does the same,
 * and where there are no links either, a look before. */
static int rename_new(int dirfd, const char *from, const char *to)
{
    struct stat st;

    if (renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    if (linkat(dirfd, from, dirfd, to, 0) == 0)
        return unlinkat(dirfd, from, 0) < 0 ? -errno : 0;
    if (errno != EPERM && errno != EOPNOTSUPP)
        return -errno;
    if (fstatat(dirfd, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    return renameat(dirfd, from, dirfd, to) < 0 ? -errno : 0;
}

static int write_new(int dirfd, const char *name, const void *data, size_t size, mode_t mode)
{
    char temporary[NAME_MAX + 1];
    uint64_t random;
    int r, n;

    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return -errno;
    n = snprintf(temporary, sizeof(temporary), ".%s.%016" PRIx64, name, random);
    if (n < 0 || (size_t)n >= sizeof(temporary))
        return -ENAMETOOLONG;
    r = files_write_atomic_at(dirfd, temporary, data, size, mode);
    if (r < 0)
        return r;
    r = rename_new(dirfd, temporary, name);
    if (r < 0) {
        (void)unlinkat(dirfd, temporary, 0);
        return r;
    }
    return fsync(dirfd) < 0 ? -errno : 0;
}

/* Renaming over a link or a device would put a file in its place: /dev/full and /dev/stdout are asked for by mistake. */
static int may_replace(int dirfd, const char *name)
{
    struct stat st;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    return S_ISREG(st.st_mode) ? 0 : -EINVAL;
}

static int replace_file(int dirfd, const char *name, const void *data, size_t size, mode_t mode)
{
    int r = may_replace(dirfd, name);

    return r < 0 ? r : files_write_atomic_at(dirfd, name, data, size, mode);
}

static enum cli_exit tell(struct cli *c, const char *path, int error)
{
    if (error == -EEXIST)
        cli_error(c, _("%s exists already; nothing is overwritten"), cli_safe(c, path));
    else if (error < 0)
        cli_error(c, "%s: %s", cli_safe(c, path),
                  error == -EINVAL ? _("this is not a regular file") : strerror(-error));
    return error < 0 ? CLI_FAILED : CLI_OK;
}

enum cli_exit out_file_write(struct cli *c, const char *path, const void *data, size_t size, mode_t mode, bool replace)
{
    const char *name = NULL;
    _cleanup_close_ int dirfd = open_parent(path, &name);
    sigset_t all, before;
    int r = dirfd;

    if (r >= 0) {
        (void)sigfillset(&all);
        (void)sigprocmask(SIG_BLOCK, &all, &before);
        r = replace ? replace_file(dirfd, name, data, size, mode) : write_new(dirfd, name, data, size, mode);
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
    }
    return tell(c, path, r);
}

/* Files are renamed into place, so the directory decides: that it is there, and that this person may write to it. */
static int look(const char *path, bool replace)
{
    const char *name = NULL;
    _cleanup_close_ int dirfd = open_parent(path, &name);
    struct stat st;

    if (dirfd < 0)
        return dirfd;
    if (!replace && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    if (faccessat(dirfd, ".", W_OK | X_OK, AT_EACCESS) < 0)
        return -errno;
    return replace ? may_replace(dirfd, name) : 0;
}

bool out_file_is_free(struct cli *c, const char *path)
{
    return tell(c, path, look(path, false)) == CLI_OK;
}

bool out_file_is_replaceable(struct cli *c, const char *path)
{
    return tell(c, path, look(path, true)) == CLI_OK;
}
