#pragma once

#include "hub/store/store.h"

/*
 * Tokens of enrolment: each lets one terminal into one group, once, until it expires. 160 bits at random, kept as their SHA-256 only: who
 * reads the file cannot enrol with it.
 */

enum {
    HUB_TOKEN_BYTES = 20,
    HUB_TOKEN_TEXT_SIZE = 40, /* characters with NUL: eight times four, with dashes */
    HUB_TOKEN_HOURS_MAX = 720,
    HUB_SERIAL_MAX = 128, /* bytes */
    HUB_TERMINAL_ID_MAX = 64,
    HUB_TOKEN_MISUSED_MAX = 8, /* so often it is told that somebody tried one in vain */
};

struct hub_token {
    uint64_t number;
    char group[HUB_NAME_MAX + 1];
    char serial[HUB_SERIAL_MAX + 1]; /* "": of any machine */
    int64_t created_us, expires_us;
    int64_t used_us, revoked_us;            /* 0: not */
    char terminal[HUB_TERMINAL_ID_MAX + 1]; /* that used it, or "" */
    bool approval;                          /* what it lets in waits for a person */
    uint64_t misused;                       /* how often it was tried in vain; counted up to HUB_TOKEN_MISUSED_MAX */
};

/* What is asked for. */
struct hub_token_wish {
    const char *group;
    const char *serial; /* NULL: of any machine */
    unsigned hours;
    bool approval;
};

enum hub_token_result {
    HUB_TOKEN_OK = 0,
    HUB_TOKEN_E_UNKNOWN, /* no such token or number */
    HUB_TOKEN_E_USED,    /* of redeeming: somebody has a copy; an alarm */
    HUB_TOKEN_E_REVOKED,
    HUB_TOKEN_E_EXPIRED,
    HUB_TOKEN_E_SERIAL, /* for another machine, or a serial that is no text */
    HUB_TOKEN_E_GROUP,  /* of creating: there is no such group */
    HUB_TOKEN_E_HOURS,  /* of creating: not 1 to HUB_TOKEN_HOURS_MAX */
};

/* enum hub_token_result; ret_text is the only copy of the token, a secret the caller wipes. */
int hub_token_create(struct hub_store *s, const struct hub_actor *actor, const struct hub_token_wish *wish,
                     uint64_t *ret_number, char ret_text[static HUB_TOKEN_TEXT_SIZE]);
int hub_token_revoke(struct hub_store *s, const struct hub_actor *actor, uint64_t number);
/*
 * Uses it up for a terminal, in the caller's transaction: what a terminal is let in by is committed together with the terminal. text as it
 * was typed; serial: of the machine, NULL where it tells none. ret is set for every answer but HUB_TOKEN_E_UNKNOWN.
 */
int hub_token_redeem(struct hub_store *s, int64_t now_us, const char *text, const char *serial, const char *terminal,
                     struct hub_token *ret);
/*
 * Somebody came with it whom it does not let in: an alarm in the administrators' journal, HUB_TOKEN_MISUSED_MAX times and no more, so that
 * who has a spent token cannot fill it. details: JSON. In the caller's transaction. 1 it was told, 0 not any more.
 */
int hub_token_tell_misuse(struct hub_store *s, const struct hub_actor *actor, uint64_t number, const char *details);
/* By number; a negative answer ends the walk. */
int hub_token_each(struct hub_store *s, int (*each)(void *context, const struct hub_token *token), void *context);
