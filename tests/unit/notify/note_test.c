/* Names that others chose, on their way to a screen. */
#include "test.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "notify/note.h"

enum {
    BODY_MAX = 1024 /* whatever the names are */
};

static void test_markup_is_escaped(void **state)
{
    _cleanup_free_ char *plain = note_escape("課税課 3 地区\n→"), *markup = note_escape("<a href=\"x\">'&amp;</a>");

    (void)state;
    assert_string_equal(plain, "課税課 3 地区\n→");
    assert_string_equal(markup, "&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;&lt;/a&gt;");
}

static struct note refused(const char *action, const char *path, const char *program, const char *device)
{
    struct note n = {0};
    json_t *refusal =
        json_pack("{s:s, s:s, s:s, s:{s:s, s:i}, s:s, s:s, s:{s:s, s:s, s:s, s:s}}", "action", action, "reason",
                  "default", "rule", "<b>rule</b>", "policy", "name", "p", "version", 1, "path", path, "program",
                  program, "device", "id", device, "name", device, "serial", device, "node", device);

    assert_non_null(refusal);
    assert_int_equal(note_refused(refusal, 1, false, &n), 0);
    json_decref(refusal);
    return n;
}

/* Every line of a body is ours: who names a file writes no line of it. */
static void check(struct note *n, size_t lines)
{
    size_t found = 1;

    for (const char *c = n->body; *c; c++)
        found += *c == '\n';
    if (found != lines)
        fail_msg("%zu lines: %s", found, n->body);
    assert_true(strlen(n->body) < BODY_MAX);
    for (char *line = strtok(n->body, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(text_is_printable_utf8(line));
    assert_true(text_is_printable_utf8(n->summary));
    assert_null(strpbrk(n->summary, "<>&"));
    note_done(n);
}

static void test_hostile_names(void **state)
{
    static const char *const actions[] = {"file-open", "device-decided", "medium-decided", "mount-decided"};
    static const char *const names[] = {"a\nkuraban: all is well\n",
                                        "\x1b[2J\x1b]0;x\x07",
                                        "\xe2\x80\xaegpj.exe",
                                        "<img src=x>&",
                                        "",
                                        "\\x0a",
                                        "%s%n%d"};
    char longest[4096];

    (void)state;
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    for (size_t i = 0; i < ELEMENTS(actions); i++) {
        struct note n = refused(actions[i], longest, longest, longest);

        check(&n, 3);
        for (size_t k = 0; k < ELEMENTS(names); k++) {
            n = refused(actions[i], names[k], names[k], names[k]);
            assert_null(strstr(n.body, "\nkuraban:"));
            check(&n, 3);
        }
    }
}

/* The end of a path says more than its middle, and no character is cut in two. */
static void test_long_names_are_cut_in_the_middle(void **state)
{
    char path[2048] = "/srv/juki/";
    struct note n;

    (void)state;
    while (strlen(path) < 1500)
        (void)strcat(path, "住民台帳/");
    (void)strcat(path, "令和八年.csv");
    n = refused("file-open", path, "/usr/bin/cp", "");
    assert_non_null(strstr(n.body, "/srv/juki/"));
    assert_non_null(strstr(n.body, "…"));
    assert_non_null(strstr(n.body, "令和八年.csv with /usr/bin/cp"));
    check(&n, 3);
}

static void test_hostile_grant(void **state)
{
    json_t *grant = json_pack("{s:s, s:s, s:s, s:s}", "device", "x\n@y\n", "name", "<b>\n\x1b[0m", "rule", "r\n",
                              "until", "no time\n");
    struct note n = {0};

    (void)state;
    assert_non_null(grant);
    assert_int_equal(note_given(grant, &n), 0);
    check(&n, 2);
    assert_int_equal(note_ends_soon(grant, 2, &n), 0);
    check(&n, 2);
    assert_int_equal(note_ended(grant, "x\n", false, &n), 0);
    check(&n, 2);
    json_decref(grant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_markup_is_escaped),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_long_names_are_cut_in_the_middle),
        cmocka_unit_test(test_hostile_grant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
