/* Owns: changes to keys, roles and thresholds of a root document, and what is odd about them. Must not: sign. */
#include "cli/root_edit.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/key_file.h"
#include "cli/trust_file.h"
#include "cli/trust_show.h"

enum {
    ID_DIGITS_MIN = 8
};

static enum cli_exit failed(struct cli *c, int error)
{
    cli_error(c, "%s", strerror(-error));
    return CLI_FAILED;
}

/* One name, two keys: nobody could tell later who signed. */
static bool name_is_taken(const struct trust_root *root, const struct public_key *k)
{
    for (size_t i = 0; i < root->n_keys; i++)
        if (text_equal(root->keys[i].name, k->name) && !digest_equal(&root->keys[i].id, &k->id))
            return true;
    return false;
}

enum cli_exit root_edit_add(struct cli *c, struct trust_root *root, enum trust_role role, const char *path)
{
    struct public_key k = {0};
    enum cli_exit code = public_key_read(c, path, &k);
    size_t index = 0;
    int r;

    if (code != CLI_OK)
        return code;
    if (name_is_taken(root, &k)) {
        cli_error(c, _("%s: another key has the name “%s” already"), cli_safe(c, path), cli_safe(c, k.name));
        public_key_done(&k);
        return CLI_FAILED;
    }
    r = trust_root_add_key(root, k.name, k.bytes, &index);
    if (r == 0)
        r = trust_root_add_role(root, role, index);
    if (r == -EEXIST)
        cli_error(c, _("%s: “%s” has the role %s already"), cli_safe(c, path), cli_safe(c, k.name),
                  trust_role_name(role));
    else if (r == -ENOBUFS)
        cli_error(c, _("a root document has at most %d keys"), TRUST_KEYS_MAX);
    else if (r < 0)
        (void)failed(c, r);
    public_key_done(&k);
    return r == 0 ? CLI_OK : CLI_FAILED;
}

/* --- removal --- */

static bool is_named(const struct trust_key *key, const char *which)
{
    char id[DIGEST_HEX_SIZE];

    digest_to_hex(&key->id, id);
    return text_equal(key->name, which) || (strlen(which) >= ID_DIGITS_MIN && text_starts(id, which));
}

/* The place within the role; how many keys of the role are meant by the word. */
static size_t find_in_role(const struct trust_root *root, enum trust_role role, const char *which,
                           const struct digest *id, size_t *ret_place)
{
    size_t n = 0;

    for (size_t i = 0; i < root->roles[role].n; i++) {
        const struct trust_key *key = &root->keys[root->roles[role].keys[i]];

        if (id ? !digest_equal(&key->id, id) : !is_named(key, which))
            continue;
        *ret_place = i;
        n++;
    }
    return n;
}

/* A key that has lost its last role leaves the list; those behind it move up. */
static void drop_key(struct trust_root *root, size_t key)
{
    for (enum trust_role role = 0; role < TRUST_ROLE_COUNT_; role++)
        for (size_t i = 0; i < root->roles[role].n; i++)
            if (root->roles[role].keys[i] == key)
                return;
    free(root->keys[key].name);
    memmove(root->keys + key, root->keys + key + 1, (root->n_keys - key - 1) * sizeof(*root->keys));
    root->n_keys--;
    for (enum trust_role role = 0; role < TRUST_ROLE_COUNT_; role++)
        for (size_t i = 0; i < root->roles[role].n; i++)
            if (root->roles[role].keys[i] > key)
                root->roles[role].keys[i]--;
}

enum cli_exit root_edit_remove(struct cli *c, struct trust_root *root, enum trust_role role, const char *which)
{
    struct public_key k = {0};
    size_t place = 0, key, n;
    struct stat st;

    if (stat(which, &st) == 0) {
        enum cli_exit code = public_key_read(c, which, &k);

        if (code != CLI_OK)
            return code;
    }
    n = find_in_role(root, role, which, k.name ? &k.id : NULL, &place);
    public_key_done(&k);
    if (n != 1) {
        cli_error(c,
                  n == 0 ? _("no key of the role %s is “%s”; “policy root show” lists them")
                         : _("several keys of the role %s are “%s”; give more digits of the id"),
                  trust_role_name(role), cli_safe(c, which));
        return CLI_FAILED;
    }
    key = root->roles[role].keys[place];
    for (size_t i = place; i + 1 < root->roles[role].n; i++)
        root->roles[role].keys[i] = root->roles[role].keys[i + 1];
    root->roles[role].n--;
    drop_key(root, key);
    return CLI_OK;
}

/* --- thresholds --- */

enum cli_exit root_edit_threshold(struct cli *c, struct trust_root *root, enum trust_role role, const char *text,
                                  unsigned fallback)
{
    uint64_t value = fallback;

    if (text) {
        char option[32];
        enum cli_exit code;

        (void)snprintf(option, sizeof(option), "%s-threshold", trust_role_name(role));
        code = trust_number(c, option, text, TRUST_SIGNATURES_MAX, &value);
        if (code != CLI_OK)
            return code;
    }
    if (value != 0)
        root->roles[role].threshold = (unsigned)value;
    /* Nobody need select policies: without keys of that role none is needed. */
    if (role == TRUST_ROLE_HEAD && !text && root->roles[role].n == 0)
        root->roles[role].threshold = 0;
    if (role == TRUST_ROLE_HEAD && root->roles[role].n > 0 && root->roles[role].threshold == 0)
        root->roles[role].threshold = 1;
    return CLI_OK;
}

static bool has_role(const struct trust_root *root, enum trust_role role, size_t key)
{
    for (size_t i = 0; i < root->roles[role].n; i++)
        if (root->roles[role].keys[i] == key)
            return true;
    return false;
}

/* One stolen key, two doors. */
static void warn_of_roles(struct cli *c, const struct trust_root *root, size_t key)
{
    if (!has_role(root, TRUST_ROLE_POLICY, key))
        return;
    if (has_role(root, TRUST_ROLE_HEAD, key))
        cli_error(c, _("warning: “%s” selects policies online and signs them as well"),
                  cli_safe(c, root->keys[key].name));
    if (has_role(root, TRUST_ROLE_ROOT, key))
        cli_error(
            c,
            _("warning: “%s” signs policies and decides about keys as well; a root key of its own stays locked away"),
            cli_safe(c, root->keys[key].name));
}

static void warn(struct cli *c, const struct trust_root *root)
{
    const unsigned threshold = root->roles[TRUST_ROLE_ROOT].threshold;

    if (threshold == root->roles[TRUST_ROLE_ROOT].n)
        cli_error(
            c,
            _("warning: every root key must sign; when one is lost, all terminals have to be visited. Have one more."));
    if (threshold == 1)
        cli_error(c, _("warning: one root key alone can replace all others"));
    if (root->roles[TRUST_ROLE_POLICY].threshold == 1)
        cli_error(c, _("warning: one person alone can sign a policy"));
    for (size_t i = 0; i < root->n_keys; i++)
        warn_of_roles(c, root, i);
}

enum cli_exit root_edit_check(struct cli *c, const struct trust_root *root)
{
    for (enum trust_role role = 0; role < TRUST_ROLE_COUNT_; role++) {
        size_t n = root->roles[role].n;

        if (n >= root->roles[role].threshold)
            continue;
        cli_error(c,
                  _("the role %s has %zu keys, and %u must sign; --%s-key adds one, --%s-threshold changes the number"),
                  trust_role_name(role), n, root->roles[role].threshold, trust_role_name(role), trust_role_name(role));
        return CLI_USAGE;
    }
    warn(c, root);
    return CLI_OK;
}

enum cli_exit root_edit_write(struct cli *c, const struct trust_root *root, const struct trust_root *previous,
                              const char *path)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    _cleanup_free_ uint8_t *payload = NULL;
    struct root_file f = {.path = path};
    enum cli_exit code;
    size_t size = 0;
    int r = trust_root_write(root, &payload, &size, &complaint);

    if (r == 0)
        r = trust_root_parse(payload, size, &f.root, &complaint);
    if (r == 0)
        r = trust_envelope_new(TRUST_TYPE_ROOT, payload, size, &f.envelope);
    code = r == 0 ? trust_file_write(c, path, f.envelope, false) : trust_file_refused(c, path, r, &complaint);
    if (code == CLI_OK) {
        json_t *answer = trust_show_root(&f, previous);

        cli_show(c, answer, trust_text_root);
        json_decref(answer);
    }
    root_file_done(&f);
    return code;
}
