/*
 * Owns: the cipher, and which sectors were written. Must not: know what is in them; write a byte of them to the file as it is.
 */
#include "export/sectors.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

enum {
    RUN = 64, /* sectors written at once */
    TWEAK_SIZE = 16,
    TWEAK_UNIT = 512,
};

struct sectors {
    int fd;
    uint64_t offset, n;
    EVP_CIPHER_CTX *encrypt, *decrypt;
    uint8_t *written; /* a bit each */
    uint8_t run[RUN * SECTORS_SIZE], plain[SECTORS_SIZE];
};

struct sectors *sectors_free(struct sectors *s)
{
    if (!s)
        return NULL;
    EVP_CIPHER_CTX_free(s->encrypt); /* wipes the keys */
    EVP_CIPHER_CTX_free(s->decrypt);
    explicit_bzero(s->plain, sizeof(s->plain));
    free(s->written);
    free(s);
    return NULL;
}

DEFINE_CLEANUP(struct sectors *, sectors_free);

int sectors_new(int fd, uint64_t offset, uint64_t n, const uint8_t key[static SECTORS_KEY_SIZE], struct sectors **ret)
{
    _cleanup_(sectors_freep) struct sectors *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->fd = fd;
    s->offset = offset;
    s->n = n;
    s->written = calloc((size_t)(n / 8 + 1), 1);
    s->encrypt = EVP_CIPHER_CTX_new();
    s->decrypt = EVP_CIPHER_CTX_new();
    if (!s->written || !s->encrypt || !s->decrypt)
        return -ENOMEM;
    /* OpenSSL refuses two equal halves. */
    if (EVP_EncryptInit_ex2(s->encrypt, EVP_aes_256_xts(), key, NULL, NULL) != 1 ||
        EVP_DecryptInit_ex2(s->decrypt, EVP_aes_256_xts(), key, NULL, NULL) != 1)
        return -EIO;
    *ret = TAKE_PTR(s);
    return 0;
}

static bool is_written(const struct sectors *s, uint64_t sector)
{
    return s->written[sector / 8] & 1U << sector % 8;
}

/* One sector through the one or the other. */
static int transform(EVP_CIPHER_CTX *c, uint64_t sector, const uint8_t *from, uint8_t *to)
{
    uint64_t count = sector * (SECTORS_SIZE / TWEAK_UNIT);
    uint8_t tweak[TWEAK_SIZE] = {0};
    int size = 0;

    for (size_t i = 0; i < sizeof(count); i++)
        tweak[i] = (uint8_t)(count >> 8 * i);
    if (EVP_CipherInit_ex2(c, NULL, NULL, tweak, -1, NULL) != 1 ||
        EVP_CipherUpdate(c, to, &size, from, SECTORS_SIZE) != 1 || size != SECTORS_SIZE)
        return -EIO;
    return 0;
}

static int write_run(struct sectors *s, uint64_t first, size_t n)
{
    const uint8_t *data = s->run;
    uint64_t at = s->offset + first * SECTORS_SIZE;

    for (size_t left = n * SECTORS_SIZE; left > 0;) {
        ssize_t done = pwrite(s->fd, data, left, (off_t)at);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        data += done;
        at += (uint64_t)done;
        left -= (size_t)done;
    }
    for (uint64_t i = first; i < first + n; i++)
        s->written[i / 8] |= (uint8_t)(1U << i % 8);
    return 0;
}

/* Into s->plain. */
static int read_sector(struct sectors *s, uint64_t sector)
{
    ssize_t n;

    if (!is_written(s, sector)) {
        memset(s->plain, 0, SECTORS_SIZE);
        return 0;
    }
    do
        n = pread(s->fd, s->run, SECTORS_SIZE, (off_t)(s->offset + sector * SECTORS_SIZE));
    while (n < 0 && errno == EINTR);
    if (n != SECTORS_SIZE)
        return n < 0 ? -errno : -EIO;
    return transform(s->decrypt, sector, s->run, s->plain);
}

static bool is_within(const struct sectors *s, uint64_t at, size_t size)
{
    return at <= s->n * SECTORS_SIZE && size <= s->n * SECTORS_SIZE - at;
}

static size_t part_of(uint64_t at, size_t size)
{
    size_t within = SECTORS_SIZE - (size_t)(at % SECTORS_SIZE);

    return size < within ? size : within;
}

int sectors_read(struct sectors *s, uint64_t at, void *data, size_t size)
{
    uint8_t *to = data;

    if (!is_within(s, at, size))
        return -ERANGE;
    while (size > 0) {
        size_t part = part_of(at, size);
        int r = read_sector(s, at / SECTORS_SIZE);

        if (r < 0)
            return r;
        memcpy(to, s->plain + at % SECTORS_SIZE, part);
        to += part;
        at += part;
        size -= part;
    }
    return 0;
}

static int write_part(struct sectors *s, uint64_t at, const uint8_t *from, size_t part)
{
    uint64_t sector = at / SECTORS_SIZE;
    int r = read_sector(s, sector);

    if (r < 0)
        return r;
    memcpy(s->plain + at % SECTORS_SIZE, from, part);
    r = transform(s->encrypt, sector, s->plain, s->run);
    return r < 0 ? r : write_run(s, sector, 1);
}

static int write_whole(struct sectors *s, uint64_t sector, const uint8_t *from, size_t n)
{
    int r = 0;

    for (size_t i = 0; i < n && r >= 0; i++)
        r = transform(s->encrypt, sector + i, from + i * SECTORS_SIZE, s->run + i * SECTORS_SIZE);
    return r < 0 ? r : write_run(s, sector, n);
}

int sectors_write(struct sectors *s, uint64_t at, const void *data, size_t size)
{
    const uint8_t *from = data;

    if (!is_within(s, at, size))
        return -ERANGE;
    while (size > 0) {
        size_t part = part_of(at, size);
        int r;

        if (part < SECTORS_SIZE) {
            r = write_part(s, at, from, part);
        } else {
            size_t n = size / SECTORS_SIZE < RUN ? size / SECTORS_SIZE : RUN;

            part = n * SECTORS_SIZE;
            r = write_whole(s, at / SECTORS_SIZE, from, n);
        }
        if (r < 0)
            return r;
        from += part;
        at += part;
        size -= part;
    }
    return 0;
}

int sectors_fill(struct sectors *s)
{
    int r = 0;

    memset(s->plain, 0, SECTORS_SIZE);
    for (uint64_t i = 0; i < s->n && r >= 0; i++)
        if (!is_written(s, i))
            r = write_whole(s, i, s->plain, 1);
    return r;
}
