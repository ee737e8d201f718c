#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"
#include "cli/cli.h"

struct json_t;

/* The parts of `kuraban enrol`. */

/* One request to the centre, by kuraban-fetch as the courier's user. */
struct enrol_fetch {
    const char *hub; /* "https://HOST:PORT" */
    struct digest pin;
    uid_t user;
    gid_t group;
};
struct enrol_answer {
    int64_t status;      /* of HTTP */
    struct json_t *body; /* an object */
    char *ca;            /* PEM: the authority that was pinned */
};
void enrol_answer_done(struct enrol_answer *a);
/* POST of this text. On failure it has told why. */
enum cli_exit enrol_fetch(struct cli *c, const struct enrol_fetch *f, const char *path, const char *body,
                          struct enrol_answer *ret);
/* A refusal of the centre, in the person's language. */
enum cli_exit enrol_refused(struct cli *c, const struct enrol_answer *a);
/*
 * The root document of an answer where none is installed: shown, and confirmed by its fingerprint (given: "sha256:…", or NULL: asked for). CLI_OK and
 * the fingerprint in hex.
 */
enum cli_exit enrol_confirm_root(struct cli *c, const struct json_t *roots, const char *given,
                                 char ret[static DIGEST_HEX_SIZE]);
/* "sha256:" and 64 hexadecimal digits, or the digits alone. */
bool enrol_read_digest(const char *text, struct digest *ret);
