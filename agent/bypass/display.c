/* Owns: logins that a display manager makes without asking anybody. Must not: know PAM. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "bypass/internal.h"

enum {
    ENTRIES_MAX = 512
};

struct entry {
    char *section, *key, *value, *file, *text;
    unsigned line;
};

/* key = value files (GLib's GKeyFile, QSettings), in the order they are read: what comes later counts. */
struct entries {
    struct entry *entries;
    size_t n;
};

static void entry_done(struct entry *e)
{
    free(e->section);
    free(e->key);
    free(e->value);
    free(e->file);
    free(e->text);
}

static void entries_done(struct entries *e)
{
    for (size_t i = 0; i < e->n; i++)
        entry_done(&e->entries[i]);
    free(e->entries);
}

static int put(struct entries *all, const struct entry *wanted)
{
    struct entry e = {.line = wanted->line}, *grown;

    e.section = strdup(wanted->section);
    e.key = strdup(wanted->key);
    e.value = strdup(wanted->value);
    e.file = strdup(wanted->file);
    e.text = strdup(wanted->text);
    if (!e.section || !e.key || !e.value || !e.file || !e.text) {
        entry_done(&e);
        return -ENOMEM;
    }
    for (size_t i = 0; i < all->n; i++)
        if (strcasecmp(all->entries[i].section, e.section) == 0 && strcasecmp(all->entries[i].key, e.key) == 0) {
            entry_done(&all->entries[i]);
            all->entries[i] = e;
            return 0;
        }
    grown = all->n < ENTRIES_MAX ? reallocarray(all->entries, all->n + 1, sizeof(*grown)) : NULL;
    if (!grown) {
        entry_done(&e);
        return all->n < ENTRIES_MAX ? -ENOMEM : 0;
    }
    all->entries = grown;
    grown[all->n++] = e;
    return 0;
}

/* Only the keys somebody asks for are kept, so that a long file cannot push one out. */
static bool is_wanted(const char *key, const char *const *keys)
{
    for (; *keys; keys++)
        if (strcasecmp(key, *keys) == 0)
            return true;
    return false;
}

static int read_line(struct entries *all, const char *const *keys, struct entry *at, char *section, size_t size,
                     char *line)
{
    _cleanup_free_ char *copy = strdup(line);
    char *s = text_trim(line), *equals;

    if (!copy)
        return -ENOMEM;
    if (*s == '[') {
        (void)snprintf(section, size, "%.*s", (int)strcspn(s + 1, "]"), s + 1);
        return 0;
    }
    equals = *s == '#' || *s == ';' ? NULL : strchr(s, '=');
    if (!equals)
        return 0;
    *equals = '\0';
    at->key = text_trim(s);
    at->value = text_trim(equals + 1);
    at->section = section;
    at->text = text_trim(copy);
    return is_wanted(at->key, keys) ? put(all, at) : 0;
}

static int read_keys(const struct tree *t, struct bypass_report *r, char *path, const char *const *keys,
                     struct entries *all)
{
    _cleanup_free_ char *text = NULL;
    struct entry at = {.file = path};
    char section[128] = "";
    struct lines l;
    int code = report_read(r, t, path, &text);

    if (code < 0 || !text)
        return code;
    l = lines_of(text, false);
    for (char *line = lines_next(&l); line && code == 0; line = lines_next(&l)) {
        at.line = l.line;
        code = read_line(all, keys, &at, section, sizeof(section), line);
    }
    return code;
}

/* A file, or all "*.conf" of a directory when the path ends with "/". */
static int read_place(const struct tree *t, struct bypass_report *r, const char *place, const char *const *keys,
                      struct entries *all)
{
    struct tree_names names = {0};
    char path[TREE_PATH_MAX];
    size_t n = strlen(place);
    int code;

    if (place[n - 1] != '/') {
        (void)snprintf(path, sizeof(path), "%s", place);
        return read_keys(t, r, path, keys, all);
    }
    code = tree_list(t, place, &names);
    if (code < 0 && code != -ENOMEM)
        code = bypass_report_add(r, BYPASS_UNREADABLE, place, 0, NULL, strerror(-code));
    for (size_t i = 0; i < names.n && code == 0; i++) {
        size_t length = strlen(names.names[i]);

        if (length < 5 || strcmp(names.names[i] + length - 5, ".conf") != 0)
            continue;
        (void)snprintf(path, sizeof(path), "%s%s", place, names.names[i]);
        code = read_keys(t, r, path, keys, all);
    }
    tree_names_done(&names);
    return code;
}

static bool is_true(const char *value)
{
    return strcasecmp(value, "true") == 0 || strcasecmp(value, "1") == 0 || strcasecmp(value, "yes") == 0;
}

static const struct entry *find(const struct entries *all, const char *section, const char *key)
{
    for (size_t i = 0; i < all->n; i++)
        if (strcasecmp(all->entries[i].section, section) == 0 && strcasecmp(all->entries[i].key, key) == 0)
            return &all->entries[i];
    return NULL;
}

static int tell(struct bypass_report *r, enum bypass_kind kind, const struct entry *e, const char *subject)
{
    return bypass_report_add(r, kind, e->file, e->line, e->text, subject);
}

/* lightdm reads these in this order; every section of a seat counts. */
static int look_lightdm(const struct tree *t, struct bypass_report *r)
{
    static const char *const places[] = {"/usr/share/lightdm/lightdm.conf.d/",
                                         "/usr/local/share/lightdm/lightdm.conf.d/", "/etc/xdg/lightdm/lightdm.conf.d/",
                                         "/etc/lightdm/lightdm.conf.d/", "/etc/lightdm/lightdm.conf"};
    static const char *const keys[] = {"autologin-user", "autologin-guest", "allow-guest", NULL};
    struct entries all = {0};
    int code = 0;

    for (size_t i = 0; i < ELEMENTS(places) && code == 0; i++)
        code = read_place(t, r, places[i], keys, &all);
    for (size_t i = 0; i < all.n && code == 0; i++) {
        const struct entry *e = &all.entries[i];

        if (strcasecmp(e->key, "autologin-user") == 0 && *e->value)
            code = tell(r, BYPASS_AUTOLOGIN_LIGHTDM, e, e->value);
        else if (strcasecmp(e->key, "autologin-user") != 0 && is_true(e->value))
            code = tell(r, BYPASS_GUEST_LIGHTDM, e, "");
    }
    entries_done(&all);
    return code;
}

static int look_gdm(const struct tree *t, struct bypass_report *r)
{
    static const char *const places[] = {"/etc/gdm3/custom.conf", "/etc/gdm3/daemon.conf", "/etc/gdm/custom.conf"};
    static const char *const keys[] = {"AutomaticLoginEnable", "AutomaticLogin", "TimedLoginEnable", "TimedLogin",
                                       NULL};
    static const char *const pairs[][2] = {{"AutomaticLoginEnable", "AutomaticLogin"},
                                           {"TimedLoginEnable", "TimedLogin"}};
    int code = 0;

    for (size_t i = 0; i < ELEMENTS(places) && code == 0; i++) {
        struct entries all = {0};

        code = read_place(t, r, places[i], keys, &all);
        for (size_t k = 0; k < ELEMENTS(pairs) && code == 0; k++) {
            const struct entry *enabled = find(&all, "daemon", pairs[k][0]), *who = find(&all, "daemon", pairs[k][1]);

            if (enabled && is_true(enabled->value) && who && *who->value)
                code = tell(r, BYPASS_AUTOLOGIN_GDM, who, who->value);
        }
        entries_done(&all);
    }
    return code;
}

static int look_sddm(const struct tree *t, struct bypass_report *r)
{
    static const char *const places[] = {"/usr/lib/sddm/sddm.conf.d/", "/etc/sddm.conf.d/", "/etc/sddm.conf"};
    static const char *const keys[] = {"User", NULL};
    struct entries all = {0};
    const struct entry *who;
    int code = 0;

    for (size_t i = 0; i < ELEMENTS(places) && code == 0; i++)
        code = read_place(t, r, places[i], keys, &all);
    who = find(&all, "Autologin", "User");
    if (code == 0 && who && *who->value)
        code = tell(r, BYPASS_AUTOLOGIN_SDDM, who, who->value);
    entries_done(&all);
    return code;
}

int look_display(const struct tree *t, struct bypass_report *r)
{
    int code = look_lightdm(t, r);

    if (code == 0)
        code = look_gdm(t, r);
    return code == 0 ? look_sddm(t, r) : code;
}
