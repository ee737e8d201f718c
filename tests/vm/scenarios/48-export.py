"""Files taken out by an ordinary person through the one process that may write; while it runs somebody else gets at the medium in every way there is;
what is left when kuraband is killed meanwhile; and a LUKS image, which Linux opens. With codes, and opened elsewhere: 49-clerk. The other ends are in long/48-export-ends."""

import json
import os
import subprocess
from datetime import datetime

import media
from exports import FREE, LIST, PATIENCE, TARGET, check_ended, is_read_only, names_on, prepare
from guard import Guard, member, read_bytes
from vm import HERE

PROFILE = "agent"
SECONDS = 900

HAMMER = "/usr/local/bin/hammer.py"
HAMMERED = 6 << 20


def check_luks(t, guard, image):
    """Opened as on any Linux, by cryptsetup and the kernel's dm-crypt, from a copy that is on no medium of ours."""
    vm = t.vm
    guard.enforce(TARGET, FREE % "luks")
    guard.plug(image, "OUT")
    guard.medium("OUT", verdict="allow")
    result = vm.run(["kuraban", "export", "--json", "--to", "OUT", "--reason", "x", LIST], user="tanaka", timeout=PATIENCE)
    t.check("a LUKS image is taken out", result.rc == 0, result)
    answer = json.loads(result.out)
    vm.reset_devices()
    copy = os.path.join(t.scratch, "taken.img")
    subprocess.run(["mcopy", "-n", "-i", image, f"::{answer['name']}", copy], check=True)
    vm.put("/var/tmp/taken.img", read_bytes(copy))
    vm.put("/var/tmp/taken.key", answer["password"])
    opening = ["cryptsetup", "open", "--readonly", "--key-file", "-", "/var/tmp/taken.img", "taken"]
    t.check("with another password it does not open", vm.run(opening, stdin="wrong", timeout=100).rc == 2)
    result = vm.run(opening, stdin=answer["password"], timeout=100)
    t.check("cryptsetup opens it with the password", result.rc == 0, result)
    result = vm.run("mount /dev/mapper/taken /mnt && ls /mnt && cat /mnt/*; umount /mnt; cryptsetup close taken")
    t.check("and it holds what was taken out", result.out == "名簿.csv\n住民\n", result)
    result = vm.run("set -e; loop=$(udisksctl loop-setup --no-user-interaction --read-only --file /var/tmp/taken.img | grep -o '/dev/loop[0-9]*');"
                    " udisksctl unlock --no-user-interaction --key-file /var/tmp/taken.key --block-device $loop >&2;"
                    " udisksctl mount --no-user-interaction --block-device /dev/mapper/luks-* >&2; cat /media/tanaka/kuraban/*;"
                    " udisksctl unmount --block-device /dev/mapper/luks-* >&2; udisksctl lock --block-device $loop >&2;"
                    " udisksctl loop-delete --block-device $loop >&2", user="tanaka", timeout=100)
    t.check("a person opens it by udisks, without root", result.out == "住民\n", result)


def check_hammered(t, guard, image):
    """Must be seen 5."""
    vm = t.vm
    vm.put(HAMMER, read_bytes(os.path.join(HERE, "programs/hammer.py")), 0o755)
    guard.enforce(TARGET, FREE % "zip-aes256")
    vm.check_run(f"head -c {HAMMERED} /dev/urandom >~/out/hammered.bin", user="tanaka")
    guard.plug(image, "OUT")
    medium = guard.medium("OUT", verdict="allow")
    node = medium["node"]
    directory = guard.mount(node)
    before, old = guard.sequence(), names_on(image)
    vm.check_run("rm -f /run/stop-hammer")
    hammers = {
        "tanaka": vm.spawn([HAMMER, "/run/stop-hammer", directory, node], user="tanaka", timeout=PATIENCE),
        "tanaka in a namespace": vm.spawn(["unshare", "-Urm", HAMMER, "/run/stop-hammer", directory, node], user="tanaka", timeout=PATIENCE),
    }
    result = vm.run(["kuraban", "export", "--json", "--to", "OUT", "--reason", "x", "/home/tanaka/out/hammered.bin"], user="tanaka", timeout=PATIENCE)
    t.check("hammered at all the while, the export comes to its end", result.rc == 0, result)
    vm.check_run("touch /run/stop-hammer")
    files = guard.since(before, event__action="export-file")
    finished = guard.since(before, event__action="export-finished")
    size = member(finished[0], "kuraban__export__size") if finished else 0
    commit = datetime.fromisoformat(files[-1]["@timestamp"].replace("Z", "+00:00")).timestamp() if files else 0
    for who, job in hammers.items():
        out = job.wait(60)
        seen = json.loads(out.out) if out.rc == 0 else {}
        t.note(f"{who}: {seen}")
        t.check(f"{who} was at it", seen.get("rounds", 0) > 2, out)
        writes = {way for way in seen.get("done", {}) if way != "udisks"}
        t.check(f"{who} gets through in no way", not writes, seen)
        early = {name: at for name, at in seen.get("seen", {}).items() if name not in old and (at < commit or ".kuraban" in name)}
        t.check(f"{who} reads nothing of it before it is finished", not early, (seen, commit))
        cut = {name: n for name, n in seen.get("whole", {}).items() if name not in old and n != size}
        t.check(f"{who} never reads a part of it", not cut, (seen, size))
    t.check("the stick is read-only", is_read_only(vm, medium))
    vm.run(["udisksctl", "unmount", "-b", node])
    vm.reset_devices()
    t.check("nothing else is on it", [name for name in names_on(image) if "leak" in name.lower() or ".kuraban" in name] == [], names_on(image))
    t.check("what was there is unharmed", subprocess.run(["mtype", "-i", image, "::hello.txt"], capture_output=True).stdout.decode() == "hello\n")


def check_killed(t, guard, image):
    def kill_guard(job, medium):
        t.vm.check_run("pkill -KILL -x kuraband")
        t.vm.wait_run("kuraban status >/dev/null", seconds=60)

    guard.enforce(TARGET, FREE % "plain")
    check_ended(t, guard, image, "kill -9 of kuraband", kill_guard)


def run(t):
    guard = Guard(t)
    guard.give_namespaces()
    prepare(t)
    image = media.make_vfat(os.path.join(t.scratch, "out.img"), {"hello.txt": "hello\n"}, size=320 << 20)
    check_luks(t, guard, image)
    check_hammered(t, guard, image)
    check_killed(t, guard, image)
    t.check("the journal verifies", guard.verify()["ok"] is True, guard.verify())
