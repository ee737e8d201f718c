#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cli/cli.h"

/* A secret a person types or a machine's file holds; in locked memory, wiped when it is freed. */
struct passphrase {
    size_t size; /* bytes, without the NUL */
    char text[];
};

enum {
    PASSPHRASE_MAX = 1024,   /* bytes */
    PASSPHRASE_NEW_MIN = 12, /* characters of a new one */
};

/* What was given in the clear, moved out of where it stands. NULL: too long, or no memory. */
struct passphrase *passphrase_take(char *given);
struct passphrase *passphrase_free(struct passphrase *p);

/* Before any secret is read: no core dump, no debugger of the same user, locked memory as far as the limits permit. */
void passphrase_protect(void);

/* Asks once on the terminal, without echo. CLI_OK, or it has told what was wrong; a signal that ends programs ends this one after
 * the terminal is as before. prompt is already translated. */
enum cli_exit passphrase_ask(struct cli *c, const char *prompt, struct passphrase **ret);
/* The same with what is typed shown, for what is worth nothing a minute later. */
enum cli_exit passphrase_ask_shown(struct cli *c, const char *prompt, struct passphrase **ret);
/* Twice, until both are the same and long enough; three times at most. */
enum cli_exit passphrase_ask_new(struct cli *c, struct passphrase **ret);
/* The first line of a file: owned by the caller and closed to others, or an inherited descriptor as /dev/fd/N. */
enum cli_exit passphrase_read_file(struct cli *c, const char *path, struct passphrase **ret);
/* Is it long enough for a new key? Tells when it is not. */
bool passphrase_is_long_enough(struct cli *c, const struct passphrase *p);

/* A question on the terminal that only "yes" answers with true, in whole and in English or the person's language. No terminal: it
 * tells that --yes is needed, false. */
bool passphrase_confirm(struct cli *c, const char *question);
