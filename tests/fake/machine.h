#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * Real kernel objects for component tests, in a private mount namespace: filesystems on loop devices over memory, that the kernel
 * takes away when the test ends, however it ends.
 */

/* Prints the reason and leaves with TEST_EXIT_SKIP unless run as root. Then a private namespace with an empty root-owned directory
 * tree of its own (machine_root). Fails the program when the machine cannot give that. */
void machine_begin(void);
/* Absolute path below which everything happens; "" before machine_begin(). */
const char *machine_root(void);
/* path below machine_root(), in one of a few static buffers. */
const char *machine_path(const char *relative);

/* A new ext4 of 16 MiB mounted read-write at machine_path(name). */
void machine_mount_ext4(const char *name);
/* Remounts read-only, superblock and all. */
void machine_make_read_only(const char *name);
void machine_umount(const char *name);

/* Creates or replaces a file below the root. */
void machine_write(const char *relative, const char *text, mode_t mode);
void machine_copy(const char *from_absolute, const char *relative, mode_t mode);

/* Runs fn in a child as uid; its result is 0 or an errno. After 20 s it is killed: -1. */
int machine_try(int (*fn)(const char *path), const char *path, uid_t uid);
/* Starts it without waiting; machine_wait() gives the result as above. */
pid_t machine_start(int (*fn)(const char *path), const char *path, uid_t uid);
int machine_wait(pid_t child);
/* Is the child still running after it had every chance to end? Polls its state until it sleeps in the kernel or ends. */
bool machine_is_waiting(pid_t child);
/* Exit status of a program with output thrown away; -1 when it was killed. */
int machine_run(const char *const argv[]);

/* Ready-made openers. */
int machine_open_read(const char *path);  /* open, read one byte */
int machine_open_write(const char *path); /* O_WRONLY */
int machine_execute(const char *path);    /* execve; 0 is never returned */
