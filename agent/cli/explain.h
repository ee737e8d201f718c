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
    char *words; /* for people: "tanaka (kazei, users)" */
};

/* name: user name or uid; NULL: the caller. 0, -ENOENT or -ENOMEM. */
int explain_find_person(const char *name, struct explain_person *ret);
void explain_person_done(struct explain_person *p);
/* "tanaka (kazei, users)"; user may be NULL or "". 0 or -ENOMEM; caller frees. */
int explain_person_words(const char *user, const char *const *groups, size_t n_groups, char **ret);

/* The store the file lies in by its resolved path; the innermost. 0, EXPLAIN_E_NO_STORE or -errno. Hard links into a store
 * from elsewhere are guarded as well but are not seen here. A path that is not there is compared as it is written, and
 * *ret_by_name is set. */
int explain_find_store(const struct policy *policy, const char *path, size_t *ret, bool *ret_by_name);
/* Which of the store's programs this file is, and its digest where that program pins one. A program that is not there is found
 * by its path, without a digest, and *ret_by_name is set. 0 or -errno. */
int explain_subject(const struct policy_store *store, const char *program, struct decide_subject *ret,
                    bool *ret_by_name);
/* By path alone, without looking at the file system. */
int explain_find_store_by_name(const struct policy *policy, const char *path, size_t *ret);
int explain_find_program_by_name(const struct policy_store *store, const char *program); /* index, or -1 */

/* What was plugged in, by what somebody says of it. Strings are borrowed. */
struct explain_usb {
    const char *device, *serial, *name, *port, *connect_type, *hash, *parent_hash;
    const char *interfaces; /* "08:06:50,03:01:01" */
};
enum {
    EXPLAIN_INTERFACES_MAX = 64
};
enum { /* what could not be read; 0 is fine */
    EXPLAIN_E_DEVICE = 1,
    EXPLAIN_E_INTERFACES,
    EXPLAIN_E_HASH,
};
/* "0781:5583"? Then --device means a device that need not be there. */
bool explain_is_device_id(const char *text);
/* interfaces keeps what ret refers to. Who and when are left empty. 0 or EXPLAIN_E_*. */
int explain_usb_facts(const struct explain_usb *u, struct decide_interface interfaces[static EXPLAIN_INTERFACES_MAX],
                      struct decide_usb_facts *ret);
