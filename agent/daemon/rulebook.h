#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;
struct policy;
struct policy_names;

/*
 * The policy that rules, and where it came from. A new document is read, checked and resolved as a whole before it replaces the old
 * one; the one that rules is kept in the state directory, so that a broken file at the next start changes nothing.
 */
struct rulebook;

enum rulebook_source {
    RULEBOOK_NONE = 0,  /* no document could ever be read: everything is refused */
    RULEBOOK_FILE,      /* the configured file, as it is now */
    RULEBOOK_LAST_GOOD, /* the last good one; the file on disk is missing or was refused */
};
const char *rulebook_source_name(enum rulebook_source source);

enum {
    RULEBOOK_E_REFUSED = 1, /* the file is missing, unreadable or was refused; what ruled rules on */
};

/* file, state_directory and names (NULL: the machine's name service) are borrowed. 0 or -ENOMEM; nothing is read yet. */
int rulebook_new(const char *file, int state_directory, const struct policy_names *names, struct rulebook **ret);
struct rulebook *rulebook_free(struct rulebook *b);

/* At start: the file, else the last good copy. 0: from the file; RULEBOOK_E_REFUSED: see rulebook_findings(). */
int rulebook_open(struct rulebook *b, int64_t wall_us);
/* The file again; one that is not valid yet is refused, what rules rules on. 0 when the document in it rules now; RULEBOOK_E_REFUSED; -ENOMEM. */
int rulebook_reload(struct rulebook *b, int64_t wall_us);

/* Asks for the names in the document again: a directory service may have come up since, or a group been made. 1: the policy holds
 * other ids now and is to be applied; 0: the same as before; -errno: nothing has changed. */
int rulebook_resolve_again(struct rulebook *b);

struct policy *rulebook_policy(const struct rulebook *b); /* borrowed; with RULEBOOK_NONE one that permits nothing */
/* What ruled when the daemon before this one ended, borrowed; NULL when that is not known. */
struct policy *rulebook_before(const struct rulebook *b);
enum rulebook_source rulebook_source(const struct rulebook *b);
const char *rulebook_document(const struct rulebook *b); /* "" with RULEBOOK_NONE */
bool rulebook_is_expired(const struct rulebook *b, int64_t wall_us);
/* Why the file was refused, or its warnings: JSON array, a new reference. NULL on ENOMEM. */
struct json_t *rulebook_findings(const struct rulebook *b);
/* The first error as one line, "" when none. */
const char *rulebook_complaint(const struct rulebook *b);
/* Is what rules in the state directory as well, for a start with a broken file? */
bool rulebook_is_kept(const struct rulebook *b);
