/*
 * Owns: how a credential comes, changes and goes.
 * Must not: store a secret that was not confirmed, or tell which code would have been right.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mfa/internal.h"
#include "mfa/recovery.h"

enum {
    SKEW_S = 600,
    SECRET_SHA1 = 20, /* RFC 4226 section 4 R6; the others as RFC 6238 appendix B: the hash's own length */
    SECRET_SHA256 = 32,
    SECRET_SHA512 = 64,
};

static size_t secret_size(enum totp_algorithm a)
{
    return a == TOTP_SHA512 ? SECRET_SHA512 : a == TOTP_SHA256 ? SECRET_SHA256 : SECRET_SHA1;
}

/* --- pending --- */

static void drop(struct pending *p)
{
    OPENSSL_cleanse(p, sizeof(*p));
}

static struct pending *find_pending(struct mfa *m, uid_t uid, const struct mfa_now *now)
{
    struct pending *found = NULL;

    for (size_t i = 0; i < PENDING_MAX; i++) {
        struct pending *p = &m->pending[i];

        if (p->size > 0 && now->boottime_us - p->begun_us > (uint64_t)MFA_PENDING_S * 1000000)
            drop(p);
        if (p->size > 0 && p->uid == uid)
            found = p;
    }
    return found;
}

static struct pending *free_pending(struct mfa *m)
{
    for (size_t i = 0; i < PENDING_MAX; i++)
        if (m->pending[i].size == 0)
            return &m->pending[i];
    return NULL;
}

/* 0: the store can be asked and holds nobody of this uid. */
static int check_absent(struct mfa *m, uid_t uid, const struct mfa_now *now)
{
    struct record r;
    int e;

    if (!mfa_ready(m, now))
        return MFA_E_UNAVAILABLE;
    e = store_load(m->store, uid, &r);
    if (e < 0)
        return mfa_failed(m, e);
    return e > 0 ? MFA_E_ENROLLED : 0;
}

int mfa_enrol_begin(struct mfa *m, uid_t uid, const char *name, const char *issuer,
                    const struct totp_settings *settings, const struct mfa_now *now, struct mfa_offer *ret)
{
    struct pending p = {.uid = uid, .begun_us = now->boottime_us};
    struct pending *place;
    struct mfa_offer offer;
    int r;

    p.settings = settings ? *settings : totp_default;
    if (!totp_settings_are_valid(&p.settings))
        return MFA_E_SETTINGS;
    if (!mfa_name_is_valid(name) || !mfa_name_is_valid(issuer))
        return MFA_E_NAME;
    r = check_absent(m, uid, now);
    if (r != 0)
        return r;
    place = find_pending(m, uid, now);
    if (!place)
        place = free_pending(m);
    if (!place)
        return MFA_E_TOO_MANY;
    (void)snprintf(p.name, sizeof(p.name), "%s", name);
    p.size = secret_size(p.settings.algorithm);
    r = m->ops.random(m->ops.context, p.secret, p.size);
    if (r >= 0) {
        totp_base32(p.secret, p.size, offer.base32);
        r = totp_uri(&p.settings, issuer, name, offer.base32, offer.uri, sizeof(offer.uri));
    }
    if (r >= 0) {
        *place = p;
        *ret = offer;
    }
    drop(&p);
    mfa_offer_wipe(&offer);
    return r < 0 ? r : 0;
}

/* --- stored --- */

/* With a transaction begun by the caller, who also ends it. */
static int insert(struct mfa *m, struct record *r, const uint8_t *secret, size_t size, struct mfa_recovery *recovery)
{
    struct recovery_hashes hashes;
    int e = mfa_need_key(m);

    if (e >= 0)
        e = store_insert(m->store, r);
    if (e >= 0)
        e = mfa_seal(m, r, secret, size);
    if (e >= 0)
        e = store_save_secret(m->store, r);
    if (e >= 0 && recovery) {
        e = recovery_make(&m->ops, recovery, &hashes);
        if (e >= 0)
            e = store_recovery_replace(m->store, r->record, &hashes);
    }
    return e;
}

/* Room for attempts first: the disk may be nearly full, and those who are enrolled have to get in. One more takes less than is reserved. */
static int add(struct mfa *m, struct record *r, const uint8_t *secret, size_t size, struct mfa_recovery *recovery)
{
    struct mfa_recovery codes;
    int e = store_reserve(m->store);

    if (e >= 0)
        e = store_begin(m->store);
    if (e >= 0)
        e = insert(m, r, secret, size, recovery ? &codes : NULL);
    if (e >= 0)
        e = store_commit(m->store);
    if (e >= 0 && recovery)
        *recovery = codes;
    mfa_recovery_wipe(&codes);
    return e < 0 ? mfa_failed(m, e) : 0;
}

/* --- confirming --- */

/* The step of the second of two consecutive right codes. 1 found, 0 not, -errno. */
static int find_pair(const struct pending *p, const char *first, const char *second, uint64_t step, uint64_t *ret)
{
    unsigned span = (SKEW_S + p->settings.period - 1) / p->settings.period;
    uint64_t later = 0, earlier = 0;
    int r = totp_find(&p->settings, p->secret, p->size, step, span, span, second, &later);

    if (r <= 0 || later == 0)
        return r < 0 ? r : 0;
    r = totp_find(&p->settings, p->secret, p->size, later - 1, 0, 0, first, &earlier);
    if (r > 0)
        *ret = later;
    return r;
}

static int minutes_of(int64_t offset, unsigned period)
{
    int64_t seconds = offset * period, minutes = (seconds + (seconds < 0 ? -30 : 30)) / 60;

    return minutes != 0 ? (int)minutes : seconds < 0 ? -1 : 1;
}

static int confirm(struct mfa *m, struct pending *p, const char *first, const char *second, const struct mfa_now *now,
                   struct mfa_recovery *ret, int *ret_minutes)
{
    uint64_t step = totp_step(&p->settings, now->wall_us), found = 0;
    struct record r = {.uid = p->uid, .settings = p->settings, .seen_us = now->wall_us, .created_us = now->wall_us};
    int64_t offset, window = m->limits.window;
    int e = find_pair(p, first, second, step, &found);

    if (e < 0)
        return e;
    if (e == 0)
        return MFA_E_CODES;
    offset = (int64_t)found - (int64_t)step;
    /* One more step back: two codes take their time to be typed. */
    if (offset < -window - 1 || offset > window) {
        *ret_minutes = minutes_of(offset, p->settings.period);
        return MFA_E_SKEW;
    }
    r.step = found;
    memcpy(r.name, p->name, sizeof(r.name));
    e = add(m, &r, p->secret, p->size, ret);
    if (e == 0)
        drop(p);
    return e;
}

int mfa_enrol_confirm(struct mfa *m, uid_t uid, const char *first, const char *second, const struct mfa_now *now,
                      struct mfa_recovery *ret, int *ret_minutes)
{
    int r = check_absent(m, uid, now), minutes = 0;
    struct pending *p;

    if (r != 0)
        return r;
    p = find_pending(m, uid, now);
    if (!p)
        return MFA_E_NOT_BEGUN;
    r = confirm(m, p, first, second, now, ret, &minutes);
    if ((r == MFA_E_CODES || r == MFA_E_SKEW) && ++p->tries >= MFA_PENDING_TRIES) {
        drop(p);
        r = MFA_E_TOO_MANY;
    }
    *ret_minutes = minutes;
    return r;
}

/* --- changes --- */

struct compared {
    const struct mfa *m;
    const uint8_t *
        secret; /* TOTP_SECRET_MAX bytes, zeros behind it: HMAC takes a key with zeros behind it for the same (RFC 2104) */
    bool equal;
};

static int compare_one(void *context, const struct record *r)
{
    struct compared *c = context;
    struct seal_place place = mfa_place(r);
    uint8_t secret[TOTP_SECRET_MAX] = {0};
    size_t size = 0;
    int e = unseal(&c->m->key, &place, &r->secret, secret, &size);

    /* One that does not open can give no code either. */
    if (e >= 0)
        c->equal |= CRYPTO_memcmp(secret, c->secret, sizeof(secret)) == 0;
    OPENSSL_cleanse(secret, sizeof(secret));
    return e < 0 && e != -EBADMSG ? e : 0;
}

/* 0, MFA_E_SHARED, MFA_E_UNAVAILABLE. */
static int check_unshared(struct mfa *m, const uint8_t secret[static TOTP_SECRET_MAX])
{
    struct compared c = {.m = m, .secret = secret};
    int e = store_each(m->store, compare_one, &c);

    return e < 0 ? mfa_failed(m, e) : c.equal ? MFA_E_SHARED : 0;
}

int mfa_import(struct mfa *m, uid_t uid, const char *name, const char *base32, const struct totp_settings *settings,
               uint64_t step, const struct mfa_now *now, struct mfa_recovery *recovery)
{
    struct record r = {
        .uid = uid, .settings = *settings, .seen_us = now->wall_us, .created_us = now->wall_us, .imported = true};
    uint8_t secret[TOTP_SECRET_MAX] = {0};
    size_t size = 0;
    int e;

    if (!totp_settings_are_valid(settings) || step > INT64_MAX)
        return MFA_E_SETTINGS;
    if (!mfa_name_is_valid(name))
        return MFA_E_NAME;
    e = check_absent(m, uid, now);
    if (e != 0)
        return e;
    r.step = step != 0 ? step : totp_step(settings, now->wall_us);
    (void)snprintf(r.name, sizeof(r.name), "%s", name);
    e = totp_base32_read(base32, secret, &size);
    e = e < 0 ? MFA_E_SECRET : check_unshared(m, secret);
    if (e == 0)
        e = add(m, &r, secret, size, recovery);
    OPENSSL_cleanse(secret, sizeof(secret));
    return e;
}

/* Loads, and begins a transaction. */
static int begin_change(struct mfa *m, uid_t uid, const struct mfa_now *now, struct record *ret)
{
    int r;

    if (!mfa_ready(m, now))
        return MFA_E_UNAVAILABLE;
    r = store_load(m->store, uid, ret);
    if (r == 0)
        return MFA_E_UNKNOWN;
    if (r > 0)
        r = store_begin(m->store);
    return r < 0 ? mfa_failed(m, r) : 0;
}

static int end_change(struct mfa *m, int r)
{
    if (r >= 0)
        r = store_commit(m->store);
    return r < 0 ? mfa_failed(m, r) : 0;
}

int mfa_reissue(struct mfa *m, uid_t uid, struct mfa_recovery *ret)
{
    struct recovery_hashes hashes;
    struct mfa_recovery codes;
    struct record record;
    int r = begin_change(m, uid, NULL, &record);

    if (r != 0)
        return r;
    r = recovery_make(&m->ops, &codes, &hashes);
    if (r >= 0)
        r = store_recovery_replace(m->store, record.record, &hashes);
    r = end_change(m, r);
    if (r == 0)
        *ret = codes;
    mfa_recovery_wipe(&codes);
    return r;
}

int mfa_remove(struct mfa *m, uid_t uid)
{
    struct record record;
    int r = begin_change(m, uid, NULL, &record);

    if (r != 0)
        return r;
    r = store_remove(m->store, record.record);
    if (r >= 0)
        r = store_grace_save(m->store, uid, 0, INT64_MAX); /* none is left, whatever a clock says: they have had it */
    return end_change(m, r);
}

/* Of somebody without a credential, only a grace that begins in the future can be lifted: it begins anew. */
static int lift_grace(struct mfa *m, uid_t uid, const struct mfa_now *now)
{
    int64_t since = 0, seen = 0;
    int r = store_grace_load(m->store, uid, &since, &seen);

    if (r == 0 || (r > 0 && since <= now->wall_us))
        return MFA_E_UNKNOWN;
    if (r > 0)
        r = store_begin(m->store);
    return end_change(m, r < 0 ? r : store_grace_forget(m->store, uid));
}

int mfa_lift(struct mfa *m, uid_t uid, const struct mfa_now *now)
{
    struct record record;
    uint64_t step;
    int r = begin_change(m, uid, now, &record);

    if (r == MFA_E_UNKNOWN)
        return lift_grace(m, uid, now);
    if (r != 0)
        return r;
    step = totp_step(&record.settings, now->wall_us);
    record.failures = 0;
    record.failed_boot[0] = '\0';
    record.seen_us = now->wall_us;
    record.skew_from = 0;
    /* What was accepted within the window opens nothing again. */
    if (record.step > step + MFA_WINDOW_MAX)
        record.step = step;
    return end_change(m, store_save_state(m->store, &record));
}
