/*
 * kuraban policy head and bundle: select a signed policy for a group, and put into one file what a terminal needs. Both verify
 * before they write, so that a mistake is seen here and not on the terminals.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/key_file.h"
#include "cli/out_file.h"
#include "cli/passphrase.h"
#include "cli/trust_file.h"
#include "cli/trust_show.h"
#include "cli/value.h"
#include "cli/verify_words.h"
#include "policy/findings.h"
#include "policy/policy.h"

enum {
    HEAD_ROOT,
    HEAD_KEY,
    HEAD_GROUP,
    HEAD_POLICY,
    HEAD_VERSION,
    HEAD_DAYS,
    HEAD_OUT,
    HEAD_PASSPHRASE_FILE,
    HEAD_DAYS_DEFAULT = 14,
};

const struct cli_option cli_policy_head_options[] = {
    [HEAD_ROOT] = {"root", "ROOT", N_("the root document")},
    [HEAD_KEY] = {"key", "KEY", N_("a private key file, or a URI such as pkcs11:…")},
    [HEAD_GROUP] = {"group", "GROUP", N_("for these terminals")},
    [HEAD_POLICY] = {"policy", "SIGNED", N_("the signed policy that is selected")},
    [HEAD_VERSION] = {"version", "N", N_("of the head itself; it must rise")},
    [HEAD_DAYS] = {"days", "N", N_("how long it rules; 14 unless given")},
    [HEAD_OUT] = {"out", "FILE", N_("where it goes; replaced when it exists")},
    [HEAD_PASSPHRASE_FILE] = {"passphrase-file", "FILE", N_("for machines: the passphrase is its first line")},
    {0},
};

enum {
    BUNDLE_POLICY,
    BUNDLE_HEAD,
    BUNDLE_ROOT,
    BUNDLE_OUT,
};

const struct cli_option cli_policy_bundle_options[] = {
    [BUNDLE_POLICY] = {"policy", "SIGNED", N_("the signed policy")},
    [BUNDLE_HEAD] = {"head", "HEAD", N_("the head that selects it")},
    [BUNDLE_ROOT] = {"root", "ROOT", N_("a root document that terminals may lack (once for each, oldest first)")},
    [BUNDLE_OUT] = {"out", "BUNDLE", N_("where it goes; replaced when it exists")},
    {0},
};

/* A refusal with what can be done about it. */
static enum cli_exit refused(struct cli *c, const char *path, int result, const struct trust_complaint *complaint)
{
    enum cli_exit code = trust_file_refused(c, path, result, complaint);
    const char *hint = result > 0 ? verify_hint((enum trust_result)result) : NULL;

    if (hint)
        cli_error(c, _("what to do: %s"), _(hint));
    return code;
}

/* The document of a signed policy; errors in it are told. */
static enum cli_exit load_policy(struct cli *c, const char *path, const struct trust_envelope *e, struct policy **ret)
{
    struct policy_findings findings = {.translate = i18n_translate};
    int r = policy_load(path, e->payload, e->size, &findings, ret);

    if (r > 0)
        policy_findings_print(&findings, c->err, cli_safe(c, path), e->payload, e->size);
    if (r < 0)
        cli_error(c, "%s", strerror(-r));
    policy_findings_done(&findings);
    return r == 0 ? CLI_OK : r > 0 ? CLI_NO : CLI_FAILED;
}

/* A policy and the root it must be signed under. */
static enum cli_exit check_policy(struct cli *c, const char *path, const struct trust_envelope *e,
                                  const struct trust_root *root, struct policy **ret)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct trust_votes votes = {0};
    struct policy *p = NULL;
    enum cli_exit code;
    int r = trust_envelope_verify(e, root, TRUST_ROLE_POLICY, &votes, &complaint);

    if (r != 0)
        return refused(c, path, r, &complaint);
    code = load_policy(c, path, e, &p);
    if (code == CLI_OK && !text_equal(p->organization, root->organization)) {
        code = refused(c, path, TRUST_E_ORGANIZATION, NULL);
        p = policy_unref(p);
    }
    if (code == CLI_OK)
        *ret = p;
    return code;
}

/* --- head --- */

struct heading {
    struct root_file root;
    struct trust_envelope *signed_policy, *envelope;
    struct policy *policy;
    struct trust_head head; /* borrows its strings */
};

static void heading_done(struct heading *h)
{
    root_file_done(&h->root);
    h->signed_policy = trust_envelope_free(h->signed_policy);
    h->envelope = trust_envelope_free(h->envelope);
    h->policy = policy_unref(h->policy);
}

static void text_head(struct cli *c, const json_t *answer)
{
    char expires[VALUE_TIME_SIZE];

    (void)fprintf(c->out, _("%s selects policy version %" PRIi64 " for group %s until %s"),
                  value_string(answer, "file"), value_number(json_object_get(answer, "policy"), "version"),
                  cli_safe(c, value_string(answer, "group")), value_time(value_string(answer, "expires"), expires));
    (void)fputc('\n', c->out);
}

static void show_head(struct cli *c, const struct heading *h, const char *out, const struct digest *id)
{
    char issued[CLOCK_RFC3339_SIZE], expires[CLOCK_RFC3339_SIZE];
    json_t *answer;

    clock_format_rfc3339(h->head.issued_us, issued);
    clock_format_rfc3339(h->head.expires_us, expires);
    answer = json_pack("{s:s, s:s, s:I, s:s, s:s, s:{s:I, s:s}, s:s}", "file", cli_safe(c, out), "group", h->head.group,
                       "version", (json_int_t)h->head.version, "issued", issued, "expires", expires, "policy",
                       "version", (json_int_t)h->head.policy_version, "sha256",
                       trust_text_id(c, &h->head.policy_sha256), "signed_by", trust_text_id(c, id));
    cli_show(c, answer, text_head);
    json_decref(answer);
}

/* What is written, before the key is asked for. */
static enum cli_exit make_head(struct cli *c, const struct cli_arguments *a, struct heading *h)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    _cleanup_free_ uint8_t *payload = NULL;
    uint64_t version, days = HEAD_DAYS_DEFAULT;
    enum cli_exit code = trust_number(c, "version", a->values[HEAD_VERSION], INT64_MAX, &version);
    size_t size = 0;
    int r;

    if (code == CLI_OK && a->values[HEAD_DAYS])
        code = trust_number(c, "days", a->values[HEAD_DAYS], TRUST_HEAD_DAYS_MAX, &days);
    if (code != CLI_OK)
        return code;
    h->head.organization = h->root.root->organization;
    h->head.version = version;
    h->head.issued_us = clock_wall_us() / 1000000 * 1000000;
    h->head.expires_us = h->head.issued_us + (int64_t)days * 86400 * 1000000;
    h->head.policy_version = h->policy->version;
    h->head.policy_sha256 = h->policy->sha256;
    r = trust_head_write(&h->head, &payload, &size, &complaint);
    if (r == 0)
        r = trust_envelope_new(TRUST_TYPE_HEAD, payload, size, &h->envelope);
    return r == 0 ? CLI_OK : refused(c, a->values[HEAD_OUT], r, &complaint);
}

static enum cli_exit sign_head(struct cli *c, const struct cli_arguments *a, struct heading *h)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct trust_votes votes = {0};
    EVP_PKEY *key = NULL;
    struct digest id;
    enum cli_exit code = private_key_load(c, a->values[HEAD_KEY], a->values[HEAD_PASSPHRASE_FILE], &key, &id);
    int r;

    if (code != CLI_OK)
        return code;
    r = trust_envelope_sign(h->envelope, key);
    EVP_PKEY_free(key);
    if (r != 0)
        return refused(c, a->values[HEAD_OUT], r, NULL);
    r = trust_envelope_verify(h->envelope, h->root.root, TRUST_ROLE_HEAD, &votes, &complaint);
    if (votes.n_good == 0 || r < 0) {
        cli_error(c, _("%s: the key %s may not sign heads"), cli_safe(c, h->root.path),
                  trust_text_short_id(c, trust_text_id(c, &id)));
        return CLI_NO;
    }
    if (r > 0)
        cli_error(c, _("warning: %s"), complaint.text);
    code = trust_file_write(c, a->values[HEAD_OUT], h->envelope, true);
    if (code == CLI_OK)
        show_head(c, h, a->values[HEAD_OUT], &id);
    return code;
}

enum cli_exit cli_policy_head(struct cli *c, const struct cli_arguments *a)
{
    _cleanup_free_ char *group = NULL;
    struct heading h = {0};
    enum cli_exit code;

    for (size_t i = HEAD_ROOT; i <= HEAD_OUT; i++)
        if (i != HEAD_DAYS && !a->values[i])
            return cli_usage(c, _("--%s is needed"), cli_policy_head_options[i].name);
    group = strdup(a->values[HEAD_GROUP]);
    if (!group || !out_file_is_replaceable(c, a->values[HEAD_OUT]))
        return CLI_FAILED;
    h.head.group = group;
    code = root_file_read(c, a->values[HEAD_ROOT], &h.root);
    if (code == CLI_OK)
        code = trust_file_policy(c, a->values[HEAD_POLICY], &h.signed_policy);
    if (code == CLI_OK)
        code = check_policy(c, a->values[HEAD_POLICY], h.signed_policy, h.root.root, &h.policy);
    if (code == CLI_OK)
        code = make_head(c, a, &h);
    if (code == CLI_OK)
        code = sign_head(c, a, &h);
    heading_done(&h);
    return code;
}

/* --- bundle --- */

struct bundling {
    struct trust_bundle bundle;
    struct trust_root *root; /* the newest; NULL: none given */
    struct policy *policy;
    struct trust_head *head;
};

static void bundling_done(struct bundling *b)
{
    trust_bundle_done(&b->bundle);
    b->root = trust_root_free(b->root);
    b->head = trust_head_free(b->head);
    b->policy = policy_unref(b->policy);
}

/* Each root must be able to follow the one before it; the first is the terminals' matter. */
static enum cli_exit add_root(struct cli *c, struct bundling *b, const char *path)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct trust_votes votes = {0};
    struct root_file f = {0};
    enum cli_exit code = root_file_read(c, path, &f);
    int r;

    if (code != CLI_OK)
        return code;
    if (b->bundle.n_roots == TRUST_ROOTS_MAX)
        code = cli_usage(c, _("a bundle has at most %d root documents"), TRUST_ROOTS_MAX);
    r = trust_envelope_verify(f.envelope, f.root, TRUST_ROLE_ROOT, &votes, &complaint);
    if (r == 0 && b->root)
        r = trust_root_follows(b->root, f.envelope, f.root, &complaint);
    if (code == CLI_OK && r != 0)
        code = refused(c, path, r, &complaint);
    if (code == CLI_OK) {
        b->bundle.roots[b->bundle.n_roots++] = TAKE_PTR(f.envelope);
        (void)trust_root_free(b->root);
        b->root = TAKE_PTR(f.root);
    }
    root_file_done(&f);
    return code;
}

/* The head must name this policy; without a root its signature is the terminals' matter. */
static enum cli_exit check_head(struct cli *c, struct bundling *b, const char *path)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct trust_votes votes = {0};
    int r = b->root ? trust_envelope_verify(b->bundle.head, b->root, TRUST_ROLE_HEAD, &votes, &complaint) : 0;

    if (r == 0)
        r = trust_head_parse(b->bundle.head->payload, b->bundle.head->size, &b->head, &complaint);
    if (r != 0)
        return refused(c, path, r, &complaint);
    if (b->head->policy_version != b->policy->version || !digest_equal(&b->head->policy_sha256, &b->policy->sha256))
        return refused(c, path, TRUST_E_HEAD_MISMATCH, NULL);
    if (!text_equal(b->head->organization, b->policy->organization))
        return refused(c, path, TRUST_E_ORGANIZATION, NULL);
    return b->head->expires_us > clock_wall_us() ? CLI_OK : refused(c, path, TRUST_E_HEAD_EXPIRED, NULL);
}

static enum cli_exit collect(struct cli *c, const struct cli_arguments *a, struct bundling *b)
{
    const char *policy = a->values[BUNDLE_POLICY], *head = a->values[BUNDLE_HEAD];
    enum cli_exit code = CLI_OK;

    for (size_t i = 0; code == CLI_OK && i < a->n_given; i++)
        if (a->given[i].option == BUNDLE_ROOT)
            code = add_root(c, b, a->given[i].value);
    if (code == CLI_OK)
        code = trust_file_policy(c, policy, &b->bundle.policy);
    if (code == CLI_OK)
        code = b->root ? check_policy(c, policy, b->bundle.policy, b->root, &b->policy)
                       : load_policy(c, policy, b->bundle.policy, &b->policy);
    if (code == CLI_OK && head)
        code = trust_file_head(c, head, &b->bundle.head);
    if (code == CLI_OK && head)
        code = check_head(c, b, head);
    return code;
}

static void text_bundle(struct cli *c, const json_t *answer)
{
    const json_t *policy = json_object_get(answer, "policy");

    (void)fprintf(c->out, _("%s holds %s, version %" PRIi64 " (%" PRIi64 " root documents, %s)"),
                  value_string(answer, "file"), cli_safe(c, value_string(policy, "name")),
                  value_number(policy, "version"), value_number(answer, "roots"),
                  json_is_object(json_object_get(answer, "head")) ? _("with a head") : _("without a head"));
    (void)fputc('\n', c->out);
}

static enum cli_exit write_bundle(struct cli *c, const struct bundling *b, const char *path)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    enum cli_exit code;
    json_t *answer;
    int r = trust_bundle_write(&b->bundle, &bytes, &size);

    if (r != 0)
        return refused(c, path, r, NULL);
    code = out_file_write(c, path, bytes, size, 0644, true);
    if (code != CLI_OK)
        return code;
    answer =
        json_pack("{s:s, s:I, s:I, s:o, s:o}", "file", cli_safe(c, path), "bytes", (json_int_t)size, "roots",
                  (json_int_t)b->bundle.n_roots, "policy", trust_show_policy(b->policy), "head",
                  b->head ? json_pack("{s:s, s:I}", "group", b->head->group, "version", (json_int_t)b->head->version)
                          : json_null());
    cli_show(c, answer, text_bundle);
    json_decref(answer);
    return CLI_OK;
}

enum cli_exit cli_policy_bundle(struct cli *c, const struct cli_arguments *a)
{
    struct bundling b = {0};
    enum cli_exit code;

    if (!a->values[BUNDLE_POLICY] || !a->values[BUNDLE_OUT])
        return cli_usage(c, _("--policy and --out are needed"));
    code = collect(c, a, &b);
    if (code == CLI_OK)
        code = write_bundle(c, &b, a->values[BUNDLE_OUT]);
    bundling_done(&b);
    return code;
}
