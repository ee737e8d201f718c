#pragma once

/* What the HTTPS server of a centre shows: its certificate with all above it up to the authority that terminals pin. */
struct centre_tls {
    char *chain, *key; /* PEM; key is a secret */
};

/* centre: its directory, held open. 0 or -errno. */
int centre_tls_read(int centre, struct centre_tls *ret);
void centre_tls_done(struct centre_tls *t);
