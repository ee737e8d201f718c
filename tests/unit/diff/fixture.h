#pragma once

#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "policy/diff/diff.h"
#include "policy/findings.h"

/* Tables of two documents and what diff tells of them. */

static inline struct policy *diff_load(const char *body, uint64_t version)
{
    struct policy_findings findings = {0};
    struct policy *p = NULL;
    char *text = NULL;

    assert_true(asprintf(&text, "format: kuraban-policy/1\norganization: o\nname: n\nversion: %llu\n%s",
                         (unsigned long long)version, body) > 0);
    if (policy_load("test", (const uint8_t *)text, strlen(text), &findings, &p) != 0)
        fail_msg("%s\n%u: %s", text, findings.items[0].at.line, findings.items[0].message);
    policy_findings_done(&findings);
    free(text);
    return p;
}

static inline void diff_show_list(FILE *out, const struct diff_list *l, const char *begin, const char *end)
{
    (void)fputs(begin, out);
    for (size_t i = 0; i < l->n; i++)
        (void)fprintf(out, "%s%s", i > 0 ? " | " : "", l->items[i]);
    (void)fputs(end, out);
}

/* One line per change: "wider usb permitted ''; allow: - > read [default > stick] {0781:5583}". */
static inline char *diff_show(const struct diff *d)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    for (size_t i = 0; i < d->n; i++) {
        const struct diff_change *c = &d->items[i];

        (void)fprintf(out, "%s %s %s", diff_effect_name(c->effect), diff_area_name(c->area), diff_kind_name(c->kind));
        if (*c->subject)
            (void)fprintf(out, " %s", c->subject);
        for (size_t k = 0; k < c->n_details; k++)
            (void)fprintf(out, "; %s: %s > %s", c->details[k].key, c->details[k].before ? c->details[k].before : "-",
                          c->details[k].after ? c->details[k].after : "-");
        if (c->rules_before.n + c->rules_after.n > 0 && c->area != DIFF_STORES) {
            diff_show_list(out, &c->rules_before, " [", " > ");
            diff_show_list(out, &c->rules_after, "", "]");
        }
        if (c->devices.n > 0)
            diff_show_list(out, &c->devices, " {", "}");
        (void)fputc('\n', out);
    }
    assert_int_equal(fclose(out), 0);
    return text;
}

static inline char *diff_compare(const char *before, const char *after)
{
    struct policy *a = diff_load(before, 1), *b = diff_load(after, 1);
    struct diff *d = NULL;
    char *text;

    assert_int_equal(diff_policies(a, b, NULL, &d), 0);
    assert_false(d->incomplete);
    text = diff_show(d);
    (void)diff_free(d);
    (void)policy_unref(a);
    (void)policy_unref(b);
    return text;
}

struct diff_row {
    const char *what, *before, *after, *told;
};

static inline void diff_rows_told(const struct diff_row *rows, size_t n)
{
    size_t failed = 0;

    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        char *told = diff_compare(rows[i].before, rows[i].after);

        if (strcmp(told, rows[i].told) != 0) {
            print_error("--- %s\nexpected:\n%stold:\n%s", rows[i].what, rows[i].told, told);
            failed++;
        }
        free(told);
    }
    assert_int_equal(failed, 0);
}

/* Wider one way is narrower the other, and what is other or without effect stays so. */
static inline void diff_rows_backwards(const struct diff_row *rows, size_t n)
{
    static const enum diff_effect reverse[] = {
        [DIFF_WIDER] = DIFF_NARROWER, [DIFF_OTHER] = DIFF_OTHER, [DIFF_NARROWER] = DIFF_WIDER, [DIFF_NONE] = DIFF_NONE};

    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        struct policy *a = diff_load(rows[i].before, 1), *b = diff_load(rows[i].after, 1);
        struct diff *there = NULL, *back = NULL;

        assert_int_equal(diff_policies(a, b, NULL, &there), 0);
        assert_int_equal(diff_policies(b, a, NULL, &back), 0);
        for (unsigned e = 0; e < DIFF_EFFECT_COUNT_; e++)
            if (there->n_effect[e] != back->n_effect[reverse[e]])
                fail_msg("%s: %zu %s, back %zu", rows[i].what, there->n_effect[e], diff_effect_name(e),
                         back->n_effect[reverse[e]]);
        (void)diff_free(there);
        (void)diff_free(back);
        (void)policy_unref(a);
        (void)policy_unref(b);
    }
}
