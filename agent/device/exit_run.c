/*
 * The files between kuraband and the udev helper. Owns: their names and their fail-closed reading. Must not: be read by
 * anything that is not root; the directories are the daemon's.
 */
#include "device/exit_run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/files.h"

static const char *const mode_names[EXIT_MODE_COUNT_] = {
    [EXIT_MODE_ON] = "on",
    [EXIT_MODE_LISTED] = "listed",
    [EXIT_MODE_MONITOR] = "monitor",
    [EXIT_MODE_OFF] = "off",
};

const char *exit_mode_name(enum exit_mode mode)
{
    return (unsigned)mode < EXIT_MODE_COUNT_ ? mode_names[mode] : "on";
}

int exit_mode_parse(const char *name, enum exit_mode *ret)
{
    for (unsigned i = 0; i < EXIT_MODE_COUNT_; i++) {
        if (strcmp(mode_names[i], name) == 0) {
            *ret = (enum exit_mode)i;
            return 0;
        }
    }
    return -EINVAL;
}

void exit_id(const char *name, uint64_t diskseq, char ret[static EXIT_ID_SIZE])
{
    (void)snprintf(ret, EXIT_ID_SIZE, "%.63s-%" PRIu64, name, diskseq);
}

enum exit_mode exit_run_mode(int run)
{
    _cleanup_free_ char *text = NULL;
    enum exit_mode mode = EXIT_MODE_ON;

    if (run >= 0 && files_read_text_at(run, "media.mode", 32, &text) >= 0)
        (void)exit_mode_parse(text, &mode);
    return mode;
}

int exit_run_set_mode(int run, enum exit_mode mode)
{
    const char *name = exit_mode_name(mode);

    return files_write_atomic_at(run, "media.mode", name, strlen(name), 0644);
}

static int permission_path(const char *id, char *ret, size_t size)
{
    int n = strchr(id, '/') ? -1 : snprintf(ret, size, "media/%s", id);

    return n < 0 || (size_t)n >= size ? -EINVAL : 0;
}

bool exit_run_permitted(int run, const char *id)
{
    char path[EXIT_ID_SIZE + 8];
    struct stat st;

    return run >= 0 && permission_path(id, path, sizeof(path)) >= 0 &&
           fstatat(run, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid();
}

int exit_run_permit(int run, const char *id, bool permit)
{
    _cleanup_close_ int media = -1, fd = -1;

    if (strchr(id, '/'))
        return -EINVAL;
    media = files_open_directory_at(run, "media", 1, 0755);
    if (media < 0)
        return media;
    if (!permit) {
        if (unlinkat(media, id, 0) == 0)
            return 1;
        return errno == ENOENT ? 0 : -errno;
    }
    fd = openat(media, id, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd >= 0)
        return 1;
    return errno == EEXIST ? 0 : -errno;
}

int exit_run_sweep(int run, bool (*keep)(void *context, const char *id), void *context)
{
    _cleanup_closedir_ DIR *dir = NULL;
    int fd = files_open_directory_at(run, "media", 1, 0755);
    const struct dirent *d;

    if (fd < 0)
        return fd;
    dir = fdopendir(fd);
    if (!dir) {
        close_fd(fd);
        return -ENOMEM;
    }
    while ((d = readdir(dir))) {
        if (d->d_name[0] != '.' && !keep(context, d->d_name) && unlinkat(dirfd(dir), d->d_name, 0) < 0)
            return -errno;
    }
    return 0;
}

int exit_run_list(int directory, struct exit_list *l)
{
    _cleanup_free_ char *text = NULL;
    int r;

    if (directory < 0)
        return 0;
    r = files_read_text_at(directory, "exits.list", EXIT_LIST_BYTES_MAX, &text);
    if (r == -ENOENT)
        return 0;
    return r < 0 ? r : exit_list_add(l, text);
}

static bool is_there(int directory, const struct buf *list)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size = 0;

    return files_read_at(directory, "exits.list", EXIT_LIST_BYTES_MAX, &data, &size) >= 0 && size == list->size &&
           (size == 0 || memcmp(data, list->data, size) == 0);
}

int exit_run_set_list(int directory, const struct exit_list *l)
{
    struct buf b;
    int r = 0;

    buf_init(&b, EXIT_LIST_BYTES_MAX);
    for (size_t i = 0; i < l->n && r >= 0; i++)
        r = buf_printf(&b, "%s\n", l->items[i]);
    /* What is there needs no space: on a full disk kuraband has to start. */
    if (r >= 0 && !is_there(directory, &b))
        r = files_write_atomic_at(directory, "exits.list", b.data ? b.data : (const uint8_t *)"", b.size, 0644);
    buf_done(&b);
    return r;
}
