/* kuraban policy root create and rotate: which keys may sign what. Neither signs. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/out_file.h"
#include "cli/root_edit.h"
#include "cli/trust_file.h"

enum {
    ROOT_THRESHOLD = 2,
    POLICY_THRESHOLD = 2,
    HEAD_THRESHOLD = 1,
};

enum {
    CREATE_ORGANIZATION,
    CREATE_ROOT_KEY,
    CREATE_POLICY_KEY,
    CREATE_HEAD_KEY,
    CREATE_ROOT_THRESHOLD,
    CREATE_POLICY_THRESHOLD,
    CREATE_HEAD_THRESHOLD,
    CREATE_EXPIRES,
    CREATE_OUT,
};

const struct cli_option cli_policy_root_create_options[] = {
    [CREATE_ORGANIZATION] = {"organization", "ORG", N_("as in the policies")},
    [CREATE_ROOT_KEY] = {"root-key", "PUB", N_("a key that decides about keys (once for each)")},
    [CREATE_POLICY_KEY] = {"policy-key", "PUB", N_("a key that signs policies (once for each)")},
    [CREATE_HEAD_KEY] = {"head-key", "PUB", N_("a key that selects policies (once for each)")},
    [CREATE_ROOT_THRESHOLD] = {"root-threshold", "N", N_("how many root keys must sign; 2 unless given")},
    [CREATE_POLICY_THRESHOLD] = {"policy-threshold", "N", N_("how many policy keys must sign; 2 unless given")},
    [CREATE_HEAD_THRESHOLD] = {"head-threshold", "N", N_("how many head keys must sign; 1 unless given")},
    [CREATE_EXPIRES] = {"expires", "TIME", N_("the last day, or moment")},
    [CREATE_OUT] = {"out", "FILE", N_("a new file")},
    {0},
};

enum {
    ROTATE_ADD_ROOT,
    ROTATE_ADD_POLICY,
    ROTATE_ADD_HEAD,
    ROTATE_REMOVE_ROOT,
    ROTATE_REMOVE_POLICY,
    ROTATE_REMOVE_HEAD,
    ROTATE_ROOT_THRESHOLD,
    ROTATE_POLICY_THRESHOLD,
    ROTATE_HEAD_THRESHOLD,
    ROTATE_EXPIRES,
    ROTATE_OUT,
};

const struct cli_option cli_policy_root_rotate_options[] = {
    [ROTATE_ADD_ROOT] = {"add-root-key", "PUB", N_("a key that decides about keys from now on")},
    [ROTATE_ADD_POLICY] = {"add-policy-key", "PUB", N_("a key that signs policies from now on")},
    [ROTATE_ADD_HEAD] = {"add-head-key", "PUB", N_("a key that selects policies from now on")},
    [ROTATE_REMOVE_ROOT] = {"remove-root-key", "KEY", N_("no longer; by file, name or id")},
    [ROTATE_REMOVE_POLICY] = {"remove-policy-key", "KEY", N_("no longer; by file, name or id")},
    [ROTATE_REMOVE_HEAD] = {"remove-head-key", "KEY", N_("no longer; by file, name or id")},
    [ROTATE_ROOT_THRESHOLD] = {"root-threshold", "N", N_("how many root keys must sign from now on")},
    [ROTATE_POLICY_THRESHOLD] = {"policy-threshold", "N", N_("how many policy keys must sign from now on")},
    [ROTATE_HEAD_THRESHOLD] = {"head-threshold", "N", N_("how many head keys must sign from now on")},
    [ROTATE_EXPIRES] = {"expires", "TIME", N_("another last day, or moment")},
    [ROTATE_OUT] = {"out", "NEW", N_("a new file")},
    {0},
};

DEFINE_CLEANUP(struct trust_root *, trust_root_free);

/* A root that is over before it is signed helps nobody. */
static enum cli_exit read_expires(struct cli *c, const char *text, int64_t *ret)
{
    int64_t expires;
    enum cli_exit code = trust_time(c, "expires", text, true, &expires);

    if (code != CLI_OK)
        return code;
    if (expires <= clock_wall_us())
        return cli_usage(c, _("--expires: %s is over already"), cli_safe(c, text));
    *ret = expires;
    return CLI_OK;
}

static enum cli_exit create_roles(struct cli *c, const struct cli_arguments *a, struct trust_root *root)
{
    static const unsigned defaults[] = {ROOT_THRESHOLD, POLICY_THRESHOLD, HEAD_THRESHOLD};
    enum cli_exit code = CLI_OK;

    for (size_t i = 0; code == CLI_OK && i < a->n_given; i++)
        if (a->given[i].option >= CREATE_ROOT_KEY && a->given[i].option <= CREATE_HEAD_KEY)
            code = root_edit_add(c, root, (enum trust_role)(a->given[i].option - CREATE_ROOT_KEY), a->given[i].value);
    for (enum trust_role role = 0; code == CLI_OK && role < TRUST_ROLE_COUNT_; role++)
        code = root_edit_threshold(c, root, role, a->values[CREATE_ROOT_THRESHOLD + role], defaults[role]);
    return code == CLI_OK ? root_edit_check(c, root) : code;
}

enum cli_exit cli_policy_root_create(struct cli *c, const struct cli_arguments *a)
{
    const char *organization = a->values[CREATE_ORGANIZATION], *out = a->values[CREATE_OUT];
    _cleanup_(trust_root_freep) struct trust_root *root = NULL;
    enum cli_exit code;
    int64_t expires;
    int r;

    if (!organization || !out || !a->values[CREATE_EXPIRES])
        return cli_usage(c, _("--organization, --expires and --out are needed"));
    code = read_expires(c, a->values[CREATE_EXPIRES], &expires);
    if (code != CLI_OK)
        return code;
    if (!out_file_is_free(c, out))
        return CLI_FAILED;
    r = trust_root_new(organization, 1, expires, &root);
    if (r != 0)
        return trust_file_refused(c, out, r, NULL);
    code = create_roles(c, a, root);
    return code == CLI_OK ? root_edit_write(c, root, NULL, out) : code;
}

/* Removals come first, so that a name can pass to a new key. */
static enum cli_exit rotate_roles(struct cli *c, const struct cli_arguments *a, struct trust_root *root)
{
    enum cli_exit code = CLI_OK;

    for (size_t i = 0; code == CLI_OK && i < a->n_given; i++)
        if (a->given[i].option >= ROTATE_REMOVE_ROOT && a->given[i].option <= ROTATE_REMOVE_HEAD)
            code = root_edit_remove(c, root, (enum trust_role)(a->given[i].option - ROTATE_REMOVE_ROOT),
                                    a->given[i].value);
    for (size_t i = 0; code == CLI_OK && i < a->n_given; i++)
        if (a->given[i].option <= ROTATE_ADD_HEAD)
            code = root_edit_add(c, root, (enum trust_role)a->given[i].option, a->given[i].value);
    for (enum trust_role role = 0; code == CLI_OK && role < TRUST_ROLE_COUNT_; role++)
        code = root_edit_threshold(c, root, role, a->values[ROTATE_ROOT_THRESHOLD + role], 0);
    return code == CLI_OK ? root_edit_check(c, root) : code;
}

enum cli_exit cli_policy_root_rotate(struct cli *c, const struct cli_arguments *a)
{
    const char *out = a->values[ROTATE_OUT];
    _cleanup_(trust_root_freep) struct trust_root *root = NULL;
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct root_file old = {0};
    enum cli_exit code = CLI_OK;
    int r;

    if (!out)
        return cli_usage(c, _("--out is needed"));
    if (!out_file_is_free(c, out))
        return CLI_FAILED;
    code = root_file_read(c, a->words[0], &old);
    if (code != CLI_OK)
        return code;
    r = trust_root_parse(old.envelope->payload, old.envelope->size, &root, &complaint);
    if (r != 0)
        code = trust_file_refused(c, a->words[0], r, &complaint);
    if (code == CLI_OK)
        root->version++;
    if (code == CLI_OK && a->values[ROTATE_EXPIRES])
        code = read_expires(c, a->values[ROTATE_EXPIRES], &root->expires_us);
    if (code == CLI_OK)
        code = rotate_roles(c, a, root);
    if (code == CLI_OK)
        code = root_edit_write(c, root, old.root, out);
    root_file_done(&old);
    return code;
}
