#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Time-based one-time codes, RFC 6238 over RFC 4226. Pure. Whoever holds a secret or a code wipes it. */

enum totp_algorithm {
    TOTP_SHA1 = 0,
    TOTP_SHA256,
    TOTP_SHA512,
    TOTP_ALGORITHM_COUNT_
};

struct totp_settings {
    enum totp_algorithm algorithm;
    unsigned digits; /* 6–8 */
    unsigned period; /* seconds, 10–300; 30 for every authenticator there is */
};
extern const struct totp_settings totp_default; /* SHA-1, 6 digits, 30 s: several authenticators ignore anything else */

enum {
    TOTP_SECRET_MIN = 16, /* bytes: 128 bits, RFC 4226 section 4 R6 */
    TOTP_SECRET_MAX = 64,
    TOTP_BASE32_MAX = 103, /* characters of TOTP_SECRET_MAX bytes, without padding */
    TOTP_CODE_SIZE = 9,    /* 8 digits and NUL */
    TOTP_SPAN_MAX = 128,   /* steps that totp_find() looks at, either side */
};

bool totp_settings_are_valid(const struct totp_settings *s);
const char *totp_algorithm_name(enum totp_algorithm a); /* "SHA1" "SHA256" "SHA512", as in otpauth: */
/* The algorithm of that name, any case, with or without "-" or "HMAC"; -EINVAL. */
int totp_algorithm_from_name(const char *name);

/* The step of a wall clock; 0 before 1970. */
uint64_t totp_step(const struct totp_settings *s, int64_t wall_us);
/* The code of a step. 0, -EINVAL for settings or secret out of range, -EIO when OpenSSL fails. */
int totp_code(const struct totp_settings *s, const uint8_t *secret, size_t size, uint64_t step,
              char ret[static TOTP_CODE_SIZE]);
/* Is code the one of a step in [step - before, step + after]? All are computed and compared in constant time whatever matches.
 * 1 and the matching step nearest to step (of two as near, the later); 0 none; -errno as above. */
int totp_find(const struct totp_settings *s, const uint8_t *secret, size_t size, uint64_t step, unsigned before,
              unsigned after, const char *code, uint64_t *ret_step);
/* Is it as many digits as the settings say, and nothing else? */
bool totp_is_code(const struct totp_settings *s, const char *code);

/* base32 of RFC 4648 without padding. ret holds TOTP_BASE32_MAX + 1 bytes. */
void totp_base32(const uint8_t *secret, size_t size, char *ret);
/* Any case; spaces, dashes and padding at the end do not matter. 0; -EINVAL: another character, or bits that belong to no byte; -ERANGE: not
 * TOTP_SECRET_MIN to TOTP_SECRET_MAX bytes. ret holds TOTP_SECRET_MAX bytes and is wiped on failure. */
int totp_base32_read(const char *text, uint8_t *ret, size_t *ret_size);

/* otpauth://totp/Issuer:account?secret=…&issuer=…&algorithm=…&digits=…&period=…, percent-encoded, no "+" for a space.
 * 0, or -ENOBUFS. */
int totp_uri(const struct totp_settings *s, const char *issuer, const char *account, const char *base32, char *ret,
             size_t size);
