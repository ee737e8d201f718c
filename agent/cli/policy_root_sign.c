/* kuraban policy root sign and show: people look at a root document, and add their name to it. */
#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/key_file.h"
#include "cli/out_file.h"
#include "cli/passphrase.h"
#include "cli/trust_file.h"
#include "cli/trust_show.h"
#include "json/whole.h"

enum {
    SIGN_KEY,
    SIGN_PREVIOUS,
    SIGN_OUT,
    SIGN_PASSPHRASE_FILE,
    SIGN_YES,
};

const struct cli_option cli_policy_root_sign_options[] = {
    [SIGN_KEY] = {"key", "KEY", N_("a private key file, or a URI such as pkcs11:…")},
    [SIGN_PREVIOUS] = {"previous", "OLD", N_("the root document before this one")},
    [SIGN_OUT] = {"out", "FILE", N_("a new file instead of FILE itself")},
    [SIGN_PASSPHRASE_FILE] = {"passphrase-file", "FILE", N_("for machines: the passphrase is its first line")},
    [SIGN_YES] = {"yes", NULL, N_("do not ask")},
    {0},
};

enum {
    SHOW_PREVIOUS
};

const struct cli_option cli_policy_root_show_options[] = {
    [SHOW_PREVIOUS] = {"previous", "OLD", N_("the root document before this one")},
    {0},
};

/* The document and the one before it, when that was given. */
static enum cli_exit read_both(struct cli *c, const char *path, const char *previous, struct root_file *ret,
                               struct root_file *ret_previous)
{
    enum cli_exit code = root_file_read(c, path, ret);

    if (code == CLI_OK && previous)
        code = root_file_read(c, previous, ret_previous);
    return code;
}

static void show(struct cli *c, const struct root_file *f, const struct root_file *previous,
                 const struct digest *signer)
{
    json_t *answer = trust_show_root(f, previous->root);

    if (signer)
        whole_set(&answer, "signed_by", json_string(trust_text_id(c, signer)));
    cli_show(c, answer, trust_text_root);
    json_decref(answer);
}

/* For people, also while the answer will be JSON. */
static void show_before(struct cli *c, const struct root_file *f, const struct root_file *previous)
{
    FILE *out = c->out;
    json_t *answer = trust_show_root(f, previous->root);

    c->out = c->err;
    trust_text_root(c, answer);
    c->out = out;
    json_decref(answer);
}

static bool may_sign(const struct trust_root *root, const struct digest *id)
{
    const struct trust_key *key = root ? trust_root_find_key(root, id) : NULL;

    for (size_t i = 0; key && i < root->roles[TRUST_ROLE_ROOT].n; i++)
        if (&root->keys[root->roles[TRUST_ROLE_ROOT].keys[i]] == key)
            return true;
    return false;
}

static enum cli_exit sign(struct cli *c, const struct cli_arguments *a, struct root_file *f,
                          const struct root_file *previous, EVP_PKEY *key, const struct digest *id)
{
    int r;

    if (!may_sign(f->root, id) && !may_sign(previous->root, id)) {
        cli_error(c, _("the key %s is no root key of this document"), trust_text_short_id(c, trust_text_id(c, id)));
        if (!previous->root && f->root->version > 1)
            cli_error(c, _("a root key of the version before signs with --previous OLD"));
        return CLI_NO;
    }
    r = trust_envelope_sign(f->envelope, key);
    if (r == TRUST_E_REPEATED_KEY) {
        cli_error(c, _("%s: this key has signed already; another person has to"), cli_safe(c, f->path));
        return CLI_NO;
    }
    if (r != 0)
        return trust_file_refused(c, f->path, r, NULL);
    return trust_file_write(c, a->values[SIGN_OUT] ? a->values[SIGN_OUT] : f->path, f->envelope, !a->values[SIGN_OUT]);
}

/* Nobody puts a name beside a signature that is for something else. */
static enum cli_exit check_signatures(struct cli *c, const struct root_file *f)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct trust_votes votes = {0};
    int r = trust_envelope_verify(f->envelope, f->root, TRUST_ROLE_ROOT, &votes, &complaint);

    return r < 0 || votes.n_bad > 0 ? trust_file_refused(c, f->path, r, &complaint) : CLI_OK;
}

static enum cli_exit ask_and_sign(struct cli *c, const struct cli_arguments *a, struct root_file *f,
                                  const struct root_file *previous)
{
    EVP_PKEY *key = NULL;
    struct digest id;
    enum cli_exit code;

    if (!a->values[SIGN_YES]) {
        show_before(c, f, previous);
        if (!passphrase_confirm(c, _("Sign this root document? Type “yes”: "))) {
            cli_error(c, _("nothing was signed"));
            return CLI_NO;
        }
    }
    code = private_key_load(c, a->values[SIGN_KEY], a->values[SIGN_PASSPHRASE_FILE], &key, &id);
    if (code != CLI_OK)
        return code;
    code = sign(c, a, f, previous, key, &id);
    EVP_PKEY_free(key);
    if (code == CLI_OK)
        show(c, f, previous, &id);
    return code;
}

/* What no terminal would ever take is not signed, whoever else signs it. */
static enum cli_exit check_document(struct cli *c, const struct root_file *f, const struct root_file *previous)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    int r;

    if (f->root->expires_us <= clock_wall_us())
        return trust_file_refused(c, f->path, TRUST_E_ROOT_EXPIRED, NULL);
    if (!previous->root)
        return CLI_OK;
    r = trust_root_follows(previous->root, f->envelope, f->root, &complaint);
    if (r == TRUST_OK || (r == TRUST_E_ROOT_CHAIN && f->root->version == previous->root->version + 1))
        return CLI_OK; /* nobody, or signatures alone are missing */
    return trust_file_refused(c, f->path, r, &complaint);
}

enum cli_exit cli_policy_root_sign(struct cli *c, const struct cli_arguments *a)
{
    struct root_file f = {0}, previous = {0};
    enum cli_exit code;

    if (!a->values[SIGN_KEY])
        return cli_usage(c, _("--key is needed"));
    if (a->values[SIGN_OUT] && !out_file_is_free(c, a->values[SIGN_OUT]))
        return CLI_FAILED;
    code = read_both(c, a->words[0], a->values[SIGN_PREVIOUS], &f, &previous);
    if (code == CLI_OK && !a->values[SIGN_OUT] && !out_file_is_replaceable(c, a->words[0])) {
        cli_error(c, _("--out FILE puts the signed document elsewhere"));
        code = CLI_FAILED;
    }
    if (code == CLI_OK)
        code = check_document(c, &f, &previous);
    if (code == CLI_OK)
        code = check_signatures(c, &f);
    if (code == CLI_OK)
        code = ask_and_sign(c, a, &f, &previous);
    root_file_done(&f);
    root_file_done(&previous);
    return code;
}

enum cli_exit cli_policy_root_show(struct cli *c, const struct cli_arguments *a)
{
    struct root_file f = {0}, previous = {0};
    enum cli_exit code = read_both(c, a->words[0], a->values[SHOW_PREVIOUS], &f, &previous);

    if (code == CLI_OK) {
        json_t *answer = trust_show_root(&f, previous.root);

        cli_show(c, answer, trust_text_root);
        code = json_is_true(json_object_get(answer, "complete")) ? CLI_OK : CLI_NO;
        json_decref(answer);
    }
    root_file_done(&f);
    root_file_done(&previous);
    return code;
}
