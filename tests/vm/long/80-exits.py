"""Media that are no plain stick, and what is done to media behind the guard's back: partitions, LUKS, optical, SD cards,
a cleared read-only flag, a FUSE mount; and a policy that changes while they are in use."""

import os

import media
from guard import Guard, stick, usb
from vm import wait_for

PROFILE = "agent"
SECONDS = 300

# A FUSE mount as tanaka, by fusermount3 like sshfs does it, with a server that never answers.
FUSE = """
import array, os, socket, subprocess, sys, time
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
os.makedirs("/tmp/fuse", exist_ok=True)
subprocess.run(["fusermount3", "-o", "fsname=tanaka@outside:/,subtype=sshfs", "--", "/tmp/fuse"], check=True,
               pass_fds=[theirs.fileno()], env={**os.environ, "_FUSE_COMMFD": str(theirs.fileno())})
_, ancillary, _, _ = ours.recvmsg(16, socket.CMSG_SPACE(4))
fds = array.array("i", ancillary[0][2])
print("mounted", flush=True)
while True:
    time.sleep(1)
"""


def held(vm, node):
    """Read-only, root's alone, and hidden from udisks, which hears of it when udev is done."""
    name = os.path.basename(node)
    vm.check_run(["udevadm", "settle"])
    out = vm.check_run(f"cat /sys/class/block/{name}/ro; stat -c '%U %a' {node}; udevadm info -q property {node} | grep ^UDISKS_IGNORE=1")
    return out.split()[:3] == ["1", "root", "600"] and "UDISKS_IGNORE=1" in out


def check_partition(t, guard):
    vm = t.vm
    guard.enforce(usb(stick("PART")))
    image = media.make_vfat(os.path.join(t.scratch, "part.img"), {"a": "in a partition"}, partition=True)
    guard.plug(image, "PART")
    part = wait_for(lambda: [d for d in guard.devices(kind="medium", serial="PART", verdict="allow") if d["node"].endswith("1")], "the partition")[0]
    disk = part["node"][:-1]
    ro = vm.check_run(f"cat /sys/class/block/{os.path.basename(disk)}/ro /sys/class/block/{os.path.basename(part['node'])}/ro")
    t.check("disk and partition are read-only", ro.split() == ["1", "1"], ro)
    directory = guard.mount(part["node"])
    result = vm.run(["cat", f"{directory}/a"], user="tanaka")
    t.check("a partition of a permitted stick is read", result.out == "in a partition", result)
    return part["node"], disk, directory


def check_reasserted(t, guard, node, disk, directory):
    """root clears the flag: it comes back, with an alarm, and a mount that was made writable meanwhile is taken away."""
    vm = t.vm
    before = guard.sequence()
    vm.check_run(["blockdev", "--setrw", disk, node])
    vm.wait_run(f"[ \"$(blockdev --getro {disk})$(blockdev --getro {node})\" = 11 ]", seconds=20)
    t.check("read-only that root cleared is set again", True)
    alarms = guard.since(before, event__action="medium-reasserted", event__kind="alert")
    t.check("with an alarm", alarms, alarms)
    vm.run(f"blockdev --setrw {disk} {node} && mount -o remount,rw {directory}")
    vm.wait_run(f"! findmnt -n -o FS-OPTIONS {directory} | grep -q ^rw && [ \"$(blockdev --getro {disk})$(blockdev --getro {node})\" = 11 ]", seconds=20)
    ways = guard.attempts("files", directory, "a") if vm.run(["mountpoint", "-q", directory]).rc == 0 else {"gone": "gone"}
    t.check("a mount that root made writable meanwhile is read-only again or gone", "done" not in ways.values(), ways)


def check_changed_policy(t, guard, node, directory):
    """The stick is mounted when a new policy refuses it."""
    vm = t.vm
    guard.enforce(usb())
    wait_for(lambda: guard.devices(serial="PART", verdict="allow") == [], "the refusal")
    vm.wait_run(f"[ ! -e {node} ] && ! mountpoint -q {directory}", seconds=20)
    result = vm.run(f"cat {directory}/a", user="tanaka")
    t.check("a policy that refuses it takes a mounted stick away", result.rc != 0, result)
    guard.enforce(usb(stick("PART")))
    guard.wait_device(kind="usb", serial="PART", authorized=True)
    wait_for(lambda: guard.devices(kind="medium", serial="PART", verdict="allow"), "the media's coming back")
    t.check("and one that permits it gives it back", True)
    vm.reset_devices()


def check_luks(t, guard):
    vm = t.vm
    vm.check_run(
        "set -e; truncate -s 24M /run/luks.img; printf pw >/run/pw; chmod 644 /run/pw;"
        " cryptsetup luksFormat --type luks1 --pbkdf-force-iterations 1000 -q /run/luks.img /run/pw;"
        " cryptsetup open --key-file /run/pw /run/luks.img make; mkfs.ext4 -q /dev/mapper/make; mount /dev/mapper/make /mnt;"
        " echo secret >/mnt/f; chown -R tanaka: /mnt; umount /mnt; cryptsetup close make",
        timeout=120,
    )
    guard.enforce(usb("{id: luks, allow: read, match: {serial: [LUKS, PLAIN]}, medium: {luks-only: true}}"))
    image = media.make_vfat(os.path.join(t.scratch, "plain.img"), {"a": "a"})
    guard.plug(image, "PLAIN")
    plain = guard.medium("PLAIN", reason="encryption")
    t.check("where LUKS is demanded a plain stick is refused", plain["verdict"] == "deny" and plain["rule"] == "luks", plain)
    t.check("and hidden", held(vm, plain["node"]), plain)
    result = vm.run(["udisksctl", "mount", "--no-user-interaction", "-b", plain["node"]], user="tanaka")
    t.check("udisks does not mount it", result.rc != 0, result)
    vm.reset_devices()

    vm.check_run(["gadget", "add", "luks", "--vid", "0x0951", "--serial", "LUKS", "--storage", "/run/luks.img"])
    outer = guard.medium("LUKS", verdict="allow", filesystem="crypto_LUKS")
    vm.wait_run(f"udevadm info -q property {outer['node']} | grep -qx ID_FS_USAGE=crypto")
    result = vm.run(["udisksctl", "unlock", "--no-user-interaction", "-b", outer["node"], "--key-file", "/run/pw"], user="tanaka")
    t.check("a LUKS stick is unlocked by tanaka", result.rc == 0, result)
    inner = wait_for(lambda: [d for d in guard.devices(kind="medium", filesystem="ext4", verdict="allow") if "dm-" in d["node"]], "the mapped medium")[0]
    t.check("what is mapped on it follows the rule, read-only", inner["rule"] == "luks" and inner["read_only"], inner)
    directory = guard.mount(inner["node"])
    result = vm.run(["cat", f"{directory}/f"], user="tanaka")
    t.check("its content is read", result.out == "secret\n", result)
    ways = guard.attempts("files", directory, "f")
    t.check("and not written, in any way", len(ways) == 27 and "done" not in ways.values(), ways)
    ways = guard.attempts("nodes", inner["node"], "/dev/mapper/control")
    t.check("nor is its node tanaka's", len(ways) == 8 and "done" not in ways.values(), ways)
    vm.check_run(["udisksctl", "unmount", "-b", inner["node"]], user="tanaka")
    vm.check_run(["udisksctl", "lock", "-b", outer["node"]], user="tanaka")
    vm.check_run(["gadget", "clear"])


def check_optical(t, guard):
    vm = t.vm
    vm.check_run("truncate -s 4M /run/cd.img; mkfs.vfat /run/cd.img >/dev/null")
    guard.enforce(usb('{id: drive, allow: read, match: {serial: CDROM}}'), "media: {rules: [{id: no-discs, refuse: true, match: {path: /dev/sr*}}]}\n")
    vm.check_run(["gadget", "add", "cd", "--vid", "0x0951", "--serial", "CDROM", "--cdrom", "/run/cd.img"])
    disc = wait_for(lambda: [d for d in guard.devices(kind="medium") if d["node"] == "/dev/sr0"], "the disc")[0]
    t.check("a disc in a permitted USB drive is refused by a media rule", disc["verdict"] == "deny" and disc["rule"] == "no-discs", disc)
    t.check("and held", held(vm, "/dev/sr0"), disc)
    vm.check_run(["gadget", "clear"])
    vm.wait_run("[ ! -e /dev/sr0 ]")

    guard.enforce()
    vm.qmp.command("blockdev-add", **{"driver": "null-co", "node-name": "disc", "size": 4 << 20, "read-only": True, "read-zeroes": True})
    vm.qmp.command("device_add", driver="scsi-cd", id="cdrom", bus="scsi.0", drive="disc")
    disc = wait_for(lambda: [d for d in guard.devices(kind="medium", bus="optical")], "the disc")[0]
    t.check("a built-in drive is an exit by itself", disc["verdict"] == "deny" and disc["rule"] == "media.optical", disc)
    t.check("and held as well", held(vm, disc["node"]), disc)
    ways = guard.attempts("nodes", disc["node"], "/dev/sg0")
    t.check("no raw node of it is tanaka's", "done" not in ways.values(), ways)
    vm.qmp.command("device_del", id="cdrom")
    vm.qmp.wait_event("DEVICE_DELETED", 30, device="cdrom")
    vm.qmp.command("blockdev-del", **{"node-name": "disc"})


def check_card(t, guard):
    vm = t.vm
    card = wait_for(lambda: [d for d in guard.devices(kind="medium", bus="mmc")], "the SD card")[0]
    t.check("an SD card that was there from the boot is an exit", card["verdict"] == "deny" and card["rule"] == "media.sdcard", card)
    t.check("and held", held(vm, card["node"]), card)
    result = vm.run(f"dd if=/dev/zero of={card['node']} bs=512 count=1 conv=fsync")
    t.check("not even root writes to it by mistake", result.rc != 0, result)


def check_fuse(t, guard):
    vm = t.vm
    guard.enforce()
    before = guard.sequence()
    vm.put("/run/fuse", FUSE)
    job = vm.spawn(["python3", "/run/fuse"], user="tanaka", timeout=60)
    wait_for(lambda: "mounted" in job.output(), "the FUSE mount")
    vm.wait_run("! findmnt -n /tmp/fuse", seconds=20)
    t.check("a FUSE mount of tanaka's is detached, though its server never answers", True)
    found = guard.since(before, event__action="mount-decided", kuraban__verdict="deny")
    t.check("the journal says so", any(record["file"]["path"] == "/tmp/fuse" for record in found), found)
    job.signal(9)
    job.wait()

    guard.enforce(usb(), 'media: {fuse: {default: refuse, allow: ["fuse.sshfs"]}}\n')
    job = vm.spawn(["python3", "/run/fuse"], user="tanaka", timeout=60)
    wait_for(lambda: "mounted" in job.output(), "the FUSE mount")
    wait_for(lambda: guard.since(before, event__action="mount-decided", kuraban__verdict="allow"), "the decision")
    t.check("one that policy names stays", vm.run(["findmnt", "-n", "/tmp/fuse"]).rc == 0)
    job.signal(9)
    job.wait()
    vm.run(["fusermount3", "-uz", "/tmp/fuse"], user="tanaka")


def run(t):
    guard = Guard(t)
    try:
        guard.enforce()
        check_card(t, guard)
        node, disk, directory = check_partition(t, guard)
        check_reasserted(t, guard, node, disk, directory)
        check_changed_policy(t, guard, node, directory)
        check_luks(t, guard)
        check_optical(t, guard)
        check_fuse(t, guard)
        t.check("the journal verifies", guard.verify()["ok"] is True, guard.verify())
    finally:
        t.vm.run(["gadget", "clear"])
        guard.enforce()
