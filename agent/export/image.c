/*
 * The filesystem inside a container, by libext2fs. Owns: what is in it beside the files' bytes. Must not: write anywhere but to the sectors it
 * was given, which encrypt: nothing of it ever lies in the clear.
 */
#include "export/image.h"

#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"

enum {
    BLOCK_LOG = 2, /* 1024 << BLOCK_LOG */
    BLOCK_SIZE = 1024 << BLOCK_LOG,
    INODE_SIZE = 256,
    INODE_EXTRA = 32,      /* what is in use of its second half */
    EXTENT_BLOCKS = 32768, /* the most that one extent covers; a group has as many */
    LEAF_EXTENTS = 100,    /* fewer than are in a block of them, be it a half empty one */
    ENTRY_MAX = 8 + 256,   /* of a directory */
    BLOCKS_FIRST = 64,     /* fewer make no filesystem */
    TRIES = 100,
};

struct image {
    ext2_filsys fs;
    ext2_file_t file;
    const struct export_members *members;
    size_t next; /* member to add */
    int64_t seconds;
};

/* libext2fs hands on errno, and has its own above. */
static int from_ext(errcode_t e)
{
    return e == 0 ? 0 : e == EXT2_ET_NO_MEMORY ? -ENOMEM : e > 0 && e < 256 ? -(int)e : -EIO;
}

/* --- the sectors as libext2fs's device: private_data has them from image_begin() on; nothing is read or written before --- */

static struct struct_io_manager manager;

static errcode_t channel_open(const char *name, int flags, io_channel *ret)
{
    io_channel c = calloc(1, sizeof(*c));

    (void)name;
    (void)flags;
    if (!c)
        return EXT2_ET_NO_MEMORY;
    c->magic = EXT2_ET_MAGIC_IO_CHANNEL;
    c->manager = &manager;
    c->block_size = BLOCK_SIZE;
    c->refcount = 1;
    *ret = c;
    return 0;
}

static errcode_t channel_close(io_channel c)
{
    if (--c->refcount == 0)
        free(c);
    return 0;
}

static errcode_t channel_set_block_size(io_channel c, int size)
{
    c->block_size = size;
    return 0;
}

/* A negative count is one of bytes. */
static size_t count_bytes(const struct struct_io_channel *c, int count)
{
    return count < 0 ? (size_t)-count : (size_t)count * (size_t)c->block_size;
}

static errcode_t channel_read64(io_channel c, unsigned long long block, int count, void *data)
{
    return c->private_data
               ? -sectors_read(c->private_data, block * (unsigned)c->block_size, data, count_bytes(c, count))
               : EIO;
}

static errcode_t channel_write64(io_channel c, unsigned long long block, int count, const void *data)
{
    return c->private_data
               ? -sectors_write(c->private_data, block * (unsigned)c->block_size, data, count_bytes(c, count))
               : EIO;
}

static errcode_t channel_read(io_channel c, unsigned long block, int count, void *data)
{
    return channel_read64(c, block, count, data);
}

static errcode_t channel_write(io_channel c, unsigned long block, int count, const void *data)
{
    return channel_write64(c, block, count, data);
}

static errcode_t channel_flush(io_channel c)
{
    (void)c;
    return 0;
}

static struct struct_io_manager manager = {.magic = EXT2_ET_MAGIC_IO_MANAGER,
                                           .name = "sectors",
                                           .open = channel_open,
                                           .close = channel_close,
                                           .set_blksize = channel_set_block_size,
                                           .read_blk = channel_read,
                                           .write_blk = channel_write,
                                           .flush = channel_flush,
                                           .read_blk64 = channel_read64,
                                           .write_blk64 = channel_write64};

/* --- how large it must be --- */

static uint64_t blocks_of(uint64_t size)
{
    return size / BLOCK_SIZE + (size % BLOCK_SIZE > 0);
}

/* Content, the extents of files that have too many for their inode, and the directory. */
static uint64_t blocks_needed(const struct export_members *m)
{
    uint64_t need = 0, entries = 2 * ENTRY_MAX;

    for (size_t i = 0; i < m->n; i++) {
        uint64_t blocks = blocks_of(m->items[i].size);

        need += blocks + (blocks < EXTENT_BLOCKS ? 0 : 2 + blocks / EXTENT_BLOCKS / LEAF_EXTENTS);
        entries += 8 + (strlen(m->items[i].name) + 3) / 4 * 4;
    }
    return need + entries / (BLOCK_SIZE - ENTRY_MAX) + 1;
}

/* No journal, no reserved blocks, nothing that an old kernel does not read. Not on any device yet. */
static errcode_t plan(uint64_t blocks, size_t files, ext2_filsys *ret)
{
    struct ext2_super_block super = {
        .s_rev_level = EXT2_DYNAMIC_REV,
        .s_log_block_size = BLOCK_LOG,
        .s_log_cluster_size = BLOCK_LOG,
        .s_inodes_count = (uint32_t)files + EXT2_GOOD_OLD_FIRST_INO,
        .s_inode_size = INODE_SIZE,
        .s_min_extra_isize = INODE_EXTRA,
        .s_want_extra_isize = INODE_EXTRA,
        .s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS,
        .s_feature_ro_compat = EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
                               EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE};
    errcode_t e;

    ext2fs_blocks_count_set(&super, blocks);
    e = ext2fs_initialize("", EXT2_FLAG_64BITS | EXT2_FLAG_RW, &super, &manager, ret);
    if (e == 0)
        e = ext2fs_allocate_tables(*ret);
    return e;
}

/* libext2fs says what its own tables take, so it is asked until it fits: they grow with the filesystem, but much less. */
static int size_up(struct image *i)
{
    uint64_t need = blocks_needed(i->members), blocks = need + BLOCKS_FIRST;

    for (unsigned t = 0; t < TRIES; t++) {
        errcode_t e = plan(blocks, i->members->n, &i->fs);
        uint64_t free_blocks = e == 0 ? ext2fs_free_blocks_count(i->fs->super) : 0;

        if (e == 0 && free_blocks >= need)
            return 0;
        if (e != 0 && e != EXT2_ET_TOOSMALL)
            return from_ext(e);
        if (i->fs)
            ext2fs_free(i->fs);
        i->fs = NULL;
        /* The end of it is dropped when it is too short for a group. */
        blocks += e != 0 ? BLOCKS_FIRST : need - free_blocks;
    }
    return -EOVERFLOW;
}

struct image *image_free(struct image *i)
{
    if (!i)
        return NULL;
    if (i->file)
        (void)ext2fs_file_close(i->file);
    if (i->fs)
        ext2fs_free(i->fs);
    free(i);
    return NULL;
}

DEFINE_CLEANUP(struct image *, image_free);

int image_new(const struct export_members *m, int64_t wall_us, struct image **ret, uint64_t *ret_size)
{
    _cleanup_(image_freep) struct image *i = calloc(1, sizeof(*i));
    int r;

    if (!i)
        return -ENOMEM;
    i->members = m;
    i->seconds = wall_us / 1000000;
    r = size_up(i);
    if (r < 0)
        return r;
    i->fs->now = i->seconds;
    *ret_size = ext2fs_blocks_count(i->fs->super) * BLOCK_SIZE;
    *ret = TAKE_PTR(i);
    return 0;
}

/* --- what is in it --- */

/* Nothing of the file but its name and content: no owner, no mode, no time of its own. */
static errcode_t write_inode(const struct image *i, ext2_ino_t number)
{
    struct ext2_inode_large inode = {.i_mode = LINUX_S_IFREG | 0644,
                                     .i_links_count = 1,
                                     .i_flags = EXT4_EXTENTS_FL,
                                     .i_extra_isize = INODE_EXTRA,
                                     .i_mtime = (uint32_t)i->seconds};
    struct ext2_inode *small = (struct ext2_inode *)&inode;
    ext2_extent_handle_t extents = NULL;
    errcode_t e;

    inode.i_ctime = inode.i_atime = inode.i_crtime = inode.i_mtime;
    /* Past 2038: the number is signed, and two bits more stand here. */
    inode.i_mtime_extra = (uint32_t)((i->seconds - (int32_t)inode.i_mtime) >> 32) & 3;
    inode.i_ctime_extra = inode.i_atime_extra = inode.i_crtime_extra = inode.i_mtime_extra;
    e = ext2fs_extent_open2(i->fs, number, small, &extents); /* makes an empty tree in it */
    if (e != 0)
        return e;
    ext2fs_extent_free(extents);
    return ext2fs_write_inode_full(i->fs, number, small, sizeof(inode));
}

static ext2_ino_t number_of(size_t member)
{
    return EXT2_GOOD_OLD_FIRST_INO + (ext2_ino_t)member;
}

static errcode_t make_entry(const struct image *i, size_t member)
{
    const char *name = i->members->items[member].name;
    ext2_ino_t number = 0;
    errcode_t e = ext2fs_new_inode(i->fs, EXT2_ROOT_INO, LINUX_S_IFREG, NULL, &number);

    if (e == 0 && number != number_of(member))
        e = EXT2_ET_INODE_ALLOC_FAIL;
    if (e == 0)
        e = write_inode(i, number);
    if (e != 0)
        return e;
    ext2fs_inode_alloc_stats2(i->fs, number, 1, 0);
    e = ext2fs_link(i->fs, EXT2_ROOT_INO, name, number, EXT2_FT_REG_FILE);
    if (e == EXT2_ET_DIR_NO_SPACE) {
        e = ext2fs_expand_dir(i->fs, EXT2_ROOT_INO);
        if (e == 0)
            e = ext2fs_link(i->fs, EXT2_ROOT_INO, name, number, EXT2_FT_REG_FILE);
    }
    return e;
}

int image_begin(struct image *i, struct sectors *s)
{
    struct ext2_super_block *super = i->fs->super;
    errcode_t e;

    i->fs->io->private_data = s;
    if (getrandom(super->s_uuid, sizeof(super->s_uuid), 0) != (ssize_t)sizeof(super->s_uuid))
        return -EIO;
    super->s_uuid[6] = (super->s_uuid[6] & 0x0f) | 0x40; /* RFC 9562: random */
    super->s_uuid[8] = (super->s_uuid[8] & 0x3f) | 0x80;
    memcpy(super->s_volume_name, "kuraban", sizeof("kuraban"));
    super->s_max_mnt_count = -1;
    super->s_mkfs_time = super->s_wtime = super->s_lastcheck = (uint32_t)i->seconds;
    ext2fs_inode_alloc_stats2(i->fs, EXT2_BAD_INO, 1, 0);
    e = ext2fs_mkdir(i->fs, EXT2_ROOT_INO, EXT2_ROOT_INO, NULL);
    for (ext2_ino_t n = EXT2_ROOT_INO + 1; n < EXT2_GOOD_OLD_FIRST_INO && e == 0; n++)
        ext2fs_inode_alloc_stats2(i->fs, n, 1, 0);
    /* All of them now: the directory is in one piece, and content comes behind it. */
    for (size_t m = 0; m < i->members->n && e == 0; m++)
        e = make_entry(i, m);
    return from_ext(e);
}

int image_add(struct image *i)
{
    ext2_ino_t number = number_of(i->next);
    uint64_t blocks = blocks_of(i->members->items[i->next].size);
    errcode_t e = 0;

    if (blocks > 0)
        e = ext2fs_fallocate(i->fs, EXT2_FALLOCATE_FORCE_INIT, number, NULL, ~0ULL, 0, blocks);
    if (e == 0)
        e = ext2fs_file_open(i->fs, number, EXT2_FILE_WRITE, &i->file);
    if (e == 0)
        i->next++;
    return from_ext(e);
}

int image_write(struct image *i, const void *data, size_t size)
{
    const uint8_t *from = data;

    while (size > 0) {
        unsigned n = 0;
        errcode_t e = ext2fs_file_write(i->file, from, (unsigned)size, &n);

        if (e != 0)
            return from_ext(e);
        from += n;
        size -= n;
    }
    return 0;
}

int image_close(struct image *i)
{
    ext2_file_t file = i->file;

    i->file = NULL;
    return from_ext(ext2fs_file_close(file));
}

int image_end(struct image *i)
{
    errcode_t e;

    ext2fs_set_feature_readonly(i->fs->super);
    ext2fs_mark_super_dirty(i->fs);
    e = ext2fs_close_free(&i->fs);
    return from_ext(e);
}
