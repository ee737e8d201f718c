/*
 * Owns: the layout of columns on a terminal. Must not: know what it lays out, or let a cell move the cursor.
 */
#include "cli/table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/text.h"

struct table {
    size_t columns, rows;
    char **cells; /* rows * columns */
    bool failed;  /* out of memory: nothing is printed rather than half */
};

enum {
    GAP = 2
};

size_t text_width(const char *s)
{
    mbstate_t state = {0};
    size_t left = strlen(s), width = 0;

    while (left > 0) {
        wchar_t c = 0;
        size_t n = mbrtowc(&c, s, left, &state);
        int w;

        if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
            /* Not this locale's text: one place for what begins a UTF-8 character is the best guess. */
            width += ((unsigned char)*s & 0xc0) != 0x80;
            state = (mbstate_t){0};
            n = 1;
        } else {
            w = wcwidth(c);
            width += w > 0 ? (size_t)w : 0;
        }
        s += n;
        left -= n;
    }
    return width;
}

struct table *table_new(size_t columns)
{
    struct table *t = calloc(1, sizeof(*t));

    if (t)
        t->columns = columns;
    return t;
}

struct table *table_free(struct table *t)
{
    if (!t)
        return NULL;
    for (size_t i = 0; i < t->rows * t->columns; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t);
    return NULL;
}

void table_add(struct table *t, const char *const *cells)
{
    char **grown;

    if (!t || t->failed)
        return;
    grown = reallocarray(t->cells, (t->rows + 1) * t->columns, sizeof(*grown));
    if (!grown) {
        t->failed = true;
        return;
    }
    t->cells = grown;
    for (size_t i = 0; i < t->columns; i++) {
        const char *cell = cells[i] ? cells[i] : "";

        grown[t->rows * t->columns + i] = text_make_printable(cell, strlen(cell));
        t->failed |= !grown[t->rows * t->columns + i];
    }
    t->rows++;
}

static size_t column_width(const struct table *t, size_t column)
{
    size_t widest = 0;

    for (size_t row = 0; row < t->rows; row++) {
        size_t width = text_width(t->cells[row * t->columns + column]);

        widest = width > widest ? width : widest;
    }
    return widest;
}

/* Nothing follows the last cell that holds something, so that no line ends in spaces. */
static size_t used_columns(const struct table *t, size_t row)
{
    size_t n = t->columns;

    while (n > 0 && !*t->cells[row * t->columns + n - 1])
        n--;
    return n;
}

void table_print(const struct table *t, FILE *out, int indent)
{
    size_t *widths;

    if (!t || t->failed)
        return;
    widths = calloc(t->columns, sizeof(*widths));
    if (!widths)
        return;
    for (size_t i = 0; i < t->columns; i++)
        widths[i] = column_width(t, i);
    for (size_t row = 0; row < t->rows; row++) {
        size_t used = used_columns(t, row);

        (void)fprintf(out, "%*s", used > 0 ? indent : 0, "");
        for (size_t i = 0; i < used; i++) {
            const char *cell = t->cells[row * t->columns + i];
            size_t padding = i + 1 < used ? widths[i] - text_width(cell) + GAP : 0;

            (void)fprintf(out, "%s%*s", cell, (int)padding, "");
        }
        (void)fputc('\n', out);
    }
    free(widths);
}
