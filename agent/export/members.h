#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "export/names.h"

/* What was staged: one file after the other in one unnamed file, and this list. */
struct export_member {
    char name[EXPORT_NAME_MAX + 1];
    uint64_t offset, size;
    struct digest sha256;
};
struct export_members {
    struct export_member *items;
    size_t n;
};
/* 0, -E2BIG past EXPORT_FILES_MAX, -ENOMEM. */
int export_members_add(struct export_members *m, const struct export_member *item);
void export_members_done(struct export_members *m);
uint64_t export_members_size(const struct export_members *m);

/* To and from a memfd between processes of the worker. Reading checks everything: names, that the files follow each other without gaps
 * and end with staged_size. */
int export_members_save(const struct export_members *m, int fd);
int export_members_load(int fd, uint64_t staged_size, struct export_members *ret);
