/* What becomes a notification, what replaces one, what waits: by a clock of the test's own. */
#include "test.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "notify/board.h"
#include "notify/note.h"

enum {
    SHOWN_MAX = 64,
    OURS = 1000,
};
#define SECOND UINT64_C(1000000)

struct screen {
    struct shown {
        unsigned place;
        bool fresh, closed;
        char summary[160], body[1024];
    } shown[SHOWN_MAX];
    size_t n;
    struct board *board;
    uint64_t now;
};

static void on_show(void *context, unsigned place, const struct note *note, int fresh)
{
    struct screen *s = context;
    struct shown *shown = &s->shown[s->n++];

    assert_true(s->n < SHOWN_MAX);
    assert_true(place < BOARD_PLACES);
    *shown = (struct shown){.place = place, .fresh = fresh != 0};
    (void)snprintf(shown->summary, sizeof(shown->summary), "%s", note->summary);
    (void)snprintf(shown->body, sizeof(shown->body), "%s", note->body);
}

static void on_close(void *context, unsigned place)
{
    struct screen *s = context;

    assert_true(s->n + 1 < SHOWN_MAX);
    s->shown[s->n++] = (struct shown){.place = place, .closed = true};
}

static int setup(void **state)
{
    static struct screen s;
    const struct board_ops ops = {.show = on_show, .close = on_close, .context = &s};

    s = (struct screen){.now = 1000 * SECOND};
    *state = &s;
    return board_new(&ops, OURS, &s.board);
}

static int teardown(void **state)
{
    struct screen *s = *state;

    return board_free(s->board) ? -1 : 0;
}

static void take(struct screen *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void take(struct screen *s, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list arguments;
    json_t *notice;

    va_start(arguments, format);
    assert_true(vasprintf(&text, format, arguments) >= 0);
    va_end(arguments);
    notice = json_loads(text, 0, NULL);
    if (!notice)
        fail_msg("no JSON: %s", text);
    board_take(s->board, notice, s->now);
    json_decref(notice);
}

static void go_on(struct screen *s, uint64_t until)
{
    uint64_t next;

    while ((next = board_next_us(s->board)) <= until) {
        s->now = next > s->now ? next : s->now;
        board_tick(s->board, s->now);
    }
    s->now = until;
    board_tick(s->board, s->now);
}

#define GRANT(begin, seconds, soon)                                                                                    \
    "{\"id\":3,\"uid\":1000,\"device\":\"1f0c@1-2\",\"name\":\"Ultra Fit\",\"rule\":\"stick\",\"begin\":\"" begin      \
    "\",\"until\":\"2026-11-23T05:32:00Z\",\"seconds\":" seconds ",\"ends_soon\":" soon "}"
#define REFUSED(action, reason, path)                                                                                  \
    "{\"notice\":\"refused\",\"refusal\":{\"action\":\"" action "\",\"reason\":\"" reason                              \
    "\",\"rule\":\"juki\",\"policy\":{\"name\":\"p\",\"version\":42},\"program\":\"/usr/bin/find\",\"path\":\"" path   \
    "\",\"device\":null,\"count\":1}}"
#define DEVICE(id, serial, reason)                                                                                     \
    "{\"notice\":\"refused\",\"refusal\":{\"action\":\"device-decided\",\"reason\":\"" reason                          \
    "\",\"rule\":\"stick\",\"policy\":{\"name\":\"p\",\"version\":42},\"device\":{\"id\":\"" id                        \
    "\",\"name\":\"Ultra Fit\",\"serial\":\"" serial "\",\"node\":\"\"},\"count\":1}}"

static void test_unlocking(void **state)
{
    struct screen *s = *state;
    uint64_t given = s->now;

    take(s, "{\"notice\":\"begin\",\"grants\":[]}");
    assert_int_equal(s->n, 0);
    take(s, "{\"notice\":\"grant-given\",\"grant\":" GRANT("a", "300", "false") "}");
    assert_int_equal(s->n, 1);
    assert_true(s->shown[0].fresh);
    assert_non_null(strstr(s->shown[0].summary, "Unlocked until "));
    assert_non_null(strstr(s->shown[0].body, "Ultra Fit"));
    assert_non_null(strstr(s->shown[0].body, "1-2"));

    /* One notification counts down. */
    s->now = given + 180 * SECOND;
    take(s, "{\"notice\":\"grant-ends-soon\",\"grant\":" GRANT("a", "120", "true") "}");
    assert_int_equal(s->n, 2);
    assert_string_equal(s->shown[1].summary, "It is locked again in 2 minutes");
    go_on(s, given + 239 * SECOND);
    assert_int_equal(s->n, 2);
    go_on(s, given + 299 * SECOND);
    assert_int_equal(s->n, 3);
    assert_string_equal(s->shown[2].summary, "It is locked again in 1 minute");
    assert_true(board_next_us(s->board) == UINT64_MAX);
    take(s, "{\"notice\":\"grant-ended\",\"grant\":" GRANT("a", "0", "true") ",\"ended\":\"expired\",\"by\":null}");
    assert_int_equal(s->n, 4);
    assert_string_equal(s->shown[3].summary, "It is locked again");
    assert_non_null(strstr(s->shown[3].body, "The time is over"));
    for (size_t i = 1; i < s->n; i++) {
        assert_int_equal(s->shown[i].place, s->shown[0].place);
        assert_false(s->shown[i].fresh);
    }
}

static const char *ended_words(struct screen *s, const char *why, const char *by)
{
    take(s, "{\"notice\":\"grant-given\",\"grant\":" GRANT("a", "300", "false") "}");
    take(s, "{\"notice\":\"grant-ended\",\"grant\":" GRANT("a", "200", "false") ",\"ended\":\"%s\",\"by\":%s}", why,
         by);
    return s->shown[s->n - 1].body;
}

static void test_why_it_ended(void **state)
{
    struct screen *s = *state;

    assert_non_null(strstr(ended_words(s, "given-back", "1000"), "You have locked it again."));
    assert_non_null(strstr(ended_words(s, "given-back", "0"), "An administrator"));
    assert_non_null(strstr(ended_words(s, "device", "null"), "unplugged"));
    assert_non_null(strstr(ended_words(s, "policy", "null"), "policy has changed"));
    assert_non_null(strstr(ended_words(s, "person", "null"), "not permitted to you"));
    assert_non_null(strstr(ended_words(s, "stopped", "null"), "started anew"));
    assert_non_null(strstr(ended_words(s, "of a newer version", "null"), "has ended"));
}

static void test_renewed_is_one(void **state)
{
    struct screen *s = *state;

    take(s, "{\"notice\":\"grant-given\",\"grant\":" GRANT("a", "300", "false") "}");
    take(s, "{\"notice\":\"grant-ended\",\"grant\":" GRANT("a", "200", "false") ",\"ended\":\"renewed\",\"by\":null}");
    assert_int_equal(s->n, 1);
    take(s, "{\"notice\":\"grant-given\",\"grant\":" GRANT("b", "900", "false") "}");
    assert_int_equal(s->n, 2);
    assert_false(s->shown[1].fresh);
    /* What is told late of the first says nothing of the second; nor what was never held. */
    take(s, "{\"notice\":\"grant-ended\",\"grant\":" GRANT("a", "0", "false") ",\"ended\":\"expired\",\"by\":null}");
    take(s, "{\"notice\":\"grant-ended\",\"grant\":{\"device\":\"other\"},\"ended\":\"expired\",\"by\":null}");
    assert_int_equal(s->n, 2);
}

/* kuraband was started anew: what it does not know of has ended; what it knows of goes on without a word. */
static void test_connected_again(void **state)
{
    struct screen *s = *state;

    take(s, "{\"notice\":\"begin\",\"grants\":[" GRANT("a", "300", "false") "]}");
    assert_int_equal(s->n, 0);
    take(s, "{\"notice\":\"begin\",\"grants\":[" GRANT("a", "290", "false") "]}");
    assert_int_equal(s->n, 0);
    take(s, "{\"notice\":\"begin\",\"grants\":[]}");
    assert_int_equal(s->n, 1);
    assert_non_null(strstr(s->shown[0].body, "started anew"));
    take(s, "{\"notice\":\"begin\",\"grants\":[]}");
    assert_int_equal(s->n, 1);
    /* And what ends soon is told to who comes late. */
    take(s, "{\"notice\":\"begin\",\"grants\":[" GRANT("b", "70", "true") "]}");
    assert_int_equal(s->n, 2);
    assert_string_equal(s->shown[1].summary, "It is locked again in 2 minutes");
}

static void test_more_than_one_may_hold(void **state)
{
    struct screen *s = *state;

    for (int i = 0; i < 3 * BOARD_GRANTS; i++)
        take(s,
             "{\"notice\":\"grant-given\",\"grant\":{\"device\":\"d%d\",\"begin\":\"a\",\"rule\":\"r\",\"seconds\":300,"
             "\"until\":\"2026-11-23T05:32:00Z\",\"ends_soon\":false}}",
             i);
    assert_int_equal(s->n, BOARD_GRANTS);
}

/* --- refusals --- */

static void test_a_thousand_refusals(void **state)
{
    struct screen *s = *state;
    uint64_t begin = s->now;

    for (int i = 0; i < 1000; i++) {
        take(s, REFUSED("file-open", "program", "/srv/juki/%d"), i);
        go_on(s, begin + (uint64_t)i * SECOND / 50); /* 20 s */
    }
    go_on(s, begin + 90 * SECOND);
    assert_true(s->n >= 2 && s->n <= 4);
    assert_true(s->shown[0].fresh);
    assert_non_null(strstr(s->shown[0].body, "Opening /srv/juki/0 with /usr/bin/find was refused."));
    assert_non_null(strstr(s->shown[0].body, "[rule juki, policy p version 42]"));
    assert_non_null(strstr(s->shown[s->n - 1].body, "/srv/juki/999 "));
    assert_non_null(strstr(s->shown[s->n - 1].body, "1000 refusals like this one"));
    for (size_t i = 1; i < s->n; i++) {
        assert_int_equal(s->shown[i].place, s->shown[0].place);
        assert_false(s->shown[i].fresh);
    }
}

/* kuraband counts the rest of a burst together, without their names. */
static void test_nameless_ones_are_counted(void **state)
{
    struct screen *s = *state;

    take(s, REFUSED("file-open", "program", "/srv/juki/a"));
    take(s,
         "{\"notice\":\"refused\",\"refusal\":{\"action\":\"file-open\",\"reason\":\"program\",\"rule\":\"juki\","
         "\"policy\":{\"name\":\"p\",\"version\":42},\"program\":\"\",\"path\":\"\",\"device\":null,\"count\":296}}");
    go_on(s, s->now + 10 * SECOND);
    assert_int_equal(s->n, 2);
    assert_non_null(strstr(s->shown[1].body, "Opening /srv/juki/a with"));
    assert_non_null(strstr(s->shown[1].body, "297 refusals like this one"));
}

/* A program in the background that tries each second, for an hour. */
static void test_changes_get_rare(void **state)
{
    struct screen *s = *state;
    uint64_t begin = s->now;

    for (uint64_t i = 0; i < 3600; i++) {
        take(s, REFUSED("file-open", "program", "/srv/juki/same"));
        go_on(s, begin + i * SECOND);
    }
    assert_true(s->n >= 10 && s->n <= 18);
    assert_non_null(strstr(s->shown[s->n - 1].body, "times)"));
    assert_null(strstr(s->shown[s->n - 1].body, "like this one"));
    /* Quiet for a while: another try is new. */
    go_on(s, s->now + 1200 * SECOND);
    s->n = 0;
    take(s, REFUSED("file-open", "program", "/srv/juki/same"));
    assert_int_equal(s->n, 1);
    assert_true(s->shown[0].fresh);
    assert_null(strstr(s->shown[0].body, "times)"));
}

static void test_many_kinds_at_once(void **state)
{
    struct screen *s = *state;
    uint64_t begin = s->now;

    for (int i = 0; i < 500; i++) {
        take(
            s,
            "{\"notice\":\"refused\",\"refusal\":{\"action\":\"device-decided\",\"reason\":\"default\",\"rule\":\"default\","
            "\"policy\":{\"name\":\"p\",\"version\":1},\"device\":{\"id\":\"%d\",\"name\":\"x\",\"serial\":\"%d\"},\"count\":1}}",
            i, i);
        go_on(s, begin + (uint64_t)i * SECOND / 50);
    }
    assert_true(s->n <= 12);
}

static void test_monitor_mode_is_quiet(void **state)
{
    struct screen *s = *state;

    take(
        s,
        "{\"notice\":\"refused\",\"refusal\":{\"action\":\"file-open\",\"reason\":\"program\",\"would_refuse\":true}}");
    assert_int_equal(s->n, 0);
}

static void test_device(void **state)
{
    struct screen *s = *state;

    take(s, DEVICE("1f0c@1-2", "4C53", "default"));
    assert_int_equal(s->n, 1);
    assert_string_equal(s->shown[0].summary, "A device was refused");
    assert_non_null(strstr(s->shown[0].body, "The device “Ultra Fit” (serial number 4C53) was refused."));
    /* It leaves: nothing is to be said of it any more, once. */
    take(s, "{\"notice\":\"device-left\",\"device\":\"1f0c@1-2\"}");
    take(s, "{\"notice\":\"device-left\",\"device\":\"1f0c@1-2\"}");
    assert_int_equal(s->n, 2);
    assert_true(s->shown[1].closed);
    assert_int_equal(s->shown[1].place, s->shown[0].place);
    /* A bad contact: it comes and goes, and is told more and more rarely. */
    s->n = 0;
    for (int i = 0; i < 60; i++) {
        take(s, DEVICE("1f0c@1-2", "4C53", "default"));
        go_on(s, s->now + SECOND / 2);
        take(s, "{\"notice\":\"device-left\",\"device\":\"1f0c@1-2\"}");
        go_on(s, s->now + SECOND / 2);
    }
    assert_true(s->n <= 8);
}

static void test_locked_device(void **state)
{
    struct screen *s = *state;

    take(s, DEVICE("1f0c@1-2", "4C53", "locked"));
    assert_non_null(strstr(s->shown[0].body, "kuraban unlock DEVICE"));
    /* Opened: the refusal goes. */
    take(s, "{\"notice\":\"grant-given\",\"grant\":" GRANT("a", "300", "false") "}");
    assert_int_equal(s->n, 3);
    assert_true(s->shown[1].closed);
    /* Ended: that it is refused again was said by that. */
    take(s, "{\"notice\":\"grant-ended\",\"grant\":" GRANT("a", "0", "true") ",\"ended\":\"expired\",\"by\":null}");
    take(s, DEVICE("1f0c@1-2", "4C53", "locked"));
    assert_int_equal(s->n, 4);
    s->now += 60 * SECOND;
    take(s, DEVICE("1f0c@1-2", "4C53", "locked"));
    assert_int_equal(s->n, 5);
}

/* Each 2 s kuraband looks at media: it may find one locked before it has told that its time is over. */
static void test_locked_a_moment_too_early(void **state)
{
    struct screen *s = *state;

    take(s, "{\"notice\":\"grant-given\",\"grant\":" GRANT("a", "8", "true") "}");
    s->now += 8 * SECOND;
    take(s, DEVICE("1f0c@1-2", "4C53", "locked"));
    assert_int_equal(s->shown[s->n - 1].place, s->shown[0].place);
    take(s, "{\"notice\":\"grant-ended\",\"grant\":" GRANT("a", "0", "true") ",\"ended\":\"expired\",\"by\":null}");
    assert_string_equal(s->shown[s->n - 1].summary, "It is locked again");
    for (size_t i = 0; i < s->n; i++)
        assert_int_equal(s->shown[i].place, s->shown[0].place);
}

static void test_what_is_no_notice(void **state)
{
    static const char *const no[] = {"{}",
                                     "[]",
                                     "null",
                                     "{\"notice\":\"grant-given\"}",
                                     "{\"notice\":7}",
                                     "{\"notice\":\"refused\"}",
                                     "{\"notice\":\"begin\",\"grants\":{}}",
                                     "{\"notice\":\"grant-ended\"}",
                                     "{\"notice\":\"of a newer version\"}"};
    struct screen *s = *state;

    for (size_t i = 0; i < ELEMENTS(no); i++) {
        json_t *notice = json_loads(no[i], JSON_DECODE_ANY, NULL);

        board_take(s->board, notice, s->now);
        json_decref(notice);
        board_tick(s->board, s->now + SECOND);
    }
    assert_int_equal(s->n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unlocking, setup, teardown),
        cmocka_unit_test_setup_teardown(test_why_it_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renewed_is_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connected_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_than_one_may_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_thousand_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nameless_ones_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes_get_rare, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_kinds_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_monitor_mode_is_quiet, setup, teardown),
        cmocka_unit_test_setup_teardown(test_device, setup, teardown),
        cmocka_unit_test_setup_teardown(test_locked_device, setup, teardown),
        cmocka_unit_test_setup_teardown(test_locked_a_moment_too_early, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_notice, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
