#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A kuraband that answers CTL_MFA_LOGIN as a test says, in a process of its own: what fails or is watched in the test does not fail here.
 * Its directory is new, below /tmp, and the caller's.
 */

enum fake_login_manner {
    FAKE_LOGIN_ANSWER = 0, /* a frame with these bytes as its fields, after code OK */
    FAKE_LOGIN_RAW,        /* these bytes as they are, then the end */
    FAKE_LOGIN_SLOW,       /* the same, one byte every 300 ms */
    FAKE_LOGIN_SILENT,     /* nothing, until the peer has gone */
    FAKE_LOGIN_HANG_UP,    /* the end, without having read the request */
    FAKE_LOGIN_WITH_FD,    /* as ANSWER, with a descriptor */
};

struct fake_login_reply {
    enum fake_login_manner manner;
    const void *bytes;
    size_t size;
    unsigned delay_ms; /* before all of it */
    const char *code;  /* not NULL: to a request with another code the answer is "wrong" instead */
};

enum {
    FAKE_LOGIN_REPLIES = 4, /* by the step of the request; what has no bytes and no manner hangs up */
    FAKE_LOGIN_REQUESTS = 8,
    FAKE_LOGIN_REQUEST_MAX = 2048,
};

/* What it was asked; shared with its process. */
struct fake_login_seen {
    unsigned n;
    struct {
        uint16_t type;
        size_t size;
        uint8_t fields[FAKE_LOGIN_REQUEST_MAX];
    } requests[FAKE_LOGIN_REQUESTS];
};

struct fake_login {
    char directory[64];
    pid_t pid;
    struct fake_login_seen *seen;
};

/* Listens as this uid (only root can be another). Aborts when it cannot. */
void fake_login_start(struct fake_login *f, uid_t uid, const struct fake_login_reply replies[FAKE_LOGIN_REPLIES]);
/* Ends it and removes the directory. */
void fake_login_stop(struct fake_login *f);
