#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mfa/totp.h"

/*
 * The verifier of one-time codes: one store for login, unlock and export, so that a code opens once (H6). Owned by kuraband's main
 * thread; every call may wait for the disk. It never logs and never writes the journal: that is the daemon's (daemon/factor.h).
 *
 * Time is a parameter. Wall clock decides which codes are right; boottime measures waits and locks within one boot, so that a clock set
 * forward ends none of them.
 *
 * Functions return 0, a positive enum mfa_error (nothing has changed), or -errno (-ENOMEM, -EINVAL for a caller's mistake). Verifying
 * has no errors: whatever goes wrong is an outcome that does not open.
 */

struct mfa;

struct mfa_now {
    int64_t wall_us;      /* since 1970 UTC */
    uint64_t boottime_us; /* CLOCK_BOOTTIME */
};

/* The words of the PAM module too (docs/PROTOCOL.control.md): numbers never change. Only ACCEPTED, NOT_NEEDED and GRACE open a login, and
 * mfa_verify() never says the latter two. */
enum mfa_outcome {
    MFA_REFUSED = 0, /* zero means no: no code was given, or something that is no attempt; not counted */
    MFA_ACCEPTED,
    MFA_WRONG,    /* counted */
    MFA_USED,     /* right, but used before, or older than the last accepted one; counted */
    MFA_WAIT,     /* number: seconds until the next attempt is looked at; not looked at, not counted */
    MFA_LOCKED,   /* number: seconds, 0 until root lifts it; not looked at, not counted */
    MFA_ROLLBACK, /* number: minutes; the clock is behind what this credential has seen; not looked at, not counted */
    MFA_NOT_ENROLLED, /* surely so: the store was read and holds nothing of this uid */
    MFA_UNAVAILABLE,  /* the store cannot be read or written, or its key is missing */
    MFA_NEEDED,       /* login only: a code is asked for */
    MFA_NOT_NEEDED,   /* login only: policy asks this person for none at this service */
    MFA_GRACE,        /* login only, number: days left, at least 1; not enrolled yet */
    MFA_SKEW, /* number: minutes; two codes in a row were right for one other time: the clocks differ; counted */
    MFA_OUTCOME_COUNT_,
};
/* Stable names: "refused" "accepted" "wrong" "used" "wait" "locked" "rollback" "not-enrolled" "unavailable" … */
const char *mfa_outcome_name(enum mfa_outcome outcome);

enum mfa_error {
    MFA_E_UNAVAILABLE = 1, /* as the outcome: see mfa_condition() */
    MFA_E_ENROLLED,        /* this uid has a credential already; remove it first */
    MFA_E_UNKNOWN,         /* no such credential */
    MFA_E_NOT_BEGUN, /* no enrolment was begun, or it is older than MFA_PENDING_S, or kuraband started anew since */
    MFA_E_CODES,     /* not two consecutive right codes; may be tried again */
    MFA_E_SKEW,      /* consecutive, but for another time: the clocks differ */
    MFA_E_TOO_MANY,  /* tries are used up, begin anew; or too many enrolments are open */
    MFA_E_SECRET,    /* not base32, shorter than 128 or longer than 512 bits */
    MFA_E_SETTINGS,  /* digits, period or algorithm out of range */
    MFA_E_NAME,      /* empty, too long, not printable, or with a colon */
    MFA_E_SHARED,    /* the secret is another person's here already */
    MFA_E_COUNT_,
};
const char *mfa_error_name(enum mfa_error error); /* stable: "unavailable" "enrolled" "unknown" … */

enum {
    MFA_NAME_MAX = 64,        /* bytes of a person's name */
    MFA_CODE_MAX = 64,        /* a longer code is wrong unread */
    MFA_FAILURES_LIMIT = 100, /* in a row, whatever policy says: then until root lifts it (NIST SP 800-63B 5.2.2) */
    MFA_RECOVERY_COUNT = 10,  /* codes of a set */
    MFA_RECOVERY_SIZE = 15,   /* "xxxx-xxxx-xxxx" and NUL: 60 bits */
    MFA_PENDING_S = 600,      /* an enrolment is confirmed within this time */
    MFA_PENDING_TRIES = 5,    /* … and this many tries */
    MFA_WINDOW_MAX = 2,       /* steps */
    MFA_KEY_SIZE = 32,
    MFA_URI_MAX = 1024,
};

/* What policy says (struct policy_mfa, in words of this layer). Zeroed: the narrowest, one failure locks until root lifts it. */
struct mfa_limits {
    unsigned failures; /* in a row, then locked; 0 counts as 1, more than MFA_FAILURES_LIMIT as that */
    bool delay;        /* 1, 2, 4, 8 … s (at most an hour) after each failure */
    int64_t lock_us;   /* 0: until root lifts it */
    unsigned window;   /* steps either side, at most MFA_WINDOW_MAX */
};

/* Each change of the store, an attempt too, makes the number greater by one. Whoever has a record of it elsewhere knows an older copy. */
struct mfa_turn {
    uint8_t store[16]; /* which store; zeros: none is known */
    uint64_t number;
};

struct mfa_options {
    int state_directory; /* borrowed; root's alone. Holds mfa.db, mfa.db-journal, mfa.installed, mfa.key */
    const char
        *credentials; /* $CREDENTIALS_DIRECTORY, where mfa-key (and after a change mfa-key-old) may be; NULL: none */
    const char *
        boot_id; /* /proc/sys/kernel/random/boot_id; two runs of one boot measure waits by boottime. NULL: by wall clock */
    struct mfa_turn known;     /* the latest that was recorded; the same store with a smaller one is DAMAGED */
    const struct mfa_ops *ops; /* NULL: the machine's randomness and disk */
};
struct mfa_ops {
    int (*random)(void *context, void *bytes, size_t size); /* 0 or -errno */
    void *context;
    bool unsynced; /* benches only: what fsync costs is what they measure */
};

/* --- the store --- */

enum mfa_condition {
    MFA_DAMAGED =
        0, /* there was a store, and it is missing, older, or not what was written: alarm; all is UNAVAILABLE */
    MFA_GOOD,
    MFA_NO_KEY, /* no key that is there opens it: alarm; all is UNAVAILABLE */
    MFA_CLOSED, /* cannot be opened or created now (disk, rights, read-only): tried again at each call, once a second */
};
/* 0 or -ENOMEM; what cannot be read is a condition. Reserves the space of later attempts, so that a full disk stops enrolments only. */
int mfa_open(const struct mfa_options *options, struct mfa **ret);
struct mfa *mfa_free(struct mfa *m); /* wipes; returns NULL */
enum mfa_condition mfa_condition(const struct mfa *m);
const char *mfa_condition_name(enum mfa_condition condition); /* "damaged" "good" "no-key" "closed" */
/* English; also GOOD may have one: records that do not open, no room reserved. "" when there is nothing to tell. */
const char *mfa_complaint(const struct mfa *m);
int mfa_turn(const struct mfa *m, struct mfa_turn *ret); /* 0 or MFA_E_UNAVAILABLE */
/* An administrator says that an older copy was put back on purpose. It is believed from now on; codes up to now and all recovery codes are void. 0,
 * MFA_E_SETTINGS: it is not older than what is known, nothing was done; MFA_E_UNAVAILABLE. */
int mfa_take_up(struct mfa *m, const struct mfa_now *now);
enum mfa_key_source {
    MFA_KEY_NONE = 0, /* none yet */
    MFA_KEY_FILE,
    MFA_KEY_CREDENTIAL
};
enum mfa_key_source mfa_key_source(const struct mfa *m);
void mfa_set_limits(struct mfa *m, const struct mfa_limits *limits); /* from the next attempt on */

/* A new key for all secrets, in one transaction; killed at any moment the old or the new one is in force. With MFA_KEY_FILE a new file is made;
 * a systemd credential cannot be changed from here (MFA_E_SETTINGS): put the new one in mfa-key, the old one in mfa-key-old, restart. */
int mfa_rotate(struct mfa *m);

/* --- verification --- */

struct mfa_result {
    enum mfa_outcome outcome;
    uint32_t number;        /* of WAIT, LOCKED, ROLLBACK, SKEW */
    bool ahead;             /* SKEW: the person's clock is ahead of ours */
    bool recovery;          /* ACCEPTED by a recovery code */
    unsigned recovery_left; /* ACCEPTED: recovery codes that are left */
    unsigned failures;      /* in a row, this one counted */
    uint64_t record;        /* the credential's, 0 when none */
    char name[MFA_NAME_MAX + 1];
};
/* One attempt: a TOTP code or a recovery code (spaces and dashes do not matter). Counted on disk before it is looked at; ACCEPTED only when
 * that it was used is on disk as well. code stays the caller's, who wipes it. */
void mfa_verify(struct mfa *m, uid_t uid, const char *code, const struct mfa_now *now, struct mfa_result *ret);
/* What mfa_verify() would say without a code: NEEDED (it would look at one), WAIT, LOCKED, ROLLBACK, NOT_ENROLLED, UNAVAILABLE. */
void mfa_ask(struct mfa *m, uid_t uid, const struct mfa_now *now, struct mfa_result *ret);
/* Days of grace for somebody who is not enrolled: counted from the first call for this uid, which is stored. GRACE with days left, else
 * NOT_ENROLLED or UNAVAILABLE; a clock set back gives no time back, and ROLLBACK when it is more than a day behind that first call.
 * grace_us 0: none. */
void mfa_grace(struct mfa *m, uid_t uid, int64_t grace_us, const struct mfa_now *now, struct mfa_result *ret);

/* --- enrolment --- */

/* What the person puts into their authenticator. Wipe with mfa_offer_wipe(). */
struct mfa_offer {
    char base32[TOTP_BASE32_MAX + 1];
    char uri[MFA_URI_MAX]; /* otpauth://totp/… */
};
void mfa_offer_wipe(struct mfa_offer *o);
struct mfa_recovery {
    char codes[MFA_RECOVERY_COUNT][MFA_RECOVERY_SIZE];
};
void mfa_recovery_wipe(struct mfa_recovery *r);

/* Begins, or begins anew: a fresh secret of 160 bits (SHA-256: 256, SHA-512: 512), kept in memory until it is confirmed.
 * settings NULL: SHA-1, 6 digits, 30 s. issuer is what the authenticator shows, at most MFA_NAME_MAX bytes. */
int mfa_enrol_begin(struct mfa *m, uid_t uid, const char *name, const char *issuer,
                    const struct totp_settings *settings, const struct mfa_now *now, struct mfa_offer *ret);
/* Two codes, the second of the step after the first's. Then both are used, the credential is on disk, and the recovery codes are told the only
 * time. ret_minutes, with MFA_E_SKEW: of the person's clock, positive ahead of ours. */
int mfa_enrol_confirm(struct mfa *m, uid_t uid, const char *first, const char *second, const struct mfa_now *now,
                      struct mfa_recovery *ret, int *ret_minutes);
/* A ready secret of another verifier, in base32 (any case, spaces and padding do not matter). step: the last one used there, 0 unknown: then
 * every step up to now counts as used. recovery NULL: none are made. A code opens once (H6): two people cannot have one secret. */
int mfa_import(struct mfa *m, uid_t uid, const char *name, const char *base32, const struct totp_settings *settings,
               uint64_t step, const struct mfa_now *now, struct mfa_recovery *recovery);
/* Ten new codes; the old ones are void. */
int mfa_reissue(struct mfa *m, uid_t uid, struct mfa_recovery *ret);
/* Their grace is over as well: who was enrolled needs a code until somebody enrols them anew. */
int mfa_remove(struct mfa *m, uid_t uid);
/* Ends a lock, a wait and a rollback, that of somebody's grace too: failures are 0, the clock's reading now is believed. Used steps stay used, unless the clock had been
 * far ahead: a last step that no window reaches becomes now's. */
int mfa_lift(struct mfa *m, uid_t uid, const struct mfa_now *now);

/* --- what is there --- */

struct mfa_credential {
    uint64_t record; /* never given twice */
    uid_t uid;
    char name[MFA_NAME_MAX + 1]; /* at enrolment */
    struct totp_settings settings;
    int64_t created_us, used_us; /* wall; used_us: last accepted, 0 never */
    unsigned failures;           /* in a row */
    enum mfa_outcome state;      /* what mfa_ask() says */
    uint32_t number;             /* its number */
    unsigned recovery_left;
    bool imported;
};
/* All, by uid. *ret is one allocation that the caller frees; NULL with *ret_n 0 when nobody is enrolled. */
int mfa_list(struct mfa *m, const struct mfa_now *now, struct mfa_credential **ret, size_t *ret_n);
/* The one of this uid: 0, MFA_E_UNKNOWN, MFA_E_UNAVAILABLE. */
int mfa_find(struct mfa *m, uid_t uid, const struct mfa_now *now, struct mfa_credential *ret);
