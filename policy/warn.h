#pragma once

#include "policy/findings.h"

/* What is legal but likely a mistake; policy_load() calls it for a document without errors. */
void policy_warn(const struct policy *p, struct policy_findings *findings);
/* Parts of it. */
void policy_warn_export(const struct policy *p, struct policy_findings *findings);
void policy_warn_mfa(const struct policy *p, struct policy_findings *findings);
/* Services whose programs give one answer to every question of PAM: the n-th, NULL past the last. Who is asked for a password and a code there
 * never gets in; `policy check --present` and `mfa lint` say so where one is installed. */
const char *policy_answers_once(size_t n);
#define POLICY_ANSWERS_ONCE                                                                                            \
    N_("'%s' asks once and answers every question with that: who must give password and code cannot unlock it")
#define POLICY_ANSWERS_ONCE_HINT                                                                                       \
    N_("leave it out of 'services': the password unlocks it then; or give it the PAM stack 'auth required pam_kuraban.so' alone")
/* Warns of rules and documents that have expired or will within 30 days of now. For `policy check`, which has a clock. */
void policy_warn_expiry(const struct policy *p, int64_t now_us, struct policy_findings *findings);
