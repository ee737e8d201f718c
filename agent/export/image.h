#pragma once

#include <stddef.h>
#include <stdint.h>

#include "export/members.h"
#include "export/sectors.h"

/*
 * A filesystem with the files in its root, as large as they need, that no kernel writes to (ext4 with the feature "read-only"): names of 255
 * bytes and files of 16 TiB come out as they went in, which ISO 9660 cannot say (Linux cuts Rock Ridge names at 253 bytes).
 */
struct image;

/* m is all that it will hold, and stays the caller's. ret_size: of the device that it wants. 0 or -errno. */
int image_new(const struct export_members *m, int64_t wall_us, struct image **ret, uint64_t *ret_size);
struct image *image_free(struct image *i);

/* In this order; all 0 or -errno, with that of the sectors. s stays the caller's, and longer than the image. */
int image_begin(struct image *i, struct sectors *s);
int image_add(struct image *i); /* the next member; then its bytes: */
int image_write(struct image *i, const void *data, size_t size);
int image_close(struct image *i);
int image_end(struct image *i);
