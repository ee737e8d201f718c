#pragma once

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fake/signed.h"
#include "fake/statements.h"

/*
 * What the fuzz targets of policy/trust hold against the fuzzer: the documents that the test keys did sign for this terminal. It may
 * send whatever it likes; what is accepted is one of these, byte for byte.
 */
struct signed_set {
    struct trust_envelope *items[64];
    size_t n;
    struct trust_state *held; /* signed_settled() */
    struct trust_root *root;  /* version 3 */
};

static inline void signed_set_insist(bool condition)
{
    if (!condition)
        abort();
}

static inline const struct signed_set *signed_set(void)
{
    static struct signed_set s;
    static const struct {
        uint64_t version, policy;
    } heads[] = {{7, 5}, {8, 5}, {8, 6}, {6, 5}, {7, 6}};

    if (s.n > 0)
        return &s;
    for (uint64_t v = 1; v <= 20; v++)
        s.items[s.n++] = signed_usual_root(v);
    for (uint64_t v = 4; v <= 9; v++)
        s.items[s.n++] = signed_usual_policy(v, NULL);
    for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
        struct trust_envelope *p = signed_usual_policy(heads[i].policy, NULL);

        s.items[s.n++] = signed_usual_head(heads[i].version, p, heads[i].policy);
        trust_envelope_free(p);
    }
    for (enum fleet_kind kind = FLEET_MEMBERSHIP; kind <= FLEET_ORDER; kind++)
        s.items[s.n++] = statement_usual_envelope(kind);
    s.held = signed_settled();
    signed_set_insist(trust_root_parse(s.items[2]->payload, s.items[2]->size, &s.root, NULL) == TRUST_OK);
    return &s;
}

/* Was exactly this signed for what it claims to be? */
static inline bool signed_set_has(const char *type, const uint8_t *payload, size_t size)
{
    const struct signed_set *s = signed_set();

    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->items[i]->type, type) == 0 && s->items[i]->size == size &&
            memcmp(s->items[i]->payload, payload, size) == 0)
            return true;
    return false;
}
