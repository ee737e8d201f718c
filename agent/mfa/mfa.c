/*
 * Owns: the verifier as a whole: whether its store can be used, names, and what is listed.
 * Must not: say "not enrolled" of what it could not read.
 */
#include "mfa/mfa.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "mfa/internal.h"
#include "mfa/throttle.h"

enum {
    AGAIN_US = 1000000
};

static const char *const outcome_names[MFA_OUTCOME_COUNT_] = {
    [MFA_REFUSED] = "refused",
    [MFA_ACCEPTED] = "accepted",
    [MFA_WRONG] = "wrong",
    [MFA_USED] = "used",
    [MFA_WAIT] = "wait",
    [MFA_LOCKED] = "locked",
    [MFA_ROLLBACK] = "rollback",
    [MFA_NOT_ENROLLED] = "not-enrolled",
    [MFA_UNAVAILABLE] = "unavailable",
    [MFA_NEEDED] = "needed",
    [MFA_NOT_NEEDED] = "not-needed",
    [MFA_GRACE] = "grace",
    [MFA_SKEW] = "skew",
};
static const char *const error_names[MFA_E_COUNT_] = {
    "done", "unavailable", "enrolled", "unknown",  "not-begun", "codes",
    "skew", "too-many",    "secret",   "settings", "name",      "shared",
};
static const char *const condition_names[] = {"damaged", "good", "no-key", "closed"};

const char *mfa_outcome_name(enum mfa_outcome outcome)
{
    return (unsigned)outcome < MFA_OUTCOME_COUNT_ ? outcome_names[outcome] : outcome_names[MFA_REFUSED];
}

const char *mfa_error_name(enum mfa_error error)
{
    return (unsigned)error < MFA_E_COUNT_ ? error_names[error] : error_names[MFA_E_UNAVAILABLE];
}

const char *mfa_condition_name(enum mfa_condition condition)
{
    return (unsigned)condition < ELEMENTS(condition_names) ? condition_names[condition] : condition_names[MFA_DAMAGED];
}

void mfa_offer_wipe(struct mfa_offer *o)
{
    OPENSSL_cleanse(o, sizeof(*o));
}

void mfa_recovery_wipe(struct mfa_recovery *r)
{
    OPENSSL_cleanse(r, sizeof(*r));
}

bool mfa_name_is_valid(const char *name)
{
    return name && name[0] && strlen(name) <= MFA_NAME_MAX && text_is_printable_utf8(name) && !strchr(name, ':');
}

struct seal_place mfa_place(const struct record *r)
{
    return (struct seal_place){.record = r->record, .uid = r->uid, .settings = r->settings};
}

static int machine_random(void *context, void *bytes, size_t size)
{
    (void)context;
    return getrandom(bytes, size, 0) == (ssize_t)size ? 0 : -EIO; /* up to 256 bytes are never cut short */
}

/* --- the store's condition --- */

void mfa_complain(struct mfa *m, const char *text)
{
    (void)snprintf(m->complaint, sizeof(m->complaint), "%s", text);
}

static void close_store(struct mfa *m, enum mfa_condition condition, const char *complaint)
{
    m->store = store_free(m->store);
    m->condition = condition;
    mfa_complain(m, complaint);
}

int mfa_failed(struct mfa *m, int r)
{
    if (m->store)
        store_rollback(m->store);
    if (r == -ENOMEM)
        return r;
    if (r == -EUCLEAN)
        close_store(m, MFA_DAMAGED, "mfa.db holds what was not written there");
    else if (r == -EIO || r == -EROFS)
        /* Whether the last transaction stands is not known before it is read anew. */
        close_store(m, MFA_CLOSED,
                    r == -EROFS ? "the state directory is read-only" : "mfa.db cannot be read or written");
    return MFA_E_UNAVAILABLE;
}

/* Counts what does not open under the key. */
static int try_record(void *context, const struct record *r)
{
    struct mfa *m = context;
    struct seal_place place = mfa_place(r);
    uint8_t secret[TOTP_SECRET_MAX];
    size_t size = 0;

    if (unseal(&m->key, &place, &r->secret, secret, &size) < 0)
        mfa_complain(m, "mfa.db holds a secret that does not open: it was changed, or moved to another person");
    OPENSSL_cleanse(secret, sizeof(secret));
    return 0;
}

static int open_key(struct mfa *m)
{
    int r = mfa_find_key(m);

    if (r == MFA_GOOD && store_each(m->store, try_record, m) < 0)
        r = -EUCLEAN;
    return r;
}

/* Of the open store. */
static int is_older(const struct mfa *m)
{
    static const struct mfa_turn none;
    struct mfa_turn turn;
    int r;

    if (memcmp(m->known.store, none.store, sizeof(none.store)) == 0)
        return 0;
    r = store_turn_load(m->store, &turn);
    if (r < 0)
        return r;
    return memcmp(turn.store, m->known.store, sizeof(turn.store)) == 0 && turn.number < m->known.number;
}

static int open_turn(struct mfa *m)
{
    int r = is_older(m);

    if (r > 0 && !m->taking_up)
        close_store(m, MFA_DAMAGED,
                    "mfa.db is older than the journal: an older copy was put back; see docs/FILEFORMAT.mfa.md, Backup");
    else if (r < 0)
        close_store(m, MFA_CLOSED, "mfa.db cannot be read or written");
    return r == -ENOMEM ? r : 0;
}

/* 0, or -ENOMEM; all else is a condition. */
static int open_all(struct mfa *m)
{
    const char *complaint = "";
    int r;

    m->store = store_free(m->store);
    m->complaint[0] = '\0';
    r = store_open(m->directory, m->ops.unsynced, &m->store, &complaint);
    if (r != MFA_GOOD) {
        close_store(m, r < 0 ? MFA_CLOSED : (enum mfa_condition)r, complaint);
        return r < 0 ? r : 0;
    }
    /* Before anything changes it. */
    r = open_turn(m);
    if (!m->store)
        return r;
    if (!store_is_reserved(m->store))
        mfa_complain(m, "no room could be reserved for attempts: a full disk could stop them");
    r = open_key(m);
    if (r == MFA_GOOD) {
        m->condition = MFA_GOOD;
        return 0;
    }
    if (r == MFA_NO_KEY) {
        m->store = store_free(m->store);
        m->condition = MFA_NO_KEY;
        return 0;
    }
    close_store(m, r == -EUCLEAN ? MFA_DAMAGED : MFA_CLOSED,
                r == -EUCLEAN ? "mfa.db holds what was not written there" : "the key of the secrets cannot be read");
    return r == -ENOMEM ? r : 0;
}

/* All that counts of a record; what is next to it is fixed by its number. */
static int add_record(void *context, const struct record *r)
{
    const uint64_t numbers[] = {r->record,
                                r->uid,
                                r->step,
                                r->failures,
                                r->failed_boottime_us,
                                (uint64_t)r->seen_us,
                                r->skew_step,
                                (uint64_t)r->used_us,
                                r->recovery_left};
    int e = digest_fields_add(context, numbers, sizeof(numbers));

    return e < 0 ? e : digest_fields_add(context, r->secret.bytes, r->secret.size);
}

static int digest_store(struct mfa *m, struct digest *ret)
{
    struct digest_fields *fields = NULL;
    int r = digest_fields_new(&fields);

    if (r >= 0)
        r = store_each(m->store, add_record, fields);
    if (r >= 0)
        r = digest_fields_finish(fields, ret);
    (void)digest_fields_free(fields);
    return r;
}

/* Another file has the store's name. An older copy would bring back codes and tries that are used up, another store other secrets. */
static void expect_same(struct mfa *m)
{
    if (m->store && !m->exchanged)
        m->exchanged = digest_store(m, &m->held) >= 0;
}

static void check_same(struct mfa *m)
{
    struct digest found;
    int r;

    if (m->condition != MFA_GOOD || !m->exchanged)
        return;
    r = digest_store(m, &found);
    if (r < 0)
        close_store(m, MFA_CLOSED, "mfa.db cannot be read or written");
    else if (digest_equal(&found, &m->held))
        m->exchanged = false;
    else
        close_store(m, MFA_DAMAGED, "mfa.db was exchanged for another one; restart kuraband if that was meant");
}

bool mfa_ready(struct mfa *m, const struct mfa_now *now)
{
    if (m->condition == MFA_GOOD && store_is_in_place(m->store))
        return true;
    if (m->condition != MFA_GOOD && now && now->boottime_us - m->tried_us < AGAIN_US)
        return false;
    m->tried_us = now ? now->boottime_us : m->tried_us;
    expect_same(m);
    (void)open_all(m);
    check_same(m);
    return m->condition == MFA_GOOD;
}

int mfa_open(const struct mfa_options *options, struct mfa **ret)
{
    struct mfa *m = calloc(1, sizeof(*m));

    if (!m)
        return -ENOMEM;
    /* The key and secrets that wait to be confirmed: not to swap space, where that is permitted. */
    (void)mlock(m, sizeof(*m));
    m->directory = options->state_directory;
    m->ops = options->ops ? *options->ops : (struct mfa_ops){.random = machine_random};
    if (!m->ops.random)
        m->ops.random = machine_random;
    m->known = options->known;
    if (options->boot_id)
        (void)snprintf(m->boot, sizeof(m->boot), "%s", options->boot_id);
    if (options->credentials) {
        m->credentials = strdup(options->credentials);
        if (!m->credentials) {
            (void)mfa_free(m);
            return -ENOMEM;
        }
    }
    if (open_all(m) < 0) {
        (void)mfa_free(m);
        return -ENOMEM;
    }
    *ret = m;
    return 0;
}

struct mfa *mfa_free(struct mfa *m)
{
    if (!m)
        return NULL;
    (void)store_free(m->store);
    free(m->credentials);
    OPENSSL_cleanse(m, sizeof(*m));
    (void)munlock(m, sizeof(*m));
    free(m);
    return NULL;
}

enum mfa_condition mfa_condition(const struct mfa *m)
{
    return m->condition;
}

const char *mfa_complaint(const struct mfa *m)
{
    return m->complaint;
}

int mfa_turn(const struct mfa *m, struct mfa_turn *ret)
{
    if (m->condition != MFA_GOOD || store_turn_load(m->store, ret) < 0)
        return MFA_E_UNAVAILABLE;
    return 0;
}

int mfa_take_up(struct mfa *m, const struct mfa_now *now)
{
    int r = m->condition != MFA_DAMAGED ? MFA_E_SETTINGS : 0;

    m->taking_up = true;
    if (r == 0 && !mfa_ready(m, NULL))
        r = MFA_E_UNAVAILABLE;
    m->taking_up = false;
    if (r != 0)
        return r;
    r = is_older(m);
    if (r == 0)
        return MFA_E_SETTINGS;
    if (r > 0)
        r = store_begin(m->store);
    if (r >= 0)
        r = store_turn_take_up(m->store, m->known.number, now->wall_us);
    if (r >= 0)
        r = store_commit(m->store);
    if (r >= 0)
        return 0;
    r = mfa_failed(m, r);
    if (m->condition == MFA_GOOD)
        close_store(m, MFA_CLOSED, "mfa.db cannot be written");
    return r;
}

enum mfa_key_source mfa_key_source(const struct mfa *m)
{
    return m->key_source;
}

void mfa_set_limits(struct mfa *m, const struct mfa_limits *limits)
{
    m->limits = *limits;
    if (m->limits.window > MFA_WINDOW_MAX)
        m->limits.window = MFA_WINDOW_MAX;
}

/* --- what is there --- */

enum mfa_outcome mfa_state(const struct mfa *m, const struct record *r, const struct mfa_now *now, uint32_t *ret_number)
{
    const struct throttle t = {
        .failures = r->failures,
        .same_boot = m->boot[0] != '\0' && strcmp(m->boot, r->failed_boot) == 0,
        .failed_wall_us = r->failed_wall_us,
        .failed_boottime_us = r->failed_boottime_us,
        .seen_us = r->seen_us,
        .period = r->settings.period,
    };

    return throttle_ask(&m->limits, &t, now, ret_number);
}

struct collected {
    struct record *records;
    size_t n;
};

static int collect_one(void *context, const struct record *r)
{
    struct collected *c = context;
    struct record *more = reallocarray(c->records, c->n + 1, sizeof(*more));

    if (!more)
        return -ENOMEM;
    c->records = more;
    c->records[c->n++] = *r;
    return 0;
}

int mfa_collect(struct mfa *m, struct record **ret, size_t *ret_n)
{
    struct collected c = {0};
    int r = store_each(m->store, collect_one, &c);

    if (r < 0) {
        free(c.records);
        return r;
    }
    *ret = c.records;
    *ret_n = c.n;
    return 0;
}

static void describe(const struct mfa *m, const struct record *r, const struct mfa_now *now, struct mfa_credential *ret)
{
    *ret = (struct mfa_credential){
        .record = r->record,
        .uid = r->uid,
        .settings = r->settings,
        .created_us = r->created_us,
        .used_us = r->used_us,
        .failures = r->failures,
        .recovery_left = r->recovery_left,
        .imported = r->imported,
    };
    memcpy(ret->name, r->name, sizeof(ret->name));
    ret->state = mfa_state(m, r, now, &ret->number);
}

int mfa_list(struct mfa *m, const struct mfa_now *now, struct mfa_credential **ret, size_t *ret_n)
{
    _cleanup_free_ struct record *records = NULL;
    struct mfa_credential *list = NULL;
    size_t n = 0;
    int r;

    if (!mfa_ready(m, now))
        return MFA_E_UNAVAILABLE;
    r = mfa_collect(m, &records, &n);
    if (r < 0)
        return mfa_failed(m, r);
    if (n > 0) {
        list = calloc(n, sizeof(*list));
        if (!list)
            return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++)
        describe(m, &records[i], now, &list[i]);
    *ret = list;
    *ret_n = n;
    return 0;
}

int mfa_find(struct mfa *m, uid_t uid, const struct mfa_now *now, struct mfa_credential *ret)
{
    struct record record;
    int r;

    if (!mfa_ready(m, now))
        return MFA_E_UNAVAILABLE;
    r = store_load(m->store, uid, &record);
    if (r < 0)
        return mfa_failed(m, r);
    if (r == 0)
        return MFA_E_UNKNOWN;
    describe(m, &record, now, ret);
    return 0;
}
