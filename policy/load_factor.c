/*
 * Owns: what people show or give before something is permitted: factors, approvals, and for how long; so also the key `unlock` of USB
 * and media rules.
 * Must not: know how a factor is verified.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/load.h"

#define SECOND_US INT64_C(1000000)

const struct doc_choice load_factor_choices[] = {{"totp", POLICY_FACTOR_TOTP}, {NULL, 0}};
const struct doc_choice load_login_factor_choices[] = {
    {"password", POLICY_FACTOR_PASSWORD}, {"totp", POLICY_FACTOR_TOTP}, {NULL, 0}};
const struct doc_choice load_export_factor_choices[] = {{"none", 0}, {"totp", POLICY_FACTOR_TOTP}, {NULL, 0}};

static int load_factor(struct doc *d, const struct yaml_node_s *node, const struct doc_choice *choices, uint8_t *set)
{
    int value = 0, r = doc_get_choice(d, node, choices, &value);

    if (r == 0)
        *set |= (uint8_t)value;
    return r < 0 ? r : 0;
}

int load_factors(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    char **items = NULL;
    uint8_t set = 0;
    size_t n = 0;
    int r = doc_get_strings(d, node, 16, &items, &n); /* one word, or a list of different ones */

    if (r != 0)
        return r < 0 ? r : 0;
    for (size_t i = 0; i < n; i++) {
        const struct yaml_node_s *item = doc_kind(node) == DOC_IS_LIST ? doc_item(d, node, i) : node;

        if (r == 0)
            r = load_factor(d, item, f->choices, &set);
        if (n > 1 && text_equal(items[i], "none"))
            doc_error(d, item, N_("'none' stands alone"));
        free(items[i]);
    }
    free(items);
    *(uint8_t *)target = set;
    return r;
}

int load_duration(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    const char *text = doc_text(node);
    size_t length = text ? strlen(text) : 0;
    char number[8] = "";
    uint64_t n = 0;

    if (f->minimum == 0 && text_equal(text, "0")) {
        *(int64_t *)target = 0;
        return 0;
    }
    if (length >= 2 && length < sizeof(number))
        memcpy(number, text, length - 1);
    for (size_t i = 0; number[0] && i < ELEMENTS(units); i++) {
        uint64_t seconds;

        if (text[length - 1] != units[i].unit || text_to_u64(number, 999999, &n) < 0)
            continue;
        seconds = n * (uint64_t)units[i].seconds;
        if (n > 0 && seconds >= f->minimum && seconds <= f->maximum) {
            *(int64_t *)target = (int64_t)seconds * SECOND_US;
            return 0;
        }
        doc_error(d, node, N_("'%s' is out of range: %llu to %llu seconds"), f->key, (unsigned long long)f->minimum,
                  (unsigned long long)f->maximum);
        return 0;
    }
    doc_error(d, node, N_("'%s' must be a length of time"), f->key);
    doc_hint(d, N_("a number of seconds, minutes, hours or days: 90s, 15m, 8h, 7d"));
    return 0;
}

void load_check_approvers(struct doc *d, const struct yaml_node_s *node, unsigned approvals)
{
    const struct yaml_node_s *approvers = doc_find(d, node, "approvers");

    if (!approvers || approvals > 0)
        return;
    doc_error(d, approvers, N_("'approvers' without 'approvals': nobody is asked to approve"));
    doc_hint(d, N_("say how many must approve: 'approvals: 1'"));
}

static int begin_unlock(struct doc *d, const struct yaml_node_s *node, void *object)
{
    (void)d;
    (void)node;
    *(struct policy_unlock *)object =
        (struct policy_unlock){.needed = true, .factors = POLICY_FACTOR_TOTP, .for_us = 15 * 60 * SECOND_US};
    return 0;
}

static int end_unlock(struct doc *d, const struct yaml_node_s *node, void *object)
{
    load_check_approvers(d, node, ((struct policy_unlock *)object)->approvals);
    return 0;
}

static const struct doc_field unlock_fields[] = {
    LOAD_FACTORS_FIELD(struct policy_unlock, load_factor_choices,
                       N_("what the person shows: totp, the code of a phone")),
    LOAD_APPROVAL_FIELDS(struct policy_unlock),
    {.key = "for",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_unlock, for_us),
     .load = load_duration,
     .shape = DOC_SHAPE_TEXT,
     .minimum = 60,
     .maximum = 8 * 3600,
     .constant = LOAD_PATTERN_DURATION,
     .text = N_("how long at most: 15m; then it is locked again")},
};
const struct doc_schema load_unlock_schema = {.what = N_("unlock"),
                                              .fields = unlock_fields,
                                              .n = ELEMENTS(unlock_fields),
                                              .begin = begin_unlock,
                                              .end = end_unlock};
