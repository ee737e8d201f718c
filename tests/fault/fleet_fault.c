/*
 * Statements of centre and terminals while calls fail: each call of each good one fails once, and of each that must be refused. Whatever
 * fails, it does not crash, leaks nothing, and never opens what is not to be opened, nor with other content. Usage: fleet [--every STEP].
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "fake/statements.h"
#include "fault/fault.h"

enum {
    PLACES_MAX = 32
};

static struct place {
    enum fleet_kind kind;
    struct signed_bytes file;
    bool good;
} places[PLACES_MAX];
static size_t n_places;
static struct trust_root *root;
static uint8_t journal[TRUST_PUBLIC_SIZE];
static EVP_PKEY *signer;
static uint64_t rounds, opened, refused, fatal;

static void add(enum fleet_kind kind, struct trust_envelope *e, bool good)
{
    signed_insist(n_places < PLACES_MAX, "room");
    places[n_places++] = (struct place){kind, signed_file(e), good};
}

static void make_places(void)
{
    for (enum fleet_kind kind = FLEET_MEMBERSHIP; kind < FLEET_KIND_COUNT_; kind++) {
        const struct fleet_statement s = statement_usual(kind);
        struct trust_envelope *forged = statement_usual_envelope(kind);

        add(kind, statement_usual_envelope(kind), true);
        forged->signatures[0].bytes[5] ^= 1;
        add(kind, forged, false);
        add(kind, statement_envelope(&s, statement_signer(kind) == KEY(6) ? KEY(STATEMENT_JOURNAL) : KEY(6)), false);
        add(kind, statement_usual_envelope(kind == FLEET_ACK ? FLEET_ORDER : FLEET_ACK), false);
    }
}

/* Opens it and, where that went well, seals it again. */
static int run(const struct place *p)
{
    struct trust_complaint complaint = {0};
    struct fleet_statement *s = NULL;
    uint8_t *bytes = NULL;
    size_t size = 0;
    int r;

    if (p->kind == FLEET_REPORT)
        r = fleet_open_report(p->file.data, p->file.size, journal, &s, &complaint);
    else if (p->kind == FLEET_ENROLMENT)
        r = fleet_open_enrolment(p->file.data, p->file.size, &s, &complaint);
    else
        r = fleet_open_from_centre(p->file.data, p->file.size, FLEET_KIND(p->kind), root, SIGNED_NOW, &s, &complaint);
    signed_insist((r == TRUST_OK) == (s != NULL), "a statement without success");
    if (r == TRUST_OK)
        r = fleet_statement_seal(s, p->kind == FLEET_REPORT || p->kind == FLEET_ENROLMENT ? signer : signed_key(6),
                                 &bytes, &size, &complaint);
    signed_insist((r == TRUST_OK) == (bytes != NULL), "an envelope without success");
    /* Ed25519 signs the same twice: what comes out is what went in. */
    if (r == TRUST_OK)
        signed_insist(size == p->file.size && memcmp(bytes, p->file.data, size) == 0, "the same statement");
    free(bytes);
    fleet_statement_free(s);
    return r;
}

static struct fault_account run_with(const struct place *p, const struct fault_plan *plan, int *ret)
{
    fault_begin(plan);
    *ret = run(p);
    return fault_end();
}

static int each_call(size_t i, uint64_t step)
{
    const struct place *p = &places[i];
    const struct fault_plan none = {0};
    struct fault_account plain;
    int r;

    (void)run_with(p, &none, &r); /* the first time OpenSSL fills its caches */
    plain = run_with(p, &none, &r);
    signed_insist((r == TRUST_OK) == p->good && r >= 0 && plain.blocks == 0, "the result without faults");
    for (uint64_t n = 1 + i % step; n <= plain.calls; n += step) {
        const struct fault_plan plan = {.nth = n};
        struct fault_account account = run_with(p, &plan, &r);

        rounds++;
        opened += r == TRUST_OK;
        fatal += r < 0;
        refused += r > 0;
        if (account.blocks != 0 || (r == TRUST_OK && !p->good)) {
            printf("FAILED: %s %zu, call %" PRIu64 ": %s\n", fleet_kind_type(p->kind), i, n,
                   account.blocks != 0 ? "leaks memory" : "opened, because something failed");
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t step = 3;
    int r = 0;

    if (fault_init() < 0) {
        fputs("OpenSSL has allocated before main()\n", stderr);
        return 1;
    }
    if (argc == 3 && (strcmp(argv[1], "--every") != 0 || text_to_u64(argv[2], UINT32_MAX, &step) < 0 || step == 0))
        return 2;
    root = statement_root();
    signed_public(STATEMENT_JOURNAL, journal);
    signer = signed_key(STATEMENT_JOURNAL);
    make_places();
    for (size_t i = 0; i < n_places && r == 0; i++)
        r = each_call(i, step);
    printf("%" PRIu64 " rounds over %zu envelopes: opened %" PRIu64 ", refused %" PRIu64 ", error %" PRIu64 "\n",
           rounds, n_places, opened, refused, fatal);
    for (size_t i = 0; i < n_places; i++)
        free(places[i].file.data);
    trust_root_free(root);
    return r != 0 || fatal == 0; /* without an error nothing was tested */
}
