#pragma once

#include <jansson.h>

#include "policy/fleet/statement.h"
#include "policy/trust/json.h"

/* What the parts of policy/fleet share; for its own .c files only. */

enum fleet_field_kind {
    FLEET_FIELD_FORMAT,   /* nowhere: "kuraban-ack/1" */
    FLEET_FIELD_TEXT,     /* char * */
    FLEET_FIELD_TERMINAL, /* char[FLEET_ID_SIZE] */
    FLEET_FIELD_WIRE,     /* char[NKEY_PUBLIC_SIZE] */
    FLEET_FIELD_KEY,      /* uint8_t[TRUST_PUBLIC_SIZE]; PEM */
    FLEET_FIELD_TIME,     /* int64_t, µs */
    FLEET_FIELD_NUMBER,   /* uint64_t, 1…TRUST_VERSION_MAX */
    FLEET_FIELD_DIGEST,   /* struct digest */
    FLEET_FIELD_ID128,    /* uint8_t[FLEET_ID128_SIZE] */
    FLEET_FIELD_CHOICE,   /* an enum whose 0 is none */
    FLEET_FIELD_GROUPS,   /* struct fleet_groups */
    FLEET_FIELD_OBJECT,
    FLEET_FIELD_KIND_COUNT_,
};

enum {
    FLEET_FIELDS_MAX = 12 /* of one object */
};

/* One key of an object, and where its value lies. Every key is always there; one that may be null is 0, NULL or absent then. */
struct fleet_field {
    const char *key;
    enum fleet_field_kind kind;
    bool nullable;
    size_t at;
    size_t present;                   /* a nullable OBJECT's bool */
    const char *format;               /* of FORMAT, without its version */
    const char *const *choices;       /* of CHOICE: the names from 1 on, ended by NULL */
    const struct fleet_field *fields; /* of OBJECT */
    size_t n;
};

/* base: what the fields' offsets count from. Reading: all zero before; what was read is the caller's to drop also after a refusal. */
int fleet_fields_read(const json_t *object, const char *what, const struct fleet_field *fields, size_t n, void *base,
                      struct trust_complaint *complaint);
int fleet_fields_write(const struct fleet_field *fields, size_t n, const void *base, json_t *object,
                       struct trust_complaint *complaint);
void fleet_fields_drop(const struct fleet_field *fields, size_t n, void *base);

/* The tables and what they cannot say: kinds.c. */
struct fleet_schema {
    const char *type, *name; /* name: for complaints */
    const struct fleet_field *fields;
    size_t n;
    int (*check)(const struct fleet_statement *s, struct trust_complaint *complaint); /* NULL: nothing more */
};
/* NULL: no such kind. */
const struct fleet_schema *fleet_schema_of(enum fleet_kind kind);
