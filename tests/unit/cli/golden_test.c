/*
 * Every verb that asks the daemon, in both languages, against tests/data/cli/<case>.<language>.txt: exit code, what it
 * prints, what it complains. KURABAN_WRITE_GOLDEN=1 writes the files; read the difference before committing it.
 */
#include "unit/cli/run.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libintl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/doctor_checks.h"
#include "cli/export_talk.h"
#include "cli/export_words.h"
#include "fake/ctl_answers.h"
#include "fake/ctl_server.h"

enum {
    ARGUMENTS_MAX = 8
};

struct golden {
    const char *name;
    const char *arguments[ARGUMENTS_MAX];
    enum cli_exit expected;
};

static const struct golden cases[] = {
    {"help", {"help"}, CLI_OK},
    {"help-why", {"help", "why"}, CLI_OK},
    {"help-policy-explain", {"policy", "explain", "--help"}, CLI_OK},
    {"status", {"status"}, CLI_OK},
    {"status-json", {"--json", "status"}, CLI_OK},
    {"devices", {"devices"}, CLI_OK},
    {"devices-json", {"devices", "--json"}, CLI_OK},
    {"why", {"why", "--count", "6"}, CLI_OK},
    {"why-one", {"why"}, CLI_OK},
    {"policy-show", {"policy", "show"}, CLI_OK},
    {"sync", {"sync"}, CLI_OK},
    {"sync-json", {"sync", "--json"}, CLI_OK},
    {"rescan", {"rescan"}, CLI_OK},
    {"reload", {"reload"}, CLI_FAILED},
    {"emergency", {"emergency", "--seconds", "60", "--reason", "keyboard broken"}, CLI_OK},
    {"emergency-no-reason", {"emergency", "--seconds", "60"}, CLI_USAGE},
    {"emergency-too-long", {"emergency", "--seconds", "86401", "--reason", "x"}, CLI_USAGE},
    {"why-count", {"why", "--count", "33"}, CLI_USAGE},
    {"why-user", {"why", "--user", "no such user"}, CLI_USAGE},
    {"no-verb", {NULL}, CLI_USAGE},
    {"unknown-verb", {"statsu"}, CLI_USAGE},
    {"unknown-words", {"policy", "chekc"}, CLI_USAGE},
    {"unknown-option", {"status", "--all"}, CLI_USAGE},
    {"option-value", {"why", "--count"}, CLI_USAGE},
    {"too-many-words", {"status", "now"}, CLI_USAGE},
    {"too-few-words", {"policy", "check"}, CLI_USAGE},
    {"explain-nothing", {"policy", "explain"}, CLI_USAGE},
    {"audit-verdict", {"audit", "show", "--verdict", "maybe"}, CLI_USAGE},
    {"audit-since", {"audit", "show", "--since", "yesterday"}, CLI_USAGE},
    {"audit-action", {"audit", "show", "--action", "file-opne"}, CLI_USAGE},
    {"audit-format", {"audit", "export"}, CLI_USAGE},
    {"help-mfa-enrol", {"help", "mfa", "enrol"}, CLI_OK},
    {"mfa-list", {"mfa", "list"}, CLI_OK},
    {"mfa-status", {"mfa", "status"}, CLI_OK},
    {"mfa-status-json", {"mfa", "status", "--json"}, CLI_OK},
    {"mfa-disable", {"mfa", "disable", "--yes", "--reason", "left", "root"}, CLI_NO},
    {"mfa-lift", {"mfa", "lift", "root"}, CLI_OK},
    {"mfa-nobody", {"mfa", "lift", "no such user"}, CLI_USAGE},
    {"mfa-reissue", {"mfa", "reissue", "root"}, CLI_OK},
    {"mfa-reissue-json", {"mfa", "reissue", "root", "--json"}, CLI_OK},
    {"mfa-enrol-digits", {"mfa", "enrol", "--digits", "9"}, CLI_USAGE},
    {"mfa-enrol-algorithm", {"mfa", "enrol", "--algorithm", "MD5"}, CLI_USAGE},
    {"mfa-import-user", {"mfa", "import", "google-authenticator", "/nonexistent"}, CLI_USAGE},
    {"mfa-lint", {"mfa", "lint", "--root", KURABAN_TEST_DATA "/bypass/rhel"}, CLI_NO},
    {"mfa-lint-sudo", {"mfa", "lint", "--root", KURABAN_TEST_DATA "/bypass/sudo"}, CLI_NO},
    {"mfa-lint-nowhere", {"mfa", "lint", "--root", "/nonexistent"}, CLI_FAILED},
    {"help-unlock", {"help", "unlock"}, CLI_OK},
    {"unlock-status", {"unlock", "--status"}, CLI_OK},
    {"unlock-status-json", {"unlock", "--status", "--json"}, CLI_OK},
    {"unlock-end", {"unlock", "--end"}, CLI_OK},
    {"unlock-end-other", {"unlock", "--end", "1-2"}, CLI_NO},
    {"unlock-why", {"unlock", "1-2"}, CLI_USAGE},
    {"unlock-for", {"unlock", "1-2", "--reason", "x", "--for", "9h"}, CLI_USAGE},
    {"unlock-line", {"unlock", "1-2", "--reason", "two\nlines"}, CLI_USAGE},
    {"unlock-nobody", {"unlock", "1-2", "--reason", "x", "--approver", "no such user"}, CLI_USAGE},
    {"unlock-watch", {"unlock", "--watch"}, CLI_USAGE},
    {"unlock-both", {"unlock", "--status", "--end"}, CLI_USAGE},
    {"unlock-no-device", {"unlock", "no-device", "--reason", "x"}, CLI_NO},
    {"unlock-ambiguous", {"unlock", "ambiguous", "--reason", "x"}, CLI_NO},
    {"unlock-not-locked", {"unlock", "not-locked", "--reason", "x"}, CLI_NO},
    {"unlock-who", {"unlock", "who", "--reason", "x"}, CLI_NOT_PERMITTED},
    {"unlock-when", {"unlock", "when", "--reason", "x"}, CLI_NOT_PERMITTED},
    {"unlock-expired", {"unlock", "expired", "--reason", "x"}, CLI_NOT_PERMITTED},
    {"unlock-away", {"unlock", "away", "--reason", "x"}, CLI_NOT_PERMITTED},
    {"unlock-approval", {"unlock", "approval", "--reason", "x"}, CLI_NO},
    {"unlock-taken", {"unlock", "taken", "--reason", "x"}, CLI_NO},
    {"unlock-many", {"unlock", "many", "--reason", "x"}, CLI_NO},
    {"unlock-journal", {"unlock", "journal", "--reason", "x"}, CLI_NO},
    {"unlock-code", {"unlock", "code", "--reason", "x", "--approver", "nobody"}, CLI_NO},
    {"unlock-json", {"unlock", "who", "--reason", "x", "--json"}, CLI_NOT_PERMITTED},
    {"unlock-unknown", {"unlock", "from the future", "--reason", "x"}, CLI_NO},
    {"unlock-self", {"unlock", "self", "--reason", "x"}, CLI_NOT_PERMITTED},
    {"unlock-open", {"unlock", "not-locked", "--reason", "x", "--json"}, CLI_NO},
    {"export-no-reason", {"export", "--to", "sdb1", "/nonexistent"}, CLI_USAGE},
    {"mfa-lint-screens", {"mfa", "lint", "--root", KURABAN_TEST_DATA "/bypass/screens"}, CLI_NO},
    {"no-config", {"--config", "/nonexistent/kuraban.yaml", "status"}, CLI_FAILED},
};

static struct fake_ctl daemon_;
static char config_path[128];

static int write_file(const char *path, const char *text, size_t size)
{
    FILE *f = fopen(path, "w");
    bool good = f && fwrite(text, 1, size, f) == size;

    return f && fclose(f) == 0 && good ? 0 : -1;
}

static int start(void **state)
{
    char text[512];

    (void)state;
    if (fake_ctl_start(&daemon_, ctl_answers, n_ctl_answers, NULL) < 0)
        return -1;
    (void)snprintf(config_path, sizeof(config_path), "%s/kuraban.yaml", daemon_.directory);
    (void)snprintf(text, sizeof(text), "format: kuraban-config/1\nrun-directory: %s\nstate-directory: %s/state\n",
                   daemon_.directory, daemon_.directory);
    return write_file(config_path, text, strlen(text));
}

static int stop(void **state)
{
    (void)state;
    (void)unlink(config_path);
    return fake_ctl_stop(&daemon_) == 0 ? 0 : -1;
}

/* Output, then "--" and complaints if any, then the exit code. */
static char *run(const struct golden *g)
{
    const char *words[ARGUMENTS_MAX + 3] = {"--config", config_path};
    struct cli_run r;
    char *all = NULL;

    for (size_t i = 0; i < ARGUMENTS_MAX && g->arguments[i]; i++)
        words[2 + i] = g->arguments[i];
    r = cli_run_words(NULL, "/nonexistent", words);
    assert_true(asprintf(&all, "%s%s%s[exit %d]\n", r.out, *r.err ? "--\n" : "", r.err, (int)r.code) > 0);
    assert_int_equal(r.code, g->expected);
    cli_run_done(&r);
    return all;
}

static char *read_golden(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 65536);

    if (!f || !text)
        fail_msg("%s cannot be read", path);
    assert_true(fread(text, 1, 65535, f) < 65535);
    assert_int_equal(fclose(f), 0);
    return text;
}

/* Takes seen. */
static void compare_text(const char *name, const char *language, char *seen)
{
    char path[512], *golden;

    (void)snprintf(path, sizeof(path), "%s/cli/%s.%s.txt", KURABAN_TEST_DATA, name, language);
    if (getenv("KURABAN_WRITE_GOLDEN")) {
        assert_int_equal(write_file(path, seen, strlen(seen)), 0);
        free(seen);
        return;
    }
    golden = read_golden(path);
    if (strcmp(golden, seen) != 0)
        fail_msg("%s differs; now:\n%s", path, seen);
    free(golden);
    free(seen);
}

static void compare(const struct golden *g, const char *language)
{
    compare_text(g->name, language, run(g));
}

static void test_english(void **state)
{
    (void)state;
    cli_run_language("en");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        compare(&cases[i], "en");
}

static void test_japanese(void **state)
{
    (void)state;
    cli_run_language("ja");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        compare(&cases[i], "ja");
}

/* What kuraband answers when only signed policies are accepted; file names in tests/data/cli/answers. */
static const char *const situations[] = {"installed", "signed", "soon", "expired", "damaged"};
static const char *const with_centre[] = {"connected", "disconnected"};
static const char *const languages[] = {"en", "ja"};

/* The unsigned file does not count, so its faults are none. */
static void expect_no_word_of_the_file(void)
{
    const char *const words[] = {"--config", config_path, "doctor", "--json", NULL};
    struct cli_run r = cli_run_words(NULL, "/nonexistent", words);

    assert_non_null(strstr(r.out, "policy.trust"));
    assert_null(strstr(r.out, "policy.readable"));
    cli_run_done(&r);
}

static void compare_status(const char *situation)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "status-%s", situation);
    assert_int_equal(stop(NULL), 0);
    ctl_answers_in(situation);
    assert_int_equal(start(NULL), 0);
    for (size_t i = 0; i < ELEMENTS(languages); i++) {
        const struct golden g = {name, {"status"}, CLI_OK};

        cli_run_language(languages[i]);
        compare(&g, languages[i]);
    }
}

/* What a person at a counter reads while a damaged trust.json permits nothing. */
static void compare_why(void)
{
    const struct golden g = {"why-damaged", {"why", "--count", "2"}, CLI_OK};

    assert_int_equal(stop(NULL), 0);
    ctl_answers_in("damaged");
    assert_int_equal(start(NULL), 0);
    for (size_t i = 0; i < ELEMENTS(languages); i++) {
        cli_run_language(languages[i]);
        compare(&g, languages[i]);
    }
}

static void test_status_of_signed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(situations); i++) {
        compare_status(situations[i]);
        expect_no_word_of_the_file();
    }
    for (size_t i = 0; i < ELEMENTS(with_centre); i++)
        compare_status(with_centre[i]);
    compare_why();
    assert_int_equal(stop(NULL), 0);
    ctl_answers_in(NULL);
    assert_int_equal(start(NULL), 0);
}

/* The text alone: the whole verb looks at this machine as well. */
static void compare_doctor(const char *situation, const char *language)
{
    char path[512], name[64], *seen = NULL;
    struct cli c = {.program = &cli_kuraban};
    size_t size = 0;
    json_t *checks;

    (void)snprintf(name, sizeof(name), "doctor-%s", situation);
    (void)snprintf(path, sizeof(path), "%s/cli/answers/%s.json", KURABAN_TEST_DATA, name);
    checks = json_load_file(path, 0, NULL);
    assert_non_null(checks);
    c.out = open_memstream(&seen, &size);
    assert_non_null(c.out);
    doctor_text(&c, checks);
    assert_int_equal(fclose(c.out), 0);
    json_decref(checks);
    compare_text(name, language, seen);
}

static void test_doctor_of_signed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(languages); i++) {
        cli_run_language(languages[i]);
        for (size_t k = 0; k < ELEMENTS(situations); k++)
            compare_doctor(situations[k], languages[i]);
    }
}

/* --- why an export does not begin, or ends --- */

static char *added(char *all, char *more)
{
    char *both = NULL;

    assert_true(asprintf(&both, "%s%s", all ? all : "", more) > 0);
    free(all);
    free(more);
    return both;
}

/* Every reason of docs/PROTOCOL.control.md, and one of the future. */
static char *not_begun(void)
{
    static const char *const reasons[] = {"no-device",  "ambiguous", "target",   "locked",   "busy",           "ledger",
                                          "filesystem", "rule",      "approval", "approver", "self",           "code",
                                          "journal",    "failed",    "killed",   "pause",    "from the future"};
    char *all = NULL;

    for (size_t i = 0; i < ELEMENTS(reasons); i++) {
        const char *const words[] = {"--config", config_path, "export", config_path, "--to",
                                     reasons[i], "--reason",  "x",      NULL};
        struct cli_run r = cli_run_words(NULL, "/nonexistent", words);
        char *one = NULL;

        assert_true(asprintf(&one, "%s: %s%s[exit %d]\n", reasons[i], r.out, r.err, (int)r.code) > 0);
        assert_int_not_equal(r.code, CLI_OK);
        cli_run_done(&r);
        all = added(all, one);
    }
    return all;
}

/* What the exporting process or kuraband ends it with (docs/EXPORT.md), and what is said of files. */
static char *ended(void)
{
    static const char *const reasons[] = {
        "list",    "stalled",    "hangs",   "changed", "no-room", "container", "filesystem", "read-only", "full",
        "large",   "name",       "differs", "removed", "medium",  "journal",   "ledger",     "policy",    "cancelled",
        "stopped", "unrecorded", "locked",  "who",     "when",    "target",    "failed"};
    char as_path[] = "plan.ods", other[] = "old.ods", last[] = "a b.csv", own[] = "unreadable", moved[] = "moved";
    char size[] = "size", rule[] = "to-court", none[] = "";
    struct export_file files[] = {{.path = as_path, .reason = own, .rule = none},
                                  {.path = other, .reason = own, .rule = none},
                                  {.path = as_path},
                                  {.path = last, .reason = size, .rule = rule},
                                  {.path = last, .reason = moved, .rule = none}};
    struct cli c = {.program = &cli_kuraban};
    char *seen = NULL;
    size_t length = 0;

    c.err = open_memstream(&seen, &length);
    assert_non_null(c.err);
    for (size_t i = 0; i < ELEMENTS(reasons); i++) {
        (void)fprintf(c.err, "%s: ", reasons[i]);
        (void)fprintf(c.err, "[exit %d]\n", (int)export_tell_end(&c, reasons[i], "said by kuraban-export", i % 5 == 2));
    }
    assert_int_equal(export_tell_files(&c, files, ELEMENTS(files)), CLI_NOT_PERMITTED);
    cli_done(&c);
    assert_int_equal(fclose(c.err), 0);
    return seen;
}

static void test_export(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(languages); i++) {
        cli_run_language(languages[i]);
        compare_text("export-not-begun", languages[i], not_begun());
        compare_text("export-ended", languages[i], ended());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_english),          cmocka_unit_test(test_japanese),
        cmocka_unit_test(test_status_of_signed), cmocka_unit_test(test_doctor_of_signed),
        cmocka_unit_test(test_export),
    };

    /* Fixed, or the times in the files would be those of whoever runs this. */
    if (setenv("TZ", "Asia/Tokyo", 1) < 0)
        return 1;
    tzset();
    return cmocka_run_group_tests(tests, start, stop);
}
