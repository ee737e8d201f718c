#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "ctl/protocol.h"

struct sd_event;
struct json_t;

/* Who is on the other side, from SO_PEERCRED. */
struct ctl_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
    int pidfd; /* borrowed, of the process that connected (SO_PEERPIDFD, before 6.5 pidfd_open(2)); -1: it had gone */
};

struct connection; /* server.c */

struct ctl_call {
    const struct ctl_peer *peer;
    struct buf_reader *fields; /* the handler reads them all and ends with buf_get_end() */
    struct buf *reply;         /* of a CTL_FIELDS verb: the handler adds the fields of its answer; else NULL */
    uint64_t ticket;           /* for ctl_server_answer(); never 0 */
    const struct connection *connection;
    int fd;      /* of a CTL_FD verb: what the peer passed, borrowed; whatever it is (ctl/sealed.h); else -1 */
    int *ret_fd; /* what goes with the answer, when that is CTL_CODE_OK and not later; the server takes it */
};

/* Returns an enum ctl_code and, if it likes, JSON in *ret_answer (the server takes the reference). Never blocks for long: CTL_CODE_LATER
 * keeps the peer waiting, without a limit, until ctl_server_answer() is called with the call's ticket. */
typedef enum ctl_code ctl_handler(void *context, const struct ctl_call *call, struct json_t **ret_answer);

enum {
    CTL_PERMIT_ROOT = 0, /* zero is the narrow one */
    CTL_PERMIT_ANYBODY = 1 << 0,
    CTL_STREAM = 1 << 1,         /* the connection gets ctl_server_publish() answers from now on */
    CTL_FIELDS = 1 << 3,         /* answered by fields in call->reply, not by JSON; never later */
    CTL_FD = 1 << 2,             /* exactly one fd comes with the request; elsewhere one ends the connection */
    CTL_BRIEF = 1 << 4,          /* of a stream: its answers are short, and little of them waits for a slow reader */
    CTL_PERMIT_COURIER = 1 << 5, /* the one uid of ctl_server_set_courier(), and nobody else, root included */
};

enum {
    CTL_BRIEF_WAITING = 64 * 1024 /* bytes; who lets more wait is dropped */
};

struct ctl_verb {
    uint16_t request;
    unsigned flags;
    ctl_handler *handler;
};

/* The privileged side: listens, limits and dispatches by the table; a peer that sends anything else is dropped. Bound to one
 * event loop; no thread. */
struct ctl_server;

/* listen_fd: a bound, listening AF_UNIX stream socket; taken over. verbs must outlive the server. */
int ctl_server_new(struct sd_event *loop, int listen_fd, const struct ctl_verb *verbs, size_t n_verbs, void *context,
                   struct ctl_server **ret);
/* Root comes in here as well, also while people keep the other one full. listen_fd is taken over. Once. */
int ctl_server_listen_for_root(struct ctl_server *s, int listen_fd);
/* Who may use the verbs of CTL_PERMIT_COURIER; (uid_t)-1: nobody, as at first. */
void ctl_server_set_courier(struct ctl_server *s, uid_t uid);
struct ctl_server *ctl_server_free(struct ctl_server *s);

/* The answer to a call that was put off. answer is borrowed, NULL: null. fd, borrowed, goes with it; -1: none. 0, -ESTALE: that peer has
 * gone, or has its answer; other -errno: it is gone now. */
int ctl_server_answer(struct ctl_server *s, uint64_t ticket, enum ctl_code code, struct json_t *answer, int fd);
/* The supplementary groups the caller had when it connected (SO_PEERGROUPS); its own group is peer->gid. The caller frees. 0 or -errno. */
int ctl_call_groups(const struct ctl_call *call, gid_t **ret, size_t *ret_n);

/* Sends answer to every connection that asked for this stream; only NULL: of anybody, else of this uid. Slow readers are dropped when more
 * than CTL_ANSWER_MAX (CTL_BRIEF: CTL_BRIEF_WAITING) waits. */
void ctl_server_publish(struct ctl_server *s, uint16_t request, const uid_t *only, struct json_t *answer);
/* Is anybody watching? Lets the caller avoid building answers for nobody. */
bool ctl_server_has_watchers(const struct ctl_server *s, uint16_t request, const uid_t *only);

/* Creates run_directory_fd/control.sock (0666: SO_PEERCRED decides, not the mode; the directory is root's) and listens. Returns the fd. */
int ctl_listen_at(int run_directory_fd, const char *run_directory);
/* The same for run_directory_fd/root.sock (0600). */
int ctl_listen_for_root_at(int run_directory_fd, const char *run_directory);
