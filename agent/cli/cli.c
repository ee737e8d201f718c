/*
 * Owns: the command line of a program with verbs: common options, which verb is meant, its options by its table, help. Must not: do
 * the work of a verb, or know which program it is.
 */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/i18n.h"
#include "cli/table.h"
#include "json/whole.h"

enum {
    NEAR = 4, /* edits up to which "did you mean" is asked */
    OPTION_PLACE = 1000,
    OPTION_JSON,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option common_options[] = {
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
};

enum {
    N_COMMON = sizeof(common_options) / sizeof(common_options[0])
};

void cli_error(struct cli *c, const char *fmt, ...)
{
    va_list args;

    (void)fprintf(c->err, "%s: ", c->program->name);
    va_start(args, fmt);
    (void)vfprintf(c->err, fmt, args);
    va_end(args);
    (void)fputc('\n', c->err);
}

enum cli_exit cli_usage(struct cli *c, const char *fmt, ...)
{
    va_list args;

    (void)fprintf(c->err, "%s: ", c->program->name);
    va_start(args, fmt);
    (void)vfprintf(c->err, fmt, args);
    va_end(args);
    (void)fputc('\n', c->err);
    (void)fprintf(c->err, _("“%s help” lists what can be asked."), c->program->name);
    (void)fputc('\n', c->err);
    return CLI_USAGE;
}

void cli_next(struct cli *c, const char *words)
{
    if (words)
        (void)fprintf(c->err, "  → %s\n", _(words));
}

const char *cli_safe(struct cli *c, const char *s)
{
    char *copy = text_make_printable(s ? s : "", s ? strlen(s) : 0);
    char **grown = copy ? reallocarray(c->scratch, c->n_scratch + 1, sizeof(*grown)) : NULL;

    if (!grown) {
        free(copy);
        return "?"; /* out of memory: nothing foreign is shown */
    }
    c->scratch = grown;
    c->scratch[c->n_scratch++] = copy;
    return copy;
}

void cli_forget(struct cli *c)
{
    for (size_t i = 0; i < c->n_scratch; i++)
        free(c->scratch[i]);
    c->n_scratch = 0;
}

void cli_done(struct cli *c)
{
    cli_forget(c);
    free(c->scratch);
    c->scratch = NULL;
    if (c->forget_config)
        c->forget_config(c);
}

void cli_lost(struct cli *c, int r)
{
    c->lost = true;
    cli_error(c, "%s", strerror(r == -EINVAL ? ENOMEM : -r));
}

void cli_show(struct cli *c, const json_t *answer, cli_text *text)
{
    int r;

    if (answer && !c->json) {
        text(c, answer);
        return;
    }
    r = whole_print(answer, JSON_INDENT(2) | JSON_ENCODE_ANY, c->out);
    if (r < 0)
        cli_lost(c, r);
    else
        (void)fputc('\n', c->out);
}

/* --- help --- */

static void add_option(struct table *t, const struct cli_option *o)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "--%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
    table_add(t, (const char *[]){name, _(o->help)});
}

static void add_common_options(struct cli *c, struct table *t)
{
    add_option(t, &c->program->place);
    table_add(t, (const char *[]){"--json", _("answer in JSON")});
    table_add(t, (const char *[]){"--help", _("explain the verb")});
    table_add(t, (const char *[]){"--version", _("tell the version")});
}

static void show_help(struct cli *c)
{
    struct table *t = table_new(2);

    (void)fprintf(c->out, _("Usage: %s [--%s %s] [--json] VERB [OPTION…] [ARGUMENT…]"), c->program->name,
                  c->program->place.name, c->program->place.argument);
    (void)fputs("\n\n", c->out);
    for (const struct cli_verb *v = c->program->verbs; v->name; v++)
        table_add(t, (const char *[]){v->name, _(v->help)});
    table_print(t, c->out, 2);
    (void)table_free(t);
    (void)fputc('\n', c->out);
    t = table_new(2);
    add_common_options(c, t);
    table_print(t, c->out, 2);
    (void)table_free(t);
    (void)fprintf(c->out, "\n%s\n", _(c->program->exit_words));
}

static void show_verb_help(struct cli *c, const struct cli_verb *v)
{
    struct table *t = table_new(2);

    (void)fprintf(c->out, _("Usage: %s %s%s%s%s"), c->program->name, v->name, v->options ? _(" [OPTION…]") : "",
                  *v->words ? " " : "", v->words);
    (void)fprintf(c->out, "\n%s\n\n", _(v->help));
    for (const struct cli_option *o = v->options; o && o->name; o++)
        add_option(t, o);
    add_common_options(c, t);
    table_print(t, c->out, 2);
    (void)table_free(t);
}

/* --- which verb --- */

/* The words of a verb's name, one after the other. */
static bool verb_matches(const struct cli_verb *v, int argc, char **argv, int *ret_words)
{
    const char *name = v->name;

    for (int i = 0; i < argc; i++) {
        size_t n = strcspn(name, " ");

        if (strlen(argv[i]) != n || strncmp(argv[i], name, n) != 0)
            return false;
        name += n;
        if (!*name) {
            *ret_words = i + 1;
            return true;
        }
        name++;
    }
    return false;
}

static const struct cli_verb *find_verb(const struct cli *c, int argc, char **argv, int *ret_words)
{
    const struct cli_verb *found = NULL;
    int longest = 0;

    for (const struct cli_verb *v = c->program->verbs; v->name; v++) {
        int words = 0;

        if (!verb_matches(v, argc, argv, &words) || words <= longest)
            continue;
        found = v;
        longest = words;
    }
    if (found)
        *ret_words = longest;
    return found;
}

/* As many words of the call as the verb's name has, to be compared with it. */
static void join_words(int argc, char **argv, const char *name, char *ret, size_t size)
{
    size_t n = 0;
    int words = 1;

    for (const char *s = name; *s; s++)
        words += *s == ' ';
    *ret = '\0';
    for (int i = 0; i < argc && i < words && n < size && *argv[i] != '-'; i++)
        n += (size_t)snprintf(ret + n, size - n, "%s%s", i > 0 ? " " : "", argv[i]);
}

static enum cli_exit unknown_verb(struct cli *c, int argc, char **argv)
{
    const struct cli_verb *nearest = NULL;
    size_t best = NEAR;
    char words[128];

    for (const struct cli_verb *v = c->program->verbs; v->name; v++) {
        size_t distance;

        join_words(argc, argv, v->name, words, sizeof(words));
        distance = text_distance(words, v->name, NEAR);
        if (distance < best) {
            best = distance;
            nearest = v;
        }
    }
    join_words(argc, argv, nearest ? nearest->name : "a b", words, sizeof(words));
    if (nearest)
        return cli_usage(c, _("unknown verb “%s”; did you mean “%s”?"), cli_safe(c, words), nearest->name);
    return cli_usage(c, _("unknown verb “%s”"), cli_safe(c, words));
}

/* --- options --- */

static size_t count_options(const struct cli_verb *v)
{
    size_t n = 0;

    while (v && v->options && v->options[n].name && n < CLI_OPTIONS_MAX)
        n++;
    return n;
}

enum parsed {
    PARSED_GO,
    PARSED_HELP,
    PARSED_VERSION,
    PARSED_BAD
};

static enum parsed wrong_option(struct cli *c, int code, char **argv)
{
    const char *given = argv[optind - 1] ? argv[optind - 1] : "";

    if (code == ':')
        (void)cli_usage(c, _("option %s needs a value"), cli_safe(c, given));
    else
        (void)cli_usage(c, _("unknown option %s"), cli_safe(c, given));
    return PARSED_BAD;
}

static bool take_option(struct cli *c, size_t option, const char *value, struct cli_arguments *ret)
{
    if (ret->n_given >= CLI_GIVEN_MAX) {
        (void)cli_usage(c, _("at most %d options"), CLI_GIVEN_MAX);
        return false;
    }
    ret->given[ret->n_given++] = (struct cli_given){.option = option, .value = value};
    ret->values[option] = value;
    return true;
}

/* argv[0] is skipped. v NULL: the common options before the verb, up to the first word. */
static enum parsed parse_options(struct cli *c, const struct cli_verb *v, int argc, char **argv,
                                 struct cli_arguments *ret)
{
    struct option options[1 + N_COMMON + CLI_OPTIONS_MAX + 1] = {0};
    size_t n = count_options(v);
    int code;

    for (size_t i = 0; i < n; i++)
        options[i] = (struct option){.name = v->options[i].name,
                                     .has_arg = v->options[i].argument ? required_argument : no_argument,
                                     .val = (int)i};
    options[n] = (struct option){.name = c->program->place.name, .has_arg = required_argument, .val = OPTION_PLACE};
    memcpy(options + n + 1, common_options, sizeof(common_options));
    optind = 0; /* glibc: begin anew, permutation included */
    opterr = 0;
    while ((code = getopt_long(argc, argv, v ? ":" : "+:", options, NULL)) != -1) {
        if (code == OPTION_PLACE)
            c->place = optarg;
        else if (code == OPTION_JSON)
            c->json = true;
        else if (code == OPTION_HELP)
            return PARSED_HELP;
        else if (code == OPTION_VERSION)
            return PARSED_VERSION;
        else if (code < 0 || (size_t)code >= n)
            return wrong_option(c, code, argv);
        else if (!take_option(c, (size_t)code, optarg ? optarg : "", ret))
            return PARSED_BAD;
    }
    ret->words = argv + optind;
    ret->n_words = argc - optind;
    return PARSED_GO;
}

static enum cli_exit show_version(struct cli *c)
{
    (void)fprintf(c->out, "%s %s\n", c->program->name, KURABAN_VERSION);
    return CLI_OK;
}

static enum cli_exit run_verb(struct cli *c, const struct cli_verb *v, int argc, char **argv)
{
    struct cli_arguments a = {0};

    switch (parse_options(c, v, argc, argv, &a)) {
    case PARSED_HELP:
        show_verb_help(c, v);
        return CLI_OK;
    case PARSED_VERSION:
        return show_version(c);
    case PARSED_BAD:
        return CLI_USAGE;
    case PARSED_GO:
        break;
    }
    if (a.n_words < v->words_min)
        return cli_usage(c, _("“%s %s” needs %s"), c->program->name, v->name, v->words);
    if (a.n_words > v->words_max)
        return cli_usage(c, _("“%s %s” does not take “%s”"), c->program->name, v->name,
                         cli_safe(c, a.words[v->words_max]));
    return v->run(c, &a);
}

enum cli_exit cli_run(struct cli *c, int argc, char **argv)
{
    struct cli_arguments a = {0};
    const struct cli_verb *v;
    enum cli_exit code;
    int words = 0;

    switch (parse_options(c, NULL, argc, argv, &a)) {
    case PARSED_HELP:
        show_help(c);
        return CLI_OK;
    case PARSED_VERSION:
        return show_version(c);
    case PARSED_BAD:
        return CLI_USAGE;
    case PARSED_GO:
        break;
    }
    if (a.n_words == 0)
        return cli_usage(c, _("which verb?"));
    if (text_equal(a.words[0], "help")) {
        v = a.n_words > 1 ? find_verb(c, a.n_words - 1, a.words + 1, &words) : NULL;
        if (a.n_words > 1 && !v)
            return unknown_verb(c, a.n_words - 1, a.words + 1);
        if (v)
            show_verb_help(c, v);
        else
            show_help(c);
        return CLI_OK;
    }
    v = find_verb(c, a.n_words, a.words, &words);
    if (!v)
        return unknown_verb(c, a.n_words, a.words);
    code = run_verb(c, v, a.n_words - (words - 1), a.words + (words - 1));
    return code == CLI_OK && c->lost ? CLI_FAILED : code;
}
