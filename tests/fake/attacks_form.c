/*
 * Owns: attacks that are refused for their form: too long, not the JSON it must be, of another kind.
 * Must not: depend on what the attacked terminal holds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fake/attacks.h"
#include "policy/policy.h"

static struct signed_bytes attack_bundle_too_long(void)
{
    struct signed_bytes b = {malloc(TRUST_BUNDLE_MAX + 1), TRUST_BUNDLE_MAX + 1};

    signed_insist(b.data != NULL, "memory");
    memset(b.data, '[', b.size); /* whoever parsed it would be busy */
    return b;
}

static struct signed_bytes attack_envelope_too_long(void)
{
    struct signed_bytes b = signed_file(signed_usual_policy(6, NULL));
    uint8_t *longer = malloc(TRUST_ENVELOPE_MAX + 1);

    signed_insist(longer != NULL, "longer");
    memset(longer, ' ', TRUST_ENVELOPE_MAX + 1);
    memcpy(longer, b.data, b.size);
    free(b.data);
    return (struct signed_bytes){longer, TRUST_ENVELOPE_MAX + 1};
}

/* An envelope of a type around n bytes, written by hand: ours would refuse to make it. */
static struct signed_bytes envelope_around(const char *type, size_t n)
{
    char *payload = malloc(n / 3 * 4 + 5), *text = NULL;

    signed_insist(payload != NULL, "payload");
    memset(payload, 'A', n / 3 * 4 + 4);
    payload[n / 3 * 4 + 4] = '\0';
    signed_insist(asprintf(&text, "{\"payloadType\":\"%s\",\"payload\":\"%s\",\"signatures\":[]}", type, payload) > 0,
                  "asprintf");
    free(payload);
    return (struct signed_bytes){(uint8_t *)text, strlen(text)};
}

static struct signed_bytes attack_policy_too_long(void)
{
    return envelope_around(TRUST_TYPE_POLICY, POLICY_DOCUMENT_MAX + 3);
}

static struct signed_bytes attack_root_too_long(void)
{
    return envelope_around(TRUST_TYPE_ROOT, TRUST_ROOT_MAX + 3);
}

static struct signed_bytes attack_head_too_long(void)
{
    return envelope_around(TRUST_TYPE_HEAD, TRUST_HEAD_MAX + 3);
}

static struct signed_bytes attack_many_signatures(void)
{
    struct signed_bytes b = signed_file(signed_text(TRUST_TYPE_POLICY, "x", 0xffffU));

    return signed_edited(b, "\"signatures\": [", "\"signatures\": [{},");
}

static struct signed_bytes attack_many_roots(void)
{
    struct trust_envelope *roots[TRUST_ROOTS_MAX];

    for (unsigned i = 0; i < TRUST_ROOTS_MAX; i++)
        roots[i] = signed_usual_root(4 + i);
    return signed_edited(signed_bundle(roots, TRUST_ROOTS_MAX, NULL, NULL), "\"roots\": [", "\"roots\": [{},");
}

static struct signed_bytes attack_empty_file(void)
{
    return signed_text_bytes("");
}

static struct signed_bytes attack_truncated(void)
{
    struct signed_bytes b = signed_file(signed_usual_policy(6, NULL));

    b.size -= 3;
    return b;
}

static struct signed_bytes attack_trailing(void)
{
    return signed_edited(signed_file(signed_usual_policy(6, NULL)), "\n}\n", "\n}\n{}");
}

static struct signed_bytes attack_empty_bundle(void)
{
    return signed_text_bytes("{\"format\":\"kuraban-bundle/1\"}");
}

static struct signed_bytes attack_unknown_key_bundle(void)
{
    return signed_edited(signed_bundle(NULL, 0, signed_usual_policy(6, NULL), NULL), "{", "{\"extra\":1,");
}

static struct signed_bytes attack_unknown_key_envelope(void)
{
    return signed_edited(signed_file(signed_usual_policy(6, NULL)), "{", "{\"extra\":1,");
}

static struct signed_bytes attack_unknown_key_signature(void)
{
    return signed_edited(signed_file(signed_usual_policy(6, NULL)), "\"keyid\"", "\"cert\":\"\",\"keyid\"");
}

static struct signed_bytes attack_wrong_type(void)
{
    return signed_edited(signed_file(signed_usual_policy(6, NULL)), "\"signatures\": [", "\"signatures\": [1,");
}

static struct signed_bytes attack_nul_in_string(void)
{
    return signed_edited(signed_file(signed_usual_policy(6, NULL)), "\"payload\": \"", "\"payload\": \"\\u0000");
}

static struct signed_bytes attack_base64_blank(void)
{
    return signed_edited(signed_file(signed_usual_policy(6, NULL)), "\"payload\": \"", "\"payload\": \"    ");
}

static struct signed_bytes attack_base64_newline(void)
{
    return signed_edited(signed_file(signed_usual_policy(6, NULL)), "\"payload\": \"Zm9y", "\"payload\": \"Zm9y\\n");
}

/* A signature of 64 bytes ends with one digit of which four bits count: "w" for "x" decodes to the same. */
static struct signed_bytes attack_base64_loose_bits(void)
{
    struct signed_bytes b = signed_file(signed_usual_policy(6, NULL));
    char *end = strstr((char *)b.data, "==\"");
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    signed_insist(end != NULL, "end");
    end[-1] = digits[strchr(digits, end[-1]) - digits + 1];
    return b;
}

static struct signed_bytes attack_key_id_upper_case(void)
{
    struct signed_bytes b = signed_file(signed_usual_policy(6, NULL));
    char *at = strstr((char *)b.data, "\"keyid\": \"");

    signed_insist(at != NULL, "at");
    at += strlen("\"keyid\": \"");
    at += strspn(at, "0123456789");
    *at = (char)(*at - 'a' + 'A');
    return b;
}

static struct signed_bytes attack_duplicate_in_bundle(void)
{
    return signed_edited(signed_bundle(NULL, 0, signed_usual_policy(6, NULL), NULL), "{",
                         "{\"format\":\"kuraban-bundle/1\",");
}

static struct signed_bytes attack_duplicate_in_envelope(void)
{
    return signed_edited(signed_file(signed_usual_policy(6, NULL)), "{", "{\"payload\":\"\",");
}

static struct signed_bytes attack_duplicate_in_root(void)
{
    return signed_payload_edited(signed_usual_root(4), "{", "{\"version\":4,", SIGNED_ROOT_SIGNERS);
}

static struct signed_bytes attack_duplicate_in_head(void)
{
    return signed_payload_edited(signed_usual_head(8, NULL, 5), "{", "{\"version\":8,", KEY(6));
}

static struct signed_bytes attack_unknown_key_in_root(void)
{
    return signed_payload_edited(signed_usual_root(4), "{", "{\"extra\":4,", SIGNED_ROOT_SIGNERS);
}

static struct signed_bytes attack_unknown_key_in_head(void)
{
    return signed_payload_edited(signed_usual_head(8, NULL, 5), "{", "{\"extra\":4,", KEY(6));
}

static struct signed_bytes attack_head_as_policy(void)
{
    struct signed_bytes b = signed_bundle(NULL, 0, NULL, signed_usual_head(8, NULL, 5));

    return signed_edited(b, "\"head\"", "\"policy\"");
}

static struct signed_bytes attack_unknown_type(void)
{
    return signed_edited(signed_file(signed_usual_policy(6, NULL)), TRUST_TYPE_POLICY, "application/vnd.in-toto+json");
}

/* The head's key signed something else for something else: the type is under the signature. */
static struct signed_bytes attack_relabelled(void)
{
    struct trust_envelope *e = signed_usual_head(8, NULL, 5);
    struct trust_envelope *other = signed_envelope(TRUST_TYPE_POLICY, e->payload, e->size, KEY(6));

    trust_envelope_free(e);
    return signed_edited(signed_file(other), TRUST_TYPE_POLICY, TRUST_TYPE_HEAD);
}

static struct signed_bytes attack_type_of_the_future(void)
{
    return signed_edited(signed_file(signed_usual_policy(6, NULL)), "policy.v1+yaml", "policy.v2+yaml");
}

static struct signed_bytes attack_bundle_of_the_future(void)
{
    return signed_edited(signed_bundle(NULL, 0, signed_usual_policy(6, NULL), NULL), "kuraban-bundle/1",
                         "kuraban-bundle/2");
}

static struct signed_bytes attack_root_of_the_future(void)
{
    return signed_payload_edited(signed_usual_root(4), "kuraban-root/1\"", "kuraban-root/2\",\"new\":1",
                                 SIGNED_ROOT_SIGNERS);
}

static struct signed_bytes attack_head_of_the_future(void)
{
    return signed_payload_edited(signed_usual_head(8, NULL, 5), "kuraban-head/1\"", "kuraban-head/10\",\"new\":1",
                                 KEY(6));
}

static struct signed_bytes attack_format_of_something_else(void)
{
    return signed_edited(signed_bundle(NULL, 0, signed_usual_policy(6, NULL), NULL), "kuraban-bundle/1",
                         "kuraban-bundle/01");
}

static struct signed_bytes attack_unknown_role(void)
{
    return signed_payload_edited(signed_usual_root(4), "\"roles\": {",
                                 "\"roles\": {\"owner\": {\"keys\":[],\"threshold\":1},", SIGNED_ROOT_SIGNERS);
}

static struct signed_bytes attack_bare_yaml(void)
{
    char *yaml = signed_policy_yaml(&(struct signed_policy){SIGNED_ORGANIZATION, 6, NULL});

    return (struct signed_bytes){(uint8_t *)yaml, strlen(yaml)};
}

static struct signed_bytes attack_bare_json(void)
{
    return signed_text_bytes("{\"format\": \"kuraban-policy/1\", \"organization\": \"matsudo.example\"}");
}

static struct signed_bytes attack_bare_root(void)
{
    return signed_payload(signed_usual_root(4));
}

const struct attack attacks_of_form[] = {
#define ATTACK(name_, result_)                                                                                         \
    {                                                                                                                  \
#        name_, attack_##name_, TRUST_E_##result_                                                                      \
    }
    ATTACK(bundle_too_long, TOO_LONG),
    ATTACK(envelope_too_long, TOO_LONG),
    ATTACK(policy_too_long, TOO_LONG),
    ATTACK(root_too_long, TOO_LONG),
    ATTACK(head_too_long, TOO_LONG),
    ATTACK(many_signatures, TOO_LONG),
    ATTACK(many_roots, TOO_LONG),
    ATTACK(empty_file, MALFORMED),
    ATTACK(truncated, MALFORMED),
    ATTACK(trailing, MALFORMED),
    ATTACK(empty_bundle, MALFORMED),
    ATTACK(unknown_key_bundle, MALFORMED),
    ATTACK(unknown_key_envelope, MALFORMED),
    ATTACK(unknown_key_signature, MALFORMED),
    ATTACK(unknown_key_in_root, MALFORMED),
    ATTACK(unknown_key_in_head, MALFORMED),
    ATTACK(wrong_type, MALFORMED),
    ATTACK(nul_in_string, MALFORMED),
    ATTACK(base64_blank, MALFORMED),
    ATTACK(base64_newline, MALFORMED),
    ATTACK(base64_loose_bits, MALFORMED),
    ATTACK(key_id_upper_case, MALFORMED),
    ATTACK(format_of_something_else, MALFORMED),
    ATTACK(duplicate_in_bundle, DUPLICATE_KEY),
    ATTACK(duplicate_in_envelope, DUPLICATE_KEY),
    ATTACK(duplicate_in_root, DUPLICATE_KEY),
    ATTACK(duplicate_in_head, DUPLICATE_KEY),
    ATTACK(head_as_policy, PAYLOAD_TYPE),
    ATTACK(unknown_type, PAYLOAD_TYPE),
    ATTACK(relabelled, BAD_SIGNATURE),
    ATTACK(type_of_the_future, FORMAT),
    ATTACK(bundle_of_the_future, FORMAT),
    ATTACK(root_of_the_future, FORMAT),
    ATTACK(head_of_the_future, FORMAT),
    ATTACK(unknown_role, UNKNOWN_ROLE),
    ATTACK(bare_yaml, UNSIGNED),
    ATTACK(bare_json, UNSIGNED),
    ATTACK(bare_root, UNSIGNED),
};
const size_t attacks_of_form_n = ELEMENTS(attacks_of_form);
