/*
 * Owns: the DSSE envelope: its JSON form, the bytes that are signed, and what its signatures are worth under a root.
 * Must not: look into a payload.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/policy.h"
#include "policy/trust/internal.h"

DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free);

static const struct {
    const char *type, *stem; /* stem: what a later version of the type begins with */
    size_t maximum;          /* bytes of the payload */
    enum trust_role role;
} types[] = {
    {TRUST_TYPE_POLICY, "application/vnd.kuraban.policy.v", POLICY_DOCUMENT_MAX, TRUST_ROLE_POLICY},
    {TRUST_TYPE_ROOT, "application/vnd.kuraban.root.v", TRUST_ROOT_MAX, TRUST_ROLE_ROOT},
    {TRUST_TYPE_HEAD, "application/vnd.kuraban.head.v", TRUST_HEAD_MAX, TRUST_ROLE_HEAD},
    {TRUST_TYPE_MEMBERSHIP, "application/vnd.kuraban.membership.v", TRUST_STATEMENT_MAX, TRUST_ROLE_HEAD},
    {TRUST_TYPE_ACK, "application/vnd.kuraban.ack.v", TRUST_STATEMENT_MAX, TRUST_ROLE_HEAD},
    {TRUST_TYPE_ORDER, "application/vnd.kuraban.order.v", TRUST_STATEMENT_MAX, TRUST_ROLE_HEAD},
    {TRUST_TYPE_REPORT, "application/vnd.kuraban.report.v", TRUST_STATEMENT_MAX, TRUST_ROLE_NONE},
    {TRUST_TYPE_ENROLMENT, "application/vnd.kuraban.enrolment.v", TRUST_STATEMENT_MAX, TRUST_ROLE_NONE},
};

struct trust_envelope *trust_envelope_free(struct trust_envelope *e)
{
    if (e) {
        free(e->type);
        free(e->payload);
        free(e);
    }
    return NULL;
}

static int find_type(const char *type, size_t *ret, struct trust_complaint *complaint)
{
    for (size_t i = 0; i < ELEMENTS(types); i++) {
        if (strcmp(types[i].type, type) == 0) {
            *ret = i;
            return TRUST_OK;
        }
        if (text_starts(type, types[i].stem))
            return trust_refuse(complaint, TRUST_E_FORMAT, N_("%s; this version reads %s"), type, types[i].type);
    }
    return trust_refuse(complaint, TRUST_E_PAYLOAD_TYPE, N_("'%s' is no kind of document this version knows"), type);
}

enum trust_role trust_type_role(const char *type)
{
    size_t i = 0;

    return find_type(type, &i, NULL) == TRUST_OK ? types[i].role : TRUST_ROLE_NONE;
}

/* Takes the payload on success. */
static int envelope_make(const char *type, uint8_t *payload, size_t size, struct trust_envelope **ret)
{
    _cleanup_(trust_envelope_freep) struct trust_envelope *e = calloc(1, sizeof(*e));

    if (!e)
        return -ENOMEM;
    e->type = strdup(type);
    if (!e->type)
        return -ENOMEM;
    e->payload = payload;
    e->size = size;
    *ret = TAKE_PTR(e);
    return TRUST_OK;
}

int trust_envelope_new(const char *type, const uint8_t *payload, size_t size, struct trust_envelope **ret)
{
    _cleanup_free_ uint8_t *copy = NULL;
    size_t kind;
    int r;

    r = find_type(type, &kind, NULL);
    if (r != TRUST_OK)
        return r;
    if (size > types[kind].maximum)
        return TRUST_E_TOO_LONG;
    copy = malloc(size > 0 ? size : 1);
    if (!copy)
        return -ENOMEM;
    if (size > 0)
        memcpy(copy, payload, size);
    r = envelope_make(type, copy, size, ret);
    if (r == TRUST_OK)
        copy = NULL;
    return r;
}

int trust_envelope_copy(const struct trust_envelope *e, struct trust_envelope **ret)
{
    int r = trust_envelope_new(e->type, e->payload, e->size, ret);

    if (r == TRUST_OK) {
        memcpy((*ret)->signatures, e->signatures, sizeof(e->signatures));
        (*ret)->n_signatures = e->n_signatures;
    }
    return r;
}

bool trust_envelope_same_payload(const struct trust_envelope *a, const struct trust_envelope *b)
{
    return strcmp(a->type, b->type) == 0 && a->size == b->size && memcmp(a->payload, b->payload, a->size) == 0;
}

static bool has_signed(const struct trust_envelope *e, const struct digest *key)
{
    for (size_t i = 0; i < e->n_signatures; i++)
        if (digest_equal(&e->signatures[i].key, key))
            return true;
    return false;
}

static int read_signature(const json_t *object, struct trust_envelope *e, struct trust_complaint *complaint)
{
    const json_t *id, *sig;
    const struct trust_json_field fields[] = {{"keyid", JSON_STRING, false, &id}, {"sig", JSON_STRING, false, &sig}};
    _cleanup_free_ uint8_t *bytes = NULL;
    struct trust_signature s;
    size_t size;
    int r;

    r = trust_json_fields(object, "signature", fields, ELEMENTS(fields), complaint);
    if (r == TRUST_OK)
        r = trust_json_digest(id, "keyid", &s.key, complaint);
    if (r == TRUST_OK)
        r = trust_base64_decode(json_string_value(sig), json_string_length(sig), TRUST_SIGNATURE_SIZE, &bytes, &size,
                                complaint);
    if (r != TRUST_OK)
        return r;
    if (size != TRUST_SIGNATURE_SIZE)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("a signature has %zu bytes instead of %d"), size,
                            TRUST_SIGNATURE_SIZE);
    if (has_signed(e, &s.key))
        return trust_refuse(complaint, TRUST_E_REPEATED_KEY, N_("key %.16s… signed twice"), json_string_value(id));
    memcpy(s.bytes, bytes, size);
    e->signatures[e->n_signatures++] = s;
    return TRUST_OK;
}

int trust_envelope_from_json(const json_t *object, struct trust_envelope **ret, struct trust_complaint *complaint)
{
    const json_t *payload, *type, *signatures;
    const struct trust_json_field fields[] = {{"payload", JSON_STRING, false, &payload},
                                              {"payloadType", JSON_STRING, false, &type},
                                              {"signatures", JSON_ARRAY, false, &signatures}};
    _cleanup_(trust_envelope_freep) struct trust_envelope *e = NULL;
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t kind, size;
    int r;

    r = trust_json_fields(object, "envelope", fields, ELEMENTS(fields), complaint);
    if (r == TRUST_OK)
        r = find_type(json_string_value(type), &kind, complaint);
    if (r != TRUST_OK)
        return r;
    if (json_array_size(signatures) > TRUST_SIGNATURES_MAX)
        return trust_refuse(complaint, TRUST_E_TOO_LONG, N_("more than %d signatures"), TRUST_SIGNATURES_MAX);
    r = trust_base64_decode(json_string_value(payload), json_string_length(payload), types[kind].maximum, &bytes, &size,
                            complaint);
    if (r == TRUST_OK)
        r = envelope_make(types[kind].type, bytes, size, &e);
    if (r != TRUST_OK)
        return r;
    bytes = NULL;
    for (size_t i = 0; i < json_array_size(signatures) && r == TRUST_OK; i++)
        r = read_signature(json_array_get(signatures, i), e, complaint);
    if (r == TRUST_OK)
        *ret = TAKE_PTR(e);
    return r;
}

int trust_envelope_parse(const uint8_t *bytes, size_t size, struct trust_envelope **ret,
                         struct trust_complaint *complaint)
{
    _cleanup_json_ json_t *j = NULL;
    int r = trust_json_load(bytes, size, TRUST_ENVELOPE_MAX, "envelope", &j, complaint);

    return r == TRUST_OK ? trust_envelope_from_json(j, ret, complaint) : r;
}

static int signature_to_json(const struct trust_signature *s, json_t *array)
{
    _cleanup_json_ json_t *object = json_object();

    if (!object || trust_json_set(object, "keyid", trust_json_from_digest(&s->key)) < 0 ||
        trust_json_set(object, "sig", trust_base64_encode(s->bytes, sizeof(s->bytes))) < 0 ||
        json_array_append(array, object) < 0)
        return -ENOMEM;
    return 0;
}

int trust_envelope_to_json(const struct trust_envelope *e, json_t **ret)
{
    _cleanup_json_ json_t *object = json_object(), *signatures = json_array();

    if (!object || !signatures || trust_json_set(object, "payloadType", json_string(e->type)) < 0 ||
        trust_json_set(object, "payload", trust_base64_encode(e->payload, e->size)) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < e->n_signatures; i++)
        if (signature_to_json(&e->signatures[i], signatures) < 0)
            return -ENOMEM;
    if (json_object_set(object, "signatures", signatures) < 0)
        return -ENOMEM;
    *ret = TAKE_PTR(object);
    return 0;
}

int trust_envelope_write(const struct trust_envelope *e, uint8_t **ret, size_t *ret_size)
{
    _cleanup_json_ json_t *j = NULL;
    int r = trust_envelope_to_json(e, &j);

    return r < 0 ? r : trust_json_write(j, ret, ret_size);
}

int trust_envelope_pae(const struct trust_envelope *e, struct buf *b)
{
    int r = buf_printf(b, "DSSEv1 %zu %s %zu ", strlen(e->type), e->type, e->size);

    return r < 0 ? r : buf_add(b, e->payload, e->size);
}

/* Room for the payload and what the encoding puts before it. */
#define PAE_MAX(e_) ((e_)->size + 256)

int trust_envelope_check(const struct trust_envelope *e, size_t i, const uint8_t public[static TRUST_PUBLIC_SIZE])
{
    _cleanup_(buf_done) struct buf message;
    int r;

    buf_init(&message, PAE_MAX(e));
    r = trust_envelope_pae(e, &message);
    if (r < 0)
        return r;
    if (i >= e->n_signatures)
        return TRUST_E_BAD_SIGNATURE;
    r = trust_key_verify(public, e->signatures[i].bytes, message.data, message.size);
    return r < 0 ? r : r == 1 ? TRUST_OK : TRUST_E_BAD_SIGNATURE;
}

int trust_envelope_verify_key(const struct trust_envelope *e, const char *type,
                              const uint8_t public[static TRUST_PUBLIC_SIZE], struct trust_complaint *complaint)
{
    struct digest id;
    size_t kind;
    int r;

    r = find_type(type, &kind, complaint);
    if (r != TRUST_OK)
        return r;
    if (types[kind].role != TRUST_ROLE_NONE)
        return trust_refuse(complaint, TRUST_E_PAYLOAD_TYPE, N_("%s is for the role '%s' to sign, not for one key"),
                            type, trust_role_name(types[kind].role));
    if (strcmp(e->type, type) != 0)
        return trust_refuse(complaint, TRUST_E_PAYLOAD_TYPE, N_("%s where %s must be"), e->type, type);
    if (e->n_signatures != 1)
        return trust_refuse(complaint, TRUST_E_THRESHOLD, N_("%zu signatures where one must be"), e->n_signatures);
    r = trust_key_id(public, &id);
    if (r < 0)
        return r;
    if (!digest_equal(&id, &e->signatures[0].key))
        return trust_refuse(complaint, TRUST_E_THRESHOLD, N_("signed by another key"));
    r = trust_envelope_check(e, 0, public);
    return r == TRUST_E_BAD_SIGNATURE ? trust_refuse(complaint, TRUST_E_BAD_SIGNATURE, N_("the signature does not fit"))
                                      : r;
}

static int judge_votes(const struct trust_votes *v, const char *role, struct trust_complaint *complaint)
{
    if (v->n_bad > 0) {
        for (size_t i = 0; i < v->n; i++)
            if (v->of[i].kind == TRUST_VOTE_BAD)
                return trust_refuse(complaint, TRUST_E_BAD_SIGNATURE, N_("the signature of '%s' does not fit"),
                                    v->of[i].key->name);
    }
    if (v->n_bad == 0 && v->threshold > 0 && v->n_good >= v->threshold)
        return TRUST_OK;
    return trust_refuse(complaint, TRUST_E_THRESHOLD, N_("role '%s': %zu good signatures of %u needed"), role,
                        v->n_good, v->threshold);
}

int trust_envelope_verify(const struct trust_envelope *e, const struct trust_root *root, enum trust_role role,
                          struct trust_votes *ret_votes, struct trust_complaint *complaint)
{
    struct trust_votes v = {0};
    _cleanup_(buf_done) struct buf message;
    bool voted[TRUST_KEYS_MAX] = {false};
    int r;

    buf_init(&message, PAE_MAX(e));
    if (role >= TRUST_ROLE_COUNT_ || trust_type_role(e->type) != role) {
        if (ret_votes)
            *ret_votes = v;
        return trust_refuse(complaint, TRUST_E_PAYLOAD_TYPE, N_("%s is not for the role '%s' to sign"), e->type,
                            trust_role_name(role));
    }
    v.n = e->n_signatures;
    v.threshold = root->roles[role].threshold;
    r = trust_envelope_pae(e, &message);
    for (size_t i = 0; i < e->n_signatures && r >= 0; i++) {
        const struct trust_key *key = trust_root_find_key(root, &e->signatures[i].key);
        size_t index = key ? (size_t)(key - root->keys) : 0;

        v.of[i].key = key;
        if (!key || !trust_root_has(root, role, index))
            continue;
        if (voted[index])
            return trust_refuse(complaint, TRUST_E_REPEATED_KEY, N_("'%s' signed twice"), key->name);
        voted[index] = true;
        r = trust_key_verify(key->public, e->signatures[i].bytes, message.data, message.size);
        v.of[i].kind = r == 1 ? TRUST_VOTE_GOOD : TRUST_VOTE_BAD;
        v.n_good += r == 1;
        v.n_bad += r != 1;
    }
    if (r < 0)
        return r;
    if (ret_votes)
        *ret_votes = v;
    return judge_votes(&v, trust_role_name(role), complaint);
}

int trust_envelope_sign(struct trust_envelope *e, EVP_PKEY *key)
{
    _cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
    _cleanup_(buf_done) struct buf message;
    uint8_t public[TRUST_PUBLIC_SIZE];
    size_t size = TRUST_SIGNATURE_SIZE;
    struct trust_signature s;
    int r;

    buf_init(&message, PAE_MAX(e));
    r = trust_key_public(key, public);
    if (r == TRUST_KEY_E_KIND)
        return -EINVAL;
    if (r == 0)
        r = trust_key_id(public, &s.key);
    if (r == 0)
        r = trust_envelope_pae(e, &message);
    if (r < 0)
        return r;
    if (has_signed(e, &s.key))
        return TRUST_E_REPEATED_KEY;
    if (e->n_signatures >= TRUST_SIGNATURES_MAX)
        return TRUST_E_TOO_LONG;
    if (!context)
        return -ENOMEM;
    if (EVP_DigestSignInit(context, NULL, NULL, NULL, key) != 1 ||
        EVP_DigestSign(context, s.bytes, &size, message.data, message.size) != 1 || size != TRUST_SIGNATURE_SIZE)
        return -EINVAL;
    /* A token or a broken machine may have signed wrongly: better known here than at the terminal. */
    r = trust_key_verify(public, s.bytes, message.data, message.size);
    if (r != 1)
        return r < 0 ? r : -EIO;
    e->signatures[e->n_signatures++] = s;
    return TRUST_OK;
}
