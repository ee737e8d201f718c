#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/identity.h"
#include "export/medium.h"
#include "export/members.h"
#include "export/pack.h"
#include "export/protocol.h"
#include "export/put.h"

/* Inside the worker: worker.c (the two sides), prepare.c (what is written), deliver.c (who writes it), write.c (writing it). */

struct worker {
    struct export_identity id;
    char *filesystem, *name, *export_id;
    char **leftovers; /* ids of exports that did not end */
    size_t n_leftovers;
    struct medium_nodes medium;
    uint64_t size_max;
    int staged, packed;
    uint64_t *pulse;           /* of the stager */
    unsigned patience_s;       /* in which a medium that is written to does something */
    struct delivery *delivery; /* shared with the writer; deliver.c */
    uint64_t *beats;           /* in the writer: its pulse */
    struct export_members members;
    struct put_item *items;
    size_t n_items;
    char final[EXPORT_NAME_MAX + 1];
    bool control_is_closed;            /* in a child that has nothing to tell kuraband */
    char password[PACK_PASSWORD_SIZE]; /* of the container; "": none */
    bool writes;                       /* its bytes may be on the medium */
    bool committed;                    /* it may be whole on the medium: going away does not end it any more */
    uint64_t told_us;                  /* when progress was told last */
    uint64_t waited_us;                /* for the client, which reads slowly */
    const char *reason;                /* of the end */
    char detail[EXPORT_TEXT_MAX];
    char *stop_reason;
};

/* The first reason of the end counts. All return 1, for the caller to hand on. */
int worker_fail(struct worker *w, const char *reason, const char *detail);
int worker_fail_errno(struct worker *w, const char *what, int r);
int worker_fail_left(struct worker *w);    /* because worker_is_left() */
int worker_fail_stopped(struct worker *w); /* by kuraband, for the reason it gives, if it gives one */
struct worker_outcome {
    int number;
    const char *reason, *detail;
};
int worker_fail_outcome(struct worker *w, const struct worker_outcome *table, size_t n, int r, const char *what);

/* Has kuraband gone, or the client while that still matters? */
bool worker_is_left(const struct worker *w);
/* The next word of kuraband, which is this one or EXPORT_STOP. 0 or 1 as above. */
int worker_await(struct worker *w, uint16_t type, uint8_t *ret_byte);
/* Not 0: somebody left, or reads nothing. */
int worker_tell_progress(struct worker *w, enum export_phase phase, uint64_t done, uint64_t total);

/* Each 0, or 1 and it is known why not. */
int worker_stage(struct worker *w);
int worker_prepare(struct worker *w);
int worker_deliver(struct worker *w);
uint64_t worker_items_size(const struct worker *w); /* what worker_prepare() made of it */

/* What the writer leaves to who waits for it. */
struct delivery {
    uint64_t pulse;
    bool writes, committed;
    char reason[32], detail[EXPORT_TEXT_MAX], final[EXPORT_NAME_MAX + 1];
};
/* Mounted, written, named, closed; by a process of its own. 0, or 1 and it is known why not. */
int worker_write(struct worker *w);
void worker_delivery_free(struct worker *w);
