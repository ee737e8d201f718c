/*
 * Owns: well-formed attacks on the terminal of signed_settled(): signatures, versions, times, targets.
 * Must not: be malformed: attacks_form.c has those.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fake/attacks.h"
#include "policy/policy.h"

static struct signed_bytes attack_nobody_signed(void)
{
    return signed_file(signed_policy_six(0));
}

static struct signed_bytes attack_one_person(void)
{
    return signed_file(signed_policy_six(KEY(3)));
}

static struct signed_bytes attack_one_and_strangers(void)
{
    return signed_file(signed_policy_six(KEY(3) | KEY(8) | KEY(9) | KEY(10)));
}

/* Keys of the root document, but not of the role. */
static struct signed_bytes attack_one_and_other_roles(void)
{
    return signed_file(signed_policy_six(KEY(3) | KEY(0) | KEY(1) | KEY(6)));
}

static struct signed_bytes attack_head_by_policy_keys(void)
{
    const struct signed_head h = {SIGNED_ORGANIZATION, "kazei", 8, 5, SIGNED_NOW, SIGNED_NOW + SIGNED_DAY, NULL};

    return signed_file(signed_make_head(&h, SIGNED_POLICY_SIGNERS));
}

/* The first signature once more, by hand. */
static struct signed_bytes attack_same_signature_twice(void)
{
    struct trust_envelope *e = signed_policy_six(KEY(3));

    e->signatures[e->n_signatures++] = e->signatures[0];
    return signed_file(e);
}

/* The same key again, with bytes that fit nothing: the count must not depend on which of them is looked at. */
static struct signed_bytes attack_same_key_other_signature(void)
{
    struct trust_envelope *e = signed_policy_six(SIGNED_POLICY_SIGNERS);

    e->signatures[2] = e->signatures[0];
    e->signatures[2].bytes[0] ^= 1;
    e->n_signatures = 3;
    return signed_file(e);
}

static struct signed_bytes attack_flipped_payload(void)
{
    struct trust_envelope *e = signed_policy_six(SIGNED_POLICY_SIGNERS);

    e->payload[e->size - 2] ^= 1;
    return signed_file(e);
}

static struct signed_bytes attack_flipped_signature(void)
{
    struct trust_envelope *e = signed_policy_six(SIGNED_POLICY_SIGNERS | KEY(5));

    e->signatures[2].bytes[63] ^= 1; /* two good ones stay; a broken one is still somebody's work */
    return signed_file(e);
}

static struct signed_bytes attack_exchanged_ids(void)
{
    struct trust_envelope *e = signed_policy_six(SIGNED_POLICY_SIGNERS);
    struct digest d = e->signatures[0].key;

    e->signatures[0].key = e->signatures[1].key;
    e->signatures[1].key = d;
    return signed_file(e);
}

/* The signatures are over the type too: those for the bytes alone are none. */
static struct signed_bytes attack_signatures_of_another_policy(void)
{
    struct trust_envelope *e = signed_policy_six(SIGNED_POLICY_SIGNERS), *other = signed_usual_policy(7, NULL);

    memcpy(other->signatures, e->signatures, sizeof(e->signatures));
    trust_envelope_free(e);
    return signed_file(other);
}

static struct signed_bytes attack_policy_of_another_organization(void)
{
    return signed_file(signed_make_policy(&(struct signed_policy){"kashiwa.example", 6, NULL}, SIGNED_POLICY_SIGNERS));
}

static struct signed_bytes attack_head_of_another_organization(void)
{
    const struct signed_head h = {"kashiwa.example", "kazei", 8, 5, SIGNED_NOW, SIGNED_NOW + SIGNED_DAY, NULL};

    return signed_file(signed_make_head(&h, KEY(6)));
}

static struct signed_bytes attack_root_of_another_organization(void)
{
    struct signed_root o = signed_root_version(4);

    o.organization = "kashiwa.example";
    return signed_file(signed_make_root(&o, SIGNED_ROOT_SIGNERS));
}

static struct signed_bytes attack_other_group(void)
{
    return signed_file(signed_usual_policy(6, "scope: {groups: [juki]}\n"));
}

static struct signed_bytes attack_other_terminal(void)
{
    return signed_file(signed_usual_policy(6, "scope: {terminals: [kz-043]}\n"));
}

static struct signed_bytes attack_head_of_other_group(void)
{
    const struct signed_head h = {SIGNED_ORGANIZATION, "juki", 8, 5, SIGNED_NOW, SIGNED_NOW + SIGNED_DAY, NULL};

    return signed_file(signed_make_head(&h, KEY(6)));
}

static struct signed_bytes attack_older_policy(void)
{
    return signed_file(signed_usual_policy(4, NULL));
}

static struct signed_bytes attack_older_head(void)
{
    struct trust_envelope *p = signed_usual_policy(5, NULL), *h = signed_usual_head(6, p, 5);

    return signed_bundle(NULL, 0, p, h);
}

static struct signed_bytes attack_older_root(void)
{
    return signed_file(signed_usual_root(2));
}

static struct signed_bytes attack_chain_that_ends_older(void)
{
    struct trust_envelope *roots[] = {signed_usual_root(1), signed_usual_root(2)};

    return signed_bundle(roots, 2, signed_usual_policy(6, NULL), NULL);
}

static struct signed_bytes attack_same_version_policy(void)
{
    return signed_file(signed_usual_policy(5, "mode: monitor\n"));
}

static struct signed_bytes attack_same_version_head(void)
{
    struct trust_envelope *p = signed_usual_policy(6, NULL);

    return signed_bundle(NULL, 0, p, signed_usual_head(7, p, 6));
}

static struct signed_bytes attack_same_version_root(void)
{
    struct signed_root o = signed_root_version(3);

    o.thresholds[TRUST_ROLE_POLICY] = 1;
    return signed_file(signed_make_root(&o, SIGNED_ROOT_SIGNERS));
}

static struct signed_bytes attack_expired_new_root(void)
{
    struct signed_root o = signed_root_version(4);

    o.expires_us = SIGNED_NOW;
    return signed_file(signed_make_root(&o, SIGNED_ROOT_SIGNERS));
}

static struct signed_bytes attack_skipped_root(void)
{
    return signed_file(signed_usual_root(5));
}

static struct signed_bytes attack_roots_out_of_order(void)
{
    struct trust_envelope *roots[] = {signed_usual_root(5), signed_usual_root(4)};

    return signed_bundle(roots, 2, NULL, NULL);
}

static struct signed_bytes attack_root_by_one_old_key(void)
{
    struct signed_root o = signed_root_version(4);

    o.keys[TRUST_ROLE_ROOT] = KEY(0) | KEY(8) | KEY(9);
    return signed_file(signed_make_root(&o, KEY(0) | KEY(8) | KEY(9)));
}

static struct signed_bytes attack_root_by_one_new_key(void)
{
    struct signed_root o = signed_root_version(4);

    o.keys[TRUST_ROLE_ROOT] = KEY(0) | KEY(8) | KEY(9);
    return signed_file(signed_make_root(&o, KEY(0) | KEY(1)));
}

/* Of the new keys enough, of the old ones one and a forged one. */
static struct signed_bytes attack_root_with_forged_signature(void)
{
    struct trust_envelope *e = signed_usual_root(4);

    e->signatures[1].bytes[3] ^= 1;
    return signed_file(e);
}

static struct signed_bytes attack_expired_head(void)
{
    const struct signed_head h = {SIGNED_ORGANIZATION, "kazei", 8, 5, SIGNED_NOW - SIGNED_DAY, SIGNED_NOW, NULL};

    return signed_file(signed_make_head(&h, KEY(6)));
}

static struct signed_bytes attack_head_from_the_future(void)
{
    const int64_t day = SIGNED_NOW + 2 * SIGNED_DAY;
    const struct signed_head h = {SIGNED_ORGANIZATION, "kazei", 8, 5, day, day + SIGNED_DAY, NULL};

    return signed_file(signed_make_head(&h, KEY(6)));
}

static struct signed_bytes attack_head_for_other_bytes(void)
{
    return signed_file(signed_usual_head(8, NULL, 5));
}

static struct signed_bytes attack_head_for_other_version(void)
{
    struct trust_envelope *p = signed_usual_policy(6, NULL);

    return signed_bundle(NULL, 0, p, signed_usual_head(8, p, 5));
}

static struct signed_bytes attack_expired_policy(void)
{
    return signed_file(signed_usual_policy(6, "valid: {until: 2027-01-15T07:59:59Z}\n"));
}

static struct signed_bytes attack_early_policy(void)
{
    return signed_file(signed_usual_policy(6, "valid: {from: 2027-04-01T00:00:00+09:00}\n"));
}

static struct signed_bytes attack_wrong_policy(void)
{
    return signed_file(signed_usual_policy(6, "usb: [{id: a, allow: everything}]\n"));
}

static struct signed_bytes attack_policy_format_of_the_future(void)
{
    return signed_file(signed_text(TRUST_TYPE_POLICY, "format: kuraban-policy/2\n", SIGNED_POLICY_SIGNERS));
}

static struct signed_bytes attack_huge_policy_version(void)
{
    return signed_file(signed_usual_policy(TRUST_VERSION_MAX + 1, NULL));
}

const struct attack attacks_of_content[] = {
#define ATTACK(name_, result_)                                                                                         \
    {                                                                                                                  \
#        name_, attack_##name_, TRUST_E_##result_                                                                      \
    }
    ATTACK(nobody_signed, THRESHOLD),
    ATTACK(one_person, THRESHOLD),
    ATTACK(one_and_strangers, THRESHOLD),
    ATTACK(one_and_other_roles, THRESHOLD),
    ATTACK(head_by_policy_keys, THRESHOLD),
    ATTACK(same_signature_twice, REPEATED_KEY),
    ATTACK(same_key_other_signature, REPEATED_KEY),
    ATTACK(flipped_payload, BAD_SIGNATURE),
    ATTACK(flipped_signature, BAD_SIGNATURE),
    ATTACK(exchanged_ids, BAD_SIGNATURE),
    ATTACK(signatures_of_another_policy, BAD_SIGNATURE),
    ATTACK(root_with_forged_signature, BAD_SIGNATURE),
    ATTACK(policy_of_another_organization, ORGANIZATION),
    ATTACK(head_of_another_organization, ORGANIZATION),
    ATTACK(root_of_another_organization, ORGANIZATION),
    ATTACK(other_group, SCOPE),
    ATTACK(other_terminal, SCOPE),
    ATTACK(head_of_other_group, SCOPE),
    ATTACK(older_policy, ROLLBACK),
    ATTACK(older_head, ROLLBACK),
    ATTACK(older_root, ROLLBACK),
    ATTACK(chain_that_ends_older, ROLLBACK),
    ATTACK(same_version_policy, SAME_VERSION),
    ATTACK(same_version_head, SAME_VERSION),
    ATTACK(same_version_root, SAME_VERSION),
    ATTACK(expired_new_root, ROOT_EXPIRED),
    ATTACK(skipped_root, ROOT_CHAIN),
    ATTACK(roots_out_of_order, ROOT_CHAIN),
    ATTACK(root_by_one_old_key, ROOT_CHAIN),
    ATTACK(root_by_one_new_key, ROOT_CHAIN),
    ATTACK(expired_head, HEAD_EXPIRED),
    ATTACK(head_from_the_future, NOT_YET),
    ATTACK(head_for_other_bytes, HEAD_MISMATCH),
    ATTACK(head_for_other_version, HEAD_MISMATCH),
    ATTACK(expired_policy, EXPIRED),
    ATTACK(early_policy, NOT_YET),
    ATTACK(wrong_policy, POLICY),
    ATTACK(policy_format_of_the_future, POLICY),
    ATTACK(huge_policy_version, POLICY),
};
const size_t attacks_of_content_n = ELEMENTS(attacks_of_content);
