#pragma once

/*
 * What travels on the two sockets of kuraban-export: to the client who exports (SO_PEERCRED there is kuraband's: it made the pair) and to
 * kuraband. Frames are those of base/frame.h; docs/PROTOCOL.export.md has the fields, and who waits for what.
 */

enum export_client_frame { /* client to worker */
    EXPORT_FILE = 1,       /* string name; with the file as an O_PATH descriptor */
    EXPORT_FILES_END = 2,  /* nothing */

    /* worker to client */
    EXPORT_REFUSED = 0x101,  /* u32 index, string reason, string rule */
    EXPORT_PROGRESS = 0x102, /* u8 enum export_phase, u64 bytes done, u64 bytes in all */
    EXPORT_PASSWORD =
        0x103, /* string: of the container; said once, when it has its name on the medium and that is recorded */
    EXPORT_RESULT = 0x104, /* u8 enum export_outcome, string name on the medium, string detail; the last frame */
};

enum export_control_frame {
    /* kuraband to worker */
    EXPORT_BEGIN = 0x201,    /* u32 uid, u32 gid, u32 n, n×u32 gid, string filesystem, string name, string id,
                                u64 disk sequence number, u32 seconds, u32 n, n×string id of an export that did not end */
    EXPORT_STAGE = 0x202,    /* nothing: the gate knows the stager */
    EXPORT_VERDICT = 0x203,  /* u8 allowed, string reason, string rule */
    EXPORT_COPY = 0x204,     /* nothing: every file may go; copy them */
    EXPORT_OPEN = 0x205,     /* nothing: the medium is hidden and nobody has it mounted */
    EXPORT_COMMIT = 0x206,   /* nothing: recorded; it may have its name */
    EXPORT_RECORDED = 0x207, /* nothing: recorded as finished */
    EXPORT_STOP = 0x208,     /* string reason, string detail: it ends here */
    EXPORT_PACK = 0x209,     /* u8 enum export_container: what is staged may go into it */
    EXPORT_WRITE = 0x20a,    /* nothing: recorded and counted; from here on its bytes may be on the medium */

    /* worker to kuraband */
    EXPORT_STAGER = 0x301, /* u32 pid: waits for EXPORT_STAGE */
    EXPORT_OPENED = 0x302, /* u32 index, string name, u64 size, u32 errno (0: it is open); waits for EXPORT_VERDICT */
    EXPORT_OPENED_END = 0x303, /* u32 count; waits for EXPORT_COPY */
    EXPORT_STAGED = 0x304,     /* u32 index, u64 size, string sha256 */
    EXPORT_AGAIN = 0x30b,      /* u32 index, u32 errno: opened once more, all being copied; waits for EXPORT_VERDICT */
    EXPORT_STAGED_END =
        0x30a, /* u64 bytes: nobody can change them any more; waits for EXPORT_PACK. Here contents will be looked at */
    EXPORT_READY = 0x305,   /* u64 bytes to write; waits for EXPORT_OPEN */
    EXPORT_MOUNTED = 0x306, /* nothing: the read-only flag is set again */
    EXPORT_ROOM =
        0x30c, /* string name, u64 size, string sha256: the medium has room for this; waits for EXPORT_WRITE */
    EXPORT_WRITTEN = 0x307, /* nothing: on the medium, read back, not named yet; waits for EXPORT_COMMIT */
    EXPORT_DONE = 0x308,    /* string name on the medium: named, unmounted, read-only; waits for EXPORT_RECORDED */
    EXPORT_FAILED = 0x309,  /* string reason, string detail; the last frame */
};

enum export_phase {
    EXPORT_PHASE_STAGE = 0, /* the files are copied into the guard's own place */
    EXPORT_PHASE_PACK,
    EXPORT_PHASE_WRITE,
    EXPORT_PHASE_CHECK, /* what was written is read back */
};

enum export_container { /* as enum policy_container */
    EXPORT_ZIP_AES256 = 0,
    EXPORT_LUKS,
    EXPORT_PLAIN,
};

enum export_outcome {
    EXPORT_E_FAILED = 0, /* zero is no success */
    EXPORT_E_FINISHED,
    EXPORT_E_REFUSED, /* one file or more; nothing was written */
    EXPORT_E_LEFT,    /* failed, and its bytes may be on the medium */
    EXPORT_E_COUNT_,
};

enum {
    EXPORT_TEXT_MAX = 256,
    EXPORT_GROUPS_MAX = 4096,
    EXPORT_LEFTOVERS_MAX = 64,
    EXPORT_FD_CLIENT = 3, /* descriptors that the program finds open */
    EXPORT_FD_CONTROL = 4,
    EXPORT_FD_STATE = 5, /* directory for what is staged, root's alone */
    EXPORT_FD_NODE = 6,  /* the medium's node, and its disk's (the same for a whole disk) */
    EXPORT_FD_DISK = 7,
    EXPORT_FD_LIFE = 8, /* a pipe: when this process ends, kuraband sees it, whoever else has the sockets */
};
