/*
 * What policy says of a block device that is an exit. A USB medium follows the rule that authorized its device and that rule's
 * medium conditions; media.rules may then only refuse. Other media: the first of media.rules that matches, else the default of
 * their class.
 */
#include <string.h>

#include "base/text.h"
#include "decide/match.h"
#include "policy/index.h"

#define LUKS "crypto_LUKS"

/* Selectors: does the rule speak of this medium at all? */
static enum decide_mismatch select_medium(const struct policy_medium_match *m, const struct decide_medium_facts *facts)
{
    if (!match_strings(&m->buses, facts->bus))
        return MISMATCH_BUS;
    if (!match_patterns(&m->paths, facts->node))
        return MISMATCH_PATH;
    if (!match_strings(&m->serials, facts->serial))
        return MISMATCH_SERIAL;
    if (!match_strings(&m->labels, facts->label))
        return MISMATCH_LABEL;
    if (!match_strings(&m->uuids, facts->uuid))
        return MISMATCH_UUID;
    return MISMATCH_NONE;
}

enum decide_mismatch decide_medium_mismatch(const struct policy *p, size_t i, const struct decide_medium_facts *facts)
{
    const struct policy_medium_rule *r = &p->media.rules[i];
    enum decide_mismatch m = select_medium(&r->match, facts);

    if (m != MISMATCH_NONE || r->allow != POLICY_REFUSE)
        return m;
    return match_refusal(&r->who, &r->when, r->until_us, facts->persons, facts->n_persons, &facts->now);
}

static bool names_only_luks(const struct policy_strings *filesystems)
{
    return filesystems->n == 1 && filesystems->op != POLICY_SET_NONE_OF && text_equal(filesystems->items[0], LUKS);
}

/* A medium whose filesystem is not known yet fails, and is decided again when it is. A LUKS container passes for what is inside
 * it when LUKS is demanded; what is inside passes where the container alone is named. */
static bool is_permitted_filesystem(const struct policy_medium_match *m, const struct decide_medium_facts *facts)
{
    if (m->filesystems.n == 0 || (m->luks_only && text_equal(facts->filesystem, LUKS)))
        return true;
    if (facts->inside_luks && names_only_luks(&m->filesystems))
        return true;
    return facts->filesystem && *facts->filesystem && match_strings(&m->filesystems, facts->filesystem);
}

/* Conditions: what a selected medium must be. */
static enum verdict_reason medium_conditions(const struct policy_medium_match *m,
                                             const struct decide_medium_facts *facts)
{
    if (m->luks_only && !facts->inside_luks && !text_equal(facts->filesystem, LUKS))
        return REASON_ENCRYPTION;
    if (!is_permitted_filesystem(m, facts))
        return REASON_FILESYSTEM;
    if (m->capacity_max != 0 && (facts->capacity == 0 || facts->capacity > m->capacity_max))
        return REASON_CAPACITY;
    return REASON_RULE;
}

/* USB media have no class: without their device's rule nothing speaks for them. */
static enum policy_allow class_default(const struct policy_media *media, const char *bus, const char **ret_rule)
{
    const struct {
        const char *bus, *rule;
        enum policy_allow allow;
    } classes[] = {
        {"optical", "media.optical", media->optical},    {"mmc", "media.sdcard", media->sdcard},
        {"firewire", "media.firewire", media->firewire}, {"thunderbolt", "media.thunderbolt", media->thunderbolt},
        {"loop", "media.other", media->other},           {"other", "media.other", media->other},
    };

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (text_equal(classes[i].bus, bus)) {
            *ret_rule = classes[i].rule;
            return classes[i].allow == POLICY_USE ? POLICY_READ : classes[i].allow;
        }
    *ret_rule = "default";
    return POLICY_REFUSE;
}

/* What was unlocked is unlocked for one person. */
static void add_holder(struct verdict *v, const struct policy_unlock *unlock, uid_t holder)
{
    if (unlock->needed && v->ruled == VERDICT_ALLOW)
        v->holders[v->n_holders++] = holder;
}

static void by_medium_rule(const struct policy *p, const struct policy_medium_rule *r,
                           const struct decide_medium_facts *facts, struct verdict *ret)
{
    enum policy_allow allow = r->allow == POLICY_USE ? POLICY_READ : r->allow;
    enum verdict_reason reason = REASON_RULE;

    if (r->allow != POLICY_REFUSE)
        reason = medium_conditions(&r->match, facts);
    if (reason == REASON_RULE && r->allow != POLICY_REFUSE)
        reason = match_conditions(&r->who, &r->when, r->until_us, facts->persons, facts->n_persons, &facts->now);
    if (reason == REASON_RULE && r->allow != POLICY_REFUSE)
        reason = match_unlock(&r->unlock, facts->granted);
    verdict_set(ret, p, r->monitor, r->id, reason == REASON_RULE ? allow : POLICY_REFUSE, reason);
    add_holder(ret, &r->unlock, facts->granted_to);
    ret->exec = ret->ruled == VERDICT_ALLOW && (r->has_exec ? r->exec : p->media.exec);
}

void decide_medium_candidates(const struct policy *p, const struct decide_medium_facts *facts,
                              struct policy_candidates *ret)
{
    const struct policy_values values = {.text = {[POLICY_KEY_UUID] = facts->uuid ? facts->uuid : "",
                                                  [POLICY_KEY_SERIAL] = facts->serial ? facts->serial : "",
                                                  [POLICY_KEY_LABEL] = facts->label ? facts->label : ""}};

    policy_candidates_init(ret, p->media_index, p->media.n_rules, &values);
}

/* media.rules from the first: true and the verdict when one decides. *depends is set when a rule that speaks of the medium
 * depends on who or when, whether it decided or was passed over. */
static bool by_medium_rules(const struct policy *p, const struct decide_medium_facts *facts, struct verdict *ret,
                            bool *depends)
{
    struct policy_candidates c;
    size_t i;

    decide_medium_candidates(p, facts, &c);
    while (policy_candidates_next(&c, &i)) {
        const struct policy_medium_rule *r = &p->media.rules[i];

        if (select_medium(&r->match, facts) != MISMATCH_NONE)
            continue;
        *depends = *depends || match_depends(&r->who, &r->when, r->until_us) || r->unlock.needed;
        if (decide_medium_mismatch(p, i, facts) != MISMATCH_NONE)
            continue;
        by_medium_rule(p, r, facts, ret);
        return true;
    }
    return false;
}

static void by_usb_rule(const struct policy *p, const struct policy_usb_rule *r,
                        const struct decide_medium_facts *facts, struct verdict *ret)
{
    /* "use" of a storage device is reading it: media are never written. */
    enum policy_allow allow = r->allow == POLICY_USE ? POLICY_READ : r->allow;
    enum verdict_reason reason = REASON_RULE;

    /* The rule's selectors for media are conditions here: the device is selected already. */
    if (r->allow != POLICY_REFUSE && select_medium(&r->medium, facts) != MISMATCH_NONE)
        reason = REASON_FILESYSTEM;
    if (reason == REASON_RULE && r->allow != POLICY_REFUSE)
        reason = medium_conditions(&r->medium, facts);
    if (reason == REASON_RULE && r->allow != POLICY_REFUSE)
        reason = match_conditions(&r->who, &r->when, r->until_us, facts->persons, facts->n_persons, &facts->now);
    if (reason == REASON_RULE && r->allow != POLICY_REFUSE)
        reason = match_unlock(&r->unlock, facts->usb_granted);
    verdict_set(ret, p, r->monitor, r->id, reason == REASON_RULE ? allow : POLICY_REFUSE, reason);
    add_holder(ret, &r->unlock, facts->usb_granted_to);
    ret->exec = ret->ruled == VERDICT_ALLOW && p->media.exec;
}

/* The refusal is to be recorded and nothing more: what the device's rule grants, and restricts, stays as it is. */
static void note_refusal(struct verdict *v, const struct verdict *refined)
{
    strncpy(v->medium_rule, v->rule, sizeof(v->medium_rule) - 1);
    v->ruled = VERDICT_DENY;
    v->rule = refined->rule;
    v->reason = refined->reason;
}

/* What the device's rule permits, a media rule may take away again, or make less of. */
static void refine(struct verdict *v, const struct verdict *refined)
{
    /* Refused already, if only for the record. */
    if (v->ruled == VERDICT_DENY) {
        if (refined->kind == VERDICT_DENY)
            *v = *refined;
        return;
    }
    if (refined->ruled == VERDICT_DENY && refined->kind == VERDICT_ALLOW && !v->monitor) {
        note_refusal(v, refined);
        return;
    }
    if (refined->ruled == VERDICT_DENY) {
        *v = *refined;
        return;
    }
    strncpy(v->medium_rule, refined->rule, sizeof(v->medium_rule) - 1);
    if (refined->n_holders > 0)
        v->holders[v->n_holders++] = refined->holders[0];
    if (refined->allow == POLICY_READ)
        v->allow = POLICY_READ;                  /* less than EXPORT */
    v->monitor = v->monitor && refined->monitor; /* what either refuses in force is refused */
    v->exec = refined->exec;
}

static void decide_usb_medium(const struct policy *p, const struct decide_medium_facts *facts, struct verdict *ret)
{
    const struct policy_usb_rule *r = policy_find_usb_rule(p, facts->usb_rule);
    struct verdict refined;
    bool depends;

    if (!r) {
        verdict_set(ret, p, false, "default", POLICY_REFUSE, REASON_DEFAULT);
        return;
    }
    by_usb_rule(p, r, facts, ret);
    depends = match_depends(&r->who, &r->when, r->until_us) || r->unlock.needed;
    if (ret->kind == VERDICT_ALLOW && by_medium_rules(p, facts, &refined, &depends))
        refine(ret, &refined);
    ret->cacheable = !depends;
}

void decide_medium(const struct policy *p, const struct decide_medium_facts *facts, struct verdict *ret)
{
    const char *rule = "default";
    bool depends = false;

    if (!facts->bus || !*facts->bus) {
        verdict_set(ret, p, false, rule, POLICY_REFUSE, REASON_UNKNOWN);
        return;
    }
    if (facts->usb_rule) {
        decide_usb_medium(p, facts, ret);
        return;
    }
    if (!by_medium_rules(p, facts, ret, &depends)) {
        enum policy_allow allow = class_default(&p->media, facts->bus, &rule);

        verdict_set(ret, p, false, rule, allow, text_equal(rule, "default") ? REASON_DEFAULT : REASON_RULE);
        ret->exec = ret->ruled == VERDICT_ALLOW && p->media.exec;
    }
    ret->cacheable = !depends;
}
