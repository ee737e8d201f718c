/*
 * kuraban policy apply: hands a bundle to kuraband, which judges it. Must not: judge it here; what the terminal refuses is to stand in
 * its journal, with its reason.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/value.h"
#include "ctl/protocol.h"
#include "policy/trust/trust.h"

/* One byte more than a bundle may have is enough for kuraband to see that it is too long. */
enum {
    APPLY_MAX = TRUST_BUNDLE_MAX + 1
};

/* O_NONBLOCK: a FIFO must not make us wait before it is seen to be no file. */
static int read_start(const char *path, uint8_t **ret, size_t *ret_size)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    _cleanup_free_ uint8_t *bytes = malloc(APPLY_MAX);
    size_t size = 0;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if (!bytes)
        return -ENOMEM;
    while (size < APPLY_MAX) {
        ssize_t n = read(fd, bytes + size, APPLY_MAX - size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        size += (size_t)n;
    }
    *ret = TAKE_PTR(bytes);
    *ret_size = size;
    return 0;
}

static void text_applied(struct cli *c, const json_t *answer)
{
    const json_t *policy = json_object_get(answer, "policy"), *signer;
    size_t i;

    (void)fprintf(c->out, _("In force: %s, version %" PRIi64 "."), cli_safe(c, value_string(policy, "name")),
                  value_number(policy, "version"));
    (void)fputc('\n', c->out);
    json_array_foreach(json_object_get(json_object_get(answer, "trust"), "signers"), i, signer)
    {
        (void)fprintf(c->out, _("Signed by %s (%.16s…)."), cli_safe(c, value_string(signer, "name")),
                      cli_safe(c, value_string(signer, "key")));
        (void)fputc('\n', c->out);
    }
}

enum cli_exit cli_policy_apply(struct cli *c, const struct cli_arguments *a)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    json_t *answer = NULL;
    enum cli_exit code;
    size_t size = 0;
    int r = read_start(a->words[0], &bytes, &size);

    if (r < 0) {
        cli_error(c, "%s: %s", cli_safe(c, a->words[0]), r == -EINVAL ? _("this is not a regular file") : strerror(-r));
        return r == -EACCES ? CLI_NOT_PERMITTED : CLI_FAILED;
    }
    code = ask_with_bytes(c, CTL_APPLY, bytes, size, &answer);
    if (code != CLI_OK)
        return code;
    cli_show(c, answer, text_applied);
    json_decref(answer);
    return CLI_OK;
}
