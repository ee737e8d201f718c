/*
 * What a stranger sends to be enrolled, of any bytes: what parses has a token that fits and an envelope that is one object of JSON; the token
 * is wiped when it is done with.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "hub/enrol/request.h"
#include "policy/fleet/statement.h"

static void insist(int condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct enrol_request q = {0};
    struct fleet_statement *s = NULL;
    int r = enrol_request_parse(data, size, &q, NULL);

    insist(r >= 0 && r < TRUST_RESULT_COUNT_ && (r == TRUST_OK) == (q.envelope != NULL));
    if (r != TRUST_OK) {
        insist(q.token[0] == '\0');
        return 0;
    }
    insist(strlen(q.token) >= 1 && strlen(q.token) <= ENROL_TOKEN_MAX && q.size >= 2 && q.envelope[0] == '{');
    r = fleet_open_enrolment(q.envelope, q.size, &s, NULL);
    insist(r >= 0 && (r == TRUST_OK) == (s != NULL));
    fleet_statement_free(s);
    enrol_request_done(&q);
    for (size_t i = 0; i < sizeof(q.token); i++)
        insist(q.token[i] == '\0');
    return 0;
}
