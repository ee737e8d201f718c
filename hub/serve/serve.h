#pragma once

#include <openssl/types.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "hub/centre/centre.h"
#include "hub/keys/keys.h"

struct link;

/*
 * The centre's one process (`kuraban-hub serve`): a loop, the wire, and parts that do the work. Verbs at the command line only write hub.db;
 * the process notices and brings the wire to what stands there.
 */

/* What a part is given; lives from its start to its stop. */
struct hub_serve {
    sd_event *event;             /* of the main thread */
    const struct centre *centre; /* its store is the main thread's: another thread opens its own from the directory */
    const char *organization;
    const struct hub_keys *keys;
    EVP_PKEY *head;    /* the online key */
    struct link *link; /* safe in every thread, as libnats is */
};

/* All are called in the main thread, and must not wait: what does has a thread of its own. */
struct hub_part {
    const char *name;
    /* -errno ends the process. ret: what the others are called with. */
    int (*start)(const struct hub_serve *serve, void **ret);
    /* An administrator changed something, or a terminal was enrolled (hub/store/journal.h), perhaps several times. May be NULL. */
    void (*store_changed)(void *part);
    /* true: connected (again), and the streams are as they must be. false: no longer. May be NULL. */
    void (*wire_changed)(void *part, bool up);
    void (*stop)(void *part);
};

/* From any thread: this cannot go on. The process stops as if it were asked to, and ends with this error. */
void hub_serve_fail(const struct hub_serve *serve, int error);

struct hub_serve_settings {
    const char *const *brokers;          /* addresses, ended by NULL; none: the centre's own broker on this machine */
    const struct hub_part *const *parts; /* ended by NULL; started in this order, stopped in the other */
};

enum hub_serve_result {
    HUB_SERVE_OK = 0,    /* asked to stop by SIGTERM or SIGINT */
    HUB_SERVE_E_RUNNING, /* another process serves this centre */
    HUB_SERVE_E_KEYS,    /* the centre's keys cannot be read */
};

/* Blocks these signals in this thread and all it makes. enum hub_serve_result or -errno. */
int hub_serve_run(const struct centre *centre, const struct hub_serve_settings *settings);
