#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

/* Getters for answers of kuraband: what is missing or of another type is empty, false or 0. */
const char *value_string(const struct json_t *object, const char *key);
bool value_bool(const struct json_t *object, const char *key);
int64_t value_number(const struct json_t *object, const char *key);

enum {
    VALUE_TIME_SIZE = 32
};
/* RFC 3339 in, local "2026-11-23 10:02:03" out; what is no time is "-". */
const char *value_time(const char *rfc3339, char ret[static VALUE_TIME_SIZE]);
/* "14:32" of such a time. */
const char *value_hour(const char *rfc3339, char *buffer, size_t size);
/* A device's id as people call it: where it is plugged in, or the whole of it. */
const char *value_place(const char *id);
/* "yes" or "no" in the person's language. */
const char *value_yes_no(bool yes);
/* The words of the interface for verdict and grant; unknown ones are shown as they are. */
const char *value_verdict(const char *verdict);
const char *value_granted(const char *granted);
