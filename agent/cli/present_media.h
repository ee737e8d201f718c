#pragma once

#include <sys/types.h>

#include "cli/cli.h"
#include "device/block.h"

struct policy;

/* The media of this machine with the very facts kuraband decides from, without writing to any of them and without a running
 * kuraband. What only root may read (the udev database is open to all) is missing for others. */
struct present_media;

/* On failure it has told why. */
enum cli_exit present_media_read(struct cli *c, struct policy *policy, struct present_media **ret);
struct present_media *present_media_free(struct present_media *p);
/* By id ("sdb1-12"), kernel name or node; by device number. NULL when there is none. */
const struct medium *present_media_find(const struct present_media *p, const char *id);
const struct medium *present_media_at(const struct present_media *p, dev_t device);
