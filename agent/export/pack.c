/*
 * The container. Owns: the archive while it is written, and that what goes into it has the digest it was staged with. Must not: keep the
 * password, read anything but what is staged.
 */
#include "export/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/hash.h"

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

static int from_archive(struct archive *a)
{
    int e = archive_errno(a);

    if (e == ENOSPC || e == EDQUOT || e == EFBIG)
        return PACK_E_FULL;
    return e > 0 ? -e : -EIO;
}

struct packer {
    const struct pack_options *options;
    struct archive *archive;
    uint8_t *chunk;
    uint64_t done, total;
};

static int add_chunk(struct packer *p, struct hash *h, size_t size)
{
    const struct pack_options *o = p->options;
    int r = hash_add(h, p->chunk, size);

    if (r < 0)
        return r;
    if (archive_write_data(p->archive, p->chunk, size) != (la_ssize_t)size)
        return from_archive(p->archive);
    p->done += size;
    return o->progress ? o->progress(o->context, p->done, p->total) : 0;
}

static int add_content(struct packer *p, const struct export_member *m)
{
    struct digest digest;
    struct hash *h = NULL;
    uint64_t left = m->size;
    int r = hash_new(&h);

    while (r == 0 && left > 0) {
        size_t want = left < CHUNK ? (size_t)left : CHUNK;
        ssize_t n = pread(p->options->staged, p->chunk, want, (off_t)(m->offset + m->size - left));

        if (n < 0 && errno == EINTR)
            continue;
        r = n < 0 ? -errno : n == 0 ? PACK_E_DIFFERS : add_chunk(p, h, (size_t)n);
        left -= n > 0 ? (uint64_t)n : 0;
    }
    if (r == 0)
        r = hash_end(h, &digest);
    if (r == 0 && !digest_equal(&digest, &m->sha256))
        r = PACK_E_DIFFERS;
    if (h)
        (void)hash_free(h);
    return r;
}

/* Nothing of the file but its name and content: no owner, no mode, no time of its own. */
static int add_member(struct packer *p, const struct export_member *m)
{
    struct archive_entry *entry = archive_entry_new();
    int r = 0;

    if (!entry)
        return -ENOMEM;
    archive_entry_set_pathname_utf8(entry, m->name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)m->size);
    archive_entry_set_mtime(entry, (time_t)(p->options->wall_us / 1000000), 0);
    if (archive_write_header(p->archive, entry) != ARCHIVE_OK)
        r = from_archive(p->archive);
    archive_entry_free(entry);
    return r < 0 || r > 0 ? r : add_content(p, m);
}

/* No encryption but the one that is asked for: an option that this libarchive does not know is an error, never passed over. */
static int begin(struct archive *a, const struct pack_options *o)
{
    if (archive_write_set_format_zip(a) != ARCHIVE_OK ||
        archive_write_set_options(a, "zip:hdrcharset=UTF-8,zip:encryption=aes256,zip:compression=deflate") !=
            ARCHIVE_OK ||
        archive_write_set_passphrase(a, o->password) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(a, 1) != ARCHIVE_OK || archive_write_open_fd(a, o->out) != ARCHIVE_OK)
        return from_archive(a);
    return 0;
}

int pack_zip(const struct pack_options *o)
{
    struct packer p = {.options = o, .archive = archive_write_new(), .total = export_members_size(o->members)};
    int r = 0;

    p.chunk = malloc(CHUNK);
    if (!p.archive || !p.chunk)
        r = -ENOMEM;
    if (r == 0)
        r = begin(p.archive, o);
    if (r == 0 && o->enter)
        r = o->enter(o->context);
    for (size_t i = 0; i < o->members->n && r == 0; i++)
        r = add_member(&p, &o->members->items[i]);
    if (r == 0 && archive_write_close(p.archive) != ARCHIVE_OK)
        r = from_archive(p.archive);
    /* On failure this finishes what there is of it, into a file that nobody will see: archive_write_fail() would leak (3.6.2). */
    if (p.archive)
        (void)archive_write_free(p.archive);
    if (p.chunk)
        explicit_bzero(p.chunk, CHUNK);
    free(p.chunk);
    return r;
}
