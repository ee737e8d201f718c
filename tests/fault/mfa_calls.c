/* What the verifier of one-time codes calls, as it fails: OpenSSL's MAC and cipher, SQLite's memory and its calls of the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "fault/fault.h"

#define WRAP(type_, name_, ...)                                                                                        \
    type_ __real_##name_(__VA_ARGS__);                                                                                 \
    type_ __wrap_##name_(__VA_ARGS__);                                                                                 \
    type_ __wrap_##name_(__VA_ARGS__)

WRAP(EVP_MAC *, EVP_MAC_fetch, OSSL_LIB_CTX *c, const char *name, const char *properties)
{
    return fault_fails() ? NULL : __real_EVP_MAC_fetch(c, name, properties);
}

WRAP(EVP_MAC_CTX *, EVP_MAC_CTX_new, EVP_MAC *mac)
{
    return fault_fails() ? NULL : __real_EVP_MAC_CTX_new(mac);
}

WRAP(int, EVP_MAC_init, EVP_MAC_CTX *c, const unsigned char *key, size_t size, const OSSL_PARAM parameters[])
{
    return fault_fails() ? 0 : __real_EVP_MAC_init(c, key, size, parameters);
}

WRAP(int, EVP_MAC_update, EVP_MAC_CTX *c, const unsigned char *data, size_t size)
{
    return fault_fails() ? 0 : __real_EVP_MAC_update(c, data, size);
}

WRAP(int, EVP_MAC_final, EVP_MAC_CTX *c, unsigned char *to, size_t *size, size_t room)
{
    return fault_fails() ? 0 : __real_EVP_MAC_final(c, to, size, room);
}

WRAP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_new, void)
{
    return fault_fails() ? NULL : __real_EVP_CIPHER_CTX_new();
}

WRAP(int, EVP_CipherInit_ex, EVP_CIPHER_CTX *c, const EVP_CIPHER *kind, ENGINE *e, const unsigned char *key,
     const unsigned char *nonce, int encrypt)
{
    return fault_fails() ? 0 : __real_EVP_CipherInit_ex(c, kind, e, key, nonce, encrypt);
}

WRAP(int, EVP_CipherUpdate, EVP_CIPHER_CTX *c, unsigned char *to, int *n, const unsigned char *from, int size)
{
    return fault_fails() ? 0 : __real_EVP_CipherUpdate(c, to, n, from, size);
}

WRAP(int, EVP_CipherFinal_ex, EVP_CIPHER_CTX *c, unsigned char *to, int *n)
{
    return fault_fails() ? 0 : __real_EVP_CipherFinal_ex(c, to, n);
}

WRAP(int, EVP_CIPHER_CTX_ctrl, EVP_CIPHER_CTX *c, int what, int number, void *p)
{
    return fault_fails() ? 0 : __real_EVP_CIPHER_CTX_ctrl(c, what, number, p);
}

WRAP(int, EVP_PBE_scrypt, const char *pass, size_t n, const unsigned char *salt, size_t n_salt, uint64_t cost,
     uint64_t r, uint64_t p, uint64_t memory, unsigned char *key, size_t size)
{
    return fault_fails() ? 0 : __real_EVP_PBE_scrypt(pass, n, salt, n_salt, cost, r, p, memory, key, size);
}

/* --- SQLite --- */

static sqlite3_mem_methods usual;

static void *sqlite_malloc(int size)
{
    return fault_fails() ? NULL : usual.xMalloc(size);
}

static void *sqlite_realloc(void *p, int size)
{
    return fault_fails() ? NULL : usual.xRealloc(p, size);
}

static int error(int number)
{
    errno = number;
    return -1;
}

static int failing_open(const char *path, int flags, int mode)
{
    return fault_fails() ? error(EMFILE) : open(path, flags, mode);
}

static ssize_t failing_read(int fd, void *to, size_t size)
{
    return fault_fails() ? error(EIO) : read(fd, to, size);
}

static ssize_t failing_pread(int fd, void *to, size_t size, off_t at)
{
    return fault_fails() ? error(EIO) : pread(fd, to, size, at);
}

/* Half of it is written, then the disk is full. */
static ssize_t failing_pwrite(int fd, const void *from, size_t size, off_t at)
{
    if (!fault_fails())
        return pwrite(fd, from, size, at);
    return size < 2 || pwrite(fd, from, size / 2, at) < 0 ? error(EIO) : error(ENOSPC);
}

static ssize_t failing_write(int fd, const void *from, size_t size)
{
    return fault_fails() ? error(ENOSPC) : write(fd, from, size);
}

static int failing_truncate(int fd, off_t size)
{
    return fault_fails() ? error(EIO) : ftruncate(fd, size);
}

static int failing_unlink(const char *path)
{
    return fault_fails() ? error(EIO) : unlink(path);
}

int fault_init_sqlite(void)
{
    static const struct {
        const char *name;
        sqlite3_syscall_ptr call;
    } calls[] = {
        {"open", (sqlite3_syscall_ptr)failing_open},       {"read", (sqlite3_syscall_ptr)failing_read},
        {"pread", (sqlite3_syscall_ptr)failing_pread},     {"pread64", (sqlite3_syscall_ptr)failing_pread},
        {"write", (sqlite3_syscall_ptr)failing_write},     {"pwrite", (sqlite3_syscall_ptr)failing_pwrite},
        {"pwrite64", (sqlite3_syscall_ptr)failing_pwrite}, {"ftruncate", (sqlite3_syscall_ptr)failing_truncate},
        {"unlink", (sqlite3_syscall_ptr)failing_unlink},
    };
    sqlite3_mem_methods failing;
    bool reading = false, writing = false;
    sqlite3_vfs *vfs;

    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &usual) != SQLITE_OK)
        return -1;
    failing = usual;
    failing.xMalloc = sqlite_malloc;
    failing.xRealloc = sqlite_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &failing) != SQLITE_OK || sqlite3_initialize() != SQLITE_OK)
        return -1;
    vfs = sqlite3_vfs_find("unix");
    if (!vfs)
        return -1;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        bool set = vfs->xSetSystemCall(vfs, calls[i].name, calls[i].call) == SQLITE_OK;

        reading = reading || (set && strncmp(calls[i].name, "pread", 5) == 0);
        writing = writing || (set && strncmp(calls[i].name, "pwrite", 6) == 0);
        if (!set && strncmp(calls[i].name, "pread", 5) != 0 && strncmp(calls[i].name, "pwrite", 6) != 0)
            return -1;
    }
    /* Of pread and pread64, pwrite and pwrite64 there may be one. */
    return reading && writing ? 0 : -1;
}
