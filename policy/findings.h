#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "policy/policy.h"

/* Marks a message for translation; findings_add() translates it when the finding is made. */
#ifndef N_
#    define N_(message) (message)
#endif

/*
 * What is wrong with a document, in order of discovery. Messages are made through `translate` (gettext of the program; NULL:
 * English), so that arguments may be reordered by the translation. Starts as {0}.
 */
enum policy_severity {
    POLICY_ERROR = 0,
    POLICY_WARNING
};

struct policy_finding {
    enum policy_severity severity;
    struct policy_position at; /* 0:0 speaks of the whole file; columns count characters, not bytes */
    char *message;             /* one line of printable UTF-8 */
    char *hint;                /* what to do about it, or NULL */
};

/* After that many the document is not looked at further: nobody reads more, and foreign bytes must not make us work long. */
enum {
    POLICY_FINDINGS_MAX = 100
};

struct policy_findings {
    struct policy_finding *items;
    size_t n;
    size_t n_errors;
    const char *(*translate)(const char *message);
    bool incomplete; /* memory ran out while one was added */
    bool dropped;    /* the last one was not added */
};

void policy_findings_done(struct policy_findings *f);
/* NULL findings are dropped. Nothing is added past POLICY_FINDINGS_MAX, but errors are still counted, and take
 * the place of warnings. Foreign text among the
 * arguments may hold anything: the finished message is made printable. */
void policy_findings_add(struct policy_findings *f, enum policy_severity severity, struct policy_position at,
                         const char *message, ...) __attribute__((format(printf, 4, 5)));
void policy_findings_add_v(struct policy_findings *f, enum policy_severity severity, struct policy_position at,
                           const char *message, va_list arguments) __attribute__((format(printf, 4, 0)));
/* The message in the language of the findings. */
const char *policy_findings_translate(const struct policy_findings *f, const char *message)
    __attribute__((format_arg(2)));
/* Gives the finding added last a hint. */
void policy_findings_hint(struct policy_findings *f, const char *hint, ...) __attribute__((format(printf, 2, 3)));
bool policy_findings_full(const struct policy_findings *f);
/* Nothing that is still to be read would change the outcome: there are errors and nobody would see more of them. Warnings alone must
 * never stop the reading of a document: what was not read would be missing in a policy without errors. */
bool policy_findings_hopeless(const struct policy_findings *f);
/* Orders by line and column, keeping the order of discovery within one. */
void policy_findings_sort(struct policy_findings *f);

/* The line at `at` as it may be shown, and a line of blanks of the same width that ends with '^'. Wide characters take two
 * columns. 0; -ENOENT when there is no such line; -ENOMEM. Caller frees both. */
int policy_source_line(const uint8_t *bytes, size_t size, struct policy_position at, char **ret_line, char **ret_caret);
/* All findings as "FILE:LINE:COL: message", "FILE:LINE:COL: warning: message", each followed by the source line, the caret
 * and the hint. bytes NULL: without source. */
void policy_findings_print(const struct policy_findings *f, FILE *out, const char *file_name, const uint8_t *bytes,
                           size_t size);
