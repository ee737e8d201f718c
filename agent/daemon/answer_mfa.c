/*
 * What is told of the second factors, as JSON. Must not: tell a person of others.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "daemon/answers.h"
#include "daemon/control_mfa.h"
#include "daemon/daemon.h"
#include "daemon/factor.h"
#include "daemon/names.h"
#include "daemon/rulebook.h"
#include "daemon/sessions.h"
#include "json/whole.h"
#include "policy/policy.h"

static json_t *describe(const struct mfa_credential *c)
{
    return json_pack("{s:I, s:I, s:o, s:s, s:i, s:i, s:o, s:o, s:I, s:s, s:I, s:i, s:b}", "record",
                     (json_int_t)c->record, "uid", (json_int_t)c->uid, "name", answer_foreign_text(c->name),
                     "algorithm", totp_algorithm_name(c->settings.algorithm), "digits", (int)c->settings.digits,
                     "period", (int)c->settings.period, "created", answer_time(c->created_us), "used",
                     answer_time(c->used_us), "failures", (json_int_t)c->failures, "state", mfa_outcome_name(c->state),
                     "number", (json_int_t)c->number, "recovery_left", (int)c->recovery_left, "imported", c->imported);
}

json_t *answer_credentials(const struct mfa_credential *list, size_t n, const uid_t *only)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < n; i++)
        if ((!only || list[i].uid == *only) && json_array_append_new(array, describe(&list[i])) < 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *login_of(const struct policy_mfa *p)
{
    json_t *services;

    if (!p->login)
        return json_null();
    services = json_array();
    for (size_t i = 0; services && i < p->services.n; i++)
        whole_add(&services, answer_foreign_text(p->services.items[i]));
    return json_pack("{s:o, s:i}", "services", services, "window", (int)p->window);
}

json_t *answer_mfa(struct daemon *d, uid_t peer)
{
    static const char *const enrols[] = {"root", "self", "first-login"};
    static const char *const keys[] = {"none", "file", "credential"};
    const struct policy_mfa *p = &rulebook_policy(d->rulebook)->mfa;
    _cleanup_free_ struct mfa_credential *list = NULL;
    const struct mfa_now now = factor_now();
    const struct mfa_credential *own = NULL;
    size_t n = 0;
    int r = mfa_list(d->mfa, &now, &list, &n);

    for (size_t i = 0; i < n; i++)
        if (list[i].uid == peer)
            own = &list[i];
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:b, s:o}", "state", mfa_condition_name(mfa_condition(d->mfa)),
                     "complaint", mfa_complaint(d->mfa), "key", keys[mfa_key_source(d->mfa)], "enrol", enrols[p->enrol],
                     "login", login_of(p), "own", own ? describe(own) : json_null(), "may_enrol",
                     r == 0 && !own && (peer == 0 || control_may_enrol(d)), "enrolled",
                     peer == 0 && r == 0 ? json_integer((json_int_t)n) : json_null());
}

/* Somebody who can put things right: root, or of a group that usually may become root. */
static bool is_administrator(uid_t uid)
{
    static const char *const groups[] = {"sudo", "wheel", "admin"};
    _cleanup_free_ gid_t *gids = NULL;
    bool unknown = false;
    size_t n = 0;

    if (uid == 0)
        return true;
    if (sessions_groups_of(uid, &gids, &n, &unknown) < 0)
        return false;
    for (size_t g = 0; g < ELEMENTS(groups); g++) {
        gid_t gid = 0;

        if (names_of_machine.group(names_of_machine.context, groups[g], &gid) != 0)
            continue;
        for (size_t i = 0; i < n; i++)
            if (gids[i] == gid)
                return true;
    }
    return false;
}

bool answer_has_administrator(struct daemon *d)
{
    _cleanup_free_ struct mfa_credential *list = NULL;
    const struct mfa_now now = factor_now();
    size_t n = 0;

    if (mfa_list(d->mfa, &now, &list, &n) != 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (is_administrator(list[i].uid))
            return true;
    return false;
}
