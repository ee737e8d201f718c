/*
 * How many records a second the journal makes durable, against the floor: the same bytes, written and synced in pieces of
 * the same size by nothing but pwrite and fdatasync. Usage: journal [DIRECTORY [SECONDS]]; the directory's filesystem is
 * what is measured.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit/journal.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"

struct figure {
    double records_per_second, commits_per_second, bytes_per_record;
};

static double seconds_since(uint64_t start_us)
{
    return (double)(clock_boottime_us() - start_us) / 1e6;
}

static void make_event(struct audit_event *e, unsigned long n)
{
    audit_event_init(e, AUDIT_FILE_OPEN);
    e->has_verdict = e->has_uid = true;
    e->uid = 1000;
    e->pid = 4321;
    audit_set(e->rule, sizeof(e->rule), "juki");
    audit_set(e->reason, sizeof(e->reason), "program");
    audit_set(e->policy_name, sizeof(e->policy_name), "standard");
    e->policy_version = 42;
    audit_set(e->program, sizeof(e->program), "/usr/bin/cp");
    (void)snprintf(e->path, sizeof(e->path), "/srv/juki/%lu.csv", n); /* all different: nothing is folded */
}

static int measure_journal(int state, unsigned int batch, double seconds, struct figure *ret)
{
    struct journal_options options = {.fold = {.refused = UINT32_MAX, .allowed = UINT32_MAX},
                                      .wall_us = clock_wall_us(),
                                      .boottime_us = clock_boottime_us()};
    struct journal *j = NULL;
    unsigned long records = 0, commits = 0;
    struct audit_event e;
    uint64_t start, bytes;
    double elapsed;
    int r;

    r = journal_open(state, &options, &j);
    if (r < 0)
        return r;
    bytes = journal_bytes(j);
    start = clock_boottime_us();
    do {
        for (unsigned int i = 0; i < batch && r == 0; i++) {
            make_event(&e, records++);
            r = journal_append(j, &e);
        }
        if (r == 0)
            r = journal_commit(j, clock_wall_us(), clock_boottime_us());
        commits++;
    } while (r == 0 && seconds_since(start) < seconds);
    elapsed = seconds_since(start);
    if (r == 0)
        r = journal_maintain(j, clock_wall_us(), clock_boottime_us());
    bytes = journal_bytes(j) - bytes;
    if (r == 0)
        r = journal_close(j, clock_wall_us(), clock_boottime_us());
    else
        journal_free(j);
    *ret = (struct figure){(double)records / elapsed, (double)commits / elapsed, (double)bytes / (double)records};
    return r;
}

static int measure_floor(int state, unsigned int batch, double bytes_per_record, double seconds, struct figure *ret)
{
    size_t size = (size_t)(bytes_per_record * batch);
    _cleanup_close_ int fd = openat(state, "floor", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    _cleanup_free_ char *data = malloc(size > 0 ? size : 1);
    unsigned long commits = 0;
    uint64_t start;
    off_t offset = 0;
    double elapsed;

    if (fd < 0 || !data)
        return fd < 0 ? -errno : -ENOMEM;
    memset(data, 'x', size);
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 16 << 20) < 0 && errno != EOPNOTSUPP) /* as the journal reserves */
        return -errno;
    start = clock_boottime_us();
    do {
        if (pwrite(fd, data, size, offset) != (ssize_t)size || fdatasync(fd) < 0)
            return -errno;
        offset += (off_t)size;
        commits++;
    } while (seconds_since(start) < seconds);
    elapsed = seconds_since(start);
    if (unlinkat(state, "floor", 0) < 0)
        return -errno;
    *ret = (struct figure){(double)commits * batch / elapsed, (double)commits / elapsed, bytes_per_record};
    return 0;
}

static int remove_tree(const char *path)
{
    char command[256];

    (void)snprintf(command, sizeof(command), "rm -rf -- '%s'", path);
    return system(command) == 0 ? 0 : -EIO;
}

int main(int argc, char **argv)
{
    static const unsigned int batches[] = {1, 10, 100, 1000};
    const char *parent = argc > 1 ? argv[1] : "/var/tmp";
    uint64_t seconds = 3;
    char path[128];
    int r = 0;

    if (argc > 2 && text_to_u64(argv[2], 60, &seconds) < 0) {
        fprintf(stderr, "usage: %s [DIRECTORY [SECONDS]]\n", argv[0]);
        return 2;
    }
    printf("%-8s %14s %14s %8s %10s %10s\n", "batch", "journal rec/s", "floor rec/s", "ratio", "commit/s", "byte/rec");
    for (size_t i = 0; i < ELEMENTS(batches) && r == 0; i++) {
        struct figure journal = {0}, floor = {0};
        _cleanup_close_ int state = -1;

        (void)snprintf(path, sizeof(path), "%s/kuraban-bench-XXXXXX", parent);
        if (!mkdtemp(path) || (state = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
            perror(parent);
            return 1;
        }
        r = measure_journal(state, batches[i], (double)seconds, &journal);
        if (r == 0)
            r = measure_floor(state, batches[i], journal.bytes_per_record, (double)seconds, &floor);
        if (r == 0)
            printf("%-8u %14.0f %14.0f %8.2f %10.0f %10.0f\n", batches[i], journal.records_per_second,
                   floor.records_per_second, journal.records_per_second / floor.records_per_second,
                   journal.commits_per_second, journal.bytes_per_record);
        if (remove_tree(path) < 0)
            fprintf(stderr, "%s could not be removed\n", path);
    }
    if (r != 0)
        fprintf(stderr, "failed: %d %s\n", r, r < 0 ? strerror(-r) : "journal full");
    return r != 0;
}
