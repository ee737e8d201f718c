/*
 * Owns: putting an attribute of a rule beside that of a device, a medium or a person. Must not: decide: which attribute it is
 * comes from decide/. Foreign strings go out as they are; who shows them makes them safe.
 */
#include "cli/describe.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/show.h"

void described_done(struct described *d)
{
    free(d->wanted);
    free(d->found);
    *d = (struct described){0};
}

bool describe_open_sides(struct sides *s, struct described *d)
{
    s->wanted = open_memstream(&d->wanted, &s->wanted_size);
    s->found = open_memstream(&d->found, &s->found_size);
    return s->wanted && s->found;
}

void describe_close_sides(struct sides *s, struct described *d, const char *key)
{
    bool good = s->wanted && s->found;

    if (s->wanted && fclose(s->wanted) != 0)
        good = false;
    if (s->found && fclose(s->found) != 0)
        good = false;
    d->key = good ? key : NULL;
}

static void show_text(FILE *out, const char *text)
{
    (void)fputs(text && *text ? text : "\"\"", out);
}

static void show_set(const struct sides *s, const struct policy_strings *wanted, const char *found)
{
    policy_show_strings(s->wanted, wanted, DESCRIBE_LIST_MAX);
    show_text(s->found, found);
}

static void show_found_interfaces(FILE *out, const struct decide_usb_facts *facts)
{
    for (size_t i = 0; i < facts->n_interfaces; i++)
        (void)fprintf(out, "%s%02x:%02x:%02x", i > 0 ? ", " : "", facts->interfaces[i].class_,
                      facts->interfaces[i].subclass, facts->interfaces[i].protocol);
}

static void show_now(FILE *out, const struct decide_time *now)
{
    (void)fprintf(out, "%s %02d:%02d", policy_day_name(now->weekday), now->minute / 60, now->minute % 60);
}

const char *describe_condition(const struct sides *s, enum verdict_reason reason, const struct policy_who *who,
                               const struct policy_when *when, int64_t until_us, const char *person,
                               const struct decide_time *now)
{
    switch (reason) {
    case REASON_WHO:
        policy_show_who(s->wanted, who, DESCRIBE_LIST_MAX);
        show_text(s->found, person && *person ? person : "-");
        return "who";
    case REASON_WHEN:
        policy_show_when(s->wanted, when);
        show_now(s->found, now);
        return "when";
    case REASON_EXPIRED:
        policy_show_time(s->wanted, until_us);
        policy_show_time(s->found, now->wall_us);
        return "until";
    default:
        return NULL;
    }
}

static enum verdict_reason condition_of(enum decide_mismatch m)
{
    return m == MISMATCH_WHO       ? REASON_WHO
           : m == MISMATCH_WHEN    ? REASON_WHEN
           : m == MISMATCH_EXPIRED ? REASON_EXPIRED
                                   : REASON_RULE;
}

static const char *show_usb(const struct sides *s, const struct policy_usb_rule *r, const struct evaluate_facts *f,
                            enum decide_mismatch m)
{
    const struct policy_usb_match *match = &r->match;
    const struct decide_usb_facts *usb = &f->usb;

    switch (m) {
    case MISMATCH_DEVICE:
        policy_show_ids(s->wanted, &match->devices, DESCRIBE_LIST_MAX);
        (void)fprintf(s->found, "%04x:%04x", usb->vendor, usb->product);
        break;
    case MISMATCH_SERIAL:
        show_set(s, &match->serials, usb->serial);
        break;
    case MISMATCH_NAME:
        show_set(s, &match->names, usb->name);
        break;
    case MISMATCH_HASH:
        show_set(s, &match->hashes, usb->hash);
        break;
    case MISMATCH_PARENT_HASH:
        show_set(s, &match->parent_hashes, usb->parent_hash);
        break;
    case MISMATCH_USBGUARD_HASH:
        show_set(s, &match->usbguard_hashes, usb->usbguard_hash);
        break;
    case MISMATCH_USBGUARD_PARENT_HASH:
        show_set(s, &match->usbguard_parent_hashes, usb->usbguard_parent_hash);
        break;
    case MISMATCH_PORT:
        show_set(s, &match->ports, usb->port);
        break;
    case MISMATCH_CONNECT_TYPE:
        show_set(s, &match->connect_types, usb->connect_type);
        break;
    case MISMATCH_INTERFACES:
        policy_show_interfaces(s->wanted, &match->interfaces, DESCRIBE_LIST_MAX);
        show_found_interfaces(s->found, usb);
        break;
    default:
        return describe_condition(s, condition_of(m), &r->who, &r->when, r->until_us, f->person, &usb->now);
    }
    return decide_mismatch_name(m);
}

void describe_usb(const struct policy_usb_rule *r, const struct evaluate_facts *facts, enum decide_mismatch m,
                  struct described *ret)
{
    struct sides s = {0};
    const char *key = describe_open_sides(&s, ret) ? show_usb(&s, r, facts, m) : NULL;

    describe_close_sides(&s, ret, key);
}

static const char *show_selector(const struct sides *s, const struct policy_medium_match *match,
                                 const struct decide_medium_facts *medium, enum decide_mismatch m)
{
    switch (m) {
    case MISMATCH_BUS:
        show_set(s, &match->buses, medium->bus);
        break;
    case MISMATCH_PATH:
        show_set(s, &match->paths, medium->node);
        break;
    case MISMATCH_SERIAL:
        show_set(s, &match->serials, medium->serial);
        break;
    case MISMATCH_LABEL:
        show_set(s, &match->labels, medium->label);
        break;
    case MISMATCH_UUID:
        show_set(s, &match->uuids, medium->uuid);
        break;
    default:
        return NULL;
    }
    return decide_mismatch_name(m);
}

void describe_medium(const struct policy_medium_rule *r, const struct evaluate_facts *facts,
                     const struct decide_medium_facts *medium, enum decide_mismatch m, struct described *ret)
{
    struct sides s = {0};
    const char *key = NULL;

    if (describe_open_sides(&s, ret)) {
        key = show_selector(&s, &r->match, medium, m);
        if (!key)
            key = describe_condition(&s, condition_of(m), &r->who, &r->when, r->until_us, facts->person, &medium->now);
    }
    describe_close_sides(&s, ret, key);
}

/* --- why a step came out as it did --- */

static void show_medium_found(FILE *out, const struct decide_medium_facts *m)
{
    (void)fprintf(out, "%s%s", m->filesystem && *m->filesystem ? m->filesystem : "-",
                  m->inside_luks ? " (crypto_LUKS)" : "");
}

/* The first selector of a USB rule's `medium` that fails: they are conditions there. */
static const char *show_failed_selector(const struct sides *s, const struct policy_medium_match *match,
                                        const struct decide_medium_facts *m)
{
    if (match->labels.n > 0) {
        (void)fputs("label ", s->wanted);
        policy_show_strings(s->wanted, &match->labels, DESCRIBE_LIST_MAX);
        (void)fputs(match->uuids.n > 0 ? "; " : "", s->wanted);
        (void)fputs("label ", s->found);
        show_text(s->found, m->label);
        (void)fputs(match->uuids.n > 0 ? "; " : "", s->found);
    }
    if (match->uuids.n > 0) {
        (void)fputs("uuid ", s->wanted);
        policy_show_strings(s->wanted, &match->uuids, DESCRIBE_LIST_MAX);
        (void)fputs("uuid ", s->found);
        show_text(s->found, m->uuid);
    }
    return "medium";
}

static const char *show_medium_condition(const struct sides *s, enum verdict_reason reason,
                                         const struct policy_medium_match *match, const struct decide_medium_facts *m)
{
    switch (reason) {
    case REASON_ENCRYPTION:
        (void)fputs("crypto_LUKS", s->wanted);
        show_medium_found(s->found, m);
        return "luks-only";
    case REASON_FILESYSTEM:
        if (match->filesystems.n == 0)
            return show_failed_selector(s, match, m);
        policy_show_strings(s->wanted, &match->filesystems, DESCRIBE_LIST_MAX);
        show_medium_found(s->found, m);
        return "filesystem";
    case REASON_CAPACITY:
        policy_show_size(s->wanted, match->capacity_max);
        if (m->capacity > 0)
            policy_show_size(s->found, m->capacity);
        else
            (void)fputc('-', s->found);
        return "capacity-max";
    default:
        return NULL;
    }
}

/* Nothing is found: it was not unlocked. */
static const char *show_lock(const struct sides *s, const struct policy_unlock *unlock)
{
    policy_show_unlock(s->wanted, unlock, DESCRIBE_LIST_MAX);
    (void)fputc('-', s->found);
    return "unlock";
}

static const char *show_usb_reason(const struct sides *s, const struct policy_usb_rule *r,
                                   const struct evaluate_facts *f, enum verdict_reason reason)
{
    switch (reason) {
    case REASON_LOCKED:
        return show_lock(s, &r->unlock);
    case REASON_DUPLICATE:
        (void)fputs("refuse", s->wanted);
        show_text(s->found, f->usb.serial);
        return "unique";
    case REASON_INTERFACES:
        if (r->only.n > 0)
            policy_show_interfaces(
                s->wanted, &(struct policy_interfaces){.items = r->only.items, .n = r->only.n, .op = POLICY_SET_EQUALS},
                DESCRIBE_LIST_MAX);
        else
            (void)fputs("08:*:*", s->wanted); /* read: storage and nothing else */
        show_found_interfaces(s->found, &f->usb);
        return r->only.n > 0 ? "allow.interfaces" : "allow";
    default:
        return describe_condition(s, reason, &r->who, &r->when, r->until_us, f->person, &f->usb.now);
    }
}

static const char *show_programs(const struct sides *s, const struct policy_store *store,
                                 const struct evaluate_facts *f, enum verdict_reason reason)
{
    char hex[DIGEST_HEX_SIZE];

    if (reason == REASON_HASH) {
        const struct policy_program *program = &store->programs[f->open.subject.program];

        digest_to_hex(&program->sha256, hex);
        (void)fputs(hex, s->wanted);
        if (f->open.subject.hash_state == DECIDE_HASH_KNOWN) {
            digest_to_hex(&f->open.subject.sha256, hex);
            (void)fputs(hex, s->found);
        } else {
            (void)fputc('-', s->found);
        }
        return "sha256";
    }
    for (size_t i = 0; i < store->n_programs && i <= DESCRIBE_LIST_MAX; i++)
        (void)fprintf(s->wanted, "%s%s", i > 0 ? ", " : "", i < DESCRIBE_LIST_MAX ? store->programs[i].path : "…");
    show_text(s->found, f->program);
    return "programs";
}

/* Which verdict's rule asks the conditions of an open: the medium's own, or the media rule that let it in as well. */
static const char *show_open_reason(const struct sides *s, const struct policy *p, const struct evaluate_facts *f,
                                    const struct verdict *v)
{
    const struct policy_store *store = describe_find_store(p, v->rule);
    const struct policy_usb_rule *usb = policy_find_usb_rule(p, v->rule);
    const struct policy_medium_rule *medium = policy_find_medium_rule(p, v->rule);
    const struct decide_time *now = &f->open.now;

    if (store && (v->reason == REASON_PROGRAM || v->reason == REASON_HASH))
        return show_programs(s, store, f, v->reason);
    if (v->reason == REASON_EXECUTE) {
        (void)fputs("refuse", s->wanted);
        (void)fputs("execute", s->found);
        return "exec";
    }
    if (v->reason == REASON_LOCKED && (usb || medium))
        return show_lock(s, usb ? &usb->unlock : &medium->unlock);
    if (store)
        return describe_condition(s, v->reason, &store->who, &store->when, 0, f->person, now);
    if (usb)
        return describe_condition(s, v->reason, &usb->who, &usb->when, usb->until_us, f->person, now);
    if (medium)
        return describe_condition(s, v->reason, &medium->who, &medium->when, medium->until_us, f->person, now);
    return NULL;
}

static const char *show_medium_reason(const struct sides *s, const struct policy *p, const struct evaluate_facts *f,
                                      const struct decide_medium_facts *m, const struct verdict *v)
{
    const struct policy_usb_rule *usb = policy_find_usb_rule(p, v->rule);
    const struct policy_medium_rule *rule = policy_find_medium_rule(p, v->rule);
    const char *key = usb    ? show_medium_condition(s, v->reason, &usb->medium, m)
                      : rule ? show_medium_condition(s, v->reason, &rule->match, m)
                             : NULL;

    if (key)
        return key;
    if (v->reason == REASON_LOCKED && (usb || rule))
        return show_lock(s, usb ? &usb->unlock : &rule->unlock);
    if (usb)
        return describe_condition(s, v->reason, &usb->who, &usb->when, usb->until_us, f->person, &m->now);
    if (rule)
        return describe_condition(s, v->reason, &rule->who, &rule->when, rule->until_us, f->person, &m->now);
    return NULL;
}

static const char *show_mount_reason(const struct sides *s, const struct policy *p, const struct evaluate_facts *f)
{
    bool fuse = f->mount.kind == DECIDE_MOUNT_FUSE;
    const struct policy_strings *listed = fuse ? &p->media.fuse_allow : &p->media.network_allow;

    if (listed->n == 0)
        return NULL;
    policy_show_strings(s->wanted, listed, DESCRIBE_LIST_MAX);
    (void)fprintf(s->found, "%s (%s)", f->mount.source ? f->mount.source : "-", f->mount.type ? f->mount.type : "-");
    return "allow";
}

void describe_reason(const struct policy *p, const struct evaluate_facts *facts, const struct evaluate_steps *steps,
                     size_t i, struct described *ret)
{
    const struct evaluate_step *step = &steps->items[i];
    const struct verdict *v = &step->verdict;
    const struct policy_usb_rule *usb = policy_find_usb_rule(p, v->rule);
    struct sides s = {0};
    const char *key = NULL;

    if (step->object == EVALUATE_EXPORT) {
        describe_export_reason(p, facts, steps, v, ret);
        return;
    }
    if (describe_open_sides(&s, ret) && v->ruled != VERDICT_ALLOW) {
        if (step->object == EVALUATE_USB && usb)
            key = show_usb_reason(&s, usb, facts, v->reason);
        else if (step->object == EVALUATE_MEDIUM)
            key = show_medium_reason(&s, p, facts, &steps->medium, v);
        else if (step->object == EVALUATE_MOUNT)
            key = show_mount_reason(&s, p, facts);
        else if (step->object == EVALUATE_FILE)
            key = show_open_reason(&s, p, facts, v);
    }
    describe_close_sides(&s, ret, key);
}

const struct policy_store *describe_find_store(const struct policy *p, const char *id)
{
    for (size_t i = 0; i < p->n_stores; i++)
        if (text_equal(p->stores[i].id, id))
            return &p->stores[i];
    return NULL;
}
