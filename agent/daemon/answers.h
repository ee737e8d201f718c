#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "audit/audit.h"

struct json_t;
struct daemon;
struct mfa_credential;
struct rulebook;

/* JSON of the control socket's answers (docs/PROTOCOL.control.md). NULL on ENOMEM. */

/* Text that others chose (a path, a mount's source): what is not printable UTF-8 is escaped, because JSON takes nothing else. */
struct json_t *answer_foreign_text(const char *text);
/* Wall clock as RFC 3339; 0: null. */
struct json_t *answer_time(int64_t wall_us);

struct json_t *answer_refusal(const struct audit_event *e);
struct json_t *answer_status(struct daemon *d);
struct json_t *answer_policy_brief(struct daemon *d);
struct json_t *answer_devices(struct daemon *d);
struct json_t *answer_doctor(struct daemon *d);

/* MFA-LIST; only: whose, NULL everybody's. MFA-STATUS for this peer. */
struct json_t *answer_credentials(const struct mfa_credential *list, size_t n, const uid_t *only);
struct json_t *answer_mfa(struct daemon *d, uid_t peer);
/* Has root, or somebody of a group that may become root, a second factor? */
bool answer_has_administrator(struct daemon *d);

struct json_t *answer_terminal(const struct daemon *d);
/* The root, who signed what rules, the head; null without a root. */
struct json_t *answer_trust(const struct daemon *d);
/* "kuraban"."trust" of a record (docs/FILEFORMAT.journal.md). json_null() when there is nothing to tell. */
struct json_t *answer_trust_record(const struct rulebook *b);
