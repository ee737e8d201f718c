"""What a key pressed at the machine does in the guest: keyboard.press(vm) is a Result whose output holds "key 37" for k."""

from vm import wait_for

# QEMU's own keyboard, by the name that udev gives it; a gadget's is another.
QEMU_KEYBOARD = "/dev/input/by-id/usb-QEMU*-event-kbd"
READER = """import glob, os, select, struct, sys
fds = [os.open(path, os.O_RDONLY) for path in glob.glob(sys.argv[1])]
print('ready', len(fds), flush=True)
while fds:
    for fd in select.select(fds, [], [])[0]:
        _, _, kind, code, value = struct.unpack('qqHHi', os.read(fd, 24))
        if kind == 1 and value == 1:
            print('key', code, flush=True)
            sys.exit(0)
"""


def listen(vm, pattern="/dev/input/event*"):
    """A Job that ends with the first key that arrives at one of these input devices, or at once when there is none."""
    vm.put("/run/read-key", READER)
    job = vm.spawn(["python3", "/run/read-key", pattern], timeout=30)
    wait_for(lambda: "ready" in job.output(), "the key reader")
    return job


def press(vm, key="k", pattern=QEMU_KEYBOARD):
    """Press a key of QEMU's keyboard and wait for it. After an authorization its driver needs a moment."""
    vm.wait_run(f"ls {pattern}")
    job = listen(vm, pattern)
    vm.send_keys([key])
    return job.wait()
