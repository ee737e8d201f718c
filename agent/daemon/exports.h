#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "decide/decide.h"
#include "grant/grant.h"

struct ctl_peer;
struct daemon;
struct decide_person;
struct decide_time;
struct medium;
struct policy;
struct policy_export_rule;

/* Exports in the daemon: one at a time, from a request that was found good (control_export.c) to the last record. */

/* Before the media are looked at: which of them may still be written to by an export that another kuraband began? All of them, when that cannot be
 * read. */
int exports_open(struct daemon *d);
bool exports_holds(const struct daemon *d, const char *medium_id);
/* When they are there: what did not end is recorded, and its medium shown again as soon as nobody has it. */
int exports_start(struct daemon *d);
/* Can what must not be forgotten about exports be read? Without that none begins. */
bool exports_ledger_is_good(struct daemon *d);
/* A running one is recorded as failed; its worker gives up when its socket closes. */
void exports_stop(struct daemon *d);
/* Before another policy is set: what began under the old one ends, unless it may have its name already. */
void exports_end_by_policy(struct daemon *d);

/* Something changed, or time passed: the one that runs ends when its medium is permitted no more, unless it may have its name already. */
void exports_tick(struct daemon *d);

/* May this person export to the medium now? REASON_RULE: yes. */
enum verdict_reason exports_target_reason(const struct daemon *d, const struct medium *m,
                                          const struct decide_person *person);

/* A mount of that medium was seen, and detached. */
void exports_note_mount(struct daemon *d, dev_t device);

/* What is found before a code is looked at: whom the rules of this medium want, and whether any of them can permit now. Which of them will
 * decide is known when the files are there: each file's own. */
struct exports_question {
    const struct medium *medium;
    const struct decide_person *person;
    const struct decide_person *approvers; /* named */
    size_t n_approvers;
};
struct exports_wanted {
    enum verdict_reason reason;      /* REASON_RULE: something could be taken out, with the codes of who is asked */
    char rule[POLICY_ID_MAX + 1];    /* of the refusal */
    bool own;                        /* the code of who asks is wanted */
    unsigned approvals;              /* the most that a rule wants */
    bool asked[GRANT_APPROVERS_MAX]; /* of the approvers, in their order: whose code is wanted */
};
/* Does any rule want approvals of an export to this medium? */
bool exports_want_approvals(const struct daemon *d, const struct medium *m);
void exports_ask(struct daemon *d, const struct exports_question *q, struct exports_wanted *ret);

struct exports_request {
    const struct medium *medium;
    uid_t uid;
    gid_t gid;
    gid_t *gids; /* supplementary; taken over, also on failure */
    size_t n_gids;
    pid_t pid;                   /* who sent it */
    const struct ctl_peer *peer; /* the same */
    const char *reason;
    uint8_t factors;
    const char *list; /* digest of the files that the codes are for, in hex */
    const uid_t *approvers;
    size_t n_approvers;
    const uid_t *unasked; /* named as approvers, and not wanted */
    size_t n_unasked;
    uint64_t ticket; /* answered when the worker is there */
};
enum {
    EXPORTS_E_BUSY = 1, /* another one is running */
    EXPORTS_E_JOURNAL,  /* it could not be recorded, so it was not begun */
    EXPORTS_E_LEDGER,   /* what counts for today is not known */
    EXPORTS_E_FILESYSTEM,
    EXPORTS_E_UNANSWERED, /* too many earlier ones of this person, or of all, still wait for files that do not answer */
    EXPORTS_E_PAUSE,      /* too many of this person came to nothing within a minute */
    EXPORTS_E_COUNT_
};
/* Before anything is asked of anybody: could one of this person begin? 0, EXPORTS_E_* but EXPORTS_E_JOURNAL. */
int exports_check(struct daemon *d, const struct medium *m, const struct ctl_peer *peer);
/* 0: begun and recorded, the answer comes later. EXPORTS_E_*; -errno. */
int exports_begin(struct daemon *d, struct exports_request *r);
