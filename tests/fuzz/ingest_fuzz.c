/*
 * Lines of any bytes as a terminal may send them: what is taken is whole, in order and linked; and nothing is taken as signed, for the private
 * half of the key is gone.
 */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "audit/record.h"
#include "hub/ingest/batch.h"

static const uint8_t public[32] = {0x08, 0x7a, 0x73, 0x2b, 0xfb, 0x2b, 0xcf, 0x85, 0xcc, 0x64, 0x4a,
                                   0x3a, 0x12, 0x12, 0xc1, 0x4c, 0x35, 0xc6, 0x29, 0x62, 0xad, 0x59,
                                   0x07, 0x58, 0x0c, 0xd4, 0xac, 0xcb, 0x98, 0xc1, 0xa0, 0xc4};

static void insist(int good)
{
    if (!good)
        abort();
}

static void look_at(const struct ingest_batch *b, const char *bytes, size_t size)
{
    size_t begin = 0;

    insist(b->n > 0 && b->n <= INGEST_LINES_MAX && b->lines[b->n - 1].end == size && b->sealed == 0);
    insist(b->n_leaps <= INGEST_LEAPS_MAX);
    for (size_t i = 0; i < b->n; i++) {
        const struct ingest_line *l = &b->lines[i];
        struct digest d;

        insist(l->end > begin && l->end - begin <= RECORD_LINE_MAX && bytes[l->end - 1] == '\n' && l->seq > 0);
        insist(digest_bytes(bytes + begin, l->end - begin - 1, &d) == 0 && digest_equal(&d, &l->hash));
        insist(i == 0 || (l->seq == b->lines[i - 1].seq + 1 && digest_equal(&l->prev, &b->lines[i - 1].hash)));
        begin = l->end;
    }
    for (size_t i = 0; i < b->n_leaps; i++)
        insist(b->leaps[i].first > 0 && b->leaps[i].first <= b->leaps[i].last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct journal_key *key;
    struct ingest_batch *b = NULL;
    char *bytes = malloc(size > 0 ? size : 1);
    int r;

    insist(bytes != NULL && (key || journal_key_from_public(public, &key) == 0));
    if (size > 0)
        memcpy(bytes, data, size);
    r = ingest_batch_read(bytes, size, key, &b);
    insist(r >= 0 && (r == INGEST_GOOD) == (b != NULL));
    if (b)
        look_at(b, bytes, size);
    (void)ingest_batch_free(b);
    free(bytes);
    return 0;
}
