#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "audit/flood.h"
#include "base/buf.h"
#include "base/log.h"
#include "daemon/exports.h"
#include "decide/decide.h"
#include "device/exit_run.h"
#include "export/names.h"
#include "export/protocol.h"

struct ledger;
struct sd_event_source;

/* For exports*.c only. */

enum exports_phase { /* what the worker is expected to say next */
    EXPORTS_STAGER = 0,
    EXPORTS_FILES,     /* OPENED …, OPENED_END */
    EXPORTS_COPIES,    /* STAGED …, STAGED_END */
    EXPORTS_CONTAINER, /* READY */
    EXPORTS_HIDING,    /* nothing: we wait for udev */
    EXPORTS_MOUNT,     /* MOUNTED */
    EXPORTS_ROOM,      /* ROOM */
    EXPORTS_DATA,      /* WRITTEN; recorded and counted: its bytes may be on the medium */
    EXPORTS_NAME,      /* DONE; it may be whole on the medium */
    EXPORTS_ENDED,     /* nothing */
};

struct exports_file {
    char name[EXPORT_NAME_MAX + 1];
    int store; /* index, -1: none */
    uint64_t size;
    struct verdict verdict;
    char rule[POLICY_ID_MAX + 1]; /* of the verdict */
    char sha256[DIGEST_HEX_SIZE];
};

struct exporting {
    struct daemon *daemon;
    char id[17];
    enum exports_phase phase;
    dev_t device;
    char target[POLICY_ID_MAX + 1], medium_id[EXIT_ID_SIZE];
    struct audit_event *subject; /* who and which device: every record begins as a copy of it */
    struct decide_person person;
    gid_t *gids;
    struct decide_person *approvers;
    size_t n_approvers;
    uid_t unasked[GRANT_APPROVERS_MAX]; /* named as approvers, and not wanted */
    size_t n_unasked;
    uint8_t factors;
    char list[DIGEST_HEX_SIZE]; /* of the files that the codes are for */
    char reason[GRANT_REASON_MAX + 1];
    uint64_t ticket;
    int client;        /* for the answer; -1 when it is gone */
    int control, life; /* life: its other end is with the worker alone */
    struct sd_event_source *io, *end, *timer;
    struct buf in;
    struct exports_file *files;
    size_t n_files, n_staged, n_again;
    bool refused; /* one of them */
    enum export_container container;
    char name[EXPORT_NAME_MAX + 1]; /* on the medium */
    uint64_t size;                  /* there */
    char sha256[DIGEST_HEX_SIZE];
    uint64_t hiding_since_us, hidden_since_us; /* hidden: 0 not yet */
    bool said_end;                             /* the worker: it has closed the medium before */
    bool intruded;                             /* somebody else had it mounted while it was written */
};

/* Begun by another kuraband, and not ended or not known to have let go; id "": nobody knows whether. */
struct exports_held {
    char id[32], device[EXIT_ID_SIZE];
};

/* Who reads a file that does not answer, or writes to a medium that does not, and cannot be killed. */
enum {
    EXPORTS_BEHIND_MAX = 16,
    EXPORTS_BEHIND_PER_UID = 3,
};
struct exports_behind {
    int control; /* its other end closes when it ends */
    uid_t uid;
};

struct exports {
    struct ledger *ledger;     /* NULL: it cannot be opened; tried again at the next export */
    struct exporting *now;     /* NULL: none */
    struct exports_held *held; /* while kuraband starts */
    size_t n_held;
    bool unsure; /* what another kuraband had begun is not known: any medium may be written to still */
    struct exports_leaving *leaving; /* exports_leave.c; the first; NULL: none */
    struct exports_behind behind[EXPORTS_BEHIND_MAX];
    size_t n_behind;
    struct log_limit behind_logged;
    struct flood fruitless; /* exports_pace.c */
};

/* exports.c */
struct json_t *exports_record(const struct exporting *x); /* "kuraban"."export" */
void exports_add_record(struct exporting *x, struct audit_event *e, struct json_t *extra);
/* Records the end, gives the medium back, frees x. reason NULL: finished. */
void exports_end(struct exporting *x, const char *reason, const char *detail);
/* Tells the worker to stop, then exports_end(). */
void exports_stop_by(struct exporting *x, const char *reason, const char *detail);
/* Asked before each step towards the medium, and whenever something changed. 1: it is over. */
int exports_stop_when_refused(struct exporting *x);

/* What was taken out today under this rule, for the facts. 0 or -errno. */
int exports_used(const struct daemon *d, uid_t uid, const char *rule, struct decide_export_facts *f);

/* exports_target.c: why this medium may not be exported to now by who asks; NULL: it may. */
const char *exports_target_refused(const struct exporting *x);

/* exports_leave.c: the medium is everybody's again, as policy permits: at once, or when the worker has closed it. */
void exports_show(struct daemon *d, dev_t device);
void exports_let_go(struct exporting *x);
/* An export of which another kuraband was in charge: its medium is shown as soon as nobody has it. */
void exports_let_go_of(struct daemon *d, const struct exports_held *held);
/* May somebody have this one still? */
bool exports_is_leaving(const struct daemon *d, dev_t device);
/* Has an exporting process that gives this reason closed the medium? Not when somebody hangs there. */
bool exports_reason_is_end(const char *reason);
/* How many processes may have one still, of this person or (NULL) of anybody. */
unsigned exports_count_leaving(const struct daemon *d, const uid_t *uid);
void exports_leave_stop(struct daemon *d);

/* exports_behind.c: whoever is left of an export that had not come to the medium. Is one more of this person too many? */
void exports_behind_add(struct exporting *x);
/* The same of one that hangs on a medium, by the socket to it, which it takes; closed, or -1: nobody hangs. */
void exports_behind_take(struct daemon *d, int control, uid_t uid);
bool exports_behind_is_full(struct daemon *d, uid_t uid);
void exports_behind_stop(struct daemon *d);

/* exports_worker.c */
int exports_spawn(struct exporting *x, gid_t gid, const char *filesystem, const char *name);
int exports_send(struct exporting *x, uint16_t type, const char *picture, ...);

/* exports_rules.c: what the rules say of a file now; counted with what was taken out today, and with so many files of this export before it. */
#define EXPORTS_UNCOUNTED SIZE_MAX
void exports_decide(const struct exporting *x, size_t before, int store, uint64_t size, struct verdict *ret);
/* Of one more file. */
void exports_judge(const struct exporting *x, struct exports_file *f);
/* Asked again, of all that may go. 1: one may not any more, and it is over. */
int exports_stop_by_rule(struct exporting *x, bool counted);

/* exports_pace.c: this one has come to nothing, and nothing is written of it. Too many of those, of one person? */
void exports_pace_start(struct daemon *d);
void exports_pace_note(const struct exporting *x);
bool exports_pace_is_over(struct daemon *d, uid_t uid, uid_t login_uid);

/* exports_steps.c: one file, permitted (reason NULL) or refused. */
void exports_record_file(struct exporting *x, const struct exports_file *f, const char *reason);
/* exports_steps.c: one frame of the worker. 0, or -EBADMSG for what it must not say now. May free x (then 1). */
int exports_on_frame(struct exporting *x, uint16_t type, struct buf_reader *in);
