#include "unit/audit/journal_fixture.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "audit/export.h"
#include "audit/read.h"
#include "audit/record.h"
#include "audit/segment.h"
#include "base/cleanup.h"

struct seen {
    unsigned int n;
    uint64_t first, last;
    unsigned int stop_at;
};

static int look(void *context, json_t *record, const char *line, size_t size)
{
    struct seen *s = context;
    uint64_t seq = (uint64_t)json_integer_value(record_member(record, "kuraban.seq"));

    assert_true(size > 2 && line[0] == '{' && line[size - 1] == '}');
    if (s->n++ == 0)
        s->first = seq;
    s->last = seq;
    return s->n == s->stop_at ? 1 : 0;
}

static struct seen read_with(struct fixture *f, const struct journal_filter *filter)
{
    struct journal_read_result result;
    struct seen seen = {0};

    assert_int_equal(journal_read(f->dir, filter, look, &seen, &result), 0);
    assert_int_equal(result.unreadable, 0);
    return seen;
}

static void add(struct fixture *f, bool allowed, uid_t uid, const char *device, const char *rule)
{
    struct audit_event e;

    fixture_event(f, &e, allowed);
    e.uid = uid;
    audit_set(e.device_id, sizeof(e.device_id), device);
    audit_set(e.rule, sizeof(e.rule), rule);
    assert_int_equal(journal_append(f->journal, &e), JOURNAL_OK);
}

/* key 1, checkpoint 2, then 3..62: every third allowed, uid 1000 or 1001 */
static struct fixture *filled(void **state)
{
    struct fixture *f = *state;

    f->options.limits.segment_size = 64 << 10;
    fixture_open(f);
    for (unsigned int i = 0; i < 60; i++)
        add(f, i % 3 == 0, 1000 + i % 2, i < 5 ? "usb:1" : "usb:2", i == 59 ? "last" : "juki");
    assert_int_equal(fixture_commit(f), JOURNAL_OK);
    return f;
}

static void test_filters(void **state)
{
    struct fixture *f = filled(state);

    assert_int_equal(read_with(f, &(struct journal_filter){0}).n, 62);
    assert_int_equal(read_with(f, &(struct journal_filter){.verdict = JOURNAL_READ_ALLOW}).n, 20);
    assert_int_equal(read_with(f, &(struct journal_filter){.verdict = JOURNAL_READ_DENY}).n, 40);
    assert_int_equal(read_with(f, &(struct journal_filter){.verdict = JOURNAL_READ_WOULD_REFUSE}).n, 0);
    assert_int_equal(read_with(f, &(struct journal_filter){.has_uid = true, .uid = 1001}).n, 30);
    assert_int_equal(read_with(f, &(struct journal_filter){.has_uid = true, .uid = 0}).n, 0);
    assert_int_equal(read_with(f, &(struct journal_filter){.device = "usb:1"}).n, 5);
    assert_int_equal(read_with(f, &(struct journal_filter){.rule = "last"}).first, 62);
    assert_int_equal(read_with(f, &(struct journal_filter){.action = AUDIT_FILE_OPEN}).n, 60);
    assert_int_equal(read_with(f, &(struct journal_filter){.action = AUDIT_JOURNAL_KEY}).n, 1);
    assert_int_equal(read_with(f, &(struct journal_filter){.from_seq = 50}).n, 13);
    assert_int_equal(read_with(f, &(struct journal_filter){.alarms_only = true}).n, 0);
    assert_int_equal(read_with(f, &(struct journal_filter){.from_us = f->wall_us}).n, 1);
    assert_int_equal(read_with(f, &(struct journal_filter){.until_us = f->wall_us}).n, 61);
    assert_int_equal(read_with(f, &(struct journal_filter){.device = "usb:2", .verdict = JOURNAL_READ_ALLOW}).n, 18);
}

static void test_tail_and_stop(void **state)
{
    struct fixture *f = filled(state);
    struct journal_filter all = {0};
    struct seen seen;

    seen = read_with(f, &(struct journal_filter){.tail = 5});
    assert_int_equal(seen.n, 5);
    assert_int_equal(seen.first, 58);
    assert_int_equal(seen.last, 62);
    assert_int_equal(read_with(f, &(struct journal_filter){.tail = 1000}).n, 62);
    seen = read_with(f, &(struct journal_filter){.tail = 2, .verdict = JOURNAL_READ_ALLOW});
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.last, 60);
    seen = (struct seen){.stop_at = 3};
    assert_int_equal(journal_read(f->dir, &all, look, &seen, NULL), 0);
    assert_int_equal(seen.n, 3);
}

static void test_several_segments(void **state)
{
    struct fixture *f = filled(state);
    struct seen seen;

    fixture_add(f, 400);
    seen = read_with(f, &(struct journal_filter){.from_seq = 300});
    assert_int_equal(seen.first, 300);
    assert_int_equal(seen.last, journal_sequence(f->journal));
    assert_int_equal(seen.n, seen.last - 299);
}

/* Reading up to there and being silent of the rest would look like a whole journal. */
static void test_what_is_no_file_ends_the_reading(void **state)
{
    static const char *const made[] = {"directory", "link", "pipe", "socket"};
    struct fixture *f = filled(state);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[sizeof(address.sun_path)];
    uint64_t next = journal_sequence(f->journal) + 1;
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(s >= 0);
    for (size_t i = 0; i < ELEMENTS(made); i++) {
        struct journal_read_result result = {0};
        struct journal_filter all = {0};
        struct seen seen = {0};
        char name[SEGMENT_NAME_SIZE];

        segment_name(next, name);
        assert_true(snprintf(path, sizeof(path), "%s/journal/%s", f->path, name) < (int)sizeof(path));
        memcpy(address.sun_path, path, sizeof(path));
        assert_int_equal(i == 0   ? mkdir(path, 0700)
                         : i == 1 ? symlink("/dev/null", path)
                         : i == 2 ? mkfifo(path, 0600)
                                  : bind(s, (struct sockaddr *)&address, sizeof(address)),
                         0);
        if (journal_read(f->dir, &all, look, &seen, &result) != JOURNAL_READ_E_FILE)
            fail_msg("a %s reads as a segment", made[i]);
        assert_string_equal(result.segment, name);
        assert_int_equal(seen.n, next - 1); /* what stands before it is shown */
        assert_int_equal(remove(path), 0);
    }
    close(s);
}

static void test_unreadable_lines_are_counted(void **state)
{
    struct fixture *f = filled(state);
    struct journal_filter all = {0};
    struct journal_read_result result;
    struct seen seen = {0};
    size_t size;
    char *data = fixture_load(f, FIRST_SEGMENT, &size);

    data[0] = 'x';
    fixture_store(f, FIRST_SEGMENT, data, size);
    assert_int_equal(journal_read(f->dir, &all, look, &seen, &result), 0);
    assert_int_equal(result.unreadable, 1);
    assert_int_equal(seen.n, 61);
    free(data);
}

static void check_field(const char *text, const char *expected)
{
    _cleanup_free_ char *data = NULL;
    size_t size;
    FILE *out = open_memstream(&data, &size);

    assert_non_null(out);
    assert_int_equal(export_csv_field(out, text), 0);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(data, expected);
}

static void test_csv_fields(void **state)
{
    (void)state;
    check_field(NULL, "\"\"");
    check_field("plain, with comma", "\"plain, with comma\"");
    check_field("a \"quote\"", "\"a \"\"quote\"\"\"");
    check_field("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\"");
    check_field("+1", "\"'+1\"");
    check_field("-1", "\"'-1\"");
    check_field("@SUM(A1)", "\"'@SUM(A1)\"");
    check_field("\tx", "\"'\tx\"");
    check_field("＝1+1", "\"'＝1+1\"");
    check_field("a=1", "\"a=1\"");
    /* Ours are printable; those of a journal from elsewhere must not steer a terminal. */
    check_field("\033[2J\177", "\"�[2J�\"");
    check_field("a\302\2332J", "\"a�2J\"");
    check_field("列\tb", "\"列\tb\"");
}

static int to_csv(void *context, json_t *record, const char *line, size_t size)
{
    (void)line, (void)size;
    return export_csv_record(context, record);
}

static int to_ndjson(void *context, json_t *record, const char *line, size_t size)
{
    (void)record;
    return export_ndjson_line(context, line, size);
}

static void test_export(void **state)
{
    struct fixture *f = filled(state);
    struct journal_filter all = {0};
    _cleanup_free_ char *csv = NULL, *ndjson = NULL, *file = NULL;
    size_t size, file_size;
    unsigned int rows = 0;
    FILE *out = open_memstream(&csv, &size);

    assert_non_null(out);
    assert_int_equal(export_csv_header(out), 0);
    assert_int_equal(journal_read(f->dir, &all, to_csv, out, NULL), 0);
    assert_int_equal(fclose(out), 0);
    for (const char *at = strstr(csv, "\r\n"); at; at = strstr(at + 1, "\r\n"))
        rows++;
    assert_int_equal(rows, 63);
    assert_non_null(strstr(csv, "\"file-open\""));
    out = open_memstream(&ndjson, &size);
    assert_non_null(out);
    assert_int_equal(journal_read(f->dir, &all, to_ndjson, out, NULL), 0);
    assert_int_equal(fclose(out), 0);
    file = fixture_load(f, FIRST_SEGMENT, &file_size);
    assert_int_equal(size, file_size); /* byte for byte, so the chain can be checked in the export */
    assert_memory_equal(ndjson, file, size);
    out = fopen("/dev/full", "w");
    assert_non_null(out);
    assert_int_equal(setvbuf(out, NULL, _IONBF, 0), 0);
    assert_int_equal(export_csv_header(out), -EIO);
    assert_int_equal(export_ndjson_line(out, "{}", 2), -EIO);
    (void)fclose(out);
}

static void add_mark(struct fixture *f, int number)
{
    json_t *value = json_pack("{s:i}", "turn", number);
    struct audit_event e;

    fixture_event(f, &e, false);
    assert_int_equal(journal_append_with(f->journal, &e, "mfa", value), JOURNAL_OK);
    json_decref(value);
}

static int last_mark(const struct fixture *f, uint64_t maximum)
{
    json_t *record = NULL;
    int r = journal_find_last(f->dir, "mfa", maximum, &record), number = 0;

    assert_true(r == 0 || r == 1);
    if (r == 1)
        number = (int)json_integer_value(record_member(record, "kuraban.mfa.turn"));
    json_decref(record);
    return number;
}

static void test_last(void **state)
{
    struct fixture *f = filled(state);

    assert_int_equal(last_mark(f, UINT64_MAX), 0);
    add_mark(f, 7);
    add_mark(f, 8);
    assert_int_equal(fixture_commit(f), JOURNAL_OK);
    assert_int_equal(last_mark(f, UINT64_MAX), 8);
    /* A name that looks like it is none; then several segments later. */
    for (unsigned i = 0; i < 400; i++)
        add(f, false, 1000, "\"mfa\":{\"turn\":9}", "juki");
    assert_int_equal(fixture_commit(f), JOURNAL_OK);
    assert_int_equal(last_mark(f, UINT64_MAX), 8);
    assert_int_equal(last_mark(f, 1), 0);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(test_filters),
        T(test_last),
        T(test_tail_and_stop),
        T(test_several_segments),
        T(test_what_is_no_file_ends_the_reading),
        T(test_unreadable_lines_are_counted),
        cmocka_unit_test(test_csv_fields),
        T(test_export),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
