/*
 * Owns: reading the clocks, their text form, waiting with a limit.
 * Must not: be called by anything that decides; those take time as a parameter.
 */
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    US_PER_SECOND = 1000000,
    NS_BETWEEN_LOOKS = 2 * 1000 * 1000
};

static int64_t clock_read_us(clockid_t id)
{
    struct timespec now;

    if (clock_gettime(id, &now) < 0)
        return 0; /* cannot happen for the ids below; clock_gettime(2) */
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

uint64_t clock_boottime_us(void)
{
    return (uint64_t)clock_read_us(CLOCK_BOOTTIME);
}

int64_t clock_wall_us(void)
{
    return clock_read_us(CLOCK_REALTIME);
}

bool clock_wait_until(int64_t *budget_us, bool (*condition)(void *context), void *context)
{
    const struct timespec pause = {.tv_nsec = NS_BETWEEN_LOOKS};
    int64_t end = clock_read_us(CLOCK_MONOTONIC) + *budget_us;

    for (;;) {
        int64_t left =
            end - clock_read_us(CLOCK_MONOTONIC); /* before the look, so that the last one is not too early */

        *budget_us = left > 0 ? left : 0;
        if (condition(context))
            return true;
        if (*budget_us == 0)
            return false;
        (void)nanosleep(&pause, NULL);
    }
}

void clock_format_rfc3339(int64_t wall_us, char ret[static CLOCK_RFC3339_SIZE])
{
    int64_t us = wall_us % US_PER_SECOND;
    time_t seconds;
    struct tm tm;

    if (us < 0)
        us += US_PER_SECOND;
    seconds = (wall_us - us) / US_PER_SECOND;
    if (!gmtime_r(&seconds, &tm))
        memset(&tm, 0, sizeof(tm));
    snprintf(ret, CLOCK_RFC3339_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)us);
}

/* Exactly n digits at *s, which moves past them. */
static int take_digits(const char **s, int n, int *ret)
{
    int v = 0;

    for (int i = 0; i < n; i++) {
        char c = (*s)[i];

        if (c < '0' || c > '9')
            return -EINVAL;
        v = v * 10 + (c - '0');
    }
    *s += n;
    *ret = v;
    return 0;
}

static int take_char(const char **s, const char *any_of)
{
    if (!**s || !strchr(any_of, **s))
        return -EINVAL;
    (*s)++;
    return 0;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (month == 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0))
        return 29;
    return days[month - 1];
}

static int take_date(const char **s, struct tm *ret)
{
    int year, month, day;

    if (take_digits(s, 4, &year) < 0 || take_char(s, "-") < 0 || take_digits(s, 2, &month) < 0 ||
        take_char(s, "-") < 0 || take_digits(s, 2, &day) < 0)
        return -EINVAL;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return -EINVAL;
    *ret = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_isdst = -1};
    return 0;
}

/* Digits beyond microseconds are read and dropped. */
static int take_fraction(const char **s, int *ret_us)
{
    int us = 0, scale = US_PER_SECOND / 10, digit;

    if (**s != '.') {
        *ret_us = 0;
        return 0;
    }
    (*s)++;
    if (**s < '0' || **s > '9')
        return -EINVAL;
    while (take_digits(s, 1, &digit) == 0) {
        us += digit * scale;
        scale /= 10;
    }
    *ret_us = us;
    return 0;
}

/* "Z" or "+09:00", in seconds east of UTC. */
static int take_offset(const char **s, int *ret_seconds)
{
    bool west = **s == '-';
    int hours, minutes;

    if (take_char(s, "Zz") == 0) {
        *ret_seconds = 0;
        return 0;
    }
    if (take_char(s, "+-") < 0 || take_digits(s, 2, &hours) < 0 || take_char(s, ":") < 0 ||
        take_digits(s, 2, &minutes) < 0 || hours > 23 || minutes > 59)
        return -EINVAL;
    *ret_seconds = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return 0;
}

int clock_parse_rfc3339(const char *text, int64_t *ret_wall_us)
{
    const char *s = text;
    int us, offset;
    struct tm tm;
    time_t t;

    if (take_date(&s, &tm) < 0)
        return -EINVAL;
    if (!*s) {
        t = mktime(&tm); /* a bare date is a local day */
        if (t == (time_t)-1 && tm.tm_year != 69)
            return -EINVAL;
        *ret_wall_us = (int64_t)t * US_PER_SECOND;
        return 0;
    }
    if (take_char(&s, "Tt ") < 0 || take_digits(&s, 2, &tm.tm_hour) < 0 || take_char(&s, ":") < 0 ||
        take_digits(&s, 2, &tm.tm_min) < 0 || take_char(&s, ":") < 0 || take_digits(&s, 2, &tm.tm_sec) < 0 ||
        take_fraction(&s, &us) < 0 || take_offset(&s, &offset) < 0 || *s)
        return -EINVAL;
    if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
        return -EINVAL;
    tm.tm_isdst = 0;
    t = timegm(&tm);
    *ret_wall_us = ((int64_t)t - offset) * US_PER_SECOND + us;
    return 0;
}
