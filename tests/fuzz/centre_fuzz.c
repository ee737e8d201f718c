/* centre.json and fleet.json of any bytes: what is read is written and reads the same again. A stream's answer: only one that says so is a yes. */
#include <stdlib.h>
#include <string.h>

#include "courier/centre.h"
#include "courier/wire.h"
#include "fuzz/fuzz.h"
#include "member/internal.h"

static void insist(int condition)
{
    if (!condition)
        abort();
}

static void as_centre(const uint8_t *data, size_t size)
{
    _cleanup_(centre_done) struct centre c = {0}, again = {0};
    _cleanup_free_ uint8_t *one = NULL, *two = NULL;
    size_t n = 0, m = 0;

    if (centre_parse(data, size, &c, NULL) != TRUST_OK)
        return;
    insist(c.n_urls >= 1 && c.n_urls <= CENTRE_URLS_MAX && c.jwt && c.ca && c.hub);
    insist(centre_format(&c, &one, &n, NULL) == TRUST_OK);
    insist(centre_parse(one, n, &again, NULL) == TRUST_OK);
    insist(centre_format(&again, &two, &m, NULL) == TRUST_OK);
    insist(n == m && memcmp(one, two, n) == 0);
}

static void as_fleet(const uint8_t *data, size_t size)
{
    _cleanup_(member_state_done) struct member_state s = {0}, again = {0};
    _cleanup_free_ uint8_t *one = NULL, *two = NULL;
    char terminal[FLEET_ID_SIZE] = "";
    size_t n = 0, m = 0;

    /* Whose file it is stands before it. */
    if (size < FLEET_ID_SIZE - 1 || !fleet_is_terminal_id((const char *)data, FLEET_ID_SIZE - 1))
        return;
    memcpy(terminal, data, FLEET_ID_SIZE - 1);
    if (member_state_read(data + FLEET_ID_SIZE - 1, size - (FLEET_ID_SIZE - 1), terminal, &s, NULL) != TRUST_OK)
        return;
    insist(s.membership.statement && s.n_orders <= MEMBER_ORDERS_MAX);
    insist(member_state_write(&s, &one, &n) == 0);
    insist(member_state_read(one, n, terminal, &again, NULL) == TRUST_OK);
    insist(member_state_write(&again, &two, &m) == 0);
    insist(n == m && memcmp(one, two, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_centre(data, size);
    as_fleet(data, size);
    if (wire_is_stored((const char *)data, size))
        insist(memmem(data, size, "stream", 6) || memmem(data, size, "\\u", 2));
    return 0;
}
