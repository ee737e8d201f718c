/*
 * Bundles, bare envelopes and state files of any bytes, given to a terminal: the answer is a refusal, or the new state holds nothing
 * but documents that the test keys did sign, never older than what was held.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/signed_set.h"
#include "policy/policy.h"
#include "policy/trust/internal.h"

static void check_part(const struct trust_envelope *e)
{
    signed_set_insist(!e || signed_set_has(e->type, e->payload, e->size));
}

static void check_state(const struct trust_state *s)
{
    struct trust_state *again = NULL;
    uint8_t *bytes = NULL;
    size_t size;

    check_part(s->root_envelope);
    check_part(s->policy_root_envelope);
    check_part(s->policy_envelope);
    check_part(s->head_envelope);
    /* What is stored can be read after the next start. */
    signed_set_insist(trust_state_write(s, &bytes, &size) == 0);
    signed_set_insist(trust_state_read(bytes, size, &again, NULL) == TRUST_OK);
    trust_state_free(again);
    free(bytes);
}

static void apply(const uint8_t *data, size_t size)
{
    const struct trust_state *held = signed_set()->held;
    struct trust_complaint complaint = {0};
    struct trust_state *next = NULL;
    struct policy *policy = NULL;
    int r = trust_apply(held, &signed_terminal, data, size, &next, &policy, NULL, &complaint);

    signed_set_insist(r >= 0 && r < TRUST_RESULT_COUNT_ && (r == TRUST_OK) == (next != NULL));
    signed_set_insist(r == TRUST_OK || !policy);
    if (!next)
        return;
    check_state(next);
    signed_set_insist(trust_state_root(next)->version >= 3 && trust_state_policy_version(next) >= 5);
    signed_set_insist(trust_state_head(next) && trust_state_head(next)->version >= 7);
    signed_set_insist(!policy || policy->version == trust_state_policy_version(next));
    (void)policy_unref(policy);
    trust_state_free(next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trust_state *s = NULL;

    apply(data, size);
    if (trust_state_read(data, size, &s, NULL) == TRUST_OK)
        check_state(s);
    trust_state_free(s);
    return 0;
}
