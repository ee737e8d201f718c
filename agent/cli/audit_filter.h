#pragma once

#include "audit/filter.h"
#include "cli/cli.h"

/* The filters that what shows records shares (audit show, audit export, kuraban-hub events): the first options of each table. */
enum {
    FILTER_SINCE,
    FILTER_UNTIL,
    FILTER_USER,
    FILTER_DEVICE,
    FILTER_VERDICT,
    FILTER_RULE,
    FILTER_ACTION,
    FILTER_ALARMS,
    FILTER_TAIL,
    FILTER_COUNT,
};

#define FILTER_OPTIONS                                                                                                 \
    [FILTER_SINCE] = {"since", "TIME", N_("from this moment on (2026-11-23 or 2026-11-23T10:00:00+09:00)")},           \
    [FILTER_UNTIL] = {"until", "TIME", N_("before this moment")},                                                      \
    [FILTER_USER] = {"user", "USER", N_("of this person")},                                                            \
    [FILTER_DEVICE] = {"device", "ID", N_("of this device or serial number")},                                         \
    [FILTER_VERDICT] = {"verdict", "VERDICT", N_("allow, deny or would-refuse")},                                      \
    [FILTER_RULE] = {"rule", "ID", N_("decided by this rule")},                                                        \
    [FILTER_ACTION] = {"action", "ACTION", N_("of this kind (file-open, device-decided, …)")},                         \
    [FILTER_ALARMS] = {"alarms", NULL, N_("alarms only")}, [FILTER_TAIL] = {"tail", "N", N_("only the last N")}

/* CLI_OK or CLI_USAGE with a message. The filter borrows from a. */
enum cli_exit audit_filter(struct cli *c, const struct cli_arguments *a, struct journal_filter *ret);
