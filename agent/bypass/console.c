/* Owns: consoles that log somebody in, and sudo that asks nobody. Must not: know PAM. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "bypass/internal.h"

/* look(): at each line of a file, joined where it ends in a backslash. */
static int look_lines(const struct tree *t, struct bypass_report *r, const char *path,
                      int (*look)(struct bypass_report *r, const char *path, unsigned number, const char *line))
{
    _cleanup_free_ char *text = NULL;
    struct lines l;
    int code = report_read(r, t, path, &text);

    if (code < 0 || !text)
        return code;
    l = lines_of(text, true);
    for (char *line = lines_next(&l); line && code == 0; line = lines_next(&l))
        code = look(r, path, l.line, text_trim(line));
    return code;
}

/* --- getty --- */

/* "--autologin tanaka", "--autologin=tanaka", "-a tanaka", "-atanaka": the person, into ret. */
static bool logs_in(const char *command, char *ret, size_t size)
{
    _cleanup_free_ char *copy = strdup(command);
    char *rest = NULL, *name = NULL;

    if (!copy || !strstr(copy, "getty"))
        return false;
    for (char *word = strtok_r(copy, " \t", &rest); word && !name; word = strtok_r(NULL, " \t", &rest)) {
        if (text_equal(word, "--autologin") || text_equal(word, "-a"))
            name = strtok_r(NULL, " \t", &rest);
        else if (text_starts(word, "--autologin="))
            name = word + strlen("--autologin=");
        else if (text_starts(word, "-a"))
            name = word + 2;
    }
    if (!name)
        return false;
    (void)snprintf(ret, size, "%s", name);
    return true;
}

static int look_unit_line(struct bypass_report *r, const char *path, unsigned number, const char *line)
{
    char name[128];

    if (!text_starts(line, "ExecStart") || !logs_in(line, name, sizeof(name)))
        return 0;
    return bypass_report_add(r, BYPASS_AUTOLOGIN_GETTY, path, number, line, name);
}

static int look_unit(const struct tree *t, struct bypass_report *r, const char *path)
{
    return tree_is_masked(t, path) ? 0 : look_lines(t, r, path, look_unit_line);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n > m && strcmp(s + n - m, end) == 0;
}

/* Drop-ins and units of every getty: "getty@tty1.service.d/x.conf", "serial-getty@.service". */
static int look_units(const struct tree *t, struct bypass_report *r, const char *directory)
{
    struct tree_names units = {0};
    int code = tree_list(t, directory, &units);

    if (code < 0 && code != -ENOMEM)
        code = bypass_report_add(r, BYPASS_UNREADABLE, directory, 0, NULL, strerror(-code));
    for (size_t i = 0; i < units.n && code == 0; i++) {
        char path[TREE_PATH_MAX], file[2 * TREE_PATH_MAX];
        struct tree_names drops = {0};

        if (!strstr(units.names[i], "getty"))
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", directory, units.names[i]);
        if (ends_with(path, ".service"))
            code = look_unit(t, r, path);
        else if (ends_with(path, ".service.d"))
            code = tree_list(t, path, &drops);
        for (size_t k = 0; k < drops.n && code == 0; k++) {
            (void)snprintf(file, sizeof(file), "%s/%s", path, drops.names[k]);
            if (ends_with(file, ".conf"))
                code = look_unit(t, r, file);
        }
        tree_names_done(&drops);
    }
    tree_names_done(&units);
    return code;
}

int look_console(const struct tree *t, struct bypass_report *r)
{
    static const char *const directories[] = {"/etc/systemd/system", "/run/systemd/system",
                                              "/usr/local/lib/systemd/system"};
    int code = 0;

    for (size_t i = 0; i < ELEMENTS(directories) && code == 0; i++)
        code = look_units(t, r, directories[i]);
    return code;
}

/* --- sudo --- */

/* Tags and options that make sudo ask nothing; sudoers(5) has them in these spellings only. */
static int look_sudoers(struct bypass_report *r, const char *path, unsigned number, const char *line)
{
    if (*line == '#' || !(strstr(line, "NOPASSWD") || strstr(line, "!authenticate")))
        return 0;
    return bypass_report_add(r, BYPASS_SUDO, path, number, line, "");
}

int look_sudo(const struct tree *t, struct bypass_report *r)
{
    struct tree_names names = {0};
    int code = look_lines(t, r, "/etc/sudoers", look_sudoers);

    if (code == 0)
        code = tree_list(t, "/etc/sudoers.d", &names);
    if (code < 0 && code != -ENOMEM)
        code = bypass_report_add(r, BYPASS_UNREADABLE, "/etc/sudoers.d", 0, NULL, strerror(-code));
    for (size_t i = 0; i < names.n && code == 0; i++) {
        char path[TREE_PATH_MAX];

        /* As sudo does. */
        if (strchr(names.names[i], '.') || ends_with(names.names[i], "~"))
            continue;
        (void)snprintf(path, sizeof(path), "/etc/sudoers.d/%s", names.names[i]);
        code = look_lines(t, r, path, look_sudoers);
    }
    tree_names_done(&names);
    return code;
}
