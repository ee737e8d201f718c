#pragma once

#include "fake/signed.h"
#include "policy/fleet/judge.h"
#include "policy/fleet/statement.h"

/* Statements of centre and terminals for tests, beside the documents of signed.h: the role `head` is signed_key(6). */

enum {
    STATEMENT_JOURNAL = 8, /* which key is the terminal's journal's */
    STATEMENT_WIRE = 9,
    STATEMENT_OTHER = 10, /* another terminal's journal's */
};

/* The id of the terminal whose journal has this key. */
void statement_terminal(unsigned key, char ret[static FLEET_ID_SIZE]);
void statement_wire(unsigned key, char ret[static NKEY_PUBLIC_SIZE]);
/* A good one, of SIGNED_NOW. Its texts are borrowed and stay: never to be freed. */
struct fleet_statement statement_usual(enum fleet_kind kind);
/* Who signs that kind: KEY(…). */
unsigned statement_signer(enum fleet_kind kind);
/* The envelope of one that must be good; by whomever. */
struct trust_envelope *statement_envelope(const struct fleet_statement *s, unsigned signers);
struct trust_envelope *statement_usual_envelope(enum fleet_kind kind);
/* The root that all this is under, version 3. */
struct trust_root *statement_root(void);
/* Opens a file as what it should be, under statement_root() and the usual keys. Takes the file. */
int statement_open(enum fleet_kind kind, struct signed_bytes file, struct fleet_statement **ret,
                   struct trust_complaint *complaint);
