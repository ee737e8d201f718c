#pragma once

#include "cli/factor.h"

/* The person's own terminal, for what must not get into a file or a pipe. */

/* CLI_OK: there is one. CLI_USAGE: told that there is none. */
enum cli_exit factor_tty_need(struct cli *c);
/* The new secret: as a QR code where there is room and the characters for it, and as text. CLI_OK, or it has told why not. */
enum cli_exit factor_tty_show(struct cli *c, const struct factor_person *p, const char *base32, const char *uri);
/* One line for the terminal. */
void factor_tty_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Takes the secret off the screen and out of what can be scrolled back. */
void factor_tty_clear(void);
