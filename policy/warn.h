#pragma once

#include "policy/findings.h"

/* What is legal but likely a mistake; policy_load() calls it for a document without errors. */
void policy_warn(const struct policy *p, struct policy_findings *findings);
/* Parts of it. */
void policy_warn_export(const struct policy *p, struct policy_findings *findings);
void policy_warn_mfa(const struct policy *p, struct policy_findings *findings);
/* Warns of rules and documents that have expired or will within 30 days of now. For `policy check`, which has a clock. */
void policy_warn_expiry(const struct policy *p, int64_t now_us, struct policy_findings *findings);
