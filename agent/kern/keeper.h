#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The daemon's side of kuraban-keeper, and the words of its protocol (frames of base/frame.h over a stream socket, only uid 0).
 *
 *   daemon → keeper                       keeper → daemon
 *   HELLO    empty                        GROUP name, one fd; for each held; then STATE
 *   STORE    name, one fd                 STATE: the group is held (a second one of the name replaces it)
 *   RELEASE  empty                        STATE, and the keeper ends: what is guarded is free
 *
 * STATE is u32 pid, u32 groups held, u64 opens refused while no daemon was there. The daemon is present as long as the
 * connection is open. Anything else ends the connection.
 */
enum keeper_frame {
    KEEPER_HELLO = 1,
    KEEPER_STORE,
    KEEPER_RELEASE,
    KEEPER_GROUP = 16,
    KEEPER_STATE
};

enum {
    KEEPER_NAME_MAX = 32,
    KEEPER_GROUPS_MAX = 4,
    KEEPER_LISTEN_FD = 3,
    KEEPER_DEADLINE_MS = 5000
};

struct keeper_state {
    pid_t pid;
    unsigned groups;
    uint64_t refused;
};

struct keeper_group {
    char name[KEEPER_NAME_MAX + 1];
    int fd;
};

/* Connects to keeper.sock in the run directory. Returns the socket; -ECONNREFUSED or -ENOENT when no keeper is there. */
int keeper_connect(int run_fd);
/* Binds a fresh keeper.sock (mode 0600) and starts program on it, detached, with nothing but that socket. grace_ms: how long opens
 * wait for a daemon before they are refused. Returns the connected socket or -errno. */
int keeper_start(int run_fd, const char *program, unsigned grace_ms);
/* What it holds. The descriptors become the caller's; past maximum: -E2BIG. Returns how many. */
int keeper_hello(int socket, struct keeper_group *ret_groups, size_t maximum, struct keeper_state *ret);
int keeper_store(int socket, const char *name, int fd, struct keeper_state *ret);
int keeper_release(int socket, struct keeper_state *ret);
