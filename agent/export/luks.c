/*
 * The header of a LUKS2 container, by libcryptsetup. Owns: its parameters. Must not: keep a key, ask the kernel's device mapper for anything.
 */
#include "export/luks.h"

#include <libcryptsetup.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

enum {
    METADATA_SIZE = 16 * 1024, /* the least; there are two */
    SLOT = 0,
    SECTOR = 512, /* libcryptsetup's unit */
};

static struct crypt_device *device_free(struct crypt_device *d)
{
    crypt_free(d); /* wipes what it held */
    return NULL;
}

DEFINE_CLEANUP(struct crypt_device *, device_free);

static void be_silent(int level, const char *message, void *context)
{
    (void)level;
    (void)message;
    (void)context;
}

/*
 * Set, not measured here: who opens it has another machine. 64 MiB as in RFC 9106, 4; a second or less, and no machine that runs a desktop has too
 * little memory. One lane: this process may not start threads. The password is random, 125 bits: none of this is what protects it.
 */
static const struct crypt_pbkdf_type pbkdf = {.type = CRYPT_KDF_ARGON2ID,
                                              .hash = "sha256",
                                              .iterations = 4,
                                              .max_memory_kb = 64 * 1024,
                                              .parallel_threads = 1,
                                              .flags = CRYPT_PBKDF_NO_BENCHMARK};

int luks_format(int fd, const char *password, const uint8_t key[static SECTORS_KEY_SIZE])
{
    static const struct crypt_params_luks2 params = {.pbkdf = &pbkdf, .sector_size = SECTORS_SIZE, .label = "kuraban"};
    _cleanup_(device_freep) struct crypt_device *d = NULL;
    char path[64];
    int r;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); /* it has no name */
    crypt_set_log_callback(NULL, be_silent, NULL);
    /* Nobody else knows the file; the lock would be one in /run. */
    r = crypt_metadata_locking(NULL, 0);
    if (r >= 0)
        r = crypt_init(&d, path);
    if (r >= 0)
        r = crypt_set_metadata_size(d, METADATA_SIZE, LUKS_HEADER_SIZE - 2 * METADATA_SIZE);
    if (r >= 0)
        r = crypt_set_data_offset(d, LUKS_HEADER_SIZE / SECTOR);
    if (r >= 0)
        r = crypt_format(d, CRYPT_LUKS2, "aes", "xts-plain64", NULL, (const char *)key, SECTORS_KEY_SIZE,
                         (void *)(uintptr_t)&params);
    if (r >= 0)
        r = crypt_keyslot_add_by_volume_key(d, SLOT, (const char *)key, SECTORS_KEY_SIZE, password, strlen(password));
    return r < 0 ? r : 0;
}
