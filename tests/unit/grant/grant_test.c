/* Grants: what is given and what not, how long, under clocks that jump, and everything that ends one. */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "grant/grant.h"

#define MINUTE INT64_C(60000000)
#define WALL INT64_C(1795395600000000) /* Monday 2026-11-23 10:00 in the office */
#define BOOT UINT64_C(5000000000)

static const struct grant_time start = {.boottime_us = BOOT, .wall_us = WALL};
static const struct decide_time office = {.wall_us = WALL, .weekday = 0, .minute = 600};

static uid_t tanaka_only[] = {1001}, suzuki_only[] = {1002};

/* Of unlock, who and when; the rest of a rule is decide's. */
struct fixture {
    struct policy_usb_rule usb[2];
    struct policy_medium_rule media[1];
    struct policy policy;
    struct grants *grants;
};

static const struct policy_unlock quarter = {.needed = true, .factors = POLICY_FACTOR_TOTP, .for_us = 15 * MINUTE};

static void set_up(struct fixture *f)
{
    *f = (struct fixture){.usb = {{.id = (char *)"stick", .allow = POLICY_READ, .unlock = quarter},
                                  {.id = (char *)"open", .allow = POLICY_READ}},
                          .media = {{.id = (char *)"card", .allow = POLICY_READ, .unlock = quarter}}};
    f->policy.usb = f->usb;
    f->policy.n_usb = 2;
    f->policy.media.rules = f->media;
    f->policy.media.n_rules = 1;
    assert_int_equal(grants_new(&f->grants), 0);
}

static int give_at(struct fixture *f, const struct grant_request *r, const struct grant_time *now, struct grant *ret)
{
    struct grant renewed;

    return grant_give(f->grants, &f->policy, r, now, ret, &renewed);
}

static struct grant_request ask_for(const char *device)
{
    struct grant_request r = {.uid = 1001,
                              .purpose = GRANT_USE,
                              .rule = "stick",
                              .factors = POLICY_FACTOR_TOTP,
                              .reason = "tax returns of district 3"};

    (void)snprintf(r.device.id, sizeof(r.device.id), "%s", device);
    memset(r.device.identity, 'a', DIGEST_HEX_SIZE - 1);
    return r;
}

static struct grant_time later(int64_t us)
{
    return (struct grant_time){.boottime_us = BOOT + (uint64_t)us, .wall_us = WALL + us};
}

static const struct grant *find_at(const struct fixture *f, const struct grant_request *r, const struct grant_time *now)
{
    return grant_find(f->grants, &r->device, r->rule, r->purpose, now);
}

static void test_given_and_over(void **state)
{
    const struct grant_time last = later(15 * MINUTE - 1), end = later(15 * MINUTE);
    struct grant_request r = ask_for("0123456789abcdef@1-2");
    struct grant g, gone;
    struct fixture f;

    (void)state;
    set_up(&f);
    assert_null(find_at(&f, &r, &start));
    assert_int_equal(give_at(&f, &r, &start, &g), 0);
    assert_true(g.id > 0);
    assert_string_equal(g.reason, "tax returns of district 3");
    assert_non_null(find_at(&f, &r, &start));
    assert_non_null(find_at(&f, &r, &last));
    assert_int_equal(grant_left_us(&g, &last), 1);
    assert_false(grant_take_expired(f.grants, &last, &gone));
    /* Over for who asks, whether or not the timer has come. */
    assert_null(find_at(&f, &r, &end));
    assert_int_equal(grants_count(f.grants), 1);
    assert_true(grant_take_expired(f.grants, &end, &gone));
    assert_int_equal(gone.id, g.id);
    assert_false(grant_take_expired(f.grants, &end, &gone));
    assert_int_equal(grants_count(f.grants), 0);
    (void)grants_free(f.grants);
}

static void test_lengths(void **state)
{
    static const struct {
        int64_t rule, wanted, given; /* 0: none */
    } cases[] = {
        {15 * MINUTE, 0, 15 * MINUTE},
        {15 * MINUTE, 5 * MINUTE, 5 * MINUTE},
        {15 * MINUTE, 15 * MINUTE, 15 * MINUTE},
        {15 * MINUTE, 16 * MINUTE, 15 * MINUTE}, /* whatever the sender says */
        {15 * MINUTE, INT64_MAX, 15 * MINUTE},
        {15 * MINUTE, -1, 15 * MINUTE},
        {24 * 60 * MINUTE, 0, 8 * 60 * MINUTE}, /* whatever the rule says */
        {24 * 60 * MINUTE, 9 * 60 * MINUTE, 8 * 60 * MINUTE},
        {INT64_MAX, INT64_MAX, 8 * 60 * MINUTE},
        {0, 5 * MINUTE, 0},
        {-1, 5 * MINUTE, 0},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct grant_request r = ask_for("a@1-2");
        struct fixture f;
        struct grant g;

        set_up(&f);
        f.usb[0].unlock.for_us = cases[i].rule;
        r.for_us = cases[i].wanted;
        assert_int_equal(give_at(&f, &r, &start, &g), cases[i].given ? 0 : GRANT_E_RULE);
        if (cases[i].given) {
            assert_int_equal(g.end.boottime_us - g.begin.boottime_us, cases[i].given);
            assert_int_equal(g.end.wall_us - g.begin.wall_us, cases[i].given);
        }
        (void)grants_free(f.grants);
    }
}

static void test_clock_jumps(void **state)
{
    static const struct {
        int64_t boottime, wall; /* since it was given */
        int64_t left;
    } cases[] = {
        {0, 0, 15 * MINUTE},
        {MINUTE, -60 * MINUTE, 14 * MINUTE},    /* set back: nothing is won */
        {15 * MINUTE - 1, -100000 * MINUTE, 1}, /* … */
        {15 * MINUTE, -60 * MINUTE, 0},         /* … */
        {MINUTE, 60 * MINUTE, 0},               /* set forward: over */
        {MINUTE, 10 * MINUTE, 5 * MINUTE},      /* a little forward: the sooner end counts */
        {0, 15 * MINUTE - 1, 1},
        {MINUTE, -WALL, 14 * MINUTE},                /* a clock without a battery: 1970 */
        {MINUTE, INT64_MIN - WALL % 2, 14 * MINUTE}, /* and one that is mad */
        {MINUTE, INT64_MAX - WALL, 0},
        {60 * MINUTE, 60 * MINUTE, 0}, /* asleep for an hour: boottime goes on */
        {INT64_MAX, 0, 0},
    };
    struct grant_request r = ask_for("a@1-2");
    struct fixture f;
    struct grant g;

    (void)state;
    set_up(&f);
    assert_int_equal(give_at(&f, &r, &start, &g), 0);
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct grant_time now = {.boottime_us = BOOT + (uint64_t)cases[i].boottime};

        if (__builtin_add_overflow(WALL, cases[i].wall, &now.wall_us))
            now.wall_us = INT64_MIN;
        assert_int_equal(grant_left_us(&g, &now), cases[i].left);
        assert_int_equal(find_at(&f, &r, &now) != NULL, cases[i].left > 0);
    }
    (void)grants_free(f.grants);
}

/* Set forward and back again between two looks: it goes on, and not a moment longer than at first. */
static void test_there_and_back(void **state)
{
    struct grant_request r = ask_for("a@1-2");
    const struct grant_time back = later(MINUTE), end = later(15 * MINUTE);
    struct fixture f;
    struct grant g;

    (void)state;
    set_up(&f);
    assert_int_equal(give_at(&f, &r, &start, &g), 0);
    assert_int_equal(grant_left_us(&g, &back), 14 * MINUTE);
    assert_true(grant_take_expired(f.grants, &end, &g));
    (void)grants_free(f.grants);
}

static void test_same_device_only(void **state)
{
    struct grant_request r = ask_for("0123456789abcdef@1-2"), other = r;
    struct fixture f;
    struct grant g;

    (void)state;
    set_up(&f);
    assert_int_equal(give_at(&f, &r, &start, &g), 0);
    /* Its descriptors became others: another identity, at the same port and even under the same short id. */
    other.device.identity[40] = 'b';
    assert_null(find_at(&f, &other, &start));
    /* A second one that claims everything the first claims, serial number included. */
    other = r;
    memcpy(other.device.id, "0123456789abcdef@1-3", sizeof("0123456789abcdef@1-3"));
    assert_null(find_at(&f, &other, &start));
    other = r;
    other.rule = "open";
    assert_null(find_at(&f, &other, &start));
    other = r;
    other.purpose = GRANT_EXPORT;
    assert_null(find_at(&f, &other, &start));
    other.purpose = GRANT_NOTHING;
    assert_null(find_at(&f, &other, &start));
    assert_null(grant_find(f.grants, &r.device, NULL, GRANT_USE, &start));
    assert_null(grant_find(f.grants, &(struct grant_device){0}, "stick", GRANT_USE, &start));
    assert_non_null(find_at(&f, &r, &start));
    (void)grants_free(f.grants);
}

#define REFUSED(outcome, ...)                                                                                          \
    do {                                                                                                               \
        bad = r;                                                                                                       \
        __VA_ARGS__;                                                                                                   \
        assert_int_equal(give_at(&f, &bad, &start, &g), outcome);                                                      \
    } while (0)

/* The rule says who approves: others do not, whatever codes they give, and nobody is asked whom it does not ask. */
static void test_who_approves(void **state)
{
    static uid_t heads[] = {1002};
    static gid_t board[] = {500};
    static const gid_t of_1003[] = {100, 500}, of_1004[] = {100};
    static const struct decide_person head = {.uid = 1002}, member = {.uid = 1003, .gids = of_1003, .n_gids = 2},
                                      colleague = {.uid = 1004, .gids = of_1004, .n_gids = 1},
                                      unknown = {.uid = 1003, .groups_unknown = true};
    const struct decide_person mixed[] = {head, colleague}, both[] = {head, member};
    struct grant_request r = ask_for("a@1-2"), bad;
    struct fixture f;
    struct grant g;

    (void)state;
    set_up(&f);
    f.usb[0].unlock.approvals = 1;
    f.usb[0].unlock.approvers =
        (struct policy_who){.restricted = true, .uids = heads, .n_uids = 1, .gids = board, .n_gids = 1};
    REFUSED(GRANT_E_APPROVER, bad.approvers = &colleague; bad.n_approvers = 1);
    assert_int_equal(grant_check_number(&f.policy, bad.rule, 0), GRANT_E_APPROVAL);
    assert_int_equal(grant_check_number(&f.policy, bad.rule, 2), GRANT_E_APPROVER);
    assert_int_equal(grant_check_number(&f.policy, "none", 1), GRANT_E_RULE);
    REFUSED(GRANT_E_APPROVER, bad.approvers = &unknown; bad.n_approvers = 1);
    REFUSED(GRANT_E_APPROVER, bad.approvers = mixed; bad.n_approvers = 2);
    REFUSED(GRANT_E_APPROVER, bad.approvers = both; bad.n_approvers = 2);
    /* Before anybody's code is looked at. */
    bad = r;
    bad.approvers = &colleague;
    bad.n_approvers = 1;
    assert_int_equal(grant_check(f.grants, &f.policy, &bad, &start, true), GRANT_E_APPROVER);
    REFUSED(0, bad.approvers = &head; bad.n_approvers = 1);
    REFUSED(0, bad.approvers = &member; bad.n_approvers = 1);
    f.usb[0].unlock.approvals = 2;
    REFUSED(GRANT_E_APPROVER, bad.approvers = mixed; bad.n_approvers = 2);
    REFUSED(0, bad.approvers = both; bad.n_approvers = 2);
    f.usb[0].unlock.approvals = 0;
    REFUSED(GRANT_E_APPROVER, bad.approvers = &head; bad.n_approvers = 1);
    (void)grants_free(f.grants);
}

static void test_refused(void **state)
{
    static const struct decide_person self[] = {{.uid = 1002}, {.uid = 1001}}, twice[] = {{.uid = 1002}, {.uid = 1002}},
                                      two[] = {{.uid = 1002}, {.uid = 1003}},
                                      four[] = {{.uid = 1002}, {.uid = 1003}, {.uid = 1004}, {.uid = 1005}};
    char long_reason[GRANT_REASON_MAX + 2];
    struct grant_request r = ask_for("a@1-2"), bad;
    struct fixture f;
    struct grant g;

    (void)state;
    set_up(&f);
    memset(long_reason, 'x', sizeof(long_reason) - 1);
    long_reason[sizeof(long_reason) - 1] = '\0';
    REFUSED(GRANT_E_RULE, bad.rule = "nobody's");
    REFUSED(GRANT_E_RULE, bad.rule = NULL);
    REFUSED(GRANT_E_RULE, bad.rule = "open"); /* permits without */
    REFUSED(GRANT_E_RULE, bad.purpose = GRANT_NOTHING);
    REFUSED(GRANT_E_RULE, bad.device.id[0] = '\0');
    REFUSED(GRANT_E_REASON, bad.reason = "");
    REFUSED(GRANT_E_REASON, bad.reason = NULL);
    REFUSED(GRANT_E_REASON, bad.reason = "a\nb");
    REFUSED(GRANT_E_REASON, bad.reason = "\x1b[2J");
    REFUSED(GRANT_E_REASON, bad.reason = "\xff");
    REFUSED(GRANT_E_REASON, bad.reason = long_reason);
    REFUSED(GRANT_E_FACTOR, bad.factors = 0);
    REFUSED(GRANT_E_FACTOR, bad.factors = POLICY_FACTOR_PASSWORD);
    REFUSED(GRANT_E_APPROVAL, bad.approvers = four; bad.n_approvers = 4);
    f.usb[0].unlock.approvals = 2;
    REFUSED(GRANT_E_APPROVAL, (void)0);
    REFUSED(GRANT_E_APPROVAL, bad.approvers = two; bad.n_approvers = 1);
    REFUSED(GRANT_E_APPROVAL, bad.approvers = self; bad.n_approvers = 2);
    REFUSED(GRANT_E_APPROVAL, bad.approvers = twice; bad.n_approvers = 2);
    REFUSED(0, bad.approvers = two; bad.n_approvers = 2);
    assert_int_equal(g.n_approvers, 2);
    assert_int_equal(g.approvers[1], 1003);
    /* A rule that forgot to say by what is no permission. */
    f.usb[0].unlock = (struct policy_unlock){.needed = true, .for_us = MINUTE};
    REFUSED(GRANT_E_FACTOR, bad.factors = 0xff);
    long_reason[GRANT_REASON_MAX] = '\0';
    f.usb[0].unlock = quarter;
    REFUSED(0, bad.reason = long_reason);
    REFUSED(0, bad.reason = "課税課 3 地区の申告書");
    /* Ahead of the codes everything is asked but what they show. */
    r.factors = 0;
    assert_int_equal(grant_check(f.grants, &f.policy, &r, &start, true), 0);
    assert_int_equal(grant_check(f.grants, &f.policy, &r, &start, false), GRANT_E_FACTOR);
    (void)grants_free(f.grants);
}

static void test_bounds(void **state)
{
    struct fixture f;
    struct grant g;
    size_t n = 0;

    (void)state;
    set_up(&f);
    for (uid_t uid = 2000; n < GRANTS_MAX; uid++) {
        for (int i = 0; i < GRANTS_PERSON_MAX && n < GRANTS_MAX; i++, n++) {
            char name[32];
            struct grant_request r;

            (void)snprintf(name, sizeof(name), "d%zu@1-1", n);
            r = ask_for(name);
            r.uid = uid;
            assert_int_equal(give_at(&f, &r, &start, &g), 0);
        }
        if (n < GRANTS_MAX) {
            struct grant_request r = ask_for("one more");

            r.uid = uid;
            assert_int_equal(give_at(&f, &r, &start, &g), GRANT_E_MANY);
        }
    }
    assert_int_equal(grants_count(f.grants), GRANTS_MAX);
    {
        struct grant_request r = ask_for("one more");

        r.uid = 9;
        assert_int_equal(give_at(&f, &r, &start, &g), GRANT_E_FULL);
        assert_true(grant_take_any(f.grants, &g));
        assert_int_equal(give_at(&f, &r, &start, &g), 0);
        assert_int_equal(g.id, GRANTS_MAX + 1); /* never a number twice */
        assert_null(grants_at(f.grants, GRANTS_MAX));
        assert_int_equal(grants_at(f.grants, GRANTS_MAX - 1)->id, g.id);
    }
    (void)grants_free(f.grants);
}

static void test_renewed_and_taken(void **state)
{
    const struct grant_time at = later(10 * MINUTE), over = later(25 * MINUTE);
    struct grant_request r = ask_for("a@1-2"), other = r;
    struct grant first, second, renewed;
    struct fixture f;

    (void)state;
    set_up(&f);
    assert_int_equal(grant_give(f.grants, &f.policy, &r, &start, &first, &renewed), 0);
    assert_int_equal(renewed.id, 0);
    other.uid = 1002;
    assert_int_equal(grant_check(f.grants, &f.policy, &other, &at, true), GRANT_E_TAKEN);
    assert_int_equal(give_at(&f, &other, &at, &second), GRANT_E_TAKEN);
    /* The same person with a new code: a new grant in place of the old one. */
    assert_int_equal(grant_give(f.grants, &f.policy, &r, &at, &second, &renewed), 0);
    assert_int_equal(renewed.id, first.id);
    assert_true(second.id > first.id);
    assert_int_equal(grants_count(f.grants), 1);
    assert_int_equal(grant_left_us(&second, &at), 15 * MINUTE);
    /* What is over is nobody's, even before it is taken out. */
    assert_int_equal(give_at(&f, &other, &over, &second), 0);
    (void)grants_free(f.grants);
}

static void test_deadlines(void **state)
{
    struct grant_request r = ask_for("a@1-2"), brief = ask_for("b@1-3");
    const struct grant_time near = later(13 * MINUTE);
    struct grant_time forward = {.boottime_us = BOOT + (uint64_t)MINUTE, .wall_us = WALL + 14 * MINUTE};
    struct grant g;
    struct fixture f;

    (void)state;
    set_up(&f);
    assert_int_equal(grants_next_deadline(f.grants, &start), UINT64_MAX);
    assert_int_equal(give_at(&f, &r, &start, &g), 0);
    assert_int_equal(grants_next_deadline(f.grants, &start), BOOT + (uint64_t)(13 * MINUTE));
    assert_false(grant_take_warning(f.grants, &start, &g));
    /* Set forward in between: the deadline is sooner than it was. */
    assert_int_equal(grants_next_deadline(f.grants, &forward), forward.boottime_us);
    assert_true(grant_take_warning(f.grants, &near, &g));
    assert_false(grant_take_warning(f.grants, &near, &g)); /* told once */
    assert_int_equal(grants_next_deadline(f.grants, &near), BOOT + (uint64_t)(15 * MINUTE));
    /* One so short that its end is near from the beginning needs no warning. */
    brief.for_us = MINUTE;
    assert_int_equal(give_at(&f, &brief, &near, &g), 0);
    assert_false(grant_take_warning(f.grants, &near, &g));
    assert_int_equal(grants_next_deadline(f.grants, &near), near.boottime_us + (uint64_t)MINUTE);
    (void)grants_free(f.grants);
}

static void test_device_leaves(void **state)
{
    struct grant_request r = ask_for("a@1-2"), other = ask_for("b@1-3");
    struct fixture f;
    struct grant g;

    (void)state;
    set_up(&f);
    assert_int_equal(give_at(&f, &r, &start, &g), 0);
    assert_int_equal(give_at(&f, &other, &start, &g), 0);
    assert_false(grant_take_device(f.grants, "a@1-4", &g));
    assert_true(grant_take_device(f.grants, "a@1-2", &g));
    assert_false(grant_take_device(f.grants, "a@1-2", &g));
    /* It comes again, the very same: nothing is left of its grant. */
    assert_null(find_at(&f, &r, &start));
    assert_non_null(find_at(&f, &other, &start));
    assert_false(grant_take(f.grants, 77, &g));
    assert_true(grant_take(f.grants, 2, &g));
    assert_string_equal(g.device.id, "b@1-3");
    (void)grants_free(f.grants);
}

struct people {
    bool known, decides;
    uid_t uid;
};

static int person_of(void *context, uid_t uid, struct decide_person *ret)
{
    const struct people *p = context;

    if (!p->known)
        return -ENOENT;
    *ret = (struct decide_person){.uid = p->uid ? p->uid : uid};
    return 0;
}

static bool decides(void *context, const struct grant *g)
{
    (void)g;
    return ((const struct people *)context)->decides;
}

/* One grant of five minutes ago under quarter with one approver, then a policy that change() made of it. */
static enum grant_end after(void (*change)(struct fixture *f, struct people *p, struct decide_time *t),
                            int64_t *ret_left)
{
    static const struct decide_person approver[] = {{.uid = 1002}};
    struct people people = {.known = true, .decides = true};
    const struct grant_view view = {.context = &people, .person = person_of, .decides = decides};
    const struct grant_time now = later(5 * MINUTE);
    struct grant_request r = ask_for("a@1-2");
    struct decide_time calendar = office;
    enum grant_end why = GRANT_END_NONE;
    struct fixture f;
    struct grant g;

    set_up(&f);
    r.approvers = approver;
    r.n_approvers = 1;
    f.usb[0].unlock.approvals = 1;
    assert_int_equal(give_at(&f, &r, &start, &g), 0);
    change(&f, &people, &calendar);
    (void)grant_take_unpermitted(f.grants, &f.policy, &view, &calendar, &now, &g, &why);
    assert_int_equal(grants_count(f.grants), why == GRANT_END_NONE);
    *ret_left = why == GRANT_END_NONE ? grant_left_us(grants_at(f.grants, 0), &now) : 0;
    (void)grants_free(f.grants);
    return why;
}

#define CHANGE(name, ...)                                                                                              \
    static void name(struct fixture *f, struct people *p, struct decide_time *t)                                       \
    {                                                                                                                  \
        (void)f;                                                                                                       \
        (void)p;                                                                                                       \
        (void)t;                                                                                                       \
        __VA_ARGS__;                                                                                                   \
    }

CHANGE(nothing, (void)0)
CHANGE(rule_gone, f->policy.n_usb = 0)
CHANGE(rule_renamed, f->usb[0].id = (char *)"renamed")
CHANGE(unlock_gone, f->usb[0].unlock = (struct policy_unlock){0})
CHANGE(longer, f->usb[0].unlock.for_us = 60 * MINUTE)
CHANGE(shorter, f->usb[0].unlock.for_us = 8 * MINUTE)
CHANGE(too_short, f->usb[0].unlock.for_us = 5 * MINUTE)
CHANGE(none, f->usb[0].unlock.for_us = 0)
CHANGE(more_approvals, f->usb[0].unlock.approvals = 2)
CHANGE(fewer_approvals, f->usb[0].unlock.approvals = 0)
CHANGE(approver_no_more,
       f->usb[0].unlock.approvers = (struct policy_who){.restricted = true, .uids = tanaka_only, .n_uids = 1})
CHANGE(approver_still,
       f->usb[0].unlock.approvers = (struct policy_who){.restricted = true, .uids = suzuki_only, .n_uids = 1})
CHANGE(more_factors, f->usb[0].unlock.factors = POLICY_FACTOR_TOTP | POLICY_FACTOR_PASSWORD)
CHANGE(no_factors, f->usb[0].unlock.factors = 0)
CHANGE(unknown_person, p->known = false)
CHANGE(other_rule_decides, p->decides = false)
CHANGE(another_person, f->usb[0].who = (struct policy_who){.restricted = true, .uids = tanaka_only, .n_uids = 1};
       p->uid = 1009)
CHANGE(this_person, f->usb[0].who = (struct policy_who){.restricted = true, .uids = tanaka_only, .n_uids = 1})
CHANGE(other_day, f->usb[0].when = (struct policy_when){.days = 1 << 5, .from = -1, .to = -1, .restricted = true})
CHANGE(rule_expired, f->usb[0].until_us = WALL - 1)

static void test_new_policy(void **state)
{
    static const struct {
        void (*change)(struct fixture *f, struct people *p, struct decide_time *t);
        enum grant_end why;
        int64_t left;
    } cases[] = {
        {nothing, GRANT_END_NONE, 10 * MINUTE},
        {rule_gone, GRANT_END_POLICY, 0},
        {rule_renamed, GRANT_END_POLICY, 0},
        {unlock_gone, GRANT_END_POLICY, 0},
        {longer, GRANT_END_NONE, 10 * MINUTE}, /* never more than was given */
        {shorter, GRANT_END_NONE, 3 * MINUTE},
        {too_short, GRANT_END_POLICY, 0},
        {none, GRANT_END_POLICY, 0},
        {more_approvals, GRANT_END_POLICY, 0},
        {fewer_approvals, GRANT_END_NONE, 10 * MINUTE},
        {approver_no_more, GRANT_END_POLICY, 0},
        {approver_still, GRANT_END_NONE, 10 * MINUTE},
        {more_factors, GRANT_END_POLICY, 0},
        {no_factors, GRANT_END_POLICY, 0},
        {unknown_person, GRANT_END_PERSON, 0},
        {other_rule_decides, GRANT_END_POLICY, 0},
        {another_person, GRANT_END_PERSON, 0},
        {this_person, GRANT_END_NONE, 10 * MINUTE},
        {other_day, GRANT_END_PERSON, 0},
        {rule_expired, GRANT_END_PERSON, 0},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        int64_t left;

        assert_string_equal(grant_end_name(after(cases[i].change, &left)), grant_end_name(cases[i].why));
        assert_int_equal(left, cases[i].left);
    }
}

static void test_media_rules(void **state)
{
    struct grant_request r = ask_for("sdb1-12");
    struct fixture f;
    struct grant g;

    (void)state;
    set_up(&f);
    r.rule = "card";
    r.device.identity[0] = '\0';
    assert_int_equal(give_at(&f, &r, &start, &g), 0);
    assert_non_null(find_at(&f, &r, &start));
    /* Another card in the same slot. */
    memcpy(r.device.id, "sdb1-13", sizeof("sdb1-13"));
    assert_null(find_at(&f, &r, &start));
    assert_int_equal(grant_permits(&f.policy, "card", &(struct decide_person){.uid = 1}, &office), REASON_RULE);
    f.media[0].who = (struct policy_who){.restricted = true};
    assert_int_equal(grant_permits(&f.policy, "card", &(struct decide_person){.uid = 1}, &office), REASON_WHO);
    assert_int_equal(grant_permits(&f.policy, "gone", &(struct decide_person){.uid = 1}, &office), REASON_DEFAULT);
    assert_null(grant_unlock_of(&f.policy, NULL));
    (void)grants_free(f.grants);
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < GRANT_END_COUNT_; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(grant_end_name((enum grant_end)i), grant_end_name((enum grant_end)k));
    assert_string_equal(grant_end_name((enum grant_end)99), "none");
    for (int i = 0; i < GRANT_E_COUNT_; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(grant_outcome_name(i), grant_outcome_name(k));
    assert_string_equal(grant_outcome_name(-1), "rule");
    assert_string_equal(grant_purpose_name(GRANT_USE), "use");
    assert_string_equal(grant_purpose_name(GRANT_EXPORT), "export");
    assert_string_equal(grant_purpose_name(GRANT_NOTHING), "nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_given_and_over),    cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_clock_jumps),       cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_same_device_only),  cmocka_unit_test(test_who_approves),
        cmocka_unit_test(test_refused),           cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_renewed_and_taken), cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_device_leaves),     cmocka_unit_test(test_new_policy),
        cmocka_unit_test(test_media_rules),       cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
