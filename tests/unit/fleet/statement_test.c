/*
 * There is one way to write each statement: each key missing, doubled, null, of another type, out of its range, or one too many, properly
 * signed all the same, is refused with its reason; and what is written is read the same again.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fake/statements.h"
#include "test.h"

/* Opens it and drops it; prints what was said of it when the result is another. */
static void opens(enum fleet_kind kind, struct signed_bytes file, enum trust_result result, const char *what)
{
    struct trust_complaint complaint = {0};
    struct fleet_statement *s = NULL;
    int r = statement_open(kind, file, &s, &complaint);

    if (r != (int)result)
        fail_msg("%s, %s: %s instead of %s (%s)", fleet_kind_type(kind), what, trust_result_name((enum trust_result)r),
                 trust_result_name(result), complaint.text);
    if (r != TRUST_OK && complaint.text[0] == '\0')
        fail_msg("%s, %s: refused without a word", fleet_kind_type(kind), what);
    assert_true((r == TRUST_OK) == (s != NULL));
    fleet_statement_free(s);
}

static struct signed_bytes payload_of(enum fleet_kind kind)
{
    return signed_payload(statement_usual_envelope(kind));
}

static struct signed_bytes signed_again(enum fleet_kind kind, const char *text)
{
    return signed_file(signed_text(fleet_kind_type(kind), text, statement_signer(kind)));
}

static void test_unedited(void **state)
{
    (void)state;
    for (enum fleet_kind kind = FLEET_MEMBERSHIP; kind < FLEET_KIND_COUNT_; kind++) {
        struct signed_bytes b = payload_of(kind), again = {0};
        struct fleet_statement *s = NULL;

        opens(kind, signed_file(statement_usual_envelope(kind)), TRUST_OK, "unedited");
        opens(kind, signed_again(kind, (const char *)b.data), TRUST_OK, "signed again");
        assert_int_equal(fleet_statement_parse(kind, b.data, b.size, &s, NULL), TRUST_OK);
        assert_int_equal(s->kind, kind);
        assert_int_equal(fleet_statement_write(s, &again.data, &again.size, NULL), TRUST_OK);
        assert_int_equal(again.size, b.size);
        assert_memory_equal(again.data, b.data, b.size);
        fleet_statement_free(s);
        free(again.data);
        free(b.data);
    }
}

/* All that may be null is null. */
static void test_nothing_yet(void **state)
{
    struct fleet_statement s = statement_usual(FLEET_REPORT), *read = NULL;

    (void)state;
    s.report.organization = NULL;
    s.report.has_policy = s.report.has_head = s.report.has_outcome = false;
    s.report.membership = 0;
    assert_int_equal(
        statement_open(FLEET_REPORT, signed_file(statement_envelope(&s, KEY(STATEMENT_JOURNAL))), &read, NULL),
        TRUST_OK);
    assert_null(read->report.organization);
    assert_false(read->report.has_policy || read->report.has_head || read->report.has_outcome);
    assert_true(read->report.membership == 0 && !read->report.policy.name && !read->report.head.group);
    fleet_statement_free(read);
    s = statement_usual(FLEET_ENROLMENT);
    s.enrolment.machine = NULL;
    read = NULL;
    assert_int_equal(
        statement_open(FLEET_ENROLMENT, signed_file(statement_envelope(&s, KEY(STATEMENT_JOURNAL))), &read, NULL),
        TRUST_OK);
    assert_null(read->enrolment.machine);
    fleet_statement_free(read);
}

static bool may_be_null(const char *key, bool nested)
{
    static const char *const keys[] = {"policy", "head", "outcome", "membership", "machine", "reason"};

    for (size_t i = 0; i < ELEMENTS(keys); i++)
        if (strcmp(keys[i], key) == 0)
            return nested == (strcmp(key, "reason") == 0);
    return false;
}

static void offer_json(enum fleet_kind kind, const json_t *j, enum trust_result result, const char *what)
{
    char *text = json_dumps(j, 0);

    opens(kind, signed_again(kind, text), result, what);
    free(text);
}

/* The text with `what` put in behind the brace that opens the object of this key; NULL: the outermost. */
static void offer_inserted(enum fleet_kind kind, const json_t *j, const char *inside, const char *what,
                           enum trust_result result)
{
    char *text = json_dumps(j, JSON_COMPACT), *from = NULL, *to = NULL;
    struct signed_bytes b;

    signed_insist(asprintf(&from, inside ? "\"%s\":{" : "{%.0s", inside ? inside : "") > 0, "from");
    signed_insist(asprintf(&to, "%s%s,", from, what) > 0, "to");
    b = signed_edited(signed_text_bytes(text), from, to);
    opens(kind, signed_again(kind, (const char *)b.data), result, what);
    free(b.data);
    free(from);
    free(to);
    free(text);
}

/* Every key of an object of the document: the object itself (inside NULL), or the one of this key. */
static size_t each_key(enum fleet_kind kind, json_t *document, const char *inside)
{
    json_t *object = inside ? json_object_get(document, inside) : document, *copy = json_deep_copy(object), *value;
    const char *key;
    size_t n = 0;

    json_object_foreach(copy, key, value)
    {
        char *doubled = NULL, *renamed = NULL;

        n++;
        signed_insist(asprintf(&doubled, "\"%s\":1", key) > 0 && asprintf(&renamed, "%s2", key) > 0, "names");
        json_object_del(object, key);
        offer_json(kind, document, TRUST_E_MALFORMED, key);
        json_object_set(object, renamed, value);
        offer_json(kind, document, TRUST_E_MALFORMED, renamed);
        json_object_del(object, renamed);
        json_object_set_new(object, key, json_true());
        offer_json(kind, document, TRUST_E_MALFORMED, key);
        json_object_set_new(object, key, json_is_string(value) ? json_integer(1) : json_string("1"));
        offer_json(kind, document, TRUST_E_MALFORMED, key);
        if (!may_be_null(key, inside != NULL) && !(kind == FLEET_REPORT && strcmp(key, "organization") == 0)) {
            json_object_set_new(object, key, json_null());
            offer_json(kind, document, TRUST_E_MALFORMED, key);
        }
        if (json_is_string(value)) {
            json_object_set_new(object, key, json_string(""));
            offer_json(kind, document, TRUST_E_MALFORMED, key);
        }
        if (json_is_integer(value)) {
            static const json_int_t beyond[] = {0, -1, INT64_C(9007199254740992), INT64_MAX, INT64_MIN};

            for (size_t i = 0; i < ELEMENTS(beyond); i++) {
                json_object_set_new(object, key, json_integer(beyond[i]));
                offer_json(kind, document, TRUST_E_MALFORMED, key);
            }
            json_object_set_new(object, key, json_real(3.0));
            offer_json(kind, document, TRUST_E_MALFORMED, key);
        }
        json_object_set(object, key, value);
        offer_inserted(kind, document, inside, doubled, TRUST_E_DUPLICATE_KEY);
        free(doubled);
        free(renamed);
    }
    offer_inserted(kind, document, inside, "\"more\":1", TRUST_E_MALFORMED);
    json_decref(copy);
    return n;
}

static void test_each_key(void **state)
{
    static const char *const inner[] = {"versions", "policy", "head", "outcome", "journal"};
    size_t n = 0;

    (void)state;
    for (enum fleet_kind kind = FLEET_MEMBERSHIP; kind < FLEET_KIND_COUNT_; kind++) {
        struct signed_bytes b = payload_of(kind);
        json_t *j = json_loadb((const char *)b.data, b.size, 0, NULL);

        assert_non_null(j);
        n += each_key(kind, j, NULL);
        for (size_t i = 0; kind == FLEET_REPORT && i < ELEMENTS(inner); i++)
            n += each_key(kind, j, inner[i]);
        offer_json(kind, j, TRUST_OK, "as it was");
        json_decref(j);
        free(b.data);
    }
    printf("%zu keys\n", n);
    assert_int_equal(n, 8 + 6 + 7 + 12 + 14 + 10);
}

struct edit {
    enum fleet_kind kind;
    const char *from, *to;
    enum trust_result result;
};

static void edited(const struct edit *edits, size_t n)
{
    for (size_t i = 0; i < n; i++)
        opens(edits[i].kind,
              signed_payload_edited(statement_usual_envelope(edits[i].kind), edits[i].from, edits[i].to,
                                    statement_signer(edits[i].kind)),
              edits[i].result, edits[i].to);
    printf("%zu edits\n", n);
}

#define NOW "2027-01-15T08:00:00Z"
#define HASH_4A "4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a"
#define ID_1D "1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d"
#define LONG_64 "0123456789012345678901234567890123456789012345678901234567890123"
#define LONG_256 LONG_64 LONG_64 LONG_64 LONG_64

static void test_values(void **state)
{
    static const struct edit edits[] = {
        {FLEET_ACK, "kuraban-ack/1", "kuraban-ack/2", TRUST_E_FORMAT},
        {FLEET_ACK, "kuraban-ack/1", "kuraban-ack/01", TRUST_E_MALFORMED},
        {FLEET_ACK, "kuraban-ack/1", "kuraban-ack", TRUST_E_MALFORMED},
        {FLEET_ACK, "kuraban-ack/1", "kuraban-order/1", TRUST_E_MALFORMED},
        {FLEET_REPORT, "kuraban-report/1", "kuraban-report/9", TRUST_E_FORMAT},
        {FLEET_ACK, NOW, "2027-01-15T08:00:00+00:00", TRUST_E_MALFORMED},
        {FLEET_ACK, NOW, "2027-01-15T08:00:60Z", TRUST_E_MALFORMED},
        {FLEET_ACK, NOW, "2027-02-29T08:00:00Z", TRUST_E_MALFORMED},
        {FLEET_ACK, NOW, "2027-01-15T08:00:00.5Z", TRUST_E_MALFORMED},
        {FLEET_ACK, HASH_4A, "4A" HASH_4A, TRUST_E_MALFORMED},
        {FLEET_ACK, "\"4a4a", "\"4A4a", TRUST_E_MALFORMED},
        {FLEET_ACK, "\"4a4a", "\"4a4", TRUST_E_MALFORMED},
        {FLEET_ACK, "4711", "4711.0", TRUST_E_MALFORMED},
        {FLEET_ACK, "4711", "4.711e3", TRUST_E_MALFORMED},
        {FLEET_ACK, "4711", "9007199254740991", TRUST_OK},
        {FLEET_ACK, "4711", "18446744073709551620", TRUST_E_MALFORMED},
        {FLEET_ACK, "\"t", "\"T", TRUST_E_MALFORMED},
        {FLEET_ACK, "\"terminal\": \"t", "\"terminal\": \"tt", TRUST_E_MALFORMED},
        {FLEET_ACK, SIGNED_ORGANIZATION, "a\\nb", TRUST_E_MALFORMED},
        {FLEET_ACK, SIGNED_ORGANIZATION, "a\\u0000", TRUST_E_MALFORMED},
        {FLEET_ACK, SIGNED_ORGANIZATION, LONG_256, TRUST_E_MALFORMED},
        {FLEET_ACK, SIGNED_ORGANIZATION, "other.example", TRUST_E_ORGANIZATION},
        {FLEET_ORDER, SIGNED_ORGANIZATION, "other.example", TRUST_E_ORGANIZATION},
        {FLEET_MEMBERSHIP, SIGNED_ORGANIZATION, "other.example", TRUST_E_ORGANIZATION},
        {FLEET_ORDER, "end-grants", "report", TRUST_OK},
        {FLEET_ORDER, "end-grants", "grant", TRUST_E_MALFORMED},
        {FLEET_ORDER, "end-grants", "END-GRANTS", TRUST_E_MALFORMED},
        {FLEET_ORDER, ID_1D, ID_1D "1d", TRUST_E_MALFORMED},
        {FLEET_ORDER, "\"1d1d", "\"1D1d", TRUST_E_MALFORMED},
        {FLEET_ORDER, "\"1d1d", "\"1d1-", TRUST_E_MALFORMED},
        {FLEET_ORDER, "2027-01-16T08:00:00Z", "2027-01-16T08:00:01Z", TRUST_E_MALFORMED}, /* a day and a second */
        {FLEET_ORDER, "2027-01-16T08:00:00Z", NOW, TRUST_E_MALFORMED},
        {FLEET_ORDER, "2027-01-16T08:00:00Z", "2027-01-15T07:59:59Z", TRUST_E_MALFORMED},
        {FLEET_ORDER, "2027-01-16T08:00:00Z", "9999-12-31T23:59:59Z", TRUST_E_MALFORMED},
        {FLEET_ORDER, NOW, "0000-01-01T00:00:00Z", TRUST_E_MALFORMED},
        {FLEET_REPORT, "\"signed\"", "\"none\"", TRUST_E_MALFORMED},
        {FLEET_REPORT, "\"signed\"", "\"last-good\"", TRUST_OK},
        {FLEET_REPORT, "\"failed\"", "\"applied\"", TRUST_E_MALFORMED}, /* with a reason */
        {FLEET_REPORT, "\"rollback\"", "null", TRUST_E_MALFORMED},      /* failed for none */
        {FLEET_REPORT, "\"rollback\"", "\"" LONG_256 "\"", TRUST_E_MALFORMED},
        {FLEET_REPORT, "\"membership\": 3", "\"membership\": null", TRUST_OK},
        {FLEET_ENROLMENT, "kazei-07", "kazei\\u202e", TRUST_E_MALFORMED}, /* turns the writing round */
        {FLEET_ENROLMENT, "kazei-07", "\\u001b[2J", TRUST_E_MALFORMED},
    };

    (void)state;
    edited(edits, ELEMENTS(edits));
}

static void test_keys(void **state)
{
    static const struct edit edits[] = {
        {FLEET_MEMBERSHIP, "BEGIN PUBLIC KEY", "BEGIN PRIVATE KEY", TRUST_E_MALFORMED},
        {FLEET_MEMBERSHIP, "PUBLIC KEY-----\\n", "PUBLIC KEY-----\\r\\n", TRUST_E_MALFORMED},
        {FLEET_MEMBERSHIP, "-----BEGIN", "key\\n-----BEGIN", TRUST_E_MALFORMED},
        {FLEET_MEMBERSHIP, "\"wire\": \"U", "\"wire\": \"A", TRUST_E_MALFORMED},
        {FLEET_MEMBERSHIP, "\"wire\": \"U", "\"wire\": \"SU", TRUST_E_MALFORMED},
        {FLEET_MEMBERSHIP, "\"wire\": \"U", "\"wire\": \"u", TRUST_E_MALFORMED},
    };
    struct fleet_statement s = statement_usual(FLEET_MEMBERSHIP), e = statement_usual(FLEET_ENROLMENT);
    static const uint8_t weak[NKEY_RAW_SIZE] = {1};
    struct signed_bytes b = {0};
    uint8_t public[TRUST_PUBLIC_SIZE];

    (void)state;
    edited(edits, ELEMENTS(edits));
    /* One key for both: who can make the wire's key sign could speak for kuraband. */
    statement_wire(STATEMENT_JOURNAL, s.membership.wire);
    statement_wire(STATEMENT_JOURNAL, e.enrolment.wire);
    assert_int_equal(fleet_statement_write(&s, &b.data, &b.size, NULL), TRUST_E_MALFORMED);
    assert_int_equal(fleet_statement_write(&e, &b.data, &b.size, NULL), TRUST_E_MALFORMED);
    /* A key for which everybody can sign. */
    nkey_public_write(NKEY_USER, weak, s.membership.wire);
    assert_int_equal(fleet_statement_write(&s, &b.data, &b.size, NULL), TRUST_E_MALFORMED);
    s = statement_usual(FLEET_MEMBERSHIP);
    memcpy(s.membership.journal, weak, sizeof(weak));
    assert_int_equal(fleet_terminal_id(s.membership.journal, s.membership.terminal), 0);
    assert_int_equal(fleet_statement_write(&s, &b.data, &b.size, NULL), TRUST_E_MALFORMED);
    /* The id is the key's. */
    s = statement_usual(FLEET_MEMBERSHIP);
    statement_terminal(STATEMENT_OTHER, s.membership.terminal);
    assert_int_equal(fleet_statement_write(&s, &b.data, &b.size, NULL), TRUST_E_MALFORMED);
    signed_public(STATEMENT_OTHER, public);
    memcpy(s.membership.journal, public, sizeof(public));
    assert_int_equal(fleet_statement_write(&s, &b.data, &b.size, NULL), TRUST_OK);
    free(b.data);
}

static void test_groups(void **state)
{
    static const struct edit edits[] = {
        {FLEET_MEMBERSHIP, "\"kazei\"", "\"zeimu\"", TRUST_OK},
        {FLEET_MEMBERSHIP, "\"kazei\"", "\"税務課\"", TRUST_E_MALFORMED},
        {FLEET_MEMBERSHIP, "\"kazei\"", "\"\\u7a0e務課\"", TRUST_E_MALFORMED},
        {FLEET_MEMBERSHIP, "\"kazei\"", "\"\"", TRUST_E_MALFORMED},
        {FLEET_MEMBERSHIP, "\"kazei\"", "1", TRUST_E_MALFORMED},
        {FLEET_MEMBERSHIP, "\"kazei\"", "[\"kazei\"]", TRUST_E_MALFORMED},
        {FLEET_MEMBERSHIP, "\"kazei\"", "null", TRUST_E_MALFORMED},
        {FLEET_MEMBERSHIP, "\"kazei\"", "\"" LONG_256 "\"", TRUST_E_MALFORMED},
        {FLEET_MEMBERSHIP, "\"kazei\"",
         "\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\"", TRUST_OK},
        {FLEET_MEMBERSHIP, "\"kazei\"",
         "\"0\",\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\"",
         TRUST_E_MALFORMED},
    };
    struct fleet_statement s = statement_usual(FLEET_MEMBERSHIP);
    struct signed_bytes b = {0};

    (void)state;
    edited(edits, ELEMENTS(edits));
    s.membership.groups.n = 0;
    assert_int_equal(fleet_statement_write(&s, &b.data, &b.size, NULL), TRUST_E_MALFORMED);
}

/* What cannot be read is not written either. */
static void test_written(void **state)
{
    struct fleet_statement s = statement_usual(FLEET_ACK);
    struct signed_bytes b = {0};
    char longest[300], bad[] = "\xff";

    (void)state;
    s.ack.organization = NULL;
    assert_int_equal(fleet_statement_write(&s, &b.data, &b.size, NULL), TRUST_E_MALFORMED);
    s.ack.organization = bad;
    assert_int_equal(fleet_statement_write(&s, &b.data, &b.size, NULL), TRUST_E_MALFORMED);
    memset(longest, 'a', sizeof(longest));
    longest[299] = '\0';
    s.ack.organization = longest;
    assert_int_equal(fleet_statement_write(&s, &b.data, &b.size, NULL), TRUST_E_MALFORMED);
    longest[255] = '\0';
    assert_int_equal(fleet_statement_write(&s, &b.data, &b.size, NULL), TRUST_OK);
    free(b.data);
    b.data = NULL;
    s.ack.sequence = 0;
    assert_int_equal(fleet_statement_write(&s, &b.data, &b.size, NULL), TRUST_E_MALFORMED);
    s.ack.sequence = UINT64_MAX;
    assert_int_equal(fleet_statement_write(&s, &b.data, &b.size, NULL), TRUST_E_MALFORMED);
    s = statement_usual(FLEET_ORDER);
    s.order.kind = FLEET_ORDER_NONE;
    assert_int_equal(fleet_statement_write(&s, &b.data, &b.size, NULL), TRUST_E_MALFORMED);
    s = statement_usual(FLEET_ORDER);
    s.order.expires_us = SIGNED_NOW + 8000 * 366 * SIGNED_DAY; /* no such year */
    assert_int_equal(fleet_statement_write(&s, &b.data, &b.size, NULL), TRUST_E_MALFORMED);
    s.kind = FLEET_NONE;
    assert_int_equal(fleet_statement_write(&s, &b.data, &b.size, NULL), -EINVAL);
    assert_null(b.data);
    assert_null(fleet_kind_type(FLEET_NONE));
    assert_null(fleet_kind_type(FLEET_KIND_COUNT_));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unedited), cmocka_unit_test(test_nothing_yet), cmocka_unit_test(test_each_key),
        cmocka_unit_test(test_values),   cmocka_unit_test(test_keys),        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
