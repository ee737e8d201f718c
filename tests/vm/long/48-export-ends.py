"""Exports that are ended in the middle of writing, in the ways that 48-export has not; and the other filesystems that exports are written to."""

import os

import media
from exports import FREE, HUGE, LIST, TARGET, check_ended, finished_on, is_read_only, names_on, plug_made, prepare, spawn_export, started, wait_writing
from guard import Guard
from vm import wait_for

PROFILE = "agent"
SECONDS = 900


def check_ends(t, guard, image):
    vm = t.vm

    def kill_worker(job, medium):
        vm.check_run("pkill -KILL -x kuraban-export")

    def cancel(job, medium):
        vm.check_run("pkill -INT -x kuraban")

    check_ended(t, guard, image, "kill -9 of the worker", kill_worker)
    check_ended(t, guard, image, "Ctrl-C", cancel)
    guard.plug(image, "OUT")
    guard.medium("OUT", verdict="allow")
    result = vm.run(["kuraban", "export", "--to", "OUT", "--reason", "x", LIST], user="tanaka", timeout=100)
    vm.reset_devices()
    t.check("the next one clears away what they left", result.rc == 0 and not [n for n in names_on(image) if n.startswith(".kuraban")], (result, names_on(image)))


def check_pulled(t, guard, image):
    vm = t.vm
    name = vm.plug_usb_storage(image, serial="OUT")

    def there():  # the stick that was there before has the same serial, and may still be leaving
        medium = guard.medium("OUT", verdict="allow")
        return medium if vm.run(["test", "-e", f"/sys/class/block/{os.path.basename(medium['node'])}/stat"]).rc == 0 else None

    medium = wait_for(there, "the stick that is there now", 60)
    before, count = guard.sequence(), len(finished_on(image))
    job = wait_writing(vm, medium, lambda: spawn_export(vm, HUGE))
    vm.unplug(name)
    out = job.wait(100)
    wait_for(lambda: not started(vm), "the worker's end", 60)
    t.check("pulled out: the person is told", out.rc != 0, out)
    failed = wait_for(lambda: guard.since(before, event__action="export-failed"), "the record of the failure", 30)
    t.check("pulled out: the journal says so", len(failed) == 1, failed)
    names = names_on(image)
    t.check("pulled out: no file that looks whole", len(finished_on(image)) == count, names)


def check_exported(t, guard, kind, node):
    vm = t.vm
    medium = guard.wait_device(kind="medium", node=node, verdict="allow", filesystem=kind)
    vm.wait_run(f"[ $(cat /sys/class/block/{os.path.basename(node)}/ro) = 1 ]")
    result = vm.run(["kuraban", "export", "--json", "--to", node, "--reason", "x", LIST], user="tanaka", timeout=100)
    t.check(f"{kind} on {node}: exports", result.rc == 0, result)
    t.check(f"{kind} on {node}: read-only again", is_read_only(vm, medium))
    directory = guard.mount(node)
    result = vm.run(["cat", f"{directory}/名簿.csv"], user="tanaka")
    t.check(f"{kind} on {node}: the file is there under its name", result.out == "住民\n", result)
    vm.unmount(node)


def check_filesystems(t, guard):
    """A partition; and exfat and ext4, made by root while nothing guards."""
    vm = t.vm
    rules = TARGET, FREE % "plain"
    guard.enforce(*rules)
    guard.plug(media.make_vfat(os.path.join(t.scratch, "part.img"), partition=True), "OUT")
    check_exported(t, guard, "vfat", "/dev/sda1")
    vm.reset_devices()
    for kind in ("exfat", "ext4"):
        plug_made(t, guard, kind, *rules)
        check_exported(t, guard, kind, "/dev/sda")
        vm.reset_devices()


def run(t):
    guard = Guard(t)
    prepare(t)
    guard.enforce(TARGET, FREE % "plain")
    image = media.make_vfat(os.path.join(t.scratch, "out.img"), {"hello.txt": "hello\n"}, size=320 << 20)
    check_ends(t, guard, image)
    check_pulled(t, guard, image)
    check_filesystems(t, guard)
    t.check("the journal verifies", guard.verify()["ok"] is True, guard.verify())
