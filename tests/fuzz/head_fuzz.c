/* Head documents of any bytes, as if they were properly signed: what parses keeps every rule, is written, and reads the same again. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/signed_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trust_complaint complaint = {0};
    struct trust_head *h = NULL, *again = NULL;
    uint8_t *bytes = NULL;
    size_t n;
    int r = trust_head_parse(data, size, &h, &complaint);

    signed_set_insist(r >= 0 && r < TRUST_RESULT_COUNT_ && (r == TRUST_OK) == (h != NULL));
    if (!h)
        return 0;
    signed_set_insist(h->version >= 1 && h->version <= TRUST_VERSION_MAX && h->policy_version >= 1);
    signed_set_insist(h->expires_us > h->issued_us && h->expires_us - h->issued_us <= TRUST_HEAD_DAYS_MAX * SIGNED_DAY);
    signed_set_insist(trust_head_write(h, &bytes, &n, NULL) == TRUST_OK);
    signed_set_insist(trust_head_parse(bytes, n, &again, NULL) == TRUST_OK);
    signed_set_insist(strcmp(again->organization, h->organization) == 0 && strcmp(again->group, h->group) == 0 &&
                      again->version == h->version && again->issued_us == h->issued_us &&
                      again->expires_us == h->expires_us && again->policy_version == h->policy_version &&
                      digest_equal(&again->policy_sha256, &h->policy_sha256));
    trust_head_free(again);
    trust_head_free(h);
    free(bytes);
    return 0;
}
