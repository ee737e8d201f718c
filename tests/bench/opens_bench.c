/*
 * The hands of tests/bench/run: opens files and says what one open+close cost, or is the listener that only answers (the floor).
 *
 *   opens warm DIR N PROCESSES     each process opens its own DIR/warm/PROCESS N times; prints ns of wall time for one
 *                                  open of all processes together (so two cores can halve it)
 *   opens cold DIR N FIRST         DIR/cold/FIRST…FIRST+N-1, each once; their inodes are in memory already, so what is cold
 *                                  is what the guard knows, not the disk
 *   opens answer DIR     allows every open on DIR's filesystem until it is killed; prints "ready"
 *
 * Must not: use anything of the gate; the floor would then measure our own code.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

enum {
    PROCESSES_MAX = 64
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

static double cold(const char *dir, uint64_t opens, uint64_t first)
{
    char path[512];
    struct stat st;
    double begin = 0;

    for (int pass = 0; pass < 2; pass++) {
        begin = now_ns();
        for (uint64_t i = first; i < first + opens; i++) {
            (void)snprintf(path, sizeof(path), "%s/cold/%llu", dir, (unsigned long long)i);
            if (pass == 1)
                open_close(path);
            else if (stat(path, &st) < 0)
                die(path);
        }
    }
    return (now_ns() - begin) / (double)opens;
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
    fprintf(stderr, "usage: opens warm DIR N PROCESSES | cold DIR N FIRST | answer DIR\n");
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
    if (argc != 5 || n == 0)
        return usage();
    if (strcmp(argv[1], "warm") == 0 && last > 0 && last <= PROCESSES_MAX)
        printf("%.0f\n", warm(argv[2], n, (unsigned)last));
    else if (strcmp(argv[1], "cold") == 0)
        printf("%.0f\n", cold(argv[2], n, last));
    else
        return usage();
    return 0;
}
