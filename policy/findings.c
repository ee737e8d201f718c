/*
 * Owns: the list of what is wrong with a document, and how it is shown to the person who wrote it.
 * Must not: find anything itself, write to a terminal unasked, or trust a byte of the document when showing it.
 */
#include "policy/findings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

void policy_findings_done(struct policy_findings *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->items[i].message);
        free(f->items[i].hint);
    }
    free(f->items);
    *f = (struct policy_findings){.translate = f->translate};
}

bool policy_findings_hopeless(const struct policy_findings *f)
{
    return f && (f->incomplete || (f->n_errors > 0 && policy_findings_full(f)));
}

bool policy_findings_full(const struct policy_findings *f)
{
    return f && (f->n >= POLICY_FINDINGS_MAX || f->n_errors >= POLICY_FINDINGS_MAX || f->incomplete);
}

const char *policy_findings_translate(const struct policy_findings *f, const char *message)
{
    return f->translate ? f->translate(message) : message;
}

/* The translated and finished message; NULL on ENOMEM. Names and values from the document are arguments: the message is
 * shown on terminals, so what they may do to one is taken out, unless the text is clean anyway. */
static char *make_message(const struct policy_findings *f, const char *message, va_list arguments)
    __attribute__((format(printf, 2, 0)));
static char *make_message(const struct policy_findings *f, const char *message, va_list arguments)
{
    char *text = NULL, *clean;

    if (vasprintf(&text, policy_findings_translate(f, message), arguments) < 0)
        return NULL;
    if (text_is_printable_utf8(text))
        return text;
    clean = text_make_printable(text, strlen(text));
    free(text);
    return clean;
}

/* An error is what must be told. */
static void drop_warning(struct policy_findings *f)
{
    size_t i = f->n;

    while (i > 0 && f->items[i - 1].severity == POLICY_ERROR)
        i--;
    if (i == 0)
        return;
    free(f->items[i - 1].message);
    free(f->items[i - 1].hint);
    memmove(&f->items[i - 1], &f->items[i], (f->n - i) * sizeof(f->items[0]));
    f->n--;
}

void policy_findings_add_v(struct policy_findings *f, enum policy_severity severity, struct policy_position at,
                           const char *message, va_list arguments)
{
    struct policy_finding *grown;
    char *text;

    if (!f)
        return;
    f->n_errors += severity == POLICY_ERROR;
    if (severity == POLICY_ERROR && f->n >= POLICY_FINDINGS_MAX)
        drop_warning(f);
    f->dropped = f->n >= POLICY_FINDINGS_MAX;
    if (f->dropped)
        return;
    text = make_message(f, message, arguments);
    grown = text ? reallocarray(f->items, f->n + 1, sizeof(*grown)) : NULL;
    if (!grown) {
        free(text);
        f->incomplete = true;
        return;
    }
    f->items = grown;
    f->items[f->n++] = (struct policy_finding){.severity = severity, .at = at, .message = text};
}

void policy_findings_add(struct policy_findings *f, enum policy_severity severity, struct policy_position at,
                         const char *message, ...)
{
    va_list arguments;

    va_start(arguments, message);
    policy_findings_add_v(f, severity, at, message, arguments);
    va_end(arguments);
}

void policy_findings_hint(struct policy_findings *f, const char *hint, ...)
{
    struct policy_finding *last;
    va_list arguments;

    if (!f || f->n == 0 || f->incomplete || f->dropped)
        return;
    last = &f->items[f->n - 1];
    if (last->hint)
        return;
    va_start(arguments, hint);
    last->hint = make_message(f, hint, arguments);
    va_end(arguments);
}

static bool is_after(const struct policy_finding *a, const struct policy_finding *b)
{
    if (a->at.line != b->at.line)
        return a->at.line > b->at.line;
    return a->at.column > b->at.column;
}

void policy_findings_sort(struct policy_findings *f)
{
    /* Insertion: at most POLICY_FINDINGS_MAX, nearly sorted, and stable unlike qsort(3). */
    for (size_t i = 1; i < f->n; i++) {
        struct policy_finding moved = f->items[i];
        size_t k = i;

        for (; k > 0 && is_after(&f->items[k - 1], &moved); k--)
            f->items[k] = f->items[k - 1];
        f->items[k] = moved;
    }
}

static const uint8_t *find_line(const uint8_t *bytes, size_t size, unsigned line, size_t *ret_size)
{
    const uint8_t *at = bytes, *end = bytes + size, *stop;

    if (line == 0)
        return NULL;
    while (--line > 0) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (!at)
            return NULL;
        at++;
    }
    if (at >= end)
        return NULL;
    stop = memchr(at, '\n', (size_t)(end - at));
    *ret_size = (size_t)((stop ? stop : end) - at);
    return at;
}

/* Columns a character takes on a terminal. What has three or more bytes is nearly always Japanese and wide; not so signs like
 * the ellipsis and the dashes, half-width kana, and the marks that some systems write behind a kana instead of within it. */
static unsigned width_at(const uint8_t *at, size_t size)
{
    unsigned c = size < 3 ? 0 : ((at[0] & 0x0fU) << 12) | ((at[1] & 0x3fU) << 6) | (at[2] & 0x3fU);

    if (at[0] < 0xe0 || size < 3)
        return 1;
    if (at[0] >= 0xf0)
        return 2;
    if (c == 0x3099 || c == 0x309a)
        return 0;
    return c < 0x1100 || (c >= 0x2000 && c < 0x2e80) || (c >= 0xff61 && c <= 0xff9f) ? 1 : 2;
}

static bool is_continuation(uint8_t byte)
{
    return byte >= 0x80 && byte < 0xc0;
}

int policy_source_line(const uint8_t *bytes, size_t size, struct policy_position at, char **ret_line, char **ret_caret)
{
    _cleanup_free_ char *line = NULL, *caret = NULL;
    const uint8_t *source;
    size_t length = 0, used = 0, blanks = 0;
    unsigned column = 0;

    source = find_line(bytes, size, at.line, &length);
    if (!source)
        return -ENOENT;
    if (length > 0 && source[length - 1] == '\r')
        length--;
    length = length < 4096 ? length : 4096; /* a line nobody reads to its end */
    line = calloc(1, length + 1);
    caret = malloc(length * 2 + 2);
    if (!line || !caret)
        return -ENOMEM;
    memcpy(line, source, length);
    for (; used < length; used++) {
        bool first = !is_continuation((uint8_t)line[used]);
        unsigned width = first ? width_at((const uint8_t *)line + used, length - used) : 0;

        column += first;
        for (unsigned i = 0; i < width && column < at.column; i++)
            caret[blanks++] = ' ';
        if ((uint8_t)line[used] < 0x20 || line[used] == 0x7f)
            line[used] = ' ';
    }
    caret[blanks++] = '^';
    caret[blanks] = 0;
    if (!text_is_printable_utf8(line)) {
        char *clean = text_make_printable(line, strlen(line));

        if (!clean)
            return -ENOMEM;
        free(line);
        line = clean;
    }
    *ret_line = TAKE_PTR(line);
    *ret_caret = TAKE_PTR(caret);
    return 0;
}

void policy_findings_print(const struct policy_findings *f, FILE *out, const char *file_name, const uint8_t *bytes,
                           size_t size)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct policy_finding *item = &f->items[i];
        _cleanup_free_ char *line = NULL, *caret = NULL;

        (void)fprintf(out, "%s:%u:%u: %s%s\n", file_name, item->at.line, item->at.column,
                      item->severity == POLICY_ERROR ? "" : policy_findings_translate(f, N_("warning: ")),
                      item->message);
        if (bytes && policy_source_line(bytes, size, item->at, &line, &caret) == 0)
            (void)fprintf(out, "    %s\n    %s\n", line, caret);
        if (item->hint)
            (void)fprintf(out, "    %s\n", item->hint);
    }
}
