#pragma once

#include "test.h"

#include <libintl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* A test of another program with verbs names it before. */
#ifndef CLI_RUN_PROGRAM
#    define CLI_RUN_PROGRAM cli_kuraban
#endif

/* One call of the program with its output in memory. */
struct cli_run {
    char *out, *err;
    enum cli_exit code;
};

enum {
    RUN_WORDS_MAX = 24
};

static inline void cli_run_done(struct cli_run *r)
{
    free(r->out);
    free(r->err);
    *r = (struct cli_run){0};
}

/* Where struct cli looks for the mounts. */
static const char *cli_run_proc = "/proc";
/* Where it looks for /etc; NULL: this machine's own. */
static const char *cli_run_root;

/* config and sysfs as in struct cli; words end with NULL. */
static inline struct cli_run cli_run_words(const char *config, const char *sysfs, const char *const *words)
{
    char *argv[RUN_WORDS_MAX + 2] = {strdup(CLI_RUN_PROGRAM.name)};
    struct cli c = {
        .program = &CLI_RUN_PROGRAM, .place = config, .sysfs = sysfs, .proc = cli_run_proc, .root = cli_run_root};
    struct cli_run r = {0};
    size_t out_size = 0, err_size = 0;
    int argc = 1;

    c.out = open_memstream(&r.out, &out_size);
    c.err = open_memstream(&r.err, &err_size);
    assert_true(c.out && c.err);
    for (size_t i = 0; words[i]; i++) {
        assert_true(argc <= RUN_WORDS_MAX);
        argv[argc++] = strdup(words[i]);
    }
    r.code = cli_run(&c, argc, argv);
    cli_done(&c);
    assert_int_equal(fclose(c.out), 0);
    assert_int_equal(fclose(c.err), 0);
    /* getopt_long sorts argv, it does not lose any. */
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return r;
}

/* Messages in "en" or "ja", from the build directory. */
static inline void cli_run_language(const char *language)
{
    const char *build = getenv("KURABAN_BUILD");
    char directory[512];

    (void)snprintf(directory, sizeof(directory), "%s/locale", build ? build : "build/debug");
    assert_int_equal(setenv("LANGUAGE", language, 1), 0);
    assert_non_null(setlocale(LC_ALL, "C.UTF-8")); /* gettext looks at LANGUAGE again */
    assert_non_null(bindtextdomain("kuraban", directory));
    assert_non_null(bind_textdomain_codeset("kuraban", "UTF-8"));
    assert_non_null(textdomain("kuraban"));
}

#define RUN(config, sysfs, ...) cli_run_words(config, sysfs, (const char *const[]){__VA_ARGS__, NULL})

static inline void cli_write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}
