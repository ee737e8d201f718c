/*
 * Owns: the root document: which keys there are, what they may do, how many are needed; and when one root may follow another.
 * Must not: verify anything but roots.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/trust/internal.h"

struct trust_root *trust_root_free(struct trust_root *r)
{
    if (r) {
        for (size_t i = 0; i < r->n_keys; i++)
            free(r->keys[i].name);
        free(r->keys);
        free(r->organization);
        free(r);
    }
    return NULL;
}

int trust_root_new(const char *organization, uint64_t version, int64_t expires_us, struct trust_root **ret)
{
    _cleanup_(trust_root_freep) struct trust_root *root = calloc(1, sizeof(*root));

    if (!root)
        return -ENOMEM;
    root->organization = strdup(organization);
    root->keys = calloc(TRUST_KEYS_MAX, sizeof(*root->keys));
    if (!root->organization || !root->keys)
        return -ENOMEM;
    root->version = version;
    root->expires_us = expires_us;
    *ret = TAKE_PTR(root);
    return 0;
}

const struct trust_key *trust_root_find_key(const struct trust_root *root, const struct digest *id)
{
    for (size_t i = 0; i < root->n_keys; i++)
        if (digest_equal(&root->keys[i].id, id))
            return &root->keys[i];
    return NULL;
}

bool trust_root_has(const struct trust_root *root, enum trust_role role, size_t key)
{
    for (size_t i = 0; i < root->roles[role].n; i++)
        if (root->roles[role].keys[i] == key)
            return true;
    return false;
}

int trust_root_add_key(struct trust_root *root, const char *name, const uint8_t public[static TRUST_PUBLIC_SIZE],
                       size_t *ret_index)
{
    const struct trust_key *there;
    struct trust_key k = {0};
    int r;

    r = trust_key_id(public, &k.id);
    if (r < 0)
        return r;
    there = trust_root_find_key(root, &k.id);
    if (there) {
        *ret_index = (size_t)(there - root->keys);
        return 0;
    }
    if (root->n_keys >= TRUST_KEYS_MAX)
        return -ENOBUFS;
    k.name = strdup(name);
    if (!k.name)
        return -ENOMEM;
    memcpy(k.public, public, sizeof(k.public));
    root->keys[root->n_keys] = k;
    *ret_index = root->n_keys++;
    return 0;
}

int trust_root_add_role(struct trust_root *root, enum trust_role role, size_t key)
{
    if (key >= root->n_keys || role >= TRUST_ROLE_COUNT_)
        return -EINVAL;
    if (trust_root_has(root, role, key))
        return -EEXIST;
    root->roles[role].keys[root->roles[role].n++] = key; /* different ones of at most TRUST_KEYS_MAX: there is room */
    return 0;
}

static bool name_fits(const char *s)
{
    return s && *s && strlen(s) <= TRUST_NAME_MAX && text_is_printable_utf8(s);
}

int trust_root_check(const struct trust_root *root, struct trust_complaint *complaint)
{
    if (!name_fits(root->organization))
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: must be 1 to %d bytes of printable text"),
                            "organization", TRUST_NAME_MAX);
    if (root->version < 1 || root->version > TRUST_VERSION_MAX)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: must be a number from 1 to %" PRIu64), "version",
                            TRUST_VERSION_MAX);
    for (size_t i = 0; i < root->n_keys; i++)
        if (!name_fits(root->keys[i].name))
            return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: must be 1 to %d bytes of printable text"), "name",
                                TRUST_NAME_MAX);
    for (enum trust_role role = 0; role < TRUST_ROLE_COUNT_; role++) {
        bool may_be_empty = role == TRUST_ROLE_HEAD;
        size_t n = root->roles[role].n;
        unsigned threshold = root->roles[role].threshold;

        if (n == 0 ? !may_be_empty || threshold != 0 : threshold < 1 || threshold > n)
            return trust_refuse(complaint, TRUST_E_MALFORMED, N_("role '%s': %u signatures needed of %zu keys"),
                                trust_role_name(role), threshold, n);
        if (threshold > TRUST_SIGNATURES_MAX)
            return trust_refuse(complaint, TRUST_E_MALFORMED, N_("more than %d signatures"), TRUST_SIGNATURES_MAX);
    }
    return TRUST_OK;
}

static int read_key(const json_t *object, struct trust_root *root, struct trust_complaint *complaint)
{
    const json_t *id, *name, *public;
    const struct trust_json_field fields[] = {
        {"id", JSON_STRING, false, &id}, {"name", JSON_STRING, false, &name}, {"public", JSON_STRING, false, &public}};
    _cleanup_free_ char *text = NULL;
    uint8_t raw[TRUST_PUBLIC_SIZE];
    struct digest claimed;
    size_t index;
    int r;

    r = trust_json_fields(object, "key", fields, ELEMENTS(fields), complaint);
    if (r == TRUST_OK)
        r = trust_json_digest(id, "id", &claimed, complaint);
    if (r == TRUST_OK)
        r = trust_json_name(name, "name", &text, complaint);
    if (r != TRUST_OK)
        return r;
    r = trust_key_read_public((const uint8_t *)json_string_value(public), json_string_length(public), raw);
    if (r > 0)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("the key of '%s' is no Ed25519 public key in PEM"), text);
    if (r == 0)
        r = trust_root_add_key(root, text, raw, &index);
    if (r < 0)
        return r;
    if (index + 1 != root->n_keys || trust_root_find_key(root, &claimed) != &root->keys[index])
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("the key of '%s' is there twice or has another id"), text);
    return TRUST_OK;
}

static int read_keys(const json_t *array, struct trust_root *root, struct trust_complaint *complaint)
{
    int r = TRUST_OK;

    if (json_array_size(array) > TRUST_KEYS_MAX)
        return trust_refuse(complaint, TRUST_E_TOO_LONG, N_("more than %d keys"), TRUST_KEYS_MAX);
    for (size_t i = 0; i < json_array_size(array) && r == TRUST_OK; i++) {
        size_t before = root->n_keys;

        r = read_key(json_array_get(array, i), root, complaint);
        if (r == TRUST_OK && root->n_keys != before + 1)
            r = trust_refuse(complaint, TRUST_E_MALFORMED, N_("a key is there twice"));
    }
    return r;
}

static int read_role(const json_t *object, enum trust_role role, struct trust_root *root,
                     struct trust_complaint *complaint)
{
    const json_t *keys, *threshold;
    const struct trust_json_field fields[] = {{"keys", JSON_ARRAY, false, &keys},
                                              {"threshold", JSON_INTEGER, false, &threshold}};
    const char *name = trust_role_name(role);
    json_int_t needed;
    int r;

    r = trust_json_fields(object, name, fields, ELEMENTS(fields), complaint);
    if (r != TRUST_OK)
        return r;
    needed = json_integer_value(threshold);
    if (needed < 1 || needed > TRUST_SIGNATURES_MAX)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("role '%s': the threshold must be from 1 to %d"), name,
                            TRUST_SIGNATURES_MAX);
    root->roles[role].threshold = (unsigned)needed;
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const struct trust_key *key;
        struct digest id;

        r = trust_json_digest(json_array_get(keys, i), "keys", &id, complaint);
        if (r != TRUST_OK)
            return r;
        key = trust_root_find_key(root, &id);
        if (!key || trust_root_add_role(root, role, (size_t)(key - root->keys)) != 0)
            return trust_refuse(complaint, TRUST_E_MALFORMED, N_("role '%s': key %.16s… is unknown or there twice"),
                                name, json_string_value(json_array_get(keys, i)));
    }
    return TRUST_OK;
}

static int read_roles(const json_t *object, struct trust_root *root, struct trust_complaint *complaint)
{
    const json_t *roles[TRUST_ROLE_COUNT_];
    const struct trust_json_field fields[] = {
        {"root", JSON_OBJECT, false, &roles[TRUST_ROLE_ROOT]},
        {"policy", JSON_OBJECT, false, &roles[TRUST_ROLE_POLICY]},
        {"head", JSON_OBJECT, true, &roles[TRUST_ROLE_HEAD]},
    };
    const char *key;
    json_t *value;
    int r;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        bool known = false;

        for (enum trust_role role = 0; role < TRUST_ROLE_COUNT_; role++)
            known = known || strcmp(key, trust_role_name(role)) == 0;
        if (!known)
            return trust_refuse(complaint, TRUST_E_UNKNOWN_ROLE, N_("role '%s'"), key);
    }
    r = trust_json_fields(object, "roles", fields, ELEMENTS(fields), complaint);
    for (enum trust_role role = 0; role < TRUST_ROLE_COUNT_ && r == TRUST_OK; role++)
        if (roles[role])
            r = read_role(roles[role], role, root, complaint);
    return r;
}

int trust_root_parse(const uint8_t *payload, size_t size, struct trust_root **ret, struct trust_complaint *complaint)
{
    const json_t *format, *organization, *version, *expires, *keys, *roles;
    const struct trust_json_field fields[] = {
        {"format", JSON_STRING, false, &format},    {"organization", JSON_STRING, false, &organization},
        {"version", JSON_INTEGER, false, &version}, {"expires", JSON_STRING, false, &expires},
        {"keys", JSON_ARRAY, false, &keys},         {"roles", JSON_OBJECT, false, &roles},
    };
    _cleanup_(trust_root_freep) struct trust_root *root = NULL;
    _cleanup_free_ char *name = NULL;
    _cleanup_json_ json_t *j = NULL;
    uint64_t number = 0;
    int64_t until = 0;
    int r;

    r = trust_json_load(payload, size, TRUST_ROOT_MAX, "root", &j, complaint);
    if (r == TRUST_OK && json_object_get(j, "format"))
        r = trust_json_format(json_object_get(j, "format"), "kuraban-root", complaint); /* a later one has other keys */
    if (r == TRUST_OK)
        r = trust_json_fields(j, "root", fields, ELEMENTS(fields), complaint);
    if (r == TRUST_OK)
        r = trust_json_name(organization, "organization", &name, complaint);
    if (r == TRUST_OK)
        r = trust_json_version(version, "version", &number, complaint);
    if (r == TRUST_OK)
        r = trust_json_time(expires, "expires", &until, complaint);
    if (r == TRUST_OK)
        r = trust_root_new(name, number, until, &root);
    if (r == TRUST_OK)
        r = read_keys(keys, root, complaint);
    if (r == TRUST_OK)
        r = read_roles(roles, root, complaint);
    if (r == TRUST_OK)
        r = trust_root_check(root, complaint);
    if (r == TRUST_OK)
        *ret = TAKE_PTR(root);
    return r;
}

int trust_root_follows(const struct trust_root *current, const struct trust_envelope *next,
                       const struct trust_root *new_root, struct trust_complaint *complaint)
{
    int r;

    if (strcmp(current->organization, new_root->organization) != 0)
        return trust_refuse(complaint, TRUST_E_ORGANIZATION, N_("the root document is for '%s', here rules '%s'"),
                            new_root->organization, current->organization);
    if (new_root->version < current->version)
        return trust_refuse(complaint, TRUST_E_ROLLBACK, N_("root version %" PRIu64 "; %" PRIu64 " rules here"),
                            new_root->version, current->version);
    if (new_root->version == current->version)
        return trust_refuse(complaint, TRUST_E_SAME_VERSION, N_("root version %" PRIu64), new_root->version);
    if (new_root->version != current->version + 1)
        return trust_refuse(complaint, TRUST_E_ROOT_CHAIN, N_("root version %" PRIu64 " cannot follow %" PRIu64),
                            new_root->version, current->version);
    r = trust_envelope_verify(next, current, TRUST_ROLE_ROOT, NULL, complaint);
    if (r == TRUST_OK)
        r = trust_envelope_verify(next, new_root, TRUST_ROLE_ROOT, NULL, complaint);
    return r == TRUST_E_THRESHOLD ? TRUST_E_ROOT_CHAIN : r;
}
