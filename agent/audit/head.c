/*
 * Owns: the head's text and its signature.
 * Must not: write the file: when it may be written is the writer's to know.
 */
#include "audit/head.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "audit/record.h"
#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"
#include "json/whole.h"

#define HEAD_FORMAT "kuraban-journal-head/1"

static int copy_text(json_t *object, const char *name, char *ret, size_t size)
{
    const char *text = record_text(object, name);

    if (!text || strlen(text) >= size)
        return -EBADMSG;
    strcpy(ret, text);
    return 0;
}

static int head_parse(const uint8_t *data, size_t size, struct journal_head *ret)
{
    _cleanup_(json_decrefp) json_t *object = record_parse((const char *)data, size);
    struct journal_head h = {0};
    json_t *seq = object ? json_object_get(object, "seq") : NULL;
    char hash[DIGEST_HEX_SIZE];

    if (!object || !text_equal(record_text(object, "format"), HEAD_FORMAT) || !json_is_integer(seq) ||
        json_integer_value(seq) <= 0)
        return -EBADMSG;
    if (copy_text(object, "hash", hash, sizeof(hash)) < 0 || digest_from_hex(hash, &h.hash) < 0 ||
        copy_text(object, "timestamp", h.timestamp, sizeof(h.timestamp)) < 0 ||
        copy_text(object, "key", h.key, sizeof(h.key)) < 0 ||
        copy_text(object, "signature", h.signature, sizeof(h.signature)) < 0)
        return -EBADMSG;
    h.seq = (uint64_t)json_integer_value(seq);
    *ret = h;
    return 0;
}

int head_read(int dirfd, struct journal_head *ret)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;
    int r;

    r = files_read_at(dirfd, HEAD_NAME, HEAD_MAX, &data, &size);
    if (r == -EFBIG || r == -ELOOP || r == -EISDIR || r == -EINVAL)
        return -EBADMSG;
    if (r < 0)
        return r;
    return head_parse(data, size, ret);
}

int head_check(const struct journal_head *h, const struct journal_key *k)
{
    char hash[DIGEST_HEX_SIZE];

    digest_to_hex(&h->hash, hash);
    return journal_key_check(k, JOURNAL_DOMAIN_HEAD, h->seq, hash, h->timestamp, h->signature);
}

int head_format(const struct journal_key *k, uint64_t seq, const struct digest *hash, int64_t wall_us, struct buf *out)
{
    char signature[JOURNAL_SIGNATURE_TEXT], timestamp[CLOCK_RFC3339_SIZE], hex[DIGEST_HEX_SIZE], key[DIGEST_HEX_SIZE];
    _cleanup_(json_decrefp) json_t *object = NULL;
    _cleanup_free_ char *text = NULL;
    int r;

    digest_to_hex(hash, hex);
    journal_key_id(k, key);
    clock_format_rfc3339(wall_us, timestamp);
    r = journal_key_sign(k, JOURNAL_DOMAIN_HEAD, seq, hex, timestamp, signature);
    if (r < 0)
        return r;
    object = json_pack("{ss sI ss ss ss ss}", "format", HEAD_FORMAT, "seq", (json_int_t)seq, "hash", hex, "timestamp",
                       timestamp, "key", key, "signature", signature);
    if (!object)
        return -ENOMEM;
    r = whole_text(object, JSON_COMPACT, &text);
    return r < 0 ? r : buf_printf(out, "%s\n", text);
}
