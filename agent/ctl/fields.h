#pragma once

#include <stdint.h>

#include "base/buf.h"

/*
 * The client side for verbs that are answered by fields (CTL_ANSWER_FIELDS), for programs that must not bring a JSON parser into their
 * host: pam_kuraban.so is loaded by login, sudo and sshd. Stricter than ctl/client.h: only root may answer, and the socket's directory
 * must be root's and writable by nobody else.
 */

/* Connects, asks once and hangs up. *budget_ms, at most how long all of it may take, loses what was used, on errors as well. *ret_fields
 * is a view into answer, which the caller has initialized and releases; *ret_code an enum ctl_code.
 * 0, -ENOENT or -ECONNREFUSED (nobody is there), -EPERM (somebody else is, or could be), -ETIMEDOUT, -EBADMSG, other -errno. */
int ctl_fields_ask(const char *directory, uint16_t request, const struct buf *fields, int *budget_ms,
                   struct buf *answer, uint32_t *ret_code, struct buf_reader *ret_fields);
