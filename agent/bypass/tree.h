#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A machine's files below a directory, which may be "/" or where another machine is mounted. Links are followed as that machine
 * would, and never lead out of it (openat2(2), RESOLVE_IN_ROOT). */
struct tree {
    int root; /* -1: not open */
};

enum {
    TREE_FILE_MAX = 1024 * 1024,
    TREE_NAMES_MAX = 4096, /* in one directory */
    TREE_PATH_MAX = 512,
};

int tree_open(const char *root, struct tree *ret);
void tree_close(struct tree *t);

/* A regular file as text; paths begin with "/". -ENOENT, -EINVAL for what is no regular file, -EFBIG, -EBADMSG with a NUL in it,
 * other -errno. Caller frees. */
int tree_read(const struct tree *t, const char *path, char **ret);
/* A link to /dev/null, which is how systemd(1) is told that there is no such unit. */
bool tree_is_masked(const struct tree *t, const char *path);
/* The names in a directory without those that begin with a dot, sorted bytewise. 0 and none when there is no such directory. */
struct tree_names {
    char **names;
    size_t n;
};
int tree_list(const struct tree *t, const char *path, struct tree_names *ret);
void tree_names_done(struct tree_names *n);
