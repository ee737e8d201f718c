#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "audit/audit.h"
#include "decide/decide.h"

struct fanotify_ops;
struct policy;

/*
 * The gate: asks decide about every open on guarded media and stores, answers the kernel, then tells the journal.
 *
 * Order for the daemon: holder_open() → gate_new() → gate_set_policy() → gate_guard_medium()… → gate_start() → gate_self_test() →
 * ready. All functions are for the main thread. In its loop: when gate_event_fd() is readable call gate_next_event() until 0; every
 * few seconds gate_tick(). The main thread must never open a file on a guarded filesystem: it is refused at once (reason unknown).
 */

struct gate;

struct gate_options {
    const struct fanotify_ops *ops; /* NULL: the kernel */
    int exits, stores;   /* permission groups from the holder; the gate duplicates neither and closes neither */
    int proc_fd;         /* /proc, O_PATH is enough; stays the caller's */
    int run_fd;          /* run directory for the canaries; stays the caller's */
    pid_t keeper;        /* 0 none; its opens are refused at once */
    unsigned workers;    /* 0 = 2 */
    size_t queue;        /* events in flight, a power of two; 0 = 512. Full: refused with reason overload */
    size_t records;      /* decisions waiting for the journal, a power of two; 0 = 4096 */
    size_t store_inodes; /* 0 = default of stores.h */
};

/* 0, -ENOMEM, or what making the canaries said. Nothing is asked or answered before gate_start(). */
int gate_new(const struct gate_options *o, struct gate **ret);
/* Starts reader, workers and the store tracker. Sets SIGIO to ignored (lease.h). */
int gate_start(struct gate *g);
/* Stops the threads: events in flight are answered, what comes later waits for the next daemon or the keeper. gate_next_event() then
 * still gives what was recorded. May be called twice. */
void gate_stop(struct gate *g);
/* The keeper was replaced (holder_renew()). */
void gate_set_keeper(struct gate *g, pid_t keeper);
/* Stops and frees; the marks and the groups stay. Returns NULL. */
struct gate *gate_free(struct gate *g);

/* A mounted medium. Copied. */
struct gate_medium {
    dev_t device;           /* st_dev of its filesystem */
    struct verdict verdict; /* what decide_medium() said; the rule is copied */
    bool read_only;         /* read-only at block level: only then may the kernel stop asking about a file */
    char bus[16], device_id[AUDIT_ID_MAX], vendor[8], product[8], serial[AUDIT_ID_MAX], name[AUDIT_ID_MAX], hash[72],
        node[64];
};

/* Marks the filesystem that holds dirfd (O_PATH is enough), or replaces what is known of that medium. The mark is set before this
 * returns. Never for FUSE and network filesystems. 0, -ENOBUFS past 256 media, -ENOMEM, or the kernel's -errno: then it is not
 * guarded and the caller detaches it. */
int gate_guard_medium(struct gate *g, int dirfd, const struct gate_medium *m);
/* What is known of a medium that is guarded already: another verdict, another policy's rule. 0; -ENOENT when it is not guarded. */
int gate_update_medium(struct gate *g, const struct gate_medium *m);
/* Forgets it. The mark itself dies with the filesystem; until then its files are refused. 0 or -ENOENT. */
int gate_unguard_medium(struct gate *g, dev_t device);

/* Swaps the policy (keeps its own reference), resolves and marks its stores, drops every ignore mark. Media keep the verdict they
 * were given until gate_update_medium() brings the new one; a rule that is no longer there refuses until then. */
int gate_set_policy(struct gate *g, struct policy *p);
/* pid, from now on, may read in the stores i of p with permitted[i], whatever programs they name: the process that takes files in for an
 * export. p is the policy in force. One at a time. 0, -ENOENT: no such process, -ENOMEM. */
int gate_set_exporter(struct gate *g, pid_t pid, const struct policy *p, const bool *permitted);
void gate_clear_exporter(struct gate *g); /* also before another policy is set */
/* In which store lies what it opened, or tried to open, since this was asked last: its index; -1: in none; -EXDEV: that is not certain. */
int gate_exporter_store(struct gate *g);
/* The journal can take nothing but refusals (decide_open_facts.journal_full). */
void gate_set_journal_full(struct gate *g, bool full);

/* Lets a child open the canary of each group: both must be refused before the deadline. 1 enforcing, 0 not (an alarm is among the
 * events), -errno when no child could be made. */
int gate_self_test(struct gate *g, int deadline_ms);
/* Whether an overlay mount leads around the gate on this kernel (before 6.5 it does). Tries it on a canary, in a mount namespace
 * that goes away. After gate_start(); with stores, GATE_OVERLAY_OPEN is an error that doctor shows. */
enum gate_overlay {
    GATE_OVERLAY_UNKNOWN = 0, /* could not be tried: treat as open */
    GATE_OVERLAY_OPEN,
    GATE_OVERLAY_REFUSED,    /* an overlay can be mounted and the gate is asked */
    GATE_OVERLAY_IMPOSSIBLE, /* no overlay can be mounted */
};
enum gate_overlay gate_overlay_probe(struct gate *g, int deadline_ms);
/* Compares the marks with what should be there, repairs and reports; looks at the programs again. 1 all was well, 0 repaired. */
int gate_tick(struct gate *g);
/* Marks all stores again: something was mounted or the stores' layout changed. */
void gate_rescan(struct gate *g);

/* An eventfd, readable when gate_next_event() has something. */
int gate_event_fd(const struct gate *g);
/* 1 and one event in the order of the answers, or 0. What did not fit into the ring comes as one event with its count. */
int gate_next_event(struct gate *g, struct audit_event *ret);

enum gate_failure {
    GATE_FAILURE_OVERLOAD = 0, /* queue full */
    GATE_FAILURE_SELF,         /* one of our own threads, or the keeper, opened a guarded file */
    GATE_FAILURE_DESCRIPTORS,  /* no descriptor for an event (the kernel refused it itself) */
    GATE_FAILURE_EVENT,        /* bytes that are no event */
    GATE_FAILURE_OVERFLOW,     /* the kernel lost events */
    GATE_FAILURE_READ,         /* the group cannot be read any more */
    GATE_FAILURE_FACTS,        /* the process could not be looked at */
    GATE_FAILURE_OBJECT,       /* neither medium nor store */
    GATE_FAILURE_ADOPT,        /* a new file in a store could not be marked */
    GATE_FAILURE_ANSWER,       /* the kernel did not take the answer */
    GATE_FAILURE_RECORD,       /* decision not recorded one by one (folded) */
    GATE_FAILURE_MARK,         /* a mark was lost or could not be set */
    GATE_FAILURE_COUNT_,
};
const char *gate_failure_name(enum gate_failure f); /* stable: "overload" "self" … */

struct gate_status {
    bool enforcing;      /* last self-test passed, marks whole, no store incomplete, reader alive */
    size_t marks;        /* media + stores that are marked */
    size_t store_inodes; /* inode marks of stores on shared filesystems */
    uint64_t decisions, denied, would_refuse, gone /* opener was killed before the answer */;
    uint64_t failures[GATE_FAILURE_COUNT_];
};
void gate_get_status(struct gate *g, struct gate_status *ret);
/* How store i of the policy stands: "absent" "filesystem" "inodes" "incomplete"; NULL past the last. */
const char *gate_store_state(struct gate *g, size_t i);
/* How a program of a store resolved: "missing" "untrusted" "resolved"; NULL past the last. */
const char *gate_program_state(struct gate *g, size_t store, size_t program);
