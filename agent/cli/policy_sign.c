/*
 * kuraban policy sign: a person who drafts signs a YAML document, a person who approves adds a signature to it. What is signed are
 * the bytes that were read once, checked and shown; nothing is read again after the question.
 */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/key_file.h"
#include "cli/out_file.h"
#include "cli/passphrase.h"
#include "cli/policy_diff.h"
#include "cli/policy_file.h"
#include "cli/trust_file.h"
#include "cli/trust_show.h"
#include "cli/value.h"
#include "policy/warn.h"

enum {
    OPTION_KEY,
    OPTION_ROOT,
    OPTION_BASE,
    OPTION_OUT,
    OPTION_PASSPHRASE_FILE,
    OPTION_YES,
};

const struct cli_option cli_policy_sign_options[] = {
    [OPTION_KEY] = {"key", "KEY", N_("a private key file, or a URI such as pkcs11:…")},
    [OPTION_ROOT] = {"root", "ROOT", N_("the root document: who signed, and may this key?")},
    [OPTION_BASE] = {"base", "SIGNED", N_("what rules now, to compare with")},
    [OPTION_OUT] = {"out", "FILE", N_("a new file for the signed document")},
    [OPTION_PASSPHRASE_FILE] = {"passphrase-file", "FILE", N_("for machines: the passphrase is its first line")},
    [OPTION_YES] = {"yes", NULL, N_("do not ask")},
    {0},
};

/* One signing from reading to writing. */
struct signing {
    const char *path;
    char *out;  /* where it goes */
    bool draft; /* FILE is YAML: out is a new file */
    bool in_place;
    struct trust_envelope *envelope;
    struct policy *policy;
    struct policy_findings findings;
    struct root_file root; /* root NULL: not given */
};

static void signing_done(struct signing *s)
{
    free(s->out);
    s->envelope = trust_envelope_free(s->envelope);
    s->policy = policy_unref(s->policy);
    policy_findings_done(&s->findings);
    root_file_done(&s->root);
}

/* A policy may be written in JSON, which is YAML; only an envelope has this key. */
static bool is_envelope(const uint8_t *bytes, size_t size)
{
    static const char key[] = "\"payloadType\"";
    size_t i = 0;

    while (i < size && isspace(bytes[i]))
        i++;
    return i < size && bytes[i] == '{' && memmem(bytes, size, key, strlen(key));
}

static enum cli_exit wrap_draft(struct cli *c, struct signing *s, const uint8_t *bytes, size_t size)
{
    int r = trust_envelope_new(TRUST_TYPE_POLICY, bytes, size, &s->envelope);

    return r == 0 ? CLI_OK : trust_file_refused(c, s->path, r, NULL);
}

static enum cli_exit parse_signed(struct cli *c, struct signing *s, const uint8_t *bytes, size_t size)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    int r = trust_envelope_parse(bytes, size, &s->envelope, &complaint);

    if (r != 0)
        return trust_file_refused(c, s->path, r, &complaint);
    if (text_equal(s->envelope->type, TRUST_TYPE_POLICY))
        return CLI_OK;
    cli_error(c, _("%s: this is no policy but %s; “policy root sign” signs root documents"), cli_safe(c, s->path),
              cli_safe(c, s->envelope->type));
    return CLI_FAILED;
}

static enum cli_exit read_file(struct cli *c, struct signing *s)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    enum cli_exit code = trust_file_bytes(c, s->path, TRUST_ENVELOPE_MAX, &bytes, &size);

    if (code != CLI_OK)
        return code;
    s->draft = !is_envelope(bytes, size);
    return s->draft ? wrap_draft(c, s, bytes, size) : parse_signed(c, s, bytes, size);
}

/* The document must be without errors: a signature is the word of a person that it may rule. */
static enum cli_exit check_document(struct cli *c, struct signing *s)
{
    int r = policy_load(s->path, s->envelope->payload, s->envelope->size, &s->findings, &s->policy);

    if (r < 0) {
        cli_error(c, "%s", strerror(-r));
        return CLI_FAILED;
    }
    if (r == 0)
        policy_warn_expiry(s->policy, clock_wall_us(), &s->findings);
    policy_findings_print(&s->findings, c->err, cli_safe(c, s->path), s->envelope->payload, s->envelope->size);
    if (r != 0) {
        cli_error(c, _("%s: a document with errors is not signed"), cli_safe(c, s->path));
        return CLI_NO;
    }
    if (s->policy->valid_until_us == 0 || s->policy->valid_until_us >= clock_wall_us())
        return CLI_OK;
    cli_error(c, _("%s: its time is over (“valid”), no terminal would take it; it is not signed"),
              cli_safe(c, s->path));
    return CLI_NO;
}

/* No terminal that has the base takes a step back, or another document of the same version. */
static enum cli_exit compare_versions(struct cli *c, const struct signing *s, const char *base, const struct policy *p)
{
    if (!text_equal(p->organization, s->policy->organization)) {
        cli_error(c, _("%s: this is a policy of %s, not of %s"), cli_safe(c, base), cli_safe(c, p->organization),
                  cli_safe(c, s->policy->organization));
        return CLI_NO;
    }
    if (p->version < s->policy->version || digest_equal(&p->sha256, &s->policy->sha256))
        return CLI_OK;
    cli_error(c, _("%s has version %llu; terminals that have it refuse version %llu. Raise “version” above it"),
              cli_safe(c, base), (unsigned long long)p->version, (unsigned long long)s->policy->version);
    return CLI_NO;
}

/* What a signature lets happen, wider things first; for people, also while the answer will be JSON. */
static enum cli_exit show_changes(struct cli *c, const struct signing *s, const char *base, const struct policy *policy)
{
    const struct policy_version before = {.file = base, .policy = policy},
                                after = {.file = s->path, .policy = s->policy};
    json_t *answer = policy_diff_answer(&before, &after);
    FILE *out = c->out;

    if (!answer) {
        cli_error(c, _("the answer could not be put together"));
        return CLI_FAILED;
    }
    c->out = c->err;
    policy_diff_text(c, answer);
    c->out = out;
    json_decref(answer);
    return CLI_OK;
}

/* Who drafts also hands over the base. One that nobody signed would show only the changes it is meant to show. */
static enum cli_exit check_base(struct cli *c, const struct signing *s, const char *base,
                                const struct trust_envelope *envelope)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct trust_votes votes = {0};
    int r;

    if (!s->root.root)
        return CLI_OK;
    r = trust_envelope_verify(envelope, s->root.root, TRUST_ROLE_POLICY, &votes, &complaint);
    if (r < 0 || votes.n_bad > 0)
        return trust_file_refused(c, base, r, &complaint);
    /* Its signers may be gone since: no reason to sign nothing any more. */
    if (r != TRUST_OK)
        cli_error(c, _("warning: %s is not signed by enough keys of %s: is it really what rules?"), cli_safe(c, base),
                  cli_safe(c, s->root.path));
    return CLI_OK;
}

/* Would a terminal that has the base take this? And what does it change? */
static enum cli_exit compare_base(struct cli *c, const struct signing *s, const char *base)
{
    struct policy_findings findings = {.translate = i18n_translate};
    struct trust_envelope *envelope = NULL;
    struct policy *policy = NULL;
    enum cli_exit code = trust_file_policy(c, base, &envelope);
    int r;

    if (code == CLI_OK)
        code = check_base(c, s, base, envelope);
    if (code != CLI_OK) {
        (void)trust_envelope_free(envelope);
        return code;
    }
    r = policy_load(base, envelope->payload, envelope->size, &findings, &policy);
    if (r != 0)
        cli_error(c, _("%s: the document in it has errors"), cli_safe(c, base));
    code = r == 0 ? compare_versions(c, s, base, policy) : CLI_FAILED;
    if (code == CLI_OK)
        code = show_changes(c, s, base, policy);
    (void)policy_unref(policy);
    policy_findings_done(&findings);
    (void)trust_envelope_free(envelope);
    return code;
}

static json_t *signatures(const struct signing *s)
{
    return trust_show_signatures(s->envelope, TRUST_ROLE_POLICY, s->root.root, NULL);
}

/* For people, also while the answer will be JSON. */
static void show_before(struct cli *c, const struct signing *s)
{
    json_t *policy = trust_show_policy(s->policy), *list = signatures(s);
    FILE *out = c->out;

    c->out = c->err;
    trust_text_policy(c, policy);
    trust_text_signatures(c, list);
    c->out = out;
    json_decref(policy);
    json_decref(list);
}

static void show_text(struct cli *c, const json_t *answer)
{
    const json_t *policy = json_object_get(answer, "policy");

    (void)fprintf(c->out, _("%s, version %lld, is signed in %s"), cli_safe(c, value_string(policy, "name")),
                  (long long)value_number(policy, "version"), value_string(answer, "file"));
    (void)fprintf(c->out, "\nSHA-256 %s\n", value_string(policy, "sha256"));
    trust_text_signatures(c, json_object_get(answer, "signatures"));
    trust_text_missing(c, json_object_get(answer, "missing"), false);
}

static json_t *missing(const struct signing *s)
{
    return s->root.root ? trust_show_missing(s->envelope, TRUST_ROLE_POLICY, s->root.root) : json_null();
}

static void show_after(struct cli *c, const struct signing *s, const struct digest *id)
{
    json_t *answer = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "file", cli_safe(c, s->out), "signed_by",
                               trust_text_id(c, id), "signatures", signatures(s), "missing", missing(s), "policy",
                               trust_show_policy(s->policy), "findings", policy_file_findings(&s->findings));

    cli_show(c, answer, show_text);
    json_decref(answer);
}

static bool may_sign(const struct trust_root *root, const struct digest *id)
{
    const struct trust_key *key = trust_root_find_key(root, id);

    for (size_t i = 0; key && i < root->roles[TRUST_ROLE_POLICY].n; i++)
        if (&root->keys[root->roles[TRUST_ROLE_POLICY].keys[i]] == key)
            return true;
    return false;
}

static enum cli_exit add_signature(struct cli *c, struct signing *s, EVP_PKEY *key, const struct digest *id)
{
    int r;

    if (s->root.root && !may_sign(s->root.root, id)) {
        cli_error(c, _("%s: the key %s may not sign policies"), cli_safe(c, s->root.path),
                  trust_text_short_id(c, trust_text_id(c, id)));
        return CLI_NO;
    }
    r = trust_envelope_sign(s->envelope, key);
    if (r == TRUST_E_REPEATED_KEY) {
        cli_error(c, _("%s: this key has signed already; another person has to"), cli_safe(c, s->path));
        return CLI_NO;
    }
    if (r != 0)
        return trust_file_refused(c, s->path, r, NULL);
    return trust_file_write(c, s->out, s->envelope, s->in_place);
}

static enum cli_exit ask_and_sign(struct cli *c, const struct cli_arguments *a, struct signing *s)
{
    EVP_PKEY *key = NULL;
    struct digest id;
    enum cli_exit code;

    if (!a->values[OPTION_YES]) {
        show_before(c, s);
        if (!passphrase_confirm(c, _("Sign this policy? Type “yes”: "))) {
            cli_error(c, _("nothing was signed"));
            return CLI_NO;
        }
    }
    code = private_key_load(c, a->values[OPTION_KEY], a->values[OPTION_PASSPHRASE_FILE], &key, &id);
    if (code != CLI_OK)
        return code;
    code = add_signature(c, s, key, &id);
    EVP_PKEY_free(key);
    if (code == CLI_OK)
        show_after(c, s, &id);
    return code;
}

/* Where the result goes, found out before anything is asked. */
static enum cli_exit choose_out(struct cli *c, struct signing *s, const char *out)
{
    s->in_place = !out && !s->draft;
    if (out || s->in_place)
        s->out = strdup(out ? out : s->path);
    else if (asprintf(&s->out, "%s.signed", s->path) < 0)
        s->out = NULL;
    if (!s->out)
        return CLI_FAILED;
    if (s->in_place ? out_file_is_replaceable(c, s->out) : out_file_is_free(c, s->out))
        return CLI_OK;
    if (s->in_place)
        cli_error(c, _("--out FILE puts the signed document elsewhere"));
    else if (!out && access(s->out, F_OK) == 0)
        cli_error(c, _("to add your signature: kuraban policy sign --key KEY %s"), cli_safe(c, s->out));
    return CLI_FAILED;
}

/* Nobody puts a name beside a signature that is for something else. */
static enum cli_exit check_signatures(struct cli *c, const struct signing *s)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct trust_votes votes = {0};
    int r;

    if (!s->root.root)
        return CLI_OK;
    r = trust_envelope_verify(s->envelope, s->root.root, TRUST_ROLE_POLICY, &votes, &complaint);
    return r < 0 || votes.n_bad > 0 ? trust_file_refused(c, s->path, r, &complaint) : CLI_OK;
}

static enum cli_exit check_organization(struct cli *c, const struct signing *s)
{
    if (!s->root.root || text_equal(s->root.root->organization, s->policy->organization))
        return CLI_OK;
    cli_error(c, _("%s: the policy is for %s, the root document for %s"), cli_safe(c, s->path),
              cli_safe(c, s->policy->organization), cli_safe(c, s->root.root->organization));
    return CLI_NO;
}

enum cli_exit cli_policy_sign(struct cli *c, const struct cli_arguments *a)
{
    struct signing s = {.path = a->words[0], .findings.translate = i18n_translate};
    enum cli_exit code;

    if (!a->values[OPTION_KEY])
        return cli_usage(c, _("--key is needed"));
    code = read_file(c, &s);
    if (code == CLI_OK)
        code = choose_out(c, &s, a->values[OPTION_OUT]);
    if (code == CLI_OK && a->values[OPTION_ROOT])
        code = root_file_read(c, a->values[OPTION_ROOT], &s.root);
    if (code == CLI_OK)
        code = check_document(c, &s);
    if (code == CLI_OK)
        code = check_organization(c, &s);
    if (code == CLI_OK)
        code = check_signatures(c, &s);
    if (code == CLI_OK && a->values[OPTION_BASE])
        code = compare_base(c, &s, a->values[OPTION_BASE]);
    if (code == CLI_OK)
        code = ask_and_sign(c, a, &s);
    signing_done(&s);
    return code;
}
