"""The key of the second factors sealed by systemd under the machine's TPM (swtpm): moved there from the file, changed, the TPM replaced, put back
from the copy in the safe; and sealed under the host's key where there is no TPM."""

import json
import time

from guard import Guard, usb
from people import People, code, password

PROFILE = "agent"
TPM = True
SECONDS = 900
MFA = "mfa: {login: {factors: [password, totp]}}\n"
SEALED = "/etc/credstore.encrypted"
# As docs/MFA.md has them. The copy for the safe is made first, in memory.
MAKE = "umask 077 && openssl rand -base64 32 > /run/safe"
SEAL = f"base64 -d < /run/safe | systemd-creds encrypt --with-key=%s --name=mfa-key - {SEALED}/mfa-key"
KEEP = f"systemd-creds decrypt {SEALED}/mfa-key - | systemd-creds encrypt --with-key=%s --name=mfa-key-old - {SEALED}/mfa-key-old"
TAKE = "systemctl restart kuraban-key kuraband"
UNSEALED = "/run/credentials/kuraban-key.service"


class Store:
    """What kuraband says of its store, and whether codes open."""

    def __init__(self, t):
        self.t = t
        self.vm = t.vm
        self.guard = Guard(t)
        self.guard.enforce(usb(), MFA)
        self.people = People(self.vm, 1)
        self.who = self.people.new()
        self.vm.check_run("DEBIAN_FRONTEND=noninteractive pam-auth-update --enable kuraban")

    def status(self):
        self.vm.wait_run("kuraban status")
        return json.loads(self.vm.run(["kuraban", "mfa", "status", "--json"]).out)

    def login(self):
        return self.people.talk(["su", "-", self.who.name, "-c", "echo IN-$(id -un)"], [password(self.who), code(self.who)])

    def opens(self, when, key):
        """The person enrolled at the beginning gets in, with a code that is new, by a key from there."""
        status = self.status()
        self.t.check(f"{when}: the key is a {key}", (status["state"], status["key"]) == ("good", key), status)
        shown = self.login()
        if "used before" in shown.text:
            # Two checks within one step: the code of the next one is right as well.
            self.vm.wait_run("test $(($(date +%s) / 30)) -gt " + str(int(self.vm.check_run("date +%s")) // 30), seconds=40)
            shown = self.login()
        good = shown.rc == 0 and f"IN-{self.who.name}" in shown.text
        self.t.check(f"{when}: who was enrolled before still is, and a code opens", good, shown)

    def reboot(self, how=None):
        (how or self.vm.reboot)()
        self.people.put_programs()

    def restart(self):
        start = time.monotonic()
        result = self.vm.run(TAKE)
        self.t.note(f"restart of key and guard: {time.monotonic() - start:.1f} s")
        return result

    def unsealing(self):
        """How long systemd needed for the key, in ms."""
        names = ("InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic")
        begin, end = (self.vm.check_run(f"systemctl show -p {name} --value kuraban-key.service") for name in names)
        return (int(end) - int(begin)) / 1000


def check_move(t, store):
    vm = t.vm
    # "partial": this machine has no UEFI that would have measured its boot.
    result = vm.run("systemd-creds has-tpm2; ls /dev/tpmrm0")
    t.check("the guest sees a TPM 2.0", {"+driver", "+subsystem", "/dev/tpmrm0"} <= set(result.out.split()), result)
    store.opens("before", "file")
    vm.check_run(f"install -d -m 700 {SEALED}")
    vm.check_run(MAKE)
    start = time.monotonic()
    vm.check_run(SEAL % "tpm2")
    t.note(f"sealing: {time.monotonic() - start:.1f} s")
    result = store.restart()
    t.check("sealed under the TPM, key and guard start", result.rc == 0, result)
    store.opens("sealed", "credential")
    t.check("the key file is gone", vm.run("ls /var/lib/kuraban/mfa.key*").rc != 0)
    result = vm.run(f"ls {UNSEALED}/mfa-key || cat {UNSEALED}/mfa-key", user="tanaka")
    t.check("nobody but root reaches the unsealed one", result.rc != 0 and vm.run(f"test -s {UNSEALED}/mfa-key").rc == 0, result)
    fstype = vm.check_run(f"findmnt -no FSTYPE {UNSEALED}").strip()
    t.check("which lies in memory that is never swapped", fstype == "ramfs", fstype)
    store.reboot()
    t.note(f"unsealing at the boot: {store.unsealing():.0f} ms")
    store.opens("after a boot", "credential")


def check_change(t, store):
    vm = t.vm
    vm.check_run(KEEP % "tpm2")
    vm.check_run(MAKE)
    vm.check_run(SEAL % "tpm2")
    result = store.restart()
    t.check("another key, with the old one beside it, is taken", result.rc == 0, result)
    store.opens("changed", "credential")
    vm.check_run(f"rm {SEALED}/mfa-key-old")
    vm.check_run(TAKE)
    status = store.status()
    t.check("and the old one is needed no more", (status["state"], status["key"]) == ("good", "credential"), status)


def check_other_machine(t, store):
    vm = t.vm
    # Power off: in an orderly end the kernel tells the TPM, which then writes its state once more.
    vm.check_run("sync")
    vm.replace_tpm()
    store.reboot(vm.reset)
    t.check("under another TPM the key stays sealed", vm.run("systemctl is-failed kuraban-key.service").out.strip() == "failed")
    t.note(vm.run("journalctl -b -u kuraban-key.service --no-pager").out)
    status = store.status()
    policy = store.guard.status()["policy"]
    t.check("and kuraband guards all the same", policy["version"] == Guard.version, policy)
    t.check("it says that it has no key", status["state"] == "no-key" and "mfa-key" in status["complaint"], status)
    shown = store.login()
    t.check("nobody gets in", shown.rc != 0 and "IN-" not in shown.text and "Codes cannot be verified now" in shown.text, shown)
    result = vm.run(["kuraban", "doctor"])
    said = "one-time codes cannot be verified" in result.out and "systemctl status kuraban-key" in result.out and "MFA.md" in result.out
    t.check("doctor says so, and what to do", result.rc != 0 and said, result)
    vm.check_run(SEAL.replace("/run/safe", "/root/safe") % "tpm2")
    result = store.restart()
    t.check("the copy in the safe, sealed under this TPM, is taken", result.rc == 0, result)
    store.opens("put back", "credential")


def check_host(t, store):
    """The TPM is taken from the kernel: systemd then finds none."""
    vm = t.vm
    vm.check_run("for d in /sys/class/tpm/tpm0/device/driver; do echo $(basename $(readlink -f /sys/class/tpm/tpm0/device)) > $d/unbind; done")
    t.check("(there is no TPM now)", vm.run("test -e /dev/tpmrm0").rc != 0)
    before = vm.check_run(f"sha256sum {SEALED}/mfa-key")
    result = vm.run(SEAL.replace("/run/safe", "/root/safe") % "tpm2")
    t.check("without a TPM nothing is sealed under one", result.rc != 0 and vm.check_run(f"sha256sum {SEALED}/mfa-key") == before, result)
    vm.check_run(SEAL.replace("/run/safe", "/root/safe") % "host")
    result = store.restart()
    t.check("sealed under the host's key it is taken", result.rc == 0, result)
    store.opens("with the host's key", "credential")


def run(t):
    store = Store(t)
    try:
        check_move(t, store)
        check_change(t, store)
        t.vm.check_run("mv /run/safe /root/safe && sync")
        check_other_machine(t, store)
        check_host(t, store)
        t.check("the journal is whole", store.guard.verify()["ok"] is True, store.guard.verify())
    finally:
        t.vm.run("DEBIAN_FRONTEND=noninteractive pam-auth-update --disable kuraban")
        store.guard.enforce()
