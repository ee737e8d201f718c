#pragma once

#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "device/usb.h"
#include "fake/sysfs_usb.h"

/* A bus, a manager over it and what it reported. For tests/unit/device/usb_*_test.c. */

enum {
    FIXTURE_REPORTS = 256
};

struct fixture_report {
    enum audit_action action;
    char port[USB_NAME_SIZE]; /* "" for the bus */
    struct verdict verdict;
    char rule[64], message[128];
};

struct fixture {
    struct fake_usb bus;
    struct usb_manager *m;
    int64_t patience_us;                                                          /* before fixture_manage() */
    bool (*granted)(void *context, const struct usb_device *d, const char *rule); /* the same */
    struct fixture_report reports[FIXTURE_REPORTS];
    size_t n;
};

/* Monday 2026-11-23 10:00:00 UTC; tests run with TZ=UTC. */
static const int64_t FIXTURE_NOW = INT64_C(1795428000) * 1000000;

static inline void fixture_report(void *context, enum audit_action action, const struct usb_device *d,
                                  const struct verdict *v, const char *message)
{
    struct fixture *x = context;
    struct fixture_report *r = &x->reports[x->n];

    assert_true(x->n < FIXTURE_REPORTS);
    assert_true((v != NULL) == (d && action != AUDIT_DEVICE_APPEARED));
    *r = (struct fixture_report){.action = action};
    if (d)
        (void)snprintf(r->port, sizeof(r->port), "%s", usb_device_port(d));
    if (v) {
        r->verdict = *v;
        (void)snprintf(r->rule, sizeof(r->rule), "%s", v->rule ? v->rule : "");
    }
    (void)snprintf(r->message, sizeof(r->message), "%s", message ? message : "");
    x->n++;
}

static inline size_t fixture_count(const struct fixture *x, enum audit_action action, const char *port)
{
    size_t count = 0;

    for (size_t i = 0; i < x->n; i++)
        count += x->reports[i].action == action && (!port || strcmp(x->reports[i].port, port) == 0);
    return count;
}

static inline const struct fixture_report *fixture_last(const struct fixture *x, enum audit_action action,
                                                        const char *port)
{
    for (size_t i = x->n; i-- > 0;) {
        if (x->reports[i].action == action && strcmp(x->reports[i].port, port) == 0)
            return &x->reports[i];
    }
    fail_msg("no report %d of %s", action, port);
    return NULL;
}

static inline void fixture_manage(struct fixture *x, struct policy *policy)
{
    struct usb_manager_options o = {
        .kern = &x->bus.ops,
        .state_directory = x->bus.state_fd,
        .callbacks = {.context = x, .report = fixture_report, .granted = x->granted},
        .policy = policy,
        .patience_us = x->patience_us,
    };

    assert_int_equal(usb_manager_new(&o, &x->m), 0);
}

/* A bus with one root hub and no devices; the manager is not started. granted as in its callbacks, or NULL. */
static inline struct fixture *fixture_new_granted(struct policy *policy,
                                                  bool (*granted)(void *context, const struct usb_device *d,
                                                                  const char *rule))
{
    struct fixture *x = calloc(1, sizeof(*x));

    assert_non_null(x);
    x->granted = granted;
    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    fake_usb_init(&x->bus, true);
    fake_usb_add_root_hub(&x->bus, "usb1", "0000:00:14.0");
    fixture_manage(x, policy);
    return x;
}

static inline struct fixture *fixture_new(struct policy *policy)
{
    return fixture_new_granted(policy, NULL);
}

static inline struct fixture *fixture_started(struct policy *policy)
{
    struct fixture *x = fixture_new(policy);

    assert_int_equal(usb_manager_start(x->m, FIXTURE_NOW), 0);
    return x;
}

static inline struct fixture *fixture_free(struct fixture *x)
{
    if (!x)
        return NULL;
    usb_manager_free(x->m);
    fake_usb_done(&x->bus);
    free(x);
    return NULL;
}
DEFINE_CLEANUP(struct fixture *, fixture_free);
#define _fixture_ _cleanup_(fixture_freep) struct fixture *

static inline void fixture_event(struct fixture *x, const char *sysname)
{
    assert_int_equal(usb_manager_event(x->m, sysname, FIXTURE_NOW), 0);
}

static inline void fixture_plug(struct fixture *x, const struct fake_device *d)
{
    fake_usb_plug(&x->bus, d);
    fixture_event(x, d->name);
}

static inline void fixture_unplug(struct fixture *x, const char *name)
{
    fake_usb_unplug(&x->bus, name);
    fixture_event(x, name);
}

static inline const struct usb_device *fixture_device(const struct fixture *x, const char *port)
{
    const struct usb_device *d = usb_manager_find(x->m, port);

    if (!d)
        fail_msg("%s is not known", port);
    return d;
}

static inline bool fixture_authorized(struct fixture *x, const char *name)
{
    return strcmp(fake_usb_get(&x->bus, name, NULL, "authorized"), "1") == 0;
}

/* --- Devices --- */

static const struct fake_device KEYBOARD = {
    .name = "1-1",
    .vendor = 0x046d,
    .product = 0xc31c,
    .manufacturer = "Logitech",
    .product_name = "USB Keyboard",
    .interfaces = {{0, 0, 3, 1, 1}, {1, 0, 3, 0, 0}},
    .n_interfaces = 2,
};
static const struct fake_device STICK = {
    .name = "1-2",
    .vendor = 0x0781,
    .product = 0x5583,
    .manufacturer = "SanDisk",
    .product_name = "Ultra Fit",
    .serial = "S1",
    .interfaces = {{0, 0, 8, 6, 0x50}},
    .n_interfaces = 1,
};
static const struct fake_device STRANGER = {
    .name = "1-3",
    .vendor = 0xdead,
    .product = 0xbeef,
    .serial = "X",
    .interfaces = {{0, 0, 8, 6, 0x50}},
    .n_interfaces = 1,
};
/* A keyboard with a disk in it. */
static const struct fake_device COMPOSITE = {
    .name = "1-4",
    .vendor = 0x16d0,
    .product = 0x0753,
    .serial = "C",
    .interfaces = {{0, 0, 8, 6, 0x50}, {1, 0, 3, 1, 1}},
    .n_interfaces = 2,
};
static const struct fake_device HUB = {
    .name = "1-5",
    .vendor = 0x05e3,
    .product = 0x0610,
    .interfaces = {{0, 0, 9, 0, 0}},
    .n_interfaces = 1,
};

/* --- Policies: first match wins --- */

static char SERIAL_S1[] = "S1", ID_STICK[] = "stick", ID_INPUT[] = "input", ID_HUBS[] = "hubs", ID_MIXED[] = "mixed";
static char *STICK_SERIALS[] = {SERIAL_S1};
static struct policy_interface STORAGE[] = {{.class_ = 8, .subclass = 6, .protocol = 0x50}};
static struct policy_interface HID[] = {{.class_ = 3, .any_subclass = true, .any_protocol = true}};
static struct policy_interface HUB_CLASS[] = {{.class_ = 9, .any_subclass = true, .any_protocol = true}};

enum {
    RULE_STICK,
    RULE_INPUT,
    RULE_HUBS,
    RULE_MIXED,
    RULES
};

struct fixture_policy {
    struct policy policy;
    struct policy_usb_rule rules[RULES];
};

/* The stick S1 is read; what is only HID or a hub is used; of what has HID besides other things, the HID alone. */
static inline struct policy *fixture_policy(struct fixture_policy *p)
{
    *p =
        (struct fixture_policy){
            .policy = {.refs = 1, .version = 1, .usb = p->rules, .n_usb = RULES},
            .rules =
                {
                    [RULE_STICK] = {.id = ID_STICK,
                                    .match = {.serials = {.items = STICK_SERIALS, .n = 1, .op = POLICY_SET_ONE_OF},
                                              .interfaces = {.items = STORAGE, .n = 1, .op = POLICY_SET_EQUALS},
                                              .has_interfaces = true},
                                    .when = {.from = -1, .to = -1},
                                    .allow = POLICY_READ},
                    [RULE_INPUT] = {.id = ID_INPUT,
                                    .match = {.interfaces = {.items = HID, .n = 1, .op = POLICY_SET_MATCH_ALL},
                                              .has_interfaces = true},
                                    .when = {.from = -1, .to = -1},
                                    .allow = POLICY_USE},
                    [RULE_HUBS] = {.id = ID_HUBS,
                                   .match = {.interfaces = {.items = HUB_CLASS, .n = 1, .op = POLICY_SET_MATCH_ALL},
                                             .has_interfaces = true},
                                   .when = {.from = -1, .to = -1},
                                   .allow = POLICY_USE},
                    [RULE_MIXED] =
                        {.id = ID_MIXED,
                         .match = {.interfaces = {.items = HID, .n = 1, .op = POLICY_SET_ONE_OF},
                                   .has_interfaces = true},
                         .only = {.items = HID, .n = 1, .op = POLICY_SET_ONE_OF},
                         .when = {.from = -1, .to = -1},
                         .allow = POLICY_USE},
                },
        };
    return &p->policy;
}
