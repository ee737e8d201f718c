/* Owns: reading JSON answers leniently, and the words people see for stable names. */
#include "cli/value.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/i18n.h"

const char *value_string(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s ? s : "";
}

bool value_bool(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

int64_t value_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

const char *value_time(const char *rfc3339, char ret[static VALUE_TIME_SIZE])
{
    int64_t wall_us = 0;
    struct tm local = {0};
    time_t seconds;

    (void)snprintf(ret, VALUE_TIME_SIZE, "-");
    if (!rfc3339 || clock_parse_rfc3339(rfc3339, &wall_us) < 0)
        return ret;
    seconds = (time_t)(wall_us / 1000000);
    if (localtime_r(&seconds, &local))
        (void)strftime(ret, VALUE_TIME_SIZE, "%Y-%m-%d %H:%M:%S", &local);
    return ret;
}

const char *value_hour(const char *rfc3339, char *buffer, size_t size)
{
    char whole[VALUE_TIME_SIZE];
    const char *hour = strchr(value_time(rfc3339, whole), ' ');

    (void)snprintf(buffer, size, "%.5s", hour ? hour + 1 : "-");
    return buffer;
}

const char *value_place(const char *id)
{
    const char *at = strrchr(id, '@');

    return at ? at + 1 : id;
}

const char *value_yes_no(bool yes)
{
    return yes ? _("yes") : _("no");
}

struct word {
    const char *name, *message;
};

static const char *translate(const struct word *words, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (text_equal(words[i].name, name))
            return _(words[i].message);
    return name;
}

const char *value_verdict(const char *verdict)
{
    static const struct word words[] = {
        {"allow", N_("allowed")},
        {"deny", N_("refused")},
    };

    return translate(words, ELEMENTS(words), verdict);
}

const char *value_granted(const char *granted)
{
    static const struct word words[] = {
        {"refuse", N_("nothing")},
        {"read", N_("read only")},
        {"use", N_("use")},
        {"export", N_("take-out")},
    };

    return translate(words, ELEMENTS(words), granted);
}
