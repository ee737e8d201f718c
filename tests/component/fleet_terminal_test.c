/*
 * The courier's requests at a real kuraband: nobody else may make them; the journal is handed out byte for byte, reports are signed and true,
 * what the centre signed is taken once and kept over a kill, what it did not sign is refused and recorded.
 */
#include "component/fleet_fixture.h"

static struct fleet_terminal terminal;

static struct fleet_terminal *the(void **state)
{
    (void)state;
    return &terminal;
}

static json_t *ask(struct fleet_terminal *t, uint16_t request, const struct buf *fields, int *ret_fd)
{
    json_t *answer = NULL;
    uint32_t code = fleet_ask(t, t->courier, request, fields, &answer, ret_fd);

    if (code != CTL_CODE_OK)
        fail_msg("%u: code %u, %s", request, code, json_string_value(json_object_get(answer, "message")));
    return answer;
}

static const char *text_of(const json_t *j, const char *key)
{
    const char *text = json_string_value(json_object_get(j, key));

    return text ? text : "";
}

static void recorded(struct fleet_terminal *t, const char *action, bool wanted)
{
    char command[1024], pattern[64];

    (void)snprintf(pattern, sizeof(pattern), "\"action\":\"%s\"", action);
    (void)snprintf(command, sizeof(command), "cat %s/state/journal/journal-*.ndjson | grep -q '%s'", t->path, pattern);
    {
        json_t *answer = NULL;

        assert_int_equal(fleet_ask(t, 0, CTL_SYNC, NULL, &answer, NULL), CTL_CODE_OK);
        json_decref(answer);
    }
    assert_int_equal(system(command) == 0, wanted);
}

static void test_nobody_else(void **state)
{
    static const uint16_t requests[] = {CTL_FLEET_HELLO,  CTL_FLEET_BUNDLE, CTL_FLEET_STATEMENT,
                                        CTL_FLEET_RECORD, CTL_FLEET_REPORT, CTL_FLEET_WATCH};
    struct fleet_terminal *t = the(state);

    for (size_t i = 0; i < ELEMENTS(requests); i++) {
        json_t *answer = NULL;

        assert_int_equal(fleet_ask(t, 0, requests[i], NULL, &answer, NULL), CTL_CODE_DENIED);
        json_decref(answer);
        assert_int_equal(fleet_ask(t, 1, requests[i], NULL, &answer, NULL), CTL_CODE_DENIED);
        json_decref(answer);
    }
}

static void test_hello(void **state)
{
    struct fleet_terminal *t = the(state);
    struct buf up;
    json_t *hello, *status;

    buf_init(&up, 16);
    assert_int_equal(buf_add_u8(&up, 1), 0);
    hello = ask(t, CTL_FLEET_HELLO, &up, NULL);
    assert_string_equal(text_of(hello, "terminal"), t->id);
    assert_string_equal(text_of(hello, "state"), "good");
    assert_string_equal(text_of(hello, "organization"), SIGNED_ORGANIZATION);
    assert_string_equal(json_string_value(json_array_get(json_object_get(hello, "groups"), 1)), "税務課");
    assert_true(json_integer_value(json_object_get(hello, "sequence")) > 0);
    assert_int_equal(json_integer_value(json_object_get(hello, "acknowledged")), 0);
    json_decref(hello);
    status = fleet_status(t);
    assert_string_equal(text_of(json_object_get(status, "fleet"), "link"), "off"); /* nobody watches */
    assert_true(json_is_string(json_object_get(json_object_get(status, "fleet"), "contact")));
    assert_string_equal(text_of(json_object_get(status, "terminal"), "id"), t->id);
    json_decref(status);
    buf_done(&up);
}

/* All of the journal, piece by piece. */
static void test_record(void **state)
{
    struct fleet_terminal *t = the(state);
    char command[1024];
    uint64_t from = 1;
    FILE *all;

    (void)snprintf(command, sizeof(command), "%s/all", t->path);
    all = fopen(command, "we");
    assert_non_null(all);
    for (;;) {
        _cleanup_free_ uint8_t *bytes = NULL;
        struct buf fields;
        size_t size = 0;
        int fd = -1;
        json_t *answer;

        buf_init(&fields, 16);
        assert_int_equal(buf_add_u64(&fields, from), 0);
        answer = ask(t, CTL_FLEET_RECORD, &fields, &fd);
        buf_done(&fields);
        if (!json_is_integer(json_object_get(answer, "first"))) {
            assert_true(fd < 0);
            json_decref(answer);
            break;
        }
        assert_true((uint64_t)json_integer_value(json_object_get(answer, "first")) == from);
        from = (uint64_t)json_integer_value(json_object_get(answer, "last")) + 1;
        assert_int_equal(sealed_read(fd, 256 * 1024, &bytes, &size), 0);
        assert_int_equal(json_integer_value(json_object_get(answer, "size")), size);
        assert_int_equal(fwrite(bytes, 1, size, all), size);
        json_decref(answer);
        close(fd);
    }
    assert_int_equal(fclose(all), 0);
    assert_true(from > 5);
    (void)snprintf(command, sizeof(command), "cat %s/state/journal/journal-*.ndjson | cmp - %s/all", t->path, t->path);
    assert_int_equal(system(command), 0);
}

static struct fleet_statement *report(struct fleet_terminal *t)
{
    json_t *answer = ask(t, CTL_FLEET_REPORT, NULL, NULL);
    const char *envelope = text_of(answer, "report");
    struct fleet_statement *s = NULL;

    assert_int_equal(fleet_open_report((const uint8_t *)envelope, strlen(envelope), t->journal, &s, NULL), TRUST_OK);
    json_decref(answer);
    return s;
}

static json_t *bring(struct fleet_terminal *t, struct signed_bytes b, uint32_t *ret_code)
{
    enum {
        PIECE = 500
    };
    json_t *answer = NULL;

    for (size_t at = 0; at < b.size; at += PIECE) {
        size_t n = b.size - at < PIECE ? b.size - at : PIECE;
        char piece[PIECE + 1];
        struct buf fields;

        memcpy(piece, b.data + at, n);
        piece[n] = '\0';
        buf_init(&fields, 4096);
        assert_int_equal(buf_add_u32(&fields, (uint32_t)b.size), 0);
        assert_int_equal(buf_add_u32(&fields, (uint32_t)at), 0);
        assert_int_equal(buf_add_string(&fields, piece), 0);
        json_decref(answer);
        *ret_code = fleet_ask(t, t->courier, CTL_FLEET_BUNDLE, &fields, &answer, NULL);
        if (at + n < b.size)
            assert_string_equal(text_of(answer, "result"), "more");
        buf_done(&fields);
    }
    free(b.data);
    return answer;
}

static void brought(struct fleet_terminal *t, struct signed_bytes b, const char *result)
{
    uint32_t code = 0;
    json_t *answer = bring(t, b, &code);

    if (code != CTL_CODE_OK || strcmp(text_of(answer, "result"), result) != 0)
        fail_msg("%s instead of %s: %s", text_of(answer, "result"), result, text_of(answer, "reason"));
    json_decref(answer);
}

static void test_bundle(void **state)
{
    struct fleet_terminal *t = the(state);
    struct fleet_statement *s = report(t);
    uint32_t code = 0;
    json_t *answer;

    assert_int_equal(s->report.policy.source, FLEET_SOURCE_LAST_GOOD);
    assert_false(s->report.has_outcome);
    assert_true(s->report.membership == 3);
    fleet_statement_free(s);
    brought(t, fleet_bundle(t, 5, 2, "scope: {groups: [kazei]}\n"), "applied");
    brought(t, fleet_bundle(t, 5, 2, "scope: {groups: [kazei]}\n"), "known");
    brought(t, fleet_bundle(t, 4, 1, NULL), "older"); /* and no failure */
    s = report(t);
    assert_int_equal(s->report.policy.source, FLEET_SOURCE_SIGNED);
    assert_true(s->report.policy.version == 2 && s->report.head.version == 5);
    assert_int_equal(s->report.outcome.status, FLEET_STATUS_APPLIED);
    fleet_statement_free(s);
    /* Of another group of terminals. */
    answer = bring(t, fleet_bundle(t, 6, 3, "scope: {groups: [juki]}\n"), &code);
    assert_int_equal(code, CTL_CODE_FAILED);
    assert_string_equal(text_of(answer, "reason"), "scope");
    json_decref(answer);
    s = report(t);
    assert_true(s->report.policy.version == 2);
    assert_int_equal(s->report.outcome.status, FLEET_STATUS_FAILED);
    assert_string_equal(s->report.outcome.reason, "scope");
    fleet_statement_free(s);
    recorded(t, "policy-applied", true);
    recorded(t, "policy-refused", true);
    /* Pieces that do not follow each other. */
    {
        struct buf fields;

        buf_init(&fields, 64);
        assert_int_equal(buf_add_u32(&fields, 100), 0);
        assert_int_equal(buf_add_u32(&fields, 50), 0);
        assert_int_equal(buf_add_string(&fields, "x"), 0);
        assert_int_equal(fleet_ask(t, t->courier, CTL_FLEET_BUNDLE, &fields, &answer, NULL), CTL_CODE_INVALID);
        json_decref(answer);
        buf_done(&fields);
    }
}

static const char *say(struct fleet_terminal *t, struct signed_bytes b, char ret[static 64])
{
    struct buf fields;
    json_t *answer = NULL;
    uint32_t code;

    buf_init(&fields, 64 * 1024);
    assert_int_equal(buf_add_string(&fields, (const char *)b.data), 0);
    code = fleet_ask(t, t->courier, CTL_FLEET_STATEMENT, &fields, &answer, NULL);
    (void)snprintf(ret, 64, "%s", text_of(answer, code == CTL_CODE_OK ? "result" : "reason"));
    json_decref(answer);
    buf_done(&fields);
    free(b.data);
    return ret;
}

static void test_ack(void **state)
{
    struct fleet_terminal *t = the(state);
    struct fleet_statement *s = report(t);
    struct digest hash = s->report.journal.hash;
    uint64_t sequence = s->report.journal.sequence;
    char result[64];

    fleet_statement_free(s);
    assert_string_equal(say(t, fleet_ack(t, sequence + 1000, &hash), result), "ahead");
    hash.bytes[0] ^= 1;
    assert_string_equal(say(t, fleet_ack(t, sequence, &hash), result), "fork");
    assert_int_equal(fleet_number(t, "acknowledged"), 0);
    hash.bytes[0] ^= 1;
    assert_string_equal(say(t, fleet_ack(t, sequence, &hash), result), "taken");
    assert_string_equal(say(t, fleet_ack(t, sequence, &hash), result), "known");
    assert_int_equal(fleet_number(t, "acknowledged"), sequence);
    recorded(t, "fleet-refused", true);
    fleet_end(t, SIGKILL);
    fleet_start(t);
    assert_int_equal(fleet_number(t, "acknowledged"), sequence);
}

static void test_orders(void **state)
{
    struct fleet_terminal *t = the(state);
    struct fleet_statement s = statement_usual(FLEET_ORDER);
    char result[64];

    assert_string_equal(say(t, fleet_sign(t, &s), result), "taken");
    recorded(t, "fleet-order", true);
    assert_int_equal(fleet_number(t, "membership"), 3); /* what is held is still there */
    fleet_end(t, SIGKILL);
    fleet_start(t);
    assert_string_equal(say(t, fleet_sign(t, &s), result), "known");
    s.order.kind = FLEET_ORDER_REPORT;
    s.order.id[0] ^= 1;
    assert_string_equal(say(t, fleet_sign(t, &s), result), "taken");
    s = statement_usual(FLEET_MEMBERSHIP);
    s.membership.serial = 4;
    s.membership.groups.n = 1;
    assert_string_equal(say(t, fleet_sign(t, &s), result), "taken");
    assert_int_equal(fleet_number(t, "membership"), 4);
    s.membership.serial = 3;
    assert_string_equal(say(t, fleet_sign(t, &s), result), "rollback");
    recorded(t, "fleet-membership", true);
}

/* Who watches is told of what is recorded. */
static void test_watch(void **state)
{
    struct fleet_terminal *t = the(state);
    struct ctl_client c = {-1};
    json_t *answer = NULL, *other = NULL;
    int64_t before, now = 0;
    uint32_t code = 0;

    assert_int_equal(seteuid(t->courier), 0);
    assert_int_equal(ctl_client_open(t->run, &c), 0);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(ctl_client_ask(&c, CTL_FLEET_WATCH, NULL, FLEET_DEADLINE_MS, &code, &answer), 0);
    assert_int_equal(code, CTL_CODE_OK);
    before = json_integer_value(json_object_get(answer, "sequence"));
    json_decref(answer);
    assert_int_equal(fleet_ask(t, 0, CTL_RESCAN, NULL, &other, NULL), CTL_CODE_OK);
    json_decref(other);
    for (int i = 0; i < 20 && now <= before; i++) {
        assert_int_equal(ctl_client_next(&c, FLEET_DEADLINE_MS, &code, &answer), 0);
        now = json_integer_value(json_object_get(answer, "sequence"));
        json_decref(answer);
    }
    assert_true(now > before);
    ctl_client_close(&c);
}

static int begin(void **state)
{
    char wire[NKEY_PUBLIC_SIZE];

    (void)state;
    statement_wire(STATEMENT_WIRE, wire);
    fleet_make(&terminal, wire);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fleet_done(&terminal);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_else), cmocka_unit_test(test_hello), cmocka_unit_test(test_record),
        cmocka_unit_test(test_bundle),      cmocka_unit_test(test_ack),   cmocka_unit_test(test_orders),
        cmocka_unit_test(test_watch),
    };

    if (geteuid() != 0) {
        puts("SKIP: needs root");
        return TEST_EXIT_SKIP;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
