/*
 * Owns: what kuraband holds of its centre while it runs, and when the courier is told. Must not: speak to the network, or believe the courier:
 * all that changes anything here is signed by the centre and judged by agent/member.
 */
#include "daemon/fleet.h"

#include <errno.h>
#include <jansson.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "audit/key.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "config/config.h"
#include "ctl/server.h"
#include "daemon/answers.h"
#include "daemon/daemon.h"
#include "daemon/peer.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "json/whole.h"
#include "policy/policy.h"
#include "policy/trust/trust.h"

enum {
    TELL_US = 100 * 1000,               /* records come in bursts; the courier is told once */
    REPORT_US = 10 * 60 * 1000 * 1000u, /* as long as nothing happens */
    COURIER_TICKS = 30,                 /* its user may be made later */
};

uint64_t fleet_acknowledged(const struct daemon *d)
{
    const struct fleet_ack *ack = d->fleet ? member_ack(d->fleet->member) : NULL;

    return ack ? ack->sequence : 0;
}

/* --- telling the courier --- */

static bool tell(struct daemon *d)
{
    struct fleet *f = d->fleet;
    uint64_t sequence = recorder_sequence(d->recorder), ack = fleet_acknowledged(d);
    json_t *answer;

    if (sequence == f->told_sequence && ack == f->told_ack && f->report_wanted == f->told_report)
        return false;
    f->told_sequence = sequence;
    f->told_ack = ack;
    f->told_report = f->report_wanted;
    if (!d->control || !ctl_server_has_watchers(d->control, CTL_FLEET_WATCH, NULL))
        return false;
    answer = answer_fleet_hello(d);
    if (answer)
        ctl_server_publish(d->control, CTL_FLEET_WATCH, NULL, answer);
    json_decref(answer);
    return true;
}

static int on_telling(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    (void)tell(userdata);
    return 0;
}

void fleet_recorded(struct daemon *d)
{
    int enabled = SD_EVENT_OFF;

    if (!d->fleet || !d->fleet->telling)
        return;
    (void)sd_event_source_get_enabled(d->fleet->telling, &enabled);
    if (enabled != SD_EVENT_OFF)
        return;
    (void)sd_event_source_set_time(d->fleet->telling, clock_boottime_us() + TELL_US);
    (void)sd_event_source_set_enabled(d->fleet->telling, SD_EVENT_ONESHOT);
}

void fleet_report_wanted(struct daemon *d)
{
    if (!d->fleet)
        return;
    d->fleet->report_wanted++;
    d->fleet->report_at_us = clock_boottime_us() + REPORT_US;
    fleet_recorded(d);
}

/* --- what the centre says --- */

static int own_hash(void *context, uint64_t sequence, struct digest *ret)
{
    struct daemon *d = context;
    int r = journal_hash_at(d->fleet->journal, &d->fleet->acknowledged, sequence, recorder_sequence(d->recorder), ret);

    return r > 0 ? 1 : r;
}

struct member_view fleet_view(struct daemon *d)
{
    const struct trust_state *s = trusted_state(rulebook_trusted(d->rulebook));

    return (struct member_view){.root = s ? trust_state_root(s) : NULL,
                                .now_us = rulebook_time(d->rulebook, clock_wall_us()),
                                .own_hash = own_hash,
                                .context = d};
}

void fleet_apply(struct daemon *d)
{
    const struct member *m = d->fleet->member;
    const struct fleet_membership *held = member_membership(m);

    if (member_condition(m) == MEMBER_NONE) {
        rulebook_set_terminal(d->rulebook, NULL, NULL, 0);
        recorder_hold(d->recorder, 0);
        return;
    }
    rulebook_set_terminal(d->rulebook, member_terminal(m), held ? (const char *const *)held->groups.names : NULL,
                          held ? held->groups.n : 0);
    recorder_hold(d->recorder, fleet_acknowledged(d) + 1);
}

int fleet_join(struct daemon *d, const struct ctl_peer *peer, const char wire[static NKEY_PUBLIC_SIZE],
               const uint8_t *envelope, size_t size, struct member_refusal *ret_refusal)
{
    const struct member_view view = fleet_view(d);
    struct audit_event e;
    int r = member_join(d->fleet->member, &view, wire, envelope, size, ret_refusal);

    if (r != 0)
        return r;
    fleet_apply(d);
    audit_event_init(&e, AUDIT_FLEET_MEMBERSHIP);
    peer_fill_event(d, peer, &e);
    audit_set(e.message, sizeof(e.message), "this terminal belongs to a centre now");
    recorder_add(d->recorder, &e);
    fleet_report_wanted(d);
    return 0;
}

/* --- up and down --- */

void fleet_find_courier(struct daemon *d)
{
    struct passwd entry, *found = NULL;
    char buffer[4096];

    if (getpwnam_r(d->config->courier_user, &entry, buffer, sizeof(buffer), &found) == 0 && found && found->pw_uid != 0)
        ctl_server_set_courier(d->control, found->pw_uid);
}

static int open_member(struct daemon *d)
{
    const struct trust_state *s = trusted_state(rulebook_trusted(d->rulebook));
    uint8_t journal[JOURNAL_PUBLIC_SIZE];
    int r = journal_key_public(recorder_signer(d->recorder), journal);

    if (r >= 0)
        r = member_open(d->state_fd, journal, s ? trust_state_root(s) : NULL, &d->fleet->member);
    if (r >= 0 && member_condition(d->fleet->member) == MEMBER_DAMAGED) {
        struct audit_event e;

        audit_event_init(&e, AUDIT_FLEET_REFUSED);
        e.alarm = true;
        audit_set(e.reason, sizeof(e.reason), "damaged");
        audit_set(e.message, sizeof(e.message), member_complaint(d->fleet->member));
        recorder_add(d->recorder, &e);
        log_error("fleet.damaged", "error=%s", member_complaint(d->fleet->member));
    }
    return r;
}

int fleet_start(struct daemon *d)
{
    struct fleet *f = calloc(1, sizeof(*f));
    int r;

    if (!f)
        return -ENOMEM;
    d->fleet = f;
    f->report_wanted = 1;
    buf_init(&f->upload, TRUST_BUNDLE_MAX);
    f->journal = files_open_directory_at(d->state_fd, "journal", 0, 0);
    r = f->journal < 0 ? f->journal : open_member(d);
    if (r >= 0)
        r = sd_event_add_time(d->loop, &f->telling, CLOCK_BOOTTIME, UINT64_MAX, TELL_US / 10, on_telling, d);
    if (r >= 0)
        r = sd_event_source_set_enabled(f->telling, SD_EVENT_OFF);
    if (r >= 0)
        fleet_apply(d);
    return r < 0 ? r : 0;
}

void fleet_stop(struct daemon *d)
{
    struct fleet *f = d->fleet;

    if (!f)
        return;
    sd_event_source_disable_unref(f->telling);
    if (d->rulebook)
        rulebook_set_terminal(d->rulebook, NULL, NULL, 0);
    f->member = member_free(f->member);
    buf_done(&f->upload);
    close_fd(f->journal);
    free(f);
    d->fleet = NULL;
}

void fleet_tick(struct daemon *d)
{
    if (d->control && d->ticks % COURIER_TICKS == 1)
        fleet_find_courier(d);
    if (clock_boottime_us() >= d->fleet->report_at_us)
        fleet_report_wanted(d);
    (void)tell(d); /* records that no event announced: checkpoints, folded ones */
}

/* --- answers --- */

static const char *const conditions[] = {[MEMBER_DAMAGED] = "damaged", [MEMBER_GOOD] = "good", [MEMBER_NONE] = "none"};

static json_t *groups_of(const struct fleet_membership *m)
{
    json_t *array = json_array();

    for (size_t i = 0; m && i < m->groups.n; i++)
        whole_add(&array, json_string(m->groups.names[i]));
    return array;
}

json_t *answer_fleet_hello(struct daemon *d)
{
    const struct member *m = d->fleet->member;
    const struct fleet_membership *held = member_membership(m);

    return json_pack("{s:s, s:s, s:s?, s:o, s:I, s:I, s:I, s:I}", "terminal", member_terminal(m), "state",
                     conditions[member_condition(m)], "organization", held ? held->organization : NULL, "groups",
                     groups_of(held), "membership", (json_int_t)(held ? held->serial : 0), "sequence",
                     (json_int_t)recorder_sequence(d->recorder), "acknowledged", (json_int_t)fleet_acknowledged(d),
                     "report", (json_int_t)d->fleet->report_wanted);
}

static bool is_carried(const struct daemon *d)
{
    return d->control && ctl_server_has_watchers(d->control, CTL_FLEET_WATCH, NULL);
}

json_t *answer_fleet(const struct daemon *d)
{
    const struct fleet *f = d->fleet;
    const struct member *m = f ? f->member : NULL;
    const struct fleet_membership *held = m ? member_membership(m) : NULL;
    uint64_t sequence = recorder_sequence(d->recorder), ack = fleet_acknowledged(d);

    if (!m || member_condition(m) == MEMBER_NONE)
        return json_null();
    return json_pack("{s:s, s:s, s:s?, s:o, s:I, s:s, s:o, s:I, s:I}", "state", conditions[member_condition(m)],
                     "terminal", member_terminal(m), "organization", held ? held->organization : NULL, "groups",
                     groups_of(held), "membership", (json_int_t)(held ? held->serial : 0), "link",
                     !is_carried(d) ? "off"
                     : f->link_up   ? "up"
                                    : "down",
                     "contact", answer_time(f->contact_us), "acknowledged", (json_int_t)ack, "unacknowledged",
                     (json_int_t)(sequence > ack ? sequence - ack : 0));
}
