#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cli/cli.h"
#include "policy/trust/write.h"

/* What people sign and carry, as files. All readers follow links, take regular files only, and on failure have told why. */

/* A file that is longer than maximum is refused like any other document that no terminal takes. */
enum cli_exit trust_file_bytes(struct cli *c, const char *path, size_t maximum, uint8_t **ret_bytes, size_t *ret_size);

/* The same for a verb that answers about refusals itself: TRUST_OK, TRUST_E_TOO_LONG untold, or -errno told with its code. */
int trust_file_read(struct cli *c, const char *path, size_t maximum, uint8_t **ret_bytes, size_t *ret_size,
                    enum cli_exit *ret_code);

/* A root document: its envelope and what it says. From a bundle, the newest. */
struct root_file {
    const char *path;
    struct trust_envelope *envelope;
    struct trust_root *root;
};
enum cli_exit root_file_read(struct cli *c, const char *path, struct root_file *ret);
void root_file_done(struct root_file *f);

/* A signed policy: alone, or the one of a bundle. */
enum cli_exit trust_file_policy(struct cli *c, const char *path, struct trust_envelope **ret);
enum cli_exit trust_file_head(struct cli *c, const char *path, struct trust_envelope **ret);

/* Envelope to file. replace: as out_file_write(). */
enum cli_exit trust_file_write(struct cli *c, const char *path, const struct trust_envelope *e, bool replace);

/* "FILE: message: detail"; returns CLI_NO for a refusal, CLI_FAILED for -errno. result: enum trust_result or -errno. */
enum cli_exit trust_file_refused(struct cli *c, const char *path, int result, const struct trust_complaint *complaint);

/* A time of an option: RFC 3339, or a date, of which end takes the last second. Tells what is wrong. */
enum cli_exit trust_time(struct cli *c, const char *option, const char *text, bool end, int64_t *ret);
/* A number of an option from 1 to maximum. */
enum cli_exit trust_number(struct cli *c, const char *option, const char *text, uint64_t maximum, uint64_t *ret);
