/*
 * The list of what was staged. Owns: its form between two processes, the reader of which has more rights than the writer.
 */
#include "export/members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/files.h"

enum {
    BYTES_MAX = EXPORT_FILES_MAX * (EXPORT_NAME_MAX + 64)
};

int export_members_add(struct export_members *m, const struct export_member *item)
{
    struct export_member *items;

    if (m->n >= EXPORT_FILES_MAX)
        return -E2BIG;
    items = reallocarray(m->items, m->n + 1, sizeof(*items));
    if (!items)
        return -ENOMEM;
    m->items = items;
    m->items[m->n++] = *item;
    return 0;
}

void export_members_done(struct export_members *m)
{
    free(m->items);
    *m = (struct export_members){0};
}

uint64_t export_members_size(const struct export_members *m)
{
    return m->n == 0 ? 0 : m->items[m->n - 1].offset + m->items[m->n - 1].size;
}

int export_members_save(const struct export_members *m, int fd)
{
    struct buf b;
    int r = 0;

    buf_init(&b, BYTES_MAX);
    for (size_t i = 0; i < m->n && r >= 0; i++) {
        r = buf_add_string(&b, m->items[i].name);
        if (r >= 0)
            r = buf_add_u64(&b, m->items[i].size);
        if (r >= 0)
            r = buf_add(&b, m->items[i].sha256.bytes, DIGEST_SIZE);
    }
    if (r >= 0)
        r = files_write_all(fd, b.data, b.size);
    buf_done(&b);
    return r;
}

static int get_digest(struct buf_reader *in, struct digest *ret)
{
    if (in->size - in->offset < DIGEST_SIZE)
        return -EBADMSG;
    memcpy(ret->bytes, in->data + in->offset, DIGEST_SIZE);
    in->offset += DIGEST_SIZE;
    return 0;
}

static int get_member(struct buf_reader *in, struct export_members *m)
{
    struct export_member item = {.offset = export_members_size(m)};
    _cleanup_free_ char *name = NULL;
    int r = buf_get_string(in, EXPORT_NAME_MAX, &name);

    if (r >= 0)
        r = buf_get_u64(in, &item.size);
    if (r >= 0)
        r = get_digest(in, &item.sha256);
    if (r < 0)
        return r;
    /* What the writer made safe stays as it is when it is made safe again. */
    if (export_name_make(name, item.name) < 0 || strcmp(name, item.name) != 0 || item.size > INT64_MAX - item.offset)
        return -EBADMSG;
    return export_members_add(m, &item);
}

int export_members_load(int fd, uint64_t staged_size, struct export_members *ret)
{
    _cleanup_free_ uint8_t *data = NULL;
    struct export_members m = {0};
    struct buf_reader in = {0};
    int r;

    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    r = files_read_fd(fd, BYTES_MAX, &data, &in.size);
    in.data = data;
    while (r >= 0 && in.offset < in.size)
        r = get_member(&in, &m);
    if (r >= 0 && (m.n == 0 || export_members_size(&m) != staged_size))
        r = -EBADMSG;
    if (r < 0) {
        export_members_done(&m);
        return r;
    }
    *ret = m;
    return 0;
}
