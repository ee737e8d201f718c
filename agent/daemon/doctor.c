/*
 * What enforces, what does not, and what will not for long. One function per thing looked at; each adds lines that a person can
 * act on.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/answers.h"
#include "daemon/daemon.h"
#include "daemon/exports.h"
#include "daemon/fleet.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "device/block.h"
#include "device/usb.h"
#include "gate/gate.h"
#include "json/whole.h"
#include "policy/policy.h"

#define FLEET_SILENCE_US (INT64_C(24) * 3600 * 1000000)

/* detail is English; the CLI translates by check name. */
static void add(json_t **array, const char *check, bool ok, const char *severity, const char *detail)
{
    whole_add(array, json_pack("{s:s, s:b, s:s, s:o, s:{}}", "check", check, "ok", ok, "severity", severity, "detail",
                               answer_foreign_text(ok ? "" : detail), "values"));
}

static void look_at_ends(const struct daemon *d, json_t **array)
{
    static const struct {
        const char *over, *over_words, *soon, *soon_words;
    } checks[EXPIRY_COUNT_] = {
        [EXPIRY_POLICY] = {"policy.expired", "the policy has expired; it is still enforced", "policy.expires-soon",
                           "the policy expires within 30 days"},
        [EXPIRY_HEAD] = {"head.expired", "the head has expired; the policy it selected is still enforced",
                         "head.expires-soon", "the head expires soon and no newer one has come"},
        [EXPIRY_ROOT] = {"root.expired", "the root has expired; nothing new is accepted before a newer root",
                         "root.expires-soon", "the root expires within 30 days: sign a newer one in time"},
    };
    int64_t now = rulebook_time(d->rulebook, clock_wall_us());
    struct expiry ends[EXPIRY_COUNT_];

    expiry_read(d->rulebook, ends);
    for (int i = 0; i < EXPIRY_COUNT_; i++) {
        if ((i != EXPIRY_POLICY || rulebook_source(d->rulebook) == RULEBOOK_NONE) && ends[i].until_us == 0)
            continue;
        add(array, checks[i].over, !expiry_is_over(&ends[i], now), "warning", checks[i].over_words);
        /* "Does not end soon" is no comfort for what has ended. */
        if (!expiry_is_over(&ends[i], now))
            add(array, checks[i].soon, !expiry_is_soon(&ends[i], now), "warning", checks[i].soon_words);
    }
}

static void look_at_trust(const struct daemon *d, json_t **array)
{
    enum trusted_condition condition = trusted_condition(rulebook_trusted(d->rulebook));

    if (condition == TRUSTED_NONE) {
        add(array, "policy.file", rulebook_source(d->rulebook) == RULEBOOK_FILE, "warning",
            rulebook_complaint(d->rulebook));
        add(array, "policy.kept", rulebook_source(d->rulebook) == RULEBOOK_NONE || rulebook_is_kept(d->rulebook),
            "warning", "no copy of the policy could be written; a start with a broken file would permit nothing");
        return;
    }
    add(array, "policy.trust", condition == TRUSTED_GOOD, "error", trusted_complaint(rulebook_trusted(d->rulebook)));
    if (condition == TRUSTED_GOOD)
        add(array, "policy.signed", rulebook_source(d->rulebook) == RULEBOOK_SIGNED, "warning",
            "a root is installed, but no signed policy has been applied yet: kuraban policy apply BUNDLE");
}

static void look_at_policy(const struct daemon *d, json_t **array)
{
    const struct policy *p = rulebook_policy(d->rulebook);

    add(array, "policy.present", rulebook_source(d->rulebook) != RULEBOOK_NONE, "error",
        "no policy could be read; everything but input devices is refused");
    look_at_trust(d, array);
    if (rulebook_source(d->rulebook) != RULEBOOK_NONE) {
        add(array, "policy.scope", rulebook_is_in_scope(d->rulebook), "warning",
            "the policy in force is not meant for this terminal (terminal in the configuration)");
        add(array, "policy.mode", p->mode == POLICY_ENFORCE, "warning", "monitor mode: nothing is refused");
    }
    look_at_ends(d, array);
}

static void look_at_stores(const struct daemon *d, json_t **array)
{
    const struct policy *p = rulebook_policy(d->rulebook);

    for (size_t i = 0; i < p->n_stores; i++) {
        const char *state = gate_store_state(d->gate, i);
        char check[AUDIT_ID_MAX + 16], detail[AUDIT_PATH_MAX];

        (void)snprintf(check, sizeof(check), "store.%s", p->stores[i].id);
        (void)snprintf(detail, sizeof(detail), "%.900s: %s", p->stores[i].path, state ? state : "unknown");
        add(array, check, state && strcmp(state, "incomplete") != 0 && strcmp(state, "absent") != 0, "error", detail);
        (void)snprintf(check, sizeof(check), "store.%s.filesystem", p->stores[i].id);
        add(array, check, state && strcmp(state, "filesystem") == 0, "warning",
            "the store shares its filesystem; give it one of its own (docs/STORES.md)");
        for (size_t k = 0; k < p->stores[i].n_programs; k++) {
            const char *program = gate_program_state(d->gate, i, k);

            (void)snprintf(check, sizeof(check), "store.%s.program", p->stores[i].id);
            (void)snprintf(detail, sizeof(detail), "%.900s: %s", p->stores[i].programs[k].path,
                           program ? program : "unknown");
            add(array, check, program && strcmp(program, "resolved") == 0, "warning", detail);
        }
    }
}

static void look_at_gate(struct daemon *d, json_t **array)
{
    struct gate_status s = {0};

    gate_get_status(d->gate, &s);
    add(array, "gate.self-test", d->self_test_ok, "error", "the kernel did not refuse the canary");
    add(array, "gate.enforcing", s.enforcing, "error", "the gate does not enforce everywhere it should");
    add(array, "gate.overload", s.failures[GATE_FAILURE_OVERLOAD] == 0, "info",
        "opens were refused because too many waited");
    if (rulebook_policy(d->rulebook)->n_stores > 0)
        add(array, "overlay", !d->overlay_open, "error",
            "on this kernel a file can be read around the guard through an overlay mount (docs/STORES.md)");
    add(array, "gate.keeper", d->holder.keeper_socket >= 0 || d->holder.in_fd_store, "error",
        "nobody keeps the gate: if kuraband dies, everything opens");
    look_at_stores(d, array);
}

static void look_at_devices(const struct daemon *d, json_t **array)
{
    add(array, "usb.on", d->usb != NULL, "warning", "USB is switched off in the configuration");
    if (d->usb)
        add(array, "usb.hubs", usb_manager_guarded(d->usb), "error", "a root hub still authorizes by default");
    add(array, "media.on", d->block && block_manager_mode(d->block) == EXIT_MODE_ON, "warning",
        "media are not all guarded (configuration or monitor mode)");
    add(array, "media.seen", !d->block || block_manager_blind(d->block) == 0, "error",
        "which media there are cannot be read: all are refused");
    add(array, "media.reasserted", d->reasserted == 0, "warning",
        "somebody cleared a medium's read-only flag; it was set again");
    add(array, "emergency", !emergency_is_on(d), "warning", "input devices are permitted by the emergency");
}

static void look_at_journal(const struct daemon *d, json_t **array)
{
    add(array, "journal.space", !recorder_is_low(d->recorder), "error",
        "the disk is full: only refusals are recorded from the reserve");
    add(array, "journal.written", !recorder_is_failing(d->recorder), "error",
        "the journal cannot be written; see kuraband's log");
    add(array, "journal.unrecorded", recorder_unrecorded(d->recorder) == 0, "error",
        "decisions could not be recorded for want of space");
}

static void look_at_exports(struct daemon *d, json_t **array)
{
    add(array, "export.ledger", exports_ledger_is_good(d), "error",
        "export.db cannot be read: nothing is taken out until it is put back or moved away");
}

/* Of a terminal that belongs to a centre. */
static void look_at_fleet(const struct daemon *d, json_t **array)
{
    const struct fleet *f = d->fleet;
    int64_t since = f->contact_us > 0 ? f->contact_us : d->started_us;

    if (member_condition(f->member) == MEMBER_NONE)
        return;
    add(array, "fleet.state", member_condition(f->member) == MEMBER_GOOD, "error", member_complaint(f->member));
    add(array, "fleet.contact", f->link_up || clock_wall_us() - since < FLEET_SILENCE_US, "warning",
        "the centre was not reached for a day; records are kept until it is");
}

/* With nobody enrolled a store that fails locks nobody out. */
static void look_at_factors(struct daemon *d, json_t **array)
{
    const struct policy_mfa *p = &rulebook_policy(d->rulebook)->mfa;
    bool good = d->mfa && mfa_condition(d->mfa) == MFA_GOOD;
    const char *complaint = d->mfa ? mfa_complaint(d->mfa) : "";

    add(array, "mfa.store", good, "error", complaint);
    if (good)
        add(array, "mfa.store.state", complaint[0] == '\0', "warning", complaint);
    if (good && p->login)
        add(array, "mfa.administrator", answer_has_administrator(d), "warning",
            "logins ask for a code, and nobody with administrator rights has a second factor");
}

json_t *answer_doctor(struct daemon *d)
{
    json_t *array = json_array();

    if (!array)
        return NULL;
    look_at_policy(d, &array);
    look_at_gate(d, &array);
    look_at_devices(d, &array);
    look_at_journal(d, &array);
    look_at_exports(d, &array);
    look_at_fleet(d, &array);
    look_at_factors(d, &array);
    return array;
}
