"""A stick that is not in policy never becomes a block device; one that is can be read by the person at the machine through
udisks, and nothing that person tries changes one bit of it."""

import hashlib
import os

import media
from guard import TANAKA, Guard, member, read_bytes, stick, usb
from vm import wait_for

PROFILE = "agent"
SECONDS = 420

# As whom and where the ways are tried.
PLACES = {
    "tanaka": (),
    "tanaka, as root of a private user and mount namespace": ("unshare", "-Urm"),
}


def digest(path):
    return hashlib.sha256(read_bytes(path)).hexdigest()


def check_unknown(t, guard):
    """Must be seen 1, first half."""
    vm = t.vm
    guard.enforce(usb())
    before = guard.sequence()
    image = media.make_vfat(os.path.join(t.scratch, "unknown.img"), {"a": "a"})
    name = vm.plug_usb_storage(image, serial="UNKNOWN")
    device = guard.wait_device(kind="usb", serial="UNKNOWN")
    t.check("a stick that is not in policy is refused", device["verdict"] == "deny" and device["rule"] == "default", device)
    seen = vm.check_run(f"cat /sys/bus/usb/devices/{device['port']}/authorized; ls /sys/bus/usb/devices/{device['port']}/ | grep : | wc -l")
    t.check("the kernel has not authorized it: no configuration, no interface", seen.split() == ["0", "0"], seen)
    vm.check_run(["udevadm", "settle"])
    nodes = vm.run("ls /dev/sd* /dev/sg* /dev/bsg /dev/disk/by-id/usb-* 2>/dev/null")
    t.check("it has no block device and no SCSI node", nodes.out.strip() == "", nodes)
    t.check("nor a medium in kuraban's list", guard.devices(kind="medium", bus="usb") == [], guard.devices())
    found = guard.since(before, event__action="device-decided", device__serial_number="UNKNOWN")
    denied = [record for record in found if record["kuraban"]["verdict"] == "deny" and record["rule"]["id"] == "default"]
    t.check("the journal has the refusal, with its rule", len(denied) >= 1, found)
    why = vm.run(["kuraban", "why"], user="tanaka", env={"LANG": "ja_JP.UTF-8"})
    t.check("tanaka is told why, in Japanese", why.rc == 0 and "UNKNOWN" in why.out and "拒否" in why.out, why)
    node = vm.check_run(f"cat /sys/bus/usb/devices/{device['port']}/uevent | sed -n 's,^DEVNAME=,/dev/,p'").strip()
    ways = guard.attempts("nodes", node)
    t.check("its raw USB node is not tanaka's", len(ways) == 4 and "done" not in ways.values(), ways)
    vm.unplug(name)
    wait_for(lambda: guard.devices(serial="UNKNOWN") == [], "the refused stick's leaving")
    t.check("pulled out, it leaves the list", True)


def check_node_access(t, guard, node):
    vm = t.vm
    raw = vm.check_run(
        f"d=$(basename {node}); s=/sys/block/$d/device; for n in {node} {node}?*"
        " $(ls -d $s/scsi_generic/* $s/bsg/* 2>/dev/null | sed 's,.*/scsi_generic/,/dev/,; s,.*/bsg/,/dev/bsg/,');"
        " do [ -e $n ] && echo $n; done;"
        " p=$(readlink -f $s); while [ ! -e $p/busnum ]; do p=${p%/*}; done;"
        " printf '/dev/bus/usb/%03d/%03d\\n' $(cat $p/busnum $p/devnum)"
    ).split()
    t.check("there are raw nodes to try", len(raw) >= 3, raw)
    for who, prefix in PLACES.items():
        ways = guard.attempts("nodes", *raw, prefix=prefix)
        opened = [way for way, result in ways.items() if result == "done"]
        t.check(f"none of them opens for {who}", len(ways) == 4 * len(raw) and not opened, ways)
    result = vm.run(f"dd if=/dev/zero of={node} bs=512 count=1 conv=fsync", user="tanaka")
    t.check("dd to the node fails", result.rc != 0, result)
    result = vm.run(f"dd if=/dev/zero of={node} bs=512 count=1 conv=fsync")
    t.check("dd to the node fails for root as well", result.rc != 0, result)


def check_udisks(t, node, directory):
    """What the desktop's service would do for the person at the machine."""
    vm = t.vm
    name = os.path.basename(node)
    block = f"/org/freedesktop/UDisks2/block_devices/{name}"
    call = ["busctl", "call", "org.freedesktop.UDisks2"]
    tries = {
        "format": ["org.freedesktop.UDisks2.Block", "Format", "sa{sv}", "vfat", "0"],
        "open for writing": ["org.freedesktop.UDisks2.Block", "OpenDevice", "sa{sv}", "rw", "0"],
        "open for restoring": ["org.freedesktop.UDisks2.Block", "OpenForRestore", "a{sv}", "0"],
        "set the label": ["org.freedesktop.UDisks2.Filesystem", "SetLabel", "sa{sv}", "LEAK", "0"],
        "repair": ["org.freedesktop.UDisks2.Filesystem", "Repair", "a{sv}", "0"],
    }
    for what, words in tries.items():
        result = vm.run([*call, block, *words], user="tanaka")
        t.check(f"udisks does not {what} for tanaka", result.rc != 0, result)
    again = ["udisksctl", "mount", "--no-user-interaction", "-b", node]
    for options in (["-o", "rw"], ["-o", "remount,rw"], []):
        result = vm.run([*again, *options], user="tanaka")
        t.check(f"udisks makes no second or writable mount {options}", result.rc != 0, result)
    vm.unmount(node)
    result = vm.run([*again, "-o", "rw"], user="tanaka")
    found = vm.run(["findmnt", "-n", "-o", "OPTIONS", directory])
    t.check("mounted again with rw asked for, it is read-only or not mounted", result.rc != 0 or "ro," in found.out, found)
    if result.rc == 0:
        vm.unmount(node)
    vm.check_run(again, user="tanaka")


def check_mounts(t, guard, node, directory):
    vm = t.vm
    ways = guard.attempts("mounts", directory, node)
    t.check("no remount and no mount by tanaka", len(ways) == 4 and "done" not in ways.values(), ways)
    ways = guard.attempts("mounts", directory, node, prefix=PLACES[list(PLACES)[1]])
    t.check("nor in a private namespace", len(ways) == 4 and not [w for w in ways if w != "remount-bind" and ways[w] == "done"], ways)
    script = (
        f"mkdir -p /tmp/b && mount --bind {directory} /tmp/b && {{ mount -o remount,bind,rw /tmp/b; "
        "echo leak >/tmp/b/by-bind; }"
    )
    result = vm.run(["unshare", "-Urm", "sh", "-c", script], user="tanaka")
    t.check("a bind mount in a private namespace is not writable", result.rc != 0, result)
    overlay = (
        "mount -t tmpfs t /tmp && mkdir /tmp/u /tmp/w /tmp/m && "
        f"mount -t overlay o -o userxattr,lowerdir={directory},upperdir=/tmp/u,workdir=/tmp/w /tmp/m"
    )
    result = vm.run(["unshare", "-Urm", "sh", "-c", overlay], user="tanaka")
    t.check("there is no overlay filesystem for users", result.rc != 0, result)
    result = vm.run(f"mount -o remount,rw {directory}")
    state = vm.run(["findmnt", "-n", "-o", "FS-OPTIONS", directory])
    t.check("root's remount rw does not make it writable", result.rc != 0 and state.out.startswith("ro"), (result, state))
    result = vm.run(f"mkdir -p /run/second && mount -o rw {node} /run/second && touch /run/second/leak")
    t.check("nor does root's second mount", result.rc != 0, result)
    # kuraband has a look at what was mounted, and is in the way for that moment.
    vm.wait_run("! mountpoint -q /run/second || umount /run/second")


def check_exec(t, guard, directory):
    vm = t.vm
    # vfat shows an execution bit for .exe only: without it the mode alone would refuse.
    program = f"{directory}/attempts.exe"
    mode = vm.check_run(["stat", "-c", "%A", program])
    t.check("there is a program on the stick", mode.startswith("-rwx"), mode)
    vm.wait_run(f"findmnt -n -o OPTIONS {directory} | grep -q noexec")
    result = vm.run(f"{program} hello", user="tanaka")
    t.check("a program on the stick does not run", "executed" not in result.out and result.rc != 0, result)
    result = vm.run(["unshare", "-Urm", program, "hello"], user="tanaka")
    t.check("nor in a private namespace", "executed" not in result.out and result.rc != 0, result)
    for who, prefix in PLACES.items():
        ways = guard.attempts("map", program, prefix=prefix)
        t.check(f"nor is it mapped for execution (ld.so PROGRAM) for {who}", ways == {"map": "EPERM"}, ways)
    ways = guard.attempts("map", "/usr/local/bin/attempts")
    t.check("what lies elsewhere is", ways == {"map": "done"}, ways)


def check_permitted(t, guard, kind):
    """Must be seen 1, second half."""
    vm = t.vm
    serial = f"GOOD{kind.upper()}"
    guard.enforce(usb(stick(serial)))
    image = os.path.join(t.scratch, f"{kind}.img")
    files = {"hello.txt": "こんにちは\n", "dir/inner": "inner\n", "attempts.exe": read_bytes(guard.program("attempts"))}
    if kind == "vfat":
        media.make_vfat(image, files)
    else:
        media.make_ext4(image, files=files, label="STICK", size=32 << 20)
        media.run("debugfs", "-w", "-R", "sif / uid 1000", image, stderr=media.subprocess.DEVNULL)
        for name in ("hello.txt", "dir", "attempts.exe"):
            media.run("debugfs", "-w", "-R", f"sif /{name} uid 1000", image, stderr=media.subprocess.DEVNULL)
        media.run("debugfs", "-w", "-R", "sif /attempts.exe mode 0100755", image, stderr=media.subprocess.DEVNULL)
    before, start = digest(image), guard.sequence()
    device = guard.plug(image, serial)
    t.check(f"{kind}: a stick in policy is authorized", device["verdict"] == "allow" and device["authorized"], device)
    medium = guard.medium(serial, verdict="allow")
    node = medium["node"]
    t.check(f"{kind}: its medium is allowed for reading, read-only", medium["granted"] == "read" and medium["read_only"], medium)
    directory = guard.mount(node)
    result = vm.run(f"cat {directory}/hello.txt {directory}/dir/inner", user="tanaka")
    t.check(f"{kind}: tanaka reads through udisks", result.out == "こんにちは\ninner\n", result)
    guarded = wait_for(lambda: guard.device(id=medium["id"], guarded=True), "the guard's mark")
    t.check(f"{kind}: the gate guards what is mounted", guarded["guarded"] is True, guarded)

    for who, prefix in PLACES.items():
        ways = guard.attempts("files", directory, "hello.txt", prefix=prefix)
        changed = [way for way, result in ways.items() if result == "done"]
        t.check(f"{kind}: {len(ways)} ways of writing, none for {who}", len(ways) == 27 and not changed, ways)
    check_exec(t, guard, directory)
    if kind == "vfat":
        check_node_access(t, guard, node)
        check_mounts(t, guard, node, directory)
        check_udisks(t, node, directory)
    vm.unmount(node)
    vm.reset_devices()
    t.check(f"{kind}: not one bit of the stick has changed", digest(image) == before)
    # Writing and running are refused by the kernel, because device and mount say so, before the gate is asked: in no journal.
    opened = guard.since(start, event__action="file-open", kuraban__verdict="allow")
    paths = {member(record, "file__path") for record in opened if member(record, "user__id") == str(TANAKA)}
    t.check(f"{kind}: the journal has what tanaka read", f"{directory}/hello.txt" in paths, opened[:3])


def check_ways(t, guard):
    """The ways do write where nothing guards: else the checks above could not fail."""
    t.vm.check_run("rm -rf ~/ways; mkdir ~/ways; echo hello >~/ways/f", user="tanaka")
    for who, prefix in PLACES.items():
        ways = guard.attempts("files", "/home/tanaka/ways", "f", prefix=prefix)
        failed = {way: result for way, result in ways.items() if result != "done"}
        t.check(f"elsewhere the ways of writing work for {who}", failed == {"mmap-of-reader": "EACCES"}, ways)
        t.vm.check_run("rm -rf ~/ways; mkdir ~/ways; echo hello >~/ways/f", user="tanaka")


def run(t):
    guard = Guard(t)
    guard.give_namespaces()
    check_ways(t, guard)
    check_unknown(t, guard)
    check_permitted(t, guard, "vfat")
    check_permitted(t, guard, "ext4")
    t.check("the journal verifies", guard.verify()["ok"] is True, guard.verify())
