/*
 * Owns: making keys and signed documents for the tests of policy/trust.
 * Must not: be of any use outside tests: everybody knows these keys.
 */
#include "fake/signed.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/policy.h"

void signed_insist(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fake/signed: %s\n", what);
        abort();
    }
}

const struct signed_root signed_root_default = {
    .organization = SIGNED_ORGANIZATION,
    .version = 1,
    .expires_us = SIGNED_NOW + 365 * SIGNED_DAY,
    .keys = {[TRUST_ROLE_ROOT] = KEY(0) | KEY(1) | KEY(2),
             [TRUST_ROLE_POLICY] = KEY(3) | KEY(4) | KEY(5),
             [TRUST_ROLE_HEAD] = KEY(6)},
    .thresholds = {[TRUST_ROLE_ROOT] = 2, [TRUST_ROLE_POLICY] = 2, [TRUST_ROLE_HEAD] = 1},
};

EVP_PKEY *signed_key(unsigned i)
{
    static EVP_PKEY *keys[SIGNED_KEYS];
    uint8_t seed[32];

    signed_insist(i < SIGNED_KEYS, "no such key");
    if (!keys[i]) {
        memset(seed, 'a' + (int)i, sizeof(seed));
        keys[i] = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
        signed_insist(keys[i] != NULL, "key");
    }
    return keys[i];
}

void signed_public(unsigned i, uint8_t ret[static TRUST_PUBLIC_SIZE])
{
    signed_insist(trust_key_public(signed_key(i), ret) == TRUST_KEY_OK, "public key");
}

struct trust_envelope *signed_envelope(const char *type, const void *payload, size_t size, unsigned signers)
{
    struct trust_envelope *e = NULL;

    signed_insist(trust_envelope_new(type, payload, size, &e) == TRUST_OK, "envelope");
    for (unsigned i = 0; i < SIGNED_KEYS; i++)
        if (signers & KEY(i))
            signed_insist(trust_envelope_sign(e, signed_key(i)) == TRUST_OK, "signature");
    return e;
}

struct trust_envelope *signed_text(const char *type, const char *payload, unsigned signers)
{
    return signed_envelope(type, payload, strlen(payload), signers);
}

struct trust_envelope *signed_make_root(const struct signed_root *o, unsigned signers)
{
    struct trust_complaint complaint = {0};
    struct trust_root *root = NULL;
    struct trust_envelope *e;
    uint8_t public[TRUST_PUBLIC_SIZE], *bytes = NULL;
    size_t size, index;

    signed_insist(trust_root_new(o->organization, o->version, o->expires_us, &root) == 0, "root");
    for (unsigned i = 0; i < SIGNED_KEYS; i++)
        for (enum trust_role role = 0; role < TRUST_ROLE_COUNT_; role++) {
            char name[32];

            if (!(o->keys[role] & KEY(i)))
                continue;
            snprintf(name, sizeof(name), "職員 %u", i);
            signed_public(i, public);
            signed_insist(trust_root_add_key(root, name, public, &index) == 0, "root key");
            signed_insist(trust_root_add_role(root, role, index) == 0, "root role");
        }
    for (enum trust_role role = 0; role < TRUST_ROLE_COUNT_; role++)
        root->roles[role].threshold = o->thresholds[role];
    signed_insist(trust_root_write(root, &bytes, &size, &complaint) == TRUST_OK, complaint.text);
    e = signed_envelope(TRUST_TYPE_ROOT, bytes, size, signers);
    trust_root_free(root);
    free(bytes);
    return e;
}

char *signed_policy_yaml(const struct signed_policy *o)
{
    char *yaml = NULL;

    signed_insist(asprintf(&yaml, "format: kuraban-policy/1\norganization: %s\nname: 課税課 標準\nversion: %llu\n%s",
                           o->organization, (unsigned long long)o->version, o->more ? o->more : "") > 0,
                  "yaml");
    return yaml;
}

struct trust_envelope *signed_make_policy(const struct signed_policy *o, unsigned signers)
{
    char *yaml = signed_policy_yaml(o);
    struct trust_envelope *e = signed_text(TRUST_TYPE_POLICY, yaml, signers);

    free(yaml);
    return e;
}

struct trust_envelope *signed_make_head(const struct signed_head *o, unsigned signers)
{
    char *organization = strdup(o->organization), *group = strdup(o->group);
    struct trust_head h = {.organization = organization,
                           .group = group,
                           .version = o->version,
                           .issued_us = o->issued_us,
                           .expires_us = o->expires_us,
                           .policy_version = o->policy_version};
    struct trust_complaint complaint = {0};
    struct trust_envelope *e;
    uint8_t *bytes = NULL;
    size_t size;

    if (o->policy)
        signed_insist(digest_bytes(o->policy->payload, o->policy->size, &h.policy_sha256) == 0, "digest");
    signed_insist(trust_head_write(&h, &bytes, &size, &complaint) == TRUST_OK, complaint.text);
    e = signed_envelope(TRUST_TYPE_HEAD, bytes, size, signers);
    free(organization);
    free(group);
    free(bytes);
    return e;
}

struct signed_bytes signed_file(struct trust_envelope *e)
{
    struct signed_bytes b = {0};

    signed_insist(trust_envelope_write(e, &b.data, &b.size) == 0, "file");
    trust_envelope_free(e);
    return b;
}

struct signed_bytes signed_bundle(struct trust_envelope *const *roots, size_t n_roots, struct trust_envelope *policy,
                                  struct trust_envelope *head)
{
    struct trust_bundle b = {.policy = policy, .head = head};
    struct signed_bytes bytes = {0};

    while (b.n_roots < n_roots) {
        b.roots[b.n_roots] = roots[b.n_roots];
        b.n_roots++;
    }
    signed_insist(trust_bundle_write(&b, &bytes.data, &bytes.size) == TRUST_OK, "bundle");
    trust_bundle_done(&b);
    return bytes;
}

struct trust_state *signed_install(struct trust_envelope *root)
{
    struct signed_bytes b = signed_file(root);
    struct trust_complaint complaint = {0};
    struct trust_state *s = NULL;

    signed_insist(trust_install_root(b.data, b.size, SIGNED_NOW, &s, &complaint) == TRUST_OK, complaint.text);
    free(b.data);
    return s;
}

struct signed_root signed_root_version(uint64_t version)
{
    struct signed_root o = signed_root_default;

    o.version = version;
    return o;
}

struct trust_envelope *signed_usual_root(uint64_t version)
{
    const struct signed_root o = signed_root_version(version);

    return signed_make_root(&o, SIGNED_ROOT_SIGNERS);
}

struct trust_envelope *signed_usual_policy(uint64_t version, const char *more)
{
    return signed_make_policy(&(struct signed_policy){SIGNED_ORGANIZATION, version, more}, SIGNED_POLICY_SIGNERS);
}

struct trust_envelope *signed_policy_six(unsigned signers)
{
    return signed_make_policy(&(struct signed_policy){SIGNED_ORGANIZATION, 6, NULL}, signers);
}

struct trust_envelope *signed_usual_head(uint64_t version, const struct trust_envelope *policy, uint64_t policy_version)
{
    const struct signed_head h = {.organization = SIGNED_ORGANIZATION,
                                  .group = "kazei",
                                  .version = version,
                                  .policy_version = policy_version,
                                  .issued_us = SIGNED_NOW - SIGNED_DAY,
                                  .expires_us = SIGNED_NOW + 13 * SIGNED_DAY,
                                  .policy = policy};

    return signed_make_head(&h, KEY(6));
}

static const char *const groups[] = {"kazei", "zeimu"};
const struct trust_terminal signed_terminal = {.id = "kz-042", .groups = groups, .n_groups = 2, .now_us = SIGNED_NOW};

struct trust_state *signed_settled(void)
{
    struct trust_state *s = signed_install(signed_usual_root(3)), *next = NULL;
    struct trust_envelope *p = signed_usual_policy(5, NULL);
    struct signed_bytes b = signed_bundle(NULL, 0, p, signed_usual_head(7, p, 5));
    struct trust_complaint complaint = {0};
    struct policy *policy = NULL;

    signed_insist(trust_apply(s, &signed_terminal, b.data, b.size, &next, &policy, NULL, &complaint) == TRUST_OK,
                  complaint.text);
    (void)policy_unref(policy);
    trust_state_free(s);
    free(b.data);
    return next;
}

struct signed_bytes signed_text_bytes(const char *text)
{
    return (struct signed_bytes){(uint8_t *)strdup(text), strlen(text)};
}

/* A file with the first `from` replaced. */
struct signed_bytes signed_edited(struct signed_bytes b, const char *from, const char *to)
{
    char *at = strstr((char *)b.data, from), *text = NULL;

    signed_insist(at != NULL, "at");
    signed_insist(asprintf(&text, "%.*s%s%s", (int)(at - (char *)b.data), (char *)b.data, to, at + strlen(from)) > 0,
                  "asprintf");
    free(b.data);
    return (struct signed_bytes){(uint8_t *)text, strlen(text)};
}

struct signed_bytes signed_payload(struct trust_envelope *e)
{
    struct signed_bytes b = {(uint8_t *)text_copy((const char *)e->payload, e->size), e->size};

    signed_insist(b.data != NULL, "payload");
    trust_envelope_free(e);
    return b;
}

struct signed_bytes signed_payload_edited(struct trust_envelope *e, const char *from, const char *to, unsigned signers)
{
    struct trust_envelope *again;
    struct signed_bytes b;
    char *type = strdup(e->type);

    signed_insist(type != NULL, "type");
    b = signed_edited(signed_payload(e), from, to);
    again = signed_envelope(type, b.data, b.size, signers);
    free(b.data);
    free(type);
    return signed_file(again);
}
