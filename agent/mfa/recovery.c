/*
 * Owns: recovery codes: how they are made, written and looked for.
 * Must not: keep a code. The slow hash is what makes a stolen store useless: 60 bits would be years of one fast machine otherwise.
 */
#include "mfa/recovery.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

enum {
    GROUP = 4,
    SCRYPT_N = 8192, /* 8 MiB and some 20 ms; RFC 7914 */
    SCRYPT_R = 8,
    SCRYPT_P = 1,
    SCRYPT_MEMORY = 32 * 1024 * 1024,
};

/* Crockford's: without i, l, o and u, which are taken for others. */
static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* The characters that matter, lower case. False: it cannot be one. */
static bool normalize(const char *text, char ret[static RECOVERY_CHARACTERS])
{
    size_t n = 0;

    for (; *text; text++) {
        char c = (char)tolower((unsigned char)*text);

        if (c == '-' || c == ' ')
            continue;
        c = c == 'o' ? '0' : c == 'i' || c == 'l' ? '1' : c;
        if (n == RECOVERY_CHARACTERS || !strchr(alphabet, c))
            return false;
        ret[n++] = c;
    }
    return n == RECOVERY_CHARACTERS;
}

static int hash(const char text[static RECOVERY_CHARACTERS], const uint8_t *salt, uint8_t *ret)
{
    return EVP_PBE_scrypt(text, RECOVERY_CHARACTERS, salt, RECOVERY_SALT_SIZE, SCRYPT_N, SCRYPT_R, SCRYPT_P,
                          SCRYPT_MEMORY, ret, RECOVERY_HASH_SIZE) == 1
               ? 0
               : -EIO;
}

static int make_one(const struct mfa_ops *ops, const uint8_t *salt, char ret[static MFA_RECOVERY_SIZE],
                    uint8_t *ret_hash)
{
    char characters[RECOVERY_CHARACTERS];
    uint8_t random[RECOVERY_CHARACTERS];
    int r = ops->random(ops->context, random, sizeof(random));

    for (size_t i = 0; i < RECOVERY_CHARACTERS; i++) {
        characters[i] = alphabet[random[i] % (sizeof(alphabet) - 1)];
        ret[i + i / GROUP] = characters[i];
    }
    for (size_t i = GROUP; i < MFA_RECOVERY_SIZE - 1; i += GROUP + 1)
        ret[i] = '-';
    ret[MFA_RECOVERY_SIZE - 1] = '\0';
    if (r >= 0)
        r = hash(characters, salt, ret_hash);
    OPENSSL_cleanse(random, sizeof(random));
    OPENSSL_cleanse(characters, sizeof(characters));
    return r;
}

int recovery_make(const struct mfa_ops *ops, struct mfa_recovery *ret, struct recovery_hashes *ret_hashes)
{
    struct recovery_hashes hashes = {0};
    struct mfa_recovery codes;
    int r = ops->random(ops->context, hashes.salt, sizeof(hashes.salt));

    for (int i = 0; r >= 0 && i < MFA_RECOVERY_COUNT; i++)
        r = make_one(ops, hashes.salt, codes.codes[i], hashes.hashes[i]);
    if (r >= 0) {
        *ret = codes;
        *ret_hashes = hashes;
    }
    mfa_recovery_wipe(&codes);
    return r;
}

bool recovery_is_code(const char *text)
{
    char characters[RECOVERY_CHARACTERS];
    bool is = normalize(text, characters);

    OPENSSL_cleanse(characters, sizeof(characters));
    return is;
}

int recovery_find(const struct recovery_hashes *h, const char *text, unsigned *ret_number)
{
    char characters[RECOVERY_CHARACTERS];
    uint8_t wanted[RECOVERY_HASH_SIZE];
    int found = -1, r = -EINVAL;

    if (normalize(text, characters))
        r = hash(characters, h->salt, wanted);
    for (int i = 0; r >= 0 && i < MFA_RECOVERY_COUNT; i++) {
        bool equal = CRYPTO_memcmp(wanted, h->hashes[i], sizeof(wanted)) == 0;

        found = (equal & !h->used[i]) ? i : found;
    }
    OPENSSL_cleanse(characters, sizeof(characters));
    OPENSSL_cleanse(wanted, sizeof(wanted));
    if (r < 0)
        return r == -EINVAL ? 0 : r;
    if (found < 0)
        return 0;
    *ret_number = (unsigned)found;
    return 1;
}
