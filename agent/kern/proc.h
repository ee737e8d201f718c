#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What /proc says of a process or thread. Source: proc(5). Everything is read through one held directory descriptor of
 * /proc/PID: a reused id can then never mix two processes, reads of a dead one fail with ESRCH. No NSS, no names of people.
 */

enum {
    PROC_GROUPS_MAX = 1024,
    PROC_STATUS_MAX = 16 * 1024,
    PROC_STAT_MAX = 2048
};

/* The lines of status that matter. The identity is the one file permission checks use: fsuid and fsgid. */
struct proc_status {
    pid_t tgid;
    pid_t tracer; /* 0 none */
    uid_t fsuid;
    gid_t fsgid;
    size_t n_gids; /* fsgid first, then the supplementary groups */
    gid_t gids[PROC_GROUPS_MAX + 1];
};

/* Foreign bytes (NUL not needed). 0; -EBADMSG when a line is missing, twice or not as proc(5) has it; -E2BIG for more groups. */
int proc_parse_status(const char *bytes, size_t size, struct proc_status *ret);
/* Field 22 of stat, clock ticks since boot; the name in field 2 may hold spaces, parentheses and newlines. 0 or -EBADMSG. */
int proc_parse_start_time(const char *bytes, size_t size, uint64_t *ret);
/* Field 7 of stat, the controlling terminal; 0 none. 0 or -EBADMSG. */
int proc_parse_tty(const char *bytes, size_t size, dev_t *ret);
/* A decimal number with an optional newline (loginuid, sessionid). 0 or -EBADMSG. */
int proc_parse_id(const char *bytes, size_t size, uint32_t *ret);

/* Opens /proc/PID (or the directory of a thread id) below proc_fd. Returns the descriptor or -errno. */
int proc_open(int proc_fd, pid_t pid);
int proc_read_status(int pid_fd, struct proc_status *ret);
/* The same through a held descriptor, which spares the lookup; reads anew each time. Returns the descriptor or -errno. */
int proc_open_status(int pid_fd);
int proc_read_status_fd(int status_fd, struct proc_status *ret);
int proc_read_start_time(int pid_fd, uint64_t *ret);
int proc_read_tty(int pid_fd, dev_t *ret);
/* (uint32_t)-1 with 0 returned when unset or when the kernel has no audit. */
int proc_read_login_uid(int pid_fd, uint32_t *ret);
int proc_read_session(int pid_fd, uint32_t *ret);

/* The program file: an O_PATH descriptor of /proc/PID/exe, whatever its name now is. Returns it or -errno (a kernel thread or
 * a zombie has none: -ENOENT). */
int proc_open_exe(int pid_fd);
/* The same file for reading. */
int proc_open_exe_for_reading(int pid_fd);
/* What the kernel prints as the target of a descriptor of our own: for the journal only, never to identify anything. 0 or -errno;
 * -ENAMETOOLONG leaves a cut text. */
int proc_path_of_fd(int proc_fd, int fd, char *ret, size_t size);

/* In the user namespace with this inode (of /proc/self/ns/user; all namespaces are in one filesystem)? Inside its own, any user may
 * change what /proc/PID/exe shows (PR_SET_MM_MAP with CAP_CHECKPOINT_RESTORE there). Reads the link, "user:[INODE]", which costs half
 * of following it. 1, 0 or -errno. */
int proc_same_user_namespace(int pid_fd, ino_t reference);
