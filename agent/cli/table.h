#pragma once

#include <stddef.h>
#include <stdio.h>

/* Columns for people: cells are made printable and padded by the width a terminal shows, where a Japanese character takes two
 * places. */
struct table;

struct table *table_new(size_t columns); /* NULL on ENOMEM; the other functions take NULL and do nothing */
struct table *table_free(struct table *t);
/* One row; NULL is an empty cell. */
void table_add(struct table *t, const char *const *cells);
/* Each line begins with indent spaces; the last column is not padded. */
void table_print(const struct table *t, FILE *out, int indent);

/* How many places a terminal takes for s in the current locale. */
size_t text_width(const char *s);
