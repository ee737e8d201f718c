/*
 * Owns: what sshd_config(5) says of who gets in without a conversation with PAM. Must not: run sshd; what `sshd -T` answered comes in.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "bypass/internal.h"

#define SSHD_CONFIG "/etc/ssh/sshd_config"

enum {
    INCLUDES_MAX = 16,
    SETTINGS_MAX = 4096,
    BLOCKS_MAX = 512,
    FILES_MAX = 256, /* read in all, one that is included twice counted twice */
};

enum keyword {
    USE_PAM,
    METHODS,
    PUBKEY,
    HOSTBASED,
    GSSAPI,
    KEYBOARD,
    PASSWORD,
    ROOT_LOGIN,
    KEYWORD_COUNT
};

/* Defaults of OpenSSH 9.2. The first name is the one sshd -T uses. */
static const struct {
    const char *name, *alias, *value;
} keywords[KEYWORD_COUNT] = {
    [USE_PAM] = {"usepam", NULL, "no"},
    [METHODS] = {"authenticationmethods", NULL, "any"},
    [PUBKEY] = {"pubkeyauthentication", "dsaauthentication", "yes"},
    [HOSTBASED] = {"hostbasedauthentication", NULL, "no"},
    [GSSAPI] = {"gssapiauthentication", NULL, "no"},
    [KEYBOARD] = {"kbdinteractiveauthentication", "challengeresponseauthentication", "yes"},
    [PASSWORD] = {"passwordauthentication", NULL, "yes"},
    [ROOT_LOGIN] = {"permitrootlogin", NULL, "prohibit-password"},
};

struct setting {
    enum keyword keyword;
    char *value, *file, *text;
    unsigned line;
    size_t block; /* 0: outside of Match */
};

struct config {
    const struct tree *tree;
    struct bypass_report *report;
    struct setting *settings;
    size_t n, blocks; /* Match blocks so far */
    size_t block;     /* the one that lines belong to now */
    unsigned depth, files;
    bool unclear; /* not all of it could be read */
};

static void config_done(struct config *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->settings[i].value);
        free(c->settings[i].file);
        free(c->settings[i].text);
    }
    free(c->settings);
}

static int add_setting(struct config *c, enum keyword keyword, const char *value, const char *file, unsigned line,
                       const char *text)
{
    struct setting *s, *grown;

    if (c->n >= SETTINGS_MAX) {
        c->unclear = true;
        return 0;
    }
    grown = reallocarray(c->settings, c->n + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    c->settings = grown;
    s = &grown[c->n++];
    *s = (struct setting){.keyword = keyword, .line = line, .block = c->block};
    s->value = strdup(value);
    s->file = strdup(file);
    s->text = strdup(text);
    return s->value && s->file && s->text ? 0 : -ENOMEM;
}

static int find_keyword(const char *word)
{
    for (int i = 0; i < KEYWORD_COUNT; i++)
        if (strcasecmp(word, keywords[i].name) == 0 || (keywords[i].alias && strcasecmp(word, keywords[i].alias) == 0))
            return i;
    return strcasecmp(word, "skeyauthentication") == 0 ? KEYBOARD : -1;
}

/* The next argument: up to white space, or in double quotes. Changes the line. NULL at the end or at a comment. */
static char *next_argument(char **rest)
{
    char *s = *rest + strspn(*rest, " \t\r"), *start, *end;

    if (!*s || *s == '#')
        return NULL;
    start = *s == '"' ? s + 1 : s;
    end = start + strcspn(start, *s == '"' ? "\"" : " \t\r");
    *rest = *end ? end + 1 : end;
    *end = '\0';
    return start;
}

static int read_config(struct config *c, const char *path, bool wanted);

/* One pattern of an Include: a wildcard in the last part only, as everybody writes it. */
static int include_pattern(struct config *c, const char *pattern)
{
    char path[TREE_PATH_MAX];
    struct tree_names names = {0};
    char *slash;
    int n = snprintf(path, sizeof(path), "%s%s", *pattern == '/' ? "" : "/etc/ssh/", pattern), r;

    slash = n > 0 && (size_t)n < sizeof(path) ? strrchr(path, '/') : NULL;
    if (!slash) {
        c->unclear = true;
        return 0;
    }
    if (!strpbrk(path, "*?["))
        return read_config(c, path, false);
    *slash++ = '\0';
    if (strpbrk(path, "*?[")) {
        c->unclear = true;
        return 0;
    }
    r = tree_list(c->tree, *path ? path : "/", &names);
    if (r < 0 && r != -ENOMEM) {
        c->unclear = true;
        return 0;
    }
    for (size_t i = 0; i < names.n && r == 0; i++) {
        char file[2 * TREE_PATH_MAX];

        if (fnmatch(slash, names.names[i], FNM_PERIOD) != 0)
            continue;
        (void)snprintf(file, sizeof(file), "%s/%s", path, names.names[i]);
        r = read_config(c, file, false);
    }
    tree_names_done(&names);
    return r;
}

/* Match in an included file ends with the file. */
static int include(struct config *c, char *arguments)
{
    size_t block = c->block;
    int r = 0;

    if (c->depth >= INCLUDES_MAX) {
        c->unclear = true;
        return 0;
    }
    c->depth++;
    for (char *word = next_argument(&arguments); word && r == 0; word = next_argument(&arguments))
        r = include_pattern(c, word);
    c->depth--;
    c->block = block;
    return r;
}

static int read_line(struct config *c, const char *path, unsigned line, char *text)
{
    _cleanup_free_ char *copy = strdup(text);
    char *word = text + strspn(text, " \t"), *rest = word + strcspn(word, " \t=\r"), *value;
    int keyword;

    if (!copy)
        return -ENOMEM;
    if (!*word || *word == '#')
        return 0;
    if (*rest)
        *rest++ = '\0';
    rest += strspn(rest, " \t=");
    if (strcasecmp(word, "include") == 0)
        return include(c, rest);
    if (strcasecmp(word, "match") == 0) {
        c->unclear |= c->blocks >= BLOCKS_MAX;
        c->block = ++c->blocks;
        return 0;
    }
    keyword = find_keyword(word);
    if (keyword == METHODS) { /* a list of lists */
        value = text_trim(rest);
        value[strcspn(value, "#")] = '\0';
        return add_setting(c, METHODS, text_trim(value), path, line, text_trim(copy));
    }
    value = keyword < 0 ? NULL : next_argument(&rest);
    return value ? add_setting(c, (enum keyword)keyword, value, path, line, text_trim(copy)) : 0;
}

static int read_config(struct config *c, const char *path, bool wanted)
{
    _cleanup_free_ char *text = NULL;
    struct lines l;
    size_t before = c->report->n_findings;
    int r;

    if (c->files++ >= FILES_MAX) {
        c->unclear = true;
        return 0;
    }
    r = report_read(c->report, c->tree, path, &text);
    c->unclear |= r == 0 && (c->report->n_findings > before || (wanted && !text));
    if (r < 0 || !text)
        return r;
    l = lines_of(text, false);
    for (char *line = lines_next(&l); line && r == 0; line = lines_next(&l))
        r = read_line(c, path, l.line, line);
    return r;
}

/* What `sshd -T` says is what holds outside of Match; where it stands is in the files. */
static int take_effective(struct config *c, const char *effective)
{
    _cleanup_free_ char *copy = strdup(effective);
    struct config said = {.report = c->report, .tree = c->tree};
    struct lines l;
    int r = copy ? 0 : -ENOMEM;

    l = lines_of(copy, false);
    for (char *line = r == 0 ? lines_next(&l) : NULL; line && r == 0; line = lines_next(&l)) {
        size_t n = strcspn(line, " ");

        if (strncasecmp(line, "include", n) != 0 && strncasecmp(line, "match", n) != 0)
            r = read_line(&said, SSHD_CONFIG, 0, line);
    }
    for (size_t i = 0; i < said.n && r == 0; i++) {
        struct setting *found = NULL;

        for (size_t k = 0; k < c->n && !found; k++)
            if (c->settings[k].keyword == said.settings[i].keyword && c->settings[k].block == 0)
                found = &c->settings[k];
        if (!found) {
            r = add_setting(c, said.settings[i].keyword, said.settings[i].value, SSHD_CONFIG, 0, said.settings[i].text);
        } else if (strcasecmp(found->value, said.settings[i].value) != 0) {
            struct setting swap = *found;

            /* Nothing in the files says this. */
            *found = said.settings[i];
            said.settings[i] = swap;
        }
    }
    config_done(&said);
    return r;
}

/* --- judging --- */

/* The first one counts; a Match block counts before what stands outside. */
static const struct setting *find(const struct config *c, enum keyword keyword, size_t block)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->settings[i].keyword == keyword && c->settings[i].block == block)
            return &c->settings[i];
    return block == 0 ? NULL : find(c, keyword, 0);
}

static const char *value_of(const struct config *c, enum keyword keyword, size_t block)
{
    const struct setting *s = find(c, keyword, block);

    return s ? s->value : keywords[keyword].value;
}

static bool is(const struct config *c, enum keyword keyword, size_t block, const char *value)
{
    return strcasecmp(value_of(c, keyword, block), value) == 0;
}

static int tell(struct config *c, enum bypass_kind kind, const struct setting *s, const char *subject)
{
    return bypass_report_add(c->report, kind, s ? s->file : SSHD_CONFIG, s ? s->line : 0, s ? s->text : NULL, subject);
}

/* Does this list of methods, "publickey,keyboard-interactive:pam", hold one that PAM's auth stack answers? */
static bool list_asks(const char *list, size_t size)
{
    while (size > 0) {
        size_t n = strcspn(list, ",");

        n = n < size ? n : size;
        if ((n == strlen("password") && strncasecmp(list, "password", n) == 0) ||
            (n == strlen("keyboard-interactive") && strncasecmp(list, "keyboard-interactive", n) == 0) ||
            (n == strlen("keyboard-interactive:pam") && strncasecmp(list, "keyboard-interactive:pam", n) == 0))
            return true;
        list += n;
        size -= n;
        if (size > 0) {
            list++;
            size--;
        }
    }
    return false;
}

static size_t append(char *ret, size_t used, size_t size, const char *word, size_t n)
{
    int written = snprintf(ret + used, size - used, "%s%.*s", used > 0 ? ", " : "", (int)n, word);

    return written > 0 && used + (size_t)written < size ? used + (size_t)written : used;
}

/* The methods, or lists of them, that let somebody in without PAM having asked; "" when there are none. */
static void ways_in(const struct config *c, size_t block, char *ret, size_t size)
{
    static const struct {
        enum keyword keyword;
        const char *method;
    } alone[] = {{PUBKEY, "publickey"}, {HOSTBASED, "hostbased"}, {GSSAPI, "gssapi-with-mic"}};
    const char *methods = value_of(c, METHODS, block);
    size_t used = 0;

    *ret = '\0';
    if (*methods && strcasecmp(methods, "any") != 0) {
        for (const char *s = methods; *s; s += strspn(s, " \t\"")) {
            size_t n = strcspn(s, " \t\"");

            if (n > 0 && !list_asks(s, n))
                used = append(ret, used, size, s, n);
            s += n;
        }
        return;
    }
    for (size_t i = 0; i < ELEMENTS(alone); i++)
        if (!is(c, alone[i].keyword, block, "no"))
            used = append(ret, used, size, alone[i].method, strlen(alone[i].method));
}

/* The line to change: the list of methods, or what permits one of them; NULL when all of that are defaults. */
static const struct setting *culprit(const struct config *c, size_t block)
{
    static const enum keyword order[] = {METHODS, PUBKEY, HOSTBASED, GSSAPI};

    for (size_t i = 0; i < ELEMENTS(order); i++) {
        const struct setting *s = find(c, order[i], block);

        if (s && s->block == block && strcasecmp(s->value, "no") != 0)
            return s;
    }
    return NULL;
}

static bool has_own(const struct config *c, size_t block)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->settings[i].block == block)
            return true;
    return false;
}

static int judge_block(struct config *c, size_t block, bool *ret_open)
{
    const struct setting *root = find(c, ROOT_LOGIN, block);
    char ways[256], outside[256];
    int r = 0;

    if (is(c, USE_PAM, block, "no")) { /* sshd takes it outside of Match only */
        *ret_open = true;
        return block == 0 ? tell(c, BYPASS_SSHD_PAM, find(c, USE_PAM, 0), "") : 0;
    }
    ways_in(c, block, ways, sizeof(ways));
    ways_in(c, 0, outside, sizeof(outside));
    *ret_open = *ways;
    /* What a block merely inherits was told already. */
    if (*ways && (block == 0 || !text_equal(ways, outside)))
        r = tell(c, BYPASS_SSHD_METHODS, culprit(c, block), ways);
    if (r == 0 && *ways && !is(c, ROOT_LOGIN, block, "no") && (block == 0 || (root && root->block == block)))
        r = tell(c, BYPASS_SSHD_ROOT, root, "");
    return r;
}

static int judge_questions(struct config *c)
{
    int r = 0;

    if (is(c, USE_PAM, 0, "no"))
        return 0;
    if (is(c, KEYBOARD, 0, "no"))
        r = tell(c, BYPASS_SSHD_KEYBOARD, find(c, KEYBOARD, 0), "");
    else if (!is(c, PASSWORD, 0, "no") && is(c, METHODS, 0, "any"))
        r = tell(c, BYPASS_NOTE_PASSWORD, find(c, PASSWORD, 0), "");
    return r;
}

int look_sshd(const struct tree *t, const char *effective, struct bypass_report *report)
{
    struct config c = {.tree = t, .report = report};
    _cleanup_free_ char *there = NULL;
    bool open = false;
    int r = tree_read(t, SSHD_CONFIG, &there);

    if (r == -ENOENT || r == -ENOTDIR)
        return 0; /* no sshd here */
    if (r == -ENOMEM)
        return r;
    r = read_config(&c, SSHD_CONFIG, true);
    c.block = 0;
    if (r == 0 && effective)
        r = take_effective(&c, effective);
    else if (r == 0)
        r = bypass_report_add(report, BYPASS_NOTE_SSHD, SSHD_CONFIG, 0, NULL, "");
    for (size_t block = 0; block <= c.blocks && r == 0; block++)
        if (block == 0 || has_own(&c, block))
            r = judge_block(&c, block, &open);
    if (r == 0)
        r = judge_questions(&c);
    if (r == 0 && c.unclear)
        r = bypass_report_add(report, BYPASS_SSHD_UNCLEAR, SSHD_CONFIG, 0, NULL, "");
    config_done(&c);
    return r;
}
