#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Small files, always from a held directory fd, never through a symlink. */

/* Reads a whole regular (or sysfs/proc) file of at most maximum bytes; the buffer is NUL-terminated past ret_size. -EFBIG when longer. */
int files_read_at(int dirfd, const char *name, size_t maximum, uint8_t **ret_data, size_t *ret_size);
/* The rest of an open file that the caller has looked at; same bounds, same ownership. */
int files_read_fd(int fd, size_t maximum, uint8_t **ret_data, size_t *ret_size);
/* The same as text: one trailing newline removed, an embedded NUL is -EBADMSG. */
int files_read_text_at(int dirfd, const char *name, size_t maximum, char **ret);
/* The same of a regular file that is the caller's alone, for secrets: -EPERM when others own it or may read it, -EBADMSG when it is longer or holds
 * a NUL. The text is the caller's to wipe. */
int files_read_private_at(int dirfd, const char *name, size_t maximum, char **ret);
/* All of it, however many calls it takes; a signal does not end it. 0 or -errno. */
int files_write_all(int fd, const void *data, size_t size);
/* Temp file in the same directory, fsync, rename, fsync of the directory. On any error the old file is untouched. */
int files_write_atomic_at(int dirfd, const char *name, const void *data, size_t size, mode_t mode);
/* What files_write_atomic_at() left there when its process was killed in the middle; nobody may be writing now. How many, or -errno. */
int files_remove_temporaries_at(int dirfd);
/* One write(2) to a sysfs attribute; a short write is -EIO. */
int files_write_attribute_at(int dirfd, const char *name, const char *value);
/* Opens (creating if create) a directory, refusing symlinks in the last component. Returns the fd. */
int files_open_directory_at(int dirfd, const char *name, int create, mode_t mode);
