"""What the kernel does, without anything of ours: the facts that the guard is built on, and the holes it has to close.

A check that fails here says that this kernel differs from those the design was made for; it is no fault of the guard.
"""

import json
import os

import media
from vm import HERE

OVERLAY = (
    "mount -t tmpfs t /tmp && mkdir /tmp/b /tmp/m && "
    "mount -t overlay o -o userxattr,lowerdir=%s:/tmp/b /tmp/m && cat /tmp/m/f"
)
BIND = "mount -t tmpfs t /tmp && mkdir /tmp/m && mount --bind %s /tmp/m && cat /tmp/m/f"


def fact(name):
    with open(os.path.join(HERE, "facts", name)) as file:
        return file.read()


def reach(vm, kind, *command):
    """How many permission events the command raised, and whether it read the file all the same."""
    result = vm.check_run(["/run/reach", kind, "/srv/lower", "/srv/lower/f", *command])
    seen = json.loads(result)
    return len(seen["events"]), "secret" in seen["out"], seen


def check_marks(t):
    vm = t.vm
    vm.put("/run/reach", fact("fanotify-reach.py"), 0o755)
    vm.check_run(
        "mkdir -p /srv/lower && truncate -s 64M /run/lower.img && mkfs.ext4 -q /run/lower.img && "
        "mount -o loop /run/lower.img /srv/lower && echo secret >/srv/lower/f"
    )
    private = ["unshare", "-Urm", "sh", "-c"]
    # Before 6.8 overlayfs opens the file below without telling fsnotify, and any user may mount one in a namespace of
    # his own. Only vfat and exfat cannot be its lower layer.
    blind = vm.kernel == "6.1"
    for kind in ("filesystem", "inode"):
        events, got, seen = reach(vm, kind, "cat", "/srv/lower/f")
        t.check(f"{kind} mark: a plain open is refused", events == 1 and not got, seen)
        events, got, seen = reach(vm, kind, *private, BIND % "/srv/lower")
        t.check(f"{kind} mark: so is one by a bind mount in a private namespace", events == 1 and not got, seen)
        events, got, seen = reach(vm, kind, *private, OVERLAY % "/srv/lower")
        if blind:
            t.check(f"{kind} mark: 6.1 does NOT see one by a private overlayfs", events == 0 and got, seen)
        else:
            t.check(f"{kind} mark: nor does a private overlayfs get round it", events == 1 and not got, seen)
    events, got, seen = reach(vm, "mount", *private, BIND % "/srv/lower")
    t.check("mount mark: a private namespace gets round it", events == 0 and got, seen)

    switch = "/proc/sys/kernel/unprivileged_userns_clone"
    before = vm.check_run(["cat", switch]).strip()
    t.check("Debian lets users make namespaces, and has a switch for it", before == "1", before)
    vm.check_run(f"echo 0 >{switch}")
    events, got, seen = reach(vm, "filesystem", *private, OVERLAY % "/srv/lower")
    t.check("switched off, the private overlayfs is refused", not got and seen["rc"] != 0, seen)
    vm.check_run(f"echo {before} >{switch}; umount /srv/lower")


# The case, and the beginning of what is to come out.
READ_ONLY = {
    "writable: write to the partition": "WRITTEN",
    "disk ro: write to the disk": "refused",
    "disk ro: write to the partition": "refused",
    "disk ro: mount the partition rw": "refused",
    "disk ro: loop on the partition": "refused",
    "partition ro: write to the disk, inside the partition": "WRITTEN",
    "partition ro: write to the partition": "refused",
    "partition ro: mount rw": "refused",
    "both ro: fd opened before": "refused",
    # What the flag does not stop: bios that come from inside the kernel are let through with a warning.
    "disk ro: dm-linear on the disk": "WRITTEN",
    "both ro: dm-linear on the partition": "WRITTEN",
    "both ro: mapping made before": "WRITTEN",
    "both ro: mapping of the disk made before": "WRITTEN",
    "both ro: SG_IO on the disk as root": "WRITTEN",
    "mounted rw before": "write and fsync succeed",
    "after BLKRRPART": "ro disk=1 partition=1",
}


def check_read_only(t):
    vm = t.vm
    image = media.make_vfat(os.path.join(t.scratch, "ro.img"), partition=True)
    vm.plug_usb_storage(image, serial="FACTS")
    disk = vm.wait_run("readlink -e /dev/disk/by-id/usb-*FACTS*-part1").strip().removesuffix("1")
    vm.put("/run/readonly", fact("readonly-reach.py"), 0o755)
    out = vm.check_run(["/run/readonly", disk], timeout=120)
    t.note(out)
    seen = {}
    for line in out.splitlines():
        case, _, verdict = line.partition(": ")
        if case in ("writable", "disk ro", "partition ro", "both ro"):
            rest, _, verdict = verdict.rpartition(": ") if ": refused" not in verdict else verdict.partition(": ")
            case = f"{case}: {rest}"
        seen[case] = verdict
    for case, expected in READ_ONLY.items():
        found = seen.get(case, "nothing")
        t.check(f"BLKROSET, {case}: {expected}", found.startswith(expected), found)

    mapped = vm.run(
        f"set -e; wipefs -qa {disk}1; pvcreate -q -y {disk}1; vgcreate -q vg {disk}1; lvcreate -q -y -n l -L 4M vg; "
        f"vgchange -q -an vg; blockdev --setro {disk} {disk}1; vgchange -q -ay vg; "
        "dd if=/dev/zero of=/dev/vg/l bs=4k count=1 oflag=direct status=none; blockdev --getro /dev/vg/l; "
        f"vgchange -q -an vg; blockdev --setrw {disk} {disk}1; wipefs -qaf {disk}1"
    )
    t.check("an LVM volume on a read-only disk is writable", mapped.rc == 0 and "\n0\n" in f"\n{mapped.out}", mapped)
    crypt = vm.run(
        f"printf pw | cryptsetup luksFormat --type luks1 --pbkdf-force-iterations 1000 -q {disk}1 --key-file=- && "
        f"blockdev --setro {disk} {disk}1 && printf pw | cryptsetup open {disk}1 c --key-file=- && "
        f"blockdev --getro /dev/mapper/c; cryptsetup close c; blockdev --setrw {disk} {disk}1"
    )
    t.check("a LUKS volume on a read-only disk is opened read-only by cryptsetup", crypt.out.split() == ["1"], crypt)


# What agent/export does, with somebody else trying meanwhile.
EXPORT = {
    "flag set, rw mount": "refused",
    "in the list of mounts": "no",
    "write and fsync after the flag": "done",
    "raw write to the partition": "refused",
    "raw write to the disk": "refused",
    "second mount ro": "refused",
    "mount in a user namespace": "refused",
    "exclusive open": "refused",
    "rename": "done",
    "fsync of the directory": "done",
    "exclusive open after close": "done",
    "flags after": "11",
    "read back": "WRITTEN",
    "killed while writing": "flags 11, read-only mount done",
}


def check_export(t):
    vm = t.vm
    image = media.make_vfat(os.path.join(t.scratch, "export.img"), size=96 << 20, partition=True)
    vm.plug_usb_storage(image, serial="EXPORT")
    disk = vm.wait_run("readlink -e /dev/disk/by-id/usb-*EXPORT*-part1").strip().removesuffix("1")
    vm.put("/run/export", fact("export-reach.py"), 0o755)
    out = vm.check_run(["/run/export", disk, disk + "1"], timeout=200)
    t.note(out)
    seen = {}
    for line in out.splitlines():
        parts = line.split(": ", 2)
        if len(parts) == 3:
            seen[f"{parts[0]}: {parts[1]}"] = parts[2]
    for kind in ("vfat", "exfat", "ext4"):
        for case, expected in EXPORT.items():
            found = seen.get(f"{kind}: {case}", "nothing")
            t.check(f"{kind} written after BLKROSET, {case}: {expected}", found.startswith(expected), found)
        # Before 6.8 (or so) the flag is asked first, then the filesystem that is there already. Root's alone.
        found, expected = seen.get(f"{kind}: second mount rw", "nothing"), "refused" if vm.kernel == "6.1" else "done"
        t.check(f"{kind} written after BLKROSET, second mount rw by root: {expected}", found.startswith(expected), found)


def run(t):
    check_marks(t)
    check_read_only(t)
    check_export(t)
