#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mfa/totp.h"

/*
 * Second factors of other verifiers: ~/.google_authenticator (google-authenticator-libpam, FILEFORMAT) and users.oath of pam_oath
 * (liboath, "UsersFile"). Any bytes; what is not understood is named by its line and never repeated, because a wrong file may be
 * somebody's secret.
 */

enum {
    IMPORT_FILE_MAX = 1024 * 1024,
    IMPORT_LINES_MAX = 10000, /* told of */
    IMPORT_USER_MAX = 64,
    IMPORT_PERIOD = 30,
};

/* What became of a line. */
enum import_outcome {
    IMPORT_CARRIED = 1, /* a credential came of it */
    /* the credential is carried over without this: */
    IMPORT_BY_POLICY, /* RATE_LIMIT, WINDOW_SIZE, DISALLOW_REUSE's switch: policy says so for everybody */
    IMPORT_SKEW,      /* TIME_SKEW: their clock was wrong, and has to be set */
    IMPORT_SCRATCH,   /* scratch codes have 26 bits, and ours 60 */
    IMPORT_PIN,       /* of pam_oath; the login has its own password */
    IMPORT_OPTION,    /* an option we do not know */
    /* the credential is not carried over: */
    IMPORT_COUNTER,  /* HOTP: codes by counter, not by time */
    IMPORT_SECRET,   /* no secret, or shorter than 128 bits */
    IMPORT_SETTINGS, /* a period, or digits, that are not supported */
    IMPORT_KIND,     /* neither by time nor by counter */
    IMPORT_TWICE,    /* this person has another line before */
    IMPORT_UNCLEAR,  /* the line is not understood */
    IMPORT_OUTCOME_COUNT_,
};
const char *import_outcome_name(enum import_outcome outcome); /* "carried", …; stable */
bool import_is_lost(enum import_outcome outcome);             /* no credential came of it */

struct import_credential {
    unsigned line;
    char user[IMPORT_USER_MAX + 1]; /* "" where the file does not say */
    char base32[TOTP_BASE32_MAX + 1];
    struct totp_settings settings;
    uint64_t step; /* the last one used there; 0: not known */
};
struct import_line {
    unsigned line;
    enum import_outcome outcome;
    char user[IMPORT_USER_MAX + 1];
};
struct import_account {
    struct import_credential *credentials;
    size_t n_credentials, room_credentials;
    struct import_line *lines;
    size_t n_lines, room_lines;
};
void import_account_wipe(struct import_account *a);

/* text is not changed and need not end with a NUL. now: steps after this moment are not believed. 0, -EFBIG, -EBADMSG (NUL bytes: not this
 * format), -ENOMEM. */
int import_google(const char *text, size_t size, int64_t now_us, struct import_account *ret);
int import_oath(const char *text, size_t size, struct import_account *ret);
