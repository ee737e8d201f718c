/*
 * Finding, making and handing over the permission groups.
 *
 * Owns: the daemon's copies of the group descriptors and the connection to the keeper. Must not: read from a group. holder_open()
 * comes before any thread; holder_renew() forks beside threads, so its child makes system calls only.
 * Takeover: what the dead daemon had read is refused by number first; what is still queued is then judged like any other open.
 */
#include "gate/holder.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "kern/fanotify.h"
#include "kern/keeper.h"

#define NAME_EXITS "fanotify-exits"
#define NAME_STORES "fanotify-stores"

enum {
    GRACE_DEFAULT_MS = 10000
};

static int *slot_of(struct holder *h, const char *name)
{
    if (strcmp(name, NAME_EXITS) == 0)
        return &h->exits;
    return strcmp(name, NAME_STORES) == 0 ? &h->stores : NULL;
}

/* Takes the descriptor in any case. */
static void inherit(struct holder *h, const char *name, int fd)
{
    int *slot = slot_of(h, name);

    if (!slot || *slot >= 0) {
        (void)close_fd(fd);
        return;
    }
    *slot = fd;
    h->inherited = true;
}

static void from_systemd(struct holder *h)
{
    char **names = NULL;
    int n = sd_listen_fds_with_names(0, &names);

    for (int i = 0; i < n; i++) {
        if (slot_of(h, names[i])) {
            inherit(h, names[i], SD_LISTEN_FDS_START + i);
            h->in_fd_store = true;
        }
        free(names[i]);
    }
    free(names);
}

static int to_systemd(const char *name, int fd)
{
    char text[128];

    (void)snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
    return sd_pid_notify_with_fds(0, 0, text, &fd, 1);
}

static int greet(struct holder *h)
{
    struct keeper_group groups[KEEPER_GROUPS_MAX];
    struct keeper_state state;
    int n = keeper_hello(h->keeper_socket, groups, KEEPER_GROUPS_MAX, &state);

    if (n < 0)
        return n;
    for (int i = 0; i < n; i++)
        inherit(h, groups[i].name, groups[i].fd);
    h->keeper = state.pid;
    h->refused = state.refused;
    return 0;
}

/* A child would share systemd's control group and die with us: there the keeper is a unit of its own, started by its socket. */
static bool may_start(const struct holder *h)
{
    return h->options.mode == HOLDER_ON || !getenv("NOTIFY_SOCKET");
}

static int greet_once(struct holder *h)
{
    int r = keeper_connect(h->options.run_fd);

    if ((r == -ENOENT || r == -ECONNREFUSED) && may_start(h))
        r = keeper_start(h->options.run_fd, h->options.program, h->options.grace_ms);
    if (r < 0)
        return r;
    h->keeper_socket = r;
    r = greet(h);
    if (r < 0)
        h->keeper_socket = close_fd(h->keeper_socket);
    return r;
}

/* The keeper serves one daemon: a killed one is there until the kernel has taken it apart. */
static int reach_keeper(struct holder *h)
{
    uint64_t end_us = clock_boottime_us() + KEEPER_DEADLINE_MS * 1000U;
    int r;

    while ((r = greet_once(h)) == -ECONNRESET || r == -ENODATA || r == -EPIPE) {
        if (clock_boottime_us() >= end_us)
            return -EBUSY;
        (void)poll(NULL, 0, 20);
    }
    return r;
}

static int make_missing(struct holder *h)
{
    int *slots[] = {&h->exits, &h->stores};

    for (size_t i = 0; i < ELEMENTS(slots); i++) {
        int fd;

        if (*slots[i] >= 0)
            continue;
        fd = fanotify_new_guard(h->options.ops);
        if (fd < 0)
            return fd;
        *slots[i] = fd;
    }
    return 0;
}

static int give_to_keeper(struct holder *h)
{
    struct keeper_state state;
    int r;

    if (h->keeper_socket < 0)
        return 0;
    r = keeper_store(h->keeper_socket, NAME_EXITS, h->exits, &state);
    return r < 0 ? r : keeper_store(h->keeper_socket, NAME_STORES, h->stores, &state);
}

static int give(struct holder *h)
{
    int r = give_to_keeper(h);

    if (r < 0 || h->options.mode == HOLDER_OFF)
        return r;
    /* systemd drops what it has already. */
    h->in_fd_store = to_systemd(NAME_EXITS, h->exits) > 0 && to_systemd(NAME_STORES, h->stores) > 0;
    /* Without a keeper the store was the only one to hold them. */
    return h->in_fd_store || h->keeper_socket >= 0 ? 0 : -ENOTCONN;
}

int holder_open(const struct holder_options *o, struct holder *ret)
{
    struct holder h = {.options = *o, .exits = -1, .stores = -1, .keeper_socket = -1};
    int r = 0;

    h.options.ops = o->ops ? o->ops : &fanotify_kernel;
    h.options.grace_ms = o->grace_ms ? o->grace_ms : GRACE_DEFAULT_MS;
    if (o->mode != HOLDER_OFF)
        from_systemd(&h);
    if (o->mode != HOLDER_OFF)
        r = reach_keeper(&h);
    if (!may_start(&h) && (r == -ENOENT || r == -ECONNREFUSED))
        r = 0; /* then the fd store has to take them: give() */
    if (r >= 0 && h.inherited) {
        if (h.exits >= 0)
            h.swept += fanotify_sweep(h.exits, FANOTIFY_DESCRIPTORS_MAX);
        if (h.stores >= 0)
            h.swept += fanotify_sweep(h.stores, FANOTIFY_DESCRIPTORS_MAX);
    }
    if (r >= 0)
        r = make_missing(&h);
    if (r >= 0)
        r = give(&h);
    if (r < 0) {
        holder_close(&h);
        return r;
    }
    *ret = h;
    return 0;
}

int holder_renew(struct holder *h)
{
    int r;

    h->keeper_socket = close_fd(h->keeper_socket);
    h->keeper = 0;
    r = reach_keeper(h);
    return r < 0 ? r : give_to_keeper(h);
}

void holder_close(struct holder *h)
{
    h->keeper_socket = close_fd(h->keeper_socket);
    h->exits = close_fd(h->exits);
    h->stores = close_fd(h->stores);
}

void holder_release(struct holder *h)
{
    struct keeper_state state;

    if (h->keeper_socket >= 0)
        (void)keeper_release(h->keeper_socket, &state);
    if (h->in_fd_store) {
        (void)sd_notify(0, "FDSTOREREMOVE=1\nFDNAME=" NAME_EXITS);
        (void)sd_notify(0, "FDSTOREREMOVE=1\nFDNAME=" NAME_STORES);
    }
    holder_close(h);
}
