/*
 * Owns: what is legal in the section `export` and in `unlock` but likely not meant.
 * Must not: refuse anything: a warning never stops a policy from ruling.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/index.h"
#include "policy/load.h"
#include "policy/warn.h"

static bool has_name(const struct policy_strings *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (text_equal(names->items[i], name))
            return true;
    return false;
}

/* --- what rules refer to, told where it is written --- */

static const struct yaml_node_s *item_of(struct doc *d, const struct yaml_node_s *node, size_t i)
{
    return doc_kind(node) == DOC_IS_LIST ? doc_item(d, node, i) : node;
}

static int hint_near_target(struct doc *d, const struct policy *p, const char *written)
{
    _cleanup_free_ struct doc_choice *known = calloc(p->n_usb + p->media.n_rules + 1, sizeof(*known));
    size_t n = 0;

    if (!known)
        return -1;
    for (size_t i = 0; i < p->n_usb; i++)
        if (p->usb[i].allow == POLICY_EXPORT)
            known[n++].name = p->usb[i].id;
    for (size_t i = 0; i < p->media.n_rules; i++)
        if (p->media.rules[i].allow == POLICY_EXPORT)
            known[n++].name = p->media.rules[i].id;
    doc_hint_near(d, written, known);
    return 0;
}

static void check_target(struct doc *d, const struct yaml_node_s *node, const struct policy *p)
{
    const char *id = doc_text(node);
    const struct policy_usb_rule *usb = policy_find_usb_rule(p, id);
    const struct policy_medium_rule *medium = policy_find_medium_rule(p, id);

    if ((usb && usb->allow == POLICY_EXPORT) || (medium && medium->allow == POLICY_EXPORT))
        return;
    if (usb || medium) {
        doc_warning(d, node, N_("rule '%s' does not allow export: nothing is taken out there"), id);
        doc_hint(d, N_("write 'allow: export' in line %u"), usb ? usb->at.line : medium->at.line);
        return;
    }
    doc_warning(d, node, N_("there is no USB or media rule '%s'"), id);
    (void)hint_near_target(d, p, id);
}

static void check_store(struct doc *d, const struct yaml_node_s *node, const struct policy *p)
{
    struct doc_choice known[LOAD_STORES_MAX + 1] = {{NULL, 0}};
    const char *id = doc_text(node);

    if (text_equal(id, LOAD_ELSEWHERE))
        return;
    for (size_t i = 0; i < p->n_stores && i < LOAD_STORES_MAX; i++) {
        if (text_equal(p->stores[i].id, id))
            return;
        known[i].name = p->stores[i].id;
    }
    doc_warning(d, node, N_("there is no store '%s'"), id);
    doc_hint_near(d, id, known);
}

static void check_class(struct doc *d, const struct yaml_node_s *node, const struct policy *p)
{
    for (size_t i = 0; i < p->n_stores; i++)
        if (text_equal(p->stores[i].class_, doc_text(node)))
            return;
    doc_warning(d, node, N_("no store is of class '%s'"), doc_text(node));
}

void load_check_references(struct doc *d, const struct policy *p)
{
    static const struct {
        const char *key;
        void (*check)(struct doc *d, const struct yaml_node_s *node, const struct policy *p);
    } keys[] = {{"to", check_target}, {"from", check_store}, {"classes", check_class}};
    const struct yaml_node_s *list = doc_find(d, doc_root(d), "export");

    for (size_t i = 0; list && i < p->n_export; i++)
        for (size_t k = 0; k < ELEMENTS(keys); k++) {
            const struct yaml_node_s *node = doc_find(d, doc_item(d, list, i), keys[k].key);
            size_t n = !node ? 0 : doc_kind(node) == DOC_IS_LIST ? doc_count(node) : 1;

            for (size_t j = 0; j < n && !policy_findings_full(doc_findings(d)); j++)
                keys[k].check(d, item_of(d, node, j), p);
        }
}

/* --- rules that never decide --- */

enum {
    COMPARISONS_MAX = 1000000 /* a document of the largest size must load in well under a second */
};

/* store n_stores: in none. */
static bool speaks_of(const struct policy *p, const struct policy_export_rule *r, size_t store)
{
    if (store == p->n_stores)
        return r->elsewhere;
    return has_name(&r->from, p->stores[store].id) ||
           (p->stores[store].class_ && has_name(&r->classes, p->stores[store].class_));
}

/* The first earlier rule that decides what this one says of the target and the store; NULL: none, or not found in time. */
static const struct policy_export_rule *earlier(const struct policy *p, size_t rule, const char *target, size_t store,
                                                size_t *budget)
{
    for (size_t i = 0; i < rule; i++) {
        size_t cost = p->export[i].to.n + p->export[i].from.n + 1;

        if (*budget < cost)
            return NULL;
        *budget -= cost;
        if (has_name(&p->export[i].to, target) && speaks_of(p, &p->export[i], store))
            return &p->export[i];
    }
    return NULL;
}

/* All that the rule speaks of is decided before it: by *ret_first, at the end. */
static bool is_shadowed(const struct policy *p, size_t rule, size_t *budget, const struct policy_export_rule **ret_by)
{
    const struct policy_export_rule *r = &p->export[rule], *by = NULL;
    bool any = false;

    for (size_t store = 0; store <= p->n_stores; store++) {
        if (!speaks_of(p, r, store))
            continue;
        for (size_t i = 0; i < r->to.n; i++) {
            by = earlier(p, rule, r->to.items[i], store, budget);
            if (!by)
                return false;
            any = true;
        }
    }
    *ret_by = by;
    return any;
}

static void warn_shadows(const struct policy *p, struct policy_findings *f)
{
    size_t budget = COMPARISONS_MAX;

    for (size_t i = 1; i < p->n_export && !policy_findings_full(f); i++) {
        const struct policy_export_rule *by = NULL;

        if (!is_shadowed(p, i, &budget, &by))
            continue;
        policy_findings_add(f, POLICY_WARNING, p->export[i].at,
                            N_("rule '%s' can never decide: earlier export rules speak of all it does"),
                            p->export[i].id);
        policy_findings_hint(f, N_("'%s' stands in line %u; first match wins"), by->id, by->at.line);
    }
}

/* --- single rules --- */

/* How many others could approve at most; SIZE_MAX: not known from the names. */
static size_t others(const struct policy_who *approvers, const struct policy_who *who)
{
    size_t n = approvers->users.n;

    if (!approvers->restricted || approvers->groups.n > 0)
        return SIZE_MAX;
    if (who->restricted && who->groups.n == 0 && who->users.n == 1 && has_name(&approvers->users, who->users.items[0]))
        n--;
    return n;
}

static void warn_approvals(struct policy_findings *f, const char *id, struct policy_position at, unsigned approvals,
                           const struct policy_who *approvers, const struct policy_who *who)
{
    size_t n = others(approvers, who);

    if (n >= approvals)
        return;
    policy_findings_add(f, POLICY_WARNING, at,
                        N_("rule '%s' can never permit: it wants %u approvals, and %zu other people may approve"), id,
                        approvals, n);
}

/* Media that a target stands for, when it demands LUKS of them. */
static bool demands_luks(const struct policy *p, const char *target)
{
    const struct policy_usb_rule *usb = policy_find_usb_rule(p, target);
    const struct policy_medium_rule *medium = policy_find_medium_rule(p, target);

    return usb ? usb->medium.luks_only : medium && medium->match.luks_only;
}

static void warn_container(const struct policy *p, const struct policy_export_rule *r, struct policy_findings *f)
{
    for (size_t i = 0; i < r->to.n && r->container == POLICY_CONTAINER_PLAIN; i++) {
        if (demands_luks(p, r->to.items[i]))
            continue;
        policy_findings_add(f, POLICY_WARNING, r->at, N_("rule '%s' lets files out unencrypted, to '%s'"), r->id,
                            r->to.items[i]);
        policy_findings_hint(f, N_("let 'container' be zip-aes256, unless it is meant so"));
        return;
    }
}

static void warn_rule(const struct policy *p, const struct policy_export_rule *r, struct policy_findings *f)
{
    if (r->content) {
        policy_findings_add(f, POLICY_WARNING, r->at,
                            N_("rule '%s' refuses everything: this version cannot look into files yet"), r->id);
        policy_findings_hint(f, N_("leave 'content' out to let files leave unseen"));
    }
    warn_approvals(f, r->id, r->at, r->approvals, &r->approvers, &r->who);
    warn_container(p, r, f);
}

static bool is_named(const struct policy *p, const char *id)
{
    for (size_t i = 0; i < p->n_export; i++)
        if (has_name(&p->export[i].to, id))
            return true;
    return false;
}

static void warn_target(const struct policy *p, const char *id, struct policy_position at, struct policy_findings *f)
{
    if (is_named(p, id))
        return;
    policy_findings_add(f, POLICY_WARNING, at, N_("rule '%s' allows export, and no export rule names it"), id);
    policy_findings_hint(f, N_("as it stands its media are only read: add a rule to 'export', or write 'allow: read'"));
}

static void warn_targets(const struct policy *p, struct policy_findings *f)
{
    for (size_t i = 0; i < p->n_usb && !policy_findings_full(f); i++)
        if (p->usb[i].allow == POLICY_EXPORT)
            warn_target(p, p->usb[i].id, p->usb[i].at, f);
    for (size_t i = 0; i < p->media.n_rules && !policy_findings_full(f); i++)
        if (p->media.rules[i].allow == POLICY_EXPORT)
            warn_target(p, p->media.rules[i].id, p->media.rules[i].at, f);
}

static void warn_unlocks(const struct policy *p, struct policy_findings *f)
{
    for (size_t i = 0; i < p->n_usb && !policy_findings_full(f); i++)
        warn_approvals(f, p->usb[i].id, p->usb[i].at, p->usb[i].unlock.approvals, &p->usb[i].unlock.approvers,
                       &p->usb[i].who);
    for (size_t i = 0; i < p->media.n_rules && !policy_findings_full(f); i++) {
        const struct policy_medium_rule *r = &p->media.rules[i];

        warn_approvals(f, r->id, r->at, r->unlock.approvals, &r->unlock.approvers, &r->who);
    }
}

void policy_warn_export(const struct policy *p, struct policy_findings *findings)
{
    for (size_t i = 0; i < p->n_export && !policy_findings_full(findings); i++)
        warn_rule(p, &p->export[i], findings);
    warn_shadows(p, findings);
    warn_targets(p, findings);
    warn_unlocks(p, findings);
}
