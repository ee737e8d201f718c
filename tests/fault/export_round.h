#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault/export_calls.h"
#include "fault/fault.h"

struct fixture;

enum {
    EXPORT_ROUND_FILES = 3
};

/* One round of fault/export, and what lasts over all of them. */
struct export_round {
    struct export_around *around;
    struct fixture *x;             /* what is staged, and its list */
    char work[64];                 /* a directory: the files, what the whole process stages */
    int files[EXPORT_ROUND_FILES]; /* O_PATH */
    struct fault_plan plan;
    const char *part;
    bool forked;   /* who forked says what failed */
    uint64_t good; /* rounds that ended well */
};
extern struct export_round now;

void export_failed(const char *what) __attribute__((noreturn));
void export_insist(bool ok, const char *what);
unsigned export_open_fds(void);

/* How many names are on the medium that a person would take for an export; the last one. */
unsigned export_named(char ret[static 256]);
/* The first n files in a directory of that name there, or the first one under it. */
void export_insist_plain(const char *name, size_t n);
void export_empty_medium(void);

/* export_run.c: the whole process. How many calls it made. */
uint64_t export_run(void);
