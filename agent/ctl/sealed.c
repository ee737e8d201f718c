/*
 * Owns: bytes in a sealed memfd, made on one side and read on the other. Must not: read an fd before its seals were seen.
 */
#include "ctl/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"

enum {
    SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE
};

int sealed_make(const void *bytes, size_t size)
{
    _cleanup_close_ int fd = memfd_create("kuraban", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int r;

    if (fd < 0)
        return -errno;
    r = files_write_all(fd, bytes, size);
    if (r < 0)
        return r;
    if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        return -errno;
    return TAKE_FD(fd);
}

static int read_all(int fd, uint8_t *bytes, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = pread(fd, bytes + done, size - done, (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO; /* it cannot have shrunk */
        done += (size_t)n;
    }
    return 0;
}

int sealed_read(int fd, size_t maximum, uint8_t **ret, size_t *ret_size)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS), r;

    if (seals < 0 || (seals & SEALS) != SEALS)
        return SEALED_E_NOT_SEALED;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size < 0 || (uintmax_t)st.st_size > maximum)
        return SEALED_E_TOO_LONG;
    bytes = malloc((size_t)st.st_size + 1);
    if (!bytes)
        return -ENOMEM;
    r = read_all(fd, bytes, (size_t)st.st_size);
    if (r < 0)
        return r;
    bytes[st.st_size] = 0;
    *ret = TAKE_PTR(bytes);
    *ret_size = (size_t)st.st_size;
    return 0;
}
