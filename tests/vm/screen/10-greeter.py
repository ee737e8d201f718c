"""LightDM's greeter on a real X server: name, password and code typed on the machine's keyboard, in Japanese; then screen lockers, which run as
the person who is there. Screenshots are left beside the logs."""

import contextlib

import desktop
from channel import Timeout, VMError
from desktop import screenshot, session_of
from guard import Guard, usb
from people import People
from vm import wait_for

PROFILE = "agent"
SECONDS = 600
MFA = "mfa: {login: {factors: [password, totp]}, throttle: {failures: 50, delay: none}}\n"
ONLY_LIGHTDM = MFA.replace("factors:", "services: [lightdm], factors:", 1)
XSCREENSAVER = "lock: True\nmode: blank\nfade: False\nunfade: False\nsplash: False\ndpmsEnabled: False\npasswdTimeout: 0:05:00\n"
LIGHTDM = "[Seat:*]\nuser-session=test\ngreeter-hide-users=true\ngreeter-session=lightdm-gtk-greeter\n"
GREETER = "[greeter]\nfont-name=VL Gothic 14\nbackground=#204060\nindicators=\n"
SESSION = "[Desktop Entry]\nName=test\nExec=/usr/local/bin/test-session\nType=Application\n"
LOG = "/var/log/lightdm/lightdm.log"


def keys(vm, text):
    vm.send_keys([*text, "ret"])


class Follower:
    """Follows a program's log: what was typed goes to the prompt that was meant."""

    def __init__(self, vm, path):
        self.vm = vm
        self.path = path
        self.read = 0

    def found(self, text):
        """Whether this stands in the log, after what was found before."""
        at = self.vm.run(["cat", self.path]).out.find(text, self.read)
        self.read = self.read if at < 0 else at + len(text)
        return at >= 0

    def until(self, *texts):
        """Until these stand in the log, one behind the other."""
        for text in texts:
            wait_for(lambda text=text: self.found(text), f"{self.path}: {text}", 60, every=0.5)


class Greeter(Follower):
    def __init__(self, t):
        super().__init__(t.vm, LOG)
        self.t = t

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


used = [0]


def fresh_code(vm, people, who):
    """One of a step that was not used here."""

    def step():
        return int(vm.check_run("date +%s")) // 30 + 1

    wait_for(lambda: step() > used[0], "the next code", 60, every=1)
    found = people.code(who, 1)
    used[0] = step()
    return found


def prepare(t):
    vm = t.vm
    desktop.prepare(t, LIGHTDM)
    vm.put("/etc/lightdm/lightdm-gtk-greeter.conf", GREETER)
    vm.put("/usr/share/xsessions/test.desktop", SESSION)
    vm.put("/usr/local/bin/test-session", "#!/bin/sh\nexec sleep infinity\n", 0o755)


def check_lint(t, guard):
    """Beside the real configuration of LightDM and the lockers, and of an sshd that nobody has touched."""
    usual = {("sshd-methods", "publickey"), ("sshd-root", ""), ("sshd-keyboard-interactive", ""), ("getty-autologin", "tanaka")}
    ways, closed = guard.lint()
    t.check("mfa lint: LightDM and the lockers ask for a code", {"lightdm", "xscreensaver", "i3lock"} <= closed, closed)
    t.check("mfa lint: the ways round are sshd's and this guest's automatic login", ways == usual, ways)
    extra = "/etc/lightdm/lightdm.conf.d/kiosk.conf"
    t.vm.put(extra, "[Seat:*]\nautologin-user=s03\n")
    ways, _ = guard.lint()
    t.vm.check_run(["rm", extra])
    t.check("mfa lint: and LightDM's, where it has one", ways - usual == {("lightdm-autologin", "s03")}, ways)


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
    greeter.log_in(who, lambda: fresh_code(vm, people, who), named=True)
    wait_for(lambda: session_of(vm, who), "the session", 60, every=0.5)
    vm.wait_run(f"pgrep -u {who.name} -x sleep")
    t.check("LightDM: the right one does, typed on the keyboard", True)
    return who


def of_session(who):
    """Options of a program of the person who is at the screen."""
    env = {"DISPLAY": ":0", "XAUTHORITY": f"/home/{who.name}/.Xauthority", "LANG": "ja_JP.UTF-8", "HOME": f"/home/{who.name}"}
    return {"user": who.name, "session": False, "env": env}


def was_wrong(vm, service, who):
    return vm.run(f"journalctl -b --no-pager | grep -q '{service}.*one-time code of {who.name}: wrong'").rc == 0


def is_wrong(vm, service, who):
    wait_for(lambda: was_wrong(vm, service, who), "the wrong code's line in the journal", 60, every=0.5)


def type_until(vm, text, condition):
    """i3lock has the keyboard some time after it runs, and does not say when: what is typed before is nobody's."""

    def once():
        keys(vm, text)
        with contextlib.suppress(Timeout):
            return wait_for(condition, "what i3lock makes of it", 15, every=0.5)

    wait_for(once, "i3lock's taking the keys", 90)


def start_i3lock(t, who):
    vm = t.vm
    job = vm.spawn(["i3lock", "-n"], **of_session(who), timeout=200)
    wait_for(lambda: vm.run(f"pgrep -u {who.name} -x i3lock").rc == 0 or not job.running(), "i3lock", 30, every=0.5)
    if not job.running():
        raise VMError(f"i3lock ended: {job.wait()}")
    return job


def check_i3lock(t, people, guard, who):
    """It asks once, and answers everything that the stack asks with that: the password is given for the code."""
    vm = t.vm
    job = start_i3lock(t, who)
    screenshot(t, "i3lock")
    type_until(vm, who.password, lambda: was_wrong(vm, "i3lock", who))
    t.check("i3lock: where it is asked for a code, the password alone does not open it", job.running())
    guard.enforce(usb(), ONLY_LIGHTDM)
    keys(vm, who.password)
    wait_for(lambda: not job.running(), "the end of i3lock", 60, every=0.5)
    t.check("i3lock: the password does where policy leaves it out of its services", job.wait().rc == 0, job.wait())
    guard.enforce(usb(), MFA)
    stack = vm.get("/etc/pam.d/i3lock")
    vm.put("/etc/pam.d/i3lock", "auth required pam_kuraban.so\n")
    try:
        job = start_i3lock(t, who)
        type_until(vm, fresh_code(vm, people, who), lambda: not job.running())
        t.check(f"i3lock, run by {who.name} alone: with the code in place of the password a right one opens it", job.wait().rc == 0, job.wait())
    finally:
        vm.put("/etc/pam.d/i3lock", stack)


def check_xscreensaver(t, people, who):
    """It shows each prompt by itself; its setuid helper is the person by then."""
    vm, home, options = t.vm, f"/home/{who.name}", of_session(who)
    vm.put(f"{home}/.xscreensaver", XSCREENSAVER)
    vm.check_run(["chown", "-R", who.name, home])
    job = vm.spawn(["xscreensaver", "--no-splash", "--verbose", "--log", f"{home}/log"], **options, timeout=300)
    log = Follower(vm, f"{home}/log")
    try:
        vm.wait_run("xscreensaver-command -time", **options)
        vm.check_run(["xscreensaver-command", "-lock"], **options)
        vm.wait_run("xscreensaver-command -time | grep -q locked", **options)

        def is_raised():
            if vm.run("pgrep xscreensaver-au").rc != 0:
                vm.send_keys(["backspace"])
            return log.found("ECHO_OFF")

        def takes_keys():
            """The helper's window comes some time after that. This one types nothing."""
            vm.send_keys(["backspace"])
            return log.found("XI RawKeyPress")

        def answer(the_code, shot):
            wait_for(is_raised, "the dialog", 60, every=2)
            wait_for(takes_keys, "the dialog's window", 60, every=1)
            screenshot(t, f"{shot}-password", moving=True)
            keys(vm, who.password)
            log.until('ECHO_OFF="認証コード: "')
            screenshot(t, f"{shot}-code", moving=True)
            uids = vm.check_run("grep -h ^Uid: /proc/$(pgrep xscreensaver-au)/status").split()[1:]
            keys(vm, the_code())
            return uids

        uids = answer(lambda: "000000", "xscreensaver")
        log.until('ERROR_MSG="認証コードが違います。"')
        screenshot(t, "xscreensaver-wrong", moving=True)
        # It shows that until Enter.
        wait_for(lambda: log.found("pam_authenticate (...) ==>") or vm.send_keys(["ret"]), "the end of the first try", 60, every=3)
        is_wrong(vm, "xscreensaver", who)
        t.check("xscreensaver is asked for the code by itself, in Japanese", True)
        t.check(f"its helper asks as {who.name}", set(uids) == {str(who.uid)}, uids)
        t.check("xscreensaver: a wrong code leaves the screen locked", "locked" in vm.check_run(["xscreensaver-command", "-time"], **options))
        answer(lambda: fresh_code(vm, people, who), "xscreensaver-again")
        vm.wait_run("xscreensaver-command -time | grep -q non-blanked", **options)
        t.check("xscreensaver: the right one, behind the password, opens it", True)
    finally:
        t.note(vm.run(["cat", f"{home}/log"]).out)
        job.signal()


def run(t):
    guard = Guard(t)
    people = People(t.vm, 3, name="s", uid=3100)
    prepare(t)
    t.vm.check_run("DEBIAN_FRONTEND=noninteractive pam-auth-update --enable kuraban")
    guard.enforce(usb(), MFA)
    check_lint(t, guard)
    try:
        who = check_greeter(t, people)
        check_xscreensaver(t, people, who)
        check_i3lock(t, people, guard, who)
    finally:
        desktop.leave(t)
        t.vm.run("DEBIAN_FRONTEND=noninteractive pam-auth-update --disable kuraban")
        guard.enforce()
