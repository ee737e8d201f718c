/* Root documents of any bytes, as if they were properly signed: what parses keeps every rule, is written, and reads the same again. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/signed_set.h"

static void check_roles(const struct trust_root *root)
{
    signed_set_insist(root->version >= 1 && root->version <= TRUST_VERSION_MAX && root->n_keys <= TRUST_KEYS_MAX);
    for (enum trust_role role = 0; role < TRUST_ROLE_COUNT_; role++) {
        size_t n = root->roles[role].n;

        signed_set_insist(n <= root->n_keys && root->roles[role].threshold <= n);
        signed_set_insist(n == 0 ? role == TRUST_ROLE_HEAD : root->roles[role].threshold >= 1);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < i; j++)
                signed_set_insist(root->roles[role].keys[i] != root->roles[role].keys[j]);
    }
    for (size_t i = 0; i < root->n_keys; i++)
        for (size_t j = 0; j < i; j++)
            signed_set_insist(memcmp(root->keys[i].public, root->keys[j].public, TRUST_PUBLIC_SIZE) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trust_complaint complaint = {0};
    struct trust_root *root = NULL, *again = NULL;
    struct trust_envelope *unsigned_one = NULL;
    uint8_t *bytes = NULL;
    size_t n;
    int r = trust_root_parse(data, size, &root, &complaint);

    signed_set_insist(r >= 0 && r < TRUST_RESULT_COUNT_ && (r == TRUST_OK) == (root != NULL));
    if (!root)
        return 0;
    check_roles(root);
    signed_set_insist(trust_root_write(root, &bytes, &n, NULL) == TRUST_OK);
    signed_set_insist(trust_root_parse(bytes, n, &again, NULL) == TRUST_OK);
    signed_set_insist(again->version == root->version && again->n_keys == root->n_keys &&
                      again->expires_us == root->expires_us &&
                      memcmp(again->roles, root->roles, sizeof(root->roles)) == 0);
    /* Whatever it says, nobody signed it. */
    signed_set_insist(trust_envelope_new(TRUST_TYPE_ROOT, bytes, n, &unsigned_one) == TRUST_OK);
    signed_set_insist(trust_root_follows(signed_set()->root, unsigned_one, root, &complaint) > TRUST_OK);
    trust_envelope_free(unsigned_one);
    trust_root_free(again);
    trust_root_free(root);
    free(bytes);
    return 0;
}
