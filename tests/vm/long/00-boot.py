"""The harness itself: boot, sticks over QMP, gadgets, a clerk's session."""

import os

import keyboard
import media
from vm import wait_for


def usb_has(vm, ids):
    return vm.run(["lsusb", "-d", ids]).rc == 0


def check_machine(t):
    vm = t.vm
    rc, out, _ = vm.run(["uname", "-r"])
    t.check(f"the kernel is {vm.kernel}", rc == 0 and out.startswith(f"{vm.kernel}."), out)
    result = vm.run("exit 3")
    t.check("an exit status comes back", result.rc == 3, result)
    result = vm.run("printf out; printf err >&2; cat", stdin="in")
    t.check("output, errors and input are kept apart", tuple(result) == (0, "outin", "err"), result)
    result = vm.run(["sleep", "60"], timeout=1)
    t.check("a command that is too slow is killed", result.timeout and result.rc == -9, result)

    job = vm.spawn("echo waiting; exec sleep 60")
    wait_for(lambda: "waiting" in job.output(), "the job's first line")
    running = job.running()
    job.signal(15)
    t.check("a job runs beside others until it is signalled", running and job.wait().rc == -15, job.result)

    blob = os.urandom(300000)
    vm.put("/run/blob", blob)
    t.check("bytes go there and back", vm.get("/run/blob") == blob)
    result = vm.run("id -u; cat /proc/self/loginuid; echo; loginctl show-session $XDG_SESSION_ID -p Active --value", user="tanaka")
    t.check("tanaka has an active session", result.out.split() == ["1000", "1000", "yes"], result)


def check_keyboard(t):
    """A key pressed at QEMU's keyboard arrives at an input device."""
    result = keyboard.press(t.vm)
    t.check("a key of the keyboard arrives (KEY_K is 37)", "key 37" in result.out, result)


def check_stick(t):
    vm = t.vm
    image = media.make_vfat(os.path.join(t.scratch, "stick.img"), {"hello.txt": "こんにちは\n", "dir/a": "a"})
    stick = vm.plug_usb_storage(image, serial="KURABAN0001")
    node = vm.wait_run("set -- /dev/disk/by-id/usb-*KURABAN0001*-0:0; [ -b \"$1\" ] && readlink -f \"$1\"").strip()
    t.check("a stick plugged in over QMP has a block device", node.startswith("/dev/sd"), node)
    result = vm.run(["udisksctl", "mount", "--no-user-interaction", "-b", node], user="tanaka")
    t.check("tanaka mounts it through udisks", result.rc == 0, result)
    result = vm.run("cat /media/tanaka/STICK/hello.txt", user="tanaka")
    t.check("and reads a file", result.out == "こんにちは\n", result)
    vm.unplug(stick)
    vm.wait_run(f"[ ! -e {node} ]")
    t.check("pulled out, its block device is gone", True)

    image = media.make_vfat(os.path.join(t.scratch, "part.img"), {"a": "in a partition"}, partition=True)
    stick = vm.plug_usb_storage(image, serial="KURABAN0002")
    node = vm.wait_run("readlink -e /dev/disk/by-id/usb-*KURABAN0002*-part1").strip()
    result = vm.run(f"mount -o ro {node} /mnt && cat /mnt/a; umount /mnt")
    t.check("a partition of a stick holds its files", result.out == "in a partition", result)
    vm.unplug(stick)


def check_gadget(t):
    vm = t.vm
    image = media.make_vfat(os.path.join(t.scratch, "lun.img"), {"a": "gadget"}, size=4 << 20)
    with open(image, "rb") as file:
        vm.put("/run/lun.img", file.read())
    vm.check_run("cp /run/lun.img /run/lun2.img")
    vm.check_run("gadget add bad --vid 0x0951 --pid 0x1666 --serial SAME --product Twin --storage /run/lun.img --keyboard")
    vm.wait_run("lsusb -d 0951:1666")
    port = vm.check_run("gadget port bad").strip()
    classes = f"cat /sys/bus/usb/devices/{port}:1.*/bInterfaceClass"
    vm.wait_run(f"[ $({classes} | wc -l) = 2 ]")
    found = vm.check_run(classes).split()
    t.check("a composite gadget is storage and HID on the bus", found == ["08", "03"], found)
    serial = vm.check_run(f"cat /sys/bus/usb/devices/{port}/serial").strip()
    t.check("with the serial it was given", serial == "SAME", serial)

    events = "/dev/input/by-id/usb-*SAME*-event-kbd"
    vm.wait_run(f"ls {events}")
    job = keyboard.listen(vm, events)
    vm.check_run("gadget keys bad a")
    result = job.wait()
    t.check("its keyboard types (KEY_A is 30)", "key 30" in result.out, result)

    vm.check_run("gadget add twin --vid 0x0951 --pid 0x1666 --serial SAME --storage /run/lun2.img")
    vm.wait_run("[ $(cat /sys/bus/usb/devices/*/serial | grep -cx SAME) = 2 ]")
    t.check("two sticks may have one serial", True)
    vm.check_run("gadget unplug bad; gadget set bad idProduct 0x1667; gadget plug bad")
    vm.wait_run("lsusb -d 0951:1667")
    t.check("a gadget comes back with another descriptor", usb_has(vm, "0951:1666"), "the twin is gone too")
    vm.check_run("gadget clear")
    vm.wait_run("! lsusb -d 0951:")
    t.check("removed, they are gone", vm.check_run("gadget list") == "")


def check_trouble(t):
    """A panic on the console, also one of a scenario before, is the failure of a scenario. Said here, not had."""
    vm = t.vm
    # What a person or a program shows there is not the kernel's.
    vm.check_run("echo 'Kernel panic - not syncing: by hand' >/dev/ttyS0")
    t.check("a kernel without trouble has none", vm.trouble() == "")
    vm.check_run("echo '<0>Kernel panic - not syncing: Attempted to kill init!' >/dev/kmsg; echo '<0>and more' >/dev/kmsg")
    seen = wait_for(vm.trouble, "the kernel's words on the console")
    t.check("what the kernel says of a panic is seen", "Attempted to kill init!" in seen, seen)
    wait_for(lambda: "and more" in vm.log(), "the last of its words")
    vm.trouble()
    t.check("and is not told twice", vm.trouble() == "")


def run(t):
    check_machine(t)
    check_trouble(t)
    check_keyboard(t)
    check_stick(t)
    check_gadget(t)
