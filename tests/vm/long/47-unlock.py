"""A stick that opens by a one-time code: locked with its reason, read by the person who unlocked it, gone while it is mounted when the time, the
person, the policy, a pull or kill -9 ends it; approved by a second person; never by the same code twice."""

import json
import os

import media
from guard import Guard, member, read_bytes, stick, usb
from vm import HERE, wait_for

PROFILE = "agent"
SECONDS = 600

FACTOR = "/usr/local/bin/factor.py"
MEMORY = "/var/lib/factors"  # secrets, and which codes were given
COLLEAGUE = "suzuki"
UNLOCK = "{factors: [totp], for: 15m}"
MFA = "mfa: {throttle: {failures: 50, delay: none}}\n"


def locked_stick(unlock=UNLOCK, serial="LOCKED", **more):
    return stick(serial, name="stick", unlock=unlock, who="{users: [tanaka]}", **more)


def prepare(t, guard):
    vm = t.vm
    vm.put(FACTOR, read_bytes(os.path.join(HERE, "../component/daemon/factor.py")), 0o755)
    vm.check_run(f"mkdir -p {MEMORY}; id {COLLEAGUE} >/dev/null 2>&1 || useradd -m {COLLEAGUE}")
    guard.enforce(usb(locked_stick()), MFA)
    for user in ("tanaka", COLLEAGUE):
        vm.check_run([FACTOR, "enrol", user, MEMORY, "/run/kuraban"])


def code(vm, user):
    """One that was not given before."""
    return vm.check_run([FACTOR, "code", user, MEMORY], timeout=60).strip()


def unlock(vm, *words, codes=None, user="tanaka", lang="C.UTF-8"):
    """kuraban unlock on a terminal of that person."""
    codes = [code(vm, user)] if codes is None else codes
    command = [FACTOR, "type", *codes, "--", "kuraban", "unlock", "--reason", "課税課 3 地区", *words]
    if user != "tanaka":
        return vm.run(["runuser", "-u", user, "--", *command])
    return vm.run(command, user=user, env={"LANG": lang, "LANGUAGE": lang.split(".")[0] if lang != "C.UTF-8" else ""})


def opened(t, guard, *words, **options):
    """Unlocked and mounted by tanaka; the directory and its node."""
    result = unlock(t.vm, *words, **options)
    if result.rc != 0:
        t.check("unlocks", False, result)
    medium = guard.medium("LOCKED", verdict="allow")
    directory = guard.mount(medium["node"])
    return directory, medium["node"]


def is_gone(t, guard, directory, node, what):
    vm = t.vm
    device = guard.wait_device(kind="usb", serial="LOCKED", verdict="deny", reason="locked")
    vm.wait_run(f"! mountpoint -q {directory}")
    vm.wait_run(f"[ ! -e {node} ]")
    authorized = vm.check_run(f"cat /sys/bus/usb/devices/{device['port']}/authorized").strip()
    t.check(f"{what}: deauthorized, unmounted, no block device any more", authorized == "0" and device["grant"] is None, device)


def check_locked(t, guard, image):
    vm = t.vm
    before = guard.sequence()
    device = guard.plug(image, "LOCKED")
    t.check("a locked stick is refused, with that reason", (device["verdict"], device["reason"]) == ("deny", "locked"), device)
    t.check("it has no block device", vm.run("ls /dev/sd* 2>/dev/null").out == "", vm.run("ls /dev/sd*"))
    why = vm.run(["kuraban", "why"], user="tanaka", env={"LANG": "ja_JP.UTF-8"})
    t.check("tanaka is told to unlock it, in Japanese", why.rc == 0 and "拒否" in why.out and "kuraban unlock" in why.out, why)
    found = guard.since(before, event__action="device-decided", event__reason="locked")
    t.check("the journal has it", len(found) == 1 and found[0]["rule"]["id"] == "stick", found)
    return device


def check_refused(t, guard, device):
    vm = t.vm
    result = unlock(vm, codes=["000000"])
    t.check("a wrong code does not open it", result.rc == 1, result)
    result = unlock(vm, codes=[code(vm, COLLEAGUE)], user=COLLEAGUE)
    t.check("nor does the code of somebody whom the rule does not name", result.rc != 0, result)
    result = vm.run(["runuser", "-u", COLLEAGUE, "--", "kuraban", "unlock", "--reason", "x"])
    t.check("who is told so before a code is asked", result.rc == 4, result)
    result = vm.run(["kuraban", "unlock", "--reason", "x", "--json"])
    t.check("root is not named either", result.rc == 4 and json.loads(result.out)["reason"] == "who", result)
    t.check("it is still locked", guard.device(id=device["id"])["reason"] == "locked", guard.devices())


def check_opened(t, guard):
    """Returns the code that was used."""
    vm = t.vm
    used = code(vm, "tanaka")
    result = unlock(vm, "LOCKED", codes=[used], lang="ja_JP.UTF-8")
    t.check("the right code unlocks it, in Japanese", result.rc == 0 and "解除" in result.out, result)
    medium = guard.medium("LOCKED", verdict="allow")
    t.check("its medium follows its rule, and is read-only", medium["read_only"] and medium["granted"] == "read", medium)
    t.check("the list says whose it is", medium["grant"]["uid"] == 1000 and 800 < medium["grant"]["seconds"] <= 900, medium)
    directory = guard.mount(medium["node"])
    result = vm.run(["cat", f"{directory}/hello.txt"], user="tanaka")
    t.check("tanaka reads it", result.out == "こんにちは\n", result)
    result = vm.run(["cat", f"{directory}/hello.txt"])
    t.check("root does not", result.rc != 0 and "not permitted" in result.err, result)
    vm.check_run(f"mkdir -p /run/all && mount --bind {directory} /run/all")
    result = vm.run(["runuser", "-u", COLLEAGUE, "--", "cat", "/run/all/hello.txt"])
    t.check("nor does a colleague", result.rc != 0 and "not permitted" in result.err, result)
    vm.check_run(["umount", "/run/all"])
    result = vm.run(f"echo leak >{directory}/leak", user="tanaka")
    t.check("nobody writes", result.rc != 0, result)

    job = vm.spawn(f"cd {directory} && echo held && exec sleep 600", user="tanaka", timeout=620)
    wait_for(lambda: "held" in job.output(), "somebody who has the stick in use")
    t.check("(somebody has it in use)", job.running() and vm.check_run(["readlink", f"/proc/{job.pid}/cwd"]).strip() == directory)
    result = vm.run(["kuraban", "unlock", "--end"], user="tanaka")
    t.check("tanaka gives it back", result.rc == 0, result)
    is_gone(t, guard, directory, medium["node"], "--end while it is in use")
    t.check("who has it in use is not ended with it", job.running(), job.output())
    job.signal()
    result = unlock(vm, codes=[used])
    t.check("the same code again is refused", result.rc == 1 and guard.device(kind="usb", serial="LOCKED")["verdict"] == "deny", result)


def check_time(t, guard):
    directory, node = opened(t, guard, "--for", "25s")
    status = json.loads(t.vm.check_run(["kuraban", "unlock", "--status", "--json"], user="tanaka"))
    t.check("the end is near and told", status[0]["ends_soon"] is True and status[0]["seconds"] <= 25, status)
    is_gone(t, guard, directory, node, "the time is over")


def check_clock(t, guard):
    vm = t.vm
    directory, node = opened(t, guard)
    vm.check_run("date -s '+20 minutes'")
    is_gone(t, guard, directory, node, "the clock was set forward")
    vm.check_run("date -s '-20 minutes'")
    t.check("set back again, it stays locked", guard.device(kind="usb", serial="LOCKED")["reason"] == "locked", guard.devices())


def check_approved(t, guard):
    vm = t.vm
    directory, node = opened(t, guard)
    guard.enforce(usb(locked_stick("{factors: [totp], approvals: 1, for: 15m}")), MFA)
    is_gone(t, guard, directory, node, "the policy wants an approval now")
    result = vm.run(["kuraban", "unlock", "--reason", "x"], user="tanaka")
    t.check("without a colleague nothing opens", result.rc == 1 and "1 colleague" in result.err, result)
    result = unlock(vm, "--approver", COLLEAGUE, codes=[code(vm, "tanaka"), "000000"])
    t.check("nor with a wrong code of the colleague", result.rc == 1 and guard.device(kind="usb", serial="LOCKED")["verdict"] == "deny", result)
    before = guard.sequence()
    directory, node = opened(t, guard, "--approver", COLLEAGUE, codes=[code(vm, "tanaka"), code(vm, COLLEAGUE)])
    records = guard.since(before, event__action="grant-given")
    uid = int(vm.check_run(["id", "-u", COLLEAGUE]))
    right = len(records) == 1 and records[0]["kuraban"]["grant"]["approvers"] == [uid] and member(records[0], "user__id") == "1000"
    t.check("with both it opens, and the journal has both people and the reason", right and "3 地区" in records[0]["kuraban"]["grant"]["reason"], records)
    return directory, node


def check_pulled(t, guard, image, name, directory, node):
    vm = t.vm
    vm.unplug(name)
    wait_for(lambda: guard.devices(serial="LOCKED") == [], "the stick's leaving")
    vm.wait_run(f"! mountpoint -q {directory}")
    ended = guard.records(event__action="grant-ended")[-1]
    t.check("pulled out, its grant is over", ended["kuraban"]["grant"]["ended"] == "device", ended)
    name = vm.plug_usb_storage(image, serial="LOCKED")
    device = guard.wait_device(kind="usb", serial="LOCKED")
    t.check("put back, it is locked", device["reason"] == "locked", device)
    return name


def check_twin(t, guard, image):
    """One that claims the same serial number, in a port beside it."""
    vm = t.vm
    guard.enforce(usb(locked_stick(unique="ignore")), MFA)
    result = unlock(vm)
    first = guard.wait_device(kind="usb", serial="LOCKED", verdict="allow")
    twin = vm.plug_usb_storage(image + ".twin", serial="LOCKED")
    seen = wait_for(lambda: [d for d in guard.devices(kind="usb", serial="LOCKED") if d["port"] != first["port"]], "the twin")
    t.check("a twin of an unlocked stick is locked", result.rc == 0 and seen[0]["reason"] == "locked", (result, seen))
    vm.unplug(twin)
    wait_for(lambda: len(guard.devices(kind="usb", serial="LOCKED")) == 1, "the twin's leaving")
    t.check("and takes nothing from it", guard.device(kind="usb", serial="LOCKED")["verdict"] == "allow", guard.devices())
    vm.check_run(["kuraban", "unlock", "--end"])


def check_killed(t, guard):
    vm = t.vm
    directory, node = opened(t, guard)
    pid = vm.check_run(["systemctl", "show", "-p", "MainPID", "--value", "kuraband"]).strip()
    vm.check_run(["kill", "-KILL", pid])
    vm.wait_run(f"p=$(systemctl show -p MainPID --value kuraband); [ $p != 0 ] && [ $p != {pid} ] && kuraban status >/dev/null", seconds=60)
    is_gone(t, guard, directory, node, "kill -9 of kuraband")
    t.check("no grant is left", guard.ask("unlock", "--status") == [], guard.ask("unlock", "--status"))


def run(t):
    guard = Guard(t)
    image = os.path.join(t.scratch, "locked.img")
    media.make_vfat(image, {"hello.txt": "こんにちは\n"})
    media.make_vfat(image + ".twin", {"hello.txt": "twin\n"})
    prepare(t, guard)
    device = check_locked(t, guard, image)
    check_refused(t, guard, device)
    check_opened(t, guard)
    check_time(t, guard)
    check_clock(t, guard)
    directory, node = check_approved(t, guard)
    name = check_pulled(t, guard, image, next(reversed(t.vm.plugged)), directory, node)
    check_twin(t, guard, image)
    check_killed(t, guard)
    t.vm.unplug(name)
    wait_for(lambda: guard.devices(serial="LOCKED") == [], "the stick's leaving")
    guard.enforce()
    ends = [record["kuraban"]["grant"]["ended"] for record in guard.records(event__action="grant-ended")]
    t.check("each end is in the journal with its cause", sorted(set(ends)) == ["device", "expired", "given-back", "policy"], ends)
    t.check("the journal verifies", guard.verify()["ok"] is True, guard.verify())
