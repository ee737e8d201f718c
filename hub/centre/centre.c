/*
 * Owns: which directory is a centre, and whose.
 * Must not: open one as another user than its own: what that wrote, the hub could not read.
 */
#include "hub/centre/centre.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int centre_open(const char *directory, int64_t now_us, struct centre *ret)
{
    _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct hub_store *store = NULL;
    struct stat st;
    int r;

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? CENTRE_E_NONE : -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_uid != geteuid() || (st.st_mode & 022) != 0)
        return CENTRE_E_OWNER;
    r = hub_store_open(fd, now_us, &store);
    if (r < 0)
        return r == -ENOENT ? CENTRE_E_NONE : r;
    *ret = (struct centre){.directory = TAKE_FD(fd), .store = store};
    return CENTRE_OK;
}

void centre_close(struct centre *c)
{
    c->store = hub_store_free(c->store);
    c->directory = close_fd(c->directory);
}
