/*
 * The stable words of verdicts: they stand in the journal, in JSON and in policy tests, so they never change.
 */
#include "base/cleanup.h"
#include "decide/decide.h"

const char *verdict_kind_name(enum verdict_kind kind)
{
    return kind == VERDICT_ALLOW ? "allow" : "deny";
}

const char *verdict_reason_name(enum verdict_reason reason)
{
    static const char *const names[REASON_COUNT_] = {
        [REASON_DEFAULT] = "default",
        [REASON_RULE] = "rule",
        [REASON_WHO] = "who",
        [REASON_WHEN] = "when",
        [REASON_EXPIRED] = "expired",
        [REASON_DUPLICATE] = "duplicate",
        [REASON_INTERFACES] = "interfaces",
        [REASON_FILESYSTEM] = "filesystem",
        [REASON_ENCRYPTION] = "encryption",
        [REASON_CAPACITY] = "capacity",
        [REASON_WRITE] = "write",
        [REASON_EXECUTE] = "execute",
        [REASON_PROGRAM] = "program",
        [REASON_HASH] = "hash",
        [REASON_UNKNOWN] = "unknown",
        [REASON_OVERLOAD] = "overload",
        [REASON_JOURNAL] = "journal",
        [REASON_TAKEOVER] = "takeover",
    };

    if ((unsigned)reason >= ELEMENTS(names) || !names[reason])
        return "unknown";
    return names[reason];
}
