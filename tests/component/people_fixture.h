#pragma once

#include "test.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "fake/signed.h"
#include "hub/keys/keys.h"

/* What people sign for a centre that `kuraban-hub init` made: keys 0 and 1 are root's, 2 and 3 policy's, two of each needed. */

/* The centre's online key; the caller frees it. */
static inline EVP_PKEY *people_head(const char *place)
{
    EVP_PKEY *key = NULL;
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/keys", place);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(hub_head_read(fd, &key), 0);
    (void)close(fd);
    return key;
}

/* A root document whose role head is this key; payload alone. The caller frees data. */
static inline struct signed_bytes people_root_document(const EVP_PKEY *head, uint64_t version)
{
    const int64_t expires = clock_wall_us() + 365 * SIGNED_DAY;
    struct trust_root *root = NULL;
    struct signed_bytes b = {0};
    size_t index = 0;

    assert_int_equal(trust_root_new(SIGNED_ORGANIZATION, version, expires / 1000000 * 1000000, &root), 0);
    for (unsigned i = 0; i < 5; i++) {
        const enum trust_role role = i < 2 ? TRUST_ROLE_ROOT : i < 4 ? TRUST_ROLE_POLICY : TRUST_ROLE_HEAD;
        uint8_t public[TRUST_PUBLIC_SIZE];
        char name[8];

        (void)snprintf(name, sizeof(name), "key %u", i);
        if (role == TRUST_ROLE_HEAD)
            assert_int_equal(trust_key_public(head, public), TRUST_KEY_OK);
        else
            signed_public(i, public);
        assert_int_equal(trust_root_add_key(root, name, public, &index), 0);
        assert_int_equal(trust_root_add_role(root, role, index), 0);
        root->roles[role].threshold = role == TRUST_ROLE_HEAD ? 1 : 2;
    }
    assert_int_equal(trust_root_write(root, &b.data, &b.size, NULL), TRUST_OK);
    (void)trust_root_free(root);
    return b;
}

static inline struct signed_bytes people_root(const EVP_PKEY *head, uint64_t version)
{
    struct signed_bytes document = people_root_document(head, version);
    struct trust_envelope *e = signed_envelope(TRUST_TYPE_ROOT, document.data, document.size, KEY(0) | KEY(1));

    free(document.data);
    return signed_file(e);
}

static inline struct signed_bytes people_policy(uint64_t version, const char *more)
{
    return signed_file(
        signed_make_policy(&(struct signed_policy){SIGNED_ORGANIZATION, version, more}, KEY(2) | KEY(3)));
}
