"""Files taken out by an ordinary person: with a code and a colleague's, through the one process that may write; while it runs somebody else
gets at the medium in every way there is; and what a kill, a pull and a full stick leave."""

import hashlib
import json
import os
import re
import subprocess
from datetime import datetime

import media
from guard import Guard, member, read_bytes, stick, usb
from vm import HERE, wait_for

PROFILE = "agent"
SECONDS = 900

FACTOR = "/usr/local/bin/factor.py"
HAMMER = "/usr/local/bin/hammer.py"
MEMORY = "/var/lib/factors"  # secrets, and which codes were given
COLLEAGUE = "suzuki"
MFA = "mfa: {throttle: {failures: 50, delay: none}}\n"
WITH_CODES = "export:\n  - {id: out, to: [stick], from: [elsewhere], container: zip-aes256, factors: totp, approvals: 1}\n"
FREE = "export:\n  - {id: free, to: [stick], from: [elsewhere], container: %s, factors: none, approvals: 0}\n"
HAMMERED, LARGE = 6 << 20, 24 << 20  # the emulated processor packs 1 MiB in a second or two
PATIENCE = 400


def prepare(t, guard):
    vm = t.vm
    vm.put(FACTOR, read_bytes(os.path.join(HERE, "../component/daemon/factor.py")), 0o755)
    vm.put(HAMMER, read_bytes(os.path.join(HERE, "programs/hammer.py")), 0o755)
    vm.check_run(f"mkdir -p {MEMORY}; id {COLLEAGUE} >/dev/null 2>&1 || useradd -m {COLLEAGUE}")
    guard.enforce(usb(stick("OUT", allow="export")), WITH_CODES, MFA)
    for user in ("tanaka", COLLEAGUE):
        vm.check_run([FACTOR, "enrol", user, MEMORY, "/run/kuraban"])
    vm.check_run("mkdir -p ~/out && echo 住民 >~/out/名簿.csv && head -c 2M /dev/urandom >~/out/large.bin", user="tanaka")


def code(vm, user):
    """One that was not given before."""
    return vm.check_run([FACTOR, "code", user, MEMORY], timeout=60).strip()


def take_out(vm, *words, codes=(), lang="ja_JP.UTF-8"):
    command = [FACTOR, "type", *codes, "--", "kuraban", "export", "--to", "OUT", "--reason", "課税課 3 地区", *words]
    return vm.run(command, user="tanaka", env={"LANG": lang, "LANGUAGE": lang.split(".")[0]}, timeout=200)


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


def check_with_codes(t, guard, image):
    """Must be seen 1, from the stick on."""
    vm = t.vm
    guard.plug(image, "OUT")
    medium = guard.medium("OUT", verdict="allow")
    t.check("a stick for exports is read-only like any other", medium["read_only"] and is_read_only(vm, medium), medium)
    directory = guard.mount(medium["node"])
    result = vm.run(["cp", "/home/tanaka/out/名簿.csv", directory], user="tanaka", env={"LANG": "ja_JP.UTF-8"})
    t.check("cp to it fails", result.rc != 0, result)
    result = take_out(vm, "/home/tanaka/out/名簿.csv", codes=[code(vm, "tanaka")])
    t.check("without a colleague it is refused, in Japanese", result.rc == 1 and "承認者" in result.out + result.err, result)
    before = guard.sequence()
    own, other = code(vm, "tanaka"), code(vm, COLLEAGUE)
    files = ["/home/tanaka/out/名簿.csv", "/home/tanaka/out/large.bin"]
    result = take_out(vm, "--approver", COLLEAGUE, *files, codes=[own, other])
    found = re.search(r"パスワード: ([0-9A-Z-]{29})", result.out)
    t.check("with both codes it is taken out, in Japanese", result.rc == 0 and found, result)
    password = found.group(1) if found else ""
    t.check("the stick is read-only again", is_read_only(vm, medium))
    records = guard.since(before, event__action="export-finished")
    seen = records[0] if len(records) == 1 else {}
    expected = ("1000", [int(vm.check_run(["id", "-u", COLLEAGUE]))], "課税課 3 地区")
    t.check("the journal has both people and the reason",
            (member(seen, "user__id"), member(seen, "kuraban__export__approvers"), member(seen, "kuraban__export__reason")) == expected, records)
    result = take_out(vm, "--approver", COLLEAGUE, *files, codes=[own, other])
    t.check("the same codes again are refused", result.rc == 1, result)
    guard.wait_settled(medium["node"])
    directory = guard.mount(medium["node"])
    t.check("tanaka sees the zip there", seen and seen["file"]["path"] in vm.check_run(["ls", directory], user="tanaka").split())
    vm.check_run(["udisksctl", "unmount", "-b", medium["node"]], user="tanaka")
    vm.reset_devices()
    name = member(seen, "file__path") or ""
    copy = os.path.join(t.scratch, "taken.zip")
    subprocess.run(["mcopy", "-n", "-i", image, f"::{name}", copy], check=True)
    t.check("it is what the journal says", hashlib.sha256(read_bytes(copy)).hexdigest() == member(seen, "kuraban__export__sha256"))
    target = os.path.join(t.scratch, "opened")
    opened = subprocess.run(["7z", "x", f"-p{password}", f"-o{target}", copy], capture_output=True, text=True)
    t.check("7-Zip opens it elsewhere with the password", opened.returncode == 0, opened.stdout)
    t.check("and finds what was taken out", read_bytes(os.path.join(target, "名簿.csv")) == "住民\n".encode(), os.listdir(target))
    wrong = subprocess.run(["7z", "t", "-pwrong", copy], capture_output=True)
    t.check("with another password it does not", wrong.returncode != 0)


def started(vm):
    return vm.run("grep -qx kuraban-export /proc/[0-9]*/comm").rc == 0


def spawn_export(vm, *files):
    return vm.spawn(["kuraban", "export", "--to", "OUT", "--reason", "x", *files], user="tanaka", timeout=PATIENCE)


def check_hammered(t, guard, image):
    """Must be seen 5."""
    vm = t.vm
    guard.enforce(usb(stick("OUT", allow="export")), FREE % "zip-aes256")
    vm.check_run(f"head -c {HAMMERED} /dev/urandom >~/out/hammered.bin && head -c {LARGE} /dev/urandom >~/out/huge.bin", user="tanaka")
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


def check_ended(t, guard, image, what, end, **plug):
    """An export that is ended in the middle of writing."""
    vm = t.vm
    guard.plug(image, "OUT", **plug)
    medium = guard.medium("OUT", verdict="allow")
    before, count = guard.sequence(), len(finished_on(image))
    job = spawn_export(vm, "/home/tanaka/out/huge.bin")
    # Under way to the medium: the journal of the kernel's writes is the witness.
    stat = f"/sys/class/block/{os.path.basename(medium['node'])}/stat"
    written = int(vm.check_run(["cat", stat]).split()[6])
    wait_for(lambda: int((vm.run(["cat", stat]).out.split() or ["0"] * 7)[6]) > written + 4096, "the first writes", 120, every=0.05)
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


def check_ends(t, guard, image):
    vm = t.vm
    guard.enforce(usb(stick("OUT", allow="export")), FREE % "plain")

    def kill_worker(job, medium):
        vm.check_run("pkill -KILL -x kuraban-export")

    def kill_guard(job, medium):
        vm.check_run("pkill -KILL -x kuraband")
        vm.wait_run("kuraban status >/dev/null", seconds=60)

    def cancel(job, medium):
        vm.check_run("pkill -INT -x kuraban")

    check_ended(t, guard, image, "kill -9 of the worker", kill_worker)
    check_ended(t, guard, image, "kill -9 of kuraband", kill_guard)
    check_ended(t, guard, image, "Ctrl-C", cancel)
    guard.plug(image, "OUT")
    guard.medium("OUT", verdict="allow")
    result = vm.run(["kuraban", "export", "--to", "OUT", "--reason", "x", "/home/tanaka/out/名簿.csv"], user="tanaka", timeout=100)
    vm.reset_devices()
    t.check("the next one clears away what they left", result.rc == 0 and not [n for n in names_on(image) if n.startswith(".kuraban")], (result, names_on(image)))


def check_pulled(t, guard, image):
    vm = t.vm
    name = vm.plug_usb_storage(image, serial="OUT")

    def stat_of_it():  # the stick that was there before has the same serial, and may still be leaving
        path = f"/sys/class/block/{os.path.basename(guard.medium('OUT', verdict='allow')['node'])}/stat"
        return path if vm.run(["test", "-e", path]).rc == 0 else None

    stat = wait_for(stat_of_it, "the stick that is there now", 60)
    before, count = guard.sequence(), len(finished_on(image))
    job = spawn_export(vm, "/home/tanaka/out/huge.bin")
    written = int(vm.check_run(["cat", stat]).split()[6])
    wait_for(lambda: int((vm.run(["cat", stat]).out.split() or ["0"] * 7)[6]) > written + 4096, "the first writes", 120, every=0.05)
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
    result = vm.run(["kuraban", "export", "--json", "--to", node, "--reason", "x", "/home/tanaka/out/名簿.csv"], user="tanaka", timeout=100)
    t.check(f"{kind} on {node}: exports", result.rc == 0, result)
    t.check(f"{kind} on {node}: read-only again", is_read_only(vm, medium))
    directory = guard.mount(node)
    result = vm.run(["cat", f"{directory}/名簿.csv"], user="tanaka")
    t.check(f"{kind} on {node}: the file is there under its name", result.out == "住民\n", result)
    vm.check_run(["udisksctl", "unmount", "-b", node], user="tanaka")


def check_filesystems(t, guard):
    """A partition; and exfat and ext4, made by root while nothing guards."""
    vm = t.vm
    rules = usb(stick("OUT", allow="export")), FREE % "plain"
    guard.enforce(*rules)
    guard.plug(media.make_vfat(os.path.join(t.scratch, "part.img"), partition=True), "OUT")
    check_exported(t, guard, "vfat", "/dev/sda1")
    vm.reset_devices()
    for kind, make in {"exfat": "mkfs.exfat", "ext4": "mkfs.ext4 -q -F"}.items():
        wait_for(lambda: guard.devices(serial="OUT") == [], "the last stick's leaving")
        guard.enforce(*rules, mode="monitor")
        guard.plug(media.blank(os.path.join(t.scratch, f"{kind}.img"), 64 << 20), "OUT")
        vm.wait_run("[ $(cat /sys/class/block/sda/ro) = 0 ]")
        vm.check_run(f"{make} /dev/sda >/dev/null && sync && udevadm trigger -c change /dev/sda && udevadm settle")
        guard.enforce(*rules)
        check_exported(t, guard, kind, "/dev/sda")
        vm.reset_devices()


def run(t):
    guard = Guard(t)
    guard.give_namespaces()
    prepare(t, guard)
    image = media.make_vfat(os.path.join(t.scratch, "out.img"), {"hello.txt": "hello\n"}, size=320 << 20)
    check_with_codes(t, guard, image)
    check_hammered(t, guard, image)
    check_ends(t, guard, image)
    check_pulled(t, guard, image)
    check_filesystems(t, guard)
    t.check("the journal verifies", guard.verify()["ok"] is True, guard.verify())
