/* What comes next in a rollout: every case is a small world in which the actions are carried out as the store would. */
#include "unit/hub_rollout/world.h"

/* --- plans --- */

static void test_plans(void **state)
{
    static const struct {
        unsigned canaries;
        bool canary_group;
        unsigned percents[12];
        int result;
        size_t stages;
    } cases[] = {
        {0, false, {0}, 0, 1},
        {3, false, {10, 50, 0}, 0, 4},
        {3, true, {10, 0}, 0, 4},
        {0, false, {50, 10, 0}, -EINVAL, 0},
        {0, false, {10, 10, 0}, -EINVAL, 0},
        {0, false, {100, 0}, -EINVAL, 0},
        {1, true, {1, 2, 3, 4, 5, 6, 7, 0}, 0, 10},
        {1, true, {1, 2, 3, 4, 5, 6, 7, 8, 0}, -EINVAL, 0},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct rollout_plan p = {0};

        assert_int_equal(rollout_plan_make(cases[i].canaries, cases[i].canary_group, cases[i].percents, &p),
                         cases[i].result);
        assert_int_equal(p.n_stages, cases[i].stages);
        if (p.n_stages > 0)
            assert_int_equal(p.stages[p.n_stages - 1].kind, ROLLOUT_STAGE_ALL);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(rollout_state_name(ROLLOUT_HALTED), "halted");
    assert_string_equal(rollout_state_name((enum rollout_state)0), "unknown");
    assert_string_equal(rollout_reason_name(ROLLOUT_REASON_SILENT), "silent");
    assert_string_equal(rollout_reason_name((enum rollout_reason)99), "unknown");
}

/* --- the way through --- */

static void test_at_once(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 5, 0, NULL);
    assert_int_equal(run(&w).kind, ROLLOUT_PUBLISH);
    assert_int_equal(sent(&w), 0); /* the group's subject is for all */
}

static void test_nobody_there(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 0, 3, (unsigned[]){10, 0});
    assert_int_equal(run(&w).kind, ROLLOUT_PUBLISH);
}

static void test_all_good(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 40, 2, (unsigned[]){10, 50, 0});
    assert_int_equal(run(&w).kind, ROLLOUT_SEND);
    assert_int_equal(sent(&w), 2);
    all_apply(&w);
    pass_time(&w, WAIT - 1);
    assert_int_equal(run(&w).kind, ROLLOUT_ASK); /* heard too early to show that they still answer */
    assert_int_equal(w.asked, 2);
    all_apply(&w);
    assert_int_equal(run(&w).kind, ROLLOUT_WAIT);
    pass_time(&w, 1);
    assert_int_equal(run(&w).kind, ROLLOUT_SEND);
    assert_int_equal(w.s.stage, 1);
    assert_int_equal(sent(&w), 4); /* 10 % with the two */
    for (unsigned i = 0; i < 2; i++) {
        all_apply(&w);
        pass_time(&w, WAIT / 2);
        all_apply(&w);
        pass_time(&w, WAIT / 2);
        (void)run(&w);
    }
    assert_int_equal(w.s.state, ROLLOUT_PUBLISHED);
    assert_int_equal(sent(&w), 20);
    assert_int_equal(run(&w).kind, ROLLOUT_WAIT); /* and nothing more */
}

/* The one that was heard last goes first; a percentage is another one for another rollout. */
static void test_who_is_chosen(void **state)
{
    struct world w, other;
    bool same = true;

    (void)state;
    begin(&w, 30, 1, NULL);
    w.terminals[17].contact_us = START;
    (void)run(&w);
    assert_int_equal(first_sent(&w), 17);
    begin(&w, 30, 0, (unsigned[]){20, 0});
    begin(&other, 30, 0, (unsigned[]){20, 0});
    other.s.seed = 8;
    (void)run(&w);
    (void)run(&other);
    assert_int_equal(sent(&w), 6);
    assert_int_equal(sent(&other), 6);
    for (size_t i = 0; i < 30; i++)
        same = same && (w.terminals[i].sent_us != 0) == (other.terminals[i].sent_us != 0);
    assert_false(same);
}

static void test_canary_group(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 20, 0, NULL);
    assert_int_equal(rollout_plan_make(1, true, (unsigned[]){50, 0}, &w.plan), 0);
    w.terminals[3].canary = w.terminals[4].canary = true;
    w.terminals[9].contact_us = START; /* the first canary */
    (void)run(&w);
    assert_int_equal(sent(&w), 1);
    all_apply(&w);
    pass_time(&w, WAIT / 2);
    all_apply(&w);
    pass_time(&w, WAIT / 2);
    (void)run(&w);
    assert_int_equal(w.s.stage, 1);
    assert_int_equal(sent(&w), 3);
    assert_true(w.terminals[3].sent_us != 0 && w.terminals[4].sent_us != 0 && w.terminals[9].sent_us != 0);
}

/* --- what halts --- */

static void test_canary_fails(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 40, 2, (unsigned[]){10, 0});
    (void)run(&w);
    say(&w, first_sent(&w), ROLLOUT_FAILED);
    pass_time(&w, MINUTE); /* at once, not when the wait is over */
    {
        const struct rollout_action a = run(&w);

        assert_int_equal(a.kind, ROLLOUT_HALT);
        assert_int_equal(a.reason, ROLLOUT_REASON_FAILED);
    }
    pass_time(&w, 100 * WAIT);
    assert_int_equal(run(&w).kind, ROLLOUT_WAIT);
    assert_int_equal(sent(&w), 2);
}

/* Some may fail: exactly the percentage does not halt, one more does. */
static void test_threshold(void **state)
{
    struct world w;
    size_t failed = 0;

    (void)state;
    begin(&w, 80, 0, (unsigned[]){50, 0});
    (void)run(&w);
    assert_int_equal(sent(&w), 40);
    all_apply(&w);
    for (size_t i = 0; failed < 2; i++)
        if (w.terminals[i].sent_us != 0) {
            say(&w, i, ROLLOUT_FAILED);
            failed++;
        }
    assert_int_equal(run(&w).kind, ROLLOUT_WAIT);
    for (size_t i = 0; failed < 3; i++)
        if (w.terminals[i].outcome == ROLLOUT_APPLIED) {
            say(&w, i, ROLLOUT_FAILED);
            failed++;
        }
    assert_int_equal(run(&w).reason, ROLLOUT_REASON_FAILED);
}

/* Two of forty are on; that 38 are off makes one failure no smaller. */
static void test_of_those_that_are_on(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 80, 0, (unsigned[]){50, 0});
    for (size_t i = 0; i < 80; i++)
        w.terminals[i].contact_us = START - 60 * MINUTE;
    (void)run(&w);
    say(&w, first_sent(&w), ROLLOUT_FAILED);
    assert_int_equal(run(&w).reason, ROLLOUT_REASON_FAILED);
}

/* Applied, and never heard again: the policy that cuts the network. */
static void test_silent(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 40, 2, NULL);
    (void)run(&w);
    all_apply(&w);
    pass_time(&w, WAIT / 2);
    assert_int_equal(run(&w).kind, ROLLOUT_ASK);
    assert_int_equal(w.asked, 2);
    pass_time(&w, WAIT / 4);
    assert_int_equal(run(&w).kind, ROLLOUT_WAIT); /* each is asked once */
    pass_time(&w, WAIT / 4);
    {
        const struct rollout_action a = run(&w);

        assert_int_equal(a.kind, ROLLOUT_HALT);
        assert_int_equal(a.reason, ROLLOUT_REASON_SILENT);
    }
}

/* It answers and goes by the old one: a failure when the wait is over. */
static void test_not_taken(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 10, 1, NULL);
    (void)run(&w);
    pass_time(&w, WAIT / 2);
    say(&w, first_sent(&w), ROLLOUT_UNKNOWN);
    assert_int_equal(run(&w).kind, ROLLOUT_WAIT);
    pass_time(&w, WAIT / 2);
    assert_int_equal(run(&w).reason, ROLLOUT_REASON_FAILED);
}

/* --- terminals that are off, come back, come and go --- */

/* One that was off before is no failure and no silence; but a canary of which nobody shows anything lets nothing through. */
static void test_off_all_the_time(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 10, 2, NULL);
    for (size_t i = 0; i < 10; i++)
        w.terminals[i].contact_us = START - 600 * MINUTE;
    (void)run(&w);
    assert_int_equal(sent(&w), 2);
    pass_time(&w, 100 * WAIT);
    (void)run(&w);
    assert_int_equal(w.s.state, ROLLOUT_RUNNING);
    assert_int_equal(w.s.stage, 0);
    say(&w, first_sent(&w), ROLLOUT_APPLIED); /* in the morning */
    assert_int_equal(run(&w).kind, ROLLOUT_PUBLISH);
}

static void test_person_goes_on(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 10, 2, (unsigned[]){50, 0});
    for (size_t i = 0; i < 10; i++)
        w.terminals[i].contact_us = 0; /* never heard */
    (void)run(&w);
    w.s.go_on = true;
    assert_int_equal(run(&w).kind, ROLLOUT_SEND);
    assert_int_equal(w.s.stage, 1);
    assert_false(w.s.go_on); /* this step alone */
    assert_int_equal(sent(&w), 5);
}

/* A silent one that comes back late is silent no more, and may fail even then: also in a later stage. */
static void test_late_return(void **state)
{
    struct world w;
    size_t late;

    (void)state;
    begin(&w, 20, 4, (unsigned[]){50, 0});
    w.plan.halt_silent = 50;
    w.plan.halt_failed = 20;
    (void)run(&w);
    late = first_sent(&w);
    pass_time(&w, WAIT / 2);
    for (size_t i = 0; i < 20; i++)
        if (w.terminals[i].sent_us != 0 && i != late)
            say(&w, i, ROLLOUT_APPLIED);
    pass_time(&w, WAIT / 2);
    assert_int_equal(rollout_count(&w.s, 0).silent, 1);
    (void)run(&w);
    assert_int_equal(w.s.stage, 1);
    pass_time(&w, MINUTE);
    say(&w, late, ROLLOUT_APPLIED);
    assert_int_equal(rollout_count(&w.s, 0).silent, 0);
    assert_int_equal(run(&w).kind, ROLLOUT_WAIT);
    say(&w, late, ROLLOUT_FAILED);
    assert_int_equal(run(&w).reason, ROLLOUT_REASON_FAILED);
}

/* A canary that leaves the group is no canary; another one takes its place, and its wait counts. */
static void test_moves_away(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 10, 1, NULL);
    w.terminals[9].contact_us = START;
    (void)run(&w);
    assert_int_equal(first_sent(&w), 9);
    say(&w, 9, ROLLOUT_FAILED);
    w.s.n = 9; /* it moved before anybody looked */
    pass_time(&w, 9 * MINUTE);
    assert_int_equal(run(&w).kind, ROLLOUT_SEND);
    assert_int_equal(sent(&w), 1);
    all_apply(&w);
    pass_time(&w, MINUTE);
    assert_int_equal(run(&w).kind, ROLLOUT_WAIT); /* the stage's wait is over, not that one's */
    pass_time(&w, 9 * MINUTE);
    all_apply(&w);
    assert_int_equal(run(&w).kind, ROLLOUT_PUBLISH);
}

static void test_moves_in(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 20, 0, (unsigned[]){10, 0});
    w.s.n = 10;
    (void)run(&w);
    assert_int_equal(sent(&w), 1);
    w.s.n = 20; /* ten more: 10 % are two */
    assert_int_equal(run(&w).kind, ROLLOUT_SEND);
    assert_int_equal(sent(&w), 2);
}

/* --- a person's word --- */

static void test_resumed(void **state)
{
    struct world w;
    size_t bad;

    (void)state;
    begin(&w, 20, 2, (unsigned[]){50, 0});
    (void)run(&w);
    bad = first_sent(&w);
    all_apply(&w);
    say(&w, bad, ROLLOUT_FAILED);
    assert_int_equal(run(&w).kind, ROLLOUT_HALT);
    for (size_t i = 0; i < 20; i++)
        w.terminals[i].forgiven = w.terminals[i].sent_us != 0;
    w.s.state = ROLLOUT_RUNNING;
    w.s.since_us = w.s.now_us;
    assert_int_equal(run(&w).kind, ROLLOUT_WAIT);
    pass_time(&w, WAIT);
    (void)run(&w);
    assert_int_equal(w.s.stage, 1);
    for (size_t i = 0; i < 20; i++)
        if (w.terminals[i].stage == 1)
            say(&w, i, ROLLOUT_FAILED); /* others are not forgiven */
    assert_int_equal(run(&w).reason, ROLLOUT_REASON_FAILED);
}

static void test_not_running(void **state)
{
    static const enum rollout_state states[] = {ROLLOUT_HALTED, ROLLOUT_PUBLISHED, ROLLOUT_REPLACED, 0};
    struct world w;

    (void)state;
    for (size_t i = 0; i < ELEMENTS(states); i++) {
        begin(&w, 10, 1, NULL);
        w.s.state = states[i];
        w.s.go_on = true;
        assert_int_equal(run(&w).kind, ROLLOUT_WAIT);
    }
    begin(&w, 10, 1, NULL);
    w.s.stage = 99; /* no such stage */
    assert_int_equal(run(&w).kind, ROLLOUT_WAIT);
}

/* A failure halts, also when a person said go on before anybody saw it. */
static void test_failure_before_word(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 10, 1, NULL);
    (void)run(&w);
    say(&w, first_sent(&w), ROLLOUT_FAILED);
    w.s.go_on = true;
    assert_int_equal(run(&w).kind, ROLLOUT_HALT);
}

/* --- the hub itself --- */

/* It was off for a day: nobody could be heard meanwhile. They are asked again, and only then silence counts. */
static void test_hub_was_off(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 40, 2, NULL);
    (void)run(&w);
    pass_time(&w, WAIT / 2);
    assert_int_equal(run(&w).kind, ROLLOUT_ASK);
    pass_time(&w, 1440 * MINUTE);
    w.s.listening_us = w.s.now_us;
    assert_int_equal(run(&w).kind, ROLLOUT_WAIT);
    pass_time(&w, WAIT / 2);
    assert_int_equal(run(&w).kind, ROLLOUT_ASK);
    assert_int_equal(w.asked, 4);
    all_apply(&w);
    assert_int_equal(run(&w).kind, ROLLOUT_PUBLISH);
}

static void test_hub_was_off_and_silence(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 40, 2, NULL);
    (void)run(&w);
    pass_time(&w, 1440 * MINUTE);
    w.s.listening_us = w.s.now_us;
    pass_time(&w, WAIT);
    assert_int_equal(run(&w).reason, ROLLOUT_REASON_SILENT);
}

/* Ended after each single step and begun again from what was written: the same end, and nobody twice (send_to() looks). */
static void test_ended_between_steps(void **state)
{
    struct world w;
    unsigned steps = 0;

    (void)state;
    begin(&w, 40, 2, (unsigned[]){10, 50, 0});
    while (w.s.state == ROLLOUT_RUNNING && ++steps < 1000) {
        const struct rollout_action a = next(&w);

        /* It ends before the step is written: the same step again. */
        assert_int_equal(next(&w).kind, a.kind);
        if (!act(&w, &a)) {
            pass_time(&w, MINUTE);
            all_apply(&w);
        }
    }
    assert_int_equal(w.s.state, ROLLOUT_PUBLISHED);
    assert_int_equal(sent(&w), 20);
}

/* --- clocks --- */

static void test_clock_set_back(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 40, 2, NULL);
    (void)run(&w);
    all_apply(&w);
    w.s.now_us -= 525600 * MINUTE; /* it had been a year ahead */
    w.s.listening_us = w.s.now_us;
    assert_int_equal(run(&w).kind, ROLLOUT_RESTAMP);
    assert_int_equal(w.s.since_us, w.s.now_us);
    pass_time(&w, WAIT);
    all_apply(&w);
    assert_int_equal(run(&w).kind, ROLLOUT_PUBLISH);
}

/* A jump ahead looks like a long wait in which nobody was heard: it may halt, it never lets through what was not shown. */
static void test_clock_set_ahead(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 40, 2, NULL);
    (void)run(&w);
    pass_time(&w, 525600 * MINUTE);
    assert_int_equal(run(&w).kind, ROLLOUT_HALT);
    begin(&w, 40, 2, NULL);
    (void)run(&w);
    pass_time(&w, 525600 * MINUTE);
    w.s.listening_us = w.s.now_us; /* the hub has seen that its clock jumped */
    assert_int_equal(run(&w).kind, ROLLOUT_WAIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_all_good),
        cmocka_unit_test(test_who_is_chosen),
        cmocka_unit_test(test_canary_group),
        cmocka_unit_test(test_canary_fails),
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_of_those_that_are_on),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_not_taken),
        cmocka_unit_test(test_off_all_the_time),
        cmocka_unit_test(test_person_goes_on),
        cmocka_unit_test(test_late_return),
        cmocka_unit_test(test_moves_away),
        cmocka_unit_test(test_moves_in),
        cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_not_running),
        cmocka_unit_test(test_failure_before_word),
        cmocka_unit_test(test_hub_was_off),
        cmocka_unit_test(test_hub_was_off_and_silence),
        cmocka_unit_test(test_ended_between_steps),
        cmocka_unit_test(test_clock_set_back),
        cmocka_unit_test(test_clock_set_ahead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
