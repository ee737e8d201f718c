/*
 * Owns: the centre's keys as files.
 * Must not: read one that others can read, follow a link, or leave a seed behind.
 */
#include "hub/keys/keys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/base32.h"
#include "base/files.h"
#include "policy/fleet/wire_file.h"
#include "policy/trust/write.h"

#define HEAD "head.key"
#define PASSPHRASE "head.passphrase"

enum {
    SECRET_SIZE = 32,
    LINE_MAX_ = 128, /* of a file with one line */
};

_Static_assert(BASE32_LENGTH(SECRET_SIZE) + 1 == HUB_HEAD_PASSPHRASE_SIZE, "as the header says");

static const struct {
    const char *name;
    enum nkey_kind kind;
    size_t offset;
} files[] = {
    {"operator.nk", NKEY_OPERATOR, offsetof(struct hub_keys, operator)},
    {"account.nk", NKEY_ACCOUNT, offsetof(struct hub_keys, account)},
    {"system.nk", NKEY_ACCOUNT, offsetof(struct hub_keys, system)},
    {"terminals.nk", NKEY_ACCOUNT, offsetof(struct hub_keys, terminals)},
    {"hub.nk", NKEY_USER, offsetof(struct hub_keys, hub)},
};

static struct wire_key **key_of(struct hub_keys *k, size_t i)
{
    return (struct wire_key **)(void *)((char *)k + files[i].offset);
}

void hub_keys_done(struct hub_keys *k)
{
    for (size_t i = 0; i < ELEMENTS(files); i++)
        *key_of(k, i) = wire_key_free(*key_of(k, i));
}

/* --- files --- */

static int write_line(int directory, const char *name, const char *line)
{
    char text[LINE_MAX_ + 2];
    int n = snprintf(text, sizeof(text), "%s\n", line), r;

    r = n < 0 || (size_t)n >= sizeof(text) ? -EINVAL : files_write_atomic_at(directory, name, text, (size_t)n, 0600);
    OPENSSL_cleanse(text, sizeof(text));
    return r;
}

/* --- keys of the wire --- */

static int create_one(int directory, size_t i, struct hub_keys *k)
{
    return wire_file_create(directory, files[i].name, files[i].kind, key_of(k, i));
}

static int read_one(int directory, size_t i, struct hub_keys *k)
{
    return wire_file_read(directory, files[i].name, files[i].kind, key_of(k, i));
}

static int for_all(int directory, int (*one)(int directory, size_t i, struct hub_keys *k), struct hub_keys *ret)
{
    struct hub_keys k = {0};
    int r = 0;

    for (size_t i = 0; r >= 0 && i < ELEMENTS(files); i++)
        r = one(directory, i, &k);
    if (r < 0)
        hub_keys_done(&k);
    else
        *ret = k;
    return r;
}

int hub_keys_create(int directory, struct hub_keys *ret)
{
    return for_all(directory, create_one, ret);
}

int hub_keys_read(int directory, struct hub_keys *ret)
{
    return for_all(directory, read_one, ret);
}

/* --- the online key --- */

static int new_passphrase(char ret[static HUB_HEAD_PASSPHRASE_SIZE])
{
    uint8_t secret[SECRET_SIZE];

    if (RAND_bytes(secret, sizeof(secret)) != 1)
        return -EIO;
    base32_write(secret, sizeof(secret), ret);
    OPENSSL_cleanse(secret, sizeof(secret));
    return 0;
}

static int write_head(int directory, EVP_PKEY *key)
{
    char passphrase[HUB_HEAD_PASSPHRASE_SIZE], *pem = NULL;
    int r = new_passphrase(passphrase);

    if (r >= 0)
        r = trust_key_write_private(key, passphrase, &pem);
    if (r >= 0)
        r = files_write_atomic_at(directory, HEAD, pem, strlen(pem), 0600);
    if (r >= 0)
        r = write_line(directory, PASSPHRASE, passphrase);
    OPENSSL_cleanse(passphrase, sizeof(passphrase));
    (void)trust_secret_free(pem);
    return r;
}

static int public_of(EVP_PKEY *key, const char *name, char **ret_text, struct digest *ret_id)
{
    _cleanup_free_ char *pem = NULL;
    uint8_t public[TRUST_PUBLIC_SIZE];
    struct digest id;
    int r = trust_key_public(key, public);

    if (r == 0)
        r = trust_key_id(public, &id);
    if (r == 0)
        r = trust_key_write_public(key, &pem);
    if (r != 0)
        return r < 0 ? r : -EIO;
    if (asprintf(ret_text, "Name: %s\n%s", name, pem) < 0)
        return -ENOMEM;
    *ret_id = id;
    return 0;
}

int hub_head_create(int directory, const char *name, char **ret_public, struct digest *ret_id)
{
    _cleanup_free_ char *text = NULL;
    EVP_PKEY *key = NULL;
    struct digest id;
    int r = trust_key_generate(&key);

    if (r == 0)
        r = public_of(key, name, &text, &id);
    if (r == 0)
        r = write_head(directory, key);
    EVP_PKEY_free(key);
    if (r != 0)
        return r < 0 ? r : -EIO;
    *ret_public = TAKE_PTR(text);
    *ret_id = id;
    return 0;
}

/* trust_key_load_private() hands on what was read from head.passphrase. */
static int give_passphrase(void *context, char *buffer, size_t size)
{
    const char *passphrase = context;
    size_t length = strlen(passphrase);

    if (length > size)
        return -1;
    memcpy(buffer, passphrase, length);
    return (int)length;
}

int hub_head_read(int directory, EVP_PKEY **ret)
{
    char *pem = NULL, *passphrase = NULL, path[64];
    int r = files_read_private_at(directory, HEAD, TRUST_KEY_PEM_MAX, &pem);

    if (r >= 0)
        r = files_read_private_at(directory, PASSPHRASE, LINE_MAX_, &passphrase);
    /* By the same name in the same directory; it was looked at. */
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/" HEAD, directory);
    if (r >= 0)
        r = trust_key_load_private(path, give_passphrase, passphrase, ret);
    (void)trust_secret_free(pem);
    (void)trust_secret_free(passphrase);
    return r > 0 ? -EBADMSG : r;
}
