/*
 * The policy loader on any bytes: it must end soon, stay in memory, and give either a policy or an error at a position. What it
 * accepts is decided with, written as findings, and loads the same a second time.
 */
#include <stdlib.h>
#include <string.h>

#include "decide/decide.h"
#include "fuzz/fuzz.h"
#include "policy/findings.h"
#include "policy/show.h"
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
    decide_export(p, &(struct decide_export_facts){0}, &v);
    insist(v.kind == VERDICT_DENY || p->mode == POLICY_MONITOR);
}

/* Nothing leaves by a rule that looks into files or names no target that is one; the rule that speaks is the first that does. */
static void take_out(const struct policy *p, const char *target, int store)
{
    static const struct decide_person approvers[] = {{.uid = 3}, {.uid = 4}, {.uid = 5}};
    const struct decide_export_facts facts = {.person = {.uid = 6},
                                              .target = target,
                                              .store = store,
                                              .size = 1000,
                                              .approvers = approvers,
                                              .n_approvers = 3,
                                              .factors = POLICY_FACTOR_TOTP};
    const struct policy_export_rule *r = decide_export_rule(p, target, store);
    struct verdict v = {0};

    decide_export(p, &facts, &v);
    insist(v.rule != NULL && (r ? strcmp(v.rule, r->id) == 0 : v.ruled == VERDICT_DENY));
    insist(!r || !r->content || v.ruled == VERDICT_DENY);
    for (size_t i = 0; i < p->n_export; i++) {
        enum decide_mismatch m = decide_export_mismatch(p, i, target, store);

        insist(!r || &p->export[i] >= r || m != MISMATCH_NONE);
    }
}

static void show_all(const struct policy *p)
{
    FILE *out = fopen("/dev/null", "we");

    insist(out != NULL);
    for (size_t i = 0; i < p->n_export; i++) {
        policy_show_demands(out, &p->export[i], 3);
        policy_show_sources(out, &p->export[i], 3);
        policy_show_day(out, &p->export[i]);
        for (size_t k = 0; k < p->export[i].to.n && k < 16; k++)
            for (int store = -2; store <= (int)p->n_stores && store < 16; store++)
                take_out(p, p->export[i].to.items[k], store);
    }
    for (size_t i = 0; i < p->n_usb; i++)
        policy_show_unlock(out, &p->usb[i].unlock, 3);
    policy_show_login(out, &p->mfa, 3);
    policy_show_throttle(out, &p->mfa);
    insist(p->mfa.failures >= 1 && p->mfa.failures <= 100 && p->mfa.window <= 2);
    (void)fclose(out);
    take_out(p, "default", 0);
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
        show_all(p);
        insist(policy_load("fuzz.yaml", data, size, NULL, &again) == 0 && again->n_usb == p->n_usb);
    }
    (void)policy_unref(again);
    (void)policy_unref(p);
    policy_findings_done(&findings);
    return 0;
}
