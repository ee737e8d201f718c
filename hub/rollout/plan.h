#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What comes next in a rollout. Pure: the plan, what is known of each terminal and the time come in, one action goes out; whoever carries
 * it out writes it down and asks again. So a hub that was killed anywhere goes on where the store stands.
 *
 * A stage sends the policy to some terminals, waits, and looks at what they say they applied; the last one gives it to the whole group,
 * those included that are switched off. Who says nothing is asked for a report after half of the wait: a terminal that was heard shortly
 * before and answers no more is what a policy that cuts the network looks like.
 */

enum rollout_stage_kind {
    ROLLOUT_STAGE_ALL = 0,      /* the group's own subject: also for whoever comes later */
    ROLLOUT_STAGE_CANARIES,     /* n terminals, those heard last */
    ROLLOUT_STAGE_CANARY_GROUP, /* all that are in another group besides */
    ROLLOUT_STAGE_PERCENT,      /* n percent of the group, with those of earlier stages */
};

enum {
    ROLLOUT_STAGES_MAX = 10, /* with the last, which is ALL */
    ROLLOUT_PERCENT_MAX = 100,
};

/* How long ago a terminal was heard (a report, records) that counts as switched on. */
#define ROLLOUT_CONTACT_US (INT64_C(15) * 60 * 1000000)

struct rollout_plan {
    struct rollout_stage {
        enum rollout_stage_kind kind;
        unsigned n;
    } stages[ROLLOUT_STAGES_MAX];
    size_t n_stages;
    unsigned halt_failed, halt_silent; /* percent of a stage; more than that halts */
    int64_t wait_us;                   /* that long a stage is watched */
};

enum rollout_state {
    ROLLOUT_RUNNING = 1,
    ROLLOUT_HALTED,    /* nobody more gets it */
    ROLLOUT_PUBLISHED, /* everybody gets it */
    ROLLOUT_REPLACED,  /* another one of the group began */
};
const char *rollout_state_name(enum rollout_state state); /* "running" … */

enum rollout_reason {
    ROLLOUT_REASON_NONE = 0,
    ROLLOUT_REASON_PERSON,  /* `rollout halt` */
    ROLLOUT_REASON_FAILED,  /* too many could not apply it */
    ROLLOUT_REASON_SILENT,  /* too many are not heard any more */
    ROLLOUT_REASON_EXPIRED, /* the policy's own time is over */
    ROLLOUT_REASON_REFUSED, /* the root document does not let the policy or the centre's key count any more */
};
const char *rollout_reason_name(enum rollout_reason reason); /* "failed" …, "" for none */

enum rollout_outcome {
    ROLLOUT_UNKNOWN = 0, /* its newest report does not speak of it */
    ROLLOUT_APPLIED,     /* the policy rules there */
    ROLLOUT_FAILED,      /* it got the bundle and refused it */
};

/* One that is in the group now. */
struct rollout_terminal {
    const char *id;
    bool canary;        /* is in the canary group */
    int64_t contact_us; /* when it was heard last; 0: never */
    enum rollout_outcome outcome;
    /* Once it was sent the policy, else 0: */
    int64_t sent_us;
    size_t stage;     /* in which stage */
    bool reachable;   /* had been heard shortly before */
    int64_t asked_us; /* for a report; 0: not */
    bool forgiven;    /* a person resumed, knowing what it says */
};

struct rollout_situation {
    const struct rollout_plan *plan;
    enum rollout_state state;
    size_t stage;
    int64_t since_us; /* when the stage began */
    bool go_on;       /* a person ended the wait of this stage */
    uint64_t seed;    /* which terminals a percentage takes: other ones each time */
    const struct rollout_terminal *terminals;
    size_t n;
    int64_t now_us;
    int64_t listening_us; /* since when this hub hears: while it did not, silence said nothing */
};

enum rollout_action_kind {
    ROLLOUT_WAIT = 0,
    ROLLOUT_SEND,    /* the policy to the chosen ones */
    ROLLOUT_ASK,     /* the chosen ones for a report */
    ROLLOUT_NEXT,    /* the next stage begins now */
    ROLLOUT_PUBLISH, /* to the whole group */
    ROLLOUT_HALT,
    ROLLOUT_RESTAMP, /* what was written down lies in the future: the clock was set back. The wait begins anew, now */
};

struct rollout_counts {
    size_t terminals; /* that were sent it */
    size_t reachable; /* of them: heard shortly before, or since */
    size_t applied, failed, silent;
};

struct rollout_action {
    enum rollout_action_kind kind;
    enum rollout_reason reason; /* of HALT */
    size_t n_chosen;            /* of SEND and ASK */
};

/* 0 or -ENOMEM. chosen: as many as there are terminals, by their place; all false but for SEND and ASK. */
int rollout_next(const struct rollout_situation *s, struct rollout_action *ret, bool *chosen);
/* Of one stage, or with n_stages of all that were sent it. */
struct rollout_counts rollout_count(const struct rollout_situation *s, size_t stage);
/* Was a terminal heard so shortly before now that it is thought to be on? */
bool rollout_is_reachable(int64_t contact_us, int64_t now_us);
/* CANARIES, …, ALL from what a person asks for: canaries 0: none; canary_group: that stage; percents ended by 0, rising. 0 or -EINVAL. */
int rollout_plan_make(unsigned canaries, bool canary_group, const unsigned *percents, struct rollout_plan *ret);
