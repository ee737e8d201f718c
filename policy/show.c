/*
 * Owns: writing parts of a loaded policy back in the words of the document, for explanations and differences.
 * Must not: translate, decide, or write a whole document: what is shown is for reading.
 */
#include "policy/show.h"

#include <inttypes.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"

static const char *name_of(const char *const *names, size_t n, unsigned value)
{
    return value < n ? names[value] : "?";
}

const char *policy_allow_name(enum policy_allow allow)
{
    static const char *const names[] = {
        [POLICY_REFUSE] = "refuse", [POLICY_READ] = "read", [POLICY_USE] = "use", [POLICY_EXPORT] = "export"};

    return name_of(names, ELEMENTS(names), allow);
}

const char *policy_zone_name(enum policy_zone zone)
{
    static const char *const names[] = {
        [POLICY_ZONE_MYNUMBER] = "mynumber", [POLICY_ZONE_LGWAN] = "lgwan", [POLICY_ZONE_INTERNET] = "internet"};

    return name_of(names, ELEMENTS(names), zone);
}

const char *policy_mode_name(enum policy_mode mode)
{
    return mode == POLICY_MONITOR ? "monitor" : "enforce";
}

const char *policy_operator_name(enum policy_set_operator op)
{
    static const char *const names[] = {[POLICY_SET_ALL_OF] = "all-of",
                                        [POLICY_SET_ONE_OF] = "one-of",
                                        [POLICY_SET_NONE_OF] = "none-of",
                                        [POLICY_SET_EQUALS] = "equals",
                                        [POLICY_SET_EQUALS_ORDERED] = "equals-ordered",
                                        [POLICY_SET_MATCH_ALL] = "match-all"};

    return name_of(names, ELEMENTS(names), op);
}

const char *policy_when_full_name(enum policy_when_full full)
{
    static const char *const names[] = {[POLICY_FULL_REFUSE_EXPORT] = "refuse-export",
                                        [POLICY_FULL_REFUSE_ALL] = "refuse-all",
                                        [POLICY_FULL_DROP_OLDEST] = "drop-oldest"};

    return name_of(names, ELEMENTS(names), full);
}

const char *policy_day_name(unsigned day)
{
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

    return name_of(names, ELEMENTS(names), day);
}

/* Before item i of n: a comma, or the end of what is written out. */
static bool next_item(FILE *out, size_t i, size_t n, size_t limit)
{
    if (limit > 0 && i == limit) {
        (void)fprintf(out, ", … (%zu)", n);
        return false;
    }
    if (i > 0)
        (void)fputs(", ", out);
    return true;
}

/* Without an operator a list means `standard`; one value means itself under most operators. */
static void show_operator(FILE *out, enum policy_set_operator op, enum policy_set_operator standard, size_t n)
{
    if (op != standard && (n != 1 || op == POLICY_SET_NONE_OF || standard == POLICY_SET_EQUALS))
        (void)fprintf(out, "%s: ", policy_operator_name(op));
}

void policy_show_strings(FILE *out, const struct policy_strings *s, size_t limit)
{
    show_operator(out, s->op, POLICY_SET_ONE_OF, s->n);
    for (size_t i = 0; i < s->n && next_item(out, i, s->n, limit); i++)
        (void)fputs(*s->items[i] ? s->items[i] : "\"\"", out);
}

void policy_show_ids(FILE *out, const struct policy_usb_ids *ids, size_t limit)
{
    show_operator(out, ids->op, POLICY_SET_ONE_OF, ids->n);
    for (size_t i = 0; i < ids->n && next_item(out, i, ids->n, limit); i++) {
        const struct policy_usb_id *id = &ids->items[i];

        if (id->any_vendor)
            (void)fputs("*:*", out);
        else if (id->any_product)
            (void)fprintf(out, "%04x:*", id->vendor);
        else
            (void)fprintf(out, "%04x:%04x", id->vendor, id->product);
    }
}

void policy_show_interface(FILE *out, const struct policy_interface *i)
{
    if (i->any_subclass)
        (void)fprintf(out, "%02x:*:*", i->class_);
    else if (i->any_protocol)
        (void)fprintf(out, "%02x:%02x:*", i->class_, i->subclass);
    else
        (void)fprintf(out, "%02x:%02x:%02x", i->class_, i->subclass, i->protocol);
}

void policy_show_interfaces(FILE *out, const struct policy_interfaces *i, size_t limit)
{
    show_operator(out, i->op, POLICY_SET_EQUALS, i->n);
    for (size_t k = 0; k < i->n && next_item(out, k, i->n, limit); k++)
        policy_show_interface(out, &i->items[k]);
}

void policy_show_who(FILE *out, const struct policy_who *who, size_t limit)
{
    if (who->users.n > 0) {
        (void)fputs("users ", out);
        policy_show_strings(
            out, &(struct policy_strings){.items = who->users.items, .n = who->users.n, .op = POLICY_SET_ONE_OF},
            limit);
    }
    if (who->groups.n > 0) {
        (void)fputs(who->users.n > 0 ? "; groups " : "groups ", out);
        policy_show_strings(
            out, &(struct policy_strings){.items = who->groups.items, .n = who->groups.n, .op = POLICY_SET_ONE_OF},
            limit);
    }
}

static bool has_day(uint8_t days, unsigned day)
{
    return (days & (1U << day)) != 0;
}

/* Runs of three and more as "mon-fri", others one by one. */
static void show_days(FILE *out, uint8_t days)
{
    bool first = true;

    for (unsigned i = 0; i < 7; i++) {
        unsigned last = i;

        if (!has_day(days, i))
            continue;
        while (last + 1 < 7 && has_day(days, last + 1))
            last++;
        if (last < i + 2)
            last = i;
        (void)fprintf(out, "%s%s", first ? "" : ",", policy_day_name(i));
        if (last > i)
            (void)fprintf(out, "-%s", policy_day_name(last));
        first = false;
        i = last;
    }
}

void policy_show_when(FILE *out, const struct policy_when *when)
{
    if (when->days != 0)
        show_days(out, when->days);
    if (when->from < 0)
        return;
    (void)fprintf(out, "%s%02d:%02d-%02d:%02d", when->days != 0 ? " " : "", when->from / 60, when->from % 60,
                  when->to / 60, when->to % 60);
}

void policy_show_time(FILE *out, int64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm = {0};
    char text[64];

    (void)localtime_r(&seconds, &tm);
    if (wall_us % 1000000 == 999999 && tm.tm_hour == 23 && tm.tm_min == 59 && tm.tm_sec == 59)
        (void)strftime(text, sizeof(text), "%Y-%m-%d", &tm);
    else
        (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
    (void)fputs(text, out);
}

void policy_show_size(FILE *out, uint64_t bytes)
{
    static const char units[] = "TGMK";

    for (unsigned i = 0; i < 4; i++) {
        uint64_t unit = UINT64_C(1) << (10 * (4 - i));

        if (bytes >= unit && bytes % unit == 0) {
            (void)fprintf(out, "%" PRIu64 "%c", bytes / unit, units[i]);
            return;
        }
    }
    (void)fprintf(out, "%" PRIu64, bytes);
}

static void show_attribute(FILE *out, const char *key, const struct policy_strings *s, size_t limit, bool *first)
{
    if (s->n == 0)
        return;
    (void)fprintf(out, "%s%s ", *first ? "" : "; ", key);
    policy_show_strings(out, s, limit);
    *first = false;
}

void policy_show_usb_match(FILE *out, const struct policy_usb_match *m, size_t limit)
{
    bool first = true;

    if (m->devices.n > 0) {
        policy_show_ids(out, &m->devices, limit);
        first = false;
    }
    show_attribute(out, "serial", &m->serials, limit, &first);
    show_attribute(out, "name", &m->names, limit, &first);
    show_attribute(out, "hash", &m->hashes, limit, &first);
    show_attribute(out, "parent-hash", &m->parent_hashes, limit, &first);
    show_attribute(out, "usbguard-hash", &m->usbguard_hashes, limit, &first);
    show_attribute(out, "usbguard-parent-hash", &m->usbguard_parent_hashes, limit, &first);
    show_attribute(out, "port", &m->ports, limit, &first);
    show_attribute(out, "connect-type", &m->connect_types, limit, &first);
    if (m->has_interfaces) {
        (void)fprintf(out, "%sinterfaces ", first ? "" : "; ");
        policy_show_interfaces(out, &m->interfaces, limit);
    }
}

void policy_show_medium_selectors(FILE *out, const struct policy_medium_match *m, size_t limit)
{
    bool first = true;

    show_attribute(out, "bus", &m->buses, limit, &first);
    show_attribute(out, "path", &m->paths, limit, &first);
    show_attribute(out, "serial", &m->serials, limit, &first);
    show_attribute(out, "label", &m->labels, limit, &first);
    show_attribute(out, "uuid", &m->uuids, limit, &first);
}

void policy_show_medium_conditions(FILE *out, const struct policy_medium_match *m, size_t limit)
{
    bool first = true;

    show_attribute(out, "filesystem", &m->filesystems, limit, &first);
    if (m->luks_only) {
        (void)fprintf(out, "%sluks-only", first ? "" : "; ");
        first = false;
    }
    if (m->capacity_max > 0) {
        (void)fprintf(out, "%scapacity-max ", first ? "" : "; ");
        policy_show_size(out, m->capacity_max);
    }
}
