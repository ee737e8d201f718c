#pragma once

#include <jansson.h>

#include "audit/audit.h"
#include "base/buf.h"
#include "base/digest.h"

/* One event as one line of the journal (docs/FILEFORMAT.journal.md). */

enum {
    RECORD_LINE_MAX = 64 * 1024
}; /* bytes with the newline; readers refuse longer lines */

/* Where the record stands in the chain. */
struct record_link {
    uint64_t seq;
    struct digest prev; /* SHA-256 of the previous line without its newline; zero for the first */
    const char *boot;   /* boot id */
};

/* Further members of "kuraban", for the journal's own records: `name` must be a literal; value is borrowed. */
struct record_extra {
    const char *name;
    json_t *value;
};

/* Appends the line with its newline to `line`. 0, -ENOMEM, -ENOBUFS, -EMSGSIZE (longer than RECORD_LINE_MAX). */
int record_format(const struct audit_event *e, const struct record_link *link, const struct record_extra *extra,
                  struct buf *line);

/* May this event still be recorded when only the reserved space is left? Refusals, alarms and what administrators do. */
bool record_is_essential(const struct audit_event *e);

/* What a reader needs of a parsed line. Returns 0 or -EBADMSG when the members are missing or of a wrong type. */
struct record_place {
    uint64_t seq;
    struct digest prev;
};
int record_place(json_t *record, struct record_place *ret);
/* Strict parse of one line without newline: UTF-8, no duplicate keys, nothing behind the object. NULL when it is not one. */
json_t *record_parse(const char *line, size_t size);
/* The member at a dotted path of objects ("kuraban.checkpoint.signature"), borrowed; NULL when absent. ECS's "@timestamp" works. */
json_t *record_member(json_t *record, const char *path);
/* The same as text, NULL when it is no string. */
const char *record_text(json_t *record, const char *path);
