/*
 * Owns: which call fails, and how a failure of each looks to who called. Must not: know what is tested.
 *
 * What a wrapped function returns on failure is what its manual page says, errno included. A short read or write is a failure too.
 */
#include "fault/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <libintl.h>
#include <locale.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pwd.h>
#include <regex.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    struct fault_plan plan;
    struct fault_account account;
    uint64_t random;
    bool active;
} now;

/* splitmix64 */
uint64_t fault_random(void)
{
    uint64_t z = (now.random += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static bool fails(void)
{
    return fault_fails();
}

bool fault_fails(void)
{
    bool yes;

    if (!now.active)
        return false;
    now.account.calls++;
    if (now.plan.nth != 0)
        yes = now.account.calls == now.plan.nth;
    else
        yes = now.plan.one_in != 0 && fault_random() % now.plan.one_in == 0 && now.account.calls > now.plan.skip;
    now.account.faults += yes;
    return yes;
}

void fault_begin(const struct fault_plan *plan)
{
    now.plan = *plan;
    now.random = plan->seed;
    now.account = (struct fault_account){0};
    now.active = true;
}

void fault_forked(void)
{
    now.account = (struct fault_account){0};
}

void fault_pause(void)
{
    now.active = false;
}

void fault_go_on(void)
{
    now.active = true;
}

struct fault_account fault_end(void)
{
    now.active = false;
    return now.account;
}

/* WRAP(what it returns, name, parameters): the two names the linker makes of one. */
#define WRAP(type_, name_, ...)                                                                                        \
    type_ __real_##name_(__VA_ARGS__);                                                                                 \
    type_ __wrap_##name_(__VA_ARGS__);                                                                                 \
    type_ __wrap_##name_(__VA_ARGS__)

/* --- memory --- */

void *fault_counted(void *p)
{
    now.account.blocks += now.active && p;
    return p;
}

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

WRAP(void *, malloc, size_t size)
{
    return fails() ? no_memory() : fault_counted(__real_malloc(size));
}

WRAP(void *, calloc, size_t n, size_t size)
{
    return fails() ? no_memory() : fault_counted(__real_calloc(n, size));
}

WRAP(void *, realloc, void *p, size_t size)
{
    if (fails())
        return no_memory();
    return p ? __real_realloc(p, size) : fault_counted(__real_realloc(NULL, size));
}

WRAP(void *, reallocarray, void *p, size_t n, size_t size)
{
    if (fails())
        return no_memory();
    return p ? __real_reallocarray(p, n, size) : fault_counted(__real_reallocarray(NULL, n, size));
}

WRAP(void, free, void *p)
{
    now.account.blocks -= now.active && p;
    __real_free(p);
}

WRAP(char *, strdup, const char *s)
{
    return fails() ? no_memory() : fault_counted(__real_strdup(s));
}

WRAP(int, vasprintf, char **ret, const char *format, va_list arguments)
{
    int n;

    if (fails()) {
        errno = ENOMEM;
        return -1;
    }
    n = __real_vasprintf(ret, format, arguments);
    if (n >= 0)
        fault_counted(*ret);
    return n;
}

WRAP(int, __vasprintf_chk, char **ret, int flag, const char *format, va_list arguments)
{
    (void)flag;
    return __wrap_vasprintf(ret, format, arguments);
}

/* What regcomp() takes inside libc is not counted: regfree() gives it back there. */
WRAP(int, regcomp, regex_t *r, const char *pattern, int flags)
{
    return fails() ? REG_ESPACE : __real_regcomp(r, pattern, flags);
}

/* libyaml calls these four through its own symbol table, where the program's come first. */
void *yaml_malloc(size_t size);
void *yaml_realloc(void *p, size_t size);
void yaml_free(void *p);
unsigned char *yaml_strdup(const unsigned char *s);

static void *counted_yaml(void *p)
{
    now.account.yaml_blocks += now.active && p;
    return p;
}

void *yaml_malloc(size_t size)
{
    return fails() ? no_memory() : counted_yaml(__real_malloc(size ? size : 1));
}

void *yaml_realloc(void *p, size_t size)
{
    if (fails())
        return no_memory();
    return p ? __real_realloc(p, size ? size : 1) : counted_yaml(__real_malloc(size ? size : 1));
}

void yaml_free(void *p)
{
    now.account.yaml_blocks -= now.active && p;
    __real_free(p);
}

unsigned char *yaml_strdup(const unsigned char *s)
{
    return fails() || !s ? NULL : (unsigned char *)counted_yaml(__real_strdup((const char *)s));
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return fails() ? NULL : __real_malloc(size);
}

static void *openssl_realloc(void *p, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    if (size == 0) {
        __real_free(p);
        return NULL;
    }
    return fails() ? NULL : __real_realloc(p, size);
}

static void openssl_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    __real_free(p);
}

int fault_init(void)
{
    return CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1 ? 0 : -1;
}

/* --- OpenSSL, where we call it --- */

WRAP(EVP_MD_CTX *, EVP_MD_CTX_new, void)
{
    return fails() ? NULL : __real_EVP_MD_CTX_new();
}

WRAP(EVP_PKEY *, EVP_PKEY_new_raw_public_key, int type, ENGINE *e, const unsigned char *key, size_t size)
{
    return fails() ? NULL : __real_EVP_PKEY_new_raw_public_key(type, e, key, size);
}

WRAP(int, EVP_PKEY_get_raw_public_key, const EVP_PKEY *key, unsigned char *to, size_t *size)
{
    return fails() ? 0 : __real_EVP_PKEY_get_raw_public_key(key, to, size);
}

WRAP(int, EVP_DigestVerifyInit, EVP_MD_CTX *c, EVP_PKEY_CTX **pc, const EVP_MD *md, ENGINE *e, EVP_PKEY *key)
{
    return fails() ? 0 : __real_EVP_DigestVerifyInit(c, pc, md, e, key);
}

/* "0: did not verify; other values: a more serious error" */
WRAP(int, EVP_DigestVerify, EVP_MD_CTX *c, const unsigned char *signature, size_t n, const unsigned char *message,
     size_t size)
{
    return fails() ? (fault_random() % 2 ? 0 : -1) : __real_EVP_DigestVerify(c, signature, n, message, size);
}

WRAP(int, EVP_DigestInit_ex2, EVP_MD_CTX *c, const EVP_MD *md, const OSSL_PARAM parameters[])
{
    return fails() ? 0 : __real_EVP_DigestInit_ex2(c, md, parameters);
}

WRAP(int, EVP_DigestUpdate, EVP_MD_CTX *c, const void *data, size_t size)
{
    return fails() ? 0 : __real_EVP_DigestUpdate(c, data, size);
}

WRAP(int, EVP_DigestFinal_ex, EVP_MD_CTX *c, unsigned char *to, unsigned *size)
{
    return fails() ? 0 : __real_EVP_DigestFinal_ex(c, to, size);
}

WRAP(int, EVP_DecodeBlock, unsigned char *to, const unsigned char *from, int n)
{
    return fails() ? -1 : __real_EVP_DecodeBlock(to, from, n);
}

WRAP(BIO *, BIO_new, const BIO_METHOD *m)
{
    return fails() ? NULL : __real_BIO_new(m);
}

WRAP(BIO *, BIO_new_mem_buf, const void *data, int size)
{
    return fails() ? NULL : __real_BIO_new_mem_buf(data, size);
}

WRAP(long, BIO_ctrl, BIO *bio, int command, long number, void *p)
{
    return fails() ? 0 : __real_BIO_ctrl(bio, command, number, p);
}

WRAP(EVP_PKEY *, PEM_read_bio_PUBKEY, BIO *bio, EVP_PKEY **to, pem_password_cb *ask, void *context)
{
    return fails() ? NULL : __real_PEM_read_bio_PUBKEY(bio, to, ask, context);
}

WRAP(int, PEM_write_bio_PUBKEY, BIO *bio, const EVP_PKEY *key)
{
    return fails() ? 0 : __real_PEM_write_bio_PUBKEY(bio, key);
}

WRAP(int, i2d_PUBKEY, const EVP_PKEY *key, unsigned char **to)
{
    return fails() ? -1 : __real_i2d_PUBKEY(key, to);
}

/* --- files --- */

static int error(int number)
{
    errno = number;
    return -1;
}

WRAP(int, openat, int directory, const char *name, int flags, ...)
{
    mode_t mode = 0;
    va_list arguments;

    if (fails())
        return error(EMFILE);
    va_start(arguments, flags);
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE)
        mode = va_arg(arguments, mode_t);
    va_end(arguments);
    return __real_openat(directory, name, flags, mode);
}

WRAP(int, fstat, int fd, struct stat *st)
{
    return fails() ? error(EIO) : __real_fstat(fd, st);
}

WRAP(int, fstatat, int directory, const char *name, struct stat *st, int flags)
{
    return fails() ? error(EIO) : __real_fstatat(directory, name, st, flags);
}

WRAP(int, fchmod, int fd, mode_t mode)
{
    return fails() ? error(EIO) : __real_fchmod(fd, mode);
}

WRAP(ssize_t, read, int fd, void *to, size_t size)
{
    if (!fails())
        return __real_read(fd, to, size);
    return size < 2 || fault_random() % 2 ? error(EIO) : __real_read(fd, to, size / 2);
}

WRAP(ssize_t, write, int fd, const void *from, size_t size)
{
    if (!fails())
        return __real_write(fd, from, size);
    return size < 2 || fault_random() % 2 ? error(ENOSPC) : __real_write(fd, from, size / 2);
}

WRAP(int, fsync, int fd)
{
    return fails() ? error(EIO) : __real_fsync(fd);
}

WRAP(int, renameat, int from, const char *a, int to, const char *b)
{
    return fails() ? error(EIO) : __real_renameat(from, a, to, b);
}

WRAP(int, unlinkat, int directory, const char *name, int flags)
{
    return fails() ? error(EIO) : __real_unlinkat(directory, name, flags);
}

WRAP(ssize_t, getrandom, void *to, size_t size, unsigned flags)
{
    return fails() ? error(EINTR) : __real_getrandom(to, size, flags);
}

/* --- sockets --- */

WRAP(int, lstat, const char *name, struct stat *st)
{
    return fails() ? error(EIO) : __real_lstat(name, st);
}

WRAP(int, socket, int domain, int type, int protocol)
{
    return fails() ? error(EMFILE) : __real_socket(domain, type, protocol);
}

WRAP(int, connect, int fd, const struct sockaddr *address, socklen_t size)
{
    return fails() ? error(fault_random() % 2 ? EINTR : ECONNREFUSED) : __real_connect(fd, address, size);
}

WRAP(int, setsockopt, int fd, int level, int name, const void *value, socklen_t size)
{
    return fails() ? error(ENOBUFS) : __real_setsockopt(fd, level, name, value, size);
}

WRAP(int, getsockopt, int fd, int level, int name, void *value, socklen_t *size)
{
    return fails() ? error(ENOBUFS) : __real_getsockopt(fd, level, name, value, size);
}

WRAP(int, poll, struct pollfd *fds, nfds_t n, int ms)
{
    return fails() ? error(fault_random() % 2 ? EINTR : ENOMEM) : __real_poll(fds, n, ms);
}

WRAP(ssize_t, sendmsg, int fd, const struct msghdr *m, int flags)
{
    static const int numbers[] = {EINTR, EAGAIN, EPIPE, ENOBUFS};

    return fails() ? error(numbers[fault_random() % 4]) : __real_sendmsg(fd, m, flags);
}

/* 0: the peer has gone. */
WRAP(ssize_t, recvmsg, int fd, struct msghdr *m, int flags)
{
    static const int numbers[] = {EINTR, EAGAIN, ECONNRESET, 0};
    int number;

    if (!fails())
        return __real_recvmsg(fd, m, flags);
    number = numbers[fault_random() % 4];
    return number == 0 ? 0 : error(number);
}

/* --- what a PAM module calls --- */

WRAP(int, getpwnam_r, const char *name, struct passwd *entry, char *bytes, size_t size, struct passwd **ret)
{
    static const int numbers[] = {EIO, ENOMEM, ERANGE, 0};

    if (!fails())
        return __real_getpwnam_r(name, entry, bytes, size, ret);
    *ret = NULL; /* 0: there is nobody of this name */
    return numbers[fault_random() % 4];
}

WRAP(locale_t, newlocale, int mask, const char *name, locale_t base)
{
    if (!fails())
        return __real_newlocale(mask, name, base);
    errno = ENOENT;
    return (locale_t)0;
}

WRAP(char *, bindtextdomain, const char *domain, const char *directory)
{
    return fails() ? no_memory() : __real_bindtextdomain(domain, directory);
}

WRAP(int, pam_get_user, pam_handle_t *pamh, const char **ret, const char *question)
{
    return fails() ? PAM_BUF_ERR : __real_pam_get_user(pamh, ret, question);
}

WRAP(int, pam_get_item, const pam_handle_t *pamh, int item, const void **ret)
{
    return fails() ? PAM_SYSTEM_ERR : __real_pam_get_item(pamh, item, ret);
}

WRAP(int, pam_fail_delay, pam_handle_t *pamh, unsigned us)
{
    return fails() ? PAM_SYSTEM_ERR : __real_pam_fail_delay(pamh, us);
}

int __wrap_pam_prompt(pam_handle_t *pamh, int style, char **ret, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int __wrap_pam_prompt(pam_handle_t *pamh, int style, char **ret, const char *format, ...)
{
    va_list arguments;
    int r;

    if (fails())
        return fault_random() % 2 ? PAM_CONV_ERR : PAM_BUF_ERR;
    va_start(arguments, format);
    r = pam_vprompt(pamh, style, ret, format, arguments);
    va_end(arguments);
    return r;
}
