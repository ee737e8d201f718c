#!/usr/bin/python3
"""Does a filesystem go on writing after BLKROSET 1, and who else gets at it meanwhile? Runs as root.

    export-reach.py DISK PARTITION [FILESYSTEM…]      both are overwritten; default vfat exfat ext4

This is what agent/export does: the flag is cleared, the filesystem is mounted to a descriptor that has no place in any mount
namespace (fsmount(2)), the flag is set again, and then everything is written. One line per case: "<filesystem>: <case>: <verdict>".
"""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys

BLKROSET = 0x125D
FSOPEN, FSCONFIG, FSMOUNT = 430, 431, 432  # the same number everywhere
SET_STRING, CMD_CREATE = 1, 6
CONTENT = bytes(range(256)) * 16384  # 4 MiB
libc = ctypes.CDLL(None, use_errno=True)

disk, part = sys.argv[1], sys.argv[2]
MKFS = {
    "vfat": ["mkfs.vfat", part],
    "exfat": ["mkfs.exfat", part],
    "ext4": ["mkfs.ext4", "-q", "-F", part],
}


def set_ro(value):
    for node in (disk, part):
        fd = os.open(node, os.O_RDONLY)
        fcntl.ioctl(fd, BLKROSET, value.to_bytes(4, "little"))
        os.close(fd)


def get_ro():
    flags = []
    for node in (disk, part):
        with open(f"/sys/class/block/{os.path.basename(node)}/ro") as file:
            flags.append(file.read().strip())
    return "".join(flags)


def call(number, *arguments):
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def mount_detached(kind):
    """The root of the mounted filesystem; nobody else can name it, and it is unmounted when the descriptor is closed."""
    context = call(FSOPEN, kind.encode(), 1)
    try:
        call(FSCONFIG, context, SET_STRING, b"source", part.encode(), 0)
        call(FSCONFIG, context, CMD_CREATE, None, None, 0)
        return call(FSMOUNT, context, 1, 0)
    finally:
        os.close(context)


def verdict(attempt):
    try:
        return attempt() or "done"
    except OSError as error:
        return f"refused {os.strerror(error.errno)}"
    except subprocess.CalledProcessError as error:
        return f"refused {error.stderr.strip()}"


def write(root, name):
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=root)
    os.write(fd, CONTENT)
    os.fsync(fd)
    os.close(fd)


def exclusive_open():
    os.close(os.open(part, os.O_RDONLY | os.O_EXCL))


def raw_write(node):
    """What is there already, so that nothing is lost where it is not refused."""

    def attempt():
        fd = os.open(node, os.O_RDWR)
        try:
            os.pwrite(fd, os.pread(fd, 512, 0), 0)
            os.fsync(fd)
        finally:
            os.close(fd)

    return attempt


def mount(*options):
    def attempt():
        subprocess.run(["unshare", "-m", "mount", *options, part, "/mnt"], check=True, capture_output=True, text=True)

    return attempt


def mount_in_user_namespace():
    # The node is given away for it: what is tried is the kernel, not the node's mode.
    os.chmod(part, 0o666)
    try:
        subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "unshare", "-Urm", "mount", "-t", kind, part, "/mnt"],
            check=True, capture_output=True, text=True,
        )
    finally:
        os.chmod(part, 0o660)


def read_back(kind):
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("3")
    script = f"mount -t {kind} -o ro {part} /mnt && cat /mnt/final && umount /mnt"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True)
    return "WRITTEN" if done.stdout == CONTENT else f"lost {done.stderr.decode().strip()}"


def killed(kind):
    """kill -9 in the middle: what is left?"""
    set_ro(0)
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        root = mount_detached(kind)
        set_ro(1)
        fd = os.open("part", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=root)
        os.write(told, b"x")
        while True:
            os.pwrite(fd, CONTENT, 0)
            os.fsync(fd)
    os.read(ready, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return f"flags {get_ro()}, read-only mount {verdict(mount('-t', kind, '-o', 'ro'))}"


def say(case, what):
    print(f"{kind}: {case}: {what}", flush=True)


for kind in sys.argv[3:] or list(MKFS):
    set_ro(0)
    subprocess.run(MKFS[kind], check=True, stdout=subprocess.DEVNULL)
    set_ro(1)
    say("flag set, rw mount", verdict(lambda: os.close(mount_detached(kind))))
    set_ro(0)
    root = mount_detached(kind)
    set_ro(1)
    with open("/proc/self/mountinfo") as info:
        say("in the list of mounts", "yes" if os.path.basename(part) in info.read() else "no")
    say("write and fsync after the flag", verdict(lambda: write(root, "temporary")))
    say("raw write to the partition", verdict(raw_write(part)))
    say("raw write to the disk", verdict(raw_write(disk)))
    say("second mount rw", verdict(mount("-t", kind, "-o", "rw")))
    say("second mount ro", verdict(mount("-t", kind, "-o", "ro")))
    say("mount in a user namespace", verdict(mount_in_user_namespace))
    say("exclusive open", verdict(exclusive_open))
    say("rename", verdict(lambda: os.rename("temporary", "final", src_dir_fd=root, dst_dir_fd=root)))
    say("fsync of the directory", verdict(lambda: os.fsync(os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=root))))
    # Whatever is open on it keeps it mounted.
    os.closerange(3, 64)
    say("exclusive open after close", verdict(exclusive_open))
    say("flags after", get_ro())
    say("read back", read_back(kind))
    say("killed while writing", killed(kind))
    set_ro(0)
