#pragma once

/*
 * What travels on <run-directory>/control.sock. Frames are those of base/frame.h; docs/PROTOCOL.control.md describes every
 * request with its fields and answer. Identity is the socket's peer (SO_PEERCRED), never the payload.
 */

enum ctl_request {
    CTL_STATUS = 1,     /* no fields. Anybody: { enforcing, policy, gate, journal, … }; root sees more */
    CTL_DEVICES = 2,    /* no fields. Anybody: array of devices and media */
    CTL_WATCH = 3,      /* no fields. Anybody: the devices answer now and after each change until the peer closes */
    CTL_WHY = 4,        /* u32 uid (0xffffffff: the peer), u32 count. The peer's own; root any */
    CTL_POLICY = 5,     /* no fields. Root: the document in force */
    CTL_RELOAD = 6,     /* no fields. Root: read the policy file again */
    CTL_DOCTOR = 7,     /* no fields. Root: every part and whether it enforces */
    CTL_SYNC = 8,       /* no fields. Root: bring everything seen so far to the journal, durably */
    CTL_RESCAN = 9,     /* no fields. Root: look at sysfs and mounts again */
    CTL_EMERGENCY = 10, /* u32 seconds, string reason. Root: permit input devices for a while */
    CTL_PURGE = 11,     /* no fields. Root: put kernel settings back and let go of the gate; the daemon ends */
    CTL_APPLY = 12,     /* no fields, one fd: a sealed memfd with a bundle. Root: verify, store, rule by it */
    CTL_TRUST_INSTALL =
        13, /* no fields, one fd: a sealed memfd with a root envelope. Root: from now on nothing unsigned rules */
    CTL_TRUST_REMOVE = 14, /* string reason. Root at the console: back to the unsigned file */

    /* The second factor; fields in docs/PROTOCOL.control.md */
    CTL_MFA_VERIFY = 15,
    CTL_MFA_ENROL = 16,
    CTL_MFA_CONFIRM = 17,
    CTL_MFA_LIST = 18,
    CTL_MFA_REMOVE = 19,
    CTL_MFA_LIFT = 20,
    CTL_MFA_REISSUE = 21,
    CTL_MFA_IMPORT = 22,
    CTL_MFA_STATUS = 23,
    CTL_UNLOCK = 24,
    CTL_GRANTS = 25,
    CTL_UNLOCK_END = 26,
    CTL_EXPORT = 27,
    CTL_MFA_LOGIN = 28, /* by pam_kuraban.so; answered by fields */
    CTL_MFA_ROTATE = 29,
    CTL_NOTICES = 30, /* no fields. Anybody: what concerns the peer's own uid, as it happens, until the peer closes */
    /* The terminal's side of the fleet's wire, for the courier alone; fields in docs/PROTOCOL.control.md */
    CTL_FLEET_HELLO = 31,
    CTL_FLEET_BUNDLE = 32,
    CTL_FLEET_STATEMENT = 33,
    CTL_FLEET_RECORD = 34, /* answered with an fd: a sealed memfd with lines of the journal */
    CTL_FLEET_REPORT = 35,
    CTL_FLEET_WATCH = 36,
    CTL_FLEET_ENROL = 37, /* string token, ca (SHA-256 in hex), wire. Root: the signed request of this terminal */
    CTL_FLEET_JOIN = 38,  /* string wire, root; one fd: a sealed memfd with roots and membership. Root: keep them */
};

enum {
    CTL_ANSWER = 0x8000,        /* u32 enum ctl_code, then bytes of JSON; FRAME_FLAG_MORE while the JSON goes on */
    CTL_ANSWER_FIELDS = 0x8001, /* u32 enum ctl_code, then the verb's own fields; one frame */
};

enum ctl_code {
    CTL_CODE_OK = 0,
    CTL_CODE_DENIED = 1,     /* not this peer */
    CTL_CODE_INVALID = 2,    /* fields out of range */
    CTL_CODE_FAILED = 3,     /* tried, did not work; JSON { "message": … } */
    CTL_CODE_LATER = 0x7fff, /* never on the wire: ctl_server_answer() comes later */
};

enum {
    CTL_ANSWER_MAX = 8 * 1024 * 1024, /* a client reads no more JSON than this */
    CTL_CHUNK = 60 * 1024,            /* JSON bytes in one frame */
};

#define CTL_SOCKET_NAME "control.sock"
#define CTL_ROOT_SOCKET_NAME "root.sock" /* only root may connect; the same protocol */
