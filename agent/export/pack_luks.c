/*
 * The container for who has Linux: a LUKS2 image. Owns: the key of its sectors, made here and wiped here. Must not: keep anything that opens it.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/image.h"
#include "export/luks.h"
#include "export/pack_internal.h"

DEFINE_CLEANUP(struct image *, image_free);
DEFINE_CLEANUP(struct sectors *, sectors_free);

static int put_chunk(void *context, const uint8_t *data, size_t size)
{
    return image_write(context, data, size);
}

static int add_member(struct packing *p, struct image *image, const struct export_member *m)
{
    int r = image_add(image);

    if (r == 0)
        r = packing_content(p, m, put_chunk, image);
    return r == 0 ? image_close(image) : r;
}

/* The image is written into nothing but the sectors, and nothing is opened any more: libcryptsetup had to. */
static int fill(const struct pack_options *o, struct image *image, struct sectors *sectors)
{
    struct packing p;
    int r = packing_init(&p, o);

    if (r == 0)
        r = image_begin(image, sectors);
    for (size_t i = 0; i < o->members->n && r == 0; i++)
        r = add_member(&p, image, &o->members->items[i]);
    if (r == 0)
        r = image_end(image);
    if (r == 0)
        r = sectors_fill(sectors);
    packing_done(&p);
    return r;
}

static int pack_with(const struct pack_options *o, const uint8_t key[static SECTORS_KEY_SIZE])
{
    _cleanup_(sectors_freep) struct sectors *sectors = NULL;
    _cleanup_(image_freep) struct image *image = NULL; /* released before what it writes to */
    uint64_t size = 0;
    int r = image_new(o->members, o->wall_us, &image, &size);

    if (r == 0)
        r = sectors_new(o->out, LUKS_HEADER_SIZE, size / SECTORS_SIZE, key, &sectors);
    if (r == 0 && ftruncate(o->out, (off_t)(LUKS_HEADER_SIZE + size)) < 0)
        r = -errno;
    if (r == 0)
        r = luks_format(o->out, o->password, key);
    return r == 0 ? fill(o, image, sectors) : r;
}

int pack_luks(const struct pack_options *o)
{
    uint8_t key[SECTORS_KEY_SIZE];
    int r = -EIO;

    if (getrandom(key, sizeof(key), 0) == (ssize_t)sizeof(key))
        r = pack_with(o, key);
    explicit_bzero(key, sizeof(key));
    return r == -ENOSPC || r == -EDQUOT || r == -EFBIG ? PACK_E_FULL : r;
}
