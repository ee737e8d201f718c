/*
 * Owns: the JSON of root and head documents as it is signed.
 * Must not: write what this version would refuse to read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/trust/internal.h"

static int add_key(const struct trust_key *k, json_t *array)
{
    _cleanup_json_ json_t *object = json_object();
    _cleanup_free_ char *pem = NULL;
    int r = trust_key_to_pem(k->public, &pem);

    if (r < 0)
        return r;
    if (!object || trust_json_set(object, "id", trust_json_from_digest(&k->id)) < 0 ||
        trust_json_set(object, "name", json_string(k->name)) < 0 ||
        trust_json_set(object, "public", json_string(pem)) < 0 || json_array_append(array, object) < 0)
        return -ENOMEM;
    return 0;
}

static int add_role(const struct trust_root *root, enum trust_role role, json_t *roles)
{
    _cleanup_json_ json_t *object = json_object(), *keys = json_array();

    if (!object || !keys)
        return -ENOMEM;
    for (size_t i = 0; i < root->roles[role].n; i++)
        if (json_array_append_new(keys, trust_json_from_digest(&root->keys[root->roles[role].keys[i]].id)) < 0)
            return -ENOMEM;
    if (json_object_set(object, "keys", keys) < 0 ||
        trust_json_set(object, "threshold", json_integer((json_int_t)root->roles[role].threshold)) < 0 ||
        json_object_set(roles, trust_role_name(role), object) < 0)
        return -ENOMEM;
    return 0;
}

static int root_to_json(const struct trust_root *root, json_t *j)
{
    _cleanup_json_ json_t *keys = json_array(), *roles = json_object();
    int r = 0;

    if (!keys || !roles || trust_json_set(j, "format", json_string("kuraban-root/1")) < 0 ||
        trust_json_set(j, "organization", json_string(root->organization)) < 0 ||
        trust_json_set(j, "version", json_integer((json_int_t)root->version)) < 0 ||
        trust_json_set(j, "expires", trust_json_from_time(root->expires_us)) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < root->n_keys && r == 0; i++)
        r = add_key(&root->keys[i], keys);
    for (enum trust_role role = 0; role < TRUST_ROLE_COUNT_ && r == 0; role++)
        if (root->roles[role].n > 0)
            r = add_role(root, role, roles);
    if (r < 0)
        return r;
    return json_object_set(j, "keys", keys) < 0 || json_object_set(j, "roles", roles) < 0 ? -ENOMEM : 0;
}

int trust_root_write(const struct trust_root *root, uint8_t **ret, size_t *ret_size, struct trust_complaint *complaint)
{
    _cleanup_(trust_root_freep) struct trust_root *again = NULL;
    _cleanup_json_ json_t *j = json_object();
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size;
    int r = trust_root_check(root, complaint);

    if (r == TRUST_OK)
        r = j ? root_to_json(root, j) : -ENOMEM;
    if (r == TRUST_OK)
        r = trust_json_write(j, &bytes, &size);
    if (r == TRUST_OK)
        r = trust_root_parse(bytes, size, &again, complaint);
    if (r != TRUST_OK)
        return r;
    *ret = TAKE_PTR(bytes);
    *ret_size = size;
    return TRUST_OK;
}

static int head_to_json(const struct trust_head *h, json_t *j)
{
    _cleanup_json_ json_t *policy = json_object();

    if (!policy || trust_json_set(policy, "version", json_integer((json_int_t)h->policy_version)) < 0 ||
        trust_json_set(policy, "sha256", trust_json_from_digest(&h->policy_sha256)) < 0 ||
        trust_json_set(j, "format", json_string("kuraban-head/1")) < 0 ||
        trust_json_set(j, "organization", json_string(h->organization)) < 0 ||
        trust_json_set(j, "group", json_string(h->group)) < 0 ||
        trust_json_set(j, "version", json_integer((json_int_t)h->version)) < 0 ||
        trust_json_set(j, "issued", trust_json_from_time(h->issued_us)) < 0 ||
        trust_json_set(j, "expires", trust_json_from_time(h->expires_us)) < 0 ||
        json_object_set(j, "policy", policy) < 0)
        return -ENOMEM;
    return 0;
}

int trust_head_write(const struct trust_head *head, uint8_t **ret, size_t *ret_size, struct trust_complaint *complaint)
{
    _cleanup_(trust_head_freep) struct trust_head *again = NULL;
    _cleanup_json_ json_t *j = json_object();
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size;
    int r = trust_head_check(head, complaint);

    if (r == TRUST_OK)
        r = j ? head_to_json(head, j) : -ENOMEM;
    if (r == TRUST_OK)
        r = trust_json_write(j, &bytes, &size);
    if (r == TRUST_OK)
        r = trust_head_parse(bytes, size, &again, complaint);
    if (r != TRUST_OK)
        return r;
    *ret = TAKE_PTR(bytes);
    *ret_size = size;
    return TRUST_OK;
}
