/*
 * Owns: from USBGuard's rules to a policy document and the account of it. Must not: open files, or let a device through that
 * USBGuard kept out.
 *
 * Why first match keeps that: say a device meets our rule R that allows, as the first that matches. R permits no more than the rule
 * it came from (narrowed or left out, never widened). Every earlier USBGuard rule that blocks and matches the device has a rule
 * here, at least as wide, in the same place; it would have matched first. So in USBGuard the first match is R's or an earlier allow.
 */
#include "policy/import_usbguard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/emit.h"
#include "policy/import_conf.h"
#include "policy/usbguard_hours.h"
#include "policy/usbguard_match.h"

#define REASON(name) (UINT32_C(1) << POLICY_IMPORT_##name)

enum {
    NAME_MAX_BYTES = 256,
    SHOWN_MAX = 2048, /* of an original line, in a comment */
};

static const uint32_t invalid_reasons = REASON(SYNTAX) | REASON(CONFIGURATION) | REASON(INSERTED),
                      lost_reasons = REASON(CONDITION) | REASON(CONDITION_PART) | REASON(CONDITION_WIDE) |
                                     REASON(PRESENT) | REASON(FOLDER_ALLOW);

static const struct {
    enum usbguard_attribute attribute;
    const char *key;
} keys[] = {
    {USBGUARD_ID, "device"},
    {USBGUARD_SERIAL, "serial"},
    {USBGUARD_NAME, "name"},
    {USBGUARD_HASH, "usbguard-hash"},
    {USBGUARD_PARENT_HASH, "usbguard-parent-hash"},
    {USBGUARD_VIA_PORT, "port"},
    {USBGUARD_WITH_CONNECT_TYPE, "connect-type"},
    {USBGUARD_WITH_INTERFACE, "interfaces"},
};
static const char *const operators[] = {
    [POLICY_SET_ALL_OF] = "all-of",
    [POLICY_SET_ONE_OF] = "one-of",
    [POLICY_SET_NONE_OF] = "none-of",
    [POLICY_SET_EQUALS] = "equals",
    [POLICY_SET_EQUALS_ORDERED] = "equals-ordered",
    [POLICY_SET_MATCH_ALL] = "match-all",
};

struct import {
    const struct policy_import_options *options;
    struct policy_import_account *account;
    struct buf rules;    /* the section usb so far */
    size_t n_rules;      /* in it */
    bool allows, serial; /* a rule that permits; one that does so by serial number */
    struct import_conf conf;
};

/* What a rule comes to. */
struct draft {
    bool blocks, decides; /* decides: it gets a rule in the document */
    struct usbguard_term terms[ELEMENTS(keys)];
    bool has_when;
    unsigned from, to;
};

static void draft_done(struct draft *d)
{
    for (size_t i = 0; i < ELEMENTS(d->terms); i++)
        usbguard_term_done(&d->terms[i]);
}

/* --- Account --- */

static struct policy_import_line *add_line(struct policy_import_account *a, unsigned line)
{
    if ((a->n & (a->n - 1)) == 0) { /* full: room doubles */
        struct policy_import_line *grown = reallocarray(a->lines, a->n > 0 ? 2 * a->n : 1, sizeof(*grown));

        if (!grown)
            return NULL;
        a->lines = grown;
    }
    a->lines[a->n] = (struct policy_import_line){.line = line};
    return &a->lines[a->n++];
}

static enum policy_import_outcome outcome_of(uint32_t reasons)
{
    if (reasons & invalid_reasons)
        return POLICY_IMPORT_INVALID;
    if (reasons & lost_reasons)
        return POLICY_IMPORT_LOST;
    return reasons ? POLICY_IMPORT_NOTED : POLICY_IMPORT_CARRIED;
}

static void count(struct policy_import_account *a)
{
    for (size_t i = 0; i < a->n; i++) {
        a->lines[i].outcome = outcome_of(a->lines[i].reasons);
        if (a->lines[i].line > 0)
            a->counts[a->lines[i].outcome]++;
    }
}

void policy_import_account_done(struct policy_import_account *a)
{
    free(a->lines);
    *a = (struct policy_import_account){0};
}

/* --- Hours --- */

static void set_hours(struct draft *d, unsigned from, unsigned to)
{
    d->has_when = true;
    d->from = from;
    d->to = to;
}

/* When it permits for sure. */
static bool hours_of_allow(struct draft *d, const struct usbguard_hours *h, uint32_t *reasons)
{
    unsigned n = usbguard_hours_count(h->sure), from = 0, to = 0;

    if (n == 0) {
        *reasons |= usbguard_hours_count(h->maybe) == 0 ? REASON(NEVER) : REASON(CONDITION);
        return false;
    }
    if (n == USBGUARD_MINUTES)
        return true;
    if (usbguard_hours_longest(h->sure, true, &from, &to) < n)
        *reasons |= REASON(HOURS_LONGEST);
    if (h->has_unknown)
        *reasons |= REASON(CONDITION_PART);
    *reasons |= REASON(HOURS) | REASON(HOURS_END);
    set_hours(d, from, to);
    return true;
}

/* When it may refuse: all but the longest stretch in which it never does. */
static bool hours_of_block(struct draft *d, const struct usbguard_hours *h, uint32_t *reasons)
{
    unsigned n = usbguard_hours_count(h->maybe), from = 0, to = 0, gap;

    if (n == 0) {
        *reasons |= REASON(NEVER);
        return false;
    }
    if (h->has_unknown && usbguard_hours_count(h->sure) < USBGUARD_MINUTES)
        *reasons |= REASON(CONDITION_WIDE);
    if (n == USBGUARD_MINUTES) {
        if (h->has_hours && usbguard_hours_count(h->sure) < USBGUARD_MINUTES)
            *reasons |= REASON(HOURS); /* what it leaves open is less than a minute */
        return true;
    }
    gap = usbguard_hours_longest(h->maybe, false, &from, &to);
    if (gap < USBGUARD_MINUTES - n)
        *reasons |= REASON(HOURS_LONGEST);
    *reasons |= REASON(HOURS);
    set_hours(d, to % USBGUARD_MINUTES, from == 0 ? USBGUARD_MINUTES : from);
    return true;
}

static bool draft_hours(struct draft *d, const struct usbguard_list *conditions, uint32_t *reasons)
{
    struct usbguard_hours h;

    usbguard_hours(conditions, &h);
    return d->blocks ? hours_of_block(d, &h, reasons) : hours_of_allow(d, &h, reasons);
}

/* --- Rules --- */

/* 0 or -ENOMEM; the draft may hold terms either way. */
static int draft_rule(struct draft *d, const struct usbguard_rule *rule, uint32_t *reasons)
{
    d->blocks = rule->target != USBGUARD_ALLOW;
    d->decides = draft_hours(d, &rule->lists[USBGUARD_IF], reasons);
    for (size_t i = 0; i < ELEMENTS(keys); i++) {
        struct usbguard_term *t = &d->terms[i];

        if (usbguard_match(rule, keys[i].attribute, d->blocks, t) < 0)
            return -ENOMEM;
        *reasons |= t->reasons;
        if (t->kind == USBGUARD_TERM_NEVER) {
            *reasons = (*reasons & ~lost_reasons) | REASON(NEVER);
            d->decides = false;
        }
    }
    if (d->decides && (rule->target == USBGUARD_MATCH || rule->target == USBGUARD_DEVICE))
        *reasons |= REASON(TARGET);
    return 0;
}

static int emit_term(struct emit *e, const struct usbguard_term *t, bool interfaces)
{
    int list, set;

    if (t->n == 1 && t->op == POLICY_SET_ONE_OF && !interfaces)
        return emit_text(e, t->items[0]);
    list = emit_sequence(e, YAML_FLOW_SEQUENCE_STYLE);
    for (size_t i = 0; i < t->n; i++)
        emit_append(e, list, emit_text(e, t->items[i]));
    if (t->op == POLICY_SET_ONE_OF && !interfaces)
        return list;
    set = emit_mapping(e, YAML_FLOW_MAPPING_STYLE);
    emit_put(e, set, operators[t->op], list);
    return set;
}

static void emit_match(struct emit *e, int rule, const struct draft *d)
{
    int match = 0;

    for (size_t i = 0; i < ELEMENTS(keys); i++) {
        if (d->terms[i].kind != USBGUARD_TERM_SET)
            continue;
        if (match == 0)
            match = emit_mapping(e, YAML_BLOCK_MAPPING_STYLE);
        emit_put(e, match, keys[i].key, emit_term(e, &d->terms[i], keys[i].attribute == USBGUARD_WITH_INTERFACE));
    }
    if (match != 0)
        emit_put(e, rule, "match", match);
}

static void emit_time(struct emit *e, int when, const char *key, unsigned minute)
{
    char text[8];

    (void)snprintf(text, sizeof(text), "%02u:%02u", minute / 60 % 100, minute % 60);
    emit_put_text(e, when, key, text);
}

static void emit_verdict(struct emit *e, int rule, const struct usbguard_rule *from)
{
    if (from->target == USBGUARD_ALLOW)
        emit_put_plain(e, rule, "allow", "use");
    else
        emit_put_plain(e, rule, "refuse", "true");
    if (from->target == USBGUARD_REJECT)
        emit_put_plain(e, rule, "remove", "true");
}

/* The label; else the device's name, which says more than a line number. */
static const char *name_of(const struct usbguard_rule *rule)
{
    static const enum usbguard_attribute order[] = {USBGUARD_LABEL, USBGUARD_NAME};

    for (size_t i = 0; i < ELEMENTS(order); i++) {
        const struct usbguard_list *l = &rule->lists[order[i]];

        if (l->n == 1 && l->op == POLICY_SET_EQUALS && emit_is_usable(l->items[0], NAME_MAX_BYTES))
            return l->items[0];
    }
    return NULL;
}

static int emit_rule(struct import *im, const char *id, const struct usbguard_rule *from, const struct draft *d)
{
    const char *name = name_of(from);
    struct emit e;
    int list, rule, when;

    if (emit_begin(&e) < 0)
        return -ENOMEM;
    list = emit_sequence(&e, YAML_BLOCK_SEQUENCE_STYLE);
    rule = emit_mapping(&e, YAML_BLOCK_MAPPING_STYLE);
    emit_append(&e, list, rule);
    emit_put_plain(&e, rule, "id", id);
    if (name)
        emit_put_text(&e, rule, "name", name);
    emit_match(&e, rule, d);
    emit_verdict(&e, rule, from);
    if (d->has_when) {
        when = emit_mapping(&e, YAML_FLOW_MAPPING_STYLE);
        emit_time(&e, when, "from", d->from);
        emit_time(&e, when, "to", d->to);
        emit_put(&e, rule, "when", when);
    }
    im->n_rules++;
    return emit_finish(&e, &im->rules);
}

static const char *words(const struct import *im, enum policy_import_reason reason)
{
    const char *text = policy_import_reason_text(reason);

    return im->options->translate ? im->options->translate(text) : text;
}

/* The line as it was and what to know of it, as comments in front of the rule. */
static int comment_line(struct import *im, const struct policy_import_line *line, const char *text, size_t size)
{
    _cleanup_free_ char *shown = text_make_printable(text, size < SHOWN_MAX ? size : SHOWN_MAX);
    int r = shown ? buf_printf(&im->rules, "# %u: %s%s\n", line->line, shown, size < SHOWN_MAX ? "" : "…") : -ENOMEM;

    for (enum policy_import_reason i = 0; i < POLICY_IMPORT_REASON_COUNT_ && r == 0; i++)
        if (line->reasons & UINT32_C(1) << i)
            r = buf_printf(&im->rules, "#    %s\n", words(im, i));
    return r;
}

static int translate_rule(struct import *im, struct policy_import_line *line, const struct usbguard_rule *rule,
                          const char *text, size_t size)
{
    _cleanup_(draft_done) struct draft d = {0};
    int r = draft_rule(&d, rule, &line->reasons);

    if (r == 0 && (line->reasons || !d.decides))
        r = comment_line(im, line, text, size);
    if (r < 0 || !d.decides)
        return r;
    (void)snprintf(line->rule, sizeof(line->rule), "usbguard-%u", line->line);
    im->allows |= !d.blocks;
    im->serial |= !d.blocks && d.terms[1].kind == USBGUARD_TERM_SET;
    return emit_rule(im, line->rule, rule, &d);
}

/* A comment of its own stays one. */
static int keep_comment(struct import *im, const char *text, size_t size)
{
    _cleanup_free_ char *shown = NULL;

    while (size > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        size--;
    }
    if (size == 0)
        return 0;
    shown = text_make_printable(text, size < SHOWN_MAX ? size : SHOWN_MAX);
    return shown ? buf_printf(&im->rules, "%s\n", shown) : -ENOMEM;
}

static int import_line(struct import *im, unsigned number, const char *text, size_t size)
{
    struct usbguard_rule rule = {0};
    struct policy_import_line *line;
    unsigned column = 0;
    int r = usbguard_rule_parse(text, size, &rule, &column);

    if (r == 0 && rule.target == USBGUARD_NOTHING)
        return keep_comment(im, text, size);
    line = r < 0 ? NULL : add_line(im->account, number);
    if (line && r == USBGUARD_E_SYNTAX) {
        line->reasons = REASON(SYNTAX);
        line->column = column;
        return 0;
    }
    r = line ? translate_rule(im, line, &rule, text, size) : -ENOMEM;
    usbguard_rule_done(&rule);
    return r;
}

static int import_lines(struct import *im, const char *text, size_t size)
{
    const char *end = text + size;
    unsigned number = 0;
    int r = 0;

    while (text < end && r == 0) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((stop ? stop : end) - text);

        if (im->account->n >= POLICY_IMPORT_LINES_MAX)
            return -EFBIG;
        r = import_line(im, ++number, text, length);
        text += stop ? length + 1 : length;
    }
    return r;
}

/* --- The whole --- */

static int remark(struct import *im, uint32_t reasons)
{
    struct policy_import_line *line = add_line(im->account, 0);

    if (!line)
        return -ENOMEM;
    line->reasons = reasons;
    return 0;
}

static int import_configuration(struct import *im)
{
    const struct policy_import_options *o = im->options;

    if (!o->configuration)
        return 0;
    import_conf_read((const char *)o->configuration, o->configuration_size, &im->conf);
    for (size_t i = 0; i < im->conf.n; i++) {
        struct policy_import_line *line = add_line(im->account, im->conf.problems[i].line);

        if (!line)
            return -ENOMEM;
        line->configuration = true;
        line->reasons = im->conf.problems[i].reasons;
    }
    return 0;
}

/* The implicit target is a rule like any other, behind all of them. */
static int import_implicit(struct import *im)
{
    const struct usbguard_rule rule = {.target = im->conf.implicit};
    struct draft d = {.decides = true};
    uint32_t reason = REASON(IMPLICIT_UNSAID);

    if (rule.target == USBGUARD_ALLOW)
        reason = REASON(IMPLICIT_ALLOW);
    else if (rule.target == USBGUARD_REJECT)
        reason = REASON(IMPLICIT_REJECT);
    else if (rule.target == USBGUARD_BLOCK)
        reason = REASON(IMPLICIT_BLOCK);
    im->allows |= rule.target == USBGUARD_ALLOW;
    for (size_t i = 0; i < ELEMENTS(d.terms); i++)
        d.terms[i].kind = USBGUARD_TERM_ANY;
    if (remark(im, reason) < 0)
        return -ENOMEM;
    if (rule.target != USBGUARD_ALLOW && rule.target != USBGUARD_REJECT)
        return 0;
    return emit_rule(im, "usbguard-implicit", &rule, &d);
}

static int remark_whole(struct import *im)
{
    int r = 0;

    if (im->allows)
        r = remark(im, REASON(USE));
    if (r == 0 && im->serial)
        r = remark(im, REASON(UNIQUE));
    return r;
}

static int write_document(const struct import *im, struct buf *out)
{
    struct emit e;
    int root, r;

    if (emit_begin(&e) < 0)
        return -ENOMEM;
    root = emit_mapping(&e, YAML_BLOCK_MAPPING_STYLE);
    emit_put_plain(&e, root, "format", "kuraban-policy/1");
    emit_put_text(&e, root, "organization", im->options->organization);
    emit_put_text(&e, root, "name", im->options->name);
    emit_put_plain(&e, root, "version", "1");
    emit_put_plain(&e, root, "zone", "mynumber");
    emit_put_plain(&e, root, "mode", "enforce");
    r = emit_finish(&e, out);
    if (r == 0 && im->n_rules > 0)
        r = buf_printf(out, "usb:\n");
    return r == 0 ? buf_add(out, im->rules.data, im->rules.size) : r;
}

static int import_all(struct import *im, const uint8_t *rules, size_t size)
{
    int r = import_lines(im, (const char *)rules, size);

    if (r == 0)
        r = import_configuration(im);
    if (r == 0)
        r = import_implicit(im);
    return r == 0 ? remark_whole(im) : r;
}

int policy_import_usbguard(const struct policy_import_options *options, const uint8_t *rules, size_t size,
                           struct policy_import_account *account, struct buf *ret)
{
    struct import im = {.options = options, .account = account};
    _cleanup_(buf_done) struct buf document;
    int r;

    buf_init(&im.rules, POLICY_DOCUMENT_MAX);
    buf_init(&document, POLICY_DOCUMENT_MAX);
    r = size > POLICY_IMPORT_MAX ? -EFBIG : import_all(&im, rules, size);
    count(account);
    if (r == 0) {
        for (size_t i = 0; i < account->n && r == 0; i++)
            if (account->lines[i].outcome == POLICY_IMPORT_INVALID)
                r = POLICY_IMPORT_E_INVALID;
    }
    if (r == 0)
        r = write_document(&im, &document);
    if (r == 0)
        r = buf_add(ret, document.data, document.size);
    buf_done(&im.rules);
    return r;
}
