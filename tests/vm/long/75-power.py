"""The machine sleeps and wakes, a dock is pulled and put back, a volume group lies on a stick: decisions stay. And it is
turned off, in order."""

import contextlib
import os

import media
from channel import Timeout, VMError
from guard import Guard, stick, usb
from vm import wait_for

PROFILE = "agent"
SECONDS = 420
LAST = True

DOCK = '{id: dock, allow: use, match: {device: "0409:55aa", interfaces: {equals: ["09:00:00"]}}}'
# What a new enumeration must not change. It may change the port and the disk's kernel name.
SAME = ("kind", "hash", "serial", "verdict", "rule", "authorized", "granted", "read_only")


def picture(guard):
    """What kuraban says of everything present."""
    return sorted(repr([device.get(key) for key in SAME]) for device in guard.devices())


def check_picture(t, guard, what, expected):
    """kuraban's list becomes the expected one."""
    with contextlib.suppress(Timeout):  # the check says what is different
        wait_for(lambda: picture(guard) == expected, what, 30, every=0.5)
    now = picture(guard)
    t.check(what, now == expected, {"expected": expected, "seen": now})


def disks(vm):
    return vm.run("ls -d /sys/block/sd* 2>/dev/null | wc -l").out.strip()


def refused(guard, serial):
    """The stick with this number is refused, and the kernel shows no more of it than that it is there."""
    device = guard.device(kind="usb", serial=serial)
    if device is None:
        return False
    path = f"/sys/bus/usb/devices/{device['port']}"
    seen = guard.vm.run(f"cat {path}/authorized; ls {path}/ | grep -c :").out.split()
    good = device["verdict"] == "deny" and device["rule"] == "default" and not device["authorized"]
    return good and seen == ["0", "0"] and guard.devices(kind="medium", serial=serial) == []


def readable(t, guard, what, serial, directory=None):
    """The permitted stick is read and not written, mounted anew when the mount is gone."""
    vm = t.vm
    medium = guard.medium(serial, verdict="allow", read_only=True)
    t.check(f"{what}: the permitted stick is allowed by its rule", medium["rule"] == "stick" and medium["granted"] == "read", medium)
    flag = vm.check_run(["blockdev", "--getro", medium["node"]]).strip()
    t.check(f"{what}: and its device is read-only", flag == "1", flag)
    if directory is None or vm.run(["cat", f"{directory}/a"], user="tanaka").rc != 0:
        vm.run(["umount", "-l", directory or "/nowhere"])
        directory = guard.mount(medium["node"])
    # Never from the cache: what is asked for is that the stick answers.
    vm.check_run("sync; echo 3 >/proc/sys/vm/drop_caches")
    result = vm.run(["cat", f"{directory}/a"], user="tanaka")
    t.check(f"{what}: tanaka reads it", result.out == serial, result)
    wait_for(lambda: guard.device(id=medium["id"], guarded=True), "the guard's mark")
    ways = guard.attempts("files", directory, "a")
    t.check(f"{what}: and does not write it, in any way", len(ways) == 27 and "done" not in ways.values(), ways)
    return directory


# Sleep

# Where the registers of power management are, in the Q35's LPC bridge. SeaBIOS 1.16 sets that at a start and not at a waking (a PC's firmware does):
# without them the kernel cannot turn the machine off and panics.
PLACE = "/sys/bus/pci/devices/0000:00:1f.0/config bs=1 count=5 conv=notrunc status=none"
SAVE, RESTORE = f"dd if={PLACE} skip=64 of=/run/place", f"dd if=/run/place of={PLACE} seek=64"


def sleeps(vm):
    return int(vm.check_run(["cat", "/sys/power/suspend_stats/success"]))


def suspend_to_ram(t):
    """S3: the USB controller loses its power, the firmware starts the machine again."""
    vm = t.vm
    vm.check_run(f"echo deep >/sys/power/mem_sleep; {SAVE}")
    job = vm.spawn("echo mem >/sys/power/state", timeout=120)
    vm.qmp.wait_event("SUSPEND", 60)
    t.check("suspend to RAM: the machine is off", vm.qmp.command("query-status")["status"] == "suspended")
    vm.qmp.command("system_wakeup")
    vm.qmp.wait_event("WAKEUP", 30)
    result = job.wait()
    vm.check_run(RESTORE)
    return result


def check_sleep(t, guard):
    vm, what = t.vm, "suspend to RAM"
    guard.enforce(usb(stick("KEEP")))
    guard.plug(media.make_vfat(os.path.join(t.scratch, "keep.img"), {"a": "KEEP"}), "KEEP")
    guard.plug(media.make_vfat(os.path.join(t.scratch, "left.img"), {"a": "LEFT"}), "LEFT")
    directory = readable(t, guard, f"before {what}", "KEEP")
    t.check(f"before {what}: the other stick is refused", refused(guard, "LEFT"), guard.devices())
    before, number, start = picture(guard), sleeps(vm), guard.sequence()
    pid = vm.check_run("systemctl show -p MainPID --value kuraband.service")

    result = suspend_to_ram(t)
    t.check(f"{what}: the machine slept and woke", result.rc == 0 and sleeps(vm) == number + 1, result)
    status = guard.status()
    t.check(f"{what}: the same kuraband enforces", status["enforcing"] and status["mode"] == "enforce", status)
    again = vm.check_run("systemctl show -p MainPID --value kuraband.service")
    t.check(f"{what}: which was not started anew", again == pid, (pid, again))
    guard.wait_device(kind="usb", serial="KEEP", authorized=True)
    guard.medium("KEEP", verdict="allow", read_only=True)
    vm.check_run(["udevadm", "settle"])
    check_picture(t, guard, f"{what}: every device and medium has the decision it had", before)
    t.check(f"{what}: the refused stick stays unauthorized, without interface", refused(guard, "LEFT"), guard.devices())
    t.check(f"{what}: there is one disk, the permitted one", disks(vm) == "1", disks(vm))
    # By kuraban's own records: what the kernel did between is not watched.
    allowed = guard.since(start, device__serial_number="LEFT", kuraban__verdict="allow")
    t.check(f"{what}: nor was it let in meanwhile", allowed == [], allowed)
    keyboard = guard.device(kind="usb", vendor="0627", product="0001")
    t.check(f"{what}: the keyboard is authorized", keyboard and keyboard["authorized"] and keyboard["rule"] == "keyboard", keyboard)
    readable(t, guard, what, "KEEP", directory)
    new = vm.plug_usb_storage(media.make_vfat(os.path.join(t.scratch, "new.img"), {"a": "NEW"}), serial="NEW")
    guard.wait_device(kind="usb", serial="NEW", verdict="deny")
    t.check(f"{what}: a stick that comes afterwards is decided about", refused(guard, "NEW"), guard.devices())
    vm.unplug(new)
    verified = guard.verify()
    t.check(f"{what}: the journal verifies", verified["ok"] is True and verified["rc"] == 0, verified)
    vm.run(["udisksctl", "unmount", "-b", guard.medium("KEEP")["node"]], user="tanaka")
    vm.reset_devices()
    wait_for(lambda: guard.devices(serial="KEEP") == [], "the sticks' leaving")


# The dock


@contextlib.contextmanager
def docked(t, port, sticks):
    """A hub with sticks behind it, {place: (image, serial)}, pulled at the end: what hangs on it goes with it."""
    vm = t.vm
    # Without a serial number of its own QEMU makes one of the socket.
    dock, names = vm.plug("usb-hub", port=port, serial="DOCK"), []
    try:
        for place, (image, serial) in sticks.items():
            names.append(vm.plug_usb_storage(image, serial=serial, port=f"{port}.{place}"))
        yield
    finally:
        vm.unplug(dock)
        for name in names:
            vm.qmp.wait_event("DEVICE_DELETED", 30, device=name)
            vm.qmp.command("blockdev-del", **{"node-name": vm.plugged.pop(name)})


def hub(guard, **wanted):
    return guard.wait_device(kind="usb", vendor="0409", product="55aa", **wanted)


def check_docked(t, guard, what):
    """The directory where the permitted stick behind the dock is mounted."""
    found = hub(guard, authorized=True)
    t.check(f"{what}: the hub is allowed by its rule", found["rule"] == "dock" and found["verdict"] == "allow", found)
    guard.wait_device(kind="usb", serial="INDOCK", authorized=True)
    guard.wait_device(kind="usb", serial="OUTDOCK", verdict="deny")
    directory = readable(t, guard, what, "INDOCK")
    t.check(f"{what}: the other stick behind it is refused", refused(guard, "OUTDOCK"), guard.devices())
    t.check(f"{what}: there is one disk", disks(t.vm) == "1", disks(t.vm))
    return directory


def check_dock(t, guard):
    vm = t.vm
    guard.enforce(usb(DOCK, stick("INDOCK")))
    keep = (media.make_vfat(os.path.join(t.scratch, "indock.img"), {"a": "INDOCK"}), "INDOCK")
    left = (media.make_vfat(os.path.join(t.scratch, "outdock.img"), {"a": "OUTDOCK"}), "OUTDOCK")
    empty, first = picture(guard), None
    # Put back into the same socket, and then into another one with its sticks changed about.
    for what, port, sticks in (
        ("docked", "5", {1: keep, 2: left}),
        ("docked again", "5", {1: keep, 2: left}),
        ("docked elsewhere", "6", {3: left, 4: keep}),
    ):
        with docked(t, port, sticks):
            directory = check_docked(t, guard, what)
            first = first or picture(guard)
            check_picture(t, guard, f"{what}: the list is the first one's, nothing twice and nothing old", first)
        check_picture(t, guard, f"{what}: pulled, it leaves nothing in the list", empty)
        vm.wait_run(f"! mountpoint -q {directory} && ! ls -d /sys/block/sd*", seconds=20)
        t.check(f"{what}: nor a mount or a disk", True)
    guard.enforce(usb(stick("INDOCK")))
    with docked(t, "5", {1: keep}):
        found = hub(guard, verdict="deny")
        t.check("a dock that is not in policy is refused", not found["authorized"] and found["rule"] == "default", found)
        vm.check_run(["udevadm", "settle"])
        behind = guard.devices(serial="INDOCK")
        t.check("and nothing behind it is reached, also no permitted stick", behind == [] and disks(vm) == "0", behind)


# A volume group


def mapped(guard):
    found = [device for device in guard.devices(kind="medium") if "dm-" in device["node"]]
    return found[0] if len(found) == 1 else None


def check_lvm(t, guard):
    vm = t.vm
    guard.enforce(usb())
    vm.check_run(
        "set -e; truncate -s 48M /run/lvm.img; loop=$(losetup -f --show /run/lvm.img); vgcreate -qq kvg $loop;"
        " lvcreate -qq -y -Wn -Zn -l 100%FREE -n data kvg; mkfs.ext4 -q /dev/kvg/data; mount /dev/kvg/data /mnt;"
        " printf LVM >/mnt/a; chown -R tanaka: /mnt; umount /mnt; vgchange -qq -an kvg; losetup -d $loop",
        timeout=120,
    )
    before = vm.check_run(["sha256sum", "/run/lvm.img"])
    guard.enforce(usb("{id: stick, allow: read, match: {serial: LVM}}"))
    vm.check_run(["gadget", "add", "lvm", "--vid", "0x0951", "--serial", "LVM", "--storage", "/run/lvm.img"])
    outer = guard.medium("LVM", verdict="allow")
    t.check("a stick with a volume group is allowed by its rule", outer["rule"] == "stick" and outer["read_only"], outer)
    vm.check_run(["udevadm", "settle"])
    result = vm.run(["vgchange", "-ay", "kvg"])  # as Debian's event activation does, which may have been first
    vm.wait_run("[ -e /dev/kvg/data ]")
    t.note(f"vgchange: {result}")
    inner = wait_for(lambda: mapped(guard), "the mapped medium")
    t.check("the logical volume on it follows the rule", inner["rule"] == "stick" and inner["verdict"] == "allow", inner)
    t.check("and is read-only", inner["read_only"], inner)
    flag = vm.check_run(["blockdev", "--getro", inner["node"]]).strip()
    t.check("the kernel holds it read-only", flag == "1", flag)
    # By root: to udisks a logical volume is a part of the system, which tanaka may not mount.
    directory = "/run/volume"
    vm.check_run(f"mkdir -p {directory} && mount {inner['node']} {directory}")
    result = vm.run(["cat", f"{directory}/a"], user="tanaka")
    t.check("its content is read", result.out == "LVM", result)
    wait_for(lambda: guard.device(id=inner["id"], guarded=True), "the guard's mark")
    ways = guard.attempts("files", directory, "a")
    t.check("and not written, in any way", len(ways) == 27 and "done" not in ways.values(), ways)
    ways = guard.attempts("nodes", inner["node"], "/dev/mapper/control")
    t.check("nor is its node tanaka's", len(ways) == 8 and "done" not in ways.values(), ways)
    result = vm.run(f"dd if=/dev/zero of={inner['node']} bs=512 count=1 conv=fsync")
    t.check("dd to it fails for root as well", result.rc != 0, result)
    guard.enforce(usb())
    wait_for(lambda: guard.devices(kind="medium", verdict="allow") == [], "the refusal")
    vm.wait_run(f"! mountpoint -q {directory}", seconds=20)
    t.check("a policy that refuses the stick takes the mounted volume away", vm.run(["cat", f"{directory}/a"], user="tanaka").rc != 0)
    vm.run(["vgchange", "-an", "kvg"])
    vm.run(["dmsetup", "remove", "-f", "kvg-data"])
    vm.check_run(["gadget", "clear"])
    wait_for(lambda: guard.devices(serial="LVM") == [], "the stick's leaving")
    after = vm.check_run(["sha256sum", "/run/lvm.img"])
    t.check("not one bit of it has changed", after == before, (before, after))


def run(t):
    guard = Guard(t)
    try:
        check_dock(t, guard)
        check_sleep(t, guard)
        check_lvm(t, guard)
        t.check("the journal verifies", guard.verify()["ok"] is True, guard.verify())
    finally:
        try:
            t.vm.run(["gadget", "clear"])
            guard.enforce()
        except VMError as error:
            t.note(f"not put back: {error}")
    # With a stick in it, and kuraband and its keeper at work. A kernel that panics then is seen by the harness.
    guard.enforce(usb(stick("STAYS")))
    guard.plug(media.make_vfat(os.path.join(t.scratch, "stays.img"), {"a": "STAYS"}), "STAYS")
    readable(t, guard, "before it is turned off", "STAYS")
    t.check("turned off, it ends by itself", t.vm.power_off(120))
