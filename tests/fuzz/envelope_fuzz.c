/*
 * DSSE envelopes of any bytes: what parses is written and read back the same; signatures count only for what was signed; the parts of
 * an envelope are never longer than the limits.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/signed_set.h"
#include "policy/policy.h"

static void same_again(const struct trust_envelope *e)
{
    struct trust_envelope *again = NULL;
    uint8_t *bytes = NULL;
    size_t size;

    signed_set_insist(trust_envelope_write(e, &bytes, &size) == 0);
    signed_set_insist(trust_envelope_parse(bytes, size, &again, NULL) == TRUST_OK);
    signed_set_insist(strcmp(again->type, e->type) == 0 && again->size == e->size &&
                      memcmp(again->payload, e->payload, e->size) == 0 && again->n_signatures == e->n_signatures &&
                      memcmp(again->signatures, e->signatures, sizeof(e->signatures)) == 0);
    trust_envelope_free(again);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trust_complaint complaint = {0};
    struct trust_envelope *e = NULL;
    struct trust_votes votes;
    int r = trust_envelope_parse(data, size, &e, &complaint);

    signed_set_insist(r >= 0 && r < TRUST_RESULT_COUNT_ && (r == TRUST_OK) == (e != NULL));
    if (!e)
        return 0;
    signed_set_insist(e->size <= POLICY_DOCUMENT_MAX && e->n_signatures <= TRUST_SIGNATURES_MAX);
    same_again(e);
    for (enum trust_role role = 0; role <= TRUST_ROLE_NONE; role++) {
        r = trust_envelope_verify(e, signed_set()->root, role, &votes, &complaint);
        if (role == TRUST_ROLE_NONE || trust_type_role(e->type) != role) {
            signed_set_insist(r == TRUST_E_PAYLOAD_TYPE && votes.n == 0);
            continue;
        }
        if (r == TRUST_OK)
            signed_set_insist(signed_set_has(e->type, e->payload, e->size));
        for (size_t i = 0; r >= 0 && r != TRUST_E_REPEATED_KEY && i < votes.n; i++)
            if (votes.of[i].kind == TRUST_VOTE_GOOD)
                signed_set_insist(signed_set_has(e->type, e->payload, e->size));
    }
    trust_envelope_free(e);
    return 0;
}
