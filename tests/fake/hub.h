#pragma once

#include "base/digest.h"
#include "fake/statements.h"
#include "hub/store/store.h"

/*
 * A centre for tests, in a directory of its own, made as `kuraban-hub init` makes one: for SIGNED_ORGANIZATION and this machine, with a group
 * "kazei", and with signed_key(6) as its online key, which the usual root documents of signed.h name.
 */

struct fake_hub {
    char path[64];    /* what is removed in the end */
    char place[80];   /* the centre */
    int directory;    /* it, held open */
    struct digest ca; /* what terminals pin */
};

void fake_hub_begin(struct fake_hub *h, int64_t now_us);
void fake_hub_end(struct fake_hub *h);
/* The store, beside whoever else has it; the caller frees. */
struct hub_store *fake_hub_store(const struct fake_hub *h);
/* Takes the root. What root_chain_add() says. */
int fake_hub_add_root(const struct fake_hub *h, struct trust_envelope *root, int64_t now_us);

struct fake_token {
    char text[40];
    uint64_t number;
};
struct fake_token fake_hub_token(const struct fake_hub *h, const char *serial, bool approval, int64_t now_us);

/* A machine that wants to be a terminal. */
struct fake_machine {
    unsigned journal, wire; /* signed_key() */
    const char *host, *serial;
    uint8_t nonce;
};
extern const struct fake_machine fake_machine_usual; /* its keys are those of statements.h */
/* The body of its request; the caller frees. */
char *fake_enrolment(const struct fake_hub *h, const struct fake_machine *m, const char *token, int64_t now_us);
