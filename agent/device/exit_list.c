/*
 * The two lists that bend the classification: devices added or excused by administrators, and the devices the system runs
 * from. Owns: their parsing and matching. Must not: touch a device.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "device/exit.h"

static int add_item(struct exit_list *l, const char *s, size_t n)
{
    char **items, *copy;

    if (l->n >= EXIT_LIST_MAX)
        return -E2BIG;
    items = reallocarray(l->items, l->n + 1, sizeof(*items));
    if (!items)
        return -ENOMEM;
    l->items = items;
    copy = strndup(s, n);
    if (!copy)
        return -ENOMEM;
    l->items[l->n++] = copy;
    return 0;
}

int exit_list_add(struct exit_list *l, const char *text)
{
    while (*text) {
        size_t line = strcspn(text, "\n"), n = strcspn(text, "\n#"), start = 0;
        int r = 0;

        while (start < n && (text[start] == ' ' || text[start] == '\t'))
            start++;
        while (n > start && (text[n - 1] == ' ' || text[n - 1] == '\t' || text[n - 1] == '\r'))
            n--;
        if (n > start)
            r = add_item(l, text + start, n - start);
        if (r < 0)
            return r;
        text += line + (text[line] == '\n');
    }
    return 0;
}

void exit_list_done(struct exit_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->items[i]);
    free(l->items);
    *l = (struct exit_list){0};
}

bool exit_list_matches(const struct exit_list *l, const char *name, dev_t device)
{
    char node[BLOCK_NAME_SIZE], number[32];

    block_node(name, node);
    (void)snprintf(number, sizeof(number), "%u:%u", major(device), minor(device));
    for (size_t i = 0; i < l->n; i++) {
        const char *item = l->items[i];

        if (item[0] == '!')
            continue;
        if (strcmp(item, number) == 0)
            return true;
        if (text_starts(item, "/dev/"))
            item += 5;
        if (fnmatch(item, node, FNM_PATHNAME) == 0)
            return true;
    }
    return false;
}

static bool system_has(const struct exit_system *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->disks[i], name) == 0)
            return true;
    }
    return false;
}

static int system_add(struct exit_system *s, const char *name)
{
    void *disks;

    if (system_has(s, name))
        return 0;
    disks = reallocarray(s->disks, s->n + 1, sizeof(*s->disks));
    if (!disks)
        return -ENOMEM;
    s->disks = disks;
    (void)snprintf(s->disks[s->n++], BLOCK_NAME_SIZE, "%s", name);
    return 0;
}

/* The device itself, its disk, and the same of everything below it. */
static int system_add_tree(int sysfs, const char *name, struct exit_system *s, unsigned depth)
{
    struct block_names slaves = {0};
    char disk[BLOCK_NAME_SIZE];
    int r;

    if (depth >= EXIT_DEPTH_MAX || block_disk(sysfs, name, disk) < 0)
        return 0;
    r = system_add(s, disk);
    if (r >= 0)
        r = block_list(sysfs, disk, "slaves", &slaves);
    if (r < 0)
        return r == -ENOENT ? 0 : r; /* half of what the system lies on is no answer (H9) */
    for (size_t i = 0; i < slaves.n && r >= 0; i++)
        r = system_add_tree(sysfs, slaves.items[i], s, depth + 1);
    block_names_done(&slaves);
    return r;
}

static int system_add_device(int sysfs, dev_t device, struct exit_system *s)
{
    char name[BLOCK_NAME_SIZE];
    int r = block_find(sysfs, device, name);

    if (r < 0)
        return r == -ENOENT ? 0 : r;
    return system_add_tree(sysfs, name, s, 0);
}

/* btrfs and the like have no device number of their own: then the kernel's name of the source node tells. */
static int system_add_node(int sysfs, const char *node, struct exit_system *s)
{
    struct stat st;

    if (!text_starts(node, "/dev/") || stat(node, &st) < 0 || !S_ISBLK(st.st_mode))
        return 0;
    return system_add_device(sysfs, st.st_rdev, s);
}

static int add_swaps(int sysfs, const char *swaps, struct exit_system *s)
{
    const char *line = strchr(swaps, '\n'); /* past the heading */
    char node[256];
    int r = 0;

    while (line && *++line && r >= 0) {
        size_t n = strcspn(line, " \t\n");

        if (n < sizeof(node)) {
            memcpy(node, line, n);
            node[n] = '\0';
            r = system_add_node(sysfs, node, s);
        }
        line = strchr(line, '\n');
    }
    return r;
}

int exit_system_find(int sysfs, const struct mount_table *mounts, const char *swaps, struct exit_system *ret)
{
    static const char *const places[] = {"/", "/usr", "/boot", "/boot/efi", "/efi", "/var"};
    struct exit_system s = {0};
    int r = 0;

    for (size_t i = 0; i < mounts->n && r >= 0; i++) {
        const struct mount_entry *e = &mounts->items[i];
        bool wanted = false;

        for (size_t j = 0; j < ELEMENTS(places); j++)
            wanted = wanted || strcmp(e->point, places[j]) == 0;
        if (wanted)
            r = e->major != 0 ? system_add_device(sysfs, makedev(e->major, e->minor), &s)
                              : system_add_node(sysfs, e->source, &s);
    }
    if (r >= 0 && swaps)
        r = add_swaps(sysfs, swaps, &s);
    if (r < 0) {
        exit_system_done(&s);
        return r;
    }
    *ret = s;
    return 0;
}

bool exit_system_below(int sysfs, const struct exit_system *s, const char *path)
{
    size_t length = strlen(path);
    char disk[EXIT_PATH_SIZE];

    for (size_t i = 0; i < s->n; i++)
        if (block_sysfs_path(sysfs, s->disks[i], disk, sizeof(disk)) == 0 && strncmp(disk + 1, path, length) == 0 &&
            (disk[1 + length] == '/' || disk[1 + length] == '\0'))
            return true;
    return false;
}

void exit_system_done(struct exit_system *s)
{
    free(s->disks);
    *s = (struct exit_system){0};
}
