/*
 * The stable words of grants: they stand in the journal and in answers, so they never change.
 */
#include "base/cleanup.h"
#include "grant/grant.h"

const char *grant_purpose_name(enum grant_purpose purpose)
{
    switch (purpose) {
    case GRANT_USE:
        return "use";
    case GRANT_EXPORT:
        return "export";
    case GRANT_NOTHING:
    default:
        return "nothing";
    }
}

const char *grant_end_name(enum grant_end end)
{
    static const char *const names[GRANT_END_COUNT_] = {
        [GRANT_END_NONE] = "none",       [GRANT_END_EXPIRED] = "expired", [GRANT_END_GIVEN_BACK] = "given-back",
        [GRANT_END_RENEWED] = "renewed", [GRANT_END_DEVICE] = "device",   [GRANT_END_POLICY] = "policy",
        [GRANT_END_PERSON] = "person",   [GRANT_END_STOPPED] = "stopped", [GRANT_END_CENTRE] = "centre",
    };

    return (unsigned)end < ELEMENTS(names) ? names[end] : "none";
}

const char *grant_outcome_name(int outcome)
{
    static const char *const names[GRANT_E_COUNT_] = {
        [0] = "given",
        [GRANT_E_RULE] = "rule",
        [GRANT_E_FACTOR] = "factor",
        [GRANT_E_APPROVAL] = "approval",
        [GRANT_E_APPROVER] = "approver",
        [GRANT_E_TAKEN] = "taken",
        [GRANT_E_MANY] = "many",
        [GRANT_E_FULL] = "full",
        [GRANT_E_REASON] = "reason",
    };

    return (unsigned)outcome < ELEMENTS(names) ? names[outcome] : "rule";
}
