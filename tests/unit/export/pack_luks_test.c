#include "export/pack.h"

#include "test.h"

#include <endian.h>
#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <libcryptsetup.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/luks.h"
#include "pack_fixture.h"

static int pack(struct fixture *x)
{
    const struct pack_options o = options_of(x);

    return pack_luks(&o);
}

static void path_of(int fd, char ret[static 64])
{
    (void)snprintf(ret, 64, "/proc/self/fd/%d", fd);
}

/* As libcryptsetup has it from the header. The key's size, or -errno. */
static int key_of(const struct fixture *x, const char *password, uint8_t key[static SECTORS_KEY_SIZE])
{
    struct crypt_device *d = NULL;
    size_t size = SECTORS_KEY_SIZE;
    char path[64];
    int r;

    path_of(x->out, path);
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
static int decrypt(const struct fixture *x)
{
    int fd = memfd_create("clear", MFD_CLOEXEC);
    uint8_t key[SECTORS_KEY_SIZE], from[SECTORS_SIZE], to[SECTORS_SIZE];
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    off_t end = lseek(x->out, 0, SEEK_END);

    assert_int_equal(key_of(x, PASSWORD, key), SECTORS_KEY_SIZE);
    assert_int_equal((end - LUKS_HEADER_SIZE) % SECTORS_SIZE, 0);
    for (off_t at = LUKS_HEADER_SIZE; at < end; at += SECTORS_SIZE) {
        uint64_t tweak[2] = {htole64((uint64_t)(at - LUKS_HEADER_SIZE) / 512), 0};
        int n = 0;

        assert_int_equal(pread(x->out, from, sizeof(from), at), sizeof(from));
        assert_int_equal(EVP_DecryptInit_ex2(c, EVP_aes_256_xts(), key, (const uint8_t *)tweak, NULL), 1);
        assert_int_equal(EVP_DecryptUpdate(c, to, &n, from, sizeof(from)), 1);
        assert_int_equal(write(fd, to, sizeof(to)), n);
    }
    EVP_CIPHER_CTX_free(c);
    return fd;
}

static ext2_filsys open_image(int fd)
{
    ext2_filsys fs = NULL;
    char path[64];

    path_of(fd, path);
    assert_int_equal(ext2fs_open(path, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs), 0);
    assert_int_equal(ext2fs_read_bitmaps(fs), 0);
    return fs;
}

static int count_entry(struct ext2_dir_entry *entry, int offset, int block_size, char *buffer, void *context)
{
    (void)entry, (void)offset, (void)block_size, (void)buffer;
    ++*(size_t *)context;
    return 0;
}

static void check_file(struct fixture *x, ext2_filsys fs, const struct export_member *m)
{
    _cleanup_free_ uint8_t *content = malloc(m->size + 1);
    struct ext2_inode_large inode;
    struct digest digest;
    ext2_ino_t number = 0;
    ext2_file_t file;
    uint64_t got = 0;
    unsigned n;

    (void)x;
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
    assert_int_equal(got, m->size);
    assert_int_equal(digest_bytes(content, got, &digest), 0);
    assert_true(digest_equal(&digest, &m->sha256));
    ext2fs_file_close(file);
}

/* All that was packed, under its name, and nothing else. */
static void check_image(struct fixture *x)
{
    int clear = decrypt(x);
    ext2_filsys fs = open_image(clear);
    size_t entries = 0;

    for (size_t i = 0; i < x->members.n; i++)
        check_file(x, fs, &x->members.items[i]);
    assert_int_equal(ext2fs_dir_iterate(fs, EXT2_ROOT_INO, 0, NULL, count_entry, &entries), 0);
    assert_int_equal(entries, x->members.n + 2);
    assert_true(ext2fs_has_feature_readonly(fs->super)); /* no kernel writes to it */
    ext2fs_close_free(&fs);
    close(clear);
}

static void test_opens_with_the_password(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(pack(x), 0);
    assert_true(x->told >= 3);
    check_image(x);
}

static void test_not_with_another(void **state)
{
    uint8_t key[SECTORS_KEY_SIZE];
    struct fixture *x = *state;

    assert_int_equal(pack(x), 0);
    assert_int_equal(key_of(x, "AAAAA-BBBBB-CCCCC-DDDDD-EEEEF", key), -EPERM);
    assert_int_equal(key_of(x, "", key), -EPERM);
}

/* Around the sizes of a sector and of what is packed at once. */
static void test_sizes(void **state)
{
    static const size_t sizes[] = {1, 511, 4095, 4096, 4097, 8192, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1};
    struct fixture *x = *state;
    char name[32];

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        (void)snprintf(name, sizeof(name), "%zu", sizes[i]);
        add(x, name, large, sizes[i]);
    }
    assert_int_equal(pack(x), 0);
    check_image(x);
}

static void test_many_of_the_longest_names(void **state)
{
    struct fixture *x = *state;
    char name[EXPORT_NAME_MAX + 1];

    for (unsigned i = (unsigned)x->members.n; i < EXPORT_FILES_MAX; i++) {
        size_t n = (size_t)snprintf(name, sizeof(name), "%03u", i);

        while (n + 3 <= EXPORT_NAME_MAX)
            n += (size_t)snprintf(name + n, sizeof(name) - n, "住");
        assert_int_equal(n, EXPORT_NAME_MAX);
        add(x, name, &i, sizeof(i));
    }
    assert_int_equal(pack(x), 0);
    check_image(x);
}

/* Past what one extent, and one group of the filesystem, hold (128 MiB). */
static void test_large(void **state)
{
    struct fixture *x = *state;
    struct export_member m = {.name = "大.bin", .offset = export_members_size(&x->members), .size = (130 << 20) + 1};
    _cleanup_free_ uint8_t *zeros = calloc(1, m.size);

    assert_int_equal(ftruncate(x->staged, (off_t)(m.offset + m.size)), 0);
    assert_int_equal(digest_bytes(zeros, m.size, &m.sha256), 0);
    assert_int_equal(export_members_add(&x->members, &m), 0);
    assert_int_equal(lseek(x->staged, 0, SEEK_END), m.offset + m.size);
    add(x, "behind", "it", 2);
    assert_int_equal(pack(x), 0);
    check_image(x);
    /* What comes along: the header, and next to nothing of a filesystem. */
    assert_in_range(lseek(x->out, 0, SEEK_END), m.offset + m.size, m.offset + m.size + LUKS_HEADER_SIZE + (512 << 10));
}

static void test_time(void **state)
{
    static const int64_t seconds[] = {1795450000, INT64_C(7000000000)};
    struct fixture *x = *state;
    struct pack_options o = options_of(x);

    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        struct ext2_inode_large inode;
        ext2_filsys fs;
        int clear;

        o.wall_us = seconds[i] * 1000000;
        assert_int_equal(pack_luks(&o), 0);
        clear = decrypt(x);
        fs = open_image(clear);
        assert_int_equal(
            ext2fs_read_inode_full(fs, EXT2_GOOD_OLD_FIRST_INO, (struct ext2_inode *)&inode, sizeof(inode)), 0);
        /* As the kernel reads it. */
        assert_int_equal((int32_t)inode.i_mtime + ((int64_t)(inode.i_mtime_extra & 3) << 32), seconds[i]);
        ext2fs_close_free(&fs);
        close(clear);
    }
}

static bool holds(const uint8_t *all, size_t size, const char *text)
{
    return memmem(all, size, text, strlen(text)) != NULL;
}

static void test_nothing_in_the_clear(void **state)
{
    struct fixture *x = *state;
    size_t size;
    uint8_t *all;

    add(x, "見出し.txt", "a sentence that is not to be read", 33);
    assert_int_equal(pack(x), 0);
    size = (size_t)lseek(x->out, 0, SEEK_END);
    all = mmap(NULL, size, PROT_READ, MAP_SHARED, x->out, 0);
    assert_ptr_not_equal(all, MAP_FAILED);
    assert_true(holds(all, size, "argon2id")); /* it looks where it should */
    assert_false(holds(all, size, "a sentence"));
    assert_false(holds(all, size, "見出し"));
    assert_false(holds(all, size, "名簿"));
    assert_false(holds(all, size, "AAAAA"));
    assert_null(memmem(all, size, large, 32));
    /* Not even what is empty. */
    for (size_t at = LUKS_HEADER_SIZE; at < size; at += SECTORS_SIZE)
        assert_false(all[at] == 0 && memcmp(all + at, all + at + 1, SECTORS_SIZE - 1) == 0);
    munmap(all, size);
}

static void test_another_key_each_time(void **state)
{
    uint8_t a[SECTORS_KEY_SIZE], b[SECTORS_KEY_SIZE];
    struct fixture *x = *state;

    assert_int_equal(pack(x), 0);
    assert_int_equal(key_of(x, PASSWORD, a), SECTORS_KEY_SIZE);
    assert_int_equal(pack(x), 0);
    assert_int_equal(key_of(x, PASSWORD, b), SECTORS_KEY_SIZE);
    assert_memory_not_equal(a, b, 32);
    assert_memory_not_equal(a + 32, b + 32, 32);
}

static void test_no_room(void **state)
{
    const struct rlimit little = {900 << 10, RLIM_INFINITY};
    struct fixture *x = *state;
    struct rlimit before;

    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    assert_int_equal(pack(x), PACK_E_FULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_opens_with_the_password),
        TEST(test_not_with_another),
        TEST(test_sizes),
        TEST(test_many_of_the_longest_names),
        TEST(test_large),
        TEST(test_time),
        TEST(test_nothing_in_the_clear),
        TEST(test_another_key_each_time),
        TEST(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
