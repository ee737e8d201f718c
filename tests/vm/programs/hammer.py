#!/usr/bin/python3
"""Gets at a medium in every way somebody without rights has, again and again until FILE is there, and prints what came of it as JSON.

    hammer.py FILE DIRECTORY NODE…      DIRECTORY is where udisks mounts the first NODE

{"rounds": N, "done": {way: how often it succeeded}, "seen": {name on the medium: when first, seconds since 1970}, "whole": {name: bytes}}
"""

import ctypes
import json
import os
import subprocess
import sys
import time

stop, directory, nodes = sys.argv[1], sys.argv[2], sys.argv[3:]
libc = ctypes.CDLL(None, use_errno=True)
done, seen, sizes = {}, {}, {}
rounds = 0
point = f"/tmp/hammer-{os.getpid()}"
os.makedirs(point, exist_ok=True)


def attempt(way, call):
    try:
        call()
    except OSError:
        return
    done[way] = done.get(way, 0) + 1


def open_close(path, flags):
    os.close(os.open(path, flags | os.O_CLOEXEC, 0o600))


def write_node(node):
    fd = os.open(node, os.O_RDWR)
    os.pwrite(fd, b"LEAK" * 128, 0)
    os.fsync(fd)


def mount(node, kind, flags, target):
    if libc.mount(node.encode(), target.encode(), kind.encode(), flags, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    look(target)
    attempt("create in an own mount", lambda: open_close(f"{target}/leak", os.O_CREAT | os.O_WRONLY))
    libc.umount2(target.encode(), 2)


def look(where):
    """What is there to be read, and since when."""
    try:
        names = os.listdir(where)
    except OSError:
        return
    for name in names:
        if ".kuraban" in name or name.endswith(".zip"):
            seen.setdefault(name, time.time())
            try:
                with open(f"{where}/{name}", "rb") as file:
                    size = 0
                    while block := file.read(1 << 20):
                        size += len(block)
                    sizes[name] = size
            except OSError:
                pass


REMOUNT, BIND = 32, 4096
while not os.path.exists(stop):
    rounds += 1
    for node in nodes:
        attempt("read the node", lambda: open_close(node, os.O_RDONLY))
        attempt("open the node for writing", lambda: open_close(node, os.O_RDWR))
        attempt("open the node for appending", lambda: open_close(node, os.O_WRONLY | os.O_APPEND))
        attempt("write to the node", lambda: write_node(node))
        for kind in ("vfat", "exfat", "ext4"):
            attempt("mount it rw", lambda: mount(node, kind, 0, point))
            attempt("mount it ro", lambda: mount(node, kind, 1, point))
    for way, call in {
        "create": lambda: open_close(f"{directory}/leak", os.O_CREAT | os.O_WRONLY),
        "mkdir": lambda: os.mkdir(f"{directory}/leak.d"),
        "rename": lambda: os.rename(f"{directory}/hello.txt", f"{directory}/leak.txt"),
        "unlink": lambda: os.unlink(f"{directory}/hello.txt"),
        "truncate": lambda: os.truncate(f"{directory}/hello.txt", 0),
        "open for writing": lambda: open_close(f"{directory}/hello.txt", os.O_WRONLY),
        "remount rw": lambda: mount(nodes[0], "vfat", REMOUNT, directory),
    }.items():
        # Where nothing is mounted the directory is root's or not there.
        attempt(way, call)
    look(directory)
    if rounds % 3 == 0:
        words = ["udisksctl", "mount", "--no-user-interaction", "-b", nodes[0]]
        if subprocess.run(words + (["-o", "rw"] if rounds % 2 else []), capture_output=True).returncode == 0:
            done["udisks"] = done.get("udisks", 0) + 1
            look(directory)
print(json.dumps({"rounds": rounds, "done": done, "seen": seen, "whole": sizes}))
