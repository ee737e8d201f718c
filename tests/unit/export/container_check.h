#pragma once

#include "test.h"

#include <archive.h>
#include <archive_entry.h>
#include <endian.h>
#include <ext2fs/ext2fs.h>
#include <libcryptsetup.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/luks.h"
#include "export/members.h"

/* What is in a container, by the password alone: all that was packed, under its name, and nothing else. */

/* --- zip --- */

/* With another library's eyes would be better: component/daemon_export asks 7-Zip. */
static inline struct archive *open_zip(int out, const char *password)
{
    struct archive *a = archive_read_new();

    assert_int_equal(archive_read_support_format_zip(a), ARCHIVE_OK);
    assert_int_equal(archive_read_add_passphrase(a, password), ARCHIVE_OK);
    assert_int_equal(lseek(out, 0, SEEK_SET), 0);
    assert_int_equal(archive_read_open_fd(a, out, 4096), ARCHIVE_OK);
    return a;
}

static inline void check_content(const uint8_t *content, size_t size, const struct export_member *m)
{
    struct digest digest;

    assert_int_equal(size, m->size);
    assert_int_equal(digest_bytes(content, size, &digest), 0);
    assert_true(digest_equal(&digest, &m->sha256));
}

/* Entries bear this time; 0: any. */
static inline void check_zip(int out, const char *password, const struct export_members *members, int64_t seconds)
{
    struct archive *a = open_zip(out, password);
    struct archive_entry *e;

    for (size_t i = 0; i < members->n; i++) {
        const struct export_member *m = &members->items[i];
        _cleanup_free_ uint8_t *content = malloc(m->size + 1);

        assert_int_equal(archive_read_next_header(a, &e), ARCHIVE_OK);
        assert_string_equal(archive_entry_pathname_utf8(e), m->name);
        assert_true(m->size == 0 || archive_entry_is_data_encrypted(e));
        assert_true(seconds == 0 || archive_entry_mtime(e) == seconds);
        check_content(content, (size_t)archive_read_data(a, content, m->size + 1), m);
    }
    assert_int_equal(archive_read_next_header(a, &e), ARCHIVE_EOF);
    archive_read_free(a);
}

/* --- LUKS --- */

static inline void path_of(int fd, char ret[static 64])
{
    (void)snprintf(ret, 64, "/proc/self/fd/%d", fd);
}

/* As libcryptsetup has it from the header. The key's size, or -errno. */
static inline int key_of(int out, const char *password, uint8_t key[static SECTORS_KEY_SIZE])
{
    struct crypt_device *d = NULL;
    size_t size = SECTORS_KEY_SIZE;
    char path[64];
    int r;

    path_of(out, path);
    assert_int_equal(crypt_init(&d, path), 0);
    assert_int_equal(crypt_load(d, CRYPT_LUKS2, NULL), 0);
    assert_string_equal(crypt_get_cipher(d), "aes");
    assert_string_equal(crypt_get_cipher_mode(d), "xts-plain64");
    assert_int_equal(crypt_get_sector_size(d), SECTORS_SIZE);
    assert_int_equal(crypt_get_data_offset(d) * 512, LUKS_HEADER_SIZE);
    r = crypt_volume_key_get(d, CRYPT_ANY_SLOT, (char *)key, &size, password, strlen(password));
    crypt_free(d);
    return r < 0 ? r : (int)size;
}

/* What is behind the header, in the clear: a memfd. Sector by sector with a tweak that is counted here, not by export/sectors.c. */
static inline int decrypt(int out, const char *password)
{
    int fd = memfd_create("clear", MFD_CLOEXEC);
    uint8_t key[SECTORS_KEY_SIZE], from[SECTORS_SIZE], to[SECTORS_SIZE];
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    off_t end = lseek(out, 0, SEEK_END);

    assert_int_equal(key_of(out, password, key), SECTORS_KEY_SIZE);
    assert_int_equal((end - LUKS_HEADER_SIZE) % SECTORS_SIZE, 0);
    for (off_t at = LUKS_HEADER_SIZE; at < end; at += SECTORS_SIZE) {
        uint64_t tweak[2] = {htole64((uint64_t)(at - LUKS_HEADER_SIZE) / 512), 0};
        int n = 0;

        assert_int_equal(pread(out, from, sizeof(from), at), sizeof(from));
        assert_int_equal(EVP_DecryptInit_ex2(c, EVP_aes_256_xts(), key, (const uint8_t *)tweak, NULL), 1);
        assert_int_equal(EVP_DecryptUpdate(c, to, &n, from, sizeof(from)), 1);
        assert_int_equal(write(fd, to, sizeof(to)), n);
    }
    EVP_CIPHER_CTX_free(c);
    return fd;
}

static inline ext2_filsys open_image(int fd)
{
    ext2_filsys fs = NULL;
    char path[64];

    path_of(fd, path);
    assert_int_equal(ext2fs_open(path, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs), 0);
    assert_int_equal(ext2fs_read_bitmaps(fs), 0);
    return fs;
}

static inline int count_entry(struct ext2_dir_entry *entry, int offset, int block_size, char *buffer, void *context)
{
    (void)entry, (void)offset, (void)block_size, (void)buffer;
    ++*(size_t *)context;
    return 0;
}

static inline void check_file(ext2_filsys fs, const struct export_member *m)
{
    _cleanup_free_ uint8_t *content = malloc(m->size + 1);
    struct ext2_inode_large inode;
    ext2_ino_t number = 0;
    ext2_file_t file;
    uint64_t got = 0;
    unsigned n;

    assert_int_equal(ext2fs_namei(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, m->name, &number), 0);
    assert_int_equal(ext2fs_read_inode_full(fs, number, (struct ext2_inode *)&inode, sizeof(inode)), 0);
    assert_int_equal(inode.i_mode, LINUX_S_IFREG | 0644);
    assert_int_equal(inode.i_uid + inode.i_gid, 0);
    assert_int_equal(inode.i_links_count, 1);
    assert_int_equal(EXT2_I_SIZE(&inode), m->size);
    assert_int_equal(ext2fs_file_open(fs, number, 0, &file), 0);
    do {
        assert_int_equal(ext2fs_file_read(file, content + got, (unsigned)(m->size + 1 - got), &n), 0);
        got += n;
    } while (n > 0);
    check_content(content, got, m);
    ext2fs_file_close(file);
}

static inline void check_image(int out, const char *password, const struct export_members *members)
{
    int clear = decrypt(out, password);
    ext2_filsys fs = open_image(clear);
    size_t entries = 0;

    for (size_t i = 0; i < members->n; i++)
        check_file(fs, &members->items[i]);
    assert_int_equal(ext2fs_dir_iterate(fs, EXT2_ROOT_INO, 0, NULL, count_entry, &entries), 0);
    assert_int_equal(entries, members->n + 2);
    assert_true(ext2fs_has_feature_readonly(fs->super)); /* no kernel writes to it */
    ext2fs_close_free(&fs);
    close(clear);
}
