/* policy diff as people see it, in both languages against tests/data/diff, and what it refuses to compare. */
#include "unit/cli/run.h"

#include <jansson.h>
#include <libintl.h>
#include <locale.h>
#include <time.h>
#include <unistd.h>

#include "policy/trust/write.h"

static char directory[] = "/tmp/kuraban-diff-XXXXXX";

static void set_language(const char *language)
{
    const char *build = getenv("KURABAN_BUILD");
    char catalogues[512];

    (void)snprintf(catalogues, sizeof(catalogues), "%s/locale", build ? build : "build/debug");
    assert_int_equal(setenv("LANGUAGE", language, 1), 0);
    assert_non_null(setlocale(LC_ALL, "C.UTF-8"));
    assert_non_null(bindtextdomain("kuraban", catalogues));
    assert_non_null(bind_textdomain_codeset("kuraban", "UTF-8"));
    assert_non_null(textdomain("kuraban"));
}

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 262144);

    if (!f || !text)
        fail_msg("%s cannot be read", path);
    assert_true(fread(text, 1, 262143, f) < 262143);
    assert_int_equal(fclose(f), 0);
    return text;
}

static void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* KURABAN_WRITE_GOLDEN=1 writes the file; read the difference before committing it. */
static void compare_golden(const char *name, const char *seen)
{
    char *golden;

    if (getenv("KURABAN_WRITE_GOLDEN")) {
        write_bytes(name, seen, strlen(seen));
        return;
    }
    golden = read_file(name);
    if (strcmp(golden, seen) != 0)
        fail_msg("%s differs; now:\n%s", name, seen);
    free(golden);
}

static void compare_words(const char *language, const char *golden)
{
    struct cli_run r;

    set_language(language);
    r = RUN(NULL, "/nonexistent", "policy", "diff", "before.yaml", "after.yaml");
    assert_int_equal(r.code, CLI_NO);
    assert_string_equal(r.err, "");
    compare_golden(golden, r.out);
    cli_run_done(&r);
}

static void test_english(void **state)
{
    (void)state;
    compare_words("en", "diff.en.txt");
}

static void test_japanese(void **state)
{
    (void)state;
    compare_words("ja", "diff.ja.txt");
    set_language("en");
}

static void test_json(void **state)
{
    struct cli_run r = RUN(NULL, "/nonexistent", "--json", "policy", "diff", "before.yaml", "after.yaml");
    json_t *answer = json_loads(r.out, 0, NULL), *changes = json_object_get(answer, "changes"), *change;
    json_int_t n[4] = {0};
    size_t i;

    (void)state;
    assert_int_equal(r.code, CLI_NO);
    assert_true(json_is_false(json_object_get(answer, "same")));
    assert_true(json_is_true(json_object_get(answer, "complete")));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(answer, "after"), "version")), 43);
    json_array_foreach(changes, i, change)
    {
        static const char *const effects[] = {"wider", "other", "narrower", "none"};

        for (size_t e = 0; e < 4; e++)
            n[e] += strcmp(json_string_value(json_object_get(change, "effect")), effects[e]) == 0;
        /* All of them, also where the text ends with "… and 4 more". */
        if (strcmp(json_string_value(json_object_get(change, "kind")), "permitted") == 0 &&
            strcmp(json_string_value(json_object_get(change, "area")), "usb") == 0 &&
            json_array_size(json_object_get(change, "devices")) > 1)
            assert_int_equal(json_array_size(json_object_get(change, "devices")), 14);
    }
    assert_int_equal(n[0], json_integer_value(json_object_get(answer, "wider")));
    assert_int_equal(n[1], json_integer_value(json_object_get(answer, "other")));
    assert_int_equal(n[2], json_integer_value(json_object_get(answer, "narrower")));
    assert_int_equal(n[3], json_integer_value(json_object_get(answer, "none")));
    assert_true(n[0] > 0 && n[2] > 0 && n[3] > 0);
    json_decref(answer);
    cli_run_done(&r);
}

static void test_same(void **state)
{
    struct cli_run r = RUN(NULL, "/nonexistent", "policy", "diff", "before.yaml", "before.yaml");

    (void)state;
    assert_int_equal(r.code, CLI_OK);
    assert_non_null(strstr(r.out, "Nothing changes"));
    cli_run_done(&r);
}

/* An envelope is compared by the document in it, signed or not: diff says that it did not look. */
static void test_signed(void **state)
{
    char *text = read_file("after.yaml"), path[64];
    struct trust_envelope *e = NULL;
    uint8_t *bytes = NULL;
    size_t size = 0;
    struct cli_run r, plain;

    (void)state;
    assert_int_equal(trust_envelope_new(TRUST_TYPE_POLICY, (const uint8_t *)text, strlen(text), &e), 0);
    assert_int_equal(trust_envelope_write(e, &bytes, &size), 0);
    (void)snprintf(path, sizeof(path), "%s/signed", directory);
    write_bytes(path, bytes, size);
    r = RUN(NULL, "/nonexistent", "policy", "diff", "after.yaml", path);
    assert_int_equal(r.code, CLI_OK);
    assert_non_null(strstr(r.out, "Signatures were not checked"));
    cli_run_done(&r);
    r = RUN(NULL, "/nonexistent", "policy", "diff", "before.yaml", path);
    plain = RUN(NULL, "/nonexistent", "policy", "diff", "before.yaml", "after.yaml");
    assert_int_equal(r.code, CLI_NO);
    assert_non_null(strstr(r.out, "WIDER"));
    assert_null(strstr(plain.out, "Signatures"));
    cli_run_done(&plain);
    cli_run_done(&r);
    /* Cut off, it is no envelope any more. */
    write_bytes(path, bytes, size / 2);
    r = RUN(NULL, "/nonexistent", "policy", "diff", "before.yaml", path);
    assert_int_equal(r.code, CLI_FAILED);
    assert_string_equal(r.out, "");
    cli_run_done(&r);
    (void)unlink(path);
    free(bytes);
    free(text);
    (void)trust_envelope_free(e);
}

static void test_wrong_files(void **state)
{
    static const char bad[] = "format: kuraban-policy/1\nusb: 1\n";
    char path[64];
    struct cli_run r;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/bad.yaml", directory);
    write_bytes(path, bad, strlen(bad));
    r = RUN(NULL, "/nonexistent", "policy", "diff", "before.yaml", path);
    assert_int_equal(r.code, CLI_FAILED); /* 1 would say that they differ */
    assert_non_null(strstr(r.err, "bad.yaml:2:"));
    cli_run_done(&r);
    (void)unlink(path);
    r = RUN(NULL, "/nonexistent", "policy", "diff", "before.yaml", path);
    assert_int_equal(r.code, CLI_FAILED);
    cli_run_done(&r);
    r = RUN(NULL, "/nonexistent", "policy", "diff", "before.yaml");
    assert_int_equal(r.code, CLI_USAGE);
    cli_run_done(&r);
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(directory) && chdir(KURABAN_TEST_DATA "/diff") == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_english), cmocka_unit_test(test_japanese), cmocka_unit_test(test_json),
        cmocka_unit_test(test_same),    cmocka_unit_test(test_signed),   cmocka_unit_test(test_wrong_files),
    };

    if (setenv("TZ", "Asia/Tokyo", 1) < 0)
        return 1;
    tzset();
    set_language("en");
    return cmocka_run_group_tests(tests, setup, teardown);
}
