/*
 * What the exporting process calls, as it fails: the kernel, libarchive, libcryptsetup, libext2fs. Owns: the medium, which is a directory here. Must
 * not: know what is tested.
 */
#include "fault/export_calls.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <libcryptsetup.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistd.h>

#include "export/identity.h"
#include "export/medium.h"
#include "export/sandbox.h"
#include "fault/fault.h"

#define WRAP(type_, name_, ...)                                                                                        \
    type_ __real_##name_(__VA_ARGS__);                                                                                 \
    type_ __wrap_##name_(__VA_ARGS__);                                                                                 \
    type_ __wrap_##name_(__VA_ARGS__)

/* FAILS(what it says then, what it returns, name, (parameters), (arguments)) */
#define FAILS(failure_, type_, name_, parameters_, arguments_)                                                         \
    type_ __real_##name_ parameters_;                                                                                  \
    type_ __wrap_##name_ parameters_;                                                                                  \
    type_ __wrap_##name_ parameters_                                                                                   \
    {                                                                                                                  \
        return fault_fails() ? (failure_) : __real_##name_ arguments_;                                                 \
    }                                                                                                                  \
    struct fails_eats_semicolon_##name_

static struct export_around *around;

static int error(int number)
{
    errno = number;
    return -1;
}

static void *nothing(int number)
{
    errno = number;
    return NULL;
}

/* --- files --- */

WRAP(int, open, const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list arguments;

    if (fault_fails())
        return error(EACCES);
    va_start(arguments, flags);
    if (flags & O_CREAT)
        mode = va_arg(arguments, mode_t);
    va_end(arguments);
    return __real_open(path, flags, mode);
}

/* Half of it, or none. */
WRAP(ssize_t, pread, int fd, void *to, size_t size, off_t at)
{
    if (!fault_fails())
        return __real_pread(fd, to, size, at);
    return size < 2 || fault_random() % 2 ? error(EIO) : __real_pread(fd, to, size / 2, at);
}

WRAP(ssize_t, pwrite, int fd, const void *from, size_t size, off_t at)
{
    if (!fault_fails())
        return __real_pwrite(fd, from, size, at);
    return size < 2 || fault_random() % 2 ? error(ENOSPC) : __real_pwrite(fd, from, size / 2, at);
}

WRAP(int, posix_memalign, void **ret, size_t alignment, size_t size)
{
    int r = fault_fails() ? ENOMEM : __real_posix_memalign(ret, alignment, size);

    if (r == 0)
        (void)fault_counted(*ret);
    return r;
}

FAILS(error(EIO), int, mkdirat, (int directory, const char *name, mode_t mode), (directory, name, mode));
FAILS(error(EIO), int, renameat2, (int from, const char *a, int to, const char *b, unsigned flags),
      (from, a, to, b, flags));
FAILS(error(EIO), int, syncfs, (int fd), (fd));
FAILS(error(EIO), int, sync_file_range, (int fd, off_t at, off_t size, unsigned flags), (fd, at, size, flags));
FAILS(error(EIO), int, fstatfs, (int fd, struct statfs *ret), (fd, ret));
FAILS(error(EIO), int, fstatvfs, (int fd, struct statvfs *ret), (fd, ret));
FAILS(error(EIO), int, ftruncate, (int fd, off_t size), (fd, size));
FAILS(error(EIO), off_t, lseek, (int fd, off_t at, int from), (fd, at, from));
FAILS(nothing(ENOMEM), DIR *, fdopendir, (int fd), (fd));
FAILS(nothing(EIO), struct dirent *, readdir, (DIR * dir), (dir));
FAILS(error(EMFILE), int, memfd_create, (const char *name, unsigned flags), (name, flags));
FAILS((nothing(ENOMEM), MAP_FAILED), void *, mmap,
      (void *at, size_t size, int protection, int flags, int fd, off_t offset),
      (at, size, protection, flags, fd, offset));

/* --- processes and sockets --- */

WRAP(pid_t, fork, void)
{
    pid_t pid = fault_fails() ? error(EAGAIN) : __real_fork();

    if (pid == 0)
        fault_forked();
    return pid;
}

FAILS(error(EMFILE), int, pidfd_open, (pid_t pid, unsigned flags), (pid, flags));
FAILS(error(EAGAIN), ssize_t, recv, (int fd, void *to, size_t size, int flags), (fd, to, size, flags));

_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);
_Noreturn void __wrap__exit(int status)
{
    struct fault_account account = fault_end();

    if (around) {
        (void)__atomic_add_fetch(&around->calls, account.calls, __ATOMIC_RELAXED);
        (void)__atomic_add_fetch(&around->faults, account.faults, __ATOMIC_RELAXED);
    }
    __real__exit(status);
}

FAILS(-EPERM, int, identity_take, (const struct export_identity *id), (id));
FAILS(-EPERM, int, identity_drop_capabilities, (void), ());
FAILS(-EPERM, int, sandbox_enter, (enum sandbox what, uint64_t size_max), (what, size_max));

/* --- the medium --- */

WRAP(int, medium_mount, const struct medium_nodes *m, int *ret_root)
{
    static const int results[] = {MEDIUM_E_READ_ONLY, MEDIUM_E_FILESYSTEM, -ENODEV, -EIO};

    (void)m;
    if (fault_fails())
        return results[fault_random() % 4];
    around->mounted = around->unguarded = true;
    *ret_root = __real_open(around->medium, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret_root < 0 ? -errno : 0;
}

WRAP(int, medium_protect, const struct medium_nodes *m)
{
    (void)m;
    around->unguarded = false;
    return fault_fails() ? -EIO : 0;
}

WRAP(int, medium_check_closed, const struct medium_nodes *m)
{
    (void)m;
    return fault_fails() ? -EIO : 0;
}

/* --- OpenSSL --- */

FAILS(0, int, EVP_EncryptInit_ex2,
      (EVP_CIPHER_CTX * c, const EVP_CIPHER *kind, const uint8_t *key, const uint8_t *iv, const OSSL_PARAM *p),
      (c, kind, key, iv, p));
FAILS(0, int, EVP_DecryptInit_ex2,
      (EVP_CIPHER_CTX * c, const EVP_CIPHER *kind, const uint8_t *key, const uint8_t *iv, const OSSL_PARAM *p),
      (c, kind, key, iv, p));
FAILS(0, int, EVP_CipherInit_ex2,
      (EVP_CIPHER_CTX * c, const EVP_CIPHER *kind, const uint8_t *key, const uint8_t *iv, int encrypt,
       const OSSL_PARAM *p),
      (c, kind, key, iv, encrypt, p));

/* --- libunistring: what it gives, free() takes back --- */

WRAP(uint8_t *, u8_casefold, const uint8_t *s, size_t n, const char *language, uninorm_t normal, uint8_t *buffer,
     size_t *ret)
{
    return fault_fails() ? nothing(ENOMEM) : fault_counted(__real_u8_casefold(s, n, language, normal, buffer, ret));
}

/* --- libarchive --- */

FAILS(NULL, struct archive *, archive_write_new, (void), ());
FAILS(NULL, struct archive_entry *, archive_entry_new, (void), ());
FAILS(ARCHIVE_FATAL, int, archive_write_set_format_zip, (struct archive * a), (a));
FAILS(ARCHIVE_FAILED, int, archive_write_set_options, (struct archive * a, const char *options), (a, options));
FAILS(ARCHIVE_FATAL, int, archive_write_set_passphrase, (struct archive * a, const char *phrase), (a, phrase));
FAILS(ARCHIVE_FATAL, int, archive_write_set_bytes_in_last_block, (struct archive * a, int n), (a, n));
FAILS(ARCHIVE_FATAL, int, archive_write_open_fd, (struct archive * a, int fd), (a, fd));
FAILS(ARCHIVE_FATAL, int, archive_write_header, (struct archive * a, struct archive_entry *entry), (a, entry));
FAILS(ARCHIVE_FATAL, int, archive_write_close, (struct archive * a), (a));
FAILS(ARCHIVE_FATAL, la_ssize_t, archive_write_data, (struct archive * a, const void *data, size_t size),
      (a, data, size));

/* --- libcryptsetup --- */

FAILS(-EIO, int, crypt_metadata_locking, (struct crypt_device * d, int enable), (d, enable));
FAILS(-ENOMEM, int, crypt_init, (struct crypt_device * *d, const char *path), (d, path));
FAILS(-EINVAL, int, crypt_set_metadata_size, (struct crypt_device * d, uint64_t metadata, uint64_t slots),
      (d, metadata, slots));
FAILS(-EINVAL, int, crypt_set_data_offset, (struct crypt_device * d, uint64_t offset), (d, offset));
FAILS(-EIO, int, crypt_keyslot_add_by_volume_key,
      (struct crypt_device * d, int slot, const char *key, size_t size, const char *password, size_t n),
      (d, slot, key, size, password, n));

/* With a derivation that takes no time: what it costs is not what is tested. */
WRAP(int, crypt_format, struct crypt_device *d, const char *type, const char *cipher, const char *mode,
     const char *uuid, const char *key, size_t size, void *params)
{
    static const struct crypt_pbkdf_type quick = {
        .type = CRYPT_KDF_PBKDF2, .hash = "sha256", .iterations = 1000, .flags = CRYPT_PBKDF_NO_BENCHMARK};
    struct crypt_params_luks2 p = *(struct crypt_params_luks2 *)params;

    p.pbkdf = &quick;
    return fault_fails() ? -EIO : __real_crypt_format(d, type, cipher, mode, uuid, key, size, &p);
}

/* --- libext2fs --- */

FAILS(EXT2_ET_NO_MEMORY, errcode_t, ext2fs_initialize,
      (const char *name, int flags, struct ext2_super_block *super, io_manager manager, ext2_filsys *ret),
      (name, flags, super, manager, ret));
FAILS(EXT2_ET_NO_MEMORY, errcode_t, ext2fs_allocate_tables, (ext2_filsys fs), (fs));
FAILS(EXT2_ET_NO_MEMORY, errcode_t, ext2fs_extent_open2,
      (ext2_filsys fs, ext2_ino_t number, struct ext2_inode *inode, ext2_extent_handle_t *ret),
      (fs, number, inode, ret));
FAILS(EIO, errcode_t, ext2fs_write_inode_full, (ext2_filsys fs, ext2_ino_t number, struct ext2_inode *inode, int size),
      (fs, number, inode, size));
FAILS(EXT2_ET_INODE_ALLOC_FAIL, errcode_t, ext2fs_new_inode,
      (ext2_filsys fs, ext2_ino_t directory, int mode, ext2fs_inode_bitmap map, ext2_ino_t *ret),
      (fs, directory, mode, map, ret));
FAILS(EIO, errcode_t, ext2fs_link,
      (ext2_filsys fs, ext2_ino_t directory, const char *name, ext2_ino_t number, int flags),
      (fs, directory, name, number, flags));
FAILS(EIO, errcode_t, ext2fs_expand_dir, (ext2_filsys fs, ext2_ino_t directory), (fs, directory));
FAILS(EIO, errcode_t, ext2fs_mkdir, (ext2_filsys fs, ext2_ino_t parent, ext2_ino_t number, const char *name),
      (fs, parent, number, name));
FAILS(EXT2_ET_BLOCK_ALLOC_FAIL, errcode_t, ext2fs_fallocate,
      (ext2_filsys fs, int flags, ext2_ino_t number, struct ext2_inode *inode, blk64_t goal, blk64_t start,
       blk64_t length),
      (fs, flags, number, inode, goal, start, length));
FAILS(EXT2_ET_NO_MEMORY, errcode_t, ext2fs_file_open, (ext2_filsys fs, ext2_ino_t number, int flags, ext2_file_t *ret),
      (fs, number, flags, ret));
FAILS(EIO, errcode_t, ext2fs_file_write, (ext2_file_t file, const void *data, unsigned size, unsigned *ret),
      (file, data, size, ret));

/* Closed it is in each case. */
WRAP(errcode_t, ext2fs_file_close, ext2_file_t file)
{
    errcode_t e = __real_ext2fs_file_close(file);

    return fault_fails() ? EIO : e;
}

WRAP(errcode_t, ext2fs_close_free, ext2_filsys *fs)
{
    errcode_t e = __real_ext2fs_close_free(fs);

    return fault_fails() ? EIO : e;
}

/* --- the surroundings --- */

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void on_sanitizer(void)
{
    around->sanitizer = true;
}

struct export_around *export_around_new(void)
{
    void *p = mmap(NULL, sizeof(*around), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return NULL;
    around = p;
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(on_sanitizer);
    return around;
}
