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
    int pidfd; /* root's only, borrowed: of the process that connected (SO_PEERPIDFD, before 6.5 pidfd_open(2)); else -1 */
};

struct ctl_call {
    const struct ctl_peer *peer;
    struct buf_reader *fields; /* the handler reads them all and ends with buf_get_end() */
    int fd; /* of a CTL_FD verb: what the peer passed, borrowed; whatever it is (ctl/sealed.h); else -1 */
};

/* Returns an enum ctl_code and, if it likes, JSON in *ret_answer (the server takes the reference). Never blocks for long. */
typedef enum ctl_code ctl_handler(void *context, const struct ctl_call *call, struct json_t **ret_answer);

enum {
    CTL_PERMIT_ROOT = 0, /* zero is the narrow one */
    CTL_PERMIT_ANYBODY = 1 << 0,
    CTL_STREAM = 1 << 1, /* the connection gets ctl_server_publish() answers from now on */
    CTL_FD = 1 << 2,     /* exactly one fd comes with the request; elsewhere one ends the connection */
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
struct ctl_server *ctl_server_free(struct ctl_server *s);

/* Sends answer to every connection that asked for a stream. Slow readers are dropped when more than CTL_ANSWER_MAX waits. */
void ctl_server_publish(struct ctl_server *s, struct json_t *answer);
/* Is anybody watching? Lets the caller avoid building answers for nobody. */
bool ctl_server_has_watchers(const struct ctl_server *s);

/* Creates run_directory_fd/control.sock (0666: SO_PEERCRED decides, not the mode; the directory is root's) and listens. Returns the fd. */
int ctl_listen_at(int run_directory_fd, const char *run_directory);
