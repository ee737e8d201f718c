#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "cli/cli.h"

/* Writes a file that is whole or not there: a temporary beside it, fsync, rename, fsync of the directory; signals wait meanwhile.
 * replace false: an existing one is never touched; true: a regular file is replaced, nothing else is. On failure it has told why. */
enum cli_exit out_file_write(struct cli *c, const char *path, const void *data, size_t size, mode_t mode, bool replace);

/* Before questions are asked: could a new file come under this name, or this one be replaced? They tell why not. */
bool out_file_is_free(struct cli *c, const char *path);
bool out_file_is_replaceable(struct cli *c, const char *path);
