"""A stick that is pulled out again at once, at every stage of its arrival: nothing failed, so nothing is an alarm, and what came
has left in the journal as well."""

import os
import time

import media
from guard import QEMU_STICK, Guard, member, stick, usb
from vm import wait_for

PROFILE = "agent"
SECONDS = 420

ROUNDS = int(os.environ.get("KURABAN_ROUNDS", "15"))  # a campaign takes more
# From the plug to the pull, one step more each time, up to this many times what a medium needed to come: a refused stick is known by
# the guest long before, and usb-storage waits for a second before it looks for the medium (delay_use).
LONGEST = {"permitted": 1.5, "refused": 0.6}
FULL_ROUNDS = 4
HUB_EVERY = 3


def known(t):
    """How often the guest's kernel has found a stick, and how often one was authorized."""
    vendor, product = QEMU_STICK.split(":")
    out = t.vm.check_run(["dmesg"])
    return out.count(f"New USB device found, idVendor={vendor}, idProduct={product}"), out.count(": authorized to connect")


def wait_hub(t):
    """A stick that is pulled while the kernel reads its descriptors can cost its hub worker three times 5 s (QEMU does not end the
    transfer), in which it sees no other stick."""
    t.vm.wait_run("! cat /proc/[0-9]*/stack 2>/dev/null | grep -q hub_port_init", seconds=90)


def pull_at(t, image, serial, seconds):
    start = time.monotonic()
    name = t.vm.plug_usb_storage(image, serial=serial)
    rest = start + seconds - time.monotonic()
    if rest > 0:
        time.sleep(rest)
    t.vm.unplug(name)


def is_quiet(t, guard):
    """No stick is left, in the kernel or in kuraban's list."""
    vendor = QEMU_STICK.split(":")[0]
    t.vm.check_run(["udevadm", "settle"])
    left = t.vm.run(f"grep -lx {vendor} /sys/bus/usb/devices/*/idVendor").out + t.vm.run("ls -d /sys/block/sd*").out
    return not left and not guard.devices(vendor=vendor) and not guard.devices(kind="medium", bus="usb")


def count(records, action, key):
    """How often each one did that; repetition is folded into one record with a count."""
    found = {}
    for record in records:
        if member(record, "event__action") == action:
            name = member(record, key)
            found[name] = found.get(name, 0) + record["kuraban"].get("count", 1)
    return found


def check_pairs(t, what, records):
    """How many devices and media came; each has left, once."""
    came, left = (count(records, f"device-{action}", "device__port") for action in ("appeared", "removed"))
    t.check(f"{what}: each device that came has left, once", came == left, (came, left))
    # The id has the disk's sequence number: no two disks are the same. A medium is decided again when udev tells more of it, and a
    # partition comes and goes twice when the kernel reads the table again because a read failed.
    decided, gone = (count(records, f"medium-{action}", "device__id") for action in ("decided", "removed"))
    paired = decided.keys() == gone.keys() and all(gone[name] <= decided[name] for name in gone)
    t.check(f"{what}: each medium that came has left, once", paired, (decided, gone))
    return sum(came.values()), len(decided)


def check_rounds(t, guard, what, serial, arrival):
    image = media.make_vfat(os.path.join(t.scratch, f"{serial}.img"), {"a": "a"}, partition=True)
    before, found = guard.sequence(), known(t)
    for i in range(ROUNDS):
        pull_at(t, image, serial, i * arrival * LONGEST[what] / ROUNDS)
        if i % HUB_EVERY == 0:
            wait_hub(t)
    wait_for(lambda: is_quiet(t, guard), "the last stick's leaving", 60, every=0.5)
    records = guard.since(before)
    found, authorized = (after - earlier for after, earlier in zip(known(t), found))
    alarms = [record for record in records if member(record, "event__kind") == "alert"]
    t.check(f"{what}: pulled {ROUNDS} times at once, no alarm", alarms == [], alarms)
    t.check(f"{what}: the kernel has seen some of them", found >= ROUNDS // 3, found)
    devices, media_found = check_pairs(t, what, records)
    t.note(f"{what}: {found} found by the kernel, {authorized} authorized, {devices} devices and {media_found} media in the journal")
    t.check(f"{what}: some of them had a medium, or must not", (media_found > 0) == (what == "permitted"), media_found)
    # On a busy machine some have left before anybody could look at them; nothing of those could be used.
    t.check(f"{what}: every stick that was authorized is in the journal", authorized <= devices <= found, (authorized, devices, found))
    t.check(f"{what}: and as many as can be seen", devices >= found // 2, (devices, found))


def check_full(t, guard, serial):
    """Left in long enough to be a medium, all are in the journal. The seconds that the slowest medium needed."""
    image = media.make_vfat(os.path.join(t.scratch, "full.img"), {"a": "a"}, partition=True)
    before, arrival = guard.sequence(), 0.0
    for _ in range(FULL_ROUNDS):
        start = time.monotonic()
        name = t.vm.plug_usb_storage(image, serial=serial)
        # The partition: a disk that holds nothing else is listed and not told.
        wait_for(
            lambda: any(d["node"].endswith("1") for d in guard.devices(kind="medium", serial=serial, verdict="allow")),
            "its medium", 60, every=0.1,
        )
        arrival = max(arrival, time.monotonic() - start)
        t.vm.unplug(name)
        # The next one has the same serial number: not to be taken for it.
        wait_for(lambda: not guard.devices(kind="medium", serial=serial), "its medium's leaving", 30, every=0.1)
    wait_for(lambda: is_quiet(t, guard), "the last stick's leaving", 60, every=0.5)
    records = guard.since(before)
    alarms = [record for record in records if member(record, "event__kind") == "alert"]
    t.check("pulled as soon as the medium is there: no alarm", alarms == [], alarms)
    pairs = check_pairs(t, "pulled with a medium", records)
    # A busy machine's kernel sometimes takes what it has just found for another medium in the same drive.
    t.check("every plug and pull is in the journal", pairs[0] == FULL_ROUNDS and pairs[1] >= FULL_ROUNDS, pairs)
    t.note(f"media: {count(records, 'medium-decided', 'device__id')}")
    t.note(f"a medium comes within {arrival:.1f} s")
    return arrival


def run(t):
    guard = Guard(t)
    guard.enforce(usb(stick("PULLED")))
    arrival = check_full(t, guard, "PULLED")
    check_rounds(t, guard, "permitted", "PULLED", arrival)
    check_rounds(t, guard, "refused", "STRANGER", arrival)
    t.check("the guard still enforces", guard.status()["enforcing"] is True, guard.status())
    t.check("the journal verifies", guard.verify()["ok"] is True, guard.verify())
