/*
 * Owns: the section `mfa`: which logins ask for a code, who may enrol whom, and what wrong codes cost.
 * Must not: know PAM or how a code is verified.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/load.h"

static const struct doc_choice enrols[] = {
    {"root", POLICY_ENROL_ROOT}, {"self", POLICY_ENROL_SELF}, {"first-login", POLICY_ENROL_FIRST_LOGIN}, {NULL, 0}};
static const struct doc_choice delays[] = {{"exponential", 1}, {"none", 0}, {NULL, 0}};

void load_mfa_defaults(enum policy_zone zone, struct policy_mfa *ret)
{
    *ret = (struct policy_mfa){.services = {.op = POLICY_SET_ONE_OF},
                               .enrol = zone == POLICY_ZONE_INTERNET ? POLICY_ENROL_SELF : POLICY_ENROL_ROOT,
                               .failures = 10,
                               .delay = true,
                               .lock_us = INT64_C(15) * 60 * 1000000,
                               .window = 1};
}

static int begin_login(struct doc *d, const struct yaml_node_s *node, void *object)
{
    struct policy_mfa *mfa = object;

    (void)d;
    (void)node;
    mfa->login = true;
    mfa->factors = POLICY_FACTOR_PASSWORD | POLICY_FACTOR_TOTP;
    return 0;
}

static int end_login(struct doc *d, const struct yaml_node_s *node, void *object)
{
    const struct policy_mfa *mfa = object;

    if (mfa->factors & POLICY_FACTOR_TOTP)
        return 0;
    doc_error(d, doc_find(d, node, "factors"), N_("a login without 'totp' asks for no code"));
    doc_hint(d, N_("write [password, totp], or leave 'login' out"));
    return 0;
}

static const struct doc_field login_fields[] = {
    {.key = "services",
     .type = DOC_STRINGS,
     DOC_AT(struct policy_mfa, services.items),
     DOC_COUNT_AT(struct policy_mfa, services.n),
     .maximum = 64,
     .text = N_("PAM services that ask for a code: login, sshd; without it: every one")},
    {.key = "who",
     .type = DOC_MAP,
     DOC_AT(struct policy_mfa, who),
     .schema = &load_who_schema,
     .text = N_("users and groups who are asked; without it: everybody")},
    LOAD_FACTORS_FIELD(struct policy_mfa, load_login_factor_choices,
                       N_("totp is asked by kuraban, password by what stands before it in PAM")),
    {.key = "grace",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_mfa, grace_us),
     .load = load_duration,
     .shape = DOC_SHAPE_TEXT,
     .minimum = 0,
     .maximum = 90 * 86400,
     .constant = LOAD_PATTERN_DURATION_OR_0,
     .text = N_("so long people without a code get in, from their first login: 7d, 0")},
};
static const struct doc_schema login_schema = {
    .what = N_("login"), .fields = login_fields, .n = ELEMENTS(login_fields), .begin = begin_login, .end = end_login};

static int load_delay(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    int value = 0, r = doc_get_choice(d, node, f->choices, &value);

    if (r == 0)
        *(bool *)target = value != 0;
    return r < 0 ? r : 0;
}

static int load_lock(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    if (!text_equal(doc_text(node), "until-root"))
        return load_duration(d, node, f, target);
    *(int64_t *)target = 0;
    return 0;
}

static const struct doc_field throttle_fields[] = {
    {.key = "failures",
     .type = DOC_UNSIGNED,
     DOC_AT(struct policy_mfa, failures),
     .minimum = 1,
     .maximum = 100,
     .text = N_("wrong codes in a row, then it is locked")},
    {.key = "delay",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_mfa, delay),
     .load = load_delay,
     .shape = DOC_SHAPE_TEXT,
     .choices = delays,
     .text = N_("exponential: 1, 2, 4, 8 s between wrong codes; none")},
    {.key = "lock",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_mfa, lock_us),
     .load = load_lock,
     .shape = DOC_SHAPE_TEXT,
     .minimum = 60,
     .maximum = 7 * 86400,
     .constant = "^([1-9][0-9]{0,5}[smhd]|until-root)$",
     .text = N_("how long it stays locked: 15m, until-root")},
};
static const struct doc_schema throttle_schema = {
    .what = N_("throttle"), .fields = throttle_fields, .n = ELEMENTS(throttle_fields)};

static int begin_mfa(struct doc *d, const struct yaml_node_s *node, void *object)
{
    (void)d;
    ((struct policy_mfa *)object)->at = doc_position(node);
    return 0;
}

/* The section's parts are written into one struct. */
static const struct doc_field mfa_fields[] = {
    {.key = "login", .type = DOC_MAP, .schema = &login_schema, .text = N_("logins that ask for a code")},
    {.key = "enrol",
     .type = DOC_ENUM,
     DOC_AT(struct policy_mfa, enrol),
     .choices = enrols,
     .text = N_("who makes a person's second factor: root, self, first-login")},
    {.key = "throttle", .type = DOC_MAP, .schema = &throttle_schema, .text = N_("what wrong codes cost")},
    {.key = "window",
     .type = DOC_UNSIGNED,
     DOC_AT(struct policy_mfa, window),
     .minimum = 0,
     .maximum = 2,
     .text = N_("steps of 30 s before and after that are taken as well")},
};
const struct doc_schema load_mfa_schema = {
    .what = N_("mfa"), .fields = mfa_fields, .n = ELEMENTS(mfa_fields), .begin = begin_mfa};
