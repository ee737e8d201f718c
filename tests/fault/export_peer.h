#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "export/members.h"
#include "export/protocol.h"

/* kuraband and the person's program, for one exporting process: they permit everything, at once. */
struct export_peer {
    int client, control; /* our ends; closed in the end */
    const int *files;    /* descriptors, as many as members */
    const struct export_members *members;
    enum export_container container;
    /* What is on the medium under that name is whole, and opens with the password; does not return otherwise. NULL name: nothing has a name there;
     * NULL password: it is not known yet. */
    void (*check)(void *context, const char *name, const char *password);
    void *context;
    void (*failed)(const char *what) __attribute__((noreturn));

    struct buf from_client, from_control;
    char password[EXPORT_TEXT_MAX + 1], name[EXPORT_NAME_MAX + 1];
    bool permitted, committed, done, recorded, told; /* told: why not */
    bool finished;                                   /* the person knows */
};

/* Until both ends are closed. */
void export_peer_serve(struct export_peer *p);
