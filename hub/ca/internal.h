#pragma once

#include <openssl/x509.h>

#include "hub/ca/ca.h"

struct hub_ca {
    X509 *certificate;
    EVP_PKEY *key;
};

/* A name that is an IP address: its bytes, 4 or 16; 0: none. */
size_t hub_ca_address(const char *name, uint8_t ret[static 16]);

/* PEM of what OpenSSL writes into a memory BIO. */
int hub_pem_certificate(X509 *certificate, char **ret);
int hub_pem_key(const EVP_PKEY *key, char **ret);
/* NULL: there is none. No passphrase is ever asked. */
X509 *hub_pem_read_certificate(const char *text);
EVP_PKEY *hub_pem_read_key(const char *text);
