"""The package, installed by dpkg on a machine that runs: what it brings, a start in monitor mode, and after a switch to
enforcement a reboot that comes up enforcing, with a keyboard that types."""

import re

import keyboard
from guard import POLICY_FILE, Guard, usb

PROFILE = "agent"
SECONDS = 420

FILES = {
    "programs": ["/usr/bin/kuraban", "/usr/sbin/kuraband", "/usr/libexec/kuraban/kuraban-keeper"],
    "the udev helper": ["/usr/libexec/kuraban/kuraban-udev"],
    "units": ["/lib/systemd/system/kuraband.service", "/lib/systemd/system/kuraban-keeper.socket"],
    "udev rules": [
        "/lib/udev/rules.d/60-kuraban-exits.rules",
        "/lib/udev/rules.d/61-kuraban-hide.rules",
        "/lib/udev/rules.d/72-kuraban-nodes.rules",
    ],
    "the configuration": ["/etc/kuraban/kuraban.yaml"],
    "the completion": ["/usr/share/bash-completion/completions/kuraban"],
    "the translation": ["/usr/share/locale/ja/LC_MESSAGES/kuraban.mo"],
    "documents": ["/usr/share/doc/kuraban-agent/copyright", "/usr/share/doc/kuraban-agent/README.ja.md"],
}


def check_files(t):
    for what, paths in FILES.items():
        missing = [path for path in paths if t.vm.run(["test", "-s", path]).rc != 0]
        t.check(f"the package brings {what}", not missing, f"missing: {missing}")
    for page in (["1", "kuraban"], ["5", "kuraban-policy"], ["7", "kuraban"], ["8", "kuraband"]):
        result = t.vm.run(["man", "-w", *page])
        t.check(f"man {' '.join(page)} is found, compressed", result.rc == 0 and result.out.endswith(".gz\n"), result)
        result = t.vm.run(["man", *page], env={"MANWIDTH": "100"})
        t.check(f"and shows {page[1]}", result.rc == 0 and page[1] in result.out and "NAME" in result.out, result)
    result = t.vm.run("dpkg --verify kuraban-agent; dpkg -s kuraban-agent | grep ^Status")
    t.check("dpkg finds the package whole", result.out == "Status: install ok installed\n", result)
    result = t.vm.run("stat -c '%a %U' /run/kuraban /var/lib/kuraban /run/kuraban/control.sock /run/kuraban/keeper.sock")
    expected = ["755 root", "700 root", "666 root", "600 root"]
    t.check("its directories and sockets have the right owners", result.out.splitlines() == expected, result)


def check_monitor(t, guard):
    """The policy that the installation made from the devices present."""
    for unit in ("kuraband.service", "kuraban-keeper.socket", "kuraban-keeper.service"):
        result = t.vm.run(["systemctl", "is-active", unit])
        t.check(f"{unit} runs", result.out.strip() == "active", result)
    text = t.vm.check_run(["cat", POLICY_FILE])
    t.check("the generated policy only watches", "mode: monitor" in text, text)
    t.check("and knows the keyboard", "0627:0001" in text, text)
    result = t.vm.run(["kuraban", "policy", "check", POLICY_FILE])
    t.check("it passes policy check", result.rc == 0, result)
    status = guard.status()
    t.check("status says that nothing is enforced", status["enforcing"] is False and status["mode"] == "monitor", status)
    result = t.vm.run(["kuraban", "status"], user="tanaka", env={"LANG": "ja_JP.UTF-8"})
    t.check("an ordinary user may ask, and is answered in Japanese", result.rc == 0 and "ポリシー" in result.out, result)
    result = t.vm.run(["kuraban", "reload"], user="tanaka")
    t.check("but may change nothing", result.rc != 0, result)


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
    t.check("by the policy of the administrator", status["policy"]["name"] == "テスト", status["policy"])
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


def check_keyboard(t, guard):
    device = guard.device(kind="usb", vendor="0627", product="0001")
    t.check("the keyboard is allowed by its rule", device and device["rule"] == "keyboard", device)
    t.check("and authorized", device and device["authorized"] is True, device)
    result = keyboard.press(t.vm)
    t.check("a key that is pressed arrives (KEY_K is 37)", "key 37" in result.out, result)


def run(t):
    guard = Guard(t)
    check_files(t)
    check_monitor(t, guard)
    guard.enforce(usb())
    t.check("after a reload the same machine enforces", guard.status()["enforcing"] is True, guard.status())
    t.vm.reboot()
    check_shutdown(t)
    check_enforcing(t, guard)
    check_keyboard(t, guard)
