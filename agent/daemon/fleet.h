#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/cut.h"
#include "base/buf.h"
#include "member/member.h"

struct ctl_peer;
struct daemon;
struct json_t;
struct sd_event_source;

/*
 * This terminal's centre, in the daemon: what is held of it (agent/member), what the courier is told and asked, and that the journal keeps what
 * the centre does not have yet. Who asks is control_fleet.c's, the report fleet_report.c's.
 */
struct fleet {
    struct member *member;
    int journal; /* its directory */
    struct journal_cursor sending, acknowledged;

    uint64_t reports;       /* made in this run */
    uint64_t report_wanted; /* rises whenever there is something to report */
    uint64_t report_at_us;  /* boottime; when one is wanted anyway */
    struct {
        bool any;
        struct digest bundle;
        char reason[64]; /* "": applied */
    } outcome;           /* of the bundle that came last */
    struct buf upload;   /* of a bundle, piece by piece */
    char system[FLEET_TEXT_SIZE];

    bool link_up;
    int64_t contact_us; /* wall clock: when the link was known to be up last; 0 never */
    uint64_t told_sequence, told_ack, told_report;
    struct sd_event_source *telling;
};

int fleet_start(struct daemon *d);
void fleet_stop(struct daemon *d);
void fleet_tick(struct daemon *d);
/* The user that the configuration names may use the courier's verbs; asked again, because it may be made later. */
void fleet_find_courier(struct daemon *d);

/* Something was recorded: the courier is told soon. */
void fleet_recorded(struct daemon *d);
/* Policy, membership or bundle: a report is wanted. */
void fleet_report_wanted(struct daemon *d);

/* What member_judge() is to look at. */
struct member_view fleet_view(struct daemon *d);
/* After each member_keep(): who this terminal is for scopes, and what the journal keeps. The rulebook borrows what is held. */
void fleet_apply(struct daemon *d);
/* The first membership, or a new one after an enrolment: as member_join(), then as above, recorded. */
int fleet_join(struct daemon *d, const struct ctl_peer *peer, const char wire[static NKEY_PUBLIC_SIZE],
               const uint8_t *envelope, size_t size, struct member_refusal *ret_refusal);
/* 0 and the number, or none: 0. */
uint64_t fleet_acknowledged(const struct daemon *d);

/* The signed envelope of a new report. 0 or -errno. */
int fleet_report(struct daemon *d, uint8_t **ret, size_t *ret_size);

/* JSON: of STATUS (null: no centre), of HELLO and WATCH, and checks of DOCTOR by way of add. */
struct json_t *answer_fleet(const struct daemon *d);
struct json_t *answer_fleet_hello(struct daemon *d);
