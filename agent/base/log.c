/*
 * Owns: the operational log line on stderr.
 * Must not: open a socket, call syslog or NSS, allocate, or decide anything; it is called from every thread.
 *
 * One line is one write(2), so lines of several threads do not mix.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LOG_LINE_MAX = 1024,
    LIMIT_US = 1000000
};

static _Atomic(enum log_level) log_maximum = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_maximum, level, memory_order_relaxed);
}

/* sd-daemon(3): the service manager sets JOURNAL_STREAM where it reads the "<N>" prefix. */
static bool log_is_read_by_systemd(void)
{
    static _Atomic int known; /* 0 not asked, 1 no, 2 yes */
    int v = atomic_load_explicit(&known, memory_order_relaxed);

    if (v == 0) {
        v = getenv("JOURNAL_STREAM") ? 2 : 1;
        atomic_store_explicit(&known, v, memory_order_relaxed);
    }
    return v == 2;
}

static size_t clamp(int n, size_t room)
{
    if (n < 0)
        return 0;
    return (size_t)n < room ? (size_t)n : room - 1;
}

void log_line(enum log_level level, const char *id, const char *fmt, ...)
{
    char line[LOG_LINE_MAX + 1];
    size_t size = 0, text;
    va_list args;
    ssize_t n;

    if (level > atomic_load_explicit(&log_maximum, memory_order_relaxed))
        return;
    if (log_is_read_by_systemd())
        size = clamp(snprintf(line, LOG_LINE_MAX, "<%d>", (int)level), LOG_LINE_MAX);
    text = size;
    size += clamp(snprintf(line + size, LOG_LINE_MAX - size, "%s ", id), LOG_LINE_MAX - size);
    va_start(args, fmt);
    size += clamp(vsnprintf(line + size, LOG_LINE_MAX - size, fmt, args), LOG_LINE_MAX - size);
    va_end(args);
    if (size > text && line[size - 1] == ' ')
        size--;
    for (size_t i = text; i < size; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[size++] = '\n';
    n = write(STDERR_FILENO, line, size);
    (void)n; /* nobody is left to tell */
}

bool log_limit_is_due(struct log_limit *l, uint64_t now_us, uint64_t *ret_unlogged)
{
    if (l->at_us != 0 && now_us - l->at_us < LIMIT_US) {
        l->unlogged++;
        return false;
    }
    *ret_unlogged = l->unlogged;
    *l = (struct log_limit){.at_us = now_us};
    return true;
}
