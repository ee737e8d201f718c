#pragma once

#include "base/digest.h"
#include "cli/cli.h"
#include "cli/export_talk.h"

/* The list of what is taken out: what the codes are given for. */

/* Under the names that they get on the medium. Told, when one can have none. */
enum cli_exit export_list_name(struct cli *c, struct export_file *files, size_t n);
enum cli_exit export_list_hex(struct cli *c, const struct export_file *files, size_t n,
                              char ret[static DIGEST_HEX_SIZE]);

struct export_list_words {
    const char *device, *reason; /* as kuraband knows the medium; what it is for */
    const struct export_file *files;
    size_t n;
};
/* On the terminal, for who approves: who takes what where, and why. No longer than the screen. */
void export_list_show(struct cli *c, const struct export_list_words *words);
