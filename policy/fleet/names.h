#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How terminals and groups are called on the wire: docs/FILEFORMAT.fleet.md, "Names". 0; -EINVAL: no such name can be; -EIO (OpenSSL). */

enum {
    FLEET_ID_SIZE = 22,      /* characters of a terminal's id with NUL: "t" and 20 of base32 */
    FLEET_TOKEN_SIZE = 65,   /* of a group's token: at most 64 */
    FLEET_SUBJECT_SIZE = 96, /* of every subject here */
    FLEET_MESSAGE_SIZE = 72, /* of a message's id */
    FLEET_PUBLIC_SIZE = 32,  /* bytes of an Ed25519 public key */
    FLEET_TEXT_SIZE = 256,   /* of a text in a statement: at most 255 */
};

/* From the journal's public key: 100 bits of its SHA-256. Good as a token of a subject and as a file's name. */
int fleet_terminal_id(const uint8_t journal[static FLEET_PUBLIC_SIZE], char ret[static FLEET_ID_SIZE]);
/* Does it look like one? text need not end. */
bool fleet_is_terminal_id(const char *text, size_t length);

/*
 * A group's name is any printable text ("課税課"); a token of a subject is not. A name of 1 to 64 characters a-z 0-9 _ - that does not
 * begin with "x-" is its own token; every other is "x-" and its SHA-256 in base32. So no two names share a token.
 */
int fleet_group_token(const char *group, char ret[static FLEET_TOKEN_SIZE]);

enum fleet_subject {
    FLEET_SUBJECT_NONE = 0,
    FLEET_SUBJECT_POLICY,   /* pol.GROUP: the bundle of the group */
    FLEET_SUBJECT_COMMANDS, /* cmd.TERMINAL.KIND: what is for this terminal alone, the last one of each kind */
    FLEET_SUBJECT_EVENTS,   /* evt.TERMINAL.FIRST: journal lines from this sequence number on */
    FLEET_SUBJECT_REPORTS,  /* rep.TERMINAL */
    FLEET_SUBJECT_ACKS,     /* ack.TERMINAL */
};
/* The kinds of commands: the last one of each is kept, so that none takes another's place. */
enum fleet_command {
    FLEET_COMMAND_NONE = 0,
    FLEET_COMMAND_MEMBERSHIP,
    FLEET_COMMAND_BUNDLE, /* the bundle for one terminal, where a rollout has not come to all of its group */
    FLEET_COMMAND_REPORT, /* an order */
    FLEET_COMMAND_END_GRANTS,
    FLEET_COMMAND_COUNT_,
};
const char *fleet_command_name(enum fleet_command command); /* "end-grants"; NULL: no such kind */

int fleet_subject_policy(const char *group, char ret[static FLEET_SUBJECT_SIZE]);
int fleet_subject_command(const char *terminal, enum fleet_command command, char ret[static FLEET_SUBJECT_SIZE]);
/* Of reports and acks. */
int fleet_subject_terminal(enum fleet_subject subject, const char *terminal, char ret[static FLEET_SUBJECT_SIZE]);
int fleet_subject_events(const char *terminal, uint64_t first, char ret[static FLEET_SUBJECT_SIZE]);
/* "TERMINAL-FIRST-LAST": by this the stream knows a batch it has. */
int fleet_message_id(const char *terminal, uint64_t first, uint64_t last, char ret[static FLEET_MESSAGE_SIZE]);

/* What a subject says, for who hears many. */
struct fleet_place {
    enum fleet_subject subject;
    char terminal[FLEET_ID_SIZE]; /* "" with POLICY */
    char token[FLEET_TOKEN_SIZE]; /* of POLICY, else "" */
    enum fleet_command command;   /* of COMMANDS, else NONE */
    uint64_t first;               /* of EVENTS, else 0 */
};
/* 0, or -EBADMSG: none of the above, exactly as it is written. text need not end. */
int fleet_subject_read(const char *text, size_t length, struct fleet_place *ret);

/* A text as it may stand in a statement, whatever it was: printable, cut after a whole character, "-" for nothing. -ENOMEM. */
int fleet_text(const char *from, char ret[static FLEET_TEXT_SIZE]);
