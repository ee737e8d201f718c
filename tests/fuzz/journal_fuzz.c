#include "fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/export.h"
#include "audit/read.h"
#include "audit/verify.h"
#include "base/cleanup.h"

/* A segment (and, behind a NUL byte, a head) that somebody made up, in a directory of its own: verified, read, exported.
 * The verifier's key is fixed and its private half is gone, so nothing made up may ever verify. */

static const char public_key[] = "-----BEGIN PUBLIC KEY-----\n"
                                 "MCowBQYDK2VwAyEACHpzK/srz4XMZEo6EhLBTDXGKWKtWQdYDNSsy5jBoMQ=\n"
                                 "-----END PUBLIC KEY-----\n";

static struct journal_key *key;
static int directory = -1;
static char path[64];

static void put(const char *name, const void *data, size_t size)
{
    _cleanup_close_ int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
}

static void remove_directory(void)
{
    static const char *const names[] = {"journal-00000000000000000001.ndjson", "head", "key"};

    for (size_t i = 0; i < ELEMENTS(names); i++)
        (void)unlinkat(directory, names[i], 0);
    (void)rmdir(path);
}

static void prepare(void)
{
    /* In memory where there is any: every input writes two files. */
    (void)snprintf(path, sizeof(path), "%s/kuraban-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    directory = mkdtemp(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (directory < 0)
        abort();
    put("key", public_key, sizeof(public_key) - 1);
    if (journal_key_read_public(directory, "key", &key) < 0)
        abort();
    atexit(remove_directory);
}

static int export_record(void *context, json_t *record, const char *line, size_t size)
{
    (void)line, (void)size;
    return export_csv_record(context, record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct journal_filter filter = {.from_us = 1, .has_uid = true, .device = "d", .tail = 3}, all = {0};
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    size_t first = nul ? (size_t)(nul - data) : size;
    struct journal_verify_options options;
    struct journal_verify_result result;
    _cleanup_fclose_ FILE *out = NULL;

    if (!key)
        prepare();
    out = fopen("/dev/null", "w");
    if (!out)
        abort();
    put("journal-00000000000000000001.ndjson", data, first);
    put("head", nul ? nul + 1 : data, nul ? size - first - 1 : 0);
    options = (struct journal_verify_options){.key = key, .known_seq = 3};
    if (journal_verify(directory, &options, &result) < 0 || result.ok || result.flaws == 0)
        abort();
    if (journal_read(directory, &all, export_record, out, NULL) < 0 ||
        journal_read(directory, &filter, export_record, out, NULL) < 0)
        abort();
    return 0;
}
