/*
 * Owns: the key that the secrets are under: from a systemd credential or the file mfa.key, and its change.
 * Must not: put a key that is lost aside for a new one: what it sealed would be lost with it.
 *
 * The store says which key is in force (key id), in the transaction that sealed everything under it. So a change that is cut short at any
 * moment leaves two files and one that counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "mfa/internal.h"

#define KEY_FILE "mfa.key"
#define KEY_NEXT "mfa.key.next"

enum candidate {
    CREDENTIAL = 0,
    CREDENTIAL_OLD,
    FILE_NOW,
    FILE_NEXT,
    CANDIDATES
};

struct keys {
    struct key key[CANDIDATES];
    int there[CANDIDATES]; /* 1, 0, -errno */
};

static void wipe_keys(struct keys *k)
{
    OPENSSL_cleanse(k, sizeof(*k));
}

/* 1 and a key of exactly MFA_KEY_SIZE bytes; 0: no such file; -EBADMSG: something else; other -errno. */
static int read_key(int directory, const char *name, struct key *ret)
{
    _cleanup_close_ int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    uint8_t bytes[MFA_KEY_SIZE + 1];
    struct stat st;
    size_t n = 0;
    ssize_t got = 1;

    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0)
        return -EBADMSG;
    while (n < sizeof(bytes) && got > 0) {
        got = read(fd, bytes + n, sizeof(bytes) - n);
        n += got > 0 ? (size_t)got : 0;
    }
    if (got == 0 && n == MFA_KEY_SIZE)
        memcpy(ret->bytes, bytes, sizeof(ret->bytes));
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return got < 0 ? -EIO : n == MFA_KEY_SIZE ? 1 : -EBADMSG;
}

static void read_keys(struct mfa *m, struct keys *k)
{
    _cleanup_close_ int credentials = -1;

    if (m->credentials)
        credentials = open(m->credentials, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (credentials >= 0) {
        k->there[CREDENTIAL] = read_key(credentials, "mfa-key", &k->key[CREDENTIAL]);
        k->there[CREDENTIAL_OLD] = read_key(credentials, "mfa-key-old", &k->key[CREDENTIAL_OLD]);
    }
    k->there[FILE_NOW] = read_key(m->directory, KEY_FILE, &k->key[FILE_NOW]);
    k->there[FILE_NEXT] = read_key(m->directory, KEY_NEXT, &k->key[FILE_NEXT]);
}

static int use_key(struct mfa *m, const struct key *k, enum candidate which)
{
    int r = key_identify(k, &m->key_id);

    if (r < 0)
        return r;
    m->key = *k;
    m->key_source = which == CREDENTIAL || which == CREDENTIAL_OLD ? MFA_KEY_CREDENTIAL : MFA_KEY_FILE;
    return 0;
}

/* The one with this name, or -1. */
static int match_key(const struct keys *k, const struct key_id *id)
{
    for (int i = 0; i < CANDIDATES; i++) {
        struct key_id own;

        if (k->there[i] > 0 && key_identify(&k->key[i], &own) >= 0 && memcmp(&own, id, sizeof(own)) == 0)
            return i;
    }
    return -1;
}

int mfa_seal(struct mfa *m, struct record *r, const uint8_t *secret, size_t size)
{
    struct seal_place place = mfa_place(r);
    uint8_t nonce[SEAL_NONCE_SIZE];
    int e = m->ops.random(m->ops.context, nonce, sizeof(nonce));

    return e < 0 ? e : seal(&m->key, &place, nonce, secret, size, &r->secret);
}

/* From the key in force to m->key; a record that does not open stays as it is. */
static int reseal(struct mfa *m, const struct key *old, struct record *r)
{
    uint8_t secret[TOTP_SECRET_MAX];
    struct seal_place place = mfa_place(r);
    size_t size = 0;
    int e = unseal(old, &place, &r->secret, secret, &size);

    if (e >= 0)
        e = mfa_seal(m, r, secret, size);
    OPENSSL_cleanse(secret, sizeof(secret));
    if (e == -EBADMSG)
        return 0;
    return e < 0 ? e : store_save_secret(m->store, r);
}

/* Everything under another key, or nothing. */
static int change_key(struct mfa *m, const struct key *to, enum candidate which)
{
    _cleanup_free_ struct record *records = NULL;
    struct key old = m->key;
    struct key_id old_id = m->key_id;
    enum mfa_key_source old_source = m->key_source;
    size_t n = 0;
    int r = mfa_collect(m, &records, &n);

    if (r >= 0)
        r = store_begin(m->store);
    if (r >= 0)
        r = use_key(m, to, which);
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = reseal(m, &old, &records[i]);
    if (r >= 0)
        r = store_key_save(m->store, &m->key_id);
    if (r >= 0)
        r = store_commit(m->store);
    if (r < 0) {
        store_rollback(m->store);
        m->key = old;
        m->key_id = old_id;
        m->key_source = old_source;
    }
    key_wipe(&old);
    return r;
}

/* Of the two files only the one in force stays. */
static void tidy_files(struct mfa *m, const struct keys *k, int in_force)
{
    if (in_force == FILE_NEXT)
        (void)renameat(m->directory, KEY_NEXT, m->directory, KEY_FILE);
    else if (k->there[FILE_NEXT] != 0)
        (void)unlinkat(m->directory, KEY_NEXT, 0);
    (void)fsync(m->directory);
}

static int no_key(struct mfa *m, const char *complaint)
{
    mfa_complain(m, complaint);
    return MFA_NO_KEY;
}

/* Beside a sealed key a file that anybody finds on the disk seals nothing; a change that was cut short, or the same key sealed, leaves one. */
static void drop_file(struct mfa *m)
{
    if (unlinkat(m->directory, KEY_FILE, 0) < 0)
        mfa_complain(m, "mfa.key is no longer needed and could not be removed");
    (void)fsync(m->directory);
}

static int take_key(struct mfa *m, const struct keys *k)
{
    struct key_id id;
    int stored = store_key_load(m->store, &id), in_force, r;

    if (stored < 0)
        return stored;
    if (k->there[CREDENTIAL] < 0)
        return no_key(m, "the credential mfa-key is not a private file of 32 bytes");
    if (!stored) {
        /* Nothing is sealed yet. */
        in_force = k->there[CREDENTIAL] > 0 ? CREDENTIAL : FILE_NOW;
        if (k->there[in_force] < 0)
            return no_key(m, "mfa.key is not a private file of 32 bytes");
        r = k->there[in_force] > 0 ? use_key(m, &k->key[in_force], (enum candidate)in_force) : 0;
        return r < 0 ? r : MFA_GOOD;
    }
    in_force = match_key(k, &id);
    if (in_force < 0)
        return no_key(m, "the key of the secrets is missing (mfa-key, mfa-key-old or mfa.key)");
    r = use_key(m, &k->key[in_force], (enum candidate)in_force);
    if (r < 0)
        return r;
    tidy_files(m, k, in_force);
    if (k->there[CREDENTIAL] <= 0)
        return MFA_GOOD;
    if (in_force != CREDENTIAL && change_key(m, &k->key[CREDENTIAL], CREDENTIAL) < 0)
        mfa_complain(m, "the secrets could not be put under the new credential; the old key is still in force");
    else if (k->there[FILE_NOW] != 0)
        drop_file(m);
    return MFA_GOOD;
}

int mfa_find_key(struct mfa *m)
{
    _cleanup_(wipe_keys) struct keys k = {0};

    key_wipe(&m->key);
    m->key_source = MFA_KEY_NONE;
    read_keys(m, &k);
    return take_key(m, &k);
}

static int make_file(struct mfa *m, const char *name, struct key *ret)
{
    struct key k;
    int r = m->ops.random(m->ops.context, k.bytes, sizeof(k.bytes));

    if (r >= 0)
        r = files_write_atomic_at(m->directory, name, k.bytes, sizeof(k.bytes), 0600);
    if (r >= 0)
        *ret = k;
    key_wipe(&k);
    return r;
}

int mfa_need_key(struct mfa *m)
{
    struct key k;
    int r = 0;

    if (m->key_source == MFA_KEY_NONE) {
        r = make_file(m, KEY_FILE, &k);
        if (r >= 0)
            r = use_key(m, &k, FILE_NOW);
        key_wipe(&k);
    }
    return r < 0 ? r : store_key_save(m->store, &m->key_id);
}

int mfa_rotate(struct mfa *m)
{
    struct key k = {0};
    int r;

    if (!mfa_ready(m, NULL))
        return MFA_E_UNAVAILABLE;
    if (m->key_source == MFA_KEY_CREDENTIAL)
        return MFA_E_SETTINGS;
    if (m->key_source == MFA_KEY_NONE)
        return 0; /* the first secret makes it */
    r = make_file(m, KEY_NEXT, &k);
    if (r >= 0)
        r = change_key(m, &k, FILE_NEXT);
    key_wipe(&k);
    if (r < 0)
        return mfa_failed(m, r);
    if (renameat(m->directory, KEY_NEXT, m->directory, KEY_FILE) < 0 || fsync(m->directory) < 0)
        mfa_complain(m, "the new key is in mfa.key.next; it takes its place at the next start");
    return 0;
}
