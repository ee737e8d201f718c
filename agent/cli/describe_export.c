/* Owns: putting what an export rule wants beside what is taken out, by whom and whereto. Must not: decide. */
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/describe.h"
#include "policy/show.h"

const struct policy_export_rule *describe_find_export(const struct policy *p, const char *id)
{
    for (size_t i = 0; i < p->n_export; i++)
        if (text_equal(p->export[i].id, id))
            return &p->export[i];
    return NULL;
}

static void show_list(FILE *out, const struct policy_strings *s)
{
    policy_show_strings(out, &(struct policy_strings){.items = s->items, .n = s->n, .op = POLICY_SET_ONE_OF},
                        DESCRIBE_LIST_MAX);
}

static const struct policy_store *store_of(const struct policy *p, int store)
{
    return store >= 0 && (size_t)store < p->n_stores ? &p->stores[store] : NULL;
}

static const char *show_mismatch(const struct sides *s, const struct policy *p, const struct policy_export_rule *r,
                                 const struct decide_export_facts *facts, enum decide_mismatch m)
{
    const struct policy_store *store = store_of(p, facts->store);

    switch (m) {
    case MISMATCH_TO:
        show_list(s->wanted, &r->to);
        (void)fputs(facts->target ? facts->target : "-", s->found);
        break;
    case MISMATCH_FROM:
    case MISMATCH_CLASSES:
        policy_show_sources(s->wanted, r, DESCRIBE_LIST_MAX);
        (void)fputs(store ? store->id : "elsewhere", s->found);
        if (store && store->class_)
            (void)fprintf(s->found, " (%s)", store->class_);
        break;
    default:
        return NULL;
    }
    return decide_mismatch_name(m);
}

void describe_export(const struct policy *p, const struct policy_export_rule *r,
                     const struct decide_export_facts *facts, enum decide_mismatch m, struct described *ret)
{
    struct sides s = {0};
    const char *key = describe_open_sides(&s, ret) ? show_mismatch(&s, p, r, facts, m) : NULL;

    describe_close_sides(&s, ret, key);
}

static const char *show_limit(const struct sides *s, const struct policy_export_rule *r,
                              const struct decide_export_facts *facts)
{
    policy_show_day(s->wanted, r);
    (void)fprintf(s->found, "files %" PRIu64 " + 1, bytes ", facts->day_files);
    policy_show_size(s->found, facts->day_bytes);
    (void)fputs(" + ", s->found);
    policy_show_size(s->found, facts->size);
    return "per-day";
}

static const char *show_reason(const struct sides *s, const struct policy_export_rule *r,
                               const struct decide_export_facts *facts, const char *person, enum verdict_reason reason)
{
    switch (reason) {
    case REASON_SIZE:
        policy_show_size(s->wanted, r->file_max);
        policy_show_size(s->found, facts->size);
        return "file-max";
    case REASON_LIMIT:
        return show_limit(s, r, facts);
    case REASON_FACTOR:
        policy_show_factors(s->wanted, r->factors);
        policy_show_factors(s->found, facts->factors);
        return "factors";
    case REASON_APPROVAL:
        policy_show_approvals(s->wanted, r->approvals, &r->approvers, DESCRIBE_LIST_MAX);
        (void)fprintf(s->found, "%zu", facts->n_approvers);
        return "approvals";
    default:
        return describe_condition(s, reason, &r->who, &r->when, r->until_us, person, &facts->now);
    }
}

/* Nothing may be taken out to what the step before let in. */
static const char *show_target(const struct sides *s, const struct evaluate_steps *steps)
{
    if (steps->n < 2)
        return NULL;
    (void)fputs(policy_allow_name(POLICY_EXPORT), s->wanted);
    (void)fputs(policy_allow_name(steps->items[steps->n - 2].verdict.allow), s->found);
    return "allow";
}

void describe_export_reason(const struct policy *p, const struct evaluate_facts *facts,
                            const struct evaluate_steps *steps, const struct verdict *v, struct described *ret)
{
    const struct policy_export_rule *r = describe_find_export(p, v->rule);
    struct sides s = {0};
    const char *key = NULL;

    if (describe_open_sides(&s, ret) && v->ruled != VERDICT_ALLOW) {
        if (r)
            key = show_reason(&s, r, &steps->export, facts->person, v->reason);
        else if (v->reason == REASON_TARGET)
            key = show_target(&s, steps);
    }
    describe_close_sides(&s, ret, key);
}
