/* Owns: from a written case to facts, and from the decision to what differs from the expectation. Must not: look at this machine. */
#include "cli/cases.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/explain.h"
#include "json/whole.h"
#include "policy/show.h"

struct decided {
    struct evaluate_facts facts;
    struct evaluate_steps steps;
    struct decide_interface *interfaces; /* behind facts */
    struct explain_person person;
    struct explain_person approvers[POLICY_CASE_APPROVERS_MAX];
    struct decide_person approving[POLICY_CASE_APPROVERS_MAX]; /* behind facts */
};

static void decided_done(struct decided *d)
{
    free(d->interfaces);
    explain_person_done(&d->person);
    for (size_t i = 0; i < ELEMENTS(d->approvers); i++)
        explain_person_done(&d->approvers[i]);
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static int take_usb(const struct policy_case_usb *usb, struct decided *d)
{
    d->interfaces = calloc(usb->interfaces.n, sizeof(*d->interfaces));
    if (!d->interfaces)
        return -ENOMEM;
    for (size_t i = 0; i < usb->interfaces.n; i++) {
        const struct policy_interface *from = &usb->interfaces.items[i];

        d->interfaces[i] = (struct decide_interface){
            .number = (uint8_t)i, .class_ = from->class_, .subclass = from->subclass, .protocol = from->protocol};
    }
    d->facts.has_usb = true;
    d->facts.usb = (struct decide_usb_facts){.vendor = usb->device.items[0].vendor,
                                             .product = usb->device.items[0].product,
                                             .serial = or_empty(usb->serial),
                                             .name = or_empty(usb->name),
                                             .manufacturer = "",
                                             .port = or_empty(usb->port),
                                             .connect_type = or_empty(usb->connect_type),
                                             .hash = or_empty(usb->hash),
                                             .parent_hash = or_empty(usb->parent_hash),
                                             .usbguard_hash = or_empty(usb->usbguard_hash),
                                             .usbguard_parent_hash = or_empty(usb->usbguard_parent_hash),
                                             .interfaces = d->interfaces,
                                             .n_interfaces = usb->interfaces.n,
                                             .duplicate = usb->duplicate};
    return 0;
}

static void take_medium(const struct policy_case_medium *m, struct decided *d)
{
    d->facts.has_medium = true;
    d->facts.medium = (struct decide_medium_facts){.bus = m->bus ? m->bus : "usb",
                                                   .node = or_empty(m->node),
                                                   .filesystem = or_empty(m->filesystem),
                                                   .label = or_empty(m->label),
                                                   .uuid = or_empty(m->uuid),
                                                   .serial = or_empty(m->serial),
                                                   .capacity = m->capacity,
                                                   .inside_luks = m->inside_luks};
}

/* false: the file is in no store and on no medium. */
static bool take_open(const struct policy_case_open *open, const struct policy *policy, struct decided *d)
{
    struct decide_open_facts *facts = &d->facts.open;

    facts->write = open->write;
    facts->execute = open->execute;
    d->facts.program = open->program.path;
    d->facts.has_open = true;
    if (d->facts.has_medium)
        return true;
    if (explain_find_store_by_name(policy, open->path, &facts->store) != 0)
        return false;
    facts->kind = DECIDE_OBJECT_STORE;
    facts->subject.exe_known = open->program.path != NULL;
    facts->subject.program = explain_find_program_by_name(&policy->stores[facts->store], or_empty(open->program.path));
    facts->subject.hash_state = open->program.has_sha256 ? DECIDE_HASH_KNOWN : DECIDE_HASH_UNKNOWN;
    facts->subject.sha256 = open->program.sha256;
    return true;
}

static int take_export(const struct policy_case_export *export, const struct policy *policy, struct names *names,
                       struct decided *d)
{
    struct decide_export_facts *facts = &d->facts.export;
    size_t store = 0;
    int r = 0;

    d->facts.has_export = true;
    *facts = (struct decide_export_facts){.store = -1,
                                          .size = export->size,
                                          .day_files = export->taken_files,
                                          .day_bytes = export->taken_bytes,
                                          .factors = export->factors,
                                          .approvers = d->approving};
    if (explain_find_store_by_name(policy, export->path, &store) == 0)
        facts->store = (int)store;
    for (size_t i = 0; r == 0 && i < export->n_approvers; i++) {
        const struct policy_case_approver *a = &export->approvers[i];

        r = names_person(names, a->user, (const char *const *)a->groups.items, a->groups.n, &d->approvers[i]);
        if (r == 0)
            d->approving[facts->n_approvers++] = d->approvers[i].person;
    }
    return r;
}

/* What the person of the case has unlocked. */
static void take_grants(struct decided *d)
{
    uid_t uid = d->person.person.uid;

    d->facts.usb.granted = d->facts.medium.granted = d->facts.medium.usb_granted = true;
    d->facts.medium.granted_to = d->facts.medium.usb_granted_to = uid;
}

static void take_person(const struct policy_case *k, struct decided *d)
{
    struct decide_time now;

    decide_time_local(k->wall_us, &now);
    d->facts.usb.now = d->facts.medium.now = d->facts.open.now = d->facts.export.now = now;
    d->facts.open.subject.person = d->facts.export.person = d->person.person;
    d->facts.person = d->person.words;
    if (!k->user && k->groups.n == 0)
        return; /* nobody is logged in */
    d->facts.usb.persons = d->facts.medium.persons = &d->person.person;
    d->facts.usb.n_persons = d->facts.medium.n_persons = 1;
}

/* 0 and the steps (none: nothing guards the file), or -ENOMEM. */
static int decide(const struct policy_case *k, const struct policy *policy, struct names *names, struct decided *d)
{
    int r = names_person(names, k->user, (const char *const *)k->groups.items, k->groups.n, &d->person);

    if (r == 0 && k->usb.given)
        r = take_usb(&k->usb, d);
    if (r < 0)
        return r;
    if (k->medium.given)
        take_medium(&k->medium, d);
    if (k->mount.given) {
        d->facts.has_mount = true;
        d->facts.mount = (struct decide_mount_facts){.kind = k->mount.kind == POLICY_CASE_FUSE ? DECIDE_MOUNT_FUSE
                                                                                               : DECIDE_MOUNT_NETWORK,
                                                     .type = k->mount.type,
                                                     .source = or_empty(k->mount.source)};
    }
    if (k->export.given)
        r = take_export(&k->export, policy, names, d);
    if (r < 0)
        return r;
    if (k->unlocked)
        take_grants(d);
    if (k->open.given && !take_open(&k->open, policy, d))
        return 0;
    take_person(k, d);
    evaluate(policy, &d->facts, &d->steps);
    return 0;
}

/* --- expectations --- */

static void compare(json_t **failures, const char *key, struct policy_position at, const char *expected,
                    const char *decided)
{
    if (!expected || !*expected || text_equal(expected, decided))
        return;
    whole_add(failures, json_pack("{s:s, s:i, s:i, s:s, s:s}", "key", key, "line", (int)at.line, "column",
                                  (int)at.column, "expected", expected, "decided", decided));
}

/* A file that nothing guards is opened: verdict allow, by no rule and for no reason of the policy. */
static json_t *find_failures(const struct policy_expect *e, const struct evaluate_steps *steps)
{
    const struct verdict *v = steps->n > 0 ? &steps->items[steps->n - 1].verdict : NULL;
    json_t *failures = json_array();

    compare(&failures, "verdict", e->verdict_at, policy_expected_verdict_name(e->verdict),
            v ? evaluate_verdict_name(v) : "allow");
    compare(&failures, "granted", e->granted_at, e->granted, v ? policy_allow_name(v->allow) : "use");
    compare(&failures, "rule", e->rule_at, e->rule, v && v->rule ? v->rule : "-");
    compare(&failures, "reason", e->reason_at, e->reason, v ? verdict_reason_name(v->reason) : "-");
    return failures;
}

json_t *cases_decide(const struct policy_case *k, const struct policy *policy, const char *file, struct names *names)
{
    _cleanup_(decided_done) struct decided d = {0};
    json_t *steps = json_array(), *failures;

    if (decide(k, policy, names, &d) < 0) {
        json_decref(steps);
        return NULL;
    }
    for (size_t i = 0; i < d.steps.n; i++)
        whole_add(&steps, evaluate_describe(policy, file, &d.facts, &d.steps, i));
    failures = find_failures(&k->expect, &d.steps);
    return json_pack("{s:s, s:i, s:i, s:b, s:o, s:o}", "name", k->name, "line", (int)k->at.line, "column",
                     (int)k->at.column, "ok", json_array_size(failures) == 0, "failures", failures, "steps", steps);
}
