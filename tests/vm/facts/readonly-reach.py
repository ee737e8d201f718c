#!/usr/bin/python3
"""What does BLKROSET stop, and what not? Runs as root inside the guest.

    readonly-reach.py DISK         DISK has a first partition; both are overwritten

Prints one line per case: "<case> refused <error>", "<case> lost" (accepted, but the medium did not change) or "<case> WRITTEN",
where the medium is read back with O_DIRECT.
"""

import fcntl
import mmap
import os
import subprocess
import sys

BLKROSET, BLKROGET, BLKFLSBUF = 0x125D, 0x125E, 0x1261
OFFSET = 8 << 20  # behind everything that a filesystem of 4 MiB on the partition uses
SECTOR = 4096

disk = sys.argv[1]
part = disk + "1"
serial = 0


def set_ro(node, value):
    fd = os.open(node, os.O_RDONLY)
    fcntl.ioctl(fd, BLKROSET, value.to_bytes(4, "little"))
    os.close(fd)


def get_ro(node):
    with open(f"/sys/class/block/{os.path.basename(node)}/ro") as file:
        return file.read().strip()


def read_medium(node, offset):
    """What the device itself says, not the page cache."""
    fd = os.open(node, os.O_RDONLY | os.O_DIRECT)
    buffer = mmap.mmap(-1, SECTOR)
    os.preadv(fd, [buffer], offset)
    os.close(fd)
    return buffer[:16]


def new_mark():
    global serial
    serial += 1
    return b"kuraban%09d" % serial


def report(case, attempt, node=None, offset=OFFSET):
    mark = new_mark()
    try:
        attempt(mark)
        verdict = "WRITTEN" if read_medium(node or part, offset) == mark else "lost"
    except (OSError, subprocess.CalledProcessError) as error:
        verdict = f"refused {error}"
    print(f"{case}: {verdict}", flush=True)


def write_fd(fd, mark):
    os.pwrite(fd, mark.ljust(SECTOR), OFFSET)
    os.fsync(fd)


def write_node(node):
    def attempt(mark):
        fd = os.open(node, os.O_RDWR)
        try:
            write_fd(fd, mark)
        finally:
            os.close(fd)

    return attempt


def run(*argv):
    subprocess.run(argv, check=True, capture_output=True, text=True)


def dm_linear(node, name="fact"):
    def attempt(mark):
        size = subprocess.check_output(["blockdev", "--getsz", node], text=True).strip()
        run("dmsetup", "create", name, "--table", f"0 {size} linear {node} 0")
        try:
            print(f"  (dm ro={get_ro(os.path.realpath('/dev/mapper/' + name))})")
            write_node(f"/dev/mapper/{name}")(mark)
        finally:
            run("dmsetup", "remove", "--retry", name)

    return attempt


def loop_on(node):
    def attempt(mark):
        loop = subprocess.check_output(["losetup", "-f", "--show", node], text=True).strip()
        try:
            print(f"  (loop ro={get_ro(loop)})")
            write_node(loop)(mark)
        finally:
            run("losetup", "-d", loop)

    return attempt


def mount_rw(node):
    def attempt(mark):
        run("mount", "-o", "rw", node, "/mnt")
        try:
            with open("/proc/self/mountinfo") as info:
                options = [line.split()[5] for line in info if line.split()[4] == "/mnt"][0]
            print(f"  (mounted {options.split(',')[0]})")
            with open("/mnt/x", "wb") as file:
                file.write(mark)
                os.fsync(file.fileno())
        finally:
            run("umount", "/mnt")
        raise OSError("written through the filesystem")

    return attempt


def held_before(node, how):
    """Opened, mapped or mounted while writable; then the flag is set; then a write."""

    def attempt(mark):
        set_ro(disk, 0)
        set_ro(part, 0)
        fd = os.open(node, os.O_RDWR)
        area = mmap.mmap(fd, SECTOR, offset=OFFSET)
        set_ro(disk, 1)
        set_ro(part, 1)
        try:
            if how == "fd":
                write_fd(fd, mark)
            else:
                area[:16] = mark
                area.flush()
        finally:
            area.close()
            os.close(fd)

    return attempt


def sg_write(node):
    """SCSI WRITE(10) by SG_IO, past the block layer's flag."""
    import ctypes

    def attempt(mark):
        base = int(open(f"/sys/class/block/{os.path.basename(part)}/start").read()) * 512
        lba = (base + OFFSET) // 512
        data = ctypes.create_string_buffer(mark.ljust(512), 512)
        sense = ctypes.create_string_buffer(32)
        cdb = ctypes.create_string_buffer(bytes([0x2A, 0, *lba.to_bytes(4, "big"), 0, 0, 1, 0]), 10)

        class Header(ctypes.Structure):
            _fields_ = [
                ("interface_id", ctypes.c_int), ("direction", ctypes.c_int), ("cmd_len", ctypes.c_ubyte),
                ("mx_sb_len", ctypes.c_ubyte), ("iovec_count", ctypes.c_ushort), ("dxfer_len", ctypes.c_uint),
                ("dxferp", ctypes.c_void_p), ("cmdp", ctypes.c_void_p), ("sbp", ctypes.c_void_p),
                ("timeout", ctypes.c_uint), ("flags", ctypes.c_uint), ("pack_id", ctypes.c_int),
                ("usr_ptr", ctypes.c_void_p), ("status", ctypes.c_ubyte), ("masked_status", ctypes.c_ubyte),
                ("msg_status", ctypes.c_ubyte), ("sb_len_wr", ctypes.c_ubyte), ("host_status", ctypes.c_ushort),
                ("driver_status", ctypes.c_ushort), ("resid", ctypes.c_int), ("duration", ctypes.c_uint),
                ("info", ctypes.c_uint),
            ]

        header = Header(
            interface_id=ord("S"), direction=-2, cmd_len=10, mx_sb_len=32, dxfer_len=512,
            dxferp=ctypes.addressof(data), cmdp=ctypes.addressof(cdb), sbp=ctypes.addressof(sense), timeout=10000,
        )
        fd = os.open(node, os.O_RDWR)
        try:
            fcntl.ioctl(fd, 0x2285, header)
            if header.status or header.host_status:
                raise OSError(f"SCSI status {header.status:#x} host {header.host_status:#x}")
        finally:
            os.close(fd)

    return attempt


def flags(whole, partition):
    set_ro(disk, 0)
    set_ro(part, 0)
    set_ro(disk, whole)
    if partition is not None:
        set_ro(part, partition)
    print(f"-- set disk={whole} partition={partition}: ro disk={get_ro(disk)} partition={get_ro(part)}")


def main():
    start = int(open(f"/sys/class/block/{os.path.basename(part)}/start").read()) * 512
    run("mkfs.ext4", "-q", "-F", part, "4M")
    flags(0, 0)
    report("writable: write to the partition", write_node(part))

    flags(1, None)
    report("disk ro: write to the disk", write_node(disk), disk)
    report("disk ro: write to the partition", write_node(part))
    report("disk ro: mount the partition rw", mount_rw(part))
    report("disk ro: dm-linear on the partition", dm_linear(part))
    report("disk ro: dm-linear on the disk", dm_linear(disk), disk)
    report("disk ro: loop on the partition", loop_on(part))

    flags(0, 1)
    report("partition ro: write to the disk, inside the partition", lambda m: os.pwrite(
        os.open(disk, os.O_RDWR | os.O_SYNC), m.ljust(SECTOR), start + OFFSET))
    report("partition ro: write to the partition", write_node(part))
    report("partition ro: mount rw", mount_rw(part))

    flags(1, 1)
    report("both ro: dm-linear on the partition", dm_linear(part))
    report("both ro: loop on the partition", loop_on(part))
    report("both ro: fd opened before", held_before(part, "fd"))
    report("both ro: mapping made before", held_before(part, "map"))
    report("both ro: mapping of the disk made before", held_before(disk, "map"), disk)
    report("both ro: SG_IO on the disk as root", sg_write(disk))
    flags(0, 0)
    run("mount", "-o", "rw", part, "/mnt")
    set_ro(disk, 1)
    set_ro(part, 1)
    try:
        with open("/mnt/late", "wb") as file:
            file.write(b"late")
            os.fsync(file.fileno())
        print("mounted rw before: write and fsync succeed")
    except OSError as error:
        print(f"mounted rw before: refused {error}")
    subprocess.run(["umount", "/mnt"])
    subprocess.run(["sh", "-c", f"echo 3 >/proc/sys/vm/drop_caches; mount -o ro {part} /mnt && ls -la /mnt; umount /mnt"])
    print("-- rescan of the partition table: does the flag survive?")
    flags(1, 1)
    subprocess.run(["blockdev", "--rereadpt", disk])
    subprocess.run(["udevadm", "settle"])
    print(f"after BLKRRPART: ro disk={get_ro(disk)} partition={get_ro(part)}")
    set_ro(disk, 0)
    set_ro(part, 0)


main()
