#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "ctl/client.h"

/* Asks kuraband once. CLI_OK: *ret is the caller's to json_decref(). Otherwise it has told the caller what went wrong. */
enum cli_exit ask(struct cli *c, uint16_t request, const struct buf *fields, struct json_t **ret);
/* The same with bytes that go along in a sealed memfd. */
enum cli_exit ask_with_bytes(struct cli *c, uint16_t request, const void *bytes, size_t size, struct json_t **ret);
/* Fields and bytes. */
enum cli_exit ask_with_both(struct cli *c, uint16_t request, const struct buf *fields, const void *bytes, size_t size,
                            struct json_t **ret);
/* The same, and the connection stays open for more answers. */
enum cli_exit ask_open(struct cli *c, struct ctl_client *client);
enum cli_exit ask_on(struct cli *c, struct ctl_client *client, uint16_t request, const struct buf *fields,
                     struct json_t **ret);
enum cli_exit ask_next(struct cli *c, struct ctl_client *client, struct json_t **ret);
/* What an -errno of the connection means to a person. */
enum cli_exit ask_failed(struct cli *c, int error);
