/*
 * Owns: the order in which a file and its marker are written and taken away. Must not: look at what is in it.
 */
#include "base/marked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"

/* What cannot be looked up is taken for there. */
static bool is_marked(const struct marked_file *f)
{
    struct stat st;

    return fstatat(f->directory, f->marker, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

int marked_file_read(const struct marked_file *f, size_t maximum, uint8_t **ret, size_t *ret_size)
{
    bool marked = is_marked(f);
    int r = files_read_at(f->directory, f->name, maximum, ret, ret_size);

    return r == -ENOENT && !marked ? MARKED_FILE_NONE : r;
}

int marked_file_mark(const struct marked_file *f)
{
    return is_marked(f) ? 0 : files_write_atomic_at(f->directory, f->marker, "", 0, 0600);
}

int marked_file_store(const struct marked_file *f, const void *bytes, size_t size)
{
    return files_write_atomic_at(f->directory, f->name, bytes, size, 0600);
}

static int unlink_durably(int directory, const char *name)
{
    if (unlinkat(directory, name, 0) < 0 && errno != ENOENT)
        return -errno;
    return fsync(directory) < 0 ? -errno : 0;
}

int marked_file_remove(const struct marked_file *f)
{
    int r = unlink_durably(f->directory, f->marker);

    return r < 0 ? r : unlink_durably(f->directory, f->name);
}

int marked_file_install(const struct marked_file *f, const void *bytes, size_t size)
{
    int r = marked_file_store(f, bytes, size);

    if (r >= 0)
        r = files_write_atomic_at(f->directory, f->marker, "", 0, 0600);
    if (r < 0)
        (void)marked_file_remove(f); /* what was said to have failed shall not be there after the next start */
    return r;
}
