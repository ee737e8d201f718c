#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct json_t;

/* One connection to kuraband. */
struct ctl_client {
    int socket;
};

/* Connects to run_directory/control.sock and checks that root (or expected_owner, for private instances) listens.
 * 0, -ENOENT or -ECONNREFUSED when nobody is there, -EPERM when somebody else listens, other -errno. */
int ctl_client_open(const char *run_directory, struct ctl_client *ret);
void ctl_client_close(struct ctl_client *c);

/* Sends a request and waits for its whole answer. ret_json is parsed JSON the caller json_decref()s; ret_code an
 * enum ctl_code. 0, or -errno with nothing set. deadline_ms -1 waits for ever (CTL_WATCH). */
int ctl_client_ask(struct ctl_client *c, uint16_t request, const struct buf *fields, int deadline_ms,
                   uint32_t *ret_code, struct json_t **ret_json);
/* The same with an fd, borrowed, for the requests that take one; -1: none. */
int ctl_client_ask_fd(struct ctl_client *c, uint16_t request, const struct buf *fields, int fd, int deadline_ms,
                      uint32_t *ret_code, struct json_t **ret_json);
/* For the request whose answer brings an fd; *ret_fd is the caller's, -1 when none came. */
int ctl_client_ask_for_fd(struct ctl_client *c, uint16_t request, const struct buf *fields, int deadline_ms,
                          uint32_t *ret_code, struct json_t **ret_json, int *ret_fd);
/* The next answer of CTL_WATCH. */
int ctl_client_next(struct ctl_client *c, int deadline_ms, uint32_t *ret_code, struct json_t **ret_json);
