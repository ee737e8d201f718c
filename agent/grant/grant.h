#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"
#include "decide/decide.h"
#include "policy/policy.h"

/*
 * Temporary permissions: one person may use one device under one rule until a moment. Pure: times and people come in as parameters, nothing
 * is kept anywhere but in the table, so that the end of the process ends every grant.
 */

enum {
    GRANTS_MAX = 64,         /* in force at the same time, in all */
    GRANTS_PERSON_MAX = 8,   /* of one person */
    GRANT_DEVICE_SIZE = 128, /* of an id, with NUL */
    GRANT_REASON_MAX = 200,  /* bytes of what the person says it is for */
    GRANT_APPROVERS_MAX = 3,
    GRANT_WARNING_US = 120 * 1000 * 1000, /* so long before the end it is told */
};
/* No grant is longer, whatever rule and sender say. */
#define GRANT_LONGEST_US (INT64_C(8) * 3600 * 1000000)

enum grant_purpose {
    GRANT_NOTHING = 0,
    GRANT_USE,   /* the device, as its rule says */
    GRANT_EXPORT /* taking files out to it */
};
const char *grant_purpose_name(enum grant_purpose purpose); /* "nothing" "use" "export" */

/* What exactly is granted. A device that is pulled out and comes again has the same names: who holds the table ends its grants when it leaves. */
struct grant_device {
    char id[GRANT_DEVICE_SIZE];     /* usb_device_id(), or the medium's id, which has the disk sequence number in it */
    char identity[DIGEST_HEX_SIZE]; /* the whole hash of a USB device's claims; "" for media */
};

struct grant_time {
    uint64_t boottime_us; /* CLOCK_BOOTTIME */
    int64_t wall_us;
};

struct grant {
    uint64_t id; /* of this process; never 0, never given again */
    uid_t uid;
    enum grant_purpose purpose;
    struct grant_device device;
    char rule[POLICY_ID_MAX + 1];
    uint8_t factors; /* POLICY_FACTOR_… that were shown */
    uid_t approvers[GRANT_APPROVERS_MAX];
    size_t n_approvers;
    char reason[GRANT_REASON_MAX + 1];
    struct grant_time begin, end; /* over when either clock says so */
    bool warned;
};

/* Why one ended; the names are stable and stand in the journal. */
enum grant_end {
    GRANT_END_NONE = 0,
    GRANT_END_EXPIRED,
    GRANT_END_GIVEN_BACK, /* by the person, or root */
    GRANT_END_RENEWED,    /* the same person unlocked it anew */
    GRANT_END_DEVICE,     /* it left, or is another one now */
    GRANT_END_POLICY,     /* the rule is gone, or asks for more than was shown, or decides about this device no more */
    GRANT_END_PERSON,     /* the rule does not mean this person any more, or not at this time */
    GRANT_END_STOPPED,    /* kuraband ends */
    GRANT_END_CENTRE,     /* the centre has ordered it */
    GRANT_END_COUNT_,
};
const char *grant_end_name(enum grant_end end);

/* Why none was given: positive outcomes of the calls below. */
enum {
    GRANT_E_RULE = 1, /* the rule is not there, or unlocks nothing */
    GRANT_E_FACTOR,   /* not every factor that it wants */
    GRANT_E_APPROVAL, /* too few approvers, one of them twice, or the person themselves */
    GRANT_E_APPROVER, /* one who may not approve by this rule, or more than it wants */
    GRANT_E_TAKEN,    /* somebody else holds it */
    GRANT_E_MANY,     /* this person holds as many as one may */
    GRANT_E_FULL,     /* the table is full */
    GRANT_E_REASON,   /* no reason, too long, or not printable UTF-8 */
    GRANT_E_COUNT_,
};
const char *grant_outcome_name(int outcome); /* "rule" "factor" … */

struct grants;

int grants_new(struct grants **ret); /* 0 or -ENOMEM */
struct grants *grants_free(struct grants *t);

struct grant_request {
    uid_t uid;
    enum grant_purpose purpose;
    struct grant_device device;
    const char *rule; /* id of a USB or media rule */
    uint8_t factors;
    const struct decide_person *approvers; /* as policy knows them: with their groups */
    size_t n_approvers;
    const char *reason;
    int64_t for_us; /* wanted; 0: as long as the rule permits. Longer ones are cut to what it permits */
};

/* Can it be given with so many approvers, whoever they are? 0, GRANT_E_RULE, GRANT_E_APPROVAL, GRANT_E_APPROVER. */
int grant_check_number(const struct policy *p, const char *rule, size_t n);
/* Would grant_give() give it? 0 or GRANT_E_…. What the person has still to show is not asked with `ahead`: before codes are verified. */
int grant_check(const struct grants *t, const struct policy *p, const struct grant_request *r,
                const struct grant_time *now, bool ahead);
/* Gives it. One the same person holds of this device, rule and purpose ends by it: has *ret_renewed->id 0, there was none. 0 or GRANT_E_…. */
int grant_give(struct grants *t, const struct policy *p, const struct grant_request *r, const struct grant_time *now,
               struct grant *ret, struct grant *ret_renewed);

/* The grant in force now, or NULL; valid until the next call that changes the table. */
const struct grant *grant_find(const struct grants *t, const struct grant_device *device, const char *rule,
                               enum grant_purpose purpose, const struct grant_time *now);
size_t grants_count(const struct grants *t);
const struct grant *grants_at(const struct grants *t, size_t i); /* in the order they were given; NULL past the end */
/* How long it has still to go, by the clock that ends first; never below 0. */
int64_t grant_left_us(const struct grant *g, const struct grant_time *now);
/* CLOCK_BOOTTIME of the next end or warning, UINT64_MAX when there is none. A clock that is set in between may make it sooner. */
uint64_t grants_next_deadline(const struct grants *t, const struct grant_time *now);

/* Each of these takes one grant out of the table and hands it over; call it until it says false. */
bool grant_take_expired(struct grants *t, const struct grant_time *now, struct grant *ret);
bool grant_take_device(struct grants *t, const char *device_id, struct grant *ret);
bool grant_take_any(struct grants *t, struct grant *ret);
/* The one of that id. */
bool grant_take(struct grants *t, uint64_t id, struct grant *ret);
/* The end is near, told once each: the grant stays. */
bool grant_take_warning(struct grants *t, const struct grant_time *now, struct grant *ret);

/* Who somebody is now, and whether the rule still decides about the device. */
struct grant_view {
    void *context;
    /* 0 and the person with groups; they live until the next call. Negative: not known, which ends the grant. */
    int (*person)(void *context, uid_t uid, struct decide_person *ret);
    /* NULL: not asked. */
    bool (*decides)(void *context, const struct grant *g);
};
/* After a new policy, and when people or hours have changed: takes one out that this policy would not give now, and says why. One whose
 * rule gives less time now ends sooner. */
bool grant_take_unpermitted(struct grants *t, const struct policy *p, const struct grant_view *view,
                            const struct decide_time *calendar, const struct grant_time *now, struct grant *ret,
                            enum grant_end *ret_why);

/* What a rule, USB or media, asks for; NULL when there is none of that id or it unlocks nothing. */
const struct policy_unlock *grant_unlock_of(const struct policy *p, const char *rule);
/* Whom and when the rule means: REASON_RULE, or the condition that fails. */
enum verdict_reason grant_permits(const struct policy *p, const char *rule, const struct decide_person *person,
                                  const struct decide_time *calendar);
