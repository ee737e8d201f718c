/*
 * Owns: whole small files read and replaced from a held directory fd.
 * Must not: follow a symlink in the last component, take an absolute path from anybody, or leave a half-written file
 * under its final name.
 */
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* sysfs and proc report a size of 0 or a page, so the size is found by reading. */
int files_read_fd(int fd, size_t maximum, uint8_t **ret_data, size_t *ret_size)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size = 0, capacity = 0;

    if (maximum > SIZE_MAX - 2)
        return -EINVAL;
    for (;;) {
        ssize_t n;

        if (size + 1 >= capacity) { /* always one byte left for the NUL, one to notice "longer" */
            size_t grown = capacity > 0 ? capacity * 2 : 4096;
            uint8_t *more;

            if (grown > maximum + 2)
                grown = maximum + 2;
            more = realloc(data, grown);
            if (!more)
                return -ENOMEM;
            data = more;
            capacity = grown;
        }
        n = read(fd, data + size, capacity - size - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        size += (size_t)n;
        if (size > maximum)
            return -EFBIG;
    }
    data[size] = 0;
    *ret_data = TAKE_PTR(data);
    *ret_size = size;
    return 0;
}

int files_read_at(int dirfd, const char *name, size_t maximum, uint8_t **ret_data, size_t *ret_size)
{
    _cleanup_close_ int fd = -1;
    struct stat st;

    /* O_NONBLOCK: a FIFO planted under the name must not hang us before fstat tells. */
    fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    return files_read_fd(fd, maximum, ret_data, ret_size);
}

int files_read_text_at(int dirfd, const char *name, size_t maximum, char **ret)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;
    int r;

    r = files_read_at(dirfd, name, maximum, &data, &size);
    if (r < 0)
        return r;
    if (memchr(data, 0, size))
        return -EBADMSG;
    if (size > 0 && data[size - 1] == '\n')
        data[size - 1] = 0;
    *ret = (char *)TAKE_PTR(data);
    return 0;
}

int files_read_private_at(int dirfd, const char *name, size_t maximum, char **ret)
{
    _cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    uint8_t *data = NULL;
    size_t size = 0;
    int r;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EBADMSG;
    /* Whose rights count here: of most processes the effective user. It tells what it was, and -1 is nobody. */
    if (st.st_uid != (uid_t)setfsuid((uid_t)-1) || (st.st_mode & 077) != 0)
        return -EPERM;
    r = files_read_fd(fd, maximum, &data, &size);
    if (r < 0)
        return r == -EFBIG ? -EBADMSG : r;
    if (strlen((const char *)data) != size) {
        explicit_bzero(data, size);
        free(data);
        return -EBADMSG;
    }
    if (size > 0 && data[size - 1] == '\n')
        data[size - 1] = '\0';
    *ret = (char *)data;
    return 0;
}

int files_write_all(int fd, const void *data, size_t size)
{
    const uint8_t *at = data;

    while (size > 0) {
        ssize_t n = write(fd, at, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

/* A random name beside the file: a crash leaves at most a ".name.XXXX.tmp", never a clash with a concurrent writer. */
static int open_temporary(int dirfd, const char *name, mode_t mode, char *ret_temp, size_t temp_size)
{
    for (int attempt = 0; attempt < 16; attempt++) {
        uint64_t random;
        int n, fd;

        if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
            return -errno;
        n = snprintf(ret_temp, temp_size, ".%s.%016" PRIx64 ".tmp", name, random);
        if (n < 0 || (size_t)n >= temp_size)
            return -ENAMETOOLONG;
        fd = openat(dirfd, ret_temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (fd >= 0 || errno != EEXIST)
            return fd >= 0 ? fd : -errno;
    }
    return -EEXIST;
}

int files_write_atomic_at(int dirfd, const char *name, const void *data, size_t size, mode_t mode)
{
    _cleanup_close_ int fd = -1;
    char temp[NAME_MAX + 1];
    int r;

    if (strchr(name, '/'))
        return -EINVAL;
    fd = open_temporary(dirfd, name, mode, temp, sizeof(temp));
    if (fd < 0)
        return fd;
    r = files_write_all(fd, data, size);
    if (r >= 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0)) /* fchmod: the umask does not decide */
        r = -errno;
    if (r >= 0 && renameat(dirfd, temp, dirfd, name) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlinkat(dirfd, temp, 0);
        return r;
    }
    if (fsync(dirfd) < 0)
        return -errno;
    return 0;
}

/* ".name.0123456789abcdef.tmp", as open_temporary() names them. */
static bool is_temporary(const char *name)
{
    static const char suffix[] = ".tmp";
    size_t length = strlen(name), tail = 1 + 16 + sizeof(suffix) - 1;
    const char *digits;

    if (name[0] != '.' || length < 1 + 1 + tail || strcmp(name + length - 4, suffix) != 0)
        return false;
    digits = name + length - tail;
    return digits[0] == '.' && strspn(digits + 1, "0123456789abcdef") == 16;
}

int files_remove_temporaries_at(int dirfd)
{
    _cleanup_closedir_ DIR *d = NULL;
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = 0;
    const struct dirent *e;

    if (fd < 0)
        return -errno;
    d = fdopendir(fd);
    if (!d) {
        close_fd(fd);
        return -errno;
    }
    while ((e = readdir(d)))
        if (is_temporary(e->d_name) && unlinkat(dirfd, e->d_name, 0) == 0)
            n++;
    return n;
}

int files_write_attribute_at(int dirfd, const char *name, const char *value)
{
    _cleanup_close_ int fd = -1;
    size_t size = strlen(value);
    ssize_t n;

    fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
    if (fd < 0)
        return -errno;
    n = write(fd, value, size); /* sysfs takes one write as one value; never repeated */
    if (n < 0)
        return -errno;
    return (size_t)n == size ? 0 : -EIO;
}

int files_open_directory_at(int dirfd, const char *name, int create, mode_t mode)
{
    int fd;

    if (create && mkdirat(dirfd, name, mode) < 0 && errno != EEXIST)
        return -errno;
    fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 ? fd : -errno;
}
