/*
 * The policy loader on any bytes: it must end soon, stay in memory, and give either a policy or an error at a position. What it
 * accepts is decided with, written as findings, and loads the same a second time.
 */
#include <stdlib.h>
#include <string.h>

#include "decide/decide.h"
#include "fuzz/fuzz.h"
#include "policy/findings.h"
#include "policy/warn.h"

static void insist(int condition)
{
    if (!condition)
        abort();
}

static int any_user(void *context, const char *name, uid_t *ret)
{
    (void)context;
    *ret = (uid_t)strlen(name);
    return 0;
}

static int no_group(void *context, const char *name, gid_t *ret)
{
    (void)context;
    (void)name;
    (void)ret;
    return -1;
}

/* Rules of foreign making meet devices: nothing unknown is ever permitted in enforce mode. */
static void decide_all(const struct policy *p)
{
    static const struct decide_interface interfaces[] = {{.class_ = 8, .subclass = 6, .protocol = 0x50}, {.class_ = 3}};
    const struct decide_usb_facts usb = {.vendor = 0x781, .serial = "A", .interfaces = interfaces, .n_interfaces = 2};
    struct decide_medium_facts medium = {.bus = "usb", .node = "/dev/sdb", .filesystem = "vfat", .capacity = 1};
    struct verdict v = {0};

    decide_usb(p, &usb, &v);
    insist(v.rule != NULL);
    (void)decide_usb_interface(p, &v, &interfaces[1]);
    medium.usb_rule = v.rule;
    decide_medium(p, &medium, &v);
    insist(v.rule != NULL);
    insist(v.allow != POLICY_USE || v.monitor);
    decide_usb(p, &(struct decide_usb_facts){0}, &v);
    insist(v.kind == VERDICT_DENY || p->mode == POLICY_MONITOR);
    decide_medium(p, &(struct decide_medium_facts){0}, &v);
    insist(v.kind == VERDICT_DENY || p->mode == POLICY_MONITOR);
    decide_open(p, &(struct decide_open_facts){0}, &v);
    insist(v.kind == VERDICT_DENY || p->mode == POLICY_MONITOR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct policy_names names = {any_user, no_group, NULL};
    struct policy_findings findings = {0};
    struct policy *p = NULL, *again = NULL;
    int r = policy_load("fuzz.yaml", data, size, &findings, &p);

    insist(r == 0 || r == POLICY_E_INVALID);
    insist((r == 0) == (p != NULL) && (r == 0) == (findings.n_errors == 0));
    for (size_t i = 0; i < findings.n; i++) {
        char *line = NULL, *caret = NULL;

        insist(findings.items[i].message != NULL);
        (void)policy_source_line(data, size, findings.items[i].at, &line, &caret);
        free(line);
        free(caret);
    }
    if (p) {
        insist(policy_resolve(p, &names, &findings) == 0);
        policy_warn_expiry(p, 0, &findings);
        decide_all(p);
        insist(policy_load("fuzz.yaml", data, size, NULL, &again) == 0 && again->n_usb == p->n_usb);
    }
    (void)policy_unref(again);
    (void)policy_unref(p);
    policy_findings_done(&findings);
    return 0;
}
