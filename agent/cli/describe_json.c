/* Owns: a decided step as JSON, the keys of which kuraban(1) promises. Must not: decide. */
#include <jansson.h>
#include <stdlib.h>

#include "base/text.h"
#include "cli/describe.h"
#include "json/whole.h"
#include "policy/show.h"

/* New references; what is absent or no UTF-8 is null in the object. */
static json_t *string_or_null(const char *s)
{
    json_t *string = s ? json_string(s) : NULL;

    return string ? string : json_null();
}

static void add_described(json_t **object, struct described *d)
{
    whole_set(object, "key", string_or_null(d->key));
    whole_set(object, "wanted", string_or_null(d->key ? d->wanted : NULL));
    whole_set(object, "found", string_or_null(d->key ? d->found : NULL));
    described_done(d);
}

static json_t *describe_rule(const char *section, const char *id, const char *name, struct policy_position at,
                             bool decides, enum decide_mismatch m)
{
    return json_pack("{s:s, s:s, s:s?, s:i, s:i, s:b, s:s}", "section", section, "id", id, "name", name, "line",
                     (int)at.line, "column", (int)at.column, "decides", decides, "mismatch", decide_mismatch_name(m));
}

static void add_usb_rules(json_t **rules, const struct policy *p, const struct evaluate_facts *f,
                          const struct verdict *v)
{
    for (size_t i = 0; i < p->n_usb; i++) {
        const struct policy_usb_rule *r = &p->usb[i];
        enum decide_mismatch m = decide_usb_mismatch(p, i, &f->usb);
        json_t *rule = describe_rule("usb", r->id, r->name, r->at, text_equal(r->id, v->rule), m);
        struct described d = {0};

        describe_usb(r, f, m, &d);
        add_described(&rule, &d);
        whole_add(rules, rule);
    }
}

static void add_media_rules(json_t **rules, const struct policy *p, const struct evaluate_facts *f,
                            const struct decide_medium_facts *medium, const struct verdict *v)
{
    for (size_t i = 0; i < p->media.n_rules; i++) {
        const struct policy_medium_rule *r = &p->media.rules[i];
        enum decide_mismatch m = decide_medium_mismatch(p, i, medium);
        bool decides = text_equal(r->id, v->rule) || text_equal(r->id, v->medium_rule);
        json_t *rule = describe_rule("media.rules", r->id, r->name, r->at, decides, m);
        struct described d = {0};

        describe_medium(r, f, medium, m, &d);
        add_described(&rule, &d);
        whole_add(rules, rule);
    }
}

static void add_export_rules(json_t **rules, const struct policy *p, const struct decide_export_facts *facts,
                             const struct verdict *v)
{
    for (size_t i = 0; i < p->n_export; i++) {
        const struct policy_export_rule *r = &p->export[i];
        enum decide_mismatch m = decide_export_mismatch(p, i, facts->target, facts->store);
        json_t *rule = describe_rule("export", r->id, r->name, r->at, text_equal(r->id, v->rule), m);
        struct described d = {0};

        describe_export(p, r, facts, m, &d);
        add_described(&rule, &d);
        whole_add(rules, rule);
    }
}

/* What the deciding rule asks for and how files leave. */
static void add_demands(json_t **object, const struct policy_export_rule *r)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = r ? open_memstream(&text, &size) : NULL;

    if (out)
        policy_show_demands(out, r, DESCRIBE_LIST_MAX);
    if (out && fclose(out) != 0) {
        free(text);
        text = NULL;
    }
    whole_set(object, "demands", string_or_null(text));
    free(text);
}

/* Of a rule, media rule, export rule or store; class defaults and "default" have neither name nor place. */
static void add_rule_itself(json_t **object, const struct policy *p, const char *file, const char *id)
{
    const struct policy_usb_rule *usb = policy_find_usb_rule(p, id);
    const struct policy_medium_rule *medium = policy_find_medium_rule(p, id);
    const struct policy_store *store = describe_find_store(p, id);
    const struct policy_export_rule *export = describe_find_export(p, id);
    const char *name = NULL;
    struct policy_position at = {0};

    if (usb) {
        name = usb->name;
        at = usb->at;
    } else if (medium) {
        name = medium->name;
        at = medium->at;
    } else if (export) {
        name = export->name;
        at = export->at;
    } else if (store) {
        name = store->name;
        at = store->at;
    }
    whole_set(object, "name", string_or_null(name));
    whole_set(object, "position",
              at.line > 0 ? json_pack("{s:o, s:i, s:i}", "file", string_or_null(file), "line", (int)at.line, "column",
                                      (int)at.column)
                          : json_null());
}

json_t *evaluate_describe(const struct policy *p, const char *file, const struct evaluate_facts *facts,
                          const struct evaluate_steps *steps, size_t i)
{
    const struct evaluate_step *step = &steps->items[i];
    const struct verdict *v = &step->verdict;
    const char *rule = v->rule ? v->rule : "default";
    struct described d = {0};
    json_t *rules = json_array();
    json_t *object =
        json_pack("{s:s, s:b, s:s, s:s, s:s, s:s, s:b}", "object", evaluate_object_name(step->object), "guarded", 1,
                  "verdict", verdict_kind_name(v->kind), "granted", policy_allow_name(v->allow), "rule", rule, "reason",
                  verdict_reason_name(v->reason), "would_refuse", v->kind != v->ruled);

    if (step->object == EVALUATE_USB)
        add_usb_rules(&rules, p, facts, v);
    if (step->object == EVALUATE_MEDIUM)
        add_media_rules(&rules, p, facts, &steps->medium, v);
    if (step->object == EVALUATE_EXPORT) {
        add_export_rules(&rules, p, &steps->export, v);
        add_demands(&object, describe_find_export(p, rule));
    }
    add_rule_itself(&object, p, file, rule);
    describe_reason(p, facts, steps, i, &d);
    add_described(&object, &d);
    whole_set(&object, "rules", rules);
    return object;
}
