"""Devices that lie: disk and keyboard in one, two with one serial number, one that comes back as another; and the ways back
in. All made by gadgets inside the guest, so that their buses appear while the guard runs."""

import os

from guard import Guard, member, usb
from vm import wait_for

PROFILE = "agent"
SECONDS = 300

HUB_ROUNDS = 4

ID = ("--vid", "0x0951", "--pid", "0x1666")
MATCH = 'match: {device: "0951:1666", serial: SAME}'


def gadget(vm, *words):
    return vm.check_run(["gadget", *words]).strip()


def seen(vm):
    """What the kernel made of the gadget's interfaces: the disks, and the keyboards that are no QEMU one."""
    vm.check_run(["udevadm", "settle"])
    disks = vm.run("ls -d /sys/block/sd* 2>/dev/null | wc -l").out.strip()
    keyboards = vm.run("ls /dev/input/by-id/usb-*-event-kbd 2>/dev/null | grep -vc QEMU").out.strip()
    return f"disks={disks} keyboards={keyboards}"


def wait_seen(vm, expected):
    wait_for(lambda: seen(vm) == expected, expected, 20, every=0.5)


def check_hubs(t):
    vm = t.vm
    gadget(vm, "list")
    vm.wait_run("[ -d /sys/devices/platform/dummy_hcd.3/usb* ]")
    shell = "cat /sys/devices/platform/dummy_hcd.*/usb*/{authorized_default,interface_authorized_default} | sort -u"
    vm.wait_run(f"[ \"$(bash -c '{shell}')\" = 0 ]")
    t.check("root hubs that appear later are closed at once", True)
    # Their own interfaces stay open, however quick the guard was: without, nothing on these buses is ever seen.
    for _ in range(HUB_ROUNDS):
        vm.check_run("modprobe -r dummy_hcd && modprobe dummy_hcd num=4 is_super_speed=N")
        vm.wait_run("[ $(cat /sys/devices/platform/dummy_hcd.*/usb*/authorized_default | tr -d '\\n') = 0000 ]")
        vm.wait_run("[ $(ls -d /sys/devices/platform/dummy_hcd.*/usb*/*-0:1.0/driver | wc -l) = 4 ]")
    t.check("and have their drivers all the same", True)


def check_composite(t, guard):
    """BadUSB."""
    vm = t.vm
    vm.check_run("truncate -s 8M /run/lun.img; mkfs.vfat /run/lun.img >/dev/null; cp /run/lun.img /run/lun2.img")
    guard.enforce(usb(f'{{id: stick, allow: read, {MATCH[:-1]}, interfaces: {{equals: ["08:06:50"]}}}}}}'))
    gadget(vm, "add", "bad", *ID, "--serial", "SAME", "--product", "Twin", "--storage", "/run/lun.img", "--keyboard")
    device = guard.wait_device(serial="SAME", kind="usb")
    t.check("its disk and keyboard are seen", device["interfaces"] == ["08:06:50", "03:01:01"], device)
    t.check("a disk that is a keyboard as well is refused whole", device["verdict"] == "deny" and not device["authorized"], device)
    t.check("neither reaches the machine", seen(vm) == "disks=0 keyboards=0", seen(vm))

    guard.enforce(usb(f'{{id: part, allow: {{what: read, interfaces: ["08:06:50"]}}, {MATCH}}}'))
    guard.wait_device(serial="SAME", kind="usb", authorized=True)
    guard.wait_device(serial="SAME", kind="medium")
    t.check("with its disk permitted only the disk is there", seen(vm) == "disks=1 keyboards=0", seen(vm))
    port = gadget(vm, "port", "bad")
    flags = vm.check_run(f"cat /sys/bus/usb/devices/{port}:1.*/authorized").split()
    t.check("the kernel holds the keyboard's interface closed", flags == ["1", "0"], flags)

    guard.enforce(usb(f'{{id: part, allow: {{what: use, interfaces: ["03:01:01"]}}, {MATCH}}}'))
    wait_seen(vm, "disks=0 keyboards=1")
    t.check("a new policy that permits the keyboard only takes the disk away", True)
    guard.enforce(usb())
    device = guard.wait_device(serial="SAME", kind="usb", verdict="deny")
    wait_seen(vm, "disks=0 keyboards=0")
    t.check("a new policy that permits neither takes both", device["authorized"] is False, device)


def check_meddling(t, guard):
    """root writes to sysfs behind the daemon's back."""
    vm = t.vm
    before = guard.sequence()
    port = gadget(vm, "port", "bad")
    vm.check_run(f"echo 1 >/sys/bus/usb/devices/{port}/authorized")
    vm.wait_run(f"[ $(cat /sys/bus/usb/devices/{port}/authorized) = 0 ]")
    wait_seen(vm, "disks=0 keyboards=0")
    changed = guard.since(before, event__action="device-changed", event__kind="alert")
    t.check("authorized by another hand, it is refused again, with an alarm", changed, changed)
    hub = f"/sys/bus/usb/devices/usb{port.split('-')[0]}/authorized_default"
    vm.check_run(f"echo 1 >{hub}")
    vm.check_run(["kuraban", "rescan"])
    t.check("a hub that somebody opened is closed by a rescan", vm.check_run(f"cat {hub}").strip() == "0")


def check_replug(t, guard):
    vm = t.vm
    guard.enforce(usb(f"{{id: stick, allow: read, {MATCH}}}"))
    gadget(vm, "remove", "bad")
    wait_for(lambda: guard.devices(serial="SAME") == [], "the composite's leaving")
    gadget(vm, "add", "one", *ID, "--serial", "SAME", "--storage", "/run/lun.img")
    first = guard.wait_device(serial="SAME", kind="usb", authorized=True)
    gadget(vm, "unplug", "one")
    wait_for(lambda: guard.devices(serial="SAME") == [], "its leaving")
    gadget(vm, "plug", "one")
    again = guard.wait_device(serial="SAME", kind="usb", authorized=True)
    t.check("plugged in again it is the same device, and permitted", again["hash"] == first["hash"] and again["rule"] == "stick", again)
    guard.wait_device(serial="SAME", kind="medium", verdict="allow")
    before = guard.sequence()
    vm.check_run(["usbreset", "0951:1666"])
    after = guard.wait_device(serial="SAME", kind="usb", authorized=True)
    t.check("a reset keeps the decision", after["verdict"] == "allow" and guard.since(before, event__kind="alert") == [], after)

    gadget(vm, "unplug", "one")
    gadget(vm, "set", "one", "idProduct", "0x1667")
    wait_for(lambda: guard.devices(serial="SAME") == [], "its leaving")
    gadget(vm, "plug", "one")
    other = guard.wait_device(serial="SAME", product="1667", kind="usb")
    t.check("come back as another model it is refused", other["verdict"] == "deny" and not other["authorized"], other)
    gadget(vm, "unplug", "one")
    gadget(vm, "set", "one", "idProduct", "0x1666")
    gadget(vm, "plug", "one")
    guard.wait_device(serial="SAME", product="1666", kind="usb", authorized=True)


def check_twins(t, guard):
    vm = t.vm
    before = guard.sequence()
    gadget(vm, "add", "two", *ID, "--serial", "SAME", "--storage", "/run/lun2.img")
    port = gadget(vm, "port", "two")
    twin = guard.wait_device(port=port, kind="usb")
    t.check("a second device with the same serial number is refused", twin["verdict"] == "deny" and twin["reason"] == "duplicate", twin)
    t.check("and stays unauthorized", twin["authorized"] is False, twin)
    first = guard.device(port=gadget(vm, "port", "one"), kind="usb")
    t.check("the first one stays as it was", first and first["verdict"] == "allow" and first["authorized"], first)
    found = guard.since(before, event__reason="duplicate")
    t.check("the journal says so", any(record["device"]["port"] == port for record in found), found)
    both = {member(record, "device__port") for record in guard.records(device__serial_number="SAME")}
    t.check("both devices are in the journal", {port, first["port"]} <= both, both)
    gadget(vm, "clear")
    wait_for(lambda: guard.devices(serial="SAME") == [], "the twins' leaving")


def check_emergency(t, guard):
    vm = t.vm
    guard.enforce(usb())
    before = guard.sequence()
    gadget(vm, "add", "spare", "--vid", "0x1234", "--serial", "SPARE", "--keyboard")
    gadget(vm, "add", "mixed", *ID, "--serial", "MIXED", "--storage", "/run/lun.img", "--keyboard")
    guard.wait_device(serial="SPARE", verdict="deny", authorized=False)
    guard.wait_device(serial="MIXED", verdict="deny", authorized=False)
    t.check("a keyboard that is not in policy is refused", seen(vm) == "disks=0 keyboards=0", seen(vm))
    result = vm.run(["kuraban", "emergency", "--seconds", "60", "--reason", "x"], user="tanaka")
    t.check("an ordinary user gets no emergency", result.rc != 0, result)
    vm.check_run(["kuraban", "emergency", "--seconds", "20", "--reason", "鍵盤が壊れた"])
    spare = guard.wait_device(serial="SPARE", verdict="allow", authorized=True)
    t.check("in an emergency the keyboard works", spare["rule"] == "emergency", spare)
    wait_seen(vm, "disks=0 keyboards=1")
    mixed = guard.device(serial="MIXED")
    t.check("and nothing else: not a keyboard with a disk", mixed["verdict"] == "deny" and not mixed["authorized"], mixed)
    t.check("status says that there is one", guard.status()["emergency"] is not None, guard.status())
    guard.wait_device(serial="SPARE", verdict="deny", authorized=False, seconds=60)
    wait_seen(vm, "disks=0 keyboards=0")
    t.check("when it is over the keyboard goes", True)
    found = guard.since(before, event__action="emergency", event__kind="alert")
    t.check("beginning, reason and end are alarms in the journal", len(found) >= 2 and "鍵盤" in found[0]["message"], found)
    gadget(vm, "clear")


def check_phone(t, guard):
    vm = t.vm
    directory = os.path.join(t.scratch, "phone")
    os.mkdir(directory)
    vm.plug_usb_mtp(directory)
    phone = guard.wait_device(kind="usb", vendor="46f4", product="0004")
    t.check("a phone (MTP) is refused", phone["verdict"] == "deny" and not phone["authorized"], phone)
    node = vm.check_run(f"sed -n 's,^DEVNAME=,/dev/,p' /sys/bus/usb/devices/{phone['port']}/uevent").strip()
    ways = guard.attempts("nodes", node)
    t.check("and its raw node is not tanaka's", len(ways) == 4 and "done" not in ways.values(), ways)


def run(t):
    guard = Guard(t)
    try:
        check_hubs(t)
        check_composite(t, guard)
        check_meddling(t, guard)
        check_replug(t, guard)
        check_twins(t, guard)
        check_emergency(t, guard)
        check_phone(t, guard)
        t.check("the journal verifies", guard.verify()["ok"] is True, guard.verify())
    finally:
        t.vm.run(["gadget", "clear"])
        guard.enforce()
