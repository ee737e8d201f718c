#!/usr/bin/python3
"""Which marks see an open that reaches a file through another way? Runs as root inside the guest.

    fanotify-reach.py KIND DIRECTORY FILE COMMAND…

Puts a permission mark of KIND (filesystem, mount, inode) on DIRECTORY (inode: on FILE), refuses every open that it is
asked about, runs COMMAND as tanaka, and prints one JSON object: how many events came, on which device, and what the
command said.
"""

import ctypes
import json
import os
import pwd
import select
import struct
import subprocess
import sys
import threading

FAN_CLASS_CONTENT, FAN_CLOEXEC, FAN_UNLIMITED_QUEUE = 0x4, 0x1, 0x10
FAN_MARK_ADD, FAN_MARK_MOUNT, FAN_MARK_FILESYSTEM = 0x1, 0x10, 0x100
FAN_OPEN_PERM, FAN_OPEN_EXEC_PERM = 0x10000, 0x40000
FAN_EVENT_ON_CHILD = 0x08000000
FAN_DENY = 2
AT_FDCWD = -100

libc = ctypes.CDLL(None, use_errno=True)


def checked(value, what):
    if value < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
    return value


def answer_events(group, stop, events):
    while True:
        ready, _, _ = select.select([group, stop], [], [])
        if group not in ready:
            return
        data = os.read(group, 4096)
        while data:
            length, _, _, _, mask, fd, pid = struct.unpack_from("=IBBHQii", data)
            data = data[length:]
            status = os.fstat(fd)
            events.append({"dev": f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}", "ino": status.st_ino})
            os.write(group, struct.pack("=iI", fd, FAN_DENY))
            os.close(fd)


def main():
    kind, directory, file, *command = sys.argv[1:]
    group = checked(
        libc.fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_UNLIMITED_QUEUE, os.O_RDONLY | os.O_CLOEXEC),
        "fanotify_init",
    )
    flags, path = {
        "filesystem": (FAN_MARK_FILESYSTEM, directory),
        "mount": (FAN_MARK_MOUNT, directory),
        "inode": (0, file),
    }[kind]
    checked(
        libc.fanotify_mark(
            group,
            FAN_MARK_ADD | flags,
            ctypes.c_uint64(FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM),
            AT_FDCWD,
            path.encode(),
        ),
        "fanotify_mark",
    )
    events = []
    stop, stopper = os.pipe()
    thread = threading.Thread(target=answer_events, args=(group, stop, events), daemon=True)
    thread.start()
    user = pwd.getpwnam("tanaka")
    done = subprocess.run(
        command, user=user.pw_uid, group=user.pw_gid, extra_groups=[], cwd="/", capture_output=True, text=True, timeout=60
    )
    os.close(stopper)
    thread.join()
    print(json.dumps({"events": events, "rc": done.returncode, "out": done.stdout, "err": done.stderr}))


main()
