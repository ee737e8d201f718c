#pragma once

#include "unit/cli/run.h"

#include <jansson.h>

/* Tables of what policy explain is asked and what it answers, by a policy of tests/data. Nothing of it is plugged in. */

enum {
    QUESTION_OPTIONS_MAX = 12
};

struct question {
    const char *options[QUESTION_OPTIONS_MAX];
    const char *object, *verdict, *rule, *reason; /* the verdict as in a file of cases: also "would-refuse" */
    const char *condition;                        /* "key: wanted / found"; NULL: none */
    const char *demands;                          /* of taking out; NULL: none */
    const char *earlier; /* "rule key, …" of all before the one that decides; NULL: not asked */
};

/* Who asks, unless the question says otherwise: user, of the group kazei. */
static inline json_t *question_ask(const struct question *q, const char *policy, const char *user)
{
    const char *words[RUN_WORDS_MAX + 1] = {"--json", "policy", "explain", "--policy", policy};
    bool has_user = false, has_groups = false;
    size_t n = 5;
    struct cli_run r;
    json_t *answer;

    for (size_t i = 0; i < QUESTION_OPTIONS_MAX && q->options[i]; i++) {
        words[n++] = q->options[i];
        has_user = has_user || strncmp(q->options[i], "--user", 6) == 0;
        has_groups = has_groups || strncmp(q->options[i], "--groups", 8) == 0;
    }
    if (!has_user) {
        words[n++] = "--user";
        words[n++] = user;
    }
    if (!has_groups)
        words[n++] = "--groups=kazei";
    r = cli_run_words(NULL, "/nonexistent", words);
    if (r.code != CLI_OK)
        fail_msg("%s %s %s: %s", q->options[0], q->rule, q->reason, r.err);
    answer = json_loads(r.out, 0, NULL);
    assert_non_null(answer);
    cli_run_done(&r);
    return answer;
}

static inline const char *question_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "-";
}

static inline char *question_condition(const json_t *answer)
{
    char *text = NULL;

    if (json_is_null(json_object_get(answer, "key")))
        return NULL;
    assert_true(asprintf(&text, "%s: %s / %s", question_text(answer, "key"), question_text(answer, "wanted"),
                         question_text(answer, "found")) > 0);
    return text;
}

/* Each is of the section that was asked, and also says what it wants and what there is. */
static inline char *question_earlier(const json_t *answer, const char *object)
{
    const char *section = strcmp(object, "medium") == 0 ? "media.rules" : object;
    char *text = NULL;
    size_t size = 0, i;
    FILE *out = open_memstream(&text, &size);
    const json_t *rule;

    assert_non_null(out);
    json_array_foreach(json_object_get(answer, "rules"), i, rule)
    {
        if (json_is_true(json_object_get(rule, "decides")))
            break;
        assert_true(json_is_string(json_object_get(rule, "wanted")) && json_is_string(json_object_get(rule, "found")));
        (void)fprintf(out, "%s%s %s", i > 0 ? ", " : "", question_text(rule, "id"), question_text(rule, "key"));
        if (strcmp(question_text(rule, "section"), section) != 0)
            (void)fprintf(out, " of %s", question_text(rule, "section"));
    }
    assert_int_equal(fclose(out), 0);
    return text;
}

static inline bool question_same(const char *what, const char *expected, const char *seen)
{
    if (strcmp(expected ? expected : "-", seen ? seen : "-") == 0)
        return true;
    print_error("%s: expected %s, seen %s\n", what, expected ? expected : "-", seen ? seen : "-");
    return false;
}

static inline bool question_answered(const struct question *q, const char *policy, const char *user)
{
    json_t *answer = question_ask(q, policy, user);
    char *condition = question_condition(answer), *earlier = question_earlier(answer, q->object);
    bool would = json_is_true(json_object_get(answer, "would_refuse"));
    bool good = question_same("object", q->object, question_text(answer, "object"));

    good = question_same("verdict", q->verdict, would ? "would-refuse" : question_text(answer, "verdict")) && good;
    good = question_same("rule", q->rule, question_text(answer, "rule")) && good;
    good = question_same("reason", q->reason, question_text(answer, "reason")) && good;
    good = question_same("condition", q->condition, condition) && good;
    good = question_same("demands", q->demands, question_text(answer, "demands")) && good;
    good = (!q->earlier || question_same("earlier", q->earlier, earlier)) && good;
    free(condition);
    free(earlier);
    json_decref(answer);
    return good;
}

/* Asks them all; fails with all that are answered otherwise. */
static inline void questions_answered(const struct question *q, size_t n, const char *policy, const char *user)
{
    size_t wrong = 0;

    assert_true(n > 0);
    for (size_t i = 0; i < n; i++)
        if (!question_answered(&q[i], policy, user)) {
            print_error("… of question %zu: %s %s\n", i, q[i].options[0], q[i].options[1] ? q[i].options[1] : "");
            wrong++;
        }
    assert_int_equal(wrong, 0);
}
