#pragma once

#include <stddef.h>
#include <stdint.h>

struct trust_state;

/*
 * What the terminal holds of signed documents, on disk: trust.json, and beside it the empty trust.installed, which says that there
 * must be one. Either of them means that a root was installed; only where both are missing an unsigned policy may rule.
 */
struct trusted;

enum trusted_condition {
    TRUSTED_DAMAGED = 0, /* a root was installed, and what it stands in is missing or not what was stored */
    TRUSTED_GOOD,
    TRUSTED_NONE, /* no root was ever installed, or it was removed */
};

/* state_directory is borrowed. 0 or -ENOMEM; what cannot be read is TRUSTED_DAMAGED. */
int trusted_open(int state_directory, struct trusted **ret);
struct trusted *trusted_free(struct trusted *t);

enum trusted_condition trusted_condition(const struct trusted *t);
const struct trust_state *trusted_state(const struct trusted *t); /* borrowed; NULL unless TRUSTED_GOOD */
const char *trusted_complaint(const struct trusted *t);           /* why it is damaged, "" otherwise */

/* Each takes over `next` when it returns 0. When the power goes at any moment, what is read afterwards is the old or the new state; on
 * -errno memory holds the old one. */
int trusted_store(struct trusted *t, struct trust_state *next);
/* The first state: from now on only signed policies rule. */
int trusted_install(struct trusted *t, struct trust_state *first);
/* Back to none. Also ends TRUSTED_DAMAGED. */
int trusted_remove(struct trusted *t);
