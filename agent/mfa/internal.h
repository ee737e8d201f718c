#pragma once

#include "base/digest.h"
#include "mfa/mfa.h"
#include "mfa/seal.h"
#include "mfa/store.h"

/* Between mfa.c, keys.c, verify.c and enrol.c. */

enum {
    PENDING_MAX = 16
};

/* An enrolment that is not confirmed yet; size 0: none. */
struct pending {
    uid_t uid;
    char name[MFA_NAME_MAX + 1];
    struct totp_settings settings;
    uint8_t secret[TOTP_SECRET_MAX];
    size_t size;
    uint64_t begun_us; /* boottime */
    unsigned tries;
};

struct mfa {
    int directory; /* borrowed */
    char *credentials;
    char boot[BOOT_ID_MAX + 1]; /* "" not known */
    struct mfa_ops ops;
    struct mfa_limits limits;

    struct store *store; /* NULL unless GOOD */
    enum mfa_condition condition;
    char complaint[160];
    uint64_t tried_us; /* boottime of the last try to open */
    /* What the store held that another file took the place of. Until one with the same is there, nothing is believed. */
    bool exchanged;
    struct digest held;
    struct mfa_turn known; /* recorded elsewhere */
    bool taking_up;        /* though it is older */

    struct key key; /* in force */
    struct key_id key_id;
    enum mfa_key_source key_source;

    struct pending pending[PENDING_MAX];
};

/* Opens what is closed; false: everything is UNAVAILABLE. now NULL: tries at once. */
bool mfa_ready(struct mfa *m, const struct mfa_now *now);
/* What a failure of the store means from now on. Returns MFA_E_UNAVAILABLE, or -ENOMEM unchanged. */
int mfa_failed(struct mfa *m, int r);
void mfa_complain(struct mfa *m, const char *text);
bool mfa_name_is_valid(const char *name);
struct seal_place mfa_place(const struct record *r);
/* Every record there is; the caller frees. */
int mfa_collect(struct mfa *m, struct record **ret, size_t *ret_n);
enum mfa_outcome mfa_state(const struct mfa *m, const struct record *r, const struct mfa_now *now,
                           uint32_t *ret_number);

/* keys.c */
/* Finds the key of the open store, finishes a change that was cut short. MFA_GOOD or MFA_NO_KEY (with a complaint); -ENOMEM, -EUCLEAN … */
int mfa_find_key(struct mfa *m);
/* There is a key: makes the file at first need. Inside the transaction that stores the first secret. */
int mfa_need_key(struct mfa *m);
int mfa_seal(struct mfa *m, struct record *r, const uint8_t *secret, size_t size);
