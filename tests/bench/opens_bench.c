/*
 * The hands of tests/bench/run: opens files and says what one open+close cost, or is the listener that only answers (the floor).
 *
 *   opens warm DIR N PROCESSES     each process opens its own DIR/warm/PROCESS N times; prints ns of wall time for one
 *                                  open of all processes together (so two cores can halve it)
 *   opens one DIR N                DIR/warm/0, N times; prints the median and the mean of one open, ns. The median says what
 *                                  the path costs; the mean has the processor time that others took in between
 *   opens cold DIR N FIRST         the same with DIR/cold/FIRST…FIRST+N-1, each once; their inodes are in memory already, so
 *                                  what is cold is what the guard knows, not the disk
 *   opens answer DIR     allows every open on DIR's filesystem until it is killed; prints "ready"
 *
 * Must not: use anything of the gate; the floor would then measure our own code.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

enum {
    PROCESSES_MAX = 64,
    OPENS_MAX = 100000000
};

static double now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

__attribute__((noreturn)) static void die(const char *what)
{
    fprintf(stderr, "opens: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void open_close(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        die(path);
    (void)close(fd);
}

/* Says that it is ready, waits for the start, which is the end of file of that pipe, then works. */
static void warm_child(const char *dir, uint64_t opens, unsigned process, int ready, int start)
{
    char path[512], none = 0;

    (void)snprintf(path, sizeof(path), "%s/warm/%u", dir, process);
    for (int i = 0; i < 20; i++)
        open_close(path); /* the first asks; then it is warm */
    if (write(ready, &none, 1) != 1 || read(start, &none, 1) != 0)
        die("start");
    for (uint64_t i = 0; i < opens; i++)
        open_close(path);
    _exit(0);
}

static double warm(const char *dir, uint64_t opens, unsigned processes)
{
    int ready[2], start[2];
    double begin;
    char none;

    if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(start, O_CLOEXEC) < 0)
        die("pipe");
    for (unsigned p = 0; p < processes; p++) {
        pid_t child = fork();

        if (child < 0)
            die("fork");
        if (child == 0) {
            (void)close(start[1]);
            warm_child(dir, opens, p, ready[1], start[0]);
        }
    }
    (void)close(ready[1]);
    for (unsigned p = 0; p < processes; p++)
        if (read(ready[0], &none, 1) != 1)
            die("a measuring process");
    begin = now_ns();
    (void)close(start[1]);
    for (unsigned p = 0; p < processes; p++) {
        int status;

        if (wait(&status) < 0 || status != 0)
            die("a measuring process");
    }
    return (now_ns() - begin) / ((double)opens * processes);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_times(double *times, uint64_t n)
{
    double sum = 0;

    for (uint64_t i = 0; i < n; i++)
        sum += times[i];
    qsort(times, n, sizeof(*times), compare);
    printf("%.0f %.0f\n", times[n / 2], sum / (double)n);
}

/* first: of the cold files, or UINT64_MAX for the warm one. */
static void each(const char *dir, uint64_t n, uint64_t first)
{
    _cleanup_free_ double *times = calloc(n, sizeof(*times));
    bool warm_one = first == UINT64_MAX;
    char path[512];
    struct stat st;

    if (!times)
        die("memory");
    for (int pass = 0; pass < 2; pass++)
        for (uint64_t i = 0; i < n; i++) {
            double begin;

            (void)snprintf(path, sizeof(path), "%s/%s/%llu", dir, warm_one ? "warm" : "cold",
                           (unsigned long long)(warm_one ? 0 : first + i));
            if (pass == 0 && warm_one && i < 20)
                open_close(path);
            else if (pass == 0 && stat(path, &st) < 0)
                die(path);
            if (pass == 0)
                continue;
            begin = now_ns();
            open_close(path);
            times[i] = now_ns() - begin;
        }
    print_times(times, n);
}

__attribute__((noreturn)) static void answer_forever(int group)
{
    _Alignas(struct fanotify_event_metadata) char bytes[4096];
    ssize_t n;

    while ((n = read(group, bytes, sizeof(bytes))) > 0 || errno == EINTR) {
        const struct fanotify_event_metadata *e = (const void *)bytes;

        for (; n > 0 && FAN_EVENT_OK(e, n); e = FAN_EVENT_NEXT(e, n)) {
            struct fanotify_response r = {.fd = e->fd, .response = FAN_ALLOW};

            if (e->fd < 0)
                continue;
            if (write(group, &r, sizeof(r)) < 0 && errno != ENOENT)
                die("answer");
            (void)close(e->fd);
        }
    }
    die("read");
}

__attribute__((noreturn)) static void answer(const char *dir)
{
    int group =
        fanotify_init(FAN_CLASS_CONTENT | FAN_UNLIMITED_QUEUE | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC | O_LARGEFILE);

    if (group < 0 ||
        fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM, AT_FDCWD, dir) < 0)
        die("fanotify");
    (void)puts("ready");
    (void)fflush(stdout);
    answer_forever(group);
}

static int usage(void)
{
    fprintf(stderr, "usage: opens warm DIR N PROCESSES | one DIR N | cold DIR N FIRST | answer DIR\n");
    return 2;
}

int main(int argc, char **argv)
{
    uint64_t n = 0, last = 1;

    if (argc < 3 || (argc > 3 && text_to_u64(argv[3], 1000000000, &n) < 0) ||
        (argc > 4 && text_to_u64(argv[4], 1000000000, &last) < 0))
        return usage();
    if (argc == 3 && strcmp(argv[1], "answer") == 0)
        answer(argv[2]);
    if (argc < 4 || n == 0 || n > OPENS_MAX || (argc == 4) != (strcmp(argv[1], "one") == 0))
        return usage();
    if (argc == 4)
        each(argv[2], n, UINT64_MAX);
    else if (strcmp(argv[1], "warm") == 0 && last > 0 && last <= PROCESSES_MAX)
        printf("%.0f\n", warm(argv[2], n, (unsigned)last));
    else if (strcmp(argv[1], "cold") == 0)
        each(argv[2], n, last);
    else
        return usage();
    return 0;
}
