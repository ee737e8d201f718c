/*
 * Statements of centre and terminals of any bytes: as payloads, as if they were properly signed: what parses is of one kind only, is written
 * and reads the same again. As envelopes: what is accepted is what the test keys signed for that place, byte for byte. As subjects: what is
 * read is written the same.
 */
#include <stdlib.h>
#include <string.h>

#include "fake/statements.h"
#include "fuzz/fuzz.h"
#include "fuzz/signed_set.h"

static void same_again(const struct fleet_statement *s)
{
    struct fleet_statement *again = NULL;
    uint8_t *one = NULL, *two = NULL;
    size_t n = 0, m = 0;
    char id[FLEET_ID_SIZE];

    signed_set_insist(fleet_statement_write(s, &one, &n, NULL) == TRUST_OK);
    signed_set_insist(fleet_statement_parse(s->kind, one, n, &again, NULL) == TRUST_OK);
    signed_set_insist(fleet_statement_write(again, &two, &m, NULL) == TRUST_OK);
    signed_set_insist(n == m && memcmp(one, two, n) == 0);
    if (s->kind == FLEET_MEMBERSHIP)
        signed_set_insist(s->membership.groups.n >= 1 && s->membership.groups.n <= FLEET_GROUPS_MAX &&
                          fleet_terminal_id(s->membership.journal, id) == 0 &&
                          strcmp(id, s->membership.terminal) == 0 && s->membership.serial >= 1);
    if (s->kind == FLEET_ORDER)
        signed_set_insist(s->order.kind != FLEET_ORDER_NONE && s->order.expires_us > s->order.issued_us &&
                          s->order.expires_us - s->order.issued_us <= SIGNED_DAY);
    fleet_statement_free(again);
    free(one);
    free(two);
}

static void as_payload(const uint8_t *data, size_t size)
{
    size_t n = 0;

    for (enum fleet_kind kind = FLEET_MEMBERSHIP; kind < FLEET_KIND_COUNT_; kind++) {
        struct trust_complaint complaint = {0};
        struct fleet_statement *s = NULL;
        int r = fleet_statement_parse(kind, data, size, &s, &complaint);

        signed_set_insist(r >= 0 && r < TRUST_RESULT_COUNT_ && (r == TRUST_OK) == (s != NULL));
        if (!s)
            continue;
        n++;
        signed_set_insist(s->kind == kind);
        same_again(s);
        fleet_statement_free(s);
    }
    signed_set_insist(n <= 1);
}

/* The payload of what the test keys sign of that kind. */
static const struct trust_envelope *usual(enum fleet_kind kind)
{
    static struct trust_envelope *all[FLEET_KIND_COUNT_];

    if (!all[kind])
        all[kind] = statement_usual_envelope(kind);
    return all[kind];
}

static void as_envelope(const uint8_t *data, size_t size)
{
    for (enum fleet_kind kind = FLEET_MEMBERSHIP; kind < FLEET_KIND_COUNT_; kind++) {
        struct fleet_statement *s = NULL;
        uint8_t *bytes = malloc(size > 0 ? size : 1), *again = NULL;
        size_t n = 0;

        signed_set_insist(bytes != NULL);
        if (size > 0)
            memcpy(bytes, data, size);
        if (statement_open(kind, (struct signed_bytes){bytes, size}, &s, NULL) != TRUST_OK) {
            signed_set_insist(!s);
            continue;
        }
        signed_set_insist(s->kind == kind && fleet_statement_write(s, &again, &n, NULL) == TRUST_OK);
        signed_set_insist(n == usual(kind)->size && memcmp(again, usual(kind)->payload, n) == 0);
        free(again);
        fleet_statement_free(s);
    }
}

static void as_subject(const uint8_t *data, size_t size)
{
    char text[FLEET_SUBJECT_SIZE] = "";
    struct fleet_place p;

    if (fleet_subject_read((const char *)data, size, &p) < 0)
        return;
    if (p.subject == FLEET_SUBJECT_POLICY)
        snprintf(text, sizeof(text), "pol.%s", p.token);
    else if (p.subject == FLEET_SUBJECT_EVENTS)
        signed_set_insist(fleet_subject_events(p.terminal, p.first, text) == 0);
    else if (p.subject == FLEET_SUBJECT_COMMANDS)
        signed_set_insist(fleet_subject_command(p.terminal, p.command, text) == 0);
    else
        signed_set_insist(fleet_subject_terminal(p.subject, p.terminal, text) == 0);
    signed_set_insist(strlen(text) == size && memcmp(text, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_payload(data, size);
    as_envelope(data, size);
    as_subject(data, size);
    return 0;
}
