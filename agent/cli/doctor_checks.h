#pragma once

#include <stdbool.h>

#include "cli/cli.h"

struct json_t;

#define DOCTOR_SKIPPED "skipped" /* severity of a check that was not made; ok is false */

/* One check in the form of docs/PROTOCOL.control.md, DOCTOR. */
void doctor_add(struct json_t **checks, const char *check, bool ok, const char *severity, const char *detail);
/* One that could not be made, for want of rights. */
void doctor_skip(struct json_t **checks, const char *check);
/* What a check means, in the person's language; "" for one this program does not know. said: its detail adds nothing. */
const char *doctor_words(const char *check, bool ok, bool *ret_said);
/* What to do when the check is not well, in the person's language; "" when there is nothing to add. */
const char *doctor_todo(const char *check);

/* The checks for people: how it stands, what it means, which one it is. */
void doctor_text(struct cli *c, const struct json_t *checks);

/* The policy file against this machine: errors, keyboards and mice it would refuse; alone (kuraband did not tell): end date and
 * stores as well. */
void doctor_check_policy(struct cli *c, struct json_t **checks, bool alone);
/* Kernel and package. */
void doctor_check_machine(struct json_t **checks);
