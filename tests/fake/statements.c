/*
 * Owns: usual statements of centre and terminals, for tests to differ from.
 * Must not: be of any use outside tests.
 */
#include "fake/statements.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static char organization[] = SIGNED_ORGANIZATION, kazei[] = "kazei", zeimu[] = "税務課", agent[] = "0.1.0",
            kernel[] = "6.1.0-28-amd64", system_name[] = "Debian GNU/Linux 12 (bookworm)", policy[] = "課税課 標準",
            reason[] = "rollback", host[] = "kazei-07", machine[] = "5CG1234ABC";

void statement_terminal(unsigned key, char ret[static FLEET_ID_SIZE])
{
    uint8_t public[TRUST_PUBLIC_SIZE];

    signed_public(key, public);
    signed_insist(fleet_terminal_id(public, ret) == 0, "id");
}

void statement_wire(unsigned key, char ret[static NKEY_PUBLIC_SIZE])
{
    uint8_t public[TRUST_PUBLIC_SIZE];

    signed_public(key, public);
    nkey_public_write(NKEY_USER, public, ret);
}

static struct fleet_membership usual_membership(void)
{
    struct fleet_membership m = {.organization = organization,
                                 .groups = {.names = {kazei, zeimu}, .n = 2},
                                 .serial = 3,
                                 .issued_us = SIGNED_NOW};

    statement_terminal(STATEMENT_JOURNAL, m.terminal);
    signed_public(STATEMENT_JOURNAL, m.journal);
    statement_wire(STATEMENT_WIRE, m.wire);
    return m;
}

static struct fleet_report usual_report(void)
{
    struct fleet_report r = {.organization = organization,
                             .sequence = 12,
                             .issued_us = SIGNED_NOW,
                             .versions = {agent, kernel, system_name},
                             .has_policy = true,
                             .policy = {.version = 5, .name = policy, .source = FLEET_SOURCE_SIGNED},
                             .has_head = true,
                             .head = {kazei, 7},
                             .has_outcome = true,
                             .outcome = {.status = FLEET_STATUS_FAILED, .reason = reason},
                             .journal = {.sequence = 4711},
                             .membership = 3};

    memset(r.boot, 0xb0, sizeof(r.boot));
    memset(r.policy.sha256.bytes, 0x50, DIGEST_SIZE);
    memset(r.outcome.bundle.bytes, 0xbb, DIGEST_SIZE);
    memset(r.journal.hash.bytes, 0x4a, DIGEST_SIZE);
    statement_terminal(STATEMENT_JOURNAL, r.terminal);
    return r;
}

static struct fleet_enrolment usual_enrolment(void)
{
    struct fleet_enrolment e = {.host = host, .machine = machine, .agent = agent, .issued_us = SIGNED_NOW};

    signed_insist(digest_bytes("token", 5, &e.token) == 0, "token");
    memset(e.ca.bytes, 0xca, DIGEST_SIZE);
    memset(e.nonce, 0x0e, sizeof(e.nonce));
    signed_public(STATEMENT_JOURNAL, e.journal);
    statement_wire(STATEMENT_WIRE, e.wire);
    return e;
}

struct fleet_statement statement_usual(enum fleet_kind kind)
{
    struct fleet_statement s = {.kind = kind};

    switch (kind) {
    case FLEET_MEMBERSHIP:
        s.membership = usual_membership();
        break;
    case FLEET_ACK:
        s.ack = (struct fleet_ack){.organization = organization, .sequence = 4711, .issued_us = SIGNED_NOW};
        memset(s.ack.hash.bytes, 0x4a, DIGEST_SIZE);
        statement_terminal(STATEMENT_JOURNAL, s.ack.terminal);
        break;
    case FLEET_ORDER:
        s.order = (struct fleet_order){.organization = organization,
                                       .kind = FLEET_ORDER_END_GRANTS,
                                       .issued_us = SIGNED_NOW,
                                       .expires_us = SIGNED_NOW + SIGNED_DAY};
        memset(s.order.id, 0x1d, sizeof(s.order.id));
        statement_terminal(STATEMENT_JOURNAL, s.order.terminal);
        break;
    case FLEET_REPORT:
        s.report = usual_report();
        break;
    case FLEET_ENROLMENT:
        s.enrolment = usual_enrolment();
        break;
    case FLEET_NONE:
    case FLEET_KIND_COUNT_:
    default:
        signed_insist(0, "no such kind");
    }
    return s;
}

unsigned statement_signer(enum fleet_kind kind)
{
    return kind == FLEET_REPORT || kind == FLEET_ENROLMENT ? KEY(STATEMENT_JOURNAL) : KEY(6);
}

struct trust_envelope *statement_envelope(const struct fleet_statement *s, unsigned signers)
{
    struct trust_complaint complaint = {0};
    struct trust_envelope *e;
    uint8_t *bytes = NULL;
    size_t size = 0;

    signed_insist(fleet_statement_write(s, &bytes, &size, &complaint) == TRUST_OK, complaint.text);
    e = signed_envelope(fleet_kind_type(s->kind), bytes, size, signers);
    free(bytes);
    return e;
}

struct trust_envelope *statement_usual_envelope(enum fleet_kind kind)
{
    const struct fleet_statement s = statement_usual(kind);

    return statement_envelope(&s, statement_signer(kind));
}

struct trust_root *statement_root(void)
{
    struct trust_envelope *e = signed_usual_root(3);
    struct trust_root *root = NULL;

    signed_insist(trust_root_parse(e->payload, e->size, &root, NULL) == TRUST_OK, "root");
    trust_envelope_free(e);
    return root;
}

int statement_open(enum fleet_kind kind, struct signed_bytes file, struct fleet_statement **ret,
                   struct trust_complaint *complaint)
{
    uint8_t public[TRUST_PUBLIC_SIZE];
    static struct trust_root *root;
    int r;

    if (!root)
        root = statement_root();
    signed_public(STATEMENT_JOURNAL, public);
    if (kind == FLEET_REPORT)
        r = fleet_open_report(file.data, file.size, public, ret, complaint);
    else if (kind == FLEET_ENROLMENT)
        r = fleet_open_enrolment(file.data, file.size, ret, complaint);
    else
        r = fleet_open_from_centre(file.data, file.size, FLEET_KIND(kind), root, SIGNED_NOW, ret, complaint);
    free(file.data);
    return r;
}
