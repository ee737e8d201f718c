"""packaging/quickstart --install as the one command on a machine that was booted with systemd, has no compiler and no network: the
package was built elsewhere. What it brings; it watches first; the administrator's edit of the generated policy makes it enforce, also
after the command is run again and after a reboot, with a keyboard that types."""

import hashlib
import os
import re

import keyboard
import media
from guard import POLICY_FILE, QEMU_STICK, Guard

PROFILE = "bare"
LEAVES = "agent"
SECONDS = 600

COMMAND = ["packaging/quickstart", "--install", "--package"]
QEMU_KEYBOARD_ID = "0627:0001"

FILES = {
    "programs": ["/usr/bin/kuraban", "/usr/bin/kuraban-notify", "/usr/sbin/kuraband", "/usr/libexec/kuraban/kuraban-keeper"],
    "the udev helper": ["/usr/libexec/kuraban/kuraban-udev"],
    "units": ["/lib/systemd/system/kuraband.service", "/lib/systemd/system/kuraban-keeper.socket"],
    "udev rules": [
        "/lib/udev/rules.d/60-kuraban-exits.rules",
        "/lib/udev/rules.d/61-kuraban-hide.rules",
        "/lib/udev/rules.d/72-kuraban-nodes.rules",
    ],
    "what a desktop starts": ["/etc/xdg/autostart/kuraban-notify.desktop", "/lib/systemd/user/kuraban-notify.service"],
    "the configuration": ["/etc/kuraban/kuraban.yaml"],
    "the completion": ["/usr/share/bash-completion/completions/kuraban"],
    "the translation": ["/usr/share/locale/ja/LC_MESSAGES/kuraban.mo"],
    "documents": ["/usr/share/doc/kuraban-agent/copyright", "/usr/share/doc/kuraban-agent/README.ja.md"],
}


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


def check_files(t):
    for what, paths in FILES.items():
        missing = [path for path in paths if t.vm.run(["test", "-s", path]).rc != 0]
        t.check(f"the package brings {what}", not missing, f"missing: {missing}")
    for page in (["1", "kuraban"], ["5", "kuraban-policy"], ["7", "kuraban"], ["8", "kuraband"]):
        result = t.vm.run(["man", "-w", *page])
        t.check(f"man {' '.join(page)} is found, compressed", result.rc == 0 and result.out.endswith(".gz\n"), result)
    # One stands for all: tests/lint formats them.
    result = t.vm.run(["man", "7", "kuraban"], env={"MANWIDTH": "100"})
    t.check("and shown", result.rc == 0 and "kuraban" in result.out and "NAME" in result.out, result)
    result = t.vm.run("dpkg --verify kuraban-agent; dpkg -s kuraban-agent | grep ^Status")
    t.check("dpkg finds the package whole", result.out == "Status: install ok installed\n", result)
    result = t.vm.run("stat -c '%a %U' /run/kuraban /var/lib/kuraban /run/kuraban/control.sock /run/kuraban/keeper.sock")
    expected = ["755 root", "700 root", "666 root", "600 root"]
    t.check("its directories and sockets have the right owners", result.out.splitlines() == expected, result)


def check_installed(t, guard, result):
    vm = t.vm
    t.check("the one command installs the package", result.rc == 0, result)
    for unit in ("kuraband.service", "kuraban-keeper.socket"):
        state = vm.run(["systemctl", "is-enabled", unit]).out + vm.run(["systemctl", "is-active", unit]).out
        t.check(f"{unit} is enabled and runs", state.split() == ["enabled", "active"], state)
    state = vm.run(["systemctl", "is-active", "kuraban-keeper.service"])
    t.check("kuraban-keeper.service runs", state.out.strip() == "active", state)
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
    asked = vm.run(["kuraban", "status"], user="tanaka", env={"LANG": "ja_JP.UTF-8"})
    t.check("an ordinary user may ask, and is answered in Japanese", asked.rc == 0 and "ポリシー" in asked.out, asked)
    asked = vm.run(["kuraban", "reload"], user="tanaka")
    t.check("but may change nothing", asked.rc != 0, asked)


def check_generated(t):
    text = t.vm.check_run(["cat", POLICY_FILE])
    result = t.vm.run(["kuraban", "policy", "check", POLICY_FILE])
    t.check("the generated policy passes policy check", result.rc == 0, result)
    t.check("it only watches", "mode: monitor" in text, text)
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


def check_shutdown(t):
    """While somebody may have an open that waits, the keeper holds on; and nothing waits for it in the end."""
    lines = t.vm.check_run(["journalctl", "-b", "-1", "-o", "cat", "--no-pager"]).splitlines()
    keeper = [i for i, line in enumerate(lines) if line.startswith("Stopped kuraban-keeper.service")]
    people = [i for i, line in enumerate(lines) if re.match(r"(Stopped|Removed slice) (session-|user@|user-)", line)]
    t.check("at shutdown the keeper goes after every session", keeper and people and keeper[-1] > people[-1], (keeper, people, lines[-40:]))


def check_enforcing(t, guard):
    """After the reboot."""
    status = guard.status()
    t.check("after a reboot status says enforcing", status["enforcing"] is True, status)
    t.check("by the policy of the administrator", status["mode"] == "enforce" and status["policy"]["source"] == "file", status)
    device = guard.wait_device(kind="usb", serial="UNLISTED", verdict="deny")
    t.check("a stick that stayed plugged in is refused", device["authorized"] is False, device)
    keys = guard.device(kind="usb", vendor="0627", product="0001")
    t.check("the keyboard is allowed and authorized", keys and keys["verdict"] == "allow" and keys["authorized"] is True, keys)
    t.check("the gate proved itself", status["gate"]["self_test"]["ok"] is True, status["gate"])
    defaults = t.vm.check_run("cat /sys/bus/usb/devices/usb*/authorized_default /sys/bus/usb/devices/usb*/interface_authorized_default")
    t.check("the root hubs authorize nothing by themselves", set(defaults.split()) == {"0"}, defaults)
    saved = t.vm.check_run("cat /var/lib/kuraban/usb-defaults")
    t.check("what they had before is kept", saved.count("\n1 1 devices/") == len(defaults.split()) / 2, saved)
    order = t.vm.check_run("systemctl show -p ActiveEnterTimestampMonotonic --value kuraband.service udisks2.service getty@tty1.service")
    times = [int(word) for word in order.split()]
    t.check("it is ready before udisks and before anybody can log in", times[0] <= min(times[1:]), times)
    result = t.vm.run(["unshare", "-U", "true"], user="tanaka")
    t.check("people cannot make user namespaces", result.rc != 0 and "not permitted" in result.err, result)
    scope = t.vm.check_run(["cat", "/proc/sys/kernel/yama/ptrace_scope"])
    t.check("nor look into another's process", scope.strip() == "2", scope)
    result = t.vm.run("modprobe overlay; grep -w overlay /proc/filesystems")
    t.check("the overlay driver stays out", result.out == "", result)
    keeper = t.vm.check_run("stat -c %U /proc/$(systemctl show -p MainPID --value kuraban-keeper.service)")
    t.check("the keeper is a user of its own", keeper.strip() == "_kuraban-keeper", keeper)
    verified = guard.verify()
    t.check("the journal goes on across the reboot, whole", verified["ok"] is True and verified["rc"] == 0, verified)
    result = t.vm.run(["kuraban", "doctor", "--json"])
    t.check("doctor finds no error", '"severity": "error"' not in result.out or result.rc == 0, result)


def run(t):
    guard = Guard(t)
    check_refusals(t)
    present = media.make_vfat(os.path.join(t.scratch, "present.img"), {"a": "a"})
    t.vm.plug_usb_storage(present, serial="PRESENT")
    t.vm.wait_run("readlink -e /dev/disk/by-id/usb-*PRESENT*-0:0")
    check_installed(t, guard, install(t))
    check_files(t)
    check_generated(t)
    check_watching(t, guard)
    check_keyboard(t, "watching")
    enforce(t, guard)
    check_again(t, guard)
    t.vm.reboot()
    check_shutdown(t)
    check_enforcing(t, guard)
    check_keyboard(t, "after a reboot")
    t.check("what was written before is there", b"kept by the administrator" in t.vm.get("/etc/kuraban/kuraban.yaml"))
