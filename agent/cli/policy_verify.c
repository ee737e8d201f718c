/*
 * kuraban policy verify: would a terminal take this? The functions that judge there judge here; only the terminal is imagined: its
 * root, what it has taken already, who it is, and the time.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/bundle_show.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/policy_file.h"
#include "cli/trust_file.h"
#include "cli/trust_show.h"
#include "cli/value.h"
#include "cli/verify_words.h"

enum {
    OPTION_ROOT,
    OPTION_TERMINAL,
    OPTION_GROUP,
    OPTION_AT,
    OPTION_CURRENT,
};

const struct cli_option cli_policy_verify_options[] = {
    [OPTION_ROOT] = {"root", "ROOT", N_("the root document that the terminal has")},
    [OPTION_TERMINAL] = {"terminal", "ID", N_("the terminal's name")},
    [OPTION_GROUP] = {"group", "GROUP", N_("a group of the terminal (once for each)")},
    [OPTION_AT] = {"at", "TIME", N_("at this moment instead of now")},
    [OPTION_CURRENT] = {"current", "FILE", N_("what rules there now: a bundle, or trust.json")},
    {0},
};

struct verifying {
    const char *path;
    uint8_t *bytes;
    size_t size;
    struct trust_terminal terminal;
    const char *groups[CLI_GIVEN_MAX];
    struct trust_state *before, *after; /* after NULL: refused */
    struct policy *policy;
    struct policy_findings findings;
    struct trust_complaint complaint;
    int result;
};

static void verifying_done(struct verifying *v)
{
    free(v->bytes);
    v->before = trust_state_free(v->before);
    v->after = trust_state_free(v->after);
    v->policy = policy_unref(v->policy);
    policy_findings_done(&v->findings);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return b != 0 && b - 1 < a ? b - 1 : a;
}

/* --- what the terminal has --- */

/* An expired root was installed while it was good. */
static enum cli_exit install_root(struct cli *c, struct verifying *v, const char *path)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct root_file f = {0};
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    enum cli_exit code = root_file_read(c, path, &f);
    int r;

    if (code != CLI_OK)
        return code;
    r = trust_envelope_write(f.envelope, &bytes, &size);
    if (r == 0)
        r = trust_install_root(bytes, size, earlier(v->terminal.now_us, f.root->expires_us), &v->before, &complaint);
    root_file_done(&f);
    return r == 0 ? CLI_OK : trust_file_refused(c, path, r, &complaint);
}

/* The last moment at which all parts of a bundle were good: by then at the latest it was taken. */
static int64_t time_of(const struct trust_bundle *b, int64_t now_us)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct policy_findings findings = {0};
    struct trust_head *head = NULL;
    struct trust_root *root = NULL;
    struct policy *policy = NULL;

    if (b->n_roots > 0 &&
        trust_root_parse(b->roots[b->n_roots - 1]->payload, b->roots[b->n_roots - 1]->size, &root, &complaint) == 0)
        now_us = earlier(now_us, root->expires_us);
    if (b->head && trust_head_parse(b->head->payload, b->head->size, &head, &complaint) == 0)
        now_us = earlier(now_us, head->expires_us);
    if (b->policy && policy_load("", b->policy->payload, b->policy->size, &findings, &policy) == 0)
        now_us = earlier(now_us, policy->valid_until_us);
    (void)trust_root_free(root);
    (void)trust_head_free(head);
    (void)policy_unref(policy);
    policy_findings_done(&findings);
    return now_us;
}

static int apply_current(struct verifying *v, const uint8_t *bytes, size_t size, struct trust_complaint *complaint)
{
    struct policy_findings findings = {.translate = i18n_translate};
    struct trust_terminal then = v->terminal;
    struct trust_bundle b = {0};
    struct trust_state *state = NULL;
    struct policy *policy = NULL;
    int r = trust_bundle_parse(bytes, size, &b, complaint);

    if (r == 0) {
        then.now_us = time_of(&b, earlier(then.now_us, trust_state_root(v->before)->expires_us));
        r = trust_apply(v->before, &then, bytes, size, &state, &policy, &findings, complaint);
    }
    trust_bundle_done(&b);
    (void)policy_unref(policy);
    policy_findings_done(&findings);
    if (r == 0) {
        (void)trust_state_free(v->before);
        v->before = state;
    }
    return r;
}

/* The terminal's own file brings everything; a bundle builds on --root. */
static enum cli_exit take_current(struct cli *c, struct verifying *v, const char *path, const char *root)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    enum cli_exit code = trust_file_bytes(c, path, (size_t)2 * TRUST_BUNDLE_MAX, &bytes, &size);
    int r;

    if (code != CLI_OK)
        return code;
    r = trust_state_read(bytes, size, &v->before, &complaint);
    if (r == 0)
        return CLI_OK;
    if (!root)
        return trust_file_refused(c, path, r, &complaint);
    code = install_root(c, v, root);
    if (code != CLI_OK)
        return code;
    complaint = (struct trust_complaint){.translate = i18n_translate};
    r = apply_current(v, bytes, size, &complaint);
    return r == 0 ? CLI_OK : trust_file_refused(c, path, r, &complaint);
}

static enum cli_exit imagine_terminal(struct cli *c, const struct cli_arguments *a, struct verifying *v)
{
    const char *root = a->values[OPTION_ROOT], *current = a->values[OPTION_CURRENT];

    v->terminal =
        (struct trust_terminal){.id = a->values[OPTION_TERMINAL], .groups = v->groups, .now_us = clock_wall_us()};
    for (size_t i = 0; i < a->n_given; i++)
        if (a->given[i].option == OPTION_GROUP)
            v->groups[v->terminal.n_groups++] = a->given[i].value;
    if (!root && !current)
        return cli_usage(c, _("--root is needed"));
    if (a->values[OPTION_AT]) {
        enum cli_exit code = trust_time(c, "at", a->values[OPTION_AT], false, &v->terminal.now_us);

        if (code != CLI_OK)
            return code;
    }
    return current ? take_current(c, v, current, root) : install_root(c, v, root);
}

/* --- the answer --- */

static void text_findings(struct cli *c, const struct verifying *v)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct trust_bundle b = {0};

    if (v->findings.n > 0 && trust_bundle_parse(v->bytes, v->size, &b, &complaint) == 0 && b.policy)
        policy_findings_print(&v->findings, c->out, cli_safe(c, v->path), b.policy->payload, b.policy->size);
    trust_bundle_done(&b);
}

static void show_text(struct cli *c, const json_t *answer)
{
    const json_t *policy = json_object_get(answer, "policy"), *head = json_object_get(answer, "head");
    char expires[VALUE_TIME_SIZE];

    if (value_bool(answer, "ok"))
        (void)fprintf(c->out, "%s\n", _("A terminal takes this."));
    else
        (void)fprintf(c->out, _("A terminal refuses this: %s"), value_string(answer, "message"));
    if (!value_bool(answer, "ok"))
        (void)fputc('\n', c->out);
    if (*value_string(answer, "detail"))
        (void)fprintf(c->out, "  %s\n", value_string(answer, "detail"));
    if (*value_string(answer, "hint"))
        (void)fprintf(c->out, _("  What to do: %s"), value_string(answer, "hint"));
    if (*value_string(answer, "hint"))
        (void)fputc('\n', c->out);
    if (json_is_object(policy))
        trust_text_policy(c, policy);
    bundle_text(c, json_object_get(answer, "documents"));
    if (json_is_object(head)) {
        (void)fprintf(c->out, _("Selected for group %s until %s"), cli_safe(c, value_string(head, "group")),
                      value_time(value_string(head, "expires"), expires));
        (void)fputc('\n', c->out);
    }
}

/* Who signed what of it; null when it cannot be read that far. */
static json_t *documents(const struct verifying *v)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct trust_bundle b = {0};
    json_t *array;

    if (trust_bundle_parse(v->bytes, v->size, &b, &complaint) != 0)
        return json_null();
    array = bundle_show(&b, trust_state_root(v->before));
    trust_bundle_done(&b);
    return array;
}

static json_t *ruling_policy(const struct verifying *v)
{
    struct policy_findings findings = {0};
    struct policy *policy = NULL;
    const uint8_t *bytes;
    json_t *answer = NULL;
    size_t size = 0;

    if (!v->after)
        return json_null();
    bytes = trust_state_policy(v->after, &size);
    if (bytes && policy_load(v->path, bytes, size, &findings, &policy) == 0)
        answer = trust_show_policy(policy);
    (void)policy_unref(policy);
    policy_findings_done(&findings);
    return answer ? answer : json_null();
}

static json_t *ruling_root(const struct verifying *v)
{
    const struct trust_root *root = v->after ? trust_state_root(v->after) : NULL;
    char expires[CLOCK_RFC3339_SIZE];

    if (!root)
        return json_null();
    clock_format_rfc3339(root->expires_us, expires);
    return json_pack("{s:s, s:I, s:s}", "organization", root->organization, "version", (json_int_t)root->version,
                     "expires", expires);
}

static json_t *ruling_head(const struct verifying *v)
{
    const struct trust_head *head = v->after ? trust_state_head(v->after) : NULL;
    char expires[CLOCK_RFC3339_SIZE];

    if (!head)
        return json_null();
    clock_format_rfc3339(head->expires_us, expires);
    return json_pack("{s:s, s:I, s:I, s:s}", "group", head->group, "version", (json_int_t)head->version,
                     "policy_version", (json_int_t)head->policy_version, "expires", expires);
}

static void show(struct cli *c, const struct verifying *v)
{
    enum trust_result result = (enum trust_result)v->result;
    const char *hint = verify_hint(result);
    json_t *answer = json_pack("{s:b, s:s, s:s, s:s?, s:s?, s:o, s:o, s:o, s:o, s:o}", "ok", result == TRUST_OK,
                               "result", trust_result_name(result), "message", _(trust_result_text(result)), "detail",
                               *v->complaint.text ? v->complaint.text : NULL, "hint", hint ? _(hint) : NULL,
                               "documents", documents(v), "policy", ruling_policy(v), "root", ruling_root(v), "head",
                               ruling_head(v), "findings", policy_file_findings(&v->findings));

    if (!c->json)
        text_findings(c, v);
    cli_show(c, answer, show_text);
    json_decref(answer);
}

enum cli_exit cli_policy_verify(struct cli *c, const struct cli_arguments *a)
{
    struct verifying v = {
        .path = a->words[0], .findings.translate = i18n_translate, .complaint.translate = i18n_translate};
    enum cli_exit code = imagine_terminal(c, a, &v);

    /* What is too long is never read whole, here as there. */
    if (code == CLI_OK)
        v.result = trust_file_read(c, v.path, TRUST_BUNDLE_MAX, &v.bytes, &v.size, &code);
    if (code == CLI_OK) {
        if (v.result == TRUST_OK)
            v.result =
                trust_apply(v.before, &v.terminal, v.bytes, v.size, &v.after, &v.policy, &v.findings, &v.complaint);
        if (v.result < 0)
            code = trust_file_refused(c, v.path, v.result, NULL);
        else
            show(c, &v);
        if (v.result > 0)
            code = CLI_NO;
    }
    verifying_done(&v);
    return code;
}
