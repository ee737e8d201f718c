/*
 * Owns: reading the configuration of a machine below a directory. Must not: leave that directory, wait for a FIFO, or take in more
 * than TREE_FILE_MAX.
 */
#include "bypass/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"

int tree_open(const char *root, struct tree *ret)
{
    int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    ret->root = fd;
    return 0;
}

void tree_close(struct tree *t)
{
    t->root = close_fd(t->root);
}

static int open_in(const struct tree *t, const char *path, int flags)
{
    /* openat2(2) takes no flags of reading beside O_PATH. */
    unsigned more = flags & O_PATH ? O_CLOEXEC : O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    const struct open_how how = {
        .flags = (unsigned)flags | more,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    long fd = syscall(SYS_openat2, t->root, path, &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

int tree_read(const struct tree *t, const char *path, char **ret)
{
    _cleanup_close_ int fd = open_in(t, path, O_RDONLY);
    _cleanup_free_ uint8_t *bytes = NULL;
    struct stat st;
    size_t size;
    int r;

    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    r = files_read_fd(fd, TREE_FILE_MAX, &bytes, &size);
    if (r < 0)
        return r;
    if (memchr(bytes, '\0', size))
        return -EBADMSG;
    *ret = (char *)TAKE_PTR(bytes);
    return 0;
}

bool tree_is_masked(const struct tree *t, const char *path)
{
    static const char nothing[] = "/dev/null";
    _cleanup_close_ int fd = open_in(t, path, O_PATH | O_NOFOLLOW);
    char target[sizeof(nothing)];
    ssize_t n = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target));

    return n == (ssize_t)strlen(nothing) && memcmp(target, nothing, strlen(nothing)) == 0;
}

void tree_names_done(struct tree_names *n)
{
    for (size_t i = 0; i < n->n; i++)
        free(n->names[i]);
    free(n->names);
    *n = (struct tree_names){0};
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(struct tree_names *n, const char *name)
{
    char **grown;

    if (n->n >= TREE_NAMES_MAX)
        return -E2BIG;
    grown = reallocarray(n->names, n->n + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    n->names = grown;
    grown[n->n] = strdup(name);
    if (!grown[n->n])
        return -ENOMEM;
    n->n++;
    return 0;
}

int tree_list(const struct tree *t, const char *path, struct tree_names *ret)
{
    struct tree_names names = {0};
    int fd = open_in(t, path, O_RDONLY | O_DIRECTORY), r = 0;
    _cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;

    if (!d) {
        (void)close_fd(fd);
        if (fd < 0 && (fd == -ENOENT || fd == -ENOTDIR)) {
            *ret = names;
            return 0;
        }
        return fd < 0 ? fd : -errno;
    }
    while (r == 0 && (errno = 0, e = readdir(d)))
        if (e->d_name[0] != '.')
            r = add_name(&names, e->d_name);
    if (r == 0)
        r = -errno;
    if (r < 0) {
        tree_names_done(&names);
        return r;
    }
    if (names.n > 1)
        qsort(names.names, names.n, sizeof(*names.names), compare_names);
    *ret = names;
    return 0;
}
