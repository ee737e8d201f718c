/* Owns: the list of what was found. Must not: judge, or hold words for people. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "bypass/internal.h"

static const char *const kind_names[BYPASS_KIND_COUNT_] = {
    [BYPASS_PAM_NONE] = "pam-none",
    [BYPASS_PAM_SUFFICIENT] = "pam-sufficient",
    [BYPASS_PAM_JUMP] = "pam-jump",
    [BYPASS_PAM_WEAK] = "pam-weak",
    [BYPASS_PAM_UNCLEAR] = "pam-unclear",
    [BYPASS_PAM_ALONE] = "pam-alone",
    [BYPASS_PAM_GROUP] = "pam-group",
    [BYPASS_SSHD_PAM] = "sshd-use-pam",
    [BYPASS_SSHD_METHODS] = "sshd-methods",
    [BYPASS_SSHD_ROOT] = "sshd-root",
    [BYPASS_SSHD_KEYBOARD] = "sshd-keyboard-interactive",
    [BYPASS_SSHD_UNCLEAR] = "sshd-unclear",
    [BYPASS_AUTOLOGIN_LIGHTDM] = "lightdm-autologin",
    [BYPASS_AUTOLOGIN_GDM] = "gdm-autologin",
    [BYPASS_AUTOLOGIN_SDDM] = "sddm-autologin",
    [BYPASS_AUTOLOGIN_GETTY] = "getty-autologin",
    [BYPASS_GUEST_LIGHTDM] = "lightdm-guest",
    [BYPASS_SUDO] = "sudo-no-question",
    [BYPASS_UNREADABLE] = "unreadable",
    [BYPASS_POLICY_NONE] = "policy-none",
    [BYPASS_NOTE_GROUP] = "note-group-empty",
    [BYPASS_NOTE_SSHD] = "note-sshd-not-asked",
    [BYPASS_NOTE_PASSWORD] = "note-sshd-password",
    [BYPASS_NOTE_SERVICES] = "note-policy-services",
    [BYPASS_NOTE_POLICY] = "note-policy-not-asked",
    [BYPASS_NOTE_EARLY] = "note-pam-early",
    [BYPASS_NOTE_ONCE] = "note-answers-once",
};

static const char *const reason_names[BYPASS_REASON_COUNT_] = {
    [BYPASS_REASON_JOBS] = "jobs",
    [BYPASS_REASON_GREETER] = "greeter",
    [BYPASS_REASON_AUTOLOGIN] = "autologin",
    [BYPASS_REASON_ROOT] = "root",
};

const char *bypass_kind_name(enum bypass_kind kind)
{
    return kind > 0 && kind < BYPASS_KIND_COUNT_ ? kind_names[kind] : "";
}

const char *bypass_reason_name(enum bypass_reason reason)
{
    return reason > 0 && reason < BYPASS_REASON_COUNT_ ? reason_names[reason] : "";
}

bool bypass_is_note(enum bypass_kind kind)
{
    return kind >= BYPASS_NOTE_GROUP;
}

static void finding_done(struct bypass_finding *f)
{
    free(f->file);
    free(f->text);
    free(f->subject);
}

void bypass_report_done(struct bypass_report *r)
{
    for (size_t i = 0; i < r->n_findings; i++)
        finding_done(&r->findings[i]);
    free(r->findings);
    for (size_t i = 0; i < r->n_exceptions; i++)
        free(r->exceptions[i].service);
    free(r->exceptions);
    for (size_t i = 0; i < r->n_closed; i++)
        free(r->closed[i]);
    free(r->closed);
    for (size_t i = 0; i < r->n_both; i++) {
        free(r->both[i].service);
        free(r->both[i].file);
    }
    free(r->both);
    *r = (struct bypass_report){0};
}

/* Is word one of the list "a, b, c"? */
static bool list_has(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *s = list; *s; s += strcspn(s, ","), s += strspn(s, ", "))
        if (strcspn(s, ",") == n && strncmp(s, word, n) == 0)
            return true;
    return false;
}

static int add_subject(struct bypass_finding *f, const char *subject)
{
    char *joined;

    if (list_has(f->subject, subject))
        return 0;
    if (asprintf(&joined, "%s%s%s", f->subject, *f->subject ? ", " : "", subject) < 0)
        return -ENOMEM;
    free(f->subject);
    f->subject = joined;
    return 0;
}

/* A copy in which white space is one space. */
static char *copy_text(const char *text)
{
    char *copy = strdup(text), *write = copy;

    for (const char *s = copy; s && *s; s++) {
        bool space = *s == ' ' || *s == '\t';

        if (!space || (write != copy && write[-1] != ' '))
            *write++ = space ? ' ' : *s;
    }
    if (write)
        *write = '\0';
    return copy;
}

int bypass_report_add(struct bypass_report *r, enum bypass_kind kind, const char *file, unsigned line, const char *text,
                      const char *subject)
{
    struct bypass_finding f = {.kind = kind, .line = line}, *grown;

    for (size_t i = 0; i < r->n_findings; i++)
        if (r->findings[i].kind == kind && r->findings[i].line == line && text_equal(r->findings[i].file, file))
            return add_subject(&r->findings[i], subject);
    grown = reallocarray(r->findings, r->n_findings + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    r->findings = grown;
    f.file = strdup(file);
    f.text = copy_text(text ? text : "");
    f.subject = strdup(subject);
    if (!f.file || !f.text || !f.subject) {
        finding_done(&f);
        return -ENOMEM;
    }
    r->findings[r->n_findings++] = f;
    return 0;
}

int report_closed(struct bypass_report *r, const char *service)
{
    char **grown = reallocarray(r->closed, r->n_closed + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    r->closed = grown;
    grown[r->n_closed] = strdup(service);
    if (!grown[r->n_closed])
        return -ENOMEM;
    r->n_closed++;
    return 0;
}

int report_both(struct bypass_report *r, const char *service, const char *file)
{
    struct bypass_both *grown = reallocarray(r->both, r->n_both + 1, sizeof(*grown)), one;

    if (!grown)
        return -ENOMEM;
    r->both = grown;
    one = (struct bypass_both){strdup(service), strdup(file)};
    if (!one.service || !one.file) {
        free(one.service);
        free(one.file);
        return -ENOMEM;
    }
    r->both[r->n_both++] = one;
    return 0;
}

int report_except(struct bypass_report *r, const char *service, enum bypass_reason reason)
{
    struct bypass_exception *grown = reallocarray(r->exceptions, r->n_exceptions + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    r->exceptions = grown;
    grown[r->n_exceptions] = (struct bypass_exception){strdup(service), reason};
    if (!grown[r->n_exceptions].service)
        return -ENOMEM;
    r->n_exceptions++;
    return 0;
}

int report_read(struct bypass_report *r, const struct tree *t, const char *path, char **ret)
{
    char *text = NULL;
    int code = tree_read(t, path, &text);

    if (code == -ENOMEM)
        return code;
    *ret = text;
    if (code == 0 || code == -ENOENT || code == -ENOTDIR)
        return 0;
    return bypass_report_add(r, BYPASS_UNREADABLE, path, 0, NULL, strerror(-code));
}

static int compare_findings(const void *a, const void *b)
{
    const struct bypass_finding *left = a, *right = b;
    int order = (int)bypass_is_note(left->kind) - (int)bypass_is_note(right->kind);

    if (order == 0)
        order = strcmp(left->file, right->file);
    if (order == 0)
        order = (left->line > right->line) - (left->line < right->line);
    return order != 0 ? order : (int)left->kind - (int)right->kind;
}

int bypass_look(const char *root, const char *sshd, struct bypass_report *ret)
{
    struct bypass_report report = {0};
    struct tree t = {.root = -1};
    int r = tree_open(root, &t);

    if (r == 0)
        r = look_pam(&t, &report);
    if (r == 0)
        r = look_sshd(&t, sshd, &report);
    if (r == 0)
        r = look_display(&t, &report);
    if (r == 0)
        r = look_console(&t, &report);
    if (r == 0)
        r = look_sudo(&t, &report);
    tree_close(&t);
    if (r < 0) {
        bypass_report_done(&report);
        return r;
    }
    if (report.n_findings > 1)
        qsort(report.findings, report.n_findings, sizeof(*report.findings), compare_findings);
    *ret = report;
    return 0;
}

struct lines lines_of(char *text, bool join)
{
    return (struct lines){.rest = text, .join = join, .next = 1};
}

char *lines_next(struct lines *l)
{
    char *start = l->rest, *write = start;

    if (!start || !*start)
        return NULL;
    l->line = l->next;
    for (char *s = start;; s++) {
        if (l->join && s[0] == '\\' && s[1] == '\n') {
            *write++ = ' ';
            s++;
            l->next++;
        } else if (*s == '\n' || *s == '\0') {
            l->next++;
            l->rest = *s ? s + 1 : s;
            *write = '\0';
            return start;
        } else {
            *write++ = *s;
        }
    }
}

char *text_trim(char *s)
{
    size_t n;

    s += strspn(s, " \t\r");
    n = strlen(s);
    while (n > 0 && strchr(" \t\r", s[n - 1]))
        n--;
    s[n] = '\0';
    return s;
}
