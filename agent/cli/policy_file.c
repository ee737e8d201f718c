/* Owns: reading a policy file for the verbs of policy, and telling what is wrong in it. Must not: judge the document itself. */
#include "cli/policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/policy_source.h"
#include "json/whole.h"

/* O_NONBLOCK: a FIFO must not make us wait before it is seen to be no file. A link is fine: people point at files with them. */
static int open_regular(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    return TAKE_FD(fd);
}

int policy_file_read_up_to(const char *path, size_t maximum, uint8_t **ret_bytes, size_t *ret_size)
{
    _cleanup_close_ int fd = open_regular(path);

    if (fd < 0)
        return fd;
    return files_read_fd(fd, maximum, ret_bytes, ret_size);
}

int policy_file_read(const char *path, uint8_t **ret_bytes, size_t *ret_size)
{
    return policy_file_read_up_to(path, POLICY_DOCUMENT_MAX, ret_bytes, ret_size);
}

static int find_user(void *context, const char *name, uid_t *ret)
{
    const struct passwd *entry = getpwnam(name);

    (void)context;
    if (!entry)
        return -ENOENT;
    *ret = entry->pw_uid;
    return 0;
}

static int find_group(void *context, const char *name, gid_t *ret)
{
    const struct group *entry = getgrnam(name);

    (void)context;
    if (!entry)
        return -ENOENT;
    *ret = entry->gr_gid;
    return 0;
}

int policy_file_resolve(struct policy *policy, struct policy_findings *findings)
{
    static const struct policy_names here = {.user = find_user, .group = find_group};

    return policy_resolve(policy, &here, findings);
}

enum cli_exit policy_file_load_as(struct cli *c, const char *path, const struct policy_names *names,
                                  struct policy **ret, const char **ret_name)
{
    struct policy_findings findings = {.translate = i18n_translate};
    struct policy_source source = {0};
    enum cli_exit code = policy_source_read(c, path, &source);
    struct policy *policy = NULL;
    int r;

    if (code != CLI_OK)
        return code;
    r = policy_load(source.name, source.bytes, source.size, &findings, &policy);
    if (r > 0)
        policy_findings_print(&findings, c->err, source.name, source.bytes, source.size);
    else if (r == 0)
        r = names ? policy_resolve(policy, names, &findings) : policy_file_resolve(policy, &findings);
    if (r < 0)
        cli_error(c, "%s", strerror(-r));
    policy_findings_done(&findings);
    if (r == 0) {
        *ret = policy;
        *ret_name = source.name;
    } else {
        (void)policy_unref(policy);
    }
    policy_source_done(&source);
    return r == 0 ? CLI_OK : r > 0 ? CLI_NO : CLI_FAILED;
}

json_t *policy_file_findings(const struct policy_findings *findings)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < findings->n; i++) {
        const struct policy_finding *f = &findings->items[i];

        whole_add(&array, json_pack("{s:s, s:i, s:i, s:s, s:s?}", "severity",
                                    f->severity == POLICY_ERROR ? "error" : "warning", "line", (int)f->at.line,
                                    "column", (int)f->at.column, "message", f->message, "hint", f->hint));
    }
    return array;
}
