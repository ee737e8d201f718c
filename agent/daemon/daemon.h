#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/audit.h"
#include "daemon/expiry.h"
#include "daemon/uevents.h"
#include "gate/holder.h"
#include "kern/block.h"
#include "kern/mount.h"
#include "mfa/mfa.h"

struct block_manager;
struct config;
struct ctl_server;
struct gate;
struct exports;
struct fleet;
struct grants;
struct medium;
struct mount_manager;
struct notices;
struct policy;
struct recorder;
struct refusals;
struct rulebook;
struct sd_event;
struct sd_event_source;
struct sessions;
struct usb_device;
struct usb_manager;
struct usb_sysfs;
struct verdict;

enum {
    DAEMON_PATIENCE_US = 500 * 1000 /* for a device that seems to leave; hubs are asked at least every 256 ms */
};

/*
 * kuraband, wired. One struct, one main thread; each part below is optional by configuration and NULL when off. For the files of
 * daemon/ only.
 */
struct daemon {
    struct sd_event *loop;
    struct config *config;
    int run_fd, state_fd, proc_fd, sys_fd, dev_fd;
    int64_t started_us;

    struct recorder *recorder;
    struct refusals *refusals;
    struct rulebook *rulebook; /* the policy and where it came from */
    struct sessions *sessions;
    struct ctl_server *control;
    struct notices *notices; /* notices.c */

    struct holder holder;
    struct gate *gate;
    bool gate_begun;   /* marks may be set */
    bool keeper_lost;  /* it died and could not be started again */
    bool overlay_open; /* overlay mounts lead around the gate, or it could not be found out */
    bool self_test_ok;
    int64_t self_test_us;

    struct usb_sysfs *usb_sysfs;
    struct usb_manager *usb;
    struct uevents usb_events;

    struct block_kernel block_kernel;
    struct mount_kernel mount_kernel;
    struct block_manager *block;
    struct mount_manager *mounts;
    struct uevents block_events;
    uint64_t reasserted;
    struct guarded {
        uint64_t device;     /* block device of a medium whose filesystem the gate holds */
        uint64_t filesystem; /* st_dev there: btrfs has its own */
    } * guarded;
    size_t n_guarded;

    bool emergency_boot;         /* kuraban.emergency on the kernel's command line */
    uint64_t emergency_until_us; /* boottime; 0 = none */

    struct sd_event_source *tick, *self_test, *io[8], *keeper_gone, *gate_rest;
    size_t n_io;
    struct mfa *mfa;             /* factor.c */
    enum mfa_condition mfa_told; /* what the journal says of its store */
    struct grants *grants;       /* unlock.c */
    struct exports *exports;     /* exports.c */
    struct fleet *fleet;         /* fleet.c */
    struct sd_event_source *grant_timer;
    uint64_t ticks;
    int64_t clock_offset_us;            /* wall clock minus boottime, as last seen */
    int64_t expiry_told[EXPIRY_COUNT_]; /* the end that was told last */
    bool media_dirty;                   /* a USB verdict changed: media follow at the end of this turn */
    bool watchers_dirty;                /* devices changed since the last WATCH answer */
    bool purge;
};

/* daemon.c */
void daemon_changed(struct daemon *d); /* devices or media changed: WATCH answers go out at the end of this turn */
void daemon_apply_policy(struct daemon *d);
void daemon_apply_people(struct daemon *d);
int daemon_reload(struct daemon *d); /* as rulebook_reload() */
void daemon_rule(struct daemon *d);  /* the rulebook holds another policy, and the record of it is made */

/* wire_usb.c */
int wire_usb_start(struct daemon *d);
void wire_usb_stop(struct daemon *d);
void wire_usb_fill(struct audit_event *e, const struct usb_device *u);
/* wire_media.c */
int wire_media_start(struct daemon *d);
void wire_media_stop(struct daemon *d);
void wire_media_tick(struct daemon *d);
void wire_media_fill(struct audit_event *e, const struct medium *m);
void wire_media_tell_gate(struct daemon *d); /* verdicts of guarded media, after a new policy */
bool wire_media_is_guarded(const struct daemon *d, uint64_t device);
/* program.c: the path of another program of ours. */
void daemon_find_program(const char *name, char path[static PATH_MAX]);

/* wire_gate.c */
int wire_gate_open(struct daemon *d); /* takes over what a dead daemon left, before anything else opens descriptors */
int wire_gate_start(struct daemon *d);
void wire_gate_record_takeover(struct daemon *d);
void wire_gate_drain(struct daemon *d); /* everything the gate has decided goes to the journal */
void wire_gate_stop(struct daemon *d);
void wire_gate_close(struct daemon *d); /* purge: lets the groups go; else they stay with their keepers */
bool wire_gate_self_test(struct daemon *d);
void wire_gate_probe_overlay(struct daemon *d);
void wire_gate_tick(struct daemon *d);
/* control.c */
int control_start(struct daemon *d);
/* emergency.c */
bool emergency_has_word(
    const char *command_line); /* the kernel's command line: kuraban.emergency as a word of its own */
void emergency_read_boot(struct daemon *d);
bool emergency_is_on(const struct daemon *d);
int emergency_begin(struct daemon *d, uint32_t seconds, const char *reason, uint32_t uid);
void emergency_apply(struct daemon *d);
void emergency_tick(struct daemon *d);

/* Puts what a verdict says into an event. */
void event_set_verdict(struct audit_event *e, const struct verdict *v);
