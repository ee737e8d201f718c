/*
 * Owns: one attempt, from the question whether it is looked at to the answer.
 * Must not: look at a code before the attempt is on disk, or say ACCEPTED before that it was used is.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mfa/internal.h"
#include "mfa/recovery.h"

enum {
    SKEW_S = 600,                 /* so far a difference of clocks is looked for */
    GRACE_SAVE_US = 60 * 1000000, /* so often the clock's reading is stored */
};

#define DAY_US (INT64_C(86400) * 1000000)
#define MINUTE_US (INT64_C(60) * 1000000)
#define GRACE_SLACK_US DAY_US /* a clock that took local time for UTC */

/* What a code turned out to be. */
struct finding {
    enum mfa_outcome outcome;
    uint64_t step; /* of a TOTP code that is right for some time; 0 none */
    unsigned recovery;
    bool is_recovery;
};

/* Spaces and dashes that people type between groups do not matter. False: too long for any code. */
static bool clean_code(const char *code, char ret[static MFA_CODE_MAX + 1])
{
    size_t n = 0;

    if (strnlen(code, MFA_CODE_MAX + 1) > MFA_CODE_MAX)
        return false;
    for (; *code; code++)
        if (*code != ' ' && *code != '-')
            ret[n++] = *code;
    ret[n] = '\0';
    return true;
}

/* --- a code of the authenticator --- */

static int64_t offset_of(uint64_t step, uint64_t from)
{
    return (int64_t)step - (int64_t)from;
}

/* The first code that is right for another time says nothing: whoever guesses would learn codes of the next minutes. Two in a row, the later one
 * newer, with the same difference are the person's. */
static enum mfa_outcome judge_skew(const struct record *r, uint64_t found, uint64_t step)
{
    int64_t before = offset_of(r->skew_step, r->skew_from), now = offset_of(found, step);

    if (r->skew_from == 0 || found <= r->skew_step)
        return MFA_WRONG;
    return now - before >= -1 && now - before <= 1 ? MFA_SKEW : MFA_WRONG;
}

static void judge_step(const struct mfa *m, const struct record *r, uint64_t found, uint64_t step, struct finding *ret)
{
    int64_t offset = offset_of(found, step);
    int64_t window = m->limits.window;

    ret->step = found;
    /* A code that was shown out of time is not taken when its time comes. */
    if (found <= r->step || found == r->skew_step)
        ret->outcome = MFA_USED;
    else if (offset >= -window && offset <= window)
        ret->outcome = MFA_ACCEPTED;
    else
        ret->outcome = judge_skew(r, found, step);
}

static int look_at_totp(struct mfa *m, const struct record *r, const char *code, uint64_t step, struct finding *ret)
{
    uint8_t secret[TOTP_SECRET_MAX];
    struct seal_place place = mfa_place(r);
    unsigned span = (SKEW_S + r->settings.period - 1) / r->settings.period;
    uint64_t found = 0;
    size_t size = 0;
    int e = unseal(&m->key, &place, &r->secret, secret, &size);

    if (e >= 0)
        e = totp_find(&r->settings, secret, size, step, span, span, code, &found);
    OPENSSL_cleanse(secret, sizeof(secret));
    if (e > 0)
        judge_step(m, r, found, step, ret);
    OPENSSL_cleanse(&found, sizeof(found));
    return e < 0 ? e : 0;
}

/* --- any code --- */

static int look_at_recovery(struct mfa *m, const struct record *r, const char *code, struct finding *ret)
{
    struct recovery_hashes hashes;
    int e = store_recovery_load(m->store, r->record, &hashes);

    if (e >= 0)
        e = recovery_find(&hashes, code, &ret->recovery);
    if (e > 0) {
        ret->is_recovery = true;
        ret->outcome = MFA_ACCEPTED;
    }
    return e < 0 ? e : 0;
}

static int look(struct mfa *m, const struct record *r, const char *code, uint64_t step, struct finding *ret)
{
    char clean[MFA_CODE_MAX + 1];
    int e = 0;

    *ret = (struct finding){.outcome = MFA_WRONG};
    if (clean_code(code, clean)) {
        if (totp_is_code(&r->settings, clean))
            e = look_at_totp(m, r, clean, step, ret);
        else if (r->recovery_left > 0 && recovery_is_code(clean))
            e = look_at_recovery(m, r, clean, ret);
    }
    OPENSSL_cleanse(clean, sizeof(clean));
    return e;
}

/* --- on disk --- */

static int save(struct mfa *m, const struct record *r, const struct finding *f)
{
    int e = store_begin(m->store);

    if (e >= 0)
        e = store_save_state(m->store, r);
    if (e >= 0 && f && f->outcome == MFA_ACCEPTED && f->is_recovery)
        e = store_recovery_use(m->store, r->record, f->recovery);
    return e < 0 ? e : store_commit(m->store);
}

static int count_attempt(struct mfa *m, struct record *r, const struct mfa_now *now)
{
    r->failures += r->failures < UINT32_MAX;
    r->failed_wall_us = now->wall_us;
    r->failed_boottime_us = now->boottime_us;
    memcpy(r->failed_boot, m->boot, sizeof(r->failed_boot));
    if (now->wall_us > r->seen_us)
        r->seen_us = now->wall_us;
    return save(m, r, NULL);
}

static int keep_finding(struct mfa *m, struct record *r, const struct finding *f, uint64_t step,
                        const struct mfa_now *now)
{
    bool skewed = (f->outcome == MFA_WRONG || f->outcome == MFA_SKEW) && f->step != 0;
    bool changed = f->outcome == MFA_ACCEPTED || skewed || (r->skew_from != 0 && f->outcome != MFA_USED);

    if (!changed)
        return 0;
    /* The step stays: whoever saw the code could send it when its time comes. */
    r->skew_step = skewed ? f->step : r->skew_step;
    r->skew_from = skewed ? step : 0;
    if (f->outcome == MFA_ACCEPTED) {
        r->failures = 0;
        r->used_us = now->wall_us;
        r->step = f->is_recovery ? r->step : f->step;
        r->recovery_left -= f->is_recovery;
    }
    return save(m, r, f);
}

static void tell(const struct record *r, const struct finding *f, uint64_t step, struct mfa_result *ret)
{
    ret->outcome = f->outcome;
    ret->failures = r->failures;
    ret->recovery = f->is_recovery;
    ret->recovery_left = r->recovery_left;
    if (f->outcome == MFA_SKEW) {
        int64_t offset = offset_of(f->step, step);
        uint64_t seconds = (uint64_t)(offset < 0 ? -offset : offset) * r->settings.period;

        ret->ahead = offset > 0;
        ret->number = seconds < 60 ? 1 : (uint32_t)((seconds + 30) / 60);
    }
}

/* --- from outside --- */

/* 1: the attempt may be looked at; else ret says why not. */
static int admit(struct mfa *m, uid_t uid, const struct mfa_now *now, struct record *r, struct mfa_result *ret)
{
    int e;

    *ret = (struct mfa_result){.outcome = MFA_UNAVAILABLE};
    if (!mfa_ready(m, now))
        return 0;
    e = store_load(m->store, uid, r);
    if (e < 0) {
        (void)mfa_failed(m, e);
        return 0;
    }
    if (e == 0) {
        ret->outcome = MFA_NOT_ENROLLED;
        return 0;
    }
    ret->record = r->record;
    ret->failures = r->failures;
    ret->recovery_left = r->recovery_left;
    memcpy(ret->name, r->name, sizeof(ret->name));
    ret->outcome = mfa_state(m, r, now, &ret->number);
    return ret->outcome == MFA_NEEDED;
}

void mfa_ask(struct mfa *m, uid_t uid, const struct mfa_now *now, struct mfa_result *ret)
{
    struct record r;

    (void)admit(m, uid, now, &r, ret);
}

void mfa_verify(struct mfa *m, uid_t uid, const char *code, const struct mfa_now *now, struct mfa_result *ret)
{
    struct finding finding;
    struct record r;
    uint64_t step;
    int e;

    if (!admit(m, uid, now, &r, ret))
        return;
    if (!code || !code[0]) {
        ret->outcome = MFA_REFUSED;
        return;
    }
    /* Whatever happens below, until it is all done the answer is no. */
    ret->outcome = MFA_UNAVAILABLE;
    step = totp_step(&r.settings, now->wall_us);
    e = count_attempt(m, &r, now);
    if (e >= 0)
        e = look(m, &r, code, step, &finding);
    if (e >= 0)
        e = keep_finding(m, &r, &finding, step, now);
    ret->failures = r.failures;
    if (e < 0) {
        (void)mfa_failed(m, e);
        return;
    }
    tell(&r, &finding, step, ret);
    OPENSSL_cleanse(&finding, sizeof(finding));
}

/* The first call has to be on disk; later ones only keep the clock from going back. */
static int save_grace(struct mfa *m, uid_t uid, int64_t since, int64_t seen)
{
    int e = store_begin(m->store);

    if (e >= 0)
        e = store_grace_save(m->store, uid, since, seen);
    if (e >= 0)
        e = store_commit(m->store);
    store_rollback(m->store);
    return e;
}

void mfa_grace(struct mfa *m, uid_t uid, int64_t grace_us, const struct mfa_now *now, struct mfa_result *ret)
{
    int64_t since = now->wall_us, seen = now->wall_us, left;
    struct record r;
    int e;

    if (admit(m, uid, now, &r, ret) || ret->outcome != MFA_NOT_ENROLLED || grace_us <= 0)
        return;
    ret->outcome = MFA_UNAVAILABLE;
    e = store_grace_load(m->store, uid, &since, &seen);
    if (e == 0)
        e = save_grace(m, uid, since, seen);
    else if (e > 0 && now->wall_us - seen >= GRACE_SAVE_US)
        (void)save_grace(m, uid, since, now->wall_us);
    if (e < 0) {
        (void)mfa_failed(m, e);
        return;
    }
    /* Begun by a clock that was ahead: it would not end before that time comes. */
    if (now->wall_us < since - GRACE_SLACK_US) {
        ret->outcome = MFA_ROLLBACK;
        ret->number = (uint32_t)((since - now->wall_us) / MINUTE_US > UINT32_MAX ? UINT32_MAX
                                                                                 : (since - now->wall_us) / MINUTE_US);
        return;
    }
    seen = now->wall_us > seen ? now->wall_us : seen;
    left = grace_us - (seen - since);
    ret->outcome = left > 0 ? MFA_GRACE : MFA_NOT_ENROLLED;
    ret->number = left > 0 ? (uint32_t)((left + DAY_US - 1) / DAY_US) : 0;
}
