#pragma once

#include "test.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "daemon/rulebook.h"
#include "policy/policy.h"
#include "policy/trust/write.h"

/* A terminal's directory, an unsigned policy file, and a city with two people who sign. */

#define SIGNED_NOW_US INT64_C(1800000000000000) /* 2027-01-15 */
#define SIGNED_DAY_US (INT64_C(86400) * 1000000)

struct signed_place {
    char directory[64], file[96];
    int fd;
    EVP_PKEY *keys[2];
    uint8_t *root;
    size_t root_size;
};

static inline void signed_clear(const struct signed_place *p)
{
    static const char *const names[] = {"policy.yaml", "policy.last-good.yaml", "trust.json", "trust.installed"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unlinkat(p->fd, names[i], 0);
}

static inline void signed_write_file(const struct signed_place *p, int version)
{
    char text[256];
    int n = snprintf(text, sizeof(text),
                     "format: kuraban-policy/1\norganization: city.example\nname: unsigned\nversion: %d\n", version);

    assert_int_equal(files_write_atomic_at(p->fd, "policy.yaml", text, (size_t)n, 0644), 0);
}

/* The caller frees. */
static inline uint8_t *signed_envelope(const struct signed_place *p, const char *type, const void *payload, size_t size,
                                       size_t n_keys, size_t *ret_size)
{
    struct trust_envelope *e = NULL;
    uint8_t *bytes = NULL;

    assert_int_equal(trust_envelope_new(type, payload, size, &e), 0);
    for (size_t i = 0; i < n_keys; i++)
        assert_int_equal(trust_envelope_sign(e, p->keys[i]), 0);
    assert_int_equal(trust_envelope_write(e, &bytes, ret_size), 0);
    trust_envelope_free(e);
    return bytes;
}

/* Signed by both. further: more lines of YAML. */
static inline uint8_t *signed_policy(const struct signed_place *p, int version, const char *further, size_t *ret_size)
{
    char text[512];
    int n = snprintf(text, sizeof(text),
                     "format: kuraban-policy/1\norganization: city.example\nname: signed\nversion: %d\n%s", version,
                     further);

    return signed_envelope(p, TRUST_TYPE_POLICY, text, (size_t)n, 2, ret_size);
}

static inline void signed_make_root(struct signed_place *p)
{
    struct trust_root *root = NULL;
    uint8_t *payload = NULL;
    size_t size = 0;

    assert_int_equal(trust_root_new("city.example", 1, SIGNED_NOW_US + 365 * SIGNED_DAY_US, &root), 0);
    for (size_t i = 0; i < 2; i++) {
        uint8_t public[TRUST_PUBLIC_SIZE];
        size_t index = 0;

        assert_int_equal(trust_key_generate(&p->keys[i]), 0);
        assert_int_equal(trust_key_public(p->keys[i], public), 0);
        assert_int_equal(trust_root_add_key(root, i == 0 ? "総務課 田中" : "情報課 鈴木", public, &index), 0);
        assert_int_equal(trust_root_add_role(root, TRUST_ROLE_ROOT, index), 0);
        assert_int_equal(trust_root_add_role(root, TRUST_ROLE_POLICY, index), 0);
        if (i == 0)
            assert_int_equal(trust_root_add_role(root, TRUST_ROLE_HEAD, index), 0);
    }
    root->roles[TRUST_ROLE_HEAD].threshold = 1;
    root->roles[TRUST_ROLE_ROOT].threshold = root->roles[TRUST_ROLE_POLICY].threshold = 2;
    assert_int_equal(trust_root_write(root, &payload, &size, NULL), 0);
    p->root = signed_envelope(p, TRUST_TYPE_ROOT, payload, size, 2, &p->root_size);
    free(payload);
    trust_root_free(root);
}

static inline int signed_setup(void **state)
{
    struct signed_place *p = calloc(1, sizeof(*p));

    if (!p)
        return -1;
    /* In memory where that is there: hundreds of fsync(2) are not what is looked at. */
    (void)snprintf(p->directory, sizeof(p->directory), "%s/signed-test.XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(p->directory))
        return -1;
    (void)snprintf(p->file, sizeof(p->file), "%s/policy.yaml", p->directory);
    p->fd = open(p->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    signed_make_root(p);
    *state = p;
    return p->fd < 0 ? -1 : 0;
}

static inline int signed_teardown(void **state)
{
    struct signed_place *p = *state;
    char command[128];

    /* A killed writer leaves its temporary file under a random name. */
    (void)snprintf(command, sizeof(command), "rm -rf -- %s", p->directory);
    EVP_PKEY_free(p->keys[0]);
    EVP_PKEY_free(p->keys[1]);
    close_fd(p->fd);
    free(p->root);
    free(p);
    return system(command) == 0 ? 0 : -1;
}

/* A head for the policy of that version, issued then, for ten days. */
static inline uint8_t *signed_head(const struct signed_place *p, int version, int64_t issued_us,
                                   const struct digest *policy, int policy_version, size_t *ret_size)
{
    struct trust_complaint complaint = {0};
    const struct trust_head head = {.organization = (char *)(uintptr_t) "city.example",
                                    .group = (char *)(uintptr_t) "kazei",
                                    .version = (uint64_t)version,
                                    .issued_us = issued_us,
                                    .expires_us = issued_us + 10 * SIGNED_DAY_US,
                                    .policy_version = (uint64_t)policy_version,
                                    .policy_sha256 = *policy};
    uint8_t *payload = NULL, *bytes;
    size_t size = 0;

    assert_int_equal(trust_head_write(&head, &payload, &size, &complaint), 0);
    bytes = signed_envelope(p, TRUST_TYPE_HEAD, payload, size, 1, ret_size);
    free(payload);
    return bytes;
}

/* A start of the daemon. */
static inline struct rulebook *signed_start(const struct signed_place *p, int64_t wall_us, int expected)
{
    static const char *const groups[] = {"kazei"};
    const struct rulebook_options options = {
        .file = p->file, .state_directory = p->fd, .terminal = "kazei-07", .groups = groups, .n_groups = 1};
    struct rulebook *b = NULL;

    assert_int_equal(rulebook_new(&options, &b), 0);
    assert_int_equal(rulebook_open(b, wall_us), expected);
    return b;
}

static inline struct rulebook *signed_open(const struct signed_place *p, int expected)
{
    return signed_start(p, SIGNED_NOW_US, expected);
}

static inline struct rulebook *signed_open_at(const struct signed_place *p, int64_t wall_us)
{
    return signed_start(p, wall_us, 0);
}

static inline int signed_install(struct rulebook *b, const struct signed_place *p)
{
    struct trust_complaint complaint = {0};

    return rulebook_install(b, p->root, p->root_size, SIGNED_NOW_US, &complaint);
}

static inline int signed_apply_at(struct rulebook *b, const struct signed_place *p, int version, const char *further,
                                  int64_t wall_us)
{
    struct trust_complaint complaint = {0};
    size_t size = 0;
    uint8_t *bytes = signed_policy(p, version, further, &size);
    int r = rulebook_apply(b, bytes, size, wall_us, &complaint);

    free(bytes);
    return r;
}

static inline int signed_apply(struct rulebook *b, const struct signed_place *p, int version, const char *further)
{
    return signed_apply_at(b, p, version, further, SIGNED_NOW_US);
}
