"""Exports as an ordinary person makes them in the guest, with codes or under a policy that asks for none, and what one that is ended leaves.

    prepare(t)                                           # tanaka has something to take out
    enrol(vm, "tanaka", "suzuki"); code(vm, "suzuki")    # second factors, and a code of one
    check_ended(t, guard, image, "Ctrl-C", end)          # end(job, medium) ends it in the middle of writing
"""

import os
import subprocess

import media
from guard import read_bytes, stick, usb
from vm import HERE, wait_for

FACTOR = "/usr/local/bin/factor.py"
MEMORY = "/var/lib/factors"  # secrets, and which codes were given
TARGET = usb(stick("OUT", allow="export"))
FREE = "export:\n  - {id: free, to: [stick], from: [elsewhere], container: %s, factors: none, approvals: 0}\n"
LARGE = 24 << 20  # the emulated processor packs 1 MiB in a second or two
PATIENCE = 400
LIST, HUGE = "/home/tanaka/out/名簿.csv", "/home/tanaka/out/huge.bin"


def prepare(t):
    t.vm.check_run(f"mkdir -p ~/out && echo 住民 >{LIST} && head -c {LARGE} /dev/urandom >{HUGE}", user="tanaka")


def enrol(vm, *users):
    """A second factor for each, under a policy that has one."""
    vm.put(FACTOR, read_bytes(os.path.join(HERE, "../component/daemon/factor.py")), 0o755)
    vm.check_run(["mkdir", "-p", MEMORY])
    for user in users:
        vm.check_run([FACTOR, "enrol", user, MEMORY, "/run/kuraban"])


def code(vm, user):
    """One that was not given before."""
    return vm.check_run([FACTOR, "code", user, MEMORY], timeout=60).strip()


def plug_made(t, guard, kind, *rules):
    """A stick with a filesystem that root makes in the guest while nothing guards, because not every host has the program. It is in OUT, under these
    rules."""
    vm = t.vm
    make = {"exfat": "mkfs.exfat", "ext4": "mkfs.ext4 -q -F"}[kind]
    wait_for(lambda: guard.devices(serial="OUT") == [], "the last stick's leaving")
    guard.enforce(*rules, mode="monitor")
    guard.plug(media.blank(os.path.join(t.scratch, f"{kind}.img"), 64 << 20), "OUT")
    vm.wait_run("[ $(cat /sys/class/block/sda/ro) = 0 ]")
    vm.check_run(f"{make} /dev/sda >/dev/null && sync && udevadm trigger -c change /dev/sda && udevadm settle")
    guard.enforce(*rules)


def is_read_only(vm, medium):
    disk = medium["node"].rstrip("0123456789")
    flags = vm.check_run(f"cat /sys/class/block/{os.path.basename(medium['node'])}/ro /sys/class/block/{os.path.basename(disk)}/ro")
    return flags.split() == ["1", "1"]


def names_on(image, offset=0):
    out = subprocess.run(["mdir", "-b", "-i", f"{image}@@{offset}", "::"], check=True, capture_output=True, text=True).stdout
    return sorted(line.removeprefix("::/") for line in out.splitlines() if line)


def finished_on(image):
    """What a person would take for something whole."""
    return [name for name in names_on(image) if not name.startswith(".kuraban")]


def started(vm):
    return vm.run("grep -qx kuraban-export /proc/[0-9]*/comm").rc == 0


def spawn_export(vm, *files):
    return vm.spawn(["kuraban", "export", "--to", "OUT", "--reason", "x", *files], user="tanaka", timeout=PATIENCE)


def wait_writing(vm, medium, spawn):
    """Spawn an export and wait until it is under way to the medium: the kernel's count of sectors written is the witness."""
    stat = f"/sys/class/block/{os.path.basename(medium['node'])}/stat"
    before = int(vm.check_run(["cat", stat]).split()[6])
    job = spawn()
    wait_for(lambda: int((vm.run(["cat", stat]).out.split() or ["0"] * 7)[6]) > before + 4096, "the first writes", 120, every=0.05)
    return job


def check_ended(t, guard, image, what, end, **plug):
    """An export that is ended in the middle of writing."""
    vm = t.vm
    guard.plug(image, "OUT", **plug)
    medium = guard.medium("OUT", verdict="allow")
    before, count = guard.sequence(), len(finished_on(image))
    job = wait_writing(vm, medium, lambda: spawn_export(vm, HUGE))
    end(job, medium)
    wait_for(lambda: not started(vm), "the worker's end", 60)
    out = job.wait(60)
    t.check(f"{what}: the person is told that it failed", out.rc != 0, out)
    failed = wait_for(lambda: guard.since(before, event__action="export-failed"), "the record of the failure", 30)
    t.check(f"{what}: the journal says so", len(failed) == 1 and guard.since(before, event__action="export-finished") == [], failed)
    if vm.run(["test", "-e", medium["node"]]).rc == 0:
        t.check(f"{what}: the stick is read-only", is_read_only(vm, medium))
    vm.reset_devices()
    names = names_on(image)
    t.check(f"{what}: no file that looks whole", len(finished_on(image)) == count, names)
