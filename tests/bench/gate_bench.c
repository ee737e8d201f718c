/*
 * What one open+close costs: unguarded, with a listener that only answers, through the gate cold and warm, in a store, and elsewhere
 * on the same filesystem as a store. Medians of several rounds, and their ratios; absolute times mean little on a shared machine.
 *
 *   sudo build/release/bench/gate [ROUNDS]
 *
 * The measured process is a child: the gate's own opens are refused. Each round measures every case, so that a slow minute of the
 * machine falls on all of them.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fake/machine.h"
#include "gate/gate.h"
#include "kern/fanotify.h"
#include "policy/policy.h"

enum {
    ROUNDS_DEFAULT = 9,
    ROUNDS_MAX = 99,
    OPENS = 2000,
    FILES = 200
};

static struct policy_program program;
static struct policy_store store = {.id = (char *)(uintptr_t) "store", .programs = &program, .n_programs = 1};
static struct policy_medium_rule medium_rule = {.id = (char *)(uintptr_t) "bench", .allow = POLICY_READ};
static struct policy policy = {.refs = 1000,
                               .media = {.rules = &medium_rule, .n_rules = 1},
                               .name = (char *)(uintptr_t) "bench",
                               .stores = &store,
                               .n_stores = 1};
static char store_path[256], program_path[256];

static double now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "gate bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* One file again and again, or (cold) each file of a directory once. */
static double time_opens(const char *path, bool cold)
{
    int n = cold ? FILES : OPENS;
    double start = now_ns();

    for (int i = 0; i < n; i++) {
        char name[512];
        int fd;

        if (cold)
            (void)snprintf(name, sizeof(name), "%s/%d", path, i);
        fd = open(cold ? name : path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            die(cold ? name : path);
        close(fd);
    }
    return (now_ns() - start) / n;
}

/* In this program started anew (it is the program that the store permits), or it would be the gate's own open. */
static double in_child(const char *path, bool cold)
{
    const char *argv[] = {program_path, "--opens", path, cold ? "cold" : "warm", NULL};
    int pipes[2], status;
    double ns = 0;
    pid_t child;

    if (pipe2(pipes, 0) < 0)
        die("pipe");
    child = fork();
    if (child == 0) {
        (void)dup2(pipes[1], STDOUT_FILENO);
        execv(program_path, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(pipes[1]);
    if (read(pipes[0], &ns, sizeof(ns)) != (ssize_t)sizeof(ns))
        die("measuring child");
    close(pipes[0]);
    if (waitpid(child, &status, 0) != child || status != 0)
        die("measuring child");
    return ns;
}

/* The floor: one blocking thread that answers and closes. */
struct listener {
    int group;
    _Atomic bool stop;
    pthread_t thread;
};

static void *only_answer(void *arg)
{
    struct listener *l = arg;
    _Alignas(struct fanotify_event_metadata) char bytes[4096];
    struct pollfd p = {.fd = l->group, .events = POLLIN};

    while (!l->stop) {
        struct fanotify_event e;
        size_t offset = 0;
        ssize_t n;

        if (poll(&p, 1, 50) != 1)
            continue;
        n = read(l->group, bytes, sizeof(bytes));
        while (n > 0 && fanotify_next_event(bytes, (size_t)n, &offset, &e) > 0) {
            (void)fanotify_answer(l->group, e.fd, true);
            (void)close(e.fd);
        }
    }
    return NULL;
}

static void listener_start(struct listener *l, const char *path)
{
    int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    *l = (struct listener){.group = fanotify_new_guard(&fanotify_kernel)};
    if (l->group < 0 || fanotify_guard_filesystem(&fanotify_kernel, l->group, dir, ".") < 0 ||
        pthread_create(&l->thread, NULL, only_answer, l) != 0)
        die("listener");
    close(dir);
}

static void listener_stop(struct listener *l)
{
    l->stop = true;
    pthread_join(l->thread, NULL);
    close(l->group);
}

/* The main loop of a daemon that journals nothing. */
struct drain {
    struct gate *gate;
    _Atomic bool stop;
    pthread_t thread;
};

static void *drain_run(void *arg)
{
    struct drain *d = arg;
    struct pollfd p = {.fd = gate_event_fd(d->gate), .events = POLLIN};
    static struct audit_event e;

    while (!d->stop)
        if (poll(&p, 1, 50) == 1)
            while (gate_next_event(d->gate, &e))
                ;
    return NULL;
}

struct guarded {
    int exits, stores, proc_fd, run_fd;
    struct gate *gate;
    struct drain drain;
};

static void guarded_start(struct guarded *g, const char *medium)
{
    struct gate_medium m = {.verdict = {.kind = VERDICT_ALLOW,
                                        .ruled = VERDICT_ALLOW,
                                        .allow = POLICY_READ,
                                        .reason = REASON_RULE,
                                        .rule = "bench"},
                            .read_only = true};
    int fd = open(medium, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct gate_options o;
    struct stat st;

    g->exits = fanotify_new_guard(&fanotify_kernel);
    g->stores = fanotify_new_guard(&fanotify_kernel);
    g->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    g->run_fd = open(machine_root(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    o = (struct gate_options){.exits = g->exits, .stores = g->stores, .proc_fd = g->proc_fd, .run_fd = g->run_fd};
    if (fstat(fd, &st) < 0 || gate_new(&o, &g->gate) < 0 || gate_set_policy(g->gate, &policy) < 0)
        die("gate");
    m.device = st.st_dev;
    if (gate_guard_medium(g->gate, fd, &m) < 0 || gate_start(g->gate) < 0 || gate_self_test(g->gate, 10000) != 1)
        die("gate");
    close(fd);
    g->drain = (struct drain){.gate = g->gate};
    if (pthread_create(&g->drain.thread, NULL, drain_run, &g->drain) != 0)
        die("drain");
}

static void guarded_stop(struct guarded *g)
{
    g->drain.stop = true;
    pthread_join(g->drain.thread, NULL);
    g->gate = gate_free(g->gate);
    close(g->exits);
    close(g->stores);
    close(g->proc_fd);
    close(g->run_fd);
}

enum {
    PLAIN_WARM,
    PLAIN_COLD,
    FLOOR_WARM,
    FLOOR_COLD,
    GATE_COLD,
    GATE_WARM,
    STORE_OPEN,
    ELSEWHERE,
    CASES,
};

static const struct {
    const char *name;
    int base;
} cases[CASES] = {
    [PLAIN_WARM] = {"unguarded, one file", PLAIN_WARM},
    [PLAIN_COLD] = {"unguarded, each file once", PLAIN_COLD},
    [FLOOR_WARM] = {"listener that only answers, one file", PLAIN_WARM},
    [FLOOR_COLD] = {"listener that only answers, each file once", PLAIN_COLD},
    [GATE_COLD] = {"medium, cold: each file once (vs listener)", FLOOR_COLD},
    [GATE_WARM] = {"medium, warm: one file (vs unguarded)", PLAIN_WARM},
    [STORE_OPEN] = {"store, permitted program, one file (vs listener)", FLOOR_WARM},
    [ELSEWHERE] = {"elsewhere on the store's filesystem (vs unguarded)", PLAIN_WARM},
};

static double results[CASES][ROUNDS_MAX];

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(int which, int rounds)
{
    qsort(results[which], (size_t)rounds, sizeof(double), compare);
    return results[which][rounds / 2];
}

static void make_files(void)
{
    machine_mount_ext4("stick");
    (void)mkdir(machine_path("stick/files"), 0755);
    for (int i = 0; i < FILES; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "stick/files/%d", i);
        machine_write(name, "x", 0644);
    }
    machine_mount_ext4("disk");
    (void)mkdir(machine_path("disk/store"), 0755);
    machine_write("disk/store/file", "x", 0644);
    machine_write("disk/elsewhere", "x", 0644);
    machine_make_read_only("stick");
    (void)mkdir(machine_path("bin"), 0755);
    machine_copy("/proc/self/exe", "bin/bench", 0755);
    strcpy(program_path, machine_path("bin/bench"));
    strcpy(store_path, machine_path("disk/store"));
    program.path = program_path;
    store.path = store_path;
}

static void round_once(int r)
{
    const char *one = machine_path("stick/files/0"), *all = machine_path("stick/files");
    struct listener l;
    struct guarded g;

    results[PLAIN_WARM][r] = in_child(one, false);
    results[PLAIN_COLD][r] = in_child(all, true);
    listener_start(&l, machine_path("stick"));
    results[FLOOR_WARM][r] = in_child(one, false);
    results[FLOOR_COLD][r] = in_child(all, true);
    listener_stop(&l);
    guarded_start(&g, machine_path("stick"));
    results[GATE_COLD][r] = in_child(all, true);
    results[GATE_WARM][r] = in_child(one, false);
    results[STORE_OPEN][r] = in_child(machine_path("disk/store/file"), false);
    results[ELSEWHERE][r] = in_child(machine_path("disk/elsewhere"), false);
    guarded_stop(&g);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS_DEFAULT;

    if (argc == 4 && strcmp(argv[1], "--opens") == 0) {
        bool cold = strcmp(argv[3], "cold") == 0;
        double ns;

        if (!cold)
            (void)time_opens(argv[2], false); /* the first asks; then it is warm */
        ns = time_opens(argv[2], cold);
        return write(STDOUT_FILENO, &ns, sizeof(ns)) == (ssize_t)sizeof(ns) ? 0 : 1;
    }
    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: gate [ROUNDS]\n");
        return 2;
    }
    machine_begin();
    make_files();
    for (int r = 0; r < rounds; r++)
        round_once(r);
    printf("%-52s %10s %8s\n", "open+close, median", "ns", "ratio");
    for (int i = 0; i < CASES; i++)
        printf("%-52s %10.0f %8.2f\n", cases[i].name, median(i, rounds),
               median(i, rounds) / median(cases[i].base, rounds));
    return 0;
}
