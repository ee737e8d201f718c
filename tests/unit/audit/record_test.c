#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "audit/record.h"
#include "base/cleanup.h"
#include "base/files.h"

static void fill(char *field, size_t size, char c)
{
    memset(field, c, size - 1);
    field[size - 1] = 0;
}

#define SET(field, value) audit_set(field, sizeof(field), value)

/* Everything an event can say. */
static struct audit_event full_event(void)
{
    struct audit_event e;

    memset(&e, 0, sizeof(e));
    e.action = AUDIT_FILE_OPEN;
    e.wall_us = 1795395723000004;
    e.boottime_us = 123456789;
    e.has_verdict = true;
    e.would_refuse = true;
    e.alarm = true;
    SET(e.reason, "program");
    SET(e.rule, "juki");
    SET(e.policy_name, "課税課 標準");
    e.policy_version = 42;
    e.pid = 4321;
    e.start_time = 998877;
    e.has_uid = e.has_login_uid = true;
    e.uid = 1000;
    e.login_uid = 1001;
    e.session = 3;
    SET(e.program, "/usr/bin/cp");
    e.program_device = 65025;
    e.program_inode = 1234567;
    SET(e.device_id, "usb:0781:5583:4C530001");
    SET(e.device_bus, "usb");
    SET(e.device_vendor, "0781");
    SET(e.device_product, "5583");
    SET(e.device_serial, "4C530001");
    SET(e.device_name, "Ultra Fit");
    SET(e.device_hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    SET(e.device_node, "/dev/sdb1");
    SET(e.device_port, "1-2.1");
    SET(e.path, "/srv/juki/住民\n\xff\"\\=cmd");
    SET(e.store, "juki");
    SET(e.store_class, "3A");
    e.write = e.execute = true;
    e.count = 17;
    e.first_wall_us = 1795395720000000;
    SET(e.message, "text");
    return e;
}

static struct record_link link_7(void)
{
    struct record_link link = {.seq = 7, .boot = "6d012a34-8c0b-4849-b656-6217fdcb05e0"};

    memset(&link.prev, 0xab, sizeof(link.prev));
    return link;
}

static void format(const struct audit_event *e, struct buf *line)
{
    struct record_link link = link_7();

    buf_init(line, RECORD_LINE_MAX);
    assert_int_equal(record_format(e, &link, NULL, line), 0);
    assert_true(line->size > 2);
    assert_int_equal(line->data[line->size - 1], '\n');
    assert_null(memchr(line->data, '\n', line->size - 1));
}

static void test_golden(void **state)
{
    _cleanup_close_ int dir = open(KURABAN_TEST_DATA, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_free_ uint8_t *golden = NULL;
    struct audit_event full = full_event(), least;
    struct buf line, second;
    size_t size;

    (void)state;
    memset(&least, 0, sizeof(least));
    least.action = AUDIT_DAEMON_STARTED;
    format(&full, &line);
    format(&least, &second);
    assert_int_equal(buf_add(&line, second.data, second.size), 0);
    assert_int_equal(files_read_at(dir, "journal-record.ndjson", 16384, &golden, &size), 0);
    if (size != line.size || memcmp(golden, line.data, size) != 0)
        (void)fprintf(stderr, "the shape of records has changed:\n%.*s", (int)line.size, (const char *)line.data);
    assert_int_equal(size, line.size);
    assert_memory_equal(golden, line.data, size);
    buf_done(&line);
    buf_done(&second);
}

static void test_foreign_text_stays_unambiguous(void **state)
{
    static const char *const paths[] = {"/a\n", "/a\\x0a", "/a\\n", "/a\xff", "/a\xc3\xbf", "/a\"", "/a\t", "/a "};
    struct buf lines[ELEMENTS(paths)];

    (void)state;
    for (size_t i = 0; i < ELEMENTS(paths); i++) {
        struct audit_event e = full_event();

        SET(e.path, paths[i]);
        format(&e, &lines[i]);
        for (size_t k = 0; k < i; k++)
            assert_true(lines[i].size != lines[k].size || memcmp(lines[i].data, lines[k].data, lines[i].size) != 0);
    }
    for (size_t i = 0; i < ELEMENTS(paths); i++)
        buf_done(&lines[i]);
}

static void test_largest_event_fits(void **state)
{
    struct audit_event e = full_event();
    struct buf line;

    (void)state;
    fill(e.reason, sizeof(e.reason), '\x01');
    fill(e.rule, sizeof(e.rule), '\x01');
    fill(e.policy_name, sizeof(e.policy_name), '\x01');
    fill(e.program, sizeof(e.program), '\xff');
    fill(e.path, sizeof(e.path), '\\');
    fill(e.store, sizeof(e.store), '\x01');
    fill(e.store_class, sizeof(e.store_class), '\x01');
    fill(e.message, sizeof(e.message), '\x01');
    fill(e.device_id, sizeof(e.device_id), '\x01');
    fill(e.device_serial, sizeof(e.device_serial), '\x01');
    fill(e.device_name, sizeof(e.device_name), '\x01');
    fill(e.device_hash, sizeof(e.device_hash), '\x01');
    fill(e.device_node, sizeof(e.device_node), '\x01');
    fill(e.device_port, sizeof(e.device_port), '\x01');
    e.policy_version = e.program_inode = e.program_device = e.count = UINT64_MAX;
    format(&e, &line);
    assert_true(line.size < RECORD_LINE_MAX / 2);
    buf_done(&line);
}

static void test_actions(void **state)
{
    (void)state;
    for (unsigned int i = 1; i < AUDIT_ACTION_COUNT_; i++) {
        const char *name = audit_action_name((enum audit_action)i);

        assert_string_not_equal(name, "none"); /* an action that was added to audit.h and not to record.c */
        assert_int_equal(audit_action_from_name(name), i);
    }
    assert_int_equal(audit_action_from_name("no-such"), AUDIT_NONE);
    assert_string_equal(audit_action_name((enum audit_action)9999), "none");
}

static void test_essential(void **state)
{
    struct audit_event e;

    (void)state;
    memset(&e, 0, sizeof(e));
    e.action = AUDIT_FILE_OPEN;
    assert_false(record_is_essential(&e));
    e.has_verdict = e.allowed = true;
    assert_false(record_is_essential(&e));
    e.would_refuse = true;
    assert_true(record_is_essential(&e));
    e.would_refuse = e.allowed = false;
    assert_true(record_is_essential(&e));
    e.has_verdict = false;
    e.alarm = true;
    assert_true(record_is_essential(&e));
    e.alarm = false;
    e.action = AUDIT_COMMAND;
    assert_true(record_is_essential(&e));
}

static void test_parse_is_strict(void **state)
{
    static const char *const bad[] = {"", "{", "[]", "1", "{}x", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}", "{}{}"};
    static const char *const no_place[] = {
        "{}",
        "{\"kuraban\":{\"seq\":1}}",
        "{\"kuraban\":{\"seq\":0,\"prev\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}}",
        "{\"kuraban\":{\"seq\":\"1\",\"prev\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}}",
        "{\"kuraban\":{\"seq\":1,\"prev\":\"ba\"}}",
        "{\"kuraban\":[1]}",
    };
    struct record_place place = {.seq = 5};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(bad); i++)
        assert_null(record_parse(bad[i], strlen(bad[i])));
    for (size_t i = 0; i < ELEMENTS(no_place); i++) {
        _cleanup_(json_decrefp) json_t *record = record_parse(no_place[i], strlen(no_place[i]));

        assert_non_null(record);
        assert_int_equal(record_place(record, &place), -EBADMSG);
        assert_int_equal(place.seq, 5);
    }
}

/* Two long names that differ at their ends only: folding and readers must see two. */
static void test_cut_names_stay_different(void **state)
{
    char long_name[AUDIT_PATH_MAX + 100], a[AUDIT_PATH_MAX], b[AUDIT_PATH_MAX];

    (void)state;
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = 0;
    SET(a, long_name);
    long_name[sizeof(long_name) - 2] = 'y';
    SET(b, long_name);
    assert_int_equal(strlen(a), sizeof(a) - 1);
    assert_string_not_equal(a, b);
    assert_memory_equal(a, b, sizeof(a) - 1 - 16);
}

static void test_audit_set_cuts_at_a_character(void **state)
{
    char field[12];

    (void)state;
    SET(field, "12345678901");
    assert_string_equal(field, "12345678901");
    SET(field, "123456789012");
    assert_string_equal(field, "12345678…");
    SET(field, "1234567住民票"); /* 住 would be cut in half */
    assert_string_equal(field, "1234567…");
    SET(field, NULL);
    assert_string_equal(field, "");
    audit_set(field, 2, "abc");
    assert_string_equal(field, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_foreign_text_stays_unambiguous),
        cmocka_unit_test(test_largest_event_fits),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_essential),
        cmocka_unit_test(test_parse_is_strict),
        cmocka_unit_test(test_cut_names_stay_different),
        cmocka_unit_test(test_audit_set_cuts_at_a_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
