/*
 * Owns: the keys that rules of every section have: id, who, when, until; and paths and hashes.
 * Must not: know what a rule permits.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/load.h"

int load_id(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *id = NULL;
    int r = doc_get_string(d, node, POLICY_ID_MAX, &id);

    (void)f;
    if (r != 0)
        return r < 0 ? r : 0;
    if (id[strspn(id, allowed)] || id[0] == '-') {
        /* No dots: the ids of class defaults have one ("media.optical"). */
        doc_error(d, node, N_("'%s' is no rule id"), id);
        doc_hint(d, N_("letters A to Z, digits, - and _, not starting with -; write other text as 'name'"));
    } else if (text_equal(id, "default") || text_equal(id, "emergency")) {
        doc_error(d, node, N_("'%s' is what decisions without a rule are recorded as: choose another id"), id);
    } else if (text_equal(id, LOAD_ELSEWHERE)) {
        doc_error(d, node, N_("'%s' means the files that are in no store: choose another id"), id);
    }
    load_clear_string(target);
    *(char **)target = id;
    return 0;
}

/* An empty match would speak of everything; whoever means that leaves it out. */
int load_check_match(struct doc *d, const struct yaml_node_s *node, void *object)
{
    (void)object;
    if (doc_count(node) == 0)
        doc_error(d, node, N_("'match' is empty: give what to match, or leave it out for everything"));
    return 0;
}

static int end_who(struct doc *d, const struct yaml_node_s *node, void *object)
{
    struct policy_who *who = object;

    who->restricted = true;
    if (who->users.n == 0 && who->groups.n == 0)
        doc_error(d, node, N_("'who' names nobody: give users or groups, or leave it out for everybody"));
    return 0;
}

/* The ids that policy_resolve() found. */
static void clear_who(void *object)
{
    struct policy_who *who = object;

    free(who->uids);
    free(who->gids);
    *who = (struct policy_who){0};
}

static const struct doc_field who_fields[] = {
    {.key = "users",
     .type = DOC_STRINGS,
     DOC_AT(struct policy_who, users.items),
     DOC_COUNT_AT(struct policy_who, users.n),
     .text = N_("user names")},
    {.key = "groups",
     .type = DOC_STRINGS,
     DOC_AT(struct policy_who, groups.items),
     DOC_COUNT_AT(struct policy_who, groups.n),
     .text = N_("group names")},
};
const struct doc_schema load_who_schema = {
    .what = N_("who"), .fields = who_fields, .n = ELEMENTS(who_fields), .end = end_who, .clear = clear_who};

static int find_day(const char *text, size_t length)
{
    static const char days[] = "montuewedthufrisatsun";

    for (int i = 0; length == 3 && i < 7; i++)
        if (strncmp(text, days + 3 * i, 3) == 0)
            return i;
    return -1;
}

/* "mon-fri", "sat", "fri-mon" (over the end of the week) into bits. */
static int parse_days(struct doc *d, const struct yaml_node_s *node, const char *text, uint8_t *days)
{
    size_t length = strcspn(text, "-");
    int first = find_day(text, length), last = first;

    if (text[length] == '-')
        last = find_day(text + length + 1, strlen(text + length + 1));
    if (first < 0 || last < 0) {
        doc_error(d, node, N_("'%s' is no day of the week"), text);
        doc_hint(d, N_("mon, tue, wed, thu, fri, sat, sun, or from-to: mon-fri"));
        return DOC_E_INVALID;
    }
    for (int i = first;; i = (i + 1) % 7) {
        *days |= (uint8_t)(1U << i);
        if (i == last)
            return 0;
    }
}

int load_days(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    char **items = NULL;
    size_t n = 0;
    int r = doc_get_strings(d, node, 16, &items, &n);

    (void)f;
    for (size_t i = 0; i < n; i++) {
        (void)parse_days(d, doc_kind(node) == DOC_IS_LIST ? doc_item(d, node, i) : node, items[i], target);
        free(items[i]);
    }
    free(items);
    return r < 0 ? r : 0;
}

/* "08:30" to minutes; "24:00" is the end of the day. */
int load_minute(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    const char *text = doc_text(node);
    uint64_t hour = 0, minute = 0;
    char part[3] = "";

    if (text && strlen(text) == 5 && text[2] == ':') {
        memcpy(part, text, 2);
        if (text_to_u64(part, 24, &hour) == 0 && text_to_u64(text + 3, 59, &minute) == 0 &&
            (hour < 24 || minute == 0)) {
            *(int16_t *)target = (int16_t)(hour * 60 + minute);
            return 0;
        }
    }
    doc_error(d, node, N_("'%s' must be a time of day"), f->key);
    doc_hint(d, N_("hours and minutes, two digits each: \"08:30\""));
    return 0;
}

static int begin_when(struct doc *d, const struct yaml_node_s *node, void *object)
{
    (void)d;
    (void)node;
    *(struct policy_when *)object = (struct policy_when){.from = -1, .to = -1};
    return 0;
}

static int end_when(struct doc *d, const struct yaml_node_s *node, void *object)
{
    struct policy_when *when = object;

    when->restricted = true;
    if ((when->from < 0) != (when->to < 0))
        doc_error(d, node, N_("'from' and 'to' belong together"));
    else if (when->from >= 0 && when->from == when->to)
        doc_error(d, node, N_("'from' and 'to' are the same moment"));
    else if (when->from == 24 * 60)
        doc_error(d, node, N_("'from' must be before 24:00"));
    else if (when->from < 0 && when->days == 0)
        doc_error(d, node, N_("'when' is empty: give days, or from and to"));
    return 0;
}

static const struct doc_field when_fields[] = {
    {.key = "days",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_when, days),
     .load = load_days,
     .shape = DOC_SHAPE_TEXTS,
     .constant = "^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$",
     .text = N_("days of the week: mon-fri, or a list")},
    {.key = "from",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_when, from),
     .load = load_minute,
     .shape = DOC_SHAPE_TEXT,
     .constant = "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$",
     .text = N_("first minute, local time")},
    {.key = "to",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_when, to),
     .load = load_minute,
     .shape = DOC_SHAPE_TEXT,
     .constant = "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$",
     .text = N_("end, local time; before 'from' means past midnight")},
};
const struct doc_schema load_when_schema = {
    .what = N_("when"), .fields = when_fields, .n = ELEMENTS(when_fields), .begin = begin_when, .end = end_when};

int load_digest(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    struct policy_program *program = target;
    const char *text = doc_text(node);

    (void)f;
    if (!text || digest_from_hex(text, &program->sha256) < 0) {
        doc_error(d, node, N_("a SHA-256 in 64 hex digits expected"));
        doc_hint(d, N_("as sha256sum(1) prints it"));
        return 0;
    }
    program->has_sha256 = true;
    return 0;
}

/* Absolute, no empty, "." or ".." parts: the path is compared and opened as it is written. */
static bool is_clean_path(const char *path)
{
    if (*path != '/')
        return false;
    while (*path) {
        size_t length;

        path++;
        length = strcspn(path, "/");
        if (length == 0 || (length == 1 && path[0] == '.') || (length == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        path += length;
    }
    return true;
}

int load_path(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    char *path = NULL;
    int r = doc_get_string(d, node, 1023, &path);

    (void)f;
    if (r != 0)
        return r < 0 ? r : 0;
    if (!is_clean_path(path)) {
        doc_error(d, node, N_("'%s' must be an absolute path without '.', '..' and double slashes"), path);
        free(path);
        return 0;
    }
    load_clear_string(target);
    *(char **)target = path;
    return 0;
}
