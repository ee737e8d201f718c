/* Every verb and option is in kuraban(1), and every verb in the completion. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static char *read_source(const char *name)
{
    const char *source = getenv("KURABAN_SOURCE");
    char path[512];
    char *text = calloc(1, 262144);
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", source ? source : ".", name);
    f = fopen(path, "r");
    if (!f || !text)
        fail_msg("%s cannot be read", path);
    assert_true(fread(text, 1, 262143, f) > 0);
    assert_int_equal(fclose(f), 0);
    return text;
}

/* As roff writes it: every hyphen escaped. */
static void roff_option(const char *name, char *ret, size_t size)
{
    size_t n = (size_t)snprintf(ret, size, "\\-\\-");

    for (; *name && n + 3 < size; name++)
        n += (size_t)snprintf(ret + n, size - n, "%s%c", *name == '-' ? "\\" : "", *name);
}

static void test_man_page(void **state)
{
    char *page = read_source("man/kuraban.1");

    (void)state;
    for (const struct cli_verb *v = cli_verbs; v->name; v++) {
        char heading[64];
        const char *section, *end;

        (void)snprintf(heading, sizeof(heading), "\n.SS %s", v->name);
        section = strstr(page, heading);
        if (!section)
            fail_msg("kuraban(1) has no section for %s", v->name);
        end = strstr(section + 1, "\n.SS ");
        for (const struct cli_option *o = v->options; o && o->name; o++) {
            char option[64];
            const char *at;

            roff_option(o->name, option, sizeof(option));
            at = strstr(section, option);
            /* audit export says that it has the filters of audit show. */
            if ((!at || (end && at > end)) && strcmp(v->name, "audit export") != 0)
                fail_msg("kuraban(1), %s: no %s", v->name, o->name);
        }
    }
    free(page);
}

static void test_completion(void **state)
{
    char *script = read_source("packaging/completion/kuraban");

    (void)state;
    for (const struct cli_verb *v = cli_verbs; v->name; v++) {
        char name[64], *word, *rest = name;

        (void)snprintf(name, sizeof(name), "%s", v->name);
        while ((word = strsep(&rest, " ")))
            if (!strstr(script, word))
                fail_msg("the completion does not know %s", word);
    }
    free(script);
}

/* cli_arguments has room for that many. */
static void test_tables_fit(void **state)
{
    (void)state;
    for (const struct cli_verb *v = cli_verbs; v->name; v++) {
        size_t n = 0;

        while (v->options && v->options[n].name)
            n++;
        assert_true(n <= CLI_OPTIONS_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_man_page),
        cmocka_unit_test(test_completion),
        cmocka_unit_test(test_tables_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
