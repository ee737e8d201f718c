#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cli/cli.h"

struct export_file;
struct json_t;

/* What a person is told when an export did not begin or did not end well, and what they can do. The reasons are stable words of kuraband
 * (docs/PROTOCOL.control.md, EXPORT) and of the exporting process (docs/PROTOCOL.export.md). */

/* It did not begin: the answer says why. */
enum cli_exit export_tell_not_begun(struct cli *c, const struct json_t *answer);
/* It had begun; detail is told when the reason is not known here. written: bytes of it may be on the medium, whatever names are there. */
enum cli_exit export_tell_end(struct cli *c, const char *reason, const char *detail, bool written);
/* Nothing went because of some of these files, each with its reason. */
enum cli_exit export_tell_files(struct cli *c, const struct export_file *files, size_t n);
