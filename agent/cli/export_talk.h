#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/cli.h"
#include "export/names.h"
#include "export/protocol.h"

/* The client's side of docs/PROTOCOL.export.md: with the process that does the export. */

struct export_file {
    const char *path;               /* as it was given */
    int fd;                         /* O_PATH */
    uint64_t size;                  /* when it was named */
    char name[EXPORT_NAME_MAX + 1]; /* on the medium */
    char *reason, *rule;            /* of a refusal */
};

struct export_talk {
    int socket;
    struct export_file *files;
    size_t n;
    enum export_outcome outcome;
    bool written;   /* something of it, as far as was heard */
    char *password; /* "" when the container has none. export_talk_done() wipes it */
    char *name;     /* on the medium, or why it failed */
    char *detail;
    void (*progress)(void *context, enum export_phase phase, uint64_t done, uint64_t total);
    void *context;
};

/* Passes the files, then reads until the result. 0; -ENODATA or -ECONNRESET: the other side ended without one; -EBADMSG; other -errno. */
int export_talk(struct export_talk *t);
void export_talk_done(struct export_talk *t);
