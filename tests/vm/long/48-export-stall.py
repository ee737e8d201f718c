"""A file on a FUSE mount that an ordinary person made, and that stops answering: that export ends, and somebody else takes files out while what reads it
still hangs."""

import os
import time

import media
from exports import FREE, LIST, PATIENCE, TARGET, is_read_only, started
from guard import TANAKA, Guard, read_bytes
from vm import HERE, wait_for

PROFILE = "agent"
SECONDS = 300

HANG, SLOW = "/usr/local/bin/hang.py", "/tmp/slow"
COLLEAGUE = "suzuki"
PERMITTED = 'media: {fuse: {default: refuse, allow: ["fuse.hang"]}}\n'
# Processes of an export that no signal reaches any more: their time is up.
HANGING = "grep -l '^Name:.kuraban-export' /proc/[0-9]*/status | xargs grep -l '^State:.D'"


def set_up(t, guard):
    vm = t.vm
    vm.check_run(f"id {COLLEAGUE} >/dev/null 2>&1 || useradd -m {COLLEAGUE}; echo user_allow_other >>/etc/fuse.conf")
    vm.check_run(f"mkdir -p ~/out {SLOW} && echo 住民 >{LIST}", user="tanaka")
    vm.check_run(f"echo theirs >/home/{COLLEAGUE}/theirs.txt && chown {COLLEAGUE}: /home/{COLLEAGUE}/theirs.txt")
    vm.put(HANG, read_bytes(os.path.join(HERE, "../component/daemon/hang.py")), 0o755)
    guard.enforce(TARGET, FREE % "plain", PERMITTED)


def spawn(vm, path, user, **more):
    return vm.spawn(["kuraban", "export", "--to", "OUT", "--reason", "x", path], user=user, timeout=PATIENCE, env={"LANG": "ja_JP.UTF-8"}, **more)


def as_colleague(vm):
    return spawn(vm, f"/home/{COLLEAGUE}/theirs.txt", COLLEAGUE, session=False).wait()


def check_stalled(t, guard, medium, server):
    vm = t.vm
    before, begun = guard.sequence(), time.monotonic()
    job = spawn(vm, f"{SLOW}/file", "tanaka")
    wait_for(lambda: "hanging" in server.output(), "the read that is not answered", 20)
    result = as_colleague(vm)
    t.check("while it is read somebody else is told to try again", result.rc == 5 and "使用中" in result.err, result)
    result = job.wait(120)
    t.note(f"given up after {time.monotonic() - begun:.1f} s")
    t.check("who takes it out is told why not, in Japanese", result.rc == 5 and "ファイルが応答しません" in result.err, result)
    failed = guard.since(before, event__action="export-failed", user__id=str(TANAKA))
    t.check("the journal says so", [record["event"]["reason"] for record in failed] == ["stalled"], failed)
    t.check("who reads it hangs on", vm.run(HANGING).rc == 0)
    before = guard.sequence()
    result = as_colleague(vm)
    t.check("somebody else takes files out now", result.rc == 0, result)
    result = spawn(vm, LIST, "tanaka").wait()
    t.check("and so does the same person", result.rc == 0, result)
    t.check("the journal has both", len(guard.since(before, event__action="export-finished")) == 2)
    t.check("who read it hangs on all the while", vm.run(HANGING).rc == 0)
    t.check("the stick is read-only", is_read_only(vm, medium))
    left = vm.run(["ls", "-A", "/var/lib/kuraban/export"])
    t.check("nothing is left of what was staged", left.rc == 0 and left.out == "", left)


def run(t):
    vm, guard = t.vm, Guard(t)
    set_up(t, guard)
    server = vm.spawn([HANG, SLOW, "1048576", "131072"], user="tanaka", timeout=SECONDS)
    try:
        wait_for(lambda: "mounted" in server.output(), "the FUSE mount", 30)
        guard.plug(media.make_vfat(os.path.join(t.scratch, "out.img"), {"hello.txt": "hello\n"}), "OUT")
        check_stalled(t, guard, guard.medium("OUT", verdict="allow"), server)
    finally:
        server.signal()
    wait_for(lambda: not started(vm), "the end of who hung", 60)
    t.check("when the filesystem ends, so does who hung", True)
    vm.reset_devices()
    guard.enforce()
    t.check("the journal verifies", guard.verify()["ok"] is True, guard.verify())
