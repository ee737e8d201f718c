#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/digest.h"

struct policy;

/*
 * The programs that stores permit, as files: a path of the policy is resolved to (device, inode), and a process is the program
 * when its executable is that very file. Not covered: what the same user does to a permitted process (LD_PRELOAD, a plug-in, a
 * script given to a permitted interpreter). A traced process, and one in a user namespace of its own, are refused by judge.c.
 */

/* How a path resolved. */
enum program_state {
    PROGRAM_MISSING = 0, /* no such file */
    PROGRAM_UNTRUSTED,   /* the file or a directory above it may be changed by somebody other than root */
    PROGRAM_RESOLVED,
};

/* Walks path from the root, through symlinks; every directory, link and the file itself must belong to root and be writable by
 * root alone. Never opens the file. ret_st is set when resolved. */
enum program_state program_resolve(const char *path, struct stat *ret_st);

struct programs;

/* Of one policy, which the caller keeps alive longer. All paths are resolved. 0 or -ENOMEM. */
int programs_new(const struct policy *p, struct programs **ret);
struct programs *programs_free(struct programs *ps);
/* Resolves again what changed on disk (package upgrade). Returns how many changed. */
size_t programs_refresh(struct programs *ps);
/* Index among the store's programs of the file exe (from fstat), or -1. Thread-safe. Looks at the disk again when exe is not, or no
 * longer, the file that was resolved. */
int programs_match(struct programs *ps, size_t store, const struct stat *exe);
enum program_state programs_state(struct programs *ps, size_t store, size_t program);

/* SHA-256 of program files, remembered until the file changes. */
struct hashes;

enum {
    HASHES_MAXIMUM = 64
};
#define PROGRAM_SIZE_MAX ((uint64_t)512 << 20)

int hashes_new(struct hashes **ret);
struct hashes *hashes_free(struct hashes *h);
/* The hash of the executable of the process at pid_fd, whose fstat is exe. May read the whole file: call from a worker. 0, -EFBIG
 * above PROGRAM_SIZE_MAX, -ESTALE when it changed meanwhile, other -errno. */
int hashes_get(struct hashes *h, int pid_fd, const struct stat *exe, struct digest *ret);
