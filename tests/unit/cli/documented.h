#pragma once

#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* Every verb and option of a program is in its man page, and every verb in its completion. */

static inline char *documented_read(const char *name)
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
static inline void documented_option(const char *name, char *ret, size_t size)
{
    size_t n = (size_t)snprintf(ret, size, "\\-\\-");

    for (; *name && n + 3 < size; name++)
        n += (size_t)snprintf(ret + n, size - n, "%s%c", *name == '-' ? "\\" : "", *name);
}

/* exempt: a verb whose section names another's options. */
static inline void documented_in_man(const struct cli_program *program, const char *file, const char *exempt)
{
    char *page = documented_read(file);

    for (const struct cli_verb *v = program->verbs; v->name; v++) {
        char heading[64];
        const char *section, *end;

        (void)snprintf(heading, sizeof(heading), "\n.SS %s", v->name);
        section = strstr(page, heading);
        if (!section)
            fail_msg("%s has no section for %s", file, v->name);
        end = strstr(section + 1, "\n.SS ");
        for (const struct cli_option *o = v->options; o && o->name; o++) {
            char option[64];
            const char *at;

            documented_option(o->name, option, sizeof(option));
            at = strstr(section, option);
            if ((!at || (end && at > end)) && strcmp(v->name, exempt) != 0)
                fail_msg("%s, %s: no %s", file, v->name, o->name);
        }
    }
    free(page);
}

static inline void documented_in_completion(const struct cli_program *program, const char *file)
{
    char *script = documented_read(file);

    for (const struct cli_verb *v = program->verbs; v->name; v++) {
        char name[64], *word, *rest = name;

        (void)snprintf(name, sizeof(name), "%s", v->name);
        while ((word = strsep(&rest, " ")))
            if (!strstr(script, word))
                fail_msg("the completion does not know %s", word);
    }
    free(script);
}

/* cli_arguments has room for that many. */
static inline void documented_fits(const struct cli_program *program)
{
    for (const struct cli_verb *v = program->verbs; v->name; v++) {
        size_t n = 0;

        while (v->options && v->options[n].name)
            n++;
        assert_true(n <= CLI_OPTIONS_MAX);
    }
}
