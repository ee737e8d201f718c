/*
 * What the containers share. Owns: the password, and that what goes into a container has the digest it was staged with. Must not: keep the
 * password, read anything but what is staged.
 */
#include "export/pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "export/hash.h"
#include "export/pack_internal.h"

enum {
    CHUNK = 256 * 1024,
    GROUP = 5
};

int pack_password(char ret[static PACK_PASSWORD_SIZE])
{
    static const char alphabet[32] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* no end: all 32 are meant */
    uint8_t bytes[PACK_PASSWORD_SIZE];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return -EIO;
    for (size_t i = 0; i < PACK_PASSWORD_SIZE; i++)
        ret[i] = i % (GROUP + 1) == GROUP ? '-' : alphabet[bytes[i] % 32];
    ret[PACK_PASSWORD_SIZE - 1] = '\0';
    explicit_bzero(bytes, sizeof(bytes));
    return 0;
}

int packing_init(struct packing *p, const struct pack_options *o)
{
    *p = (struct packing){.options = o, .chunk = malloc(CHUNK), .total = export_members_size(o->members)};
    if (!p->chunk)
        return -ENOMEM;
    return o->enter ? o->enter(o->context) : 0;
}

void packing_done(struct packing *p)
{
    if (p->chunk)
        explicit_bzero(p->chunk, CHUNK);
    free(p->chunk);
    *p = (struct packing){0};
}

struct sink {
    int (*put)(void *context, const uint8_t *data, size_t size);
    void *context;
    struct hash *hash;
};

static int add_chunk(struct packing *p, const struct sink *to, size_t size)
{
    const struct pack_options *o = p->options;
    int r = hash_add(to->hash, p->chunk, size);

    if (r >= 0)
        r = to->put(to->context, p->chunk, size);
    if (r != 0)
        return r;
    p->done += size;
    return o->progress ? o->progress(o->context, p->done, p->total) : 0;
}

int packing_content(struct packing *p, const struct export_member *m,
                    int (*put)(void *context, const uint8_t *data, size_t size), void *context)
{
    struct sink to = {put, context, NULL};
    uint64_t left = m->size;
    struct digest digest;
    int r = hash_new(&to.hash);

    while (r == 0 && left > 0) {
        size_t want = left < CHUNK ? (size_t)left : CHUNK;
        ssize_t n = pread(p->options->staged, p->chunk, want, (off_t)(m->offset + m->size - left));

        if (n < 0 && errno == EINTR)
            continue;
        r = n < 0 ? -errno : n == 0 ? PACK_E_DIFFERS : add_chunk(p, &to, (size_t)n);
        left -= n > 0 ? (uint64_t)n : 0;
    }
    if (r == 0)
        r = hash_end(to.hash, &digest);
    if (r == 0 && !digest_equal(&digest, &m->sha256))
        r = PACK_E_DIFFERS;
    if (to.hash)
        (void)hash_free(to.hash);
    return r;
}
