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
        [REASON_LOCKED] = "locked",
        [REASON_SOURCE] = "source",
        [REASON_TARGET] = "target",
        [REASON_SIZE] = "size",
        [REASON_LIMIT] = "limit",
        [REASON_CONTENT] = "content",
        [REASON_APPROVAL] = "approval",
        [REASON_FACTOR] = "factor",
    };

    if ((unsigned)reason >= ELEMENTS(names) || !names[reason])
        return "unknown";
    return names[reason];
}

const char *decide_mismatch_name(enum decide_mismatch m)
{
    static const char *const names[MISMATCH_COUNT_] = {
        [MISMATCH_NONE] = "none",
        [MISMATCH_DEVICE] = "device",
        [MISMATCH_SERIAL] = "serial",
        [MISMATCH_NAME] = "name",
        [MISMATCH_HASH] = "hash",
        [MISMATCH_PARENT_HASH] = "parent-hash",
        [MISMATCH_USBGUARD_HASH] = "usbguard-hash",
        [MISMATCH_USBGUARD_PARENT_HASH] = "usbguard-parent-hash",
        [MISMATCH_PORT] = "port",
        [MISMATCH_CONNECT_TYPE] = "connect-type",
        [MISMATCH_INTERFACES] = "interfaces",
        [MISMATCH_BUS] = "bus",
        [MISMATCH_PATH] = "path",
        [MISMATCH_FILESYSTEM] = "filesystem",
        [MISMATCH_LABEL] = "label",
        [MISMATCH_UUID] = "uuid",
        [MISMATCH_CAPACITY] = "capacity",
        [MISMATCH_WHO] = "who",
        [MISMATCH_WHEN] = "when",
        [MISMATCH_EXPIRED] = "until",
        [MISMATCH_TO] = "to",
        [MISMATCH_FROM] = "from",
        [MISMATCH_CLASSES] = "classes",
    };

    if ((unsigned)m >= ELEMENTS(names) || !names[m])
        return "unknown";
    return names[m];
}
