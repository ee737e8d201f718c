#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "cli/factor.h"

struct json_t;
struct passphrase;

/* What the verbs share whose request takes codes: one's own, and those of colleagues who approve at this terminal. */
enum {
    APPROVAL_PEOPLE_MAX = 3,
};

struct approval {
    const char *reason;
    struct factor_person people[APPROVAL_PEOPLE_MAX];
    size_t n;
    struct passphrase *codes[1 + APPROVAL_PEOPLE_MAX]; /* the first is one's own */
};
void approval_done(struct approval *a);

/* Of the options: reason is its text, the people are all that were given as `approver`. CLI_OK, or it has told what is wrong. */
enum cli_exit approval_take(struct cli *c, const struct cli_arguments *arguments, int reason, int approver,
                            struct approval *a);
/* The end of the request: string code, u8 n, n times u32 uid and string code. 0 or -ENOMEM. */
int approval_add_fields(struct buf *b, const struct approval *a);
/* Asks for the codes on the terminal: one's own, and those of the people in the array `asked` (NULL: all). show tells each of them what it is
 * that they approve: the one before may have scrolled it away. */
enum cli_exit approval_ask(struct cli *c, struct approval *a, const struct json_t *asked,
                           void (*show)(struct cli *c, void *context), void *context);
/* The device of an answer that asks for codes, by what kuraband knows of it: what the person typed may be any of its names. */
const char *approval_device(const struct json_t *answer, char *buffer, size_t size);
/* Tells of those in the array `unasked` that no code of theirs is wanted. */
void approval_tell_unasked(struct cli *c, const struct approval *a, const struct json_t *unasked);
/* Tells whose code was not accepted, and why. */
enum cli_exit approval_tell_code(struct cli *c, const struct json_t *answer);
