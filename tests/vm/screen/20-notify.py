"""kuraban-notify in a real session: LightDM, a window manager that reads /etc/xdg/autostart, dunst. What was refused, what is unlocked and that it has
ended, in Japanese; and with the session it ends. Screenshots are left beside the logs."""

import os

import desktop
import media
from desktop import screenshot, session_of
from guard import Guard, stick, usb
from people import People, code
from vm import wait_for

PROFILE = "agent"
SECONDS = 600
ASKED = r"\(nothing is shown\): $"  # by kuraban unlock
MFA = "mfa: {throttle: {failures: 50, delay: none}}\n"
LIGHTDM = "[Seat:*]\nuser-session=openbox\nautologin-user={name}\nautologin-user-timeout=0\n"
AUTOSTART = "[Desktop Entry]\nType=Application\nName=test\nExec=/usr/local/bin/test-dunst\n"
DUNST = "#!/bin/sh\nexec dunst -print > $HOME/shown 2>&1\n"
DUNSTRC = "[global]\nfont = VL Gothic 13\nwidth = 560\nheight = 400\noffset = 20x20\n"


class Desk:
    """What a person is shown."""

    def __init__(self, t, who):
        self.t = t
        self.vm = t.vm
        self.who = who
        self.env = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path=/run/user/{who.uid}/bus", "HOME": f"/home/{who.name}"}

    def shown(self):
        return self.vm.run(["cat", f"/home/{self.who.name}/shown"]).out

    def sees(self, what, *texts):
        """One after the other, in what was shown since the start."""
        found = []

        def is_there():
            at = 0
            for text in texts:
                at = self.shown().find(text, at)
                found[:] = [text]
                if at < 0:
                    return False
            return True

        try:
            wait_for(is_there, f"{texts} on the screen", 40, every=0.5)
        except Exception:
            self.t.check(what, False, (found, self.shown()[-2000:]))
            raise
        self.t.check(what, True)

    def displayed(self):
        return int(self.vm.check_run(["dunstctl", "count", "displayed"], user=self.who.name, session=False, env=self.env))


def start(t, who):
    vm = t.vm
    desktop.prepare(t, LIGHTDM.format(name=who.name))
    vm.put("/etc/xdg/autostart/test-dunst.desktop", AUTOSTART)
    vm.put("/usr/local/bin/test-dunst", DUNST, 0o755)
    vm.put("/etc/xdg/dunst/dunstrc", DUNSTRC)
    vm.put("/etc/default/locale", "LANG=ja_JP.UTF-8\n")
    vm.check_run("systemctl start lightdm.service", timeout=120)
    wait_for(lambda: session_of(vm, who), "the session", 60, every=0.5)
    wait_for(lambda: vm.run(f"pgrep -u {who.name} -x kuraban-notify").rc == 0, "kuraban-notify", 60, every=0.5)
    pid = vm.check_run(f"pgrep -u {who.name} -x kuraban-notify").split()
    t.check("the session starts one, by /etc/xdg/autostart", len(pid) == 1, pid)
    status = vm.check_run(["cat", f"/proc/{pid[0]}/status"])
    t.check("it is shut in", "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status, status)
    vm.wait_run("busctl --user status org.freedesktop.Notifications", user=who.name, session=False, env=Desk(t, who).env)
    return pid[0]


def check_refused(t, guard, desk, image):
    vm = t.vm
    name = vm.plug_usb_storage(image, serial="UNKNOWN")
    guard.wait_device(kind="usb", serial="UNKNOWN", verdict="deny")
    desk.sees("a stick that is refused: which, why, and what to do", "UNKNOWN", "拒否", "→")
    t.check("in one notification", desk.displayed() == 1, desk.shown())
    screenshot(t, "notify-refused", moving=True)
    vm.unplug(name)
    wait_for(lambda: desk.displayed() == 0, "an empty screen", 30, every=0.5)
    t.check("it is taken away with the stick", True)


def check_unlocked(t, guard, desk, people, image):
    vm, who = t.vm, desk.who
    name = vm.plug_usb_storage(image, serial="LOCKED")
    guard.wait_device(kind="usb", serial="LOCKED", reason="locked")
    desk.sees("a locked stick", "LOCKED", "kuraban unlock")
    words = ["runuser", "-u", who.name, "--", "kuraban", "unlock", "--reason", "課税課 3 地区"]
    said = people.talk(words, [[ASKED, code(who)[1]]], user=None)
    t.check("unlocked", said.rc == 0, said)
    desk.sees("until when it is unlocked", "まで解除")
    t.check("instead of the refusal", desk.displayed() == 1, desk.shown())
    screenshot(t, "notify-unlocked", moving=True)
    vm.unplug(name)
    desk.sees("that it has ended, and why", "ロックされました", "機器が抜かれ")
    screenshot(t, "notify-ended", moving=True)


def check_unit(t):
    """For sessions without autostart: tanaka's at the console has a session bus as well."""
    vm = t.vm
    vm.check_run(["systemctl", "--user", "start", "kuraban-notify.service"], user="tanaka")
    # Connected to the session bus, and, which comes behind its cage, to kuraband.
    vm.wait_run("[ $(ss -xp | grep -c kuraban-notify) -ge 2 ]")
    state = vm.run("systemctl --user show -p ActiveState,NRestarts kuraban-notify.service", user="tanaka")
    t.check("the unit runs, in its own cage and the unit's", set(state.out.split()) == {"ActiveState=active", "NRestarts=0"}, state)
    vm.check_run(["systemctl", "--user", "stop", "kuraban-notify.service"], user="tanaka")
    result = vm.run("systemctl --user show -p Result --value kuraban-notify.service", user="tanaka")
    t.check("and ends well", result.out.strip() == "success", result)


def run(t):
    guard = Guard(t)
    people = People(t.vm, 1, name="n", uid=3200)
    who = people.new()
    locale = t.vm.get("/etc/default/locale")
    image = media.make_vfat(os.path.join(t.scratch, "stick.img"), {"hello.txt": "こんにちは\n"})
    guard.enforce(usb(stick("LOCKED", unlock="{factors: [totp], for: 15m}", who=f"{{users: [{who.name}]}}")), MFA)
    try:
        check_unit(t)
        pid = start(t, who)
        desk = Desk(t, who)
        check_refused(t, guard, desk, image)
        check_unlocked(t, guard, desk, people, image)
        t.vm.check_run("systemctl restart kuraband.service", timeout=60)
        t.vm.check_run(f"pkill -u {who.name} -x openbox")
        t.vm.wait_run(f"[ ! -e /proc/{pid} ]", seconds=60)
        t.check("it ends with the session", True)
    finally:
        t.note(t.vm.run(f"journalctl -b --no-pager _UID={who.uid} | tail -n 60; cat /home/{who.name}/.xsession-errors; cat /home/{who.name}/shown").out)
        desktop.leave(t)
        t.vm.run("rm -f /etc/xdg/autostart/test-dunst.desktop")
        t.vm.put("/etc/default/locale", locale)
        guard.enforce()
