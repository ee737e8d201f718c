#pragma once

struct json_t;

/* The JSON Schema (draft 7) of the policy document, made from the tables that read it, for editors. translate may be NULL. It says what
 * one key may hold; what spans keys is the loader's business. 0, or -EINVAL when a table does not say what a value looks like
 * or memory ran out.
 * Caller frees. */
int policy_schema(const char *(*translate)(const char *message), struct json_t **ret);
