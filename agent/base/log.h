#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Operational log: one line to stderr, `<priority>message-id key=value …` (systemd reads the prefix; without it the
 * prefix is left out). It is not the journal of decisions: that is audit/. base, kern, policy and decide do not log.
 */

enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};

/* Lines above the level are dropped. Default LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);

/* id: stable, dotted ("gate.self-test.failed"); fmt: "key=value key=value". Values with spaces are the caller's to quote.
 * Control bytes are replaced, the line is cut at 1 KiB. Never blocks on anything but stderr. */
void log_line(enum log_level level, const char *id, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* For what anybody can make us say as often as they like: one line a second. {0} has said nothing. */
struct log_limit {
    uint64_t at_us;
    uint64_t unlogged;
};
/* May a line be written now? Then ret_unlogged says how many were not since the last one. */
bool log_limit_is_due(struct log_limit *l, uint64_t now_us, uint64_t *ret_unlogged);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
