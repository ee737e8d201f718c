#pragma once

#include "test.h"

#include <string.h>

#include "base/cleanup.h"
#include "decide/decide.h"
#include "policy/findings.h"

/* Documents cannot say "allow: export" yet, decisions can: such a rule is written with this name. */
#define FIXTURE_EXPORT "allow: read, name: to be exported to"

static inline void fixture_export(struct policy *p)
{
    for (size_t i = 0; i < p->n_usb; i++)
        if (p->usb[i].name && strcmp(p->usb[i].name, "to be exported to") == 0)
            p->usb[i].allow = POLICY_EXPORT;
    for (size_t i = 0; i < p->media.n_rules; i++)
        if (p->media.rules[i].name && strcmp(p->media.rules[i].name, "to be exported to") == 0)
            p->media.rules[i].allow = POLICY_EXPORT;
}

/* A policy from the part of a document that a test is about. */
static inline struct policy *policy_of(const char *body)
{
    struct policy_findings findings = {0};
    struct policy *p = NULL;
    char text[8192];

    (void)snprintf(text, sizeof(text), "format: kuraban-policy/1\norganization: c\nname: n\nversion: 1\n%s", body);
    if (policy_load("test.yaml", (const uint8_t *)text, strlen(text), &findings, &p) != 0) {
        policy_findings_print(&findings, stderr, "test.yaml", (const uint8_t *)text, strlen(text));
        fail_msg("does not load");
    }
    policy_findings_done(&findings);
    fixture_export(p);
    return p;
}

static inline int fixture_user(void *context, const char *name, uid_t *ret)
{
    (void)context;
    *ret = strcmp(name, "tanaka") == 0 ? 1001 : 1002;
    return 0;
}

static inline int fixture_group(void *context, const char *name, gid_t *ret)
{
    (void)context;
    *ret = strcmp(name, "kazei") == 0 ? 2001 : 2002;
    return 0;
}

/* tanaka is 1001, everybody else 1002; kazei is 2001, every other group 2002. */
static inline struct policy *resolved_policy_of(const char *body)
{
    static const struct policy_names names = {fixture_user, fixture_group, NULL};
    struct policy *p = policy_of(body);

    if (policy_resolve(p, &names, NULL) != 0)
        fail_msg("does not resolve");
    return p;
}

static const gid_t kazei_gids[] = {100, 2001};
static const struct decide_person tanaka = {.uid = 1001, .login_uid = 1001};
static const struct decide_person member = {.uid = 1500, .login_uid = 1500, .gids = kazei_gids, .n_gids = 2};
static const struct decide_person stranger = {.uid = 1600, .login_uid = 1600, .gids = kazei_gids, .n_gids = 1};
