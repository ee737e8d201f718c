/*
 * Owns: how lines are made small.
 * Must not: look at what they say.
 *
 * A terminal sends a few lines at a time, and what is alike in two lines of a journal is most of both: a dictionary of usual lines, which
 * packer and unpacker both have, makes a batch of four lines a third as long as zstd alone does.
 */
#include "hub/store/pack.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/cleanup.h"

enum {
    LEVEL = 3,
    FORM_1 = 1, /* first byte: which dictionary */
};

/* Never edited: what was packed with it lies in databases. Another one is another form. zstd weighs its end most. */
static const char dictionary_1[] =
    "\"category\":[\"configuration\"],\"type\":[\"change\"],\"outcome\":\"success\"},\"message\":\""
    "{\"action\":\"daemon-started\",\"category\":[\"process\"],\"type\":[\"start\"],\"outcome\":\"success\"},\"kuraban\":{"
    "{\"action\":\"device-appeared\",\"category\":[\"host\"],\"type\":[\"start\"],\"outcome\":\"success\"},"
    "\"grant\":{\"id\":\"purpose\":\"reason\":\"approvers\":[\"factors\":[\"begin\":\"until\":\"},"
    "\"export\":{\"id\":\"list\":\"container\":\"files\":\"name\":\"size\":\"sha256\":\""
    "{\"action\":\"mfa-verified\",\"category\":[\"authentication\"],\"type\":[\"info\"],\"outcome\":\"success\"},"
    "{\"kind\":\"event\",\"action\":\"device-decided\",\"category\":[\"host\"],\"type\":[\"access\",\"denied\"],"
    "\"outcome\":\"failure\",\"reason\":\"default\"},\"device\":{\"id\":\"usb:\",\"bus\":\"usb\",\"vendor_id\":\"0781\","
    "\"product_id\":\"5581\",\"serial_number\":\"\",\"name\":\"SanDisk Ultra\",\"hash\":\"\",\"node\":\"\",\"port\":\"1-1\"},"
    "\"rule\":{\"id\":\"default\"},\"kuraban\":{"
    "{\"kind\":\"event\",\"action\":\"journal-checkpoint\",\"category\":[\"file\"],\"type\":[\"info\"],\"outcome\":\"success\"},"
    "\"kuraban\":{\"seq\":,\"prev\":\"\",\"boot\":\"\",\"monotonic_us\":,\"count\":1,\"checkpoint\":{\"key\":\"\",\"head\":"
    ",\"signature\":\"==\"}}}\n"
    "{\"@timestamp\":\"2026-12-01T00:00:00.000000Z\",\"event\":{\"kind\":\"event\",\"action\":\"file-open\",\"category\":"
    "[\"file\"],\"type\":[\"access\",\"denied\"],\"outcome\":\"failure\",\"reason\":\"rule\"},\"user\":{\"id\":\"1000\"},"
    "\"process\":{\"pid\":,\"executable\":\"/usr/bin/\"},\"file\":{\"path\":\"/srv/\"},\"rule\":{\"id\":\"\"},\"kuraban\":{"
    "\"seq\":,\"prev\":\"\",\"boot\":\"\",\"monotonic_us\":,\"policy\":{\"name\":\"\",\"version\":},\"verdict\":\"deny\","
    "\"would_refuse\":true,\"write\":true,\"store\":\"\",\"class\":\"3A\",\"login_uid\":1000,\"session\":,\"start_time\":"
    ",\"program_device\":,\"program_inode\":,\"count\":1}}\n"
    "{\"@timestamp\":\"2026-12-01T00:00:00.000000Z\",\"event\":{\"kind\":\"event\",\"action\":\"file-open\",\"category\":"
    "[\"file\"],\"type\":[\"access\",\"allowed\"],\"outcome\":\"success\",\"reason\":\"rule\"},\"user\":{\"id\":\"1000\"},"
    "\"process\":{\"pid\":,\"executable\":\"/usr/bin/\"},\"file\":{\"path\":\"/srv/\"},\"rule\":{\"id\":\"\"},\"kuraban\":{"
    "\"seq\":,\"prev\":\"\",\"boot\":\"\",\"monotonic_us\":,\"policy\":{\"name\":\"\",\"version\":},\"verdict\":\"allow\","
    "\"store\":\"\",\"class\":\"3A\",\"login_uid\":1000,\"session\":,\"start_time\":,\"program_device\":,\"program_inode\":"
    ",\"count\":1}}\n";

struct pack {
    ZSTD_CCtx *packer;
    ZSTD_DCtx *opener;
    ZSTD_CDict *packs;
    ZSTD_DDict *opens;
    uint8_t *packed;
    size_t room;
    char *lines; /* PACK_MAX and a NUL */
};

DEFINE_CLEANUP(struct pack *, pack_free);

struct pack *pack_new(void)
{
    _cleanup_(pack_freep) struct pack *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->packer = ZSTD_createCCtx();
    p->opener = ZSTD_createDCtx();
    p->packs = ZSTD_createCDict(dictionary_1, sizeof(dictionary_1) - 1, LEVEL);
    p->opens = ZSTD_createDDict(dictionary_1, sizeof(dictionary_1) - 1);
    p->room = 1 + ZSTD_compressBound(PACK_MAX);
    p->packed = malloc(p->room);
    p->lines = malloc(PACK_MAX + 1);
    return p->packer && p->opener && p->packs && p->opens && p->packed && p->lines ? TAKE_PTR(p) : NULL;
}

struct pack *pack_free(struct pack *p)
{
    if (!p)
        return NULL;
    (void)ZSTD_freeCCtx(p->packer);
    (void)ZSTD_freeDCtx(p->opener);
    (void)ZSTD_freeCDict(p->packs);
    (void)ZSTD_freeDDict(p->opens);
    free(p->packed);
    free(p->lines);
    free(p);
    return NULL;
}

int pack_lines(struct pack *p, const void *lines, size_t size, const uint8_t **ret, size_t *ret_size)
{
    size_t n;

    if (size == 0 || size > PACK_MAX)
        return -EINVAL;
    n = ZSTD_compress_usingCDict(p->packer, p->packed + 1, p->room - 1, lines, size, p->packs);
    if (ZSTD_isError(n))
        return -EIO;
    p->packed[0] = FORM_1;
    *ret = p->packed;
    *ret_size = n + 1;
    return 0;
}

int pack_open(struct pack *p, const void *bytes, size_t size, const char **ret, size_t *ret_size)
{
    const uint8_t *packed = bytes;
    size_t n;

    if (size < 2 || packed[0] != FORM_1)
        return -EUCLEAN;
    n = ZSTD_decompress_usingDDict(p->opener, p->lines, PACK_MAX, packed + 1, size - 1, p->opens);
    if (ZSTD_isError(n) || n == 0)
        return -EUCLEAN;
    p->lines[n] = '\0';
    *ret = p->lines;
    *ret_size = n;
    return 0;
}
