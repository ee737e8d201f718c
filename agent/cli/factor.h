#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "cli/cli.h"

/* What the verbs of mfa share: who is meant, kuraband's answers in fields, and their words. */

enum {
    FACTOR_SELF = 0xffffffff,     /* the uid that means the caller */
    FACTOR_ANSWER_MAX = 4096,     /* bytes of fields */
    FACTOR_RECOVERY_MAX = 32,     /* codes of an answer */
    FACTOR_RECOVERY_TEXT_MAX = 32 /* bytes of one */
};

struct factor_person {
    uint32_t uid;
    char *name;
};
void factor_person_done(struct factor_person *p);
/* By login name or number; NULL: the caller. CLI_USAGE, told, when there is no such person. */
enum cli_exit factor_person(struct cli *c, const char *word, struct factor_person *ret);
/* The same untold: 0, -ENOENT, -ENOMEM. */
int factor_person_find(const char *word, struct factor_person *ret);

/* Asks kuraband for an answer in fields. CLI_OK: answer, which the caller has initialized and releases, holds them, and ret reads them. */
enum cli_exit factor_ask(struct cli *c, uint16_t request, const struct buf *fields, struct buf *answer,
                         struct buf_reader *ret);
/* One byte of an answer. 0 or -EBADMSG. */
int factor_get_u8(struct buf_reader *r, uint8_t *ret);
int factor_add_u8(struct buf *b, uint8_t v);
/* kuraband answered something else than the protocol has. */
enum cli_exit factor_bad_answer(struct cli *c);
/* The words of an enum mfa_error, translated; NULL for none that is known. */
const char *factor_error_words(uint8_t error);
/* Tells the error of an answer (not 0). */
enum cli_exit factor_error(struct cli *c, uint8_t error);
/* Why a code was not accepted. */
enum cli_exit factor_refused(struct cli *c, uint8_t outcome, uint32_t number);

struct json_t;
/* Appends the recovery codes at the end of an answer, which they must be. 0 or -EBADMSG. */
int factor_get_recovery(struct buf_reader *r, struct json_t *codes);
/* Shows the recovery codes at the end of an answer and reads it to its end; they are told this once. */
enum cli_exit factor_show_recovery(struct cli *c, const struct factor_person *p, struct buf_reader *r);
