/* The verbs of audit on a journal written by the real writer. */
#include "audit/segment.h"
#include "unit/audit/journal_fixture.h"
#include "unit/cli/run.h"

#include <jansson.h>
#include <locale.h>
#include <time.h>

static char config_path[160], copy_path[160];

static int setup(void **state)
{
    struct fixture *f;
    struct audit_event e;
    FILE *out;

    if (fixture_setup(state) != 0)
        return -1;
    f = *state;
    fixture_open(f);
    fixture_add(f, 3); /* refusals of uid 1000 */
    fixture_event(f, &e, true);
    e.uid = 2000;
    audit_set(e.path, sizeof(e.path), "=cmd|' /C calc'!A1\033[2J\"");
    audit_set(e.program, sizeof(e.program), "＝1+1");
    assert_int_equal(journal_append(f->journal, &e), JOURNAL_OK);
    fixture_close(f);
    (void)snprintf(config_path, sizeof(config_path), "%s/kuraban.yaml", f->path);
    (void)snprintf(copy_path, sizeof(copy_path), "%s/export.csv", f->path);
    out = fopen(config_path, "w");
    assert_non_null(out);
    assert_true(fprintf(out, "format: kuraban-config/1\nstate-directory: %s\n", f->path) > 0);
    return fclose(out);
}

static size_t count_lines(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void test_verify(void **state)
{
    struct cli_run r = RUN(config_path, "/nonexistent", "audit", "verify", "--json");
    json_t *answer = json_loads(r.out, 0, NULL);

    (void)state;
    assert_int_equal(r.code, CLI_OK);
    assert_true(json_is_true(json_object_get(answer, "ok")));
    assert_true(json_integer_value(json_object_get(answer, "records")) >= 4);
    assert_true(json_is_null(json_object_get(answer, "first_bad")));
    json_decref(answer);
    cli_run_done(&r);
}

static void test_verify_finds_an_edit(void **state)
{
    struct fixture *f = *state;
    struct cli_run r;
    char command[512];
    json_t *answer;

    (void)snprintf(command, sizeof(command), "sed -i '4s/cp/cq/' %s/journal/journal-*.ndjson", f->path);
    assert_int_equal(system(command), 0);
    r = RUN(config_path, "/nonexistent", "--json", "audit", "verify");
    assert_int_equal(r.code, CLI_NO);
    answer = json_loads(r.out, 0, NULL);
    assert_true(json_is_false(json_object_get(answer, "ok")));
    assert_int_equal(json_integer_value(json_object_get(answer, "first_bad")), 4);
    assert_string_equal(json_string_value(json_object_get(answer, "flaw")), "edited");
    json_decref(answer);
    cli_run_done(&r);
    r = RUN(config_path, "/nonexistent", "audit", "verify");
    assert_int_equal(r.code, CLI_NO);
    assert_non_null(strstr(r.out, ".ndjson:4: "));
    cli_run_done(&r);
}

/* A journal that does not reach what is known from elsewhere was cut or put back. */
static void test_verify_known(void **state)
{
    struct cli_run r = RUN(config_path, "/nonexistent", "audit", "verify", "--known", "1000");

    (void)state;
    assert_int_equal(r.code, CLI_NO);
    cli_run_done(&r);
    r = RUN(config_path, "/nonexistent", "audit", "verify", "--known", "5");
    assert_int_equal(r.code, CLI_OK);
    cli_run_done(&r);
}

static void test_show_filters(void **state)
{
    static const struct {
        const char *option, *value;
        size_t lines;
    } filters[] = {
        {"--user", "1000", 3},        {"--user", "2000", 1},        {"--verdict", "allow", 1},
        {"--verdict", "deny", 3},     {"--action", "file-open", 4}, {"--action", "device-decided", 0},
        {"--rule", "juki", 4},        {"--rule", "other", 0},       {"--tail", "2", 2},
        {"--since", "2027-01-01", 0}, {"--until", "2026-01-01", 0}, {"--device", "nothing", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        struct cli_run r = RUN(config_path, "/nonexistent", "audit", "show", filters[i].option, filters[i].value);

        assert_int_equal(r.code, CLI_OK);
        if (count_lines(r.out) != filters[i].lines)
            fail_msg("%s %s: %s", filters[i].option, filters[i].value, r.out);
        cli_run_done(&r);
    }
}

static void test_show_is_safe(void **state)
{
    struct cli_run r = RUN(config_path, "/nonexistent", "audit", "show", "--user", "2000");

    (void)state;
    assert_null(strchr(r.out, '\033'));
    assert_non_null(strstr(r.out, "x1b[2J"));
    cli_run_done(&r);
}

/* Both people of an export or a grant, and what it was for. */
static void test_show_names_who_approved(void **state)
{
    struct fixture *f = *state;
    struct audit_event e;
    json_t *export_ = json_pack("{s:s, s:[i,i]}", "reason", "課税課\033 3 地区", "approvers", 1001, 1002);
    json_t *grant = json_pack("{s:s, s:[]}", "reason", "at the counter", "approvers");
    struct cli_run r;

    fixture_open(f);
    fixture_event(f, &e, true);
    e.action = AUDIT_EXPORT_FINISHED;
    assert_int_equal(journal_append_with(f->journal, &e, "export", export_), JOURNAL_OK);
    e.action = AUDIT_GRANT_GIVEN;
    audit_set(e.message, sizeof(e.message), "given; at the counter");
    assert_int_equal(journal_append_with(f->journal, &e, "grant", grant), JOURNAL_OK);
    fixture_close(f);
    r = RUN(config_path, "/nonexistent", "audit", "show", "--action", "export-finished");
    if (!strstr(r.out, "  uid=1000  approved by uid=1001,uid=1002  reason=課税課\\x1b 3 地区  "))
        fail_msg("%s", r.out);
    cli_run_done(&r);
    r = RUN(config_path, "/nonexistent", "audit", "show", "--action", "grant-given");
    if (!strstr(r.out, "  uid=1000  ") || !strstr(r.out, "(given; at the counter)") || strstr(r.out, "reason="))
        fail_msg("%s", r.out);
    cli_run_done(&r);
    json_decref(export_);
    json_decref(grant);
}

/* The journal goes on in a file that is none: what is before it is shown, and that there is more is said. */
static void test_show_names_what_is_no_file(void **state)
{
    struct fixture *f = *state;
    char path[200], name[SEGMENT_NAME_SIZE];
    struct cli_run r;

    segment_name(99, name);
    (void)snprintf(path, sizeof(path), "%s/journal/%s", f->path, name);
    assert_int_equal(mkfifo(path, 0600), 0);
    r = RUN(config_path, "/nonexistent", "audit", "show");
    assert_int_equal(r.code, CLI_FAILED);
    assert_true(count_lines(r.out) >= 4);
    assert_non_null(strstr(r.err, name));
    assert_non_null(strstr(r.err, "no regular file"));
    cli_run_done(&r);
    r = RUN(config_path, "/nonexistent", "audit", "export", "--format", "ndjson");
    assert_int_equal(r.code, CLI_FAILED);
    cli_run_done(&r);
    r = RUN(config_path, "/nonexistent", "audit", "verify");
    assert_int_equal(r.code, CLI_NO);
    cli_run_done(&r);
    assert_int_equal(unlink(path), 0);
}

static void test_export_csv(void **state)
{
    struct cli_run r = RUN(config_path, "/nonexistent", "audit", "export", "--format", "csv", "--user", "2000");

    (void)state;
    assert_int_equal(r.code, CLI_OK);
    assert_int_equal(count_lines(r.out), 2);
    assert_int_equal(strncmp(r.out, "sequence,time,action,", 21), 0);
    /* No formula, quotes doubled. */
    assert_non_null(strstr(r.out, ",\"'=cmd|"));
    assert_non_null(strstr(r.out, "\"'＝1+1\"")); /* full-width, as a Japanese spreadsheet takes it */
    assert_non_null(strstr(r.out, "\"\"\","));
    cli_run_done(&r);
}

static void test_export_ndjson_is_the_journal(void **state)
{
    struct fixture *f = *state;
    struct cli_run r = RUN(config_path, "/nonexistent", "audit", "export", "--format", "ndjson");
    size_t size;
    char *segment = fixture_load(f, "journal-00000000000000000001.ndjson", &size);

    assert_int_equal(r.code, CLI_OK);
    assert_int_equal(strlen(r.out), size);
    assert_memory_equal(r.out, segment, size);
    free(segment);
    cli_run_done(&r);
}

static void test_export_never_overwrites(void **state)
{
    struct cli_run r = RUN(config_path, "/nonexistent", "audit", "export", "--format", "csv", "--output", copy_path);
    struct stat st;

    (void)state;
    assert_int_equal(r.code, CLI_OK);
    assert_string_equal(r.out, "");
    cli_run_done(&r);
    assert_int_equal(stat(copy_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_true(st.st_size > 100);
    r = RUN(config_path, "/nonexistent", "audit", "export", "--format", "csv", "--output", copy_path);
    assert_int_equal(r.code, CLI_FAILED);
    cli_run_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_verify, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_verify_finds_an_edit, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_verify_known, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_show_filters, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_show_is_safe, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_show_names_who_approved, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_show_names_what_is_no_file, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_export_csv, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_export_ndjson_is_the_journal, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_export_never_overwrites, setup, fixture_teardown),
    };

    if (!setlocale(LC_ALL, "C.UTF-8"))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
