"""One guest under QEMU: boot, plug, run, reboot, power off.

    from vm import VM
    with VM(payload=["kuraban-agent.deb"]) as vm:
        vm.boot()
        stick = vm.plug_usb_storage(image, serial="A1")
        rc, out, err = vm.run("cat /media/tanaka/STICK/a", user="tanaka")
        vm.unplug(stick)

Owns the QEMU process and everything under its work directory; channel.py carries the talking, media.py makes images.
The root disk is never written: QEMU keeps the changes in a file of its own that goes with the process, so they survive a
reboot of the guest and nothing else.
"""

import atexit
import ctypes
import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import media
from channel import QMP, Agent, Timeout, VMError

HERE = os.path.dirname(os.path.abspath(__file__))
BOOT_SECONDS = 300  # 20 s on an idle machine; others may be compiling
# x86-64-v2 and a random number generator. Under emulation the wider vectors of "max" cost half of the boot again.
CPU = "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand"
PR_SET_PDEATHSIG = 1
# In the kernel's own lines on the console, which begin with a time. A processor that is slow to come back is a busy host's doing.
TROUBLE = re.compile(r"\[ *\d+\.\d{6}\][^\n]*(Kernel panic|\bOops\b|(?<!watchdog: )\bBUG\b|general protection fault|[Uu]nable to handle|double fault)")
TROUBLE_LINES = 40


def image_directory(kernel="6.1"):
    """Where the disk, kernel and initramfs are; built first when the cache has none."""
    done = subprocess.run([f"{HERE}/image", "--kernel", kernel], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise VMError("tests/vm/image failed")
    return done.stdout.strip()


def wait_for(condition, what, seconds=30, every=0.1):
    """The first true value of condition(); Timeout when there is none within so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Timeout(f"{what}: not within {seconds} s")
        time.sleep(every)


class VM:
    """payload: files and directories that the guest finds, read-only, in /payload.
    append: words for the kernel's command line. usb: QEMU devices that are plugged in from the start.
    extra: arguments for QEMU. tpm: with a TPM 2.0 (swtpm)."""

    def __init__(self, kernel="6.1", payload=(), append="", usb=("usb-kbd",), extra=(), memory=1024, cpus=2, tpm=False):
        self.kernel = kernel
        self.payload = list(payload)
        self.append = append
        self.usb = list(usb)
        self.extra = list(extra)
        self.memory = memory
        self.cpus = cpus
        self.tpm = tpm
        self.process = None
        self.qmp = None
        self.agent = None
        self.plugged = {}
        self.names = itertools.count(1)
        self.console_seen = 0  # characters of its log that trouble() has looked at
        self.directory = tempfile.mkdtemp(prefix="kuraban-vm-")
        atexit.register(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # The machine

    def path(self, name):
        return os.path.join(self.directory, name)

    def arguments(self):
        image = image_directory(self.kernel)
        drive = "if=none,format=raw,cache=unsafe,discard=unmap"
        words = [
            "console=ttyS0 root=/dev/vda quiet mitigations=off random.trust_cpu=on audit=0 loglevel=4",
            # Programs at the same addresses each time: the emulator translates them once. It halves the cost of starting one.
            "systemd.show_status=0 fsck.mode=skip norandmaps",
            self.append,
        ]
        return [
            "qemu-system-x86_64",
            *("-name", "kuraban-test", "-nodefaults", "-no-user-config", "-display", "none", "-vga", "std"),
            *("-accel", "tcg,thread=multi", "-machine", "q35,i8042=off,vmport=off", "-cpu", CPU),
            # A firmware that starts the kernel and does nothing else: 3 s less than the usual one.
            *("-bios", "qboot.rom"),
            *("-m", str(self.memory), "-smp", str(self.cpus)),
            *("-kernel", f"{image}/vmlinuz", "-initrd", f"{image}/initrd", "-append", " ".join(words).strip()),
            *("-drive", f"file={image}/disk.img,id=root,snapshot=on,{drive}", "-device", "virtio-blk-pci,drive=root"),
            *("-drive", f"file={self.path('payload.img')},id=payload,readonly=on,{drive}"),
            *("-device", "virtio-blk-pci,drive=payload"),
            # For console.py; without a listener it goes to the log alone.
            *("-chardev", f"socket,id=console,path={self.path('console')},server=on,wait=off,logfile={self.path('console.log')}"),
            *("-serial", "chardev:console"),
            *("-chardev", f"socket,id=agent,path={self.path('agent')}", "-device", "virtio-serial-pci"),
            *("-device", "virtserialport,chardev=agent,name=org.kuraban.test"),
            *("-chardev", f"socket,id=qmp,path={self.path('qmp')}", "-mon", "chardev=qmp,mode=control"),
            *("-device", "virtio-rng-pci", "-device", "qemu-xhci,id=xhci,p2=8,p3=8"),
            *(word for n, device in enumerate(self.usb) for word in ("-device", f"{device},id=boot{n},bus=xhci.0")),
            *(self.tpm_arguments() if self.tpm else ()),
            *self.extra,
        ]

    def tpm_arguments(self):
        return (
            *("-chardev", f"socket,id=tpm,path={self.path('tpm.sock')}", "-tpmdev", "emulator,id=tpm,chardev=tpm"),
            *("-device", "tpm-tis,tpmdev=tpm"),
        )

    def start_tpm(self):
        """swtpm, which ends with QEMU. Its state is made when there is none."""
        os.makedirs(self.path("tpm"), exist_ok=True)
        channel, log = self.path("tpm.sock"), self.path("tpm.log")
        argv = ["swtpm", "socket", "--tpm2", "--terminate", "--tpmstate", f"dir={self.path('tpm')}"]
        argv += ["--ctrl", f"type=unixio,path={channel}", "--log", f"file={log}", "--daemon"]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise VMError(f"swtpm: {done.stdout}{self.log('tpm.log')}")
        wait_for(lambda: os.path.exists(channel), "swtpm's socket", 10)

    def replace_tpm(self):
        """Another TPM from the next reset on, to be called right before it: other seeds, so that what was sealed to this one stays closed."""
        shutil.rmtree(self.path("tpm"))
        os.mkdir(self.path("tpm"))

    def boot(self, seconds=BOOT_SECONDS):
        """Start the machine and wait until it answers and its clerk is logged in."""
        media.make_ext4(self.path("payload.img"), self.payload, label="payload")
        self.qmp = QMP(self.path("qmp"))
        self.agent = Agent(self.path("agent"))
        if self.tpm:
            self.start_tpm()
        libc = ctypes.CDLL(None, use_errno=True)

        def die_with_parent():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        with open(self.path("qemu.log"), "wb") as log:
            self.process = subprocess.Popen(
                self.arguments(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
                env={**os.environ, "TMPDIR": self.directory},
            )
        try:
            self.agent.accept(30)
            self.qmp.start(30)
        except VMError as error:
            raise VMError(f"{error}\n{self.log('qemu.log')}") from None
        for number, device in enumerate(self.usb):
            self.plugged[f"boot{number}"] = device
        self.agent.wait_boot(seconds)
        self.wait_ready(seconds)

    def wait_ready(self, seconds=BOOT_SECONDS):
        """Until the boot's jobs are done and tanaka has a session on seat0. A failed unit does not end the wait."""
        ready = (
            "systemctl is-system-running --wait >/dev/null; "
            "until loginctl show-seat seat0 -p ActiveSession --value 2>/dev/null | grep -q . &&"
            " [ -S /run/user/1000/bus ]; do sleep 0.2; done"
        )
        self.check_run(ready, timeout=seconds)

    def reboot(self, seconds=BOOT_SECONDS, how="systemctl reboot"):
        """Restart the guest in the same QEMU: its disk keeps what was written, plugged devices stay plugged."""
        before = self.agent.boot
        self.agent.post("run", argv=["/bin/sh", "-c", how], user=None, timeout=60)
        self.agent.wait_boot(seconds, other_than=before)
        self.wait_ready(seconds)

    def reset(self, seconds=BOOT_SECONDS):
        """The power goes and comes back: what the guest had not written to its disk is lost."""
        before = self.agent.boot
        self.qmp.command("system_reset")
        self.agent.wait_boot(seconds, other_than=before)
        self.wait_ready(seconds)

    def power_off(self, seconds=60):
        """Shut the guest down in order; True when it ended by itself. What the kernel says then is for trouble() to tell."""
        self.agent.post("run", argv=["systemctl", "poweroff"], user=None, timeout=60)
        try:
            return self.process.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            raise Timeout(f"power off: not within {seconds} s") from None

    def close(self):
        """End QEMU, whatever it does, and remove its files."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for line in (self.qmp, self.agent):
            if line is not None:
                line.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        atexit.unregister(self.close)

    def processor_seconds(self):
        """What QEMU, while it runs, has used of the host's processors so far."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            words = file.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def log(self, name="console.log", last=100):
        """The end of a log of this machine, None: all of it; for a report of what went wrong."""
        try:
            with open(self.path(name), errors="replace") as file:
                return "".join(file.readlines()[-(last or 0) :])
        except FileNotFoundError:
            return ""

    def trouble(self):
        """What the kernel said on the console of a panic or an oops, and the lines after it; "" when there was none since the last call."""
        log = self.log(last=None)
        log = log[: log.rfind("\n") + 1]
        found = TROUBLE.search(log, self.console_seen)
        self.console_seen = len(log)
        return "\n".join(log[found.start() :].splitlines()[:TROUBLE_LINES]) if found else ""

    # Commands

    def spawn(self, argv, **options):
        """Start a command and return its Job; see Agent.spawn."""
        return self.agent.spawn(argv, **options)

    def run(self, argv, **options):
        """Run a command to its end: Result, which unpacks to (rc, out, err). user, session, stdin, env, cwd, timeout."""
        return self.agent.spawn(argv, **options).wait()

    def check_run(self, argv, **options):
        """Like run, for what is not under test: VMError when it fails. Returns its output."""
        result = self.run(argv, **options)
        if result.rc != 0:
            raise VMError(f"{argv}: {result}")
        return result.out

    def wait_run(self, command, seconds=30, **options):
        """Run a shell condition in the guest until it succeeds; True, or Timeout. Its last output is the error's text."""
        loop = f"until last=$({{ {command}\n}} 2>&1); do sleep 0.1; echo \"$last\" >&2; done; echo \"$last\""
        result = self.run(loop, timeout=seconds, **options)
        if result.timeout:
            raise Timeout(f"{command}: not within {seconds} s; last: {result.err.strip().splitlines()[-1:]}")
        return result.out

    def unmount(self, node):
        """By tanaka. kuraband may have a file of it open for the moment in which it records who opened it."""
        self.wait_run(f"udisksctl unmount --no-user-interaction -b {node}", user="tanaka")

    def put(self, path, data, mode=0o644):
        self.agent.put(path, data.encode() if isinstance(data, str) else data, mode)

    def get(self, path):
        return self.agent.get(path)

    # Devices

    def plug(self, driver, **properties):
        """Plug a QEMU device in at the xHCI controller; its id. port="3" chooses the socket."""
        name = properties.pop("id", None) or f"dev{next(self.names)}"
        self.qmp.command("device_add", driver=driver, id=name, bus="xhci.0", **properties)
        self.plugged[name] = driver
        return name

    def plug_usb_storage(self, image, serial=None, removable=True, readonly=False, **properties):
        """Plug a stick in. QEMU's is always 46f4:0001; for another vendor, see the guest's gadget command."""
        node = f"medium{next(self.names)}"
        self.qmp.command(
            "blockdev-add",
            **{
                "driver": "raw",
                "node-name": node,
                "read-only": readonly,
                "file": {"driver": "file", "filename": os.path.abspath(image), "locking": "off"},
            },
        )
        if serial is not None:
            properties["serial"] = serial
        name = self.plug("usb-storage", drive=node, removable=removable, **properties)
        self.plugged[name] = node
        return name

    def plug_usb_kbd(self, **properties):
        return self.plug("usb-kbd", **properties)

    def plug_usb_mouse(self, **properties):
        return self.plug("usb-mouse", **properties)

    def plug_usb_mtp(self, directory, **properties):
        """A phone that speaks MTP and offers this directory of the host."""
        return self.plug("usb-mtp", rootdir=os.path.abspath(directory), **properties)

    def unplug(self, name):
        """Pull a device out, as a hand does: without asking the guest."""
        self.qmp.command("device_del", id=name)
        self.qmp.wait_event("DEVICE_DELETED", 30, device=name)
        node = self.plugged.pop(name)
        if node.startswith("medium"):
            self.qmp.command("blockdev-del", **{"node-name": node})

    def send_keys(self, keys):
        """Press keys one after the other on the machine's keyboard, by QEMU's names: "a", "ret", "shift-b"."""
        for key in keys:
            codes = [{"type": "qcode", "data": word} for word in key.split("-")]
            self.qmp.command("send-key", keys=codes)

    def reset_devices(self):
        """Unplug what was plugged in since the boot, and remove the guest's gadgets."""
        for name in [name for name in self.plugged if not name.startswith("boot")]:
            self.unplug(name)
        self.check_run(["gadget", "clear"])
