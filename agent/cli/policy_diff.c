/*
 * kuraban policy diff: what a new policy changes for people, devices and stores. Takes documents, signed documents and bundles;
 * needs neither root nor a daemon. Owns: reading both, the answer. Must not: compare (policy/diff), check signatures (verify).
 */
#include "cli/policy_diff.h"

#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/policy_source.h"
#include "json/whole.h"
#include "policy/diff/diff.h"
#include "policy/findings.h"

enum {
    BEFORE,
    AFTER,
    SIDES
};

/* --- reading --- */

/* Of a document with errors nobody can say what it changes; exit code 1 is taken for "differs". */
static enum cli_exit load(struct cli *c, const struct policy_source *source, struct policy **ret)
{
    struct policy_findings findings = {.translate = i18n_translate};
    int r = policy_load(source->name, source->bytes, source->size, &findings, ret);

    if (r > 0)
        policy_findings_print(&findings, c->err, source->name, source->bytes, source->size);
    else if (r < 0)
        cli_error(c, "%s", strerror(-r));
    policy_findings_done(&findings);
    return r == 0 ? CLI_OK : CLI_FAILED;
}

static enum cli_exit read_side(struct cli *c, const char *path, struct policy_version *v, struct policy **ret)
{
    struct policy_source source = {0};
    enum cli_exit code = policy_source_read(c, path, &source);

    if (code == CLI_OK)
        code = load(c, &source, ret);
    v->file = path;
    v->is_signed = source.is_signed;
    policy_source_done(&source);
    return code == CLI_NO ? CLI_FAILED : code;
}

/* --- the answer --- */

static json_t *describe_side(const struct policy_version *v)
{
    char hex[DIGEST_HEX_SIZE];

    digest_to_hex(&v->policy->sha256, hex);
    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:b}", "file", v->file, "organization", v->policy->organization, "name",
                     v->policy->name, "version", (json_int_t)v->policy->version, "sha256", hex, "signed", v->is_signed);
}

static struct policy_position find_position(const struct policy *p, const char *id)
{
    const struct policy_usb_rule *usb = policy_find_usb_rule(p, id);
    const struct policy_medium_rule *medium = policy_find_medium_rule(p, id);

    for (size_t i = 0; !usb && !medium && i < p->n_export; i++)
        if (text_equal(p->export[i].id, id))
            return p->export[i].at;
    for (size_t i = 0; !usb && !medium && i < p->n_stores; i++)
        if (text_equal(p->stores[i].id, id))
            return p->stores[i].at;
    return usb ? usb->at : medium ? medium->at : (struct policy_position){0};
}

/* Class defaults and "default" stand nowhere. */
static json_t *describe_rules(const struct diff_list *rules, const struct policy *p)
{
    json_t *array = json_array();

    for (size_t i = 0; i < rules->n; i++) {
        struct policy_position at = find_position(p, rules->items[i]);
        json_t *rule = json_pack("{s:s}", "id", rules->items[i]);

        whole_set(&rule, "line", at.line > 0 ? json_integer(at.line) : json_null());
        whole_set(&rule, "column", at.line > 0 ? json_integer(at.column) : json_null());
        whole_add(&array, rule);
    }
    return array;
}

static json_t *describe_change(const struct diff_change *change, const struct policy_version *const sides[SIDES])
{
    json_t *details = json_array(), *devices = json_array();

    for (size_t i = 0; i < change->n_details; i++) {
        const struct diff_detail *d = &change->details[i];

        whole_add(&details, json_pack("{s:s, s:s?, s:s?, s:s}", "key", d->key, "before", d->before, "after", d->after,
                                      "effect", diff_effect_name(d->effect)));
    }
    for (size_t i = 0; i < change->devices.n; i++)
        whole_add(&devices, json_string(change->devices.items[i]));
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "effect", diff_effect_name(change->effect), "area",
                     diff_area_name(change->area), "kind", diff_kind_name(change->kind), "subject", change->subject,
                     "details", details, "devices", devices, "rules_before",
                     describe_rules(&change->rules_before, sides[BEFORE]->policy), "rules_after",
                     describe_rules(&change->rules_after, sides[AFTER]->policy));
}

json_t *policy_diff_answer(const struct policy_version *before, const struct policy_version *after)
{
    const struct policy_version *const sides[SIDES] = {before, after};
    struct diff *d = NULL;
    json_t *answer, *changes;

    if (diff_policies(before->policy, after->policy, NULL, &d) < 0)
        return NULL;
    changes = json_array();
    for (size_t i = 0; i < d->n; i++)
        whole_add(&changes, describe_change(&d->items[i], sides));
    answer = json_pack("{s:b, s:b, s:o, s:o}", "same", d->n == 0, "complete", !d->incomplete, "before",
                       describe_side(before), "after", describe_side(after));
    for (unsigned e = 0; answer && e < DIFF_EFFECT_COUNT_; e++)
        whole_set(&answer, diff_effect_name((enum diff_effect)e), json_integer((json_int_t)d->n_effect[e]));
    if (answer)
        whole_set(&answer, "changes", json_incref(changes));
    json_decref(changes);
    (void)diff_free(d);
    return answer;
}

static enum cli_exit compare(struct cli *c, const struct policy_version sides[SIDES])
{
    json_t *answer = policy_diff_answer(&sides[BEFORE], &sides[AFTER]);
    enum cli_exit code;

    if (!answer) {
        cli_error(c, _("the answer could not be put together"));
        return CLI_FAILED;
    }
    cli_show(c, answer, policy_diff_text);
    code = json_is_true(json_object_get(answer, "same")) ? CLI_OK : CLI_NO;
    json_decref(answer);
    return code;
}

enum cli_exit cli_policy_diff(struct cli *c, const struct cli_arguments *a)
{
    struct policy_version sides[SIDES] = {{0}};
    struct policy *policies[SIDES] = {NULL};
    enum cli_exit code = CLI_OK;

    for (unsigned side = 0; code == CLI_OK && side < SIDES; side++) {
        code = read_side(c, a->words[side], &sides[side], &policies[side]);
        sides[side].policy = policies[side];
    }
    if (code == CLI_OK)
        code = compare(c, sides);
    for (unsigned side = 0; side < SIDES; side++)
        (void)policy_unref(policies[side]);
    return code;
}
