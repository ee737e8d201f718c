/*
 * What policy says of a block device that is an exit. A USB medium follows the rule that authorized its device and that rule's
 * medium conditions; media.rules may then only refuse. Other media: the first of media.rules that matches, else the default of
 * their class.
 */
#include <string.h>

#include "base/text.h"
#include "decide/match.h"

static bool is_luks(const struct decide_medium_facts *facts)
{
    return facts->inside_luks || text_equal(facts->filesystem, "crypto_LUKS");
}

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

/* Conditions: what a selected medium must be. A medium whose filesystem is not known yet fails the filesystem condition, and is
 * decided again when it is. The outer container of a LUKS medium satisfies any filesystem list when LUKS is demanded. */
static enum verdict_reason medium_conditions(const struct policy_medium_match *m,
                                             const struct decide_medium_facts *facts)
{
    if (m->luks_only && !is_luks(facts))
        return REASON_ENCRYPTION;
    if (m->filesystems.n > 0 && !match_strings(&m->filesystems, facts->filesystem) &&
        !(m->luks_only && text_equal(facts->filesystem, "crypto_LUKS")))
        return REASON_FILESYSTEM;
    if (m->capacity_max != 0 && facts->capacity > m->capacity_max)
        return REASON_CAPACITY;
    return REASON_RULE;
}

static enum policy_allow class_default(const struct policy_media *media, const char *bus, const char **ret_rule)
{
    static const struct {
        const char *bus, *rule;
    } classes[] = {
        {"optical", "media.optical"},
        {"mmc", "media.sdcard"},
        {"firewire", "media.firewire"},
        {"thunderbolt", "media.thunderbolt"},
    };
    const enum policy_allow defaults[] = {media->optical, media->sdcard, media->firewire, media->thunderbolt};

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (text_equal(classes[i].bus, bus)) {
            *ret_rule = classes[i].rule;
            return defaults[i];
        }
    *ret_rule = "media.other";
    return media->other;
}

/* media.rules from the first: 1 and the verdict when one matches. */
static bool by_medium_rules(const struct policy *p, const struct decide_medium_facts *facts, struct verdict *ret)
{
    for (size_t i = 0; i < p->media.n_rules; i++) {
        const struct policy_medium_rule *r = &p->media.rules[i];
        enum verdict_reason reason;

        if (select_medium(&r->match, facts) != MISMATCH_NONE)
            continue;
        reason = medium_conditions(&r->match, facts);
        if (reason == REASON_RULE)
            reason = match_conditions(&r->who, &r->when, r->until_us, facts->persons, facts->n_persons, &facts->now);
        verdict_set(ret, p, r->monitor, r->id, reason == REASON_RULE ? r->allow : POLICY_REFUSE, reason);
        return true;
    }
    return false;
}

static const struct policy_usb_rule *find_usb_rule(const struct policy *p, const char *id)
{
    for (size_t i = 0; i < p->n_usb; i++)
        if (text_equal(p->usb[i].id, id))
            return &p->usb[i];
    return NULL;
}

static void by_usb_rule(const struct policy *p, const struct policy_usb_rule *r,
                        const struct decide_medium_facts *facts, struct verdict *ret)
{
    enum verdict_reason reason = REASON_RULE;

    /* The rule's selectors for media are conditions here: the device is selected already. */
    if (select_medium(&r->medium, facts) != MISMATCH_NONE)
        reason = REASON_FILESYSTEM;
    if (reason == REASON_RULE)
        reason = medium_conditions(&r->medium, facts);
    if (reason == REASON_RULE)
        reason = match_conditions(&r->who, &r->when, r->until_us, facts->persons, facts->n_persons, &facts->now);
    /* "use" of a storage device is reading it: media are never written. */
    verdict_set(ret, p, r->monitor, r->id,
                reason != REASON_RULE    ? POLICY_REFUSE
                : r->allow == POLICY_USE ? POLICY_READ
                                         : r->allow,
                reason);
}

void decide_medium(const struct policy *p, const struct decide_medium_facts *facts, struct verdict *ret)
{
    struct verdict refined;

    if (facts->usb_rule) {
        const struct policy_usb_rule *r = find_usb_rule(p, facts->usb_rule);

        if (!r) {
            verdict_set(ret, p, false, "default", POLICY_REFUSE, REASON_DEFAULT);
            return;
        }
        by_usb_rule(p, r, facts, ret);
        if (ret->ruled == VERDICT_ALLOW && by_medium_rules(p, facts, &refined) && refined.ruled == VERDICT_DENY)
            *ret = refined;
        return;
    }
    if (!by_medium_rules(p, facts, ret)) {
        const char *rule = "default";
        enum policy_allow allow = class_default(&p->media, facts->bus, &rule);

        verdict_set(ret, p, false, rule, allow, REASON_RULE);
    }
}
