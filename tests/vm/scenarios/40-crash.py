"""kill -9 of the daemon opens nothing: not an open that waits, not one that comes while it is dead, not a medium, not a stick
that is plugged in meanwhile, and not one byte to somebody who tries all the time while it dies again and again."""

import os

import media
from guard import Guard, stick, usb
from vm import wait_for

PROFILE = "agent"
SECONDS = 420

DROP_IN = "/run/systemd/system/kuraband.service.d/test.conf"
STORE = """stores:
  - {id: juki, path: /srv/juki, class: 3B, programs: [{path: /usr/local/bin/client}]}
"""
# Counts attempts and the bytes they got or gave; says so when it is told to stop.
HAMMER = """
import os, sys
names = {"store": "/srv/juki/resident.csv", "stick": sys.argv[1] + "/out"}
tried, got = 0, 0
while not os.path.exists("/run/hammer-stop"):
    tried += 1
    try:
        got += len(open(names["store"], "rb").read())
    except OSError:
        pass
    try:
        fd = os.open(names["stick"], os.O_WRONLY | os.O_CREAT)
        got += os.write(fd, b"RESIDENT")
        os.close(fd)
    except OSError:
        pass
    print(tried, flush=True)
print("tried", tried, "got", got, flush=True)
"""


def main_pid(vm):
    return int(vm.check_run(["systemctl", "show", "-p", "MainPID", "--value", "kuraband.service"]))


def wait_ready(guard):
    """The daemon answers, and is another one than before."""
    enforcing = "kuraban status --json | jq -e .enforcing || { kuraban doctor --json | jq -c '[.[] | select(.ok | not)]'; false; }"
    guard.vm.wait_run(f"systemctl is-active --quiet kuraband.service && {{ {enforcing}\n}}", seconds=60)


def wait_blocked(vm, job):
    """The opener waits inside the kernel for the gate's answer."""
    vm.wait_run(f"grep -q fanotify /proc/{job.pid}/stack")


def restart_automatically(vm, value):
    if value:
        vm.check_run(f"rm -f {DROP_IN}; systemctl daemon-reload")
    else:
        vm.put(DROP_IN, "[Service]\nRestart=no\n")
        vm.check_run(["systemctl", "daemon-reload"])


def check_dead(t, guard, directory, node):
    """The daemon dies with an open waiting, and does not come back."""
    vm = t.vm
    restart_automatically(vm, False)
    pid = main_pid(vm)
    vm.check_run(["kill", "-STOP", str(pid)])
    waiting = vm.spawn(["cat", f"{directory}/first"], user="tanaka", timeout=60)
    wait_blocked(vm, waiting)
    vm.check_run(["kill", "-KILL", str(pid)])
    late = vm.spawn(["cat", f"{directory}/second"], user="tanaka", timeout=60)
    vm.wait_run("systemctl is-failed --quiet kuraband.service")
    result = waiting.wait()
    t.check("the open that waited is refused", result.rc == 1 and result.out == "" and "not permitted" in result.err, result)
    result = late.wait()
    t.check("so is one that came while it was dead", result.rc == 1 and result.out == "" and "not permitted" in result.err, result)
    result = vm.run(["cat", f"{directory}/third"], user="tanaka")
    t.check("and every later one", result.rc == 1 and result.out == "", result)
    result = vm.run(["cat", "/srv/juki/resident.csv"], user="tanaka")
    t.check("a store stays closed", result.rc == 1 and result.out == "", result)
    result = vm.run(["/usr/local/bin/client", "/srv/juki/resident.csv"], user="tanaka")
    t.check("also for its own program: nobody is there to say yes", result.rc != 0 and result.out == "", result)
    ro = vm.check_run(["cat", f"/sys/block/{os.path.basename(node)}/ro"]).strip()
    ways = guard.attempts("files", directory, "first")
    t.check("the medium stays read-only", ro == "1" and ways and "done" not in ways.values(), ways)


def check_plugged_meanwhile(t, guard):
    vm = t.vm
    image = media.make_vfat(os.path.join(t.scratch, "b.img"), {"b": "b"})
    vm.plug_usb_storage(image, serial="SECOND")
    path = vm.wait_run("dirname $(grep -lx SECOND /sys/bus/usb/devices/*/serial)").strip()
    vm.check_run(["udevadm", "settle"])
    seen = vm.run(f"cat {path}/authorized; ls /dev/sd? /dev/disk/by-id/*SECOND* 2>/dev/null")
    t.check("a permitted stick that is plugged in meanwhile stays unauthorized", seen.out.split() == ["0", "/dev/sda"], seen)


def check_back(t, guard, directory, before):
    vm = t.vm
    restart_automatically(vm, True)
    vm.check_run(["systemctl", "start", "kuraband.service"], timeout=90)
    wait_ready(guard)
    device = guard.wait_device(kind="usb", serial="SECOND", authorized=True)
    t.check("the restarted daemon decides on the stick that waited", device["verdict"] == "allow", device)
    guard.medium("SECOND", verdict="allow", read_only=True)
    wait_for(lambda: guard.device(kind="medium", serial="FIRST", guarded=True), "the first stick's guard")
    result = vm.run(["cat", f"{directory}/first"], user="tanaka")
    t.check("the first stick can be read again", result.out == "first", result)
    result = vm.run(["/usr/local/bin/client", "/srv/juki/resident.csv"], user="tanaka")
    t.check("the store opens for its program again", result.out == "resident\n", result)
    taken = guard.since(before, event__action="daemon-takeover")
    swept = guard.since(before, event__action="gate-swept")
    t.check("the journal has the takeover and what was refused", taken and swept and swept[0]["kuraban"]["count"] >= 2, (taken, swept))
    verified = guard.verify()
    t.check("the journal verifies", verified["ok"] is True and verified["rc"] == 0, verified)


def check_restarted(t, guard, directory):
    """The same with systemd bringing it back at once: the new daemon refuses what the dead one had read."""
    vm = t.vm
    pid = main_pid(vm)
    vm.check_run(["kill", "-STOP", str(pid)])
    waiting = vm.spawn(["cat", f"{directory}/fourth"], user="tanaka", timeout=60)
    wait_blocked(vm, waiting)
    vm.check_run(["kill", "-KILL", str(pid)])
    result = waiting.wait()
    allowed = result.out == "fourth"
    # Read by the dead daemon: refused. Still in the kernel's queue: judged by the new one, which permits it.
    t.check("restarted at once, the open ends refused or judged by the new daemon", allowed or result.rc == 1, result)
    wait_ready(guard)
    t.check("it is another process", main_pid(vm) not in (0, pid))


def check_hammer(t, guard, directory):
    vm = t.vm
    vm.put("/run/hammer", HAMMER)
    vm.check_run(["rm", "-f", "/run/hammer-stop"])
    job = vm.spawn(["python3", "/run/hammer", directory], user="tanaka", timeout=180)
    for turn in range(6):
        done = len(job.output().split())
        # Between two daemons there is nobody to kill.
        kill = ["systemctl", "kill", "-s", "KILL", "--kill-who=main", "kuraband.service"]
        wait_for(lambda: vm.run(kill).rc == 0, "a daemon to kill", 60)
        if turn == 2:
            vm.check_run(["systemctl", "kill", "-s", "KILL", "kuraban-keeper.service"])
        wait_for(lambda: len(job.output().split()) > done + 1, "one more attempt", 60)
    wait_ready(guard)
    vm.check_run(["touch", "/run/hammer-stop"])
    result = job.wait()
    words = result.out.split()[-4:]
    t.check("killed six times, the keeper once, zero bytes came out", words[:1] == ["tried"] and words[2:] == ["got", "0"], words)
    t.check("and it was tried all the while", words[:1] == ["tried"] and int(words[1]) >= 12, words)


def run(t):
    vm, guard = t.vm, Guard(t)
    vm.check_run("mkdir -p /srv/juki; echo resident >/srv/juki/resident.csv; chmod -R a+rX /srv/juki; cp /bin/cat /usr/local/bin/client")
    guard.enforce(usb(stick("FIRST", name="first"), stick("SECOND", name="second")), STORE)
    names = ("first", "second", "third", "fourth")
    image = media.make_vfat(os.path.join(t.scratch, "a.img"), {name: name for name in names})
    guard.plug(image, "FIRST")
    node = guard.medium("FIRST", verdict="allow")["node"]
    directory = guard.mount(node)
    wait_for(lambda: guard.device(kind="medium", serial="FIRST", guarded=True), "the gate's guard")
    before = guard.sequence()
    try:
        check_dead(t, guard, directory, node)
        check_plugged_meanwhile(t, guard)
        check_back(t, guard, directory, before)
        check_restarted(t, guard, directory)
        check_hammer(t, guard, directory)
        verified = guard.verify()
        t.check("after all of it the journal verifies", verified["ok"] is True and verified["rc"] == 0, verified)
    finally:
        restart_automatically(vm, True)
        vm.run("touch /run/hammer-stop; systemctl start kuraband.service; umount /media/tanaka/*")
