"""The installed guard as the scenarios use it: policies, what kuraban says, what the journal says, programs of the tests.

    guard = Guard(t)
    guard.enforce(STICK)                 # a policy with the machine's keyboard and these parts, in force when this returns
    guard.wait_device(serial="A1", verdict="allow")
    guard.records(action="device-decided", device__serial_number="A1")
"""

import json
import os
import subprocess

from channel import VMError
from vm import HERE, wait_for

POLICY_FILE = "/etc/kuraban/policy.yaml"
QEMU_STICK = "46f4:0001"
# QEMU's keyboard, which is there from the boot on.
KEYBOARD = '  - {id: keyboard, allow: use, match: {device: "0627:0001", interfaces: {equals: ["03:01:01"]}}}\n'
TANAKA = 1000


def usb(*rules):
    """A usb section: the machine's keyboard and these rules, one line of YAML each."""
    return "usb:\n" + KEYBOARD + "".join(f"  - {rule}\n" for rule in rules)


def stick(serial, allow="read", name="stick", **more):
    """A rule for a stick of QEMU with this serial number."""
    rest = "".join(f", {key.replace('_', '-')}: {value}" for key, value in more.items())
    return f'{{id: {name}, allow: {allow}, match: {{device: "{QEMU_STICK}", serial: "{serial}"}}{rest}}}'


def compile_program(name, directory):
    """tests/vm/programs/NAME.c as a static program; its path on the host."""
    target = os.path.join(directory, name)
    source = os.path.join(HERE, "programs", f"{name}.c")
    flags = ["-std=gnu17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-static"]
    done = subprocess.run(["gcc", *flags, "-o", target, source, "-luring"], stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise VMError(f"{source}: {done.stderr}")
    return target


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def member(record, path):
    """record["device"]["serial_number"] for device__serial_number; None when there is none."""
    for key in path.split("__"):
        record = record.get(key) if isinstance(record, dict) else None
    return record


def matches(record, wanted):
    return all(member(record, key) == value for key, value in wanted.items())


class Guard:
    version = 1

    def __init__(self, t):
        self.t = t
        self.vm = t.vm
        self.installed = set()

    # What rules

    def policy(self, *sections, mode="enforce"):
        Guard.version += 1
        head = f"format: kuraban-policy/1\norganization: matsudo.example\nname: テスト\nversion: {Guard.version}\n"
        return f"{head}zone: mynumber\nmode: {mode}\n" + "".join(sections)

    def enforce(self, *sections, mode="enforce"):
        """Put a policy in force; without sections it is the keyboard's alone."""
        sections = sections or (usb(),)
        self.vm.put(POLICY_FILE, self.policy(*sections, mode=mode))
        self.vm.check_run(["kuraban", "policy", "check", POLICY_FILE])
        self.vm.check_run(["kuraban", "reload"])
        found = self.status()["policy"]
        if found["version"] != Guard.version:
            raise VMError(f"policy {Guard.version} is not in force: {found}")

    # What kuraban says

    def ask(self, *words, **options):
        return json.loads(self.vm.check_run(["kuraban", *words, "--json"], **options))

    def status(self):
        return self.ask("status")

    def devices(self, **wanted):
        return [device for device in self.ask("devices") if matches(device, wanted)]

    def device(self, **wanted):
        """The one device like this; None when there is none or more than one."""
        found = self.devices(**wanted)
        return found[0] if len(found) == 1 else None

    def wait_device(self, seconds=30, **wanted):
        return wait_for(lambda: self.device(**wanted), f"a device {wanted}", seconds, every=0.3)

    def wait_settled(self, node, seconds=30):
        """Until udev has handled what the daemon triggered for a node that people may use."""
        self.vm.wait_run(f"udevadm info -q property {node} | grep -qx ID_FS_USAGE=filesystem", seconds=seconds)

    def records(self, **wanted):
        """Records of the journal, in order; the journal holds all that happened before the call."""
        self.vm.check_run(["kuraban", "sync"])
        out = self.vm.check_run(["kuraban", "audit", "show", "--json"])
        return [record for record in map(json.loads, out.splitlines()) if matches(record, wanted)]

    def sequence(self):
        self.vm.check_run(["kuraban", "sync"])
        return self.status()["journal"]["sequence"]

    def since(self, sequence, **wanted):
        return [record for record in self.records(**wanted) if record["kuraban"]["seq"] > sequence]

    def verify(self, *words):
        """The answer of audit verify, with its exit status as "rc"."""
        result = self.vm.run(["kuraban", "audit", "verify", "--json", *words])
        return {**json.loads(result.out), "rc": result.rc}

    def lint(self):
        """What mfa lint says of this machine: {(kind, subject)} of the ways round, and the services that ask for a code."""
        answer = json.loads(self.vm.run(["kuraban", "mfa", "lint", "--json"]).out)
        return {(f["kind"], f["subject"]) for f in answer["findings"] if not f["note"]}, set(answer["closed"])

    # Sticks

    def plug(self, image, serial, **properties):
        """Plug a stick in, and wait for the daemon's word on it."""
        self.vm.plug_usb_storage(image, serial=serial, **properties)
        return self.wait_device(kind="usb", serial=serial)

    def medium(self, serial, seconds=30, **wanted):
        return self.wait_device(kind="medium", serial=serial, seconds=seconds, **wanted)

    def mount(self, node):
        """Mounted by tanaka through udisks, as a file manager does; the directory."""
        self.wait_settled(node)
        out = self.vm.check_run(["udisksctl", "mount", "--no-user-interaction", "-b", node], user="tanaka")
        return out.split(" at ", 1)[1].strip().rstrip(".")

    # Programs of the tests

    def program(self, name):
        """A program of tests/vm/programs, compiled: its path on the host."""
        path = os.path.join(self.t.scratch, name)
        return path if os.path.exists(path) else compile_program(name, self.t.scratch)

    def install_program(self, name):
        """The same as /usr/local/bin/NAME in the guest."""
        target = f"/usr/local/bin/{name}"
        if target not in self.installed:
            self.vm.put(target, read_bytes(self.program(name)), 0o755)
            self.installed.add(target)
        return target

    def give_namespaces(self):
        """The package takes user namespaces from people. Here they have them, so that it is the guard that is tried."""
        self.vm.check_run(["sysctl", "-q", "-w", "kernel.unprivileged_userns_clone=1"])

    def attempts(self, *words, prefix=(), user="tanaka"):
        """{way: "done" or errno} of programs/attempts; prefix: what it is started by, for instance unshare."""
        result = self.vm.run([*prefix, self.install_program("attempts"), *words], user=user, timeout=60)
        self.t.note(f"attempts {words}: {result}")
        lines = [line.split() for line in result.out.splitlines()]
        return {words[0]: words[-1] for words in lines}
