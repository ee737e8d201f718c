#pragma once

/* Shared between the files of gate/ only. */

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "gate/exporter.h"
#include "gate/gate.h"
#include "gate/queue.h"

struct hashes;
struct inodes;
struct judge;
struct stores;

enum {
    GATE_MEDIA_MAX = 256,
    GATE_WORKERS_MAX = 16
};

enum gate_group {
    GATE_EXITS = 0,
    GATE_STORES,
    GATE_GROUPS
};

/* One file per group, marked by inode, refused to everybody in every mode. */
struct canary {
    dev_t device;
    ino_t inode;
};

/* What the workers decide by: immutable, ref-counted, swapped whole. */
struct view {
    _Atomic unsigned refs;
    uint64_t generation;
    struct policy *policy; /* NULL: no policy yet, everything is refused */
    struct stores *stores; /* NULL with it */
    size_t n_media;
    struct view_medium {
        struct gate_medium m; /* m.verdict.rule points to rule */
        char rule[AUDIT_ID_MAX];
    } * media;
};

int view_new(const struct view *base, struct view **ret); /* a private copy to change, or empty for NULL */
struct view *view_ref(struct view *v);
struct view *view_unref(struct view *v);
const struct view_medium *view_find_medium(const struct view *v, dev_t device);
int view_put_medium(struct view *v, const struct gate_medium *m); /* 0, -ENOBUFS, -ENOMEM */
int view_drop_medium(struct view *v, dev_t device);               /* 0 or -ENOENT */

/* What a process was when it asked. gids live in the caller's status. */
struct asker {
    pid_t pid; /* of the process, 0 unknown */
    uint64_t start_time;
    bool has_uid, has_login_uid;
    uid_t uid, login_uid;
    uint32_t session;
    struct stat exe;
};

/* One thing for the journal. The strings behind are freed with it. */
struct record {
    enum audit_action action;
    int64_t wall_us;
    uint64_t boottime_us;
    struct view *view; /* keeps rule, medium and store alive; may be NULL */
    const struct view_medium *medium;
    bool has_store;
    size_t store;
    struct verdict verdict;
    bool has_verdict, alarm, write, execute;
    struct asker asker;
    uint64_t count;
    char *program, *path, *message;
};

struct gate {
    struct gate_options options;
    int group[GATE_GROUPS];
    int names;   /* notification group of the stores */
    int wake_fd; /* eventfd: ends reader and tracker */
    int event_fd;
    pid_t pid;
    _Atomic pid_t keeper; /* 0 none */
    ino_t userns_inode;   /* of our own user namespace; all namespaces are on one filesystem (nsfs) */
    struct canary canary[GATE_GROUPS];

    pthread_t reader, tracker, workers[GATE_WORKERS_MAX];
    unsigned n_workers;
    struct judge *judges; /* one for each worker */
    _Atomic unsigned next_judge;
    bool has_reader, has_tracker;
    _Atomic bool stopping, reader_failed;

    struct queue *events;
    sem_t pending;
    struct queue *records;
    struct hashes *hashes;
    struct exporter exporter;

    pthread_mutex_t view_lock; /* never taken by the reader */
    struct view *view;
    _Atomic uint64_t generation;
    _Atomic bool monitor, journal_full;
    _Atomic bool woken; /* event_fd is readable, or the main loop is on its way */

    _Atomic uint64_t failures[GATE_FAILURE_COUNT_];
    _Atomic uint64_t decisions, denied, would_refuse, gone;
    _Atomic uint64_t unrecorded[2];     /* by verdict kind */
    uint64_t told[GATE_FAILURE_COUNT_]; /* failures already reported; main thread */
    bool self_test_passed, marks_whole; /* main thread */
};

/* gate.c */
struct view *gate_take_view(struct gate *g);
void gate_fail(struct gate *g, enum gate_failure f); /* counts; lock-free */
void gate_wake_main(struct gate *g);

/* reader.c */
void *reader_run(void *gate);
enum {
    READER_EVENT_GROUP = 1,
    READER_EVENT_EXECUTE = 2
}; /* queue_item.flags: the group's number, and exec */

/* record.c */
struct record *record_new(enum audit_action action); /* NULL on ENOMEM */
struct record *record_free(struct record *r);
void record_push(struct gate *g, struct record *r); /* takes it in any case */
void record_report(struct gate *g, enum audit_action action, bool alarm, const char *path, const char *message,
                   uint64_t count);
