/*
 * Taking the caller's files in. Owns: the descriptors the client passes, from when they come. Must not: open a path of the client's
 * choosing (only what a passed descriptor names, as the caller), read anything before kuraband has permitted every file, have more
 * rights than the caller.
 *
 * A descriptor opened with O_PATH says which file is meant and gives no right to it: the open through /proc/self/fd asks the file's
 * permissions, the gate and security modules for the person who is asking now. What the caller can no longer read, or never could and
 * was only handed the name of, stays where it is.
 */
#include "export/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "export/child.h"
#include "export/hash.h"
#include "export/link.h"
#include "export/protocol.h"

enum {
    CHUNK = 256 * 1024,
};

struct file {
    int fd;
    char name[EXPORT_NAME_MAX + 1];
    uint64_t size;
    bool refused;
    char reason[32], rule[EXPORT_TEXT_MAX + 1];
};

struct stager {
    const struct stage_options *options;
    struct file *files;
    size_t n;
    struct export_names names;
    uint64_t total;
    uint64_t waited_us; /* for the client, which reads slowly */
};

static void stager_done(struct stager *s)
{
    for (size_t i = 0; i < s->n; i++)
        close_fd(s->files[i].fd);
    free(s->files);
    export_names_done(&s->names);
}

static int from_client(int r)
{
    return r == -ENOMEM ? r : STAGE_E_CLIENT;
}

static int from_kuraband(int r)
{
    return r == -ENOMEM ? r : STAGE_E_STOPPED;
}

/* --- what the client passes --- */

static int add_file(struct stager *s, const char *name, int *fd)
{
    char safe[EXPORT_NAME_MAX + 1];
    struct file *files, f = {.fd = -1};
    int r = export_name_make(name, safe);

    if (r >= 0)
        r = export_names_add(&s->names, safe, f.name);
    if (r < 0)
        return r;
    files = reallocarray(s->files, s->n + 1, sizeof(*files));
    if (!files)
        return -ENOMEM;
    s->files = files;
    f.fd = TAKE_FD(*fd);
    s->files[s->n++] = f;
    return 0;
}

/* 1 when that was the last. */
static int take_frame(struct stager *s, int deadline_ms)
{
    _cleanup_free_ char *name = NULL;
    struct buf_reader in;
    struct frame f;
    int r;

    frame_init(&f);
    r = frame_receive(&f, s->options->client, deadline_ms);
    in = (struct buf_reader){.data = f.body.data, .size = f.body.size};
    if (r >= 0 && f.flags != 0)
        r = -EBADMSG;
    if (r >= 0 && f.type == EXPORT_FILES_END) {
        r = f.fd >= 0 ? -EBADMSG : buf_get_end(&in);
        r = r >= 0 ? 1 : r;
    } else if (r >= 0) {
        r = f.type == EXPORT_FILE && f.fd >= 0 ? buf_get_string(&in, EXPORT_NAME_MAX, &name) : -EBADMSG;
        if (r >= 0)
            r = buf_get_end(&in);
        if (r >= 0)
            r = add_file(s, name, &f.fd);
    }
    frame_done(&f);
    return r;
}

static int take_files(struct stager *s)
{
    const uint64_t begun_us = clock_boottime_us(), patience_us = (uint64_t)s->options->client_ms * 1000;
    int r;

    do {
        uint64_t used_us = clock_boottime_us() - begun_us;

        r = used_us < patience_us ? take_frame(s, (int)((patience_us - used_us) / 1000)) : -ETIMEDOUT;
    } while (r == 0);
    if (r > 0 && s->n == 0)
        r = -EBADMSG;
    return r < 0 ? from_client(r) : 0;
}

/* --- asking --- */

/* Opens what the descriptor names, in place of it. The errno is for the person: it is their permission that is missing. */
static int reopen(struct file *f)
{
    char path[64];
    struct stat st;
    int fd;

    /* Before it is opened: opening a device or a FIFO does things. */
    if (fstat(f->fd, &st) < 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    close_fd(f->fd);
    f->fd = fd;
    if (fstat(fd, &st) < 0)
        return errno;
    if (!S_ISREG(st.st_mode) || st.st_size < 0)
        return EINVAL;
    f->size = (uint64_t)st.st_size;
    return 0;
}

static int take_verdict(const struct stager *s, struct file *f, int error)
{
    _cleanup_free_ char *reason = NULL, *rule = NULL;
    uint8_t allowed = 0;
    int r = link_receive(s->options->control, EXPORT_VERDICT, LINK_WAIT_MS, "1ss", &allowed, &reason, &rule);

    if (r < 0)
        return r;
    f->refused = allowed != 1 || error != 0;
    (void)snprintf(f->reason, sizeof(f->reason), "%s", reason);
    (void)snprintf(f->rule, sizeof(f->rule), "%s", rule);
    return 0;
}

static int ask(struct stager *s, size_t i)
{
    struct file *f = &s->files[i];
    int error = reopen(f);
    int r = link_send(s->options->control, EXPORT_OPENED, "4s84", (uint32_t)i, f->name, f->size, (uint32_t)error);

    if (r >= 0)
        r = take_verdict(s, f, error);
    if (r < 0)
        return from_kuraband(r);
    if (f->size > s->options->size_max - s->total)
        return STAGE_E_FULL;
    s->total += f->size;
    return 0;
}

static int tell_refused(struct stager *s)
{
    int result = 0;

    for (size_t i = 0; i < s->n; i++) {
        const struct file *f = &s->files[i];

        if (!f->refused)
            continue;
        result = STAGE_E_REFUSED;
        if (link_send(s->options->client, EXPORT_REFUSED, "4ss", (uint32_t)i, f->reason, f->rule) < 0)
            return STAGE_E_CLIENT;
    }
    return result;
}

/* All of them, before one is copied: a person learns at once what stands in the way, not after the first gigabyte. */
static int ask_for_all(struct stager *s)
{
    int r = 0;

    for (size_t i = 0; i < s->n && r == 0; i++) {
        r = ask(s, i);
        child_pulse_beat(s->options->pulse, 1);
    }
    return r != 0 ? r : tell_refused(s);
}

/* --- copying --- */

static int keep(int fd, const uint8_t *data, size_t size)
{
    int r = files_write_all(fd, data, size);

    return r == -ENOSPC || r == -EDQUOT || r == -EFBIG ? STAGE_E_FULL : r;
}

/* One that reads a word now and then would keep everybody else from exporting: beyond its patience it gets a second for every MB it was told of. */
static int tell_progress(struct stager *s, uint64_t done)
{
    uint64_t begun_us = clock_boottime_us(), patience_us = (uint64_t)s->options->client_ms * 1000 + done;
    int r;

    if (link_is_gone(s->options->control))
        return STAGE_E_STOPPED;
    r = link_send(s->options->client, EXPORT_PROGRESS, "188", (unsigned)EXPORT_PHASE_STAGE, done, s->total);
    s->waited_us += clock_boottime_us() - begun_us;
    return r < 0 || s->waited_us > patience_us ? STAGE_E_CLIENT : 0;
}

/* Exactly the size that was decided about: one byte more or less is another file than the one that was permitted. */
static int copy_bytes(struct stager *s, const struct file *f, struct hash *h, uint64_t before, uint8_t *chunk)
{
    uint64_t done = 0;

    for (;;) {
        ssize_t n = read(f->fd, chunk, CHUNK);
        int r;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return done == f->size ? 0 : STAGE_E_CHANGED;
        child_pulse_beat(s->options->pulse, (done + (uint64_t)n) / STAGE_BEAT - done / STAGE_BEAT);
        done += (uint64_t)n;
        if (done > f->size)
            return STAGE_E_CHANGED;
        r = hash_add(h, chunk, (size_t)n);
        if (r >= 0)
            r = keep(s->options->staged, chunk, (size_t)n);
        if (r == 0)
            r = tell_progress(s, before + done);
        if (r != 0)
            return r;
    }
}

static int copy_file(struct stager *s, size_t i, uint8_t *chunk, struct export_members *list)
{
    const struct file *f = &s->files[i];
    struct export_member item = {.offset = export_members_size(list), .size = f->size};
    char hex[DIGEST_HEX_SIZE];
    struct hash *h = NULL;
    int r = hash_new(&h);

    if (r >= 0)
        r = copy_bytes(s, f, h, item.offset, chunk);
    if (r == 0)
        r = hash_end(h, &item.sha256);
    if (h)
        (void)hash_free(h);
    if (r != 0)
        return r;
    memcpy(item.name, f->name, sizeof(item.name));
    digest_to_hex(&item.sha256, hex);
    if (link_send(s->options->control, EXPORT_STAGED, "48s", (uint32_t)i, item.size, hex) < 0)
        return STAGE_E_STOPPED;
    return export_members_add(list, &item);
}

/* Who puts a file into a store between the verdict and the copy would have it judged as what it no longer is: the gate sees it opened once
 * more. After the copy, not before: then nothing that was read is younger than the answer. */
static int ask_again(struct stager *s, size_t i)
{
    struct file *f = &s->files[i];
    int error = reopen(f);
    int r = link_send(s->options->control, EXPORT_AGAIN, "44", (uint32_t)i, (uint32_t)error);

    if (r >= 0)
        r = take_verdict(s, f, error);
    return r < 0 ? from_kuraband(r) : 0;
}

static int ask_for_all_again(struct stager *s)
{
    int r = 0;

    for (size_t i = 0; i < s->n && r == 0; i++) {
        r = ask_again(s, i);
        child_pulse_beat(s->options->pulse, 1);
    }
    return r != 0 ? r : tell_refused(s);
}

static int copy_all(struct stager *s, struct export_members *ret)
{
    _cleanup_free_ uint8_t *chunk = malloc(CHUNK);
    struct export_members list = {0};
    int r;

    if (!chunk)
        return -ENOMEM;
    r = link_receive(s->options->control, EXPORT_COPY, LINK_WAIT_MS, "");
    if (r < 0)
        return from_kuraband(r);
    for (size_t i = 0; i < s->n && r == 0; i++) {
        child_pulse_beat(s->options->pulse, 1);
        r = copy_file(s, i, chunk, &list);
    }
    if (r == 0)
        r = ask_for_all_again(s);
    explicit_bzero(chunk, CHUNK);
    if (r != 0) {
        export_members_done(&list);
        return r;
    }
    *ret = list;
    return 0;
}

int stage_run(const struct stage_options *o, struct export_members *ret)
{
    struct stager s = {.options = o};
    int r = link_send(o->control, EXPORT_STAGER, "4", (uint32_t)getpid());

    if (r >= 0)
        r = link_receive(o->control, EXPORT_STAGE, LINK_WAIT_MS, "");
    if (r < 0)
        return from_kuraband(r);
    r = take_files(&s);
    if (r == 0)
        r = ask_for_all(&s);
    if (r == 0 && link_send(o->control, EXPORT_OPENED_END, "4", (uint32_t)s.n) < 0)
        r = STAGE_E_STOPPED;
    if (r == 0)
        r = copy_all(&s, ret);
    stager_done(&s);
    return r;
}
