#!/usr/bin/env python3
"""A filesystem with one file that never answers: DIRECTORY/file. By FUSE's protocol alone (linux/fuse.h, 7.31), so that nothing has to be installed.

    hang.py DIRECTORY SIZE [READABLE [SECONDS]]     the first READABLE bytes are answered, one page after the other; SIGTERM ends it

It says "mounted", and "hanging" at each request that it does not answer. Who is not root mounts it by fusermount3, which has to permit allow_other (user_allow_other in fuse.conf).

Who reads further waits in the kernel, and cannot be killed while this program runs; with SECONDS they wait so long for each answer.
"""

import ctypes
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import time

LOOKUP, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR = 1, 3, 14, 15, 18, 25, 26, 27, 28, 29
FORGET, INTERRUPT, BATCH_FORGET = 2, 36, 42  # want no answer
ENOENT, ENOSYS = 2, 38
PAGE = 4096
ROOT, FILE = 1, 2


def attributes(node, size):
    mode = stat.S_IFDIR | 0o755 if node == ROOT else stat.S_IFREG | 0o644
    return struct.pack("<6Q10I", node, 0 if node == ROOT else size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, PAGE, 0)


def answer(opcode, node, body, size, readable, seconds):
    """Bytes, a positive errno, or None: never."""
    if opcode == INIT:
        return struct.pack("<4I2H2I2H8I", 7, 31, PAGE, 0, 0, 0, PAGE, 1, 1, 0, *[0] * 8)
    if opcode == LOOKUP:
        return struct.pack("<4Q2I", FILE, 0, 60, 60, 0, 0) + attributes(FILE, size) if body == b"file\0" else ENOENT
    if opcode == GETATTR:
        return struct.pack("<QII", 60, 0, 0) + attributes(node, size)
    if opcode in (OPEN, OPENDIR):
        return struct.pack("<QII", 0, 0, 0)
    if opcode == READ:
        offset, wanted = struct.unpack_from("<8xQI", body)
        if offset >= readable and seconds > 0:
            time.sleep(seconds)
            return b"x" * min(wanted, size - offset)
        return b"x" * min(wanted, readable - offset) if offset < readable else None
    if opcode in (FLUSH, RELEASE, RELEASEDIR, READDIR):
        return b""
    return ENOSYS


class Skip(Exception):
    """It cannot be mounted here."""


def mount(libc, directory):
    """As root; the descriptor that requests come from."""
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
    except OSError as e:
        raise Skip(f"/dev/fuse: {e.strerror}") from None
    options = f"fd={device},rootmode=40755,user_id=0,group_id=0,allow_other"
    if libc.mount(b"hang", directory.encode(), b"fuse.hang", 6, options.encode()) < 0:  # nosuid, nodev
        raise Skip(f"FUSE cannot be mounted: {os.strerror(ctypes.get_errno())}")
    return device


def mount_by_fusermount(directory):
    ours, theirs = socket.socketpair()
    options = "fsname=hang,subtype=hang,allow_other"
    env = {**os.environ, "_FUSE_COMMFD": str(theirs.fileno())}
    done = subprocess.run(["fusermount3", "-o", options, "--", directory], pass_fds=[theirs.fileno()], env=env)
    if done.returncode != 0:
        raise Skip("fusermount3 does not mount it")
    return socket.recv_fds(ours, 1, 1)[1][0]


def main():
    directory, size, readable = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0
    seconds = float(sys.argv[4]) if len(sys.argv) > 4 else 0
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        device = mount(libc, directory) if os.geteuid() == 0 else mount_by_fusermount(directory)
    except Skip as e:
        print(f"SKIP: {e}", flush=True)
        return 77

    def end(number, frame):
        if os.geteuid() == 0:
            libc.umount2(directory.encode(), 2)  # MNT_DETACH; closing the device ends everything that waits
        else:
            subprocess.run(["fusermount3", "-uz", "--", directory])
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    print("mounted", flush=True)
    while True:
        try:
            request = os.read(device, PAGE + 65536)
        except OSError:
            return 0  # unmounted
        _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
        if opcode in (FORGET, INTERRUPT, BATCH_FORGET):
            continue
        reply = answer(opcode, node, request[40:], size, readable, seconds)
        if reply is None:
            print("hanging", flush=True)
        else:
            error, body = (-reply, b"") if isinstance(reply, int) else (0, reply)
            os.write(device, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


sys.exit(main())
