/*
 * Owns: what is legal in a policy but likely not meant.
 * Must not: refuse anything: a warning never stops a policy from ruling.
 */
#include "policy/warn.h"

#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/covers.h"
#include "policy/index.h"
#include "policy/show.h"

#define DAY_US INT64_C(86400000000)

/* What shadows are told by; of a USB rule or a media rule. */
struct part {
    const char *id;
    struct policy_position at;
    enum policy_allow allow;
    struct covers_conditions conditions;
};

static struct part usb_part(const struct policy_usb_rule *r)
{
    return (struct part){r->id, r->at, r->allow, {&r->who, &r->when, r->until_us}};
}

static struct part medium_part(const struct policy_medium_rule *r)
{
    return (struct part){r->id, r->at, r->allow, {&r->who, &r->when, r->until_us}};
}

/* `first` matches all that `later` does. A refusing rule that depends on person or time lets what it does not refuse go on to the
 * next one; every other decides whatever it matches. true: told. */
static bool tell_shadow(struct policy_findings *f, const struct part *first, const struct part *later)
{
    const struct covers_conditions *c = &first->conditions;
    bool always = first->allow != POLICY_REFUSE || (!c->who->restricted && !c->when->restricted && c->until_us == 0);

    if (!always && !covers_conditions(c, &later->conditions))
        return false;
    if (always || later->allow == POLICY_REFUSE)
        policy_findings_add(f, POLICY_WARNING, later->at, N_("rule '%s' can never decide: '%s' matches all it matches"),
                            later->id, first->id);
    else
        policy_findings_add(f, POLICY_WARNING, later->at,
                            N_("rule '%s' can never permit: '%s' refuses whenever it would"), later->id, first->id);
    policy_findings_hint(f, N_("'%s' stands in line %u; first match wins"), first->id, first->at.line);
    return true;
}

/* A rule that matches all a later one does is proposed for any device the later one matches: for its first serial, for instance. */
static const char *any_of(const struct policy_strings *set)
{
    return set->n > 0 && policy_is_choice(set->op, set->n) ? set->items[0] : NULL;
}

static struct policy_values values_of_usb(const struct policy_usb_match *m)
{
    struct policy_values values = {.text = {[POLICY_KEY_HASH] = any_of(&m->hashes),
                                            [POLICY_KEY_USBGUARD_HASH] = any_of(&m->usbguard_hashes),
                                            [POLICY_KEY_USBGUARD_PARENT_HASH] = any_of(&m->usbguard_parent_hashes),
                                            [POLICY_KEY_SERIAL] = any_of(&m->serials),
                                            [POLICY_KEY_NAME] = any_of(&m->names),
                                            [POLICY_KEY_PORT] = any_of(&m->ports),
                                            [POLICY_KEY_PARENT_HASH] = any_of(&m->parent_hashes)}};

    if (m->devices.n > 0 && policy_is_choice(m->devices.op, m->devices.n) && !m->devices.items[0].any_product) {
        values.has_device = true;
        values.vendor = m->devices.items[0].vendor;
        values.product = m->devices.items[0].product;
    }
    return values;
}

static void warn_usb_shadows(const struct policy *p, struct policy_findings *f)
{
    for (size_t i = 1, k; i < p->n_usb && !policy_findings_full(f); i++) {
        const struct policy_usb_rule *later = &p->usb[i];
        const struct policy_values values = values_of_usb(&later->match);
        struct policy_candidates c;

        policy_candidates_init(&c, p->usb_index, p->n_usb, &values);
        while (policy_candidates_next(&c, &k) && k < i) {
            const struct policy_usb_rule *first = &p->usb[k];
            const struct part earlier = usb_part(first), own = usb_part(later);

            if (covers_usb(&first->match, &later->match) && tell_shadow(f, &earlier, &own))
                break;
        }
    }
}

static void warn_media_shadows(const struct policy *p, struct policy_findings *f)
{
    for (size_t i = 1, k; i < p->media.n_rules && !policy_findings_full(f); i++) {
        const struct policy_medium_rule *later = &p->media.rules[i];
        const struct policy_values values = {.text = {[POLICY_KEY_UUID] = any_of(&later->match.uuids),
                                                      [POLICY_KEY_SERIAL] = any_of(&later->match.serials),
                                                      [POLICY_KEY_LABEL] = any_of(&later->match.labels)}};
        struct policy_candidates c;

        policy_candidates_init(&c, p->media_index, p->media.n_rules, &values);
        while (policy_candidates_next(&c, &k) && k < i) {
            const struct policy_medium_rule *first = &p->media.rules[k];
            const struct part earlier = medium_part(first), own = medium_part(later);

            if (covers_medium(&first->match, &later->match) && tell_shadow(f, &earlier, &own))
                break;
        }
    }
}

static bool names_class(const struct policy_interfaces *set, uint8_t class_)
{
    for (size_t i = 0; i < set->n; i++)
        if (set->items[i].class_ == class_)
            return true;
    return false;
}

/* Could a keyboard be permitted by the rule? One that says nothing of interfaces may speak of any device. */
static bool may_permit_keyboard(const struct policy_usb_rule *rule)
{
    const struct policy_interfaces *set = &rule->match.interfaces;

    if (rule->allow != POLICY_USE || rule->unlock.needed)
        return false;
    if (!rule->match.has_interfaces)
        return true;
    return names_class(set, 0x03) != (set->op == POLICY_SET_NONE_OF);
}

static void warn_keyboard(const struct policy *p, struct policy_findings *f)
{
    if (p->mode == POLICY_MONITOR)
        return;
    for (size_t i = 0; i < p->n_usb; i++)
        if (may_permit_keyboard(&p->usb[i]))
            return;
    policy_findings_add(f, POLICY_WARNING, (struct policy_position){1, 1}, N_("no USB rule permits a keyboard"));
    policy_findings_hint(f, N_("people with USB keyboards will be locked out: add a rule with "
                               "'interfaces: {all-of: [\"03:01:01\"]}' and 'allow: use'"));
}

static bool is_storage_only(const struct policy_usb_match *m)
{
    if (!m->has_interfaces || m->interfaces.op == POLICY_SET_NONE_OF)
        return false;
    for (size_t i = 0; i < m->interfaces.n; i++)
        if (m->interfaces.items[i].class_ != 0x08)
            return false;
    return true;
}

/* Under `read` only storage is authorized. */
static bool may_permit_storage(const struct policy_usb_match *m)
{
    switch (m->has_interfaces ? m->interfaces.op : POLICY_SET_ONE_OF) {
    case POLICY_SET_EQUALS:
    case POLICY_SET_EQUALS_ORDERED:
    case POLICY_SET_MATCH_ALL: /* the device has no others */
        return names_class(&m->interfaces, 0x08);
    case POLICY_SET_NONE_OF:
        for (size_t i = 0; i < m->interfaces.n; i++)
            if (m->interfaces.items[i].class_ == 0x08 && m->interfaces.items[i].any_subclass)
                return false;
        return true;
    case POLICY_SET_ALL_OF:
    case POLICY_SET_ONE_OF:
        break;
    }
    return true;
}

static void warn_usb_rules(const struct policy *p, struct policy_findings *f)
{
    for (size_t i = 0; i < p->n_usb && !policy_findings_full(f); i++) {
        const struct policy_usb_rule *rule = &p->usb[i];
        const char *key = covers_contradiction(&rule->match);

        if (key)
            policy_findings_add(f, POLICY_WARNING, rule->at,
                                N_("rule '%s' can never match: a device has one '%s' only, several are demanded"),
                                rule->id, key);
        if ((rule->allow == POLICY_READ || rule->allow == POLICY_EXPORT) && !may_permit_storage(&rule->match)) {
            policy_findings_add(f, POLICY_WARNING, rule->at,
                                N_("rule '%s' can never permit: '%s' is for storage, and it matches devices without"),
                                rule->id, policy_allow_name(rule->allow));
            policy_findings_hint(f, N_("to permit other functions write 'allow: use'"));
        }
        if (rule->allow == POLICY_USE && is_storage_only(&rule->match))
            policy_findings_add(f, POLICY_WARNING, rule->at,
                                N_("'allow: use' of storage means 'read': media are never written"));
    }
}

/* Programs that run what others wrote: with one of them permitted, any script is. */
static bool is_interpreter(const char *path)
{
    static const char *const names[] = {
        "sh",   "bash",   "dash", "zsh",    "ksh", "csh",  "tcsh",    "fish",   "busybox", "python", "perl",  "ruby",
        "node", "nodejs", "java", "lua",    "php", "awk",  "gawk",    "mawk",   "tclsh",   "wish",   "guile", "env",
        "sudo", "su",     "gdb",  "strace", "ld",  "mono", "Rscript", "octave", "expect",  "xargs"};
    const char *name = strrchr(path, '/') + 1;
    size_t length = strcspn(name, "-.0123456789");

    if (text_starts(name, "ld-linux") || text_equal(name, "systemd-run"))
        return true;
    for (size_t i = 0; i < ELEMENTS(names); i++)
        if (strlen(names[i]) == length && strncmp(names[i], name, length) == 0)
            return true;
    return false;
}

static void warn_programs(const struct policy_store *s, struct policy_findings *f)
{
    if (s->n_programs == 0)
        policy_findings_add(f, POLICY_WARNING, s->at, N_("store '%s' has no programs: nothing can open its files"),
                            s->id);
    for (size_t i = 0; i < s->n_programs && !policy_findings_full(f); i++) {
        if (!is_interpreter(s->programs[i].path))
            continue;
        policy_findings_add(f, POLICY_WARNING, s->programs[i].at,
                            N_("'%s' runs what others write: whoever can start it can read the store"),
                            s->programs[i].path);
        policy_findings_hint(f, N_("list the program that does the work, compiled or bundled"));
    }
}

static bool is_inside(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static void warn_overlap(const struct policy *p, size_t i, struct policy_findings *f)
{
    for (size_t k = 0; k < i; k++) {
        if (!is_inside(p->stores[i].path, p->stores[k].path) && !is_inside(p->stores[k].path, p->stores[i].path))
            continue;
        policy_findings_add(f, POLICY_WARNING, p->stores[i].at, N_("stores '%s' and '%s' overlap"), p->stores[k].id,
                            p->stores[i].id);
        policy_findings_hint(f, N_("one file must belong to one store"));
        return;
    }
}

static void warn_stores(const struct policy *p, struct policy_findings *f)
{
    static const char *const system[] = {"/bin",  "/boot", "/dev",  "/etc", "/lib", "/lib64",
                                         "/proc", "/run",  "/sbin", "/sys", "/usr", "/var"};

    for (size_t i = 0; i < p->n_stores && !policy_findings_full(f); i++) {
        warn_programs(&p->stores[i], f);
        warn_overlap(p, i, f);
        for (size_t k = 0; k < ELEMENTS(system); k++)
            if (text_equal(p->stores[i].path, system[k]))
                policy_findings_add(f, POLICY_WARNING, p->stores[i].at,
                                    N_("'%s' belongs to the system: protecting it as a store stops the machine"),
                                    p->stores[i].path);
    }
}

static void warn_end(struct policy_findings *f, struct policy_position at, const char *id, int64_t until_us,
                     int64_t valid_from_us)
{
    if (until_us != 0 && until_us < valid_from_us)
        policy_findings_add(f, POLICY_WARNING, at, N_("rule '%s' can never permit: it ends before the policy begins"),
                            id);
}

static void warn_ends(const struct policy *p, struct policy_findings *f)
{
    for (size_t i = 0; i < p->n_usb && !policy_findings_full(f); i++)
        warn_end(f, p->usb[i].at, p->usb[i].id, p->usb[i].until_us, p->valid_from_us);
    for (size_t i = 0; i < p->media.n_rules && !policy_findings_full(f); i++)
        warn_end(f, p->media.rules[i].at, p->media.rules[i].id, p->media.rules[i].until_us, p->valid_from_us);
    for (size_t i = 0; i < p->n_export && !policy_findings_full(f); i++)
        warn_end(f, p->export[i].at, p->export[i].id, p->export[i].until_us, p->valid_from_us);
}

void policy_warn(const struct policy *p, struct policy_findings *findings)
{
    warn_keyboard(p, findings);
    warn_usb_rules(p, findings);
    warn_usb_shadows(p, findings);
    warn_media_shadows(p, findings);
    warn_stores(p, findings);
    policy_warn_export(p, findings);
    policy_warn_mfa(p, findings);
    warn_ends(p, findings);
}

static void warn_until(struct policy_findings *f, struct policy_position at, const char *id, int64_t until_us,
                       int64_t now_us)
{
    if (until_us == 0 || until_us > now_us + 30 * DAY_US)
        return;
    if (until_us < now_us)
        policy_findings_add(f, POLICY_WARNING, at, N_("rule '%s' has expired"), id);
    else
        policy_findings_add(f, POLICY_WARNING, at, N_("rule '%s' expires in %d days"), id,
                            (int)((until_us - now_us) / DAY_US));
}

/* 年度: from April to March. What only records may go on doing so. */
static void warn_endless(struct policy_findings *f, int64_t now_us)
{
    time_t now = (time_t)(now_us / 1000000);
    struct tm tm = {0};

    policy_findings_add(f, POLICY_WARNING, (struct policy_position){1, 1},
                        N_("the policy does not say until when it is valid"));
    if (localtime_r(&now, &tm))
        policy_findings_hint(f,
                             N_("so that somebody looks at it again; to the end of the fiscal year: "
                                "'valid: {until: %d-03-31}'"),
                             tm.tm_year + 1900 + (tm.tm_mon >= 3));
}

void policy_warn_expiry(const struct policy *p, int64_t now_us, struct policy_findings *findings)
{
    struct policy_position top = {1, 1};

    if (p->valid_until_us == 0 && p->mode == POLICY_ENFORCE)
        warn_endless(findings, now_us);
    if (p->valid_until_us != 0 && p->valid_until_us < now_us)
        policy_findings_add(findings, POLICY_WARNING, top,
                            N_("the policy has expired; it keeps ruling until a new one comes"));
    else if (p->valid_until_us != 0 && p->valid_until_us < now_us + 30 * DAY_US)
        policy_findings_add(findings, POLICY_WARNING, top, N_("the policy expires in %d days"),
                            (int)((p->valid_until_us - now_us) / DAY_US));
    if (p->valid_from_us > now_us)
        policy_findings_add(findings, POLICY_WARNING, top, N_("the policy is meant to rule from a later date"));
    for (size_t i = 0; i < p->n_usb; i++)
        warn_until(findings, p->usb[i].at, p->usb[i].id, p->usb[i].until_us, now_us);
    for (size_t i = 0; i < p->media.n_rules; i++)
        warn_until(findings, p->media.rules[i].at, p->media.rules[i].id, p->media.rules[i].until_us, now_us);
    for (size_t i = 0; i < p->n_export; i++)
        warn_until(findings, p->export[i].at, p->export[i].id, p->export[i].until_us, now_us);
    policy_findings_sort(findings);
}
