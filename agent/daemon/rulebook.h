#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/trusted.h"

struct json_t;
struct policy;
struct policy_names;
struct trust_complaint;

/*
 * The policy that rules, and where it came from. A new document is read, checked and resolved as a whole before it replaces the old
 * one; the one that rules is kept in the state directory, so that a broken file at the next start changes nothing. Once a root is
 * installed (daemon/trusted.h), only what is signed comes in; the file is not even read.
 */
struct rulebook;

enum rulebook_source {
    RULEBOOK_NONE = 0, /* no document could ever be read, or what was signed is damaged: everything is refused;
                           of the stores, those that the last copy knew */
    RULEBOOK_FILE,     /* the configured file, as it is now */
    RULEBOOK_LAST_GOOD, /* the last good one; the file on disk is missing or was refused, or a root was installed since */
    RULEBOOK_SIGNED,    /* what was applied from a signed bundle */
};
const char *rulebook_source_name(enum rulebook_source source);

enum {
    RULEBOOK_E_REFUSED = 1,  /* the file is missing, unreadable or was refused; what ruled rules on */
    RULEBOOK_E_UNSIGNED = 2, /* a root is installed: the file does not count */
};

struct rulebook_options {
    const char *file; /* of the unsigned policy */
    int state_directory;
    const struct policy_names *names; /* NULL: the machine's name service */
    const char *terminal;             /* its name; NULL: none */
    const char *const *groups;        /* of terminals */
    size_t n_groups;
};
/* All options are borrowed. 0 or -ENOMEM; nothing is read yet. */
int rulebook_new(const struct rulebook_options *options, struct rulebook **ret);
struct rulebook *rulebook_free(struct rulebook *b);

/* At start: what was signed, else the file, else the last good copy. 0: from where it should; RULEBOOK_E_*: see
 * rulebook_complaint(). */
int rulebook_open(struct rulebook *b, int64_t wall_us);
/* The file again; one that is not valid yet is refused, what rules rules on. 0 when the document in it rules now; RULEBOOK_E_*; -ENOMEM. */
int rulebook_reload(struct rulebook *b, int64_t wall_us);

/* A bundle: verified, stored and then ruling. 0; an enum trust_result and nothing has changed, findings included when it is
 * TRUST_E_POLICY; -errno: could not be stored, what ruled rules on. */
int rulebook_apply(struct rulebook *b, const uint8_t *bundle, size_t size, int64_t wall_us,
                   struct trust_complaint *complaint);
/* The first root. What rules rules on until something signed is applied. 0; enum trust_result; -EEXIST: one is installed, or was and is
 * damaged; other -errno. */
int rulebook_install(struct rulebook *b, const uint8_t *envelope, size_t size, int64_t wall_us,
                     struct trust_complaint *complaint);
/* Back to the unsigned file. What ruled rules on until rulebook_reload(). 0; -ENOENT: no root is installed; other -errno. */
int rulebook_remove(struct rulebook *b);
const struct trusted *rulebook_trusted(const struct rulebook *b); /* borrowed */
/* The wall clock, but never before what the newest head says: a clock that was set back does not make old things new. */
int64_t rulebook_time(const struct rulebook *b, int64_t wall_us);
/* Is what rules meant for this terminal? The configuration may have changed since it was applied. */
bool rulebook_is_in_scope(const struct rulebook *b);

/* Who this terminal is from now on, instead of what the options say; borrowed until the next call. NULL: as the options say. */
void rulebook_set_terminal(struct rulebook *b, const char *terminal, const char *const *groups, size_t n_groups);
const char *rulebook_terminal(const struct rulebook *b); /* NULL: none */
const char *const *rulebook_groups(const struct rulebook *b, size_t *ret_n);

/* Asks for the names in the document again: a directory service may have come up since, or a group been made. 1: the policy holds
 * other ids now and is to be applied; 0: the same as before; -errno: nothing has changed. */
int rulebook_resolve_again(struct rulebook *b);

struct policy *rulebook_policy(const struct rulebook *b); /* borrowed; with RULEBOOK_NONE one that permits nothing */
/* What ruled when the daemon before this one ended, borrowed; NULL when that is not known. */
struct policy *rulebook_before(const struct rulebook *b);
enum rulebook_source rulebook_source(const struct rulebook *b);
const char *rulebook_document(const struct rulebook *b); /* "" with RULEBOOK_NONE */
/* Why the file was refused, or its warnings: JSON array, a new reference. NULL on ENOMEM. */
struct json_t *rulebook_findings(const struct rulebook *b);
/* The first error as one line, "" when none. */
const char *rulebook_complaint(const struct rulebook *b);
/* Is what rules in the state directory as well, for a start with a broken file? */
bool rulebook_is_kept(const struct rulebook *b);
