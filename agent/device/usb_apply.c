/*
 * Makes sysfs say what the verdict says. Owns every write to a device or an interface. Must not decide.
 *
 * Order of an allow: authorized=1 gives the device a configuration, but with interface_authorized_default=0 no driver is
 * bound; then the claims are read again and compared; then interfaces that are not permitted are closed, all permitted ones
 * opened (a driver may claim a second one, as cdc-acm does) and only then probed. Any failure takes authorization back.
 * Everything is compared with what sysfs says before it is written, so that nothing is written twice.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "device/usb_internal.h"

enum {
    INTERFACES_TRIED = 256
};

/* A failure is told by a literal, NULL is success: the journal wants the step, the errno helps nobody. */

static int read_flag(const struct usb_manager *m, const struct usb_device *d, const char *interface, bool *ret)
{
    unsigned value;
    int r = usb_read_number(m->kern, &d->node, interface, "authorized", &value);

    if (r != 0)
        return r == USB_E_ABSENT ? -ENODEV : r;
    *ret = value != 0;
    return 0;
}

/* Writes unless it is so already, and reads back: a write that changed nothing is a failure. */
static int set_flag(const struct usb_manager *m, const struct usb_device *d, const char *interface, bool value)
{
    bool is;
    int r = read_flag(m, d, interface, &is);

    if (r == 0 && is == value)
        return 0;
    r = m->kern->write(m->kern->context, &d->node, interface, "authorized", value ? "1" : "0");
    if (r == 0)
        r = read_flag(m, d, interface, &is);
    if (r != 0)
        return r == USB_E_ABSENT ? -ENODEV : r;
    return is == value ? 0 : -EIO;
}

static void forget_interfaces(struct usb_device *d)
{
    memset(d->authorized_interfaces, 0, sizeof(d->authorized_interfaces));
}

/* When authorization cannot be taken away, the device is taken off the bus instead: at once, unless the flag itself is gone. */
static const char *deauthorize(struct usb_manager *m, struct usb_device *d)
{
    int r = set_flag(m, d, NULL, false);

    forget_interfaces(d);
    if (r == 0 || (r == -ENODEV && usb_gone(m, &d->node))) {
        d->authorized = false;
        return NULL;
    }
    if (m->kern->write(m->kern->context, &d->node, NULL, "remove", "1") == 0)
        return "it could not be deauthorized and was removed from the bus";
    return "it could neither be deauthorized nor removed";
}

static void refuse(struct usb_manager *m, struct usb_device *d)
{
    const char *problem = deauthorize(m, d);

    if (problem) {
        usb_report(m, AUDIT_DEVICE_FAILED, d, problem);
        return;
    }
    if (usb_judge_removes(m, d) && m->kern->write(m->kern->context, &d->node, NULL, "remove", "1") != 0)
        usb_fail(m, d, "it stays unauthorized but could not be removed from the bus");
}

struct interface_step {
    const char *name;
    unsigned configuration, number;
    bool permitted, opened;
};

/* "1-2:1.3": configuration 1, interface 3. */
static int interface_numbers(const char *name, unsigned *ret_configuration, unsigned *ret_number)
{
    char text[USB_NAME_SIZE];
    uint64_t configuration, number;
    char *dot;
    int r;

    if (!usb_name_is_interface(name))
        return -EINVAL;
    memcpy(text, strchr(name, ':') + 1, strlen(strchr(name, ':')));
    dot = strchr(text, '.');
    *dot = '\0';
    r = text_to_u64(text, UINT8_MAX, &configuration);
    if (r == 0)
        r = text_to_u64(dot + 1, UINT8_MAX, &number);
    if (r < 0)
        return r;
    *ret_configuration = (unsigned)configuration;
    *ret_number = (unsigned)number;
    return 0;
}

static const char *plan_interfaces(struct usb_manager *m, struct usb_device *d, const struct usb_names *names,
                                   struct interface_step *steps)
{
    if (names->n > INTERFACES_TRIED)
        return "it has too many interfaces";
    for (size_t i = 0; i < names->n; i++) {
        struct interface_step *s = &steps[i];

        *s = (struct interface_step){.name = names->items[i]};
        if (interface_numbers(s->name, &s->configuration, &s->number) < 0)
            return "an interface has no valid name";
        s->permitted = usb_judge_interface(m, d, s->configuration, s->number);
    }
    return NULL;
}

/* 1: a driver has it that must not, 0, -errno. */
static int is_taken(const struct usb_manager *m, const struct usb_device *d, const struct interface_step *s)
{
    _cleanup_free_ char *driver = NULL;
    int r = m->kern->driver(m->kern->context, &d->node, s->name, &driver);

    if (r != 0)
        return r == USB_E_ABSENT ? 0 : r;
    return !usb_judge_driver(m, d, driver);
}

static const char *apply_interfaces(struct usb_manager *m, struct usb_device *d)
{
    _cleanup_(usb_names_done) struct usb_names names = {0};
    struct interface_step steps[INTERFACES_TRIED];
    const char *problem;

    forget_interfaces(d);
    if (m->kern->list_interfaces(m->kern->context, &d->node, &names) != 0)
        return "its interfaces could not be listed";
    problem = plan_interfaces(m, d, &names, steps);
    if (problem)
        return problem;
    d->configuration = names.n > 0 ? steps[0].configuration : 0;
    for (size_t i = 0; i < names.n; i++) {
        if (!steps[i].permitted && set_flag(m, d, steps[i].name, false) != 0)
            return "an interface could not be deauthorized";
    }
    for (size_t i = 0; i < names.n; i++) {
        bool was;

        if (!steps[i].permitted)
            continue;
        if (read_flag(m, d, steps[i].name, &was) != 0 || set_flag(m, d, steps[i].name, true) != 0)
            return "an interface could not be authorized";
        steps[i].opened = !was;
        d->authorized_interfaces[steps[i].number / 8] |= (uint8_t)(1U << (steps[i].number % 8));
    }
    /* At the start all of them: whoever opened them before us may have died before it probed. */
    for (size_t i = 0; i < names.n; i++) {
        if ((steps[i].opened || (m->starting && steps[i].permitted)) &&
            m->kern->probe(m->kern->context, steps[i].name) != 0)
            return "drivers could not be probed for an interface";
    }
    for (size_t i = 0; i < names.n; i++) {
        int r = steps[i].permitted ? is_taken(m, d, &steps[i]) : 0;

        if (r != 0)
            return r < 0 ? "the driver of an interface could not be read"
                         : "a driver that is not for storage took one of its interfaces";
    }
    return NULL;
}

static bool bus_guarded(const struct usb_manager *m, const struct usb_device *d)
{
    const struct usb_hub *hub = usb_hubs_above(m, d);

    return hub && hub->guarded;
}

static const char *allow(struct usb_manager *m, struct usb_device *d)
{
    int r;

    /* Drivers would bind to the forbidden interfaces before they could be closed. */
    if (!bus_guarded(m, d) && usb_judge_partly(m, d))
        return "only some interfaces are permitted and the bus opens all of them";
    if (set_flag(m, d, NULL, true) != 0)
        return "it could not be authorized";
    d->authorized = true;
    /* What could not be read at first cannot be compared; only monitor mode lets such a device come this far. */
    r = d->readable ? usb_device_compare(m->kern, d) : 0;
    if (r < 0)
        return "its claims could not be read again after authorization";
    if (r > 0) {
        d->tainted = true;
        return "it changed its claims while it was being authorized";
    }
    return apply_interfaces(m, d);
}

void usb_apply(struct usb_manager *m, struct usb_device *d)
{
    const char *problem;

    if (d->verdict.kind != VERDICT_ALLOW) {
        refuse(m, d);
        return;
    }
    problem = allow(m, d);
    if (!problem)
        return;
    d->failed = true;
    usb_judge_unknown(m, d);
    if (d->tainted)
        usb_report(m, AUDIT_DEVICE_CHANGED, d, problem);
    if (d->verdict.kind != VERDICT_ALLOW) /* monitor mode refuses nothing, not even this */
        refuse(m, d);
    if (!d->tainted)
        usb_fail(m, d, problem); /* may wait, so it is closed first */
}

/* What a look at the interfaces shows. Permitted ones that somebody closed stay closed: that harms nobody. */
struct interface_view {
    bool meddled; /* one is open that must not be */
    bool taken;   /* by a driver that must not have it; it may have been loaded just now */
    bool other;   /* another configuration was chosen: its interfaces are new, closed and not yet judged */
};

static int view_interfaces(struct usb_manager *m, struct usb_device *d, struct interface_view *ret)
{
    _cleanup_(usb_names_done) struct usb_names names = {0};
    struct interface_step steps[INTERFACES_TRIED];
    struct interface_view view = {0};

    if (m->kern->list_interfaces(m->kern->context, &d->node, &names) != 0 || plan_interfaces(m, d, &names, steps))
        return -EIO;
    for (size_t i = 0; i < names.n; i++) {
        bool is = false;
        int r = read_flag(m, d, steps[i].name, &is);

        if (r == 0 && steps[i].permitted)
            r = is_taken(m, d, &steps[i]);
        if (r < 0)
            return r;
        view.taken = view.taken || r > 0;
        view.meddled = view.meddled || (is && !steps[i].permitted);
        view.other = view.other || steps[i].configuration != d->configuration;
    }
    *ret = view;
    return 0;
}

static void reassert_allowed(struct usb_manager *m, struct usb_device *d, bool is)
{
    struct interface_view view;
    int r;

    if (!is) {
        if (d->authorized)
            usb_report(m, AUDIT_DEVICE_CHANGED, d, "somebody else deauthorized it; left so");
        d->authorized = false;
        forget_interfaces(d);
        return;
    }
    if (!d->authorized) { /* and back again: its interfaces are new */
        usb_apply(m, d);
        return;
    }
    r = view_interfaces(m, d, &view);
    if (r == 0 && view.meddled)
        usb_report(m, AUDIT_DEVICE_CHANGED, d, "somebody else authorized an interface that is refused; refused again");
    if (r < 0 || view.meddled || view.taken || view.other)
        usb_apply(m, d);
}

void usb_reassert(struct usb_manager *m, struct usb_device *d)
{
    bool is;

    if (read_flag(m, d, NULL, &is) != 0) {
        bool news = d->verdict.kind == VERDICT_ALLOW && !d->failed;

        if (news) {
            d->failed = true;
            usb_judge_unknown(m, d);
        }
        if (d->verdict.kind != VERDICT_ALLOW)
            refuse(m, d);
        if (news)
            usb_fail(m, d, "its authorization could not be read");
        return;
    }
    if (d->verdict.kind == VERDICT_ALLOW) {
        reassert_allowed(m, d, is);
        return;
    }
    if (is) {
        usb_report(m, AUDIT_DEVICE_CHANGED, d, "somebody else authorized it; refused again");
        refuse(m, d);
    }
}
