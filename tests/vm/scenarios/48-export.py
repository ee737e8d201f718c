"""Files taken out by an ordinary person: with a code and a colleague's, through the one process that may write; while it runs somebody else
gets at the medium in every way there is; and what is left when kuraband is killed meanwhile. The other ends are in long/48-export-ends."""

import hashlib
import json
import os
import re
import subprocess
from datetime import datetime

import media
from exports import FREE, LIST, PATIENCE, TARGET, check_ended, code, enrol, is_read_only, names_on, prepare, take_out
from guard import Guard, member, read_bytes
from vm import HERE

PROFILE = "agent"
SECONDS = 900

HAMMER = "/usr/local/bin/hammer.py"
COLLEAGUE = "suzuki"
MFA = "mfa: {throttle: {failures: 50, delay: none}}\n"
WITH_CODES = "export:\n  - {id: out, to: [stick], from: [elsewhere], container: zip-aes256, factors: totp, approvals: 1}\n"
HAMMERED = 6 << 20


def check_with_codes(t, guard, image):
    """Must be seen 1, from the stick on."""
    vm = t.vm
    vm.check_run(f"id {COLLEAGUE} >/dev/null 2>&1 || useradd -m {COLLEAGUE}")
    vm.check_run("head -c 2M /dev/urandom >~/out/large.bin", user="tanaka")
    guard.enforce(TARGET, WITH_CODES, MFA)
    for user in ("tanaka", COLLEAGUE):
        enrol(vm, user)
    guard.plug(image, "OUT")
    medium = guard.medium("OUT", verdict="allow")
    t.check("a stick for exports is read-only like any other", medium["read_only"] and is_read_only(vm, medium), medium)
    directory = guard.mount(medium["node"])
    result = vm.run(["cp", LIST, directory], user="tanaka", env={"LANG": "ja_JP.UTF-8"})
    t.check("cp to it fails", result.rc != 0, result)
    result = take_out(vm, LIST, codes=[code(vm, "tanaka")])
    t.check("without a colleague it is refused, in Japanese", result.rc == 1 and "承認者" in result.out + result.err, result)
    before = guard.sequence()
    own, other = code(vm, "tanaka"), code(vm, COLLEAGUE)
    files = [LIST, "/home/tanaka/out/large.bin"]
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
    check_with_codes(t, guard, image)
    check_hammered(t, guard, image)
    check_killed(t, guard, image)
    t.check("the journal verifies", guard.verify()["ok"] is True, guard.verify())
