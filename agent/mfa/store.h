#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mfa/mfa.h"
#include "mfa/recovery.h"
#include "mfa/seal.h"

/*
 * mfa.db (docs/FILEFORMAT.mfa.md). For the files of mfa/ only. One transaction at a time; what is committed is on disk. Functions return 0 or
 * a positive answer, -ENOSPC, -EROFS, -EUCLEAN (damaged), -EBUSY (somebody else has it open), -ENOMEM, -EIO.
 */

struct store;

enum {
    BOOT_ID_MAX = 36
};

struct record {
    uint64_t record;
    uid_t uid;
    char name[MFA_NAME_MAX + 1];
    struct totp_settings settings;
    struct sealed secret;
    uint64_t step;     /* highest accepted */
    unsigned failures; /* in a row */
    int64_t failed_wall_us;
    uint64_t failed_boottime_us; /* of the boot in failed_boot */
    char failed_boot[BOOT_ID_MAX + 1];
    int64_t seen_us;    /* latest wall clock of an attempt */
    uint64_t skew_step; /* of the last code that was right for another time; 0 none */
    uint64_t skew_from; /* the step at which that was, when it was the last attempt; 0 it was not */
    int64_t created_us, used_us;
    bool imported;
    unsigned recovery_left;
};

/* Opens, or creates where neither the file nor the mark mfa.installed is; checks it whole. MFA_GOOD, MFA_DAMAGED or MFA_CLOSED with a complaint; or
 * -ENOMEM. unsynced is for benches. */
int store_open(int directory, bool unsynced, struct store **ret, const char **ret_complaint);
struct store *store_free(struct store *s);
/* Is the name in the directory still this file? */
bool store_is_in_place(const struct store *s);
/* Does the room for attempts stand? A store that has grown reserves anew. 0 or an error: then a full disk could stop attempts. */
int store_reserve(struct store *s);
bool store_is_reserved(const struct store *s); /* as it was found when it was opened */

int store_begin(struct store *s);
int store_commit(struct store *s);    /* rolls back on failure */
void store_rollback(struct store *s); /* also when nothing was begun */

/* 1 found, 0 surely not there. */
int store_load(struct store *s, uid_t uid, struct record *ret);
/* All, by uid; each() gets them one by one and ends the walk with a negative value, which is returned. */
int store_each(struct store *s, int (*each)(void *context, const struct record *r), void *context);
/* The fields that an attempt changes. */
int store_save_state(struct store *s, const struct record *r);
int store_save_secret(struct store *s, const struct record *r);
/* A new record without a secret; its number goes to r->record. */
int store_insert(struct store *s, struct record *r);
int store_remove(struct store *s, uint64_t record);

int store_recovery_replace(struct store *s, uint64_t record, const struct recovery_hashes *h);
/* Those that are left; unused places have used[i] set. */
int store_recovery_load(struct store *s, uint64_t record, struct recovery_hashes *ret);
int store_recovery_use(struct store *s, uint64_t record, unsigned number);

/* Grace: 1 found, 0 not. */
int store_grace_load(struct store *s, uid_t uid, int64_t *ret_since_us, int64_t *ret_seen_us);
int store_grace_save(struct store *s, uid_t uid, int64_t since_us, int64_t seen_us);
int store_grace_forget(struct store *s, uid_t uid);

/* Which key the secrets are under: 1, or 0 when none was ever used. */
int store_key_load(struct store *s, struct key_id *ret);
int store_key_save(struct store *s, const struct key_id *id);

/* Which store this is, and how often it was changed. */
int store_turn_load(struct store *s, struct mfa_turn *ret);
/* An older copy is in use from now on: what may have been used since is void. */
int store_turn_take_up(struct store *s, uint64_t number, int64_t wall_us);
