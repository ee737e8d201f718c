"""A signed policy from the first line to the last terminal, by the hands of the people: written, checked, signed by two persons
at a machine without network, carried on a read-only stick, installed and applied, kept, attacked, and taken back at the console."""

import datetime
import json
import os
import re

import keyboard
import media
from console import Console
from guard import POLICY_FILE, Guard, member, stick, usb
from vm import wait_for

PROFILE = "agent"
SECONDS = 900

CONFIG = "/etc/kuraban/kuraban.yaml"
BEFORE = "/var/lib/kuraban.yaml.before"
STATE = "/var/lib/kuraban"
DESK = "/srv/signing"  # what the people who sign hand to each other
DRAFTS, APPROVES, THIRD = "sato", "suzuki", "takahashi"
PASSPHRASES = {DRAFTS: "rain on the old station roof", APPROVES: "seven paper boats going east", THIRD: "an umbrella left in the bus"}
ASKED = re.compile(rb"Passphrase of [^\n]*: ")
STORE = "stores:\n  - {id: juki, path: /srv/juki, class: 3B, programs: [{path: /usr/local/bin/client}]}\n"


def document(version, *rules):
    """For the terminals of the tax section, which carry their policies on CARRIER."""
    today = datetime.date.today()
    lines = [
        "format: kuraban-policy/1",
        "organization: matsudo.example",
        "name: 課税課 標準",
        f"version: {version}",
        "scope: {groups: [kazei]}",
        f"valid: {{from: {today - datetime.timedelta(days=2)}, until: {today + datetime.timedelta(days=364)}}}",
        "zone: mynumber",
        "mode: enforce",
    ]
    return "\n".join(lines) + "\n" + usb(stick("CARRIER", name="carrier"), *rules) + STORE


FIRST = document(1, stick("KAZEI", name="kazei"))
SECOND = document(2)  # without the section's stick


# The people who sign


def set_the_desk(vm):
    script = f"groupadd -f signers; mkdir -p {DESK}; chgrp signers {DESK}; chmod 2770 {DESK}"
    for user in PASSPHRASES:
        script += f"; useradd -m -s /bin/bash -G signers {user}; echo {user}:{user} | chpasswd"
    vm.check_run(script)


def make_key(t, console, user):
    console.start(f"kuraban policy keygen --name {user} --out ~/key")
    console.answer("New passphrase (nothing is shown): ", PASSPHRASES[user])
    shown = console.answer("The same again: ", PASSPHRASES[user])
    status, rest = console.finish()
    t.check(f"{user} makes a key, and the console shows no passphrase", status == 0 and PASSPHRASES[user] not in shown + rest, rest)
    console.run(f"cp ~/key.pub {DESK}/{user}.pub")


def sign(console, user, what, command):
    """Read, answer yes, and the passphrase; (status, all that was shown)."""
    console.start(command)
    before = console.answer(f"Sign this {what}? Type “yes”: ", "yes")
    shown = console.answer(ASKED, PASSPHRASES[user])
    status, rest = console.finish()
    return status, before + shown + rest


def write_down(console, path, text):
    """As somebody types it."""
    console.run(f"cat >{path} <<'END'\n{text}END".replace("\n", "\r"))


def draft(t, console):
    """Sato writes the root and the first policy."""
    expires = datetime.date.today() + datetime.timedelta(days=1500)
    keys = " ".join(f"--{role}-key {user}.pub" for role in ("root", "policy") for user in PASSPHRASES)
    status, shown = console.run(
        f"cd {DESK}; kuraban policy root create --organization matsudo.example {keys} --head-key {THIRD}.pub"
        f" --expires {expires} --out root.json"
    )
    t.check("a root document: two of three must sign", status == 0, shown)
    status, shown = sign(console, DRAFTS, "root document", "kuraban policy root sign --key ~/key root.json")
    t.check(f"{DRAFTS} signs it", status == 0 and "Still needed: 1" in shown, shown)

    write_down(console, "v1.yaml", FIRST.replace("scope:", "scop:"))
    status, shown = console.run("kuraban policy check v1.yaml")
    t.check("a slip of the pen is found, with its place", status == 1 and "v1.yaml:5:1:" in shown and "scope" in shown, shown)
    status, shown = console.run("sed -i s/^scop:/scope:/ v1.yaml; kuraban policy check v1.yaml")
    t.check("corrected, the policy passes", status == 0, shown)
    status, shown = sign(console, DRAFTS, "policy", "kuraban policy sign --key ~/key --root root.json v1.yaml")
    t.check(f"{DRAFTS} sees what is signed, and signs", status == 0 and "課税課 標準, version 1" in shown, shown)
    console.start("kuraban policy sign --key ~/key --yes v1.yaml.signed")
    console.answer(ASKED, PASSPHRASES[DRAFTS])
    status, shown = console.finish()
    t.check(f"{DRAFTS} cannot approve as well", status == 1 and "signed already" in shown, shown)
    status, shown = console.run("kuraban policy bundle --policy v1.yaml.signed --root root.json --out v1.bundle")
    t.check("with one signature there is no bundle", status == 1, shown)


def approve(t, console):
    console.run(f"cd {DESK}")
    status, shown = sign(console, APPROVES, "root document", "kuraban policy root sign --key ~/key root.json")
    t.check(f"{APPROVES} signs the root: nobody has to any more", status == 0 and "Nobody has to sign any more" in shown, shown)
    console.run("cp v1.yaml.signed one.signed")
    status, shown = sign(console, APPROVES, "policy", "kuraban policy sign --key ~/key --root root.json v1.yaml.signed")
    t.check(f"{APPROVES} sees who signed before, and approves", status == 0 and DRAFTS in shown, shown)
    status, shown = console.run("kuraban policy bundle --policy v1.yaml.signed --root root.json --out v1.bundle")
    t.check("with two signatures there is a bundle", status == 0, shown)
    status, shown = console.run("kuraban policy verify v1.bundle --root root.json --group kazei")
    t.check("a terminal of the section would take it", status == 0, shown)
    status, shown = console.run("kuraban policy verify v1.bundle --root root.json --group zeimu")
    t.check("another would not", status == 1, shown)


def sign_second(t, console):
    """The policy that takes the stick back; by now they know how."""
    vm = t.vm
    vm.put(f"{DESK}/v2.yaml", SECOND)
    for user in (DRAFTS, APPROVES):
        vm.put(f"/home/{user}/passphrase", PASSPHRASES[user] + "\n", 0o600)
        name = "v2.yaml" if user == DRAFTS else "v2.yaml.signed"
        command = f"kuraban policy sign --yes --passphrase-file ~/passphrase --key ~/key --root {DESK}/root.json {DESK}/{name}"
        vm.check_run(f"chown {user} ~{user}/passphrase; runuser -u {user} -- sh -c 'HOME=/home/{user}; {command}'")
    vm.check_run(f"kuraban policy bundle --policy {DESK}/v2.yaml.signed --root {DESK}/root.json --out {DESK}/v2.bundle")


def ceremony(t, console):
    vm = t.vm
    set_the_desk(vm)
    links = vm.check_run("ls /sys/class/net; cat /proc/net/route | wc -l").split()
    t.check("the machine where people sign has no network", links == ["lo", "1"], links)
    console.log_in(APPROVES, APPROVES)
    make_key(t, console, APPROVES)
    console.log_out()
    vm.put(f"/home/{THIRD}/passphrase", PASSPHRASES[THIRD] + "\n", 0o600)
    vm.check_run(
        f"cd ~{THIRD}; kuraban policy keygen --name {THIRD} --out key --passphrase-file passphrase && cp key.pub {DESK}/{THIRD}.pub"
    )
    console.log_in(DRAFTS, DRAFTS)
    make_key(t, console, DRAFTS)
    draft(t, console)
    console.log_out()
    console.log_in(APPROVES, APPROVES)
    approve(t, console)
    console.log_out()
    sign_second(t, console)


# The terminal


def carry(t, guard):
    """A stick with what was signed, in the reader that the policy permits; where it is mounted."""
    names = ("root.json", "one.signed", "v1.bundle", "v2.bundle")
    image = media.make_vfat(os.path.join(t.scratch, "carrier.img"), {name: t.vm.get(f"{DESK}/{name}") for name in names}, "CARRIER")
    guard.plug(image, "CARRIER")
    medium = guard.medium("CARRIER", verdict="allow")
    directory = guard.mount(medium["node"])
    options = t.vm.check_run(["findmnt", "-n", "-o", "OPTIONS", directory]).strip().split(",")
    t.check("the stick that carries it is mounted read-only", "ro" in options and medium["read_only"], (options, medium))
    return directory


def refusal(t, *words, **options):
    """Status and reason of a verb that is refused."""
    result = t.vm.run(["kuraban", *words, "--json"], **options)
    try:
        return result.rc, json.loads(result.out).get("reason"), result
    except ValueError:
        return result.rc, None, result


def rules(guard):
    policy = guard.status()["policy"]
    return policy["source"], policy["version"]


def install(t, guard, console, carrier):
    rc, reason, result = refusal(t, "policy", "apply", f"{carrier}/v1.bundle")
    t.check("without a root nothing signed counts", (rc, reason) == (1, "no-root"), result)
    console.log_in("root", "root")
    console.start(f"kuraban policy root install {carrier}/root.json")
    shown = console.answer("Install this root? Type “yes”: ", "yes")
    status, rest = console.finish()
    ids = t.vm.check_run(f"for u in {' '.join(PASSPHRASES)}; do openssl pkey -pubin -in {DESK}/$u.pub -outform DER | sha256sum; done")
    known = [line[:16] for line in ids.splitlines()]
    t.check("at the console the root is installed, its key ids shown first", status == 0 and all(i in shown for i in known), (shown, rest))
    t.check("what ruled rules on until something signed comes", rules(guard) == ("last-good", Guard.version), guard.status())
    rc, reason, result = refusal(t, "policy", "apply", f"{carrier}/one.signed")
    t.check("the second signature missing: refused", (rc, reason) == (1, "too-few-signatures"), result)
    result = t.vm.run(["kuraban", "policy", "apply", f"{carrier}/v1.bundle"], user="tanaka")
    t.check("tanaka cannot apply", result.rc == 4, result)


def read_as_tanaka(t, directory):
    return t.vm.run(["cat", f"{directory}/hello.txt"], user="tanaka").out


def apply_first(t, guard, carrier):
    before = guard.sequence()
    device = guard.device(kind="usb", serial="KAZEI")
    t.check("the section's stick is plugged in and refused", device and device["verdict"] == "deny" and not device["authorized"], device)
    result = t.vm.run(["kuraban", "policy", "apply", f"{carrier}/v1.bundle"])
    t.check("the first policy is applied from the stick", result.rc == 0 and DRAFTS in result.out and APPROVES in result.out, result)
    status = guard.status()
    names = {signer["name"] for signer in status["trust"]["signers"]}
    t.check("status: signed, by these two", rules(guard) == ("signed", 1) and names == {DRAFTS, APPROVES}, status)
    device = guard.wait_device(kind="usb", serial="KAZEI", verdict="allow", authorized=True)
    t.check("the stick that was there all the while is decided anew", device["rule"] == "kazei", device)
    directory = guard.mount(guard.medium("KAZEI", verdict="allow")["node"])
    t.check("tanaka reads it", read_as_tanaka(t, directory) == "hello", directory)
    applied = guard.since(before, event__action="policy-applied")
    t.check("the journal has who signed", len(applied) == 1 and DRAFTS in str(applied) and APPROVES in str(applied), applied)
    return directory


def apply_second(t, guard, carrier, directory):
    """It takes a stick away that is mounted and in use."""
    vm = t.vm
    vm.check_run("rm -f /run/taken")
    script = f"exec 9<{directory}; echo held; until [ -e /run/taken ]; do sleep 0.1; done; echo asked; cat /proc/self/fd/9/hello.txt"
    holder = vm.spawn(script, user="tanaka", timeout=60)
    wait_for(lambda: "held" in holder.output(), "somebody who has the stick in use")
    result = vm.run(["kuraban", "policy", "apply", f"{carrier}/v2.bundle"])
    t.check("the second policy is applied", result.rc == 0 and rules(guard) == ("signed", 2), result)
    device = guard.wait_device(kind="usb", serial="KAZEI", verdict="deny", authorized=False)
    t.check("the stick that it no longer names is refused", device["rule"] == "default", device)
    vm.wait_run(f"! mountpoint -q {directory}")
    vm.wait_run("! ls /dev/disk/by-id/*KAZEI* 2>/dev/null")
    t.check("it is unmounted, and no disk any more", True)
    vm.check_run(["touch", "/run/taken"])
    result = holder.wait()
    nothing = result.rc != 0 and not result.timeout and result.out.split() == ["held", "asked"]
    t.check("who has its directory open gets nothing more", nothing, result)
    t.check("the other stick stays", vm.run(["mountpoint", "-q", carrier]).rc == 0)


def check_no_way_back(t, guard, carrier):
    vm = t.vm
    before = guard.sequence()
    rc, reason, result = refusal(t, "policy", "apply", f"{carrier}/v1.bundle")
    t.check("yesterday's bundle is refused", (rc, reason) == (1, "rollback"), result)
    refused = guard.since(before, event__action="policy-refused", event__reason="rollback")
    t.check("with an alarm", len(refused) == 1 and member(refused[0], "event__kind") == "alert", guard.since(before))
    vm.put(POLICY_FILE, guard.policy(usb(stick("EVIL", name="evil"), stick("KAZEI"))))
    result = vm.run(["kuraban", "reload"])
    t.check("the unsigned file does not count", result.rc != 0 and rules(guard) == ("signed", 2), result)
    device = guard.plug(media.make_vfat(os.path.join(t.scratch, "evil.img"), {"a": "a"}), "EVIL")
    t.check("nor does what it permits", device["verdict"] == "deny", device)
    remove = ["kuraban", "policy", "root", "remove", "--reason", "afar"]
    result = vm.run(["script", "-qec", " ".join(remove), "/dev/null"])
    t.check("over a pseudo-terminal root cannot remove the root", result.rc == 1 and "console" in result.out, result)
    result = vm.run(remove)
    t.check("nor without any terminal", result.rc == 1 and "console" in result.err, result)
    found = guard.since(before, event__action="command", event__reason="console")
    t.check("both attempts are in the journal", len(found) == 2, guard.since(before))


def check_damaged(t, guard, console):
    """Half of what was stored, as after a bad disk: when the power comes back nothing is permitted, but people can type. What a power
    cut leaves of a whole one is in 46-power-cut."""
    vm = t.vm
    vm.check_run(f"truncate -s $(($(stat -c %s {STATE}/trust.json) / 2)) {STATE}/trust.json; sync")
    vm.reset()
    status = guard.status()
    damaged = status["policy"]["source"] == "none" and member(status, "trust__state") == "damaged"
    t.check("with the stored policy damaged none rules", damaged, status)
    result = keyboard.press(vm)
    t.check("the keyboard works", "key 37" in result.out, result)
    for serial in ("CARRIER", "EVIL", "KAZEI"):
        device = guard.wait_device(kind="usb", serial=serial)
        t.check(f"{serial} is refused", device["verdict"] == "deny" and not device["authorized"], device)
    for command in (["cat"], ["/usr/local/bin/client"]):
        result = vm.run([*command, "/srv/juki/resident.csv"], user="tanaka")
        t.check(f"the store is closed for {command[0]}", result.rc != 0 and "resident" not in result.out, result)
    t.check("the journal has an alarm", guard.records(event__action="trust-damaged"), guard.records()[-5:])
    doctor = vm.run(["kuraban", "doctor"], env={"LC_ALL": "C.UTF-8"})
    t.check("doctor says what to do", doctor.rc == 1 and "policy root remove" in doctor.out, doctor)
    rc, reason, result = refusal(t, "policy", "apply", f"{DESK}/v2.bundle")
    t.check("nothing is applied on top", (rc, reason) == (1, "damaged"), result)
    rc, reason, result = refusal(t, "policy", "root", "install", "--yes", f"{DESK}/root.json")
    t.check("nor another root installed", (rc, reason) == (1, "damaged"), result)
    result = vm.run(["kuraban", "reload"])
    t.check("and the unsigned file does not count", result.rc != 0 and guard.status()["policy"]["source"] == "none", result)
    result = vm.run(["kuraban", "emergency", "--seconds", "60", "--reason", "trust.json"])
    t.check("the emergency is answered", result.rc == 0 and guard.status()["emergency"], result)
    remove(t, guard, console, "the disk broke")


def remove(t, guard, console, reason):
    before = guard.sequence()
    console.log_in("root", "root")
    status, shown = console.run(f"tty; kuraban policy root remove --reason '{reason}'")
    t.check(f"at the console the root is removed: {reason}", status == 0 and "/dev/ttyS0" in shown, shown)
    console.log_out()
    found = guard.since(before, event__action="root-removed")
    told = len(found) == 1 and found[0]["message"] == reason and member(found[0], "event__kind") == "alert"
    t.check("the journal has it, and why, as an alarm", told, found)
    t.check("the unsigned file rules again", rules(guard) == ("file", Guard.version), guard.status())
    guard.wait_device(kind="usb", serial="EVIL", verdict="allow")
    left = t.vm.run(f"ls {STATE}/trust.json {STATE}/trust.installed")
    t.check("and nothing of the root is left", left.out == "", left)


def check_whole_again(t, guard, console):
    """Installed once more, applied, and removed while all is well."""
    t.vm.check_run(["kuraban", "policy", "root", "install", "--yes", f"{DESK}/root.json"])
    t.vm.check_run(["kuraban", "policy", "apply", f"{DESK}/v2.bundle"])
    guard.wait_device(kind="usb", serial="EVIL", verdict="deny")
    t.check("installed and applied again, it rules", rules(guard) == ("signed", 2), guard.status())
    remove(t, guard, console, "end of the trial")


def clean_up(t):
    users = " ".join(PASSPHRASES)
    t.vm.check_run(
        f"systemctl stop kuraband.service; rm -f {STATE}/trust.json {STATE}/trust.installed; cp {BEFORE} {CONFIG};"
        f" systemctl start kuraband.service; rm -rf {DESK}; for u in {users}; do userdel -rf $u; done 2>/dev/null; umount /media/tanaka/*"
        " 2>/dev/null; true",
        timeout=90,
    )


def run(t):
    vm, guard = t.vm, Guard(t)
    vm.check_run("mkdir -p /srv/juki; echo resident >/srv/juki/resident.csv; chmod -R a+rX /srv/juki; cp /bin/cat /usr/local/bin/client")
    vm.check_run(f"cp {CONFIG} {BEFORE}; printf 'terminal: {{id: kazei-01, groups: [kazei]}}\\n' >>{CONFIG}")
    vm.check_run(["systemctl", "restart", "kuraband.service"], timeout=90)
    try:
        with Console(vm) as console:
            ceremony(t, console)
            guard.enforce(usb(stick("CARRIER", name="carrier")), STORE)
            carrier = carry(t, guard)
            image = media.make_vfat(os.path.join(t.scratch, "kazei.img"), {"hello.txt": "hello"}, "KAZEI")
            guard.plug(image, "KAZEI")
            install(t, guard, console, carrier)
            directory = apply_first(t, guard, carrier)
            apply_second(t, guard, carrier, directory)
            check_no_way_back(t, guard, carrier)
            check_damaged(t, guard, console)
            check_whole_again(t, guard, console)
        t.check("the journal verifies", guard.verify()["ok"] is True, guard.verify())
    finally:
        clean_up(t)
