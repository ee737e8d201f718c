/* What a good statement is worth beside what is held: each way it may not follow, and the edges of each. */
#include <string.h>

#include "base/cleanup.h"
#include "fake/statements.h"
#include "test.h"

static char other[] = "other.example", kansa[] = "kansa";

static struct fleet_self self_usual(void)
{
    struct fleet_self self = {.organization = SIGNED_ORGANIZATION};

    signed_public(STATEMENT_JOURNAL, self.journal);
    statement_wire(STATEMENT_WIRE, self.wire);
    return self;
}

static void test_membership_is_for(void **state)
{
    struct fleet_statement m = statement_usual(FLEET_MEMBERSHIP), ack = statement_usual(FLEET_ACK);
    struct fleet_self self = self_usual();

    (void)state;
    assert_int_equal(fleet_membership_is_for(&m, &self), FLEET_OK);
    assert_int_equal(fleet_membership_is_for(&ack, &self), FLEET_E_KIND);
    statement_wire(STATEMENT_OTHER, self.wire);
    assert_int_equal(fleet_membership_is_for(&m, &self), FLEET_E_KEYS);
    signed_public(STATEMENT_OTHER, self.journal);
    assert_int_equal(fleet_membership_is_for(&m, &self), FLEET_E_TERMINAL);
    self.organization = other;
    assert_int_equal(fleet_membership_is_for(&m, &self), FLEET_E_ORGANIZATION);
    self.organization = NULL;
    assert_int_equal(fleet_membership_is_for(&m, &self), FLEET_E_ORGANIZATION);
}

static void test_membership_follows(void **state)
{
    const struct fleet_statement held = statement_usual(FLEET_MEMBERSHIP), ack = statement_usual(FLEET_ACK);
    struct fleet_statement next = held;

    (void)state;
    assert_int_equal(fleet_membership_follows(&held, &next), FLEET_E_KNOWN);
    next.membership.groups.names[1] = kansa;
    assert_int_equal(fleet_membership_follows(&held, &next), FLEET_E_FORK);
    next.membership.serial = 4;
    assert_int_equal(fleet_membership_follows(&held, &next), FLEET_OK);
    next.membership.serial = TRUST_VERSION_MAX;
    assert_int_equal(fleet_membership_follows(&held, &next), FLEET_OK);
    next.membership.serial = 2;
    assert_int_equal(fleet_membership_follows(&held, &next), FLEET_E_ROLLBACK);
    next = held;
    next.membership.groups.n = 1;
    assert_int_equal(fleet_membership_follows(&held, &next), FLEET_E_FORK);
    next = held;
    next.membership.issued_us += 1000000;
    assert_int_equal(fleet_membership_follows(&held, &next), FLEET_E_FORK);
    next.membership.serial = 4;
    next.membership.issued_us = 0; /* the serial orders, not a clock */
    assert_int_equal(fleet_membership_follows(&held, &next), FLEET_OK);
    statement_wire(STATEMENT_OTHER, next.membership.wire);
    assert_int_equal(fleet_membership_follows(&held, &next), FLEET_E_KEYS);
    next.membership = held.membership;
    next.membership.serial = 4;
    next.membership.journal[0] ^= 1; /* the same id by another key cannot be parsed */
    assert_int_equal(fleet_membership_follows(&held, &next), FLEET_E_KEYS);
    statement_terminal(STATEMENT_OTHER, next.membership.terminal);
    assert_int_equal(fleet_membership_follows(&held, &next), FLEET_E_TERMINAL);
    next.membership.organization = other;
    assert_int_equal(fleet_membership_follows(&held, &next), FLEET_E_ORGANIZATION);
    assert_int_equal(fleet_membership_follows(&held, &ack), FLEET_E_KIND);
    assert_int_equal(fleet_membership_follows(&ack, &held), FLEET_E_KIND);
}

static void test_order(void **state)
{
    const struct fleet_statement o = statement_usual(FLEET_ORDER), ack = statement_usual(FLEET_ACK);
    const char *id = o.order.terminal, *organization = o.order.organization;
    char stranger[FLEET_ID_SIZE];

    (void)state;
    statement_terminal(STATEMENT_OTHER, stranger);
    assert_int_equal(fleet_order_judge(&o, organization, id, SIGNED_NOW), FLEET_OK);
    assert_int_equal(fleet_order_judge(&o, organization, id, SIGNED_NOW + SIGNED_DAY - 1), FLEET_OK);
    assert_int_equal(fleet_order_judge(&o, organization, id, SIGNED_NOW + SIGNED_DAY), FLEET_E_EXPIRED);
    assert_int_equal(fleet_order_judge(&o, organization, id, SIGNED_NOW - SIGNED_DAY), FLEET_OK);
    assert_int_equal(fleet_order_judge(&o, organization, id, SIGNED_NOW - SIGNED_DAY - 1), FLEET_E_NOT_YET);
    assert_int_equal(fleet_order_judge(&o, organization, stranger, SIGNED_NOW), FLEET_E_TERMINAL);
    assert_int_equal(fleet_order_judge(&o, organization, NULL, SIGNED_NOW), FLEET_E_TERMINAL);
    assert_int_equal(fleet_order_judge(&o, other, id, SIGNED_NOW), FLEET_E_ORGANIZATION);
    assert_int_equal(fleet_order_judge(&o, NULL, id, SIGNED_NOW), FLEET_E_ORGANIZATION);
    assert_int_equal(fleet_order_judge(&ack, organization, id, SIGNED_NOW), FLEET_E_KIND);
}

static void test_ack(void **state)
{
    const struct fleet_statement a = statement_usual(FLEET_ACK), o = statement_usual(FLEET_ORDER);
    const char *id = a.ack.terminal, *organization = a.ack.organization;
    struct digest hash = a.ack.hash;
    char stranger[FLEET_ID_SIZE];

    (void)state;
    statement_terminal(STATEMENT_OTHER, stranger);
    assert_int_equal(fleet_ack_judge(&a, organization, id, 0, &hash), FLEET_OK);
    assert_int_equal(fleet_ack_judge(&a, organization, id, 4710, &hash), FLEET_OK);
    assert_int_equal(fleet_ack_judge(&a, organization, id, 4711, &hash), FLEET_E_KNOWN);
    assert_int_equal(fleet_ack_judge(&a, organization, id, 4711, NULL), FLEET_E_KNOWN);
    assert_int_equal(fleet_ack_judge(&a, organization, id, 4712, &hash), FLEET_E_ROLLBACK);
    assert_int_equal(fleet_ack_judge(&a, organization, id, 4710, NULL), FLEET_E_AHEAD);
    assert_int_equal(fleet_ack_judge(&a, organization, stranger, 0, &hash), FLEET_E_TERMINAL);
    assert_int_equal(fleet_ack_judge(&a, other, id, 0, &hash), FLEET_E_ORGANIZATION);
    assert_int_equal(fleet_ack_judge(&o, organization, id, 0, &hash), FLEET_E_KIND);
    hash.bytes[31] ^= 1;
    assert_int_equal(fleet_ack_judge(&a, organization, id, 0, &hash), FLEET_E_FORK);
    assert_int_equal(fleet_ack_judge(&a, organization, id, 4711, &hash), FLEET_E_FORK);
}

static void test_report(void **state)
{
    const struct fleet_statement held = statement_usual(FLEET_REPORT), ack = statement_usual(FLEET_ACK);
    struct fleet_statement next = held;

    (void)state;
    assert_int_equal(fleet_report_follows(&held, &next), FLEET_E_KNOWN);
    next.report.sequence = 13;
    assert_int_equal(fleet_report_follows(&held, &next), FLEET_OK);
    next.report.journal.hash.bytes[0] ^= 1;
    assert_int_equal(fleet_report_follows(&held, &next), FLEET_E_FORK);
    next.report.journal.sequence = 4712; /* kuraband was started anew: it counts from 1 */
    next.report.sequence = 1;
    assert_int_equal(fleet_report_follows(&held, &next), FLEET_OK);
    next.report.journal.sequence = 4710;
    next.report.sequence = 99;
    assert_int_equal(fleet_report_follows(&held, &next), FLEET_E_ROLLBACK);
    next = held;
    next.report.sequence = 11;
    assert_int_equal(fleet_report_follows(&held, &next), FLEET_E_ROLLBACK);
    statement_terminal(STATEMENT_OTHER, next.report.terminal);
    assert_int_equal(fleet_report_follows(&held, &next), FLEET_E_TERMINAL);
    assert_int_equal(fleet_report_follows(&held, &ack), FLEET_E_KIND);
    assert_int_equal(fleet_report_follows(&ack, &held), FLEET_E_KIND);
}

static void test_enrolment(void **state)
{
    const struct fleet_statement e = statement_usual(FLEET_ENROLMENT), ack = statement_usual(FLEET_ACK);
    struct digest ca = e.enrolment.ca;

    (void)state;
    assert_int_equal(fleet_enrolment_judge(&e, "token", 5, &ca, SIGNED_NOW), FLEET_OK);
    assert_int_equal(fleet_enrolment_judge(&e, "token", 5, &ca, SIGNED_NOW + SIGNED_DAY), FLEET_OK);
    assert_int_equal(fleet_enrolment_judge(&e, "token", 5, &ca, SIGNED_NOW + SIGNED_DAY + 1), FLEET_E_EXPIRED);
    assert_int_equal(fleet_enrolment_judge(&e, "token", 5, &ca, SIGNED_NOW - SIGNED_DAY), FLEET_OK);
    assert_int_equal(fleet_enrolment_judge(&e, "token", 5, &ca, SIGNED_NOW - SIGNED_DAY - 1), FLEET_E_NOT_YET);
    assert_int_equal(fleet_enrolment_judge(&e, "token2", 6, &ca, SIGNED_NOW), FLEET_E_TOKEN);
    assert_int_equal(fleet_enrolment_judge(&e, "", 0, &ca, SIGNED_NOW), FLEET_E_TOKEN);
    assert_int_equal(fleet_enrolment_judge(&ack, "token", 5, &ca, SIGNED_NOW), FLEET_E_KIND);
    ca.bytes[0] ^= 1;
    assert_int_equal(fleet_enrolment_judge(&e, "token", 5, &ca, SIGNED_NOW), FLEET_E_CENTRE);
}

static void test_words(void **state)
{
    (void)state;
    for (enum fleet_result r = FLEET_OK; r < FLEET_RESULT_COUNT_; r++) {
        assert_true(strlen(fleet_result_name(r)) > 1 && strlen(fleet_result_text(r)) > 1);
        for (enum fleet_result q = FLEET_OK; q < r; q++) {
            assert_string_not_equal(fleet_result_name(q), fleet_result_name(r));
            assert_string_not_equal(fleet_result_text(q), fleet_result_text(r));
        }
    }
    assert_string_equal(fleet_result_name(FLEET_RESULT_COUNT_), "unknown");
    assert_string_equal(fleet_result_text(FLEET_RESULT_COUNT_), fleet_result_text(FLEET_E_KIND));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_membership_is_for),
        cmocka_unit_test(test_membership_follows),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_ack),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_enrolment),
        cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
