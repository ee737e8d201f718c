/* Owns: finding the journal and its key. Must not: read records. */
#include "cli/audit_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/i18n.h"
#include "config/config.h"

static enum cli_exit tell(struct cli *c, const char *path, int error)
{
    if (error == -EACCES || error == -EPERM) {
        cli_error(c, _("%s: only root may read the journal"), cli_safe(c, path));
        return CLI_NOT_PERMITTED;
    }
    if (error == -EBADMSG)
        cli_error(c, _("%s: this is no public key of a journal"), cli_safe(c, path));
    else
        cli_error(c, "%s: %s", cli_safe(c, path), strerror(-error));
    return CLI_FAILED;
}

enum cli_exit audit_dir_open(struct cli *c, const char *path, int *ret_fd)
{
    int fd;

    if (!path) {
        enum cli_exit code = cli_config(c);

        if (code != CLI_OK)
            return code;
        path = c->config->journal_directory;
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return tell(c, path, -errno);
    *ret_fd = fd;
    return CLI_OK;
}

enum cli_exit audit_dir_key(struct cli *c, const char *path, struct journal_key **ret)
{
    _cleanup_free_ char *own = NULL;
    enum cli_exit code = path ? CLI_OK : cli_config(c);
    int r;

    if (code != CLI_OK)
        return code;
    if (!path) {
        if (asprintf(&own, "%s/key/%s", c->config->state_directory, JOURNAL_KEY_PUBLIC) < 0) {
            own = NULL;
            return tell(c, c->config->state_directory, -ENOMEM);
        }
        path = own;
    }
    r = journal_key_read_public(AT_FDCWD, path, ret);
    return r < 0 ? tell(c, path, r) : CLI_OK;
}
