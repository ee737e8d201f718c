/*
 * From a device to facts, from facts to its verdict. Owns the question "which devices claim the same identity". Must not touch
 * sysfs and must not report.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "device/usb_internal.h"

void usb_device_facts(const struct usb_device *d, struct decide_usb_facts *ret)
{
    *ret = (struct decide_usb_facts){
        .vendor = d->vendor,
        .product = d->product,
        .serial = d->serial,
        .name = d->name,
        .manufacturer = d->manufacturer,
        .port = d->node.name,
        .connect_type = d->connect_type,
        .hash = d->hash,
        .parent_hash = d->parent_hash,
        .usbguard_hash = d->usbguard_hash,
        .usbguard_parent_hash = d->usbguard_parent_hash,
        .interfaces = d->interfaces,
        .n_interfaces = d->n_interfaces,
        .duplicate = d->duplicate,
    };
}

/* Without a serial number a device claims to be a model, not an individual: two equal mice are no rivals. */
static bool same_claim(const struct usb_device *a, const struct usb_device *b)
{
    return a->readable && b->readable && a->serial[0] != '\0' && a->vendor == b->vendor && a->product == b->product &&
           strcmp(a->serial, b->serial) == 0;
}

struct usb_device *usb_judge_rival(const struct usb_manager *m, const struct usb_device *d)
{
    for (size_t i = 0; i < m->n_devices; i++) {
        struct usb_device *other = m->devices[i];

        if (other != d && other->sequence < d->sequence && same_claim(other, d))
            return other;
    }
    return NULL;
}

void usb_judge_unknown(const struct usb_manager *m, struct usb_device *d)
{
    d->verdict = (struct verdict){
        .kind = m->policy->mode == POLICY_MONITOR ? VERDICT_ALLOW : VERDICT_DENY,
        .ruled = VERDICT_DENY,
        .allow = m->policy->mode == POLICY_MONITOR ? POLICY_USE : POLICY_REFUSE,
        .reason = REASON_UNKNOWN,
        .rule = "default",
    };
}

static bool same_outcome(const struct verdict *a, const struct verdict *b)
{
    return a->kind == b->kind && a->ruled == b->ruled && a->allow == b->allow && a->reason == b->reason &&
           a->monitor == b->monitor && text_equal(a->rule, b->rule);
}

/* Which rule is to be unlocked is known when it has refused. */
static bool is_granted(const struct usb_manager *m, const struct usb_device *d)
{
    return m->callbacks.granted && m->callbacks.granted(m->callbacks.context, d, d->verdict.rule);
}

int usb_judge(const struct usb_manager *m, struct usb_device *d)
{
    struct verdict before = d->verdict; /* its rule may belong to the previous policy, which the caller still holds */
    struct decide_usb_facts facts;

    if (!d->readable || d->failed || d->tainted) {
        usb_judge_unknown(m, d);
    } else {
        usb_device_facts(d, &facts);
        facts.persons = m->persons;
        facts.n_persons = m->n_persons;
        facts.now = m->now;
        decide_time_not_before(&facts.now, m->policy->not_before_us);
        facts.emergency = m->emergency;
        d->verdict = (struct verdict){0};
        decide_usb(m->policy, &facts, &d->verdict);
        facts.granted = d->verdict.reason == REASON_LOCKED && is_granted(m, d);
        if (facts.granted)
            decide_usb(m->policy, &facts, &d->verdict);
    }
    return !d->decided || !same_outcome(&before, &d->verdict);
}

/* An interface is permitted when all its alternates in that configuration are: the driver chooses among them without asking. */
bool usb_judge_interface(const struct usb_manager *m, const struct usb_device *d, unsigned configuration,
                         unsigned number)
{
    bool known = false;

    if (d->verdict.kind != VERDICT_ALLOW)
        return false;
    if (m->policy->mode == POLICY_MONITOR || d->verdict.ruled != VERDICT_ALLOW)
        return true;
    for (size_t i = 0; i < d->n_interfaces; i++) {
        if (d->configurations[i] != configuration || d->interfaces[i].number != number)
            continue;
        if (!decide_usb_interface(m->policy, &d->verdict, &d->interfaces[i]))
            return false;
        known = true;
    }
    return known;
}

/* The class of an interface is what the device says of it. Which driver takes it, the kernel decides by vendor, product and the class
 * of the device as well, so that what calls itself storage may become a network card. Under a rule that permits no more than
 * storage that is looked at; usbfs, too, is a way around the block device. */
bool usb_judge_driver(const struct usb_manager *m, const struct usb_device *d, const char *driver)
{
    const struct verdict *v = &d->verdict;

    if (m->policy->mode == POLICY_MONITOR || v->monitor || v->ruled != VERDICT_ALLOW || v->allow == POLICY_USE)
        return true;
    return text_equal(driver, "usb-storage") || text_equal(driver, "uas") || text_starts(driver, "ums-");
}

bool usb_judge_partly(const struct usb_manager *m, const struct usb_device *d)
{
    for (size_t i = 0; i < d->n_interfaces; i++) {
        if (!usb_judge_interface(m, d, d->configurations[i], d->interfaces[i].number))
            return true;
    }
    return false;
}

size_t usb_judge_refused(const struct usb_manager *m, const struct usb_device *d, char *ret, size_t size)
{
    struct verdict in_force = d->verdict;
    size_t n = 0, used = 0;

    ret[0] = '\0';
    in_force.monitor = false;
    if (d->verdict.kind != VERDICT_ALLOW || d->verdict.ruled != VERDICT_ALLOW)
        return 0;
    for (size_t i = 0; i < d->n_interfaces; i++) {
        const struct decide_interface *f = &d->interfaces[i];
        char word[16];
        int length;

        if (decide_usb_interface(m->policy, &in_force, f))
            continue;
        n++;
        length =
            snprintf(word, sizeof(word), "%s%02x:%02x:%02x", n > 1 ? ", " : "", f->class_, f->subclass, f->protocol);
        if (length > 0 && used + (size_t)length + sizeof("…") <= size) {
            memcpy(ret + used, word, (size_t)length + 1);
            used += (size_t)length;
        } else if (used + sizeof("…") <= size) {
            memcpy(ret + used, "…", sizeof("…"));
            used = size; /* nothing more */
        }
    }
    return n;
}

bool usb_judge_removes(const struct usb_manager *m, const struct usb_device *d)
{
    const struct policy_usb_rule *rule = policy_find_usb_rule(m->policy, d->verdict.rule);

    return d->verdict.kind == VERDICT_DENY && rule && rule->allow == POLICY_REFUSE && rule->remove;
}
