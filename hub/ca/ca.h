#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/*
 * The certificate authority of one centre, for TLS alone: what it signs opens a connection and rules nothing on a terminal. ECDSA P-256,
 * X.509 version 3 (RFC 5280): it may sign for the names it was made for and for this machine's own, and no other authority.
 * 0, -ENOMEM, -EIO (OpenSSL), -EINVAL. Texts are PEM, the caller's to free(); those of keys by hub_ca_secret_free().
 */

struct hub_ca;

enum {
    HUB_CA_YEARS = 10,
    HUB_CA_SERVER_DAYS = 825, /* as long as browsers take a certificate of an own authority */
    HUB_CA_NAMES_MAX = 16,
    HUB_CA_NAME_MAX = 253,        /* bytes of a DNS name, RFC 1035 */
    HUB_CA_ORGANIZATION_MAX = 64, /* characters of organizationName, RFC 5280 A.1 */
    HUB_CA_PIN_SIZE = 7 + 64 + 1, /* "sha256:" and hex, with NUL */
    HUB_CA_PEM_MAX = 64 * 1024,   /* bytes of a given file */
};

/* A DNS name of letters, digits, "-" and "." (no wildcard), or an IP address as inet_pton(3) takes it? */
bool hub_ca_name_is_good(const char *name);

/* names: ended by NULL, at least one; "localhost", 127.0.0.1 and ::1 are added. */
int hub_ca_new(const char *organization, const char *const *names, int64_t now_s, struct hub_ca **ret);
/* -EBADMSG: not a CA certificate and its key. */
int hub_ca_read(const char *certificate, const char *key, struct hub_ca **ret);
struct hub_ca *hub_ca_free(struct hub_ca *ca);
int hub_ca_certificate(const struct hub_ca *ca, char **ret);
int hub_ca_key(const struct hub_ca *ca, char **ret);
/* A new key and its certificate for a server with these names; they must be among the authority's. */
int hub_ca_issue(const struct hub_ca *ca, const char *const *names, int64_t now_s, char **ret_certificate,
                 char **ret_key);

/* "sha256:…" of the SubjectPublicKeyInfo of the first certificate: what a terminal is given by hand. -EBADMSG: no certificate. */
int hub_ca_pin(const char *certificate, char ret[static HUB_CA_PIN_SIZE]);

enum hub_ca_verdict {
    HUB_CA_GOOD = 0,
    HUB_CA_E_CERTIFICATE, /* no certificate in PEM */
    HUB_CA_E_KEY,         /* no private key in PEM, or one behind a passphrase */
    HUB_CA_E_CA,          /* no CA certificate in PEM, or not exactly one */
    HUB_CA_E_MISMATCH,    /* the key is another's */
    HUB_CA_E_CHAIN,       /* the certificate does not lead to the CA, or not for a server */
    HUB_CA_E_EXPIRED,     /* one of them is over, or has not begun */
    HUB_CA_E_NAME,        /* it is for other names */
    HUB_CA_E_WEAK,        /* a key of less than 112 bits of security, or SHA-1 */
};
/* Certificates that were given: certificate (with intermediate ones behind it), key, ca. enum hub_ca_verdict; ret_detail (may be NULL) is
 * the name that is missing, or OpenSSL's words: static, or one of names. */
int hub_ca_check(const char *certificate, const char *key, const char *ca, const char *const *names, int64_t now_s,
                 const char **ret_detail);

char *hub_ca_secret_free(char *secret);

DEFINE_CLEANUP(struct hub_ca *, hub_ca_free);
DEFINE_CLEANUP(char *, hub_ca_secret_free);
