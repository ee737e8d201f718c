#pragma once

#include <stddef.h>

/*
 * Names on their way to a medium: what a person's file is called there and inside a container. A name is one component, valid on
 * vfat, exfat and Windows, and looks like what it is.
 */

enum {
    EXPORT_NAME_MAX = 255,   /* bytes */
    EXPORT_FILES_MAX = 1000, /* of one export */
};

/* 0 and a name in which everything that is not safe has become "_": separators, control and formatting characters (bidirectional
 * overrides among them), what Windows does not take, bytes that are not UTF-8, a dot or space at the end, names of devices there. -EINVAL: empty or
 * "." or ".."; -ENAMETOOLONG past EXPORT_NAME_MAX. */
int export_name_make(const char *name, char ret[static EXPORT_NAME_MAX + 1]);

/* What vfat, exfat, Windows or macOS take for the same name has the same fold: letters of one case, characters composed (é of one character or
 * of two). Without the locale: two processes must come to the same names. Caller frees. 0, -EILSEQ: not UTF-8; -ENOMEM. */
int export_name_fold(const char *name, char **ret);
/* "a (2).csv" for 2; for 1 the name as it is. A dot in front is no ending. 0, -ENAMETOOLONG. */
int export_name_number(const char *name, unsigned n, char ret[static EXPORT_NAME_MAX + 1]);

/* The names of one export; those with the same fold count as the same. Zeroed is empty. */
struct export_names {
    char **folded;
    size_t n;
};
/* Takes name as it is, or with " (2)", " (3)" … before its ending when it is there already. 0, -ENAMETOOLONG, -E2BIG past
 * EXPORT_FILES_MAX, -EILSEQ, -ENOMEM. */
int export_names_add(struct export_names *names, const char *name, char ret[static EXPORT_NAME_MAX + 1]);
void export_names_done(struct export_names *names);
