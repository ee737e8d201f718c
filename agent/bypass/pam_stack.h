#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bypass/tree.h"

/* The auth stack of one service as libpam assembles it (pam.conf(5), Linux-PAM 1.5.2; Debian's "@include"). */

enum {
    PAM_STACK_RETURNS = 32, /* PAM_SUCCESS … PAM_INCOMPLETE */
    PAM_STACK_LEVELS = 16,  /* of include and substack */
    PAM_STACK_MODULES = 512,
    PAM_STACK_SUCCESS = 0,
    PAM_STACK_AUTH_ERR = 7,
    PAM_STACK_PERM_DENIED = 6,
    PAM_STACK_NEW_AUTHTOK_REQD = 12,
    PAM_STACK_IGNORE = 25,
    PAM_STACK_MODULE_UNKNOWN = 28,
    PAM_STACK_INCOMPLETE = 31,
};

/* What a return value does; positive: so many modules are jumped over. */
enum {
    PAM_ACTION_UNSET = -100,
    PAM_ACTION_RESET = -6,
    PAM_ACTION_DIE = -5,
    PAM_ACTION_BAD = -4,
    PAM_ACTION_DONE = -3,
    PAM_ACTION_OK = -2,
    PAM_ACTION_IGNORE = -1,
};

enum pam_entry {
    PAM_ENTRY_MODULE = 1,
    PAM_ENTRY_SUBSTACK, /* where one begins; calls nothing */
    PAM_ENTRY_BROKEN,   /* a line libpam makes fail */
};

struct pam_module {
    enum pam_entry entry;
    unsigned level; /* of substacks */
    int actions[PAM_STACK_RETURNS];
    char *name;      /* "pam_unix.so", without a directory; "" for other entries */
    bool elsewhere;  /* its line names a directory that is not the system's own: what it is, nobody knows */
    char *arguments; /* joined by one space */
    char *file;
    unsigned line;
    char *text; /* the line */
};

struct pam_stack {
    struct pam_module *modules;
    size_t n;
    struct tree_names files; /* which were read, the service's own first */
};
void pam_stack_done(struct pam_stack *s);

/* Where the files come from: a path and its text, which the reader frees; errors as tree_read(). */
struct pam_files {
    int (*read)(void *context, const char *path, char **ret);
    void *context;
};

/* 0; -ENOENT when no file has this name; -E2BIG for a stack past the bounds, other -errno. */
int pam_stack_read(const struct tree *t, const char *service, struct pam_stack *ret);
int pam_stack_read_from(const struct pam_files *files, const char *service, struct pam_stack *ret);
