/*
 * Owns: what a terminal holds: root, policy, head, and the root its policy was accepted under; as a file and in memory.
 * Must not: compare it with anything new, or believe a byte of the file that is not signed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/trust/internal.h"

static void unrefp(struct policy **p)
{
    (void)policy_unref(*p);
}

struct trust_state *trust_state_free(struct trust_state *s)
{
    if (s) {
        trust_envelope_free(s->root_envelope);
        trust_envelope_free(s->policy_envelope);
        trust_envelope_free(s->head_envelope);
        trust_envelope_free(s->policy_root_envelope);
        trust_root_free(s->root);
        trust_root_free(s->policy_root);
        trust_head_free(s->head);
        free(s);
    }
    return NULL;
}

static int copy_envelope(const struct trust_envelope *from, struct trust_envelope **ret)
{
    return from ? trust_envelope_copy(from, ret) : TRUST_OK;
}

int trust_state_copy(const struct trust_state *s, struct trust_state **ret)
{
    _cleanup_(trust_state_freep) struct trust_state *copy = calloc(1, sizeof(*copy));
    int r;

    if (!copy)
        return -ENOMEM;
    r = copy_envelope(s->root_envelope, &copy->root_envelope);
    if (r == TRUST_OK)
        r = copy_envelope(s->policy_envelope, &copy->policy_envelope);
    if (r == TRUST_OK)
        r = copy_envelope(s->head_envelope, &copy->head_envelope);
    if (r == TRUST_OK)
        r = copy_envelope(s->policy_root_envelope, &copy->policy_root_envelope);
    if (r == TRUST_OK)
        *ret = TAKE_PTR(copy);
    return r;
}

static int judge_root(const struct trust_envelope *e, struct trust_root **ret, struct trust_complaint *complaint)
{
    _cleanup_(trust_root_freep) struct trust_root *root = NULL;
    int r;

    if (strcmp(e->type, TRUST_TYPE_ROOT) != 0)
        return trust_refuse(complaint, TRUST_E_PAYLOAD_TYPE, N_("%s where %s must be"), e->type, TRUST_TYPE_ROOT);
    r = trust_root_parse(e->payload, e->size, &root, complaint);
    if (r == TRUST_OK)
        r = trust_envelope_verify(e, root, TRUST_ROLE_ROOT, NULL, complaint);
    if (r == TRUST_OK)
        *ret = TAKE_PTR(root);
    return r;
}

static int judge_policy_root(struct trust_state *s, struct trust_complaint *complaint)
{
    int r;

    if (!s->policy_root_envelope)
        return TRUST_OK;
    r = judge_root(s->policy_root_envelope, &s->policy_root, complaint);
    if (r != TRUST_OK)
        return r;
    if (strcmp(s->policy_root->organization, s->root->organization) != 0)
        return trust_refuse(complaint, TRUST_E_ORGANIZATION, "%s", s->policy_root->organization);
    if (!s->policy_envelope || s->policy_root->version >= s->root->version)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("'policy-root' must be an older root document"));
    return TRUST_OK;
}

static int judge_policy(struct trust_state *s, const struct policy *policy, struct trust_complaint *complaint)
{
    _cleanup_(unrefp) struct policy *loaded = NULL;
    const struct trust_envelope *e = s->policy_envelope;
    int r;

    if (!e)
        return TRUST_OK;
    if (strcmp(e->type, TRUST_TYPE_POLICY) != 0)
        return trust_refuse(complaint, TRUST_E_PAYLOAD_TYPE, N_("%s where %s must be"), e->type, TRUST_TYPE_POLICY);
    r = trust_envelope_verify(e, s->policy_root ? s->policy_root : s->root, TRUST_ROLE_POLICY, &s->policy_votes,
                              complaint);
    if (r == TRUST_OK && !policy) {
        r = policy_load("policy", e->payload, e->size, NULL, &loaded);
        policy = loaded;
    }
    if (r == POLICY_E_INVALID)
        return trust_refuse(complaint, TRUST_E_POLICY, N_("this version does not read the policy that rules"));
    if (r != TRUST_OK)
        return r;
    if (strcmp(policy->organization, s->root->organization) != 0)
        return trust_refuse(complaint, TRUST_E_ORGANIZATION, "%s", policy->organization);
    s->policy_version = policy->version;
    return digest_bytes(e->payload, e->size, &s->policy_sha256);
}

static int judge_head(struct trust_state *s, struct trust_complaint *complaint)
{
    const struct trust_envelope *e = s->head_envelope;
    int r;

    if (!e)
        return TRUST_OK;
    if (strcmp(e->type, TRUST_TYPE_HEAD) != 0)
        return trust_refuse(complaint, TRUST_E_PAYLOAD_TYPE, N_("%s where %s must be"), e->type, TRUST_TYPE_HEAD);
    r = trust_envelope_verify(e, s->root, TRUST_ROLE_HEAD, NULL, complaint);
    if (r == TRUST_OK)
        r = trust_head_parse(e->payload, e->size, &s->head, complaint);
    if (r != TRUST_OK)
        return r;
    if (strcmp(s->head->organization, s->root->organization) != 0)
        return trust_refuse(complaint, TRUST_E_ORGANIZATION, "%s", s->head->organization);
    /* A newer policy may have come without a head; an older one cannot have. */
    if (s->head->policy_version > s->policy_version ||
        (s->head->policy_version == s->policy_version && !digest_equal(&s->head->policy_sha256, &s->policy_sha256)))
        return trust_refuse(complaint, TRUST_E_HEAD_MISMATCH, N_("the head names a policy that does not rule here"));
    return TRUST_OK;
}

int trust_state_judge(struct trust_state *s, const struct policy *policy, struct trust_complaint *complaint)
{
    int r = judge_root(s->root_envelope, &s->root, complaint);

    if (r == TRUST_OK)
        r = judge_policy_root(s, complaint);
    if (r == TRUST_OK)
        r = judge_policy(s, policy, complaint);
    if (r == TRUST_OK)
        r = judge_head(s, complaint);
    return r;
}

int trust_install_root(const uint8_t *envelope, size_t size, int64_t now_us, struct trust_state **ret,
                       struct trust_complaint *complaint)
{
    _cleanup_(trust_state_freep) struct trust_state *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return -ENOMEM;
    r = trust_envelope_parse(envelope, size, &s->root_envelope, complaint);
    if (r == TRUST_OK)
        r = trust_state_judge(s, NULL, complaint);
    if (r != TRUST_OK)
        return r;
    if (s->root->expires_us <= now_us)
        return trust_refuse(complaint, TRUST_E_ROOT_EXPIRED, "%s", "");
    *ret = TAKE_PTR(s);
    return TRUST_OK;
}

static int add_envelope(json_t *j, const char *key, const struct trust_envelope *e)
{
    json_t *part = NULL;
    int r = e ? trust_envelope_to_json(e, &part) : 0;

    return r < 0 || !e ? r : trust_json_set(j, key, part);
}

int trust_state_write(const struct trust_state *s, uint8_t **ret, size_t *ret_size)
{
    _cleanup_json_ json_t *j = json_object();
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size;
    int r;

    if (!j || trust_json_set(j, "format", json_string("kuraban-trust/1")) < 0)
        return -ENOMEM;
    r = add_envelope(j, "root", s->root_envelope);
    if (r == 0)
        r = add_envelope(j, "policy-root", s->policy_root_envelope);
    if (r == 0)
        r = add_envelope(j, "policy", s->policy_envelope);
    if (r == 0)
        r = add_envelope(j, "head", s->head_envelope);
    if (r == 0)
        r = trust_json_write(j, &bytes, &size);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(bytes);
    *ret_size = size;
    return 0;
}

static int read_envelopes(const json_t *j, struct trust_state *s, struct trust_complaint *complaint)
{
    const json_t *format, *root, *policy_root, *policy, *head;
    const struct trust_json_field fields[] = {{"format", JSON_STRING, false, &format},
                                              {"root", JSON_OBJECT, false, &root},
                                              {"policy-root", JSON_OBJECT, true, &policy_root},
                                              {"policy", JSON_OBJECT, true, &policy},
                                              {"head", JSON_OBJECT, true, &head}};
    int r = trust_json_format(json_object_get(j, "format"), "kuraban-trust", complaint);

    if (r == TRUST_OK)
        r = trust_json_fields(j, "trust", fields, ELEMENTS(fields), complaint);
    if (r == TRUST_OK)
        r = trust_envelope_from_json(root, &s->root_envelope, complaint);
    if (r == TRUST_OK && policy_root)
        r = trust_envelope_from_json(policy_root, &s->policy_root_envelope, complaint);
    if (r == TRUST_OK && policy)
        r = trust_envelope_from_json(policy, &s->policy_envelope, complaint);
    if (r == TRUST_OK && head)
        r = trust_envelope_from_json(head, &s->head_envelope, complaint);
    return r;
}

int trust_state_read(const uint8_t *bytes, size_t size, struct trust_state **ret, struct trust_complaint *complaint)
{
    _cleanup_(trust_state_freep) struct trust_state *s = NULL;
    _cleanup_json_ json_t *j = NULL;
    int r;

    r = trust_json_load(bytes, size, TRUST_BUNDLE_MAX, "trust", &j, complaint);
    if (r != TRUST_OK)
        return r;
    s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    r = read_envelopes(j, s, complaint);
    if (r == TRUST_OK)
        r = trust_state_judge(s, NULL, complaint);
    if (r == TRUST_OK)
        *ret = TAKE_PTR(s);
    return r;
}

const struct trust_root *trust_state_root(const struct trust_state *s)
{
    return s->root;
}

const struct trust_head *trust_state_head(const struct trust_state *s)
{
    return s->head;
}

const uint8_t *trust_state_policy(const struct trust_state *s, size_t *ret_size)
{
    if (!s->policy_envelope)
        return NULL;
    *ret_size = s->policy_envelope->size;
    return s->policy_envelope->payload;
}

uint64_t trust_state_policy_version(const struct trust_state *s)
{
    return s->policy_version;
}

const struct digest *trust_state_policy_sha256(const struct trust_state *s)
{
    return s->policy_envelope ? &s->policy_sha256 : NULL;
}

size_t trust_state_signers(const struct trust_state *s, const struct trust_key *ret[static TRUST_SIGNATURES_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < s->policy_votes.n; i++)
        if (s->policy_votes.of[i].kind == TRUST_VOTE_GOOD)
            ret[n++] = s->policy_votes.of[i].key;
    return n;
}
