/*
 * The container that opens everywhere: a zip. Owns: the archive while it is written. Must not: leave a file in it unencrypted.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <time.h>

#include "export/pack_internal.h"

static int from_archive(struct archive *a)
{
    int e = archive_errno(a);

    if (e == ENOSPC || e == EDQUOT || e == EFBIG)
        return PACK_E_FULL;
    return e > 0 ? -e : -EIO;
}

static int put_chunk(void *context, const uint8_t *data, size_t size)
{
    struct archive *a = context;

    return archive_write_data(a, data, size) == (la_ssize_t)size ? 0 : from_archive(a);
}

/* Nothing of the file but its name and content: no owner, no mode, no time of its own. */
static int add_member(struct packing *p, struct archive *a, const struct export_member *m)
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
    if (archive_write_header(a, entry) != ARCHIVE_OK)
        r = from_archive(a);
    archive_entry_free(entry);
    return r != 0 ? r : packing_content(p, m, put_chunk, a);
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
    struct archive *a = archive_write_new();
    struct packing p = {0};
    int r = a ? begin(a, o) : -ENOMEM;

    if (r == 0)
        r = packing_init(&p, o);
    for (size_t i = 0; i < o->members->n && r == 0; i++)
        r = add_member(&p, a, &o->members->items[i]);
    if (r == 0 && archive_write_close(a) != ARCHIVE_OK)
        r = from_archive(a);
    /* On failure this finishes what there is of it, into a file that nobody will see: archive_write_fail() would leak (3.6.2). */
    if (a)
        (void)archive_write_free(a);
    packing_done(&p);
    return r;
}
