"""LightDM's greeter on a real X server: name, password and code typed on the machine's keyboard, in Japanese; then screen lockers, which run as
the person who is there. Screenshots are left beside the logs."""

import os
import shutil

from channel import VMError
from guard import Guard, usb
from people import People
from vm import wait_for

PROFILE = "agent"
SECONDS = 600
MFA = "mfa: {login: {factors: [password, totp]}}\n"
XORG = """Section "Device"
    Identifier "screen"
    Driver "modesetting"
    Option "AccelMethod" "none"
EndSection
"""
LIGHTDM = "[Seat:*]\nuser-session=test\ngreeter-hide-users=true\ngreeter-session=lightdm-gtk-greeter\n"
GREETER = "[greeter]\nfont-name=VL Gothic 14\nbackground=#204060\nindicators=\n"
SESSION = "[Desktop Entry]\nName=test\nExec=/usr/local/bin/test-session\nType=Application\n"
LOG = "/var/log/lightdm/lightdm.log"


def screenshot(t, name):
    """The guest's screen as NAME.png: when it stands still."""
    path, kept = os.path.join(t.scratch, "screen.png"), []

    def still():
        t.vm.qmp.command("screendump", filename=path, format="png")
        with open(path, "rb") as file:
            kept.append(file.read())
        return len(kept) > 1 and kept[-1] == kept[-2]

    wait_for(still, "a screen that stands still", 60, every=1)
    target = os.path.join(os.path.dirname(t.log.name), f"{name}.png")
    shutil.copyfile(path, target)
    t.note(f"screenshot: {target}")
    return kept[-1]


def keys(vm, text):
    vm.send_keys([*text, "ret"])


class Greeter:
    """Follows LightDM's log: what was typed goes to the prompt that was meant."""

    def __init__(self, t):
        self.t = t
        self.vm = t.vm
        self.read = 0

    def until(self, *texts):
        """Until these stand in the log, one behind the other, after what was waited for before."""
        for text in texts:

            def found(text=text):
                at = self.vm.run(["cat", LOG]).out.find(text, self.read)
                self.read = self.read if at < 0 else at + len(text)
                return at >= 0

            wait_for(found, f"LightDM: {text}", 60, every=0.5)

    def log_in(self, who, the_code, named=False, shot=None):
        """named: the greeter has the name from the time before."""
        if not named:
            self.until("Prompt greeter")
            before = screenshot(self.t, f"{shot}-name") if shot else None
            keys(self.vm, who.name)
        self.until(f"Greeter start authentication for {who.name}", "Prompt greeter")
        keys(self.vm, who.password)
        self.until("Continue authentication", "Prompt greeter")
        if shot:
            after = screenshot(self.t, f"{shot}-code")
            self.t.check("the greeter shows another prompt", after != before)
        keys(self.vm, the_code())
        self.until("Continue authentication")


def session_of(vm, who):
    return vm.run(f"loginctl list-sessions --no-legend | grep -w {who.name}").rc == 0


def prepare(t):
    vm = t.vm
    vm.put("/etc/X11/xorg.conf.d/10-test.conf", XORG)
    vm.put("/etc/lightdm/lightdm.conf.d/test.conf", LIGHTDM)
    vm.put("/etc/lightdm/lightdm-gtk-greeter.conf", GREETER)
    vm.put("/usr/share/xsessions/test.desktop", SESSION)
    vm.put("/usr/local/bin/test-session", "#!/bin/sh\nexec sleep infinity\n", 0o755)
    vm.check_run("rm -f /etc/systemd/system/lightdm.service /etc/systemd/system/display-manager.service; systemctl daemon-reload")
    vm.check_run("modprobe bochs; udevadm settle; ls /dev/dri/card0")
    vm.check_run("systemctl set-environment LANG=ja_JP.UTF-8")


def check_greeter(t, people):
    vm = t.vm
    who = people.new()
    greeter = Greeter(t)
    vm.check_run("systemctl start lightdm.service", timeout=120)
    greeter.log_in(who, lambda: "000000", shot="greeter-ja")
    greeter.until("Prompt greeter")  # with the message
    screenshot(t, "greeter-ja-wrong")
    greeter.until("Authentication complete with return value 7")
    t.check("LightDM: a wrong code opens no session", not session_of(vm, who))
    greeter.log_in(who, lambda: people.code(who), named=True)
    wait_for(lambda: session_of(vm, who), "the session", 60, every=0.5)
    vm.wait_run(f"pgrep -u {who.name} -x sleep")
    t.check("LightDM: the right one does, typed on the keyboard", True)
    return who


def locker(t, people, who, name, argv, pam, shot):
    """A locker as who, opened by a right code and not by a wrong one."""
    vm = t.vm
    vm.put(f"/etc/pam.d/{name}", pam)
    env = {"DISPLAY": ":0", "XAUTHORITY": f"/home/{who.name}/.Xauthority", "LANG": "ja_JP.UTF-8", "HOME": f"/home/{who.name}"}
    job = vm.spawn(argv, user=who.name, session=False, env=env, timeout=200)
    wait_for(lambda: vm.run(f"pgrep -u {who.name} -x {name}").rc == 0 or not job.running(), name, 30, every=0.5)
    if not job.running():
        raise VMError(f"{name} ended: {job.wait()}")
    screenshot(t, shot)
    keys(vm, "111111")
    vm.wait_run(f"journalctl -b --no-pager | grep -q '{name}.*one-time code of {who.name}: wrong'", seconds=60)
    screenshot(t, f"{shot}-wrong")
    t.check(f"{name}: a wrong code leaves the screen locked", job.running())
    keys(vm, people.code(who, 1))
    wait_for(lambda: not job.running(), "the end of the locker", 60, every=0.5)
    t.check(f"{name}, run by {who.name} alone: the right one opens it", job.wait().rc == 0, job.wait())


def run(t):
    guard = Guard(t)
    people = People(t.vm, 3)
    prepare(t)
    t.vm.check_run("DEBIAN_FRONTEND=noninteractive pam-auth-update --enable kuraban")
    guard.enforce(usb(), MFA)
    try:
        who = check_greeter(t, people)
        locker(t, people, who, "i3lock", ["i3lock", "-n"], "auth required pam_kuraban.so\n", "i3lock")
    finally:
        t.note(t.vm.run(f"tail -n 200 {LOG}").out)
        t.vm.run("systemctl stop lightdm.service; systemctl unset-environment LANG; DEBIAN_FRONTEND=noninteractive pam-auth-update --disable kuraban")
        guard.enforce()
