"""packaging/quickstart --install as one command on a machine that was booted with systemd, has no compiler and no network: the
package was built elsewhere. It watches first; the administrator's edit of the generated policy makes it enforce, also after the
command is run again and after a reboot."""

import hashlib
import os

import keyboard
import media
from guard import POLICY_FILE, QEMU_STICK, Guard

PROFILE = "delivered"
SECONDS = 480

COMMAND = ["packaging/quickstart", "--install", "--package"]
QEMU_KEYBOARD_ID = "0627:0001"


def install(t, user=None):
    package = t.vm.check_run("ls /payload/kuraban-agent*.deb").strip()
    result = t.vm.run([*COMMAND, package], cwd="/payload", user=user, timeout=240)
    t.note(result.out + result.err)
    return result


def uncommented(text):
    return "".join(line for line in text.splitlines(True) if not line.lstrip().startswith("#"))


def check_refusals(t):
    """What the command does not start with: nothing is installed then."""
    vm = t.vm
    result = install(t, user="tanaka")
    t.check("without root it says so", result.rc == 2 and "root" in result.err, result)
    result = vm.run(["/payload/packaging/quickstart", "--package", "x.deb"], cwd="/run")
    t.check("--package alone is no installation", result.rc == 2 and "--install" in result.err, result)
    result = vm.run(["/payload/packaging/quickstart", "--install", "--package", "/etc/hostname"])
    t.check("a file that is no package is named", result.rc == 1 and "/etc/hostname is no Debian package" in result.err, result)
    t.check("and nothing is installed by these", vm.run(["test", "-e", "/usr/bin/kuraban"]).rc != 0)


def check_installed(t, guard, result):
    vm = t.vm
    t.check("the one command installs the package", result.rc == 0, result)
    for unit in ("kuraband.service", "kuraban-keeper.socket"):
        state = vm.run(["systemctl", "is-enabled", unit]).out + vm.run(["systemctl", "is-active", unit]).out
        t.check(f"{unit} is enabled and runs", state.split() == ["enabled", "active"], state)
    status = guard.status()
    t.check("it watches and enforces nothing", status["enforcing"] is False and status["mode"] == "monitor", status)
    told = {
        "where the policy is": f"generated from the devices present: {POLICY_FILE}",
        "that nothing is refused": "refuses nothing",
        "how to look at it": "kuraban audit show --verdict would-refuse",
        "how to enforce": f"kuraban policy check {POLICY_FILE} && kuraban reload",
    }
    for what, words in told.items():
        t.check(f"it tells {what}", words in result.out, result)
    t.check("it shows the status", result.out.count("Journal") == 1, result)


def check_generated(t):
    text = t.vm.check_run(["cat", POLICY_FILE])
    t.check("the policy made from the devices present knows the keyboard", QEMU_KEYBOARD_ID in uncommented(text), text)
    t.check("a stick that was there stands in it as a comment", QEMU_STICK in text and QEMU_STICK not in uncommented(text), text)
    mode = t.vm.check_run(["stat", "-c", "%a %U", POLICY_FILE])
    t.check("it is root's alone", mode.split() == ["600", "root"], mode)


def check_watching(t, guard):
    """An unlisted stick works as on any Debian, and the journal says that the policy would have refused it."""
    vm = t.vm
    before = guard.sequence()
    image = media.make_vfat(os.path.join(t.scratch, "unlisted.img"), {"a": "a"})
    device = guard.plug(image, "UNLISTED")
    t.check("an unlisted stick is let in", device["verdict"] == "allow" and device["would_refuse"] is True, device)
    node = vm.wait_run("readlink -e /dev/disk/by-id/usb-*UNLISTED*-0:0").strip()
    result = vm.run(f"mount {node} /mnt && echo written >/mnt/b && cat /mnt/b; umount /mnt")
    t.check("and can be used, for writing too", result.out == "written\n", result)
    found = guard.since(before, event__action="device-decided", device__serial_number="UNLISTED", kuraban__would_refuse=True)
    t.check("the journal has what would have been refused", found and found[0]["rule"]["id"] == "default", found)
    shown = vm.check_run(["kuraban", "audit", "show", "--verdict", "would-refuse"])
    t.check("the command that was printed shows it and the stick from before", shown.count("device-decided") == 2, shown)
    t.check("and nothing of the keyboard, which may stay", "Keyboard" not in shown, shown)


def check_keyboard(t, when):
    result = keyboard.press(t.vm)
    t.check(f"{when}, a key that is pressed arrives (KEY_K is 37)", "key 37" in result.out, result)


def enforce(t, guard):
    """As the text tells: the generated policy, with one word changed."""
    vm = t.vm
    vm.check_run(f"sed -i 's/^mode: monitor$/mode: enforce/' {POLICY_FILE}")
    result = vm.run(f"kuraban policy check {POLICY_FILE} && kuraban reload")
    t.check("the edited policy is put in force", result.rc == 0, result)
    t.check("now it enforces", guard.status()["enforcing"] is True, guard.status())
    device = guard.wait_device(kind="usb", serial="UNLISTED", verdict="deny")
    t.check("the stick is refused and no longer authorized", device["authorized"] is False, device)
    vm.wait_run("! ls /dev/sd* 2>/dev/null")
    t.check("and no stick has a block device", True)
    check_keyboard(t, "enforcing")


def check_again(t, guard):
    vm = t.vm
    vm.check_run("echo '# kept by the administrator' >>/etc/kuraban/kuraban.yaml")
    edited = hashlib.sha256(vm.get(POLICY_FILE)).hexdigest()
    result = install(t)
    t.check("run again, the command is harmless", result.rc == 0, result)
    t.check("the policy is the administrator's", hashlib.sha256(vm.get(POLICY_FILE)).hexdigest() == edited)
    t.check("and so is the configuration", b"kept by the administrator" in vm.get("/etc/kuraban/kuraban.yaml"))
    t.check("it does not say that nothing is refused", "refuses nothing" not in result.out and "was there" in result.out, result)
    t.check("it still enforces", guard.status()["enforcing"] is True, guard.status())
    device = guard.wait_device(kind="usb", serial="UNLISTED", verdict="deny")
    t.check("and the stick stays out", device["authorized"] is False, device)


def run(t):
    guard = Guard(t)
    check_refusals(t)
    present = media.make_vfat(os.path.join(t.scratch, "present.img"), {"a": "a"})
    t.vm.plug_usb_storage(present, serial="PRESENT")
    t.vm.wait_run("readlink -e /dev/disk/by-id/usb-*PRESENT*-0:0")
    check_installed(t, guard, install(t))
    check_generated(t)
    check_watching(t, guard)
    check_keyboard(t, "watching")
    enforce(t, guard)
    check_again(t, guard)
    t.vm.reboot()
    t.check("after a reboot it enforces", guard.status()["enforcing"] is True, guard.status())
    check_keyboard(t, "after a reboot")
    verified = guard.verify()
    t.check("the journal verifies", verified["ok"] is True and verified["rc"] == 0, verified)
