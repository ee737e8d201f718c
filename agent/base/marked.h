#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * A file that must be there once it was: an empty marker beside it says so. Either of them means that it was installed; only where both
 * are missing it never was.
 *
 * Install writes the file, then the marker; remove takes the marker away, then the file. So at no moment there is a marker alone, which
 * reads as a loss, and a file without its marker is an installed one all the same.
 */
struct marked_file {
    int directory; /* borrowed */
    const char *name, *marker;
};

enum {
    MARKED_FILE_NONE = 1
};
/* 0; MARKED_FILE_NONE: it was never installed, or it was removed; -errno: it was, and cannot be read. As files_read_at(). */
int marked_file_read(const struct marked_file *f, size_t maximum, uint8_t **ret, size_t *ret_size);
/* For a file that was read and is good: the power may have gone between the two steps. 0 or -errno. */
int marked_file_mark(const struct marked_file *f);
/* Each: when the power goes at any moment, what is read afterwards is the old or the new. After a failed install neither is there. */
int marked_file_install(const struct marked_file *f, const void *bytes, size_t size);
int marked_file_store(const struct marked_file *f, const void *bytes, size_t size);
int marked_file_remove(const struct marked_file *f);
