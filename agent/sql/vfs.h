#pragma once

/* For the files of mfa/ only. */

/* The name of a SQLite VFS that takes a path as it is: one through /proc/self/fd/N leads to the held directory, whatever its name is by now.
 * The usual one resolves links first, and magic ones with them. The last component is still never followed (O_NOFOLLOW). NULL on failure. */
const char *vfs_as_given(void);
