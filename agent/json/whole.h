#pragma once

#include <jansson.h>
#include <stdio.h>

/*
 * JSON that is whole, or an error. jansson (2.14) calls a text good that lacks the key of an object when memory or the disk ended there, and an
 * object from which a member was left out looks like one that never had it.
 */

/* The text of a document, NUL-terminated; the caller frees it, and it stands nowhere else in memory. flags: JSON_COMPACT … 0, -ENOMEM, or
 * -EINVAL: that is no document (NULL: an object that could not be made). */
int whole_text(const json_t *j, size_t flags, char **ret);
/* The same, to a file. Also -EIO. */
int whole_print(const json_t *j, size_t flags, FILE *to);

/* Sets a member, or adds an element, and takes the value. What fails takes the whole with it: the object is given back and NULL from then on, and so is
 * what it is packed into (a NULL value is a failed allocation, as for jansson). Takes an object that is NULL already. */
void whole_set(json_t **object, const char *key, json_t *value);
void whole_add(json_t **array, json_t *value);
