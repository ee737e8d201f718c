#pragma once

#include <stddef.h>

#include "decide/decide.h"

/* The facts that policy explain makes up from what it was told. */

enum {
    EXPLAIN_E_NO_STORE = 1
};

struct explain_person {
    struct decide_person person;
    gid_t *gids; /* behind person */
};

/* name: user name or uid; NULL: the caller. 0, -ENOENT or -ENOMEM. */
int explain_find_person(const char *name, struct explain_person *ret);
void explain_person_done(struct explain_person *p);

/* The store the file lies in by its resolved path; the innermost. 0, EXPLAIN_E_NO_STORE or -errno. Hard links into a store
 * from elsewhere are guarded as well but are not seen here. */
int explain_find_store(const struct policy *policy, const char *path, size_t *ret);
/* Which of the store's programs this file is, and its digest where that program pins one. 0 or -errno. */
int explain_subject(const struct policy_store *store, const char *program, struct decide_subject *ret);
