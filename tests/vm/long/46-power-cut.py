"""Killed, and without power, in the middle of policy apply: afterwards the old or the new policy rules, never none and never a
half; and what was said to rule, rules. The steps of the store sequence one by one are in tests/unit/daemon."""

import json
import os
import random
import subprocess
import sys
import time

import media
from console import Console
from guard import Guard, usb
from vm import HERE

PROFILE = "agent"
SECONDS = 900

# A campaign takes more of both; these are for every day.
KILLS = int(os.environ.get("KURABAN_KILLS", "6"))
CUTS = int(os.environ.get("KURABAN_CUTS", "2"))
STATE = "/var/lib/kuraban"
SIGN = os.path.join(HERE, "../component/daemon/sign.py")
SIGNERS = ("tanaka", "suzuki")
STORE = "stores:\n  - {id: juki, path: /srv/juki, class: 3B, programs: [{path: /usr/local/bin/client}]}\n"
# One round after the other: apply is started, the daemon is killed after so many seconds, and asked again when it is back.
# argv: directory of bundles N.json, then the moments. A line for each round.
KILLER = """
import json, os, signal, subprocess, sys, time

def ask():
    done = subprocess.run(["kuraban", "status", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(done.stdout) if done.returncode == 0 else None

def pid():
    return int(subprocess.check_output(["systemctl", "show", "-p", "MainPID", "--value", "kuraband.service"]))

def wait(condition):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise SystemExit("kuraband does not come back")

for moment in map(float, sys.argv[2:]):
    before, victim = ask()["policy"]["version"], pid()
    bundle = os.path.join(sys.argv[1], str(before + 1) + ".json")
    apply = subprocess.Popen(["kuraban", "policy", "apply", bundle], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(moment)
    os.kill(victim, signal.SIGKILL)
    told = apply.wait()
    wait(lambda: pid() not in (0, victim) and ask())
    status = ask()
    policy = status["policy"]
    print(json.dumps([moment, before, told, policy["version"], policy["source"], status["enforcing"]]), flush=True)
"""


def signer(directory, *words):
    subprocess.run([sys.executable, SIGN, directory, *words], check=True)


def prepare(t, guard):
    """A root, installed, and a bundle for each round and one to begin with."""
    vm, directory = t.vm, t.scratch
    signer(directory, "key", *SIGNERS, "sato", "hub")
    signer(directory, "root", "root.json", "{}", *SIGNERS)
    with open(os.path.join(directory, "root.json"), "rb") as file:
        vm.put("/run/bundles/root.json", file.read())
    for version in range(1, KILLS + CUTS + 3):
        policy, signed, bundle = (os.path.join(directory, f"{version}.{end}") for end in ("yaml", "signed", "json"))
        text = guard.policy(usb(), STORE).replace("matsudo.example", "test.example").splitlines()
        with open(policy, "w") as file:
            file.write("".join(f"version: {version}\n" if line.startswith("version:") else line + "\n" for line in text))
        signer(directory, "policy", signed, policy, *SIGNERS)
        signer(directory, "bundle", bundle, f"policy={signed}")
        with open(bundle, "rb") as file:
            vm.put(f"/var/lib/bundles/{version}.json", file.read())
    vm.check_run(["kuraban", "policy", "root", "install", "--yes", "/run/bundles/root.json"])
    spent = []
    for version in (1, 2):
        start = time.monotonic()
        vm.check_run(["kuraban", "policy", "apply", f"/var/lib/bundles/{version}.json"])
        spent.append(time.monotonic() - start)
    vm.check_run(["sync"])
    return min(spent)


def judge(t, what, rounds):
    """rounds: [moment, version before, what apply said (None: nothing any more), version after, source, enforcing]"""
    for line in rounds:
        t.note(f"{what}: {line}")
    t.check(f"{what}: the old or the new policy rules", all(r[3] in (r[1], r[1] + 1) for r in rounds), rounds)
    t.check(f"{what}: a signed one, enforced", all(r[4] == "signed" and r[5] is True for r in rounds), rounds)
    t.check(f"{what}: what apply said to rule does", all(r[3] == r[1] + 1 for r in rounds if r[2] == 0), rounds)
    new = sum(r[3] == r[1] + 1 for r in rounds)
    t.note(f"{what}: {len(rounds) - new} ended with the old, {new} with the new")


def kill(t, moments):
    t.vm.put("/run/killer", KILLER)
    result = t.vm.run(["python3", "/run/killer", "/var/lib/bundles", *map(str, moments)], timeout=SECONDS)
    rounds = [json.loads(line) for line in result.out.splitlines()]
    t.check(f"killed {len(moments)} times during apply, it came back each time", len(rounds) == len(moments), result)
    judge(t, "kill -9", rounds)


def check_closed(t, guard):
    """The signed policy is not only named: the stick that it does not know and the store stay closed when the power comes back."""
    device = guard.wait_device(kind="usb", serial="STRANGER")
    t.check("power cut: the stick stays refused", device["verdict"] == "deny" and not device["authorized"], device)
    result = t.vm.run(["cat", "/srv/juki/resident.csv"], user="tanaka")
    t.check("power cut: the store stays closed", result.rc == 1 and result.out == "", result)


def cut(t, guard, moments):
    """None is the moment when apply has just said that it rules."""
    rounds = []
    guard.plug(media.make_vfat(os.path.join(t.scratch, "stranger.img"), {"a": "a"}), "STRANGER")
    for moment in moments:
        before = guard.status()["policy"]["version"]
        job = t.vm.spawn(["kuraban", "policy", "apply", f"/var/lib/bundles/{before + 1}.json"])
        if moment is None:
            job.wait()
        else:
            time.sleep(moment)
        t.vm.reset()
        told = None if job.running() else job.wait().rc
        status = guard.status()
        rounds.append([moment, before, told, status["policy"]["version"], status["policy"]["source"], status["enforcing"]])
        check_closed(t, guard)
    judge(t, "power cut", rounds)


def clean_up(t):
    """The same way as people: at the console. In whatever state the machine is, it works again afterwards."""
    try:
        with Console(t.vm) as console:
            console.log_in("root", "root")
            status, shown = console.run("kuraban policy root remove --reason 'end of the trial'")
            t.check("at the console the root is removed", status == 0, shown)
            console.log_out()
    finally:
        files = f"{STATE}/trust.json {STATE}/trust.installed"
        script = f"if ls {files} 2>/dev/null; then systemctl stop kuraband; rm -f {files}; systemctl start kuraband; fi; rm -rf /var/lib/bundles"
        t.vm.check_run(script, timeout=90)


def run(t):
    guard = Guard(t)
    t.vm.check_run("mkdir -p /srv/juki; echo resident >/srv/juki/resident.csv; chmod -R a+rX /srv/juki; cp /bin/cat /usr/local/bin/client")
    guard.enforce()
    try:
        whole = prepare(t, guard)
        seed = random.randrange(1 << 32)
        dice = random.Random(seed)
        t.note(f"an undisturbed apply takes {whole:.2f} s; seed {seed}")
        kill(t, [round(dice.uniform(0, 1.3 * whole), 4) for _ in range(KILLS)])
        cut(t, guard, [None] + [round(dice.uniform(0, 3 * whole), 4) for _ in range(CUTS - 1)])
        t.check("the journal verifies", guard.verify()["ok"] is True, guard.verify())
    finally:
        clean_up(t)
