#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fanotify_ops;

/*
 * Where the permission groups live when the daemon does not: kuraban-keeper, and systemd's fd store. The store alone survives a crash,
 * but not `systemctl stop` (before systemd 254): the package ships kuraban-keeper.socket for that. Before any thread is started and
 * before anything reads from a group.
 */

enum holder_mode {
    HOLDER_AUTO =
        0,      /* the keeper, and systemd's store when it started us; then the keeper is a unit, never our child */
    HOLDER_ON,  /* the keeper, as our child if need be */
    HOLDER_OFF, /* nobody: a killed daemon opens the guard. For tests only */
};

struct holder_options {
    const struct fanotify_ops *ops; /* NULL: the kernel */
    int run_fd;                     /* run directory; stays the caller's */
    const char *program;            /* kuraban-keeper */
    enum holder_mode mode;
    unsigned grace_ms; /* 0 = 10 s */
};

struct holder {
    struct holder_options options;
    int exits, stores; /* the groups, for gate_new() */
    int keeper_socket; /* -1: no keeper. Hang-up means that it died: holder_renew() */
    pid_t keeper;      /* 0 none */
    bool inherited;    /* an earlier daemon left the groups: this is a takeover */
    bool in_fd_store;
    unsigned swept;   /* opens the earlier daemon had read and not answered: refused now */
    uint64_t refused; /* opens the keeper refused meanwhile */
};

/* Finds the groups or makes them, and gives them to who keeps them. After 0 the guard outlives this process (unless HOLDER_OFF).
 * -errno: nothing is held that was not before. */
int holder_open(const struct holder_options *o, struct holder *ret);
/* Starts the keeper again after it died and gives it the groups. 0 or -errno. */
int holder_renew(struct holder *h);
/* Closes our descriptors only: what is guarded stays guarded (H1). */
void holder_close(struct holder *h);
/* Purge: the keepers forget the groups, and with our close everything is free. */
void holder_release(struct holder *h);
