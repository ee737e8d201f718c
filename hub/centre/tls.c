/* Owns: which certificates the HTTPS server shows. Must not: leave the key's text behind. */
#include "hub/centre/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "hub/ca/ca.h"

int centre_tls_read(int centre, struct centre_tls *ret)
{
    _cleanup_close_ int tls = openat(centre, "tls", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    _cleanup_free_ char *server = NULL, *ca = NULL;
    struct centre_tls t = {0};
    int r = tls < 0 ? -errno : files_read_text_at(tls, "server.pem", HUB_CA_PEM_MAX, &server);

    if (r >= 0)
        r = files_read_text_at(tls, "ca.pem", HUB_CA_PEM_MAX, &ca);
    if (r >= 0)
        r = files_read_text_at(tls, "server.key", HUB_CA_PEM_MAX, &t.key);
    if (r >= 0 && asprintf(&t.chain, "%s\n%s\n", server, ca) < 0) {
        t.chain = NULL;
        r = -ENOMEM;
    }
    if (r >= 0)
        *ret = t;
    else
        centre_tls_done(&t);
    return r;
}

void centre_tls_done(struct centre_tls *t)
{
    free(t->chain);
    t->key = hub_ca_secret_free(t->key);
    *t = (struct centre_tls){0};
}
