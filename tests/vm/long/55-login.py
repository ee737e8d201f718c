"""A one-time code at login, with real callers: su, sudo, sshd, login on the console. Right, wrong, empty, long and used codes, two logins at once,
and what goes wrong around them: kuraband stopped or killed, a full disk, a store that cannot be written, a clock set back."""

import contextlib
import re

from console import Console
from guard import Guard, usb
from people import People, code, password, typed

PROFILE = "agent"
SECONDS = 600
MFA = "mfa: {login: {factors: [password, totp]}}\n"
FIRST_LOGIN = "mfa: {login: {factors: [password, totp]}, enrol: first-login}\n"
# As docs/LOGIN.md and mfa lint ask for.
SSHD = """UsePAM yes
KbdInteractiveAuthentication yes
PasswordAuthentication no
PermitRootLogin no
AuthenticationMethods publickey,keyboard-interactive:pam keyboard-interactive:pam
"""
NOT_TEMPORARY = "Codes cannot be verified now"


def su(who):
    return ["su", "-", who.name, "-c", "echo IN-$(id -un)"]


def ssh(who):
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "NumberOfPasswordPrompts=1", "LogLevel=ERROR"]
    return ["ssh", *(word for o in options for word in ("-o", o)), f"{who.name}@localhost", "echo IN-$(id -un)"]


def sudo(who):
    return ["sh", "-c", "sudo -k; sudo sh -c 'echo IN-$SUDO_USER'"]


def is_in(shown, who):
    return shown.rc == 0 and f"IN-{who.name}\n" in shown.text and shown.left == 0


def refused(shown, message=""):
    """Ended without letting anybody in, for this reason."""
    return shown.rc != 0 and "IN-" not in shown.text and message in shown.text


def prepare(t, guard):
    vm = t.vm
    result = vm.run("grep -l pam_kuraban /etc/pam.d/*")
    t.check("the package switches the module on nowhere", result.out == "", result)
    t.check("and offers it to pam-auth-update", vm.run("test -s /usr/share/pam-configs/kuraban").rc == 0)
    vm.put("/etc/ssh/sshd_config.d/test.conf", SSHD)
    vm.put("/etc/sudoers.d/test", "Defaults passwd_tries=1\n", 0o440)
    vm.check_run("systemctl unmask --quiet ssh.service && systemctl start ssh.service")
    people = People(vm, 20, group="sudo")
    guard.enforce(usb())
    vm.check_run("DEBIAN_FRONTEND=noninteractive pam-auth-update --enable kuraban")
    stack = vm.check_run("grep -v ^# /etc/pam.d/common-auth")
    order = re.search(r"pam_unix.*\n(.*\n)*.*required\s+pam_kuraban.so", stack)
    t.check("enabled, it stands behind pam_unix", order, stack)
    who = people.new(enrolled=False)
    shown = people.talk(su(who), [password(who)])
    t.check("without mfa in the policy nobody is asked for a code", is_in(shown, who), shown)
    guard.enforce(usb(), MFA)
    ways, closed = guard.lint()
    t.check("mfa lint names the clerk's automatic login of this guest, and nothing else", ways == {("getty-autologin", "tanaka")}, ways)
    t.check("and su, sudo, sshd and login as closed", {"su", "sudo", "sshd", "login"} <= closed, closed)
    shown = people.talk(su(who), [password(who)])
    t.check("with it, somebody without an authenticator is refused", refused(shown, "No authenticator is registered"), shown)
    return people


def check_callers(t, people):
    """Every caller: in by a right code, in no other way; and a code opens once, whichever it was."""
    trials = []
    for name, argv in (("su", su), ("sudo", sudo), ("sshd", ssh)):
        for answer in (code, None):
            who = people.new()
            steps = [password(who), code(who) if answer else typed("12345678")]
            trials.append((name, who, answer, people.start(argv(who), steps, user=who.name if name == "sudo" else "tanaka")))
    for name, who, answer, job in trials:
        shown = people.finish(job)
        if answer:
            t.check(f"{name}: in by password and code", is_in(shown, who), shown)
        else:
            # ssh(1) shows no message that comes behind the last prompt, and sudo asks for silence.
            t.check(f"{name}: not by a wrong one", refused(shown, "The code is wrong" if name == "su" else ""), shown)


def check_first_login(t, people, guard):
    """At sshd, by keyboard-interactive: the key is shown, two codes of it confirm it, and the recovery codes come once."""
    who = people.new(enrolled=False)
    key = {"key": "Its key: ([A-Z2-7]{32})\\s"}
    steps = [password(who), ["First code: $", key], ["after it changes: $", {**key, "next": True}], ["press Enter: $", {"text": ""}]]
    guard.enforce(usb(), FIRST_LOGIN)
    shown = people.talk(ssh(who), steps)
    guard.enforce(usb(), MFA)
    t.check("sshd: the first login enrols, and is in", is_in(shown, who), shown)
    recovery = re.findall(r"\b[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}\b", shown.text)
    t.check("and shows ten codes for later", len(set(recovery)) == 10, shown)
    shown = people.talk(su(who), [password(who), typed(recovery[0])])
    t.check("of which one opens the next login", is_in(shown, who), shown)


def check_answers(t, people):
    """What is no code. A space counts as a wrong one, after which its person waits: each has their own."""
    table = [
        ("an empty answer", "", "No code was given"),
        ("a space", " ", ""),
        ("512 bytes", "1" * 512, ""),
        ("an end of input", "\x04", ""),
    ]
    jobs = []
    for _, text, _ in table:
        whom = people.new()
        jobs.append(people.start(su(whom), [password(whom), typed(text)]))
    for (what, _, message), job in zip(table, jobs):
        shown = people.finish(job)
        t.check(f"{what} is refused", refused(shown, message), shown)


def check_replay(t, people):
    who = people.new()
    shown = people.talk(su(who), [password(who), code(who)])
    t.check("a code opens once", is_in(shown, who), shown)
    again = [password(who), typed(shown.codes[0])]
    shown = people.talk(su(who), again, env={"LANG": "ja_JP.UTF-8"})
    t.check("and not again, which is told in Japanese", refused(shown, "この認証コードは使用済みです"), shown)
    t.check("after a prompt in Japanese", "認証コード: " in shown.text and "One-time" not in shown.text, shown)
    result = t.vm.run(["kuraban", "audit", "show", "--json"])
    # Alone: digits of a hash or of a time are no code.
    found = re.search(rf"(?<![0-9a-f.]){again[1][1]['text']}(?![0-9a-f])", result.out)
    t.check("the code is not in the journal", result.rc == 0 and not found, found)


def check_parallel(t, people):
    vm = t.vm
    who = people.new()
    jobs = [people.start(argv(who), [password(who), code(who, wait="/run/go")]) for argv in (su, su, ssh)]
    people.at_the_prompt(*jobs)
    vm.check_run("touch /run/go")
    shown = [people.finish(job) for job in jobs]
    vm.check_run("rm /run/go")
    t.check("three logins at once with one code: one gets in", sum(is_in(s, who) for s in shown) == 1, shown)
    codes = {code for s in shown for code in s.codes}
    t.check("(it was one code)", len(codes) == 1, codes)


def check_console(t, people):
    who = people.new()
    with Console(t.vm) as console:
        console.type("\r")
        console.answer("login: ", who.name, 120)
        console.answer("Password: ", who.password)
        console.answer("One-time code: ", "000000")
        console.until("The code is wrong.")
        console.answer("login: ", who.name)
        console.answer("Password: ", who.password)
        # One wrong code costs a second; login(1) itself waits longer.
        console.answer("One-time code: ", people.code(who))
        console.until(re.compile(rb"\$ $"))
        console.type("echo IN-$(id -un)\r")
        console.until(f"IN-{who.name}")
        t.check("login on the console: refused by a wrong code, in by a right one", True)
        console.type("exit\r")
        console.answer("login: ", "root")
        console.answer("Password: ", "root")
        console.until("No authenticator is registered for you")
        t.check("root is asked as well, and has a way back only by the boot loader (56)", True)


def check_daemon_away(t, people, guard):
    vm = t.vm
    who = people.new()
    vm.check_run("systemctl stop kuraband.service")
    shown = people.talk(su(who), [password(who)])
    t.check("kuraband stopped: refused without a prompt for a code", refused(shown, NOT_TEMPORARY), shown)
    vm.check_run("systemctl start kuraband.service")
    vm.wait_run("kuraban status")
    job = people.start(su(who), [password(who), code(who, wait="/run/go")])
    people.at_the_prompt(job)
    pid = vm.check_run("systemctl show -p MainPID --value kuraband.service").strip()
    vm.check_run(f"kill -STOP {pid}")
    vm.wait_run(f"! cat /proc/{pid}/task/*/stat | sed 's/.*) //' | grep -qv '^T'")
    vm.check_run("touch /run/go")
    # It has the question when it is killed.
    vm.wait_run(f"ss -xpn | grep -q '\"su\"'")
    vm.check_run(f"kill -KILL {pid}; rm /run/go")
    shown = people.finish(job)
    t.check("kuraband killed before it answers: refused", refused(shown, NOT_TEMPORARY), shown)
    vm.wait_run(f"test $(systemctl show -p MainPID --value kuraband.service) != {pid} && kuraban status")
    shown = people.talk(su(who), [password(who), code(who)])
    t.check("and started anew it lets the same person in", is_in(shown, who), shown)


def check_disk(t, people):
    vm = t.vm
    full, other, locked = people.new(), people.new(), people.new()
    vm.check_run("fallocate -l $(df --output=avail -B1 /var/lib/kuraban | tail -1) /var/lib/filler; dd if=/dev/zero of=/var/lib/filler.2 bs=4k 2>/dev/null; sync; true")
    try:
        left = vm.run("dd if=/dev/zero of=/var/lib/filler.3 bs=4k count=1")
        t.check("(the disk is full)", left.rc != 0, left)
        shown = people.talk(su(full), [password(full), code(full)])
        t.check("on a full disk a right code opens", is_in(shown, full), shown)
        shown = people.talk(su(full), [password(full), typed(shown.codes[0] if shown.codes else "")])
        t.check("once", refused(shown, "used before"), shown)
        shown = people.talk(su(other), [password(other), typed("000000")])
        t.check("and a wrong one does not", refused(shown), shown)
    finally:
        vm.check_run("rm -f /var/lib/filler*")
    vm.check_run("chattr +i /var/lib/kuraban/mfa.db")
    try:
        shown = people.talk(su(locked), [password(locked), code(locked)])
        t.check("with a store that cannot be written nobody gets in", refused(shown, NOT_TEMPORARY), shown)
    finally:
        vm.check_run("chattr -i /var/lib/kuraban/mfa.db")
    shown = people.talk(su(locked), [password(locked), code(locked, 1)])
    t.check("and afterwards everybody again", is_in(shown, locked), shown)


def check_clock(t, people):
    vm = t.vm
    who = people.new()
    shown = people.talk(su(who), [password(who), code(who)])
    t.check("(before the clock is set back)", is_in(shown, who), shown)
    vm.check_run("date -s '2 hours ago'")
    try:
        shown = people.talk(su(who), [password(who), code(who)])
        t.check("a clock set back is no way in, and is told", refused(shown, "clock of this terminal was set back"), shown)
    finally:
        vm.check_run("date -s '2 hours'")
    shown = people.talk(su(who), [password(who), code(who, 1)])
    t.check("set right again, it is", is_in(shown, who), shown)


def check_journal(t, guard, start):
    verified = guard.since(start, event__action="mfa-verified")
    wrong = guard.since(start, event__action="mfa-refused")
    t.check("the journal has who got in and who did not", len(verified) >= 8 and len(wrong) >= 6, (len(verified), len(wrong)))
    t.check("and is whole", guard.verify()["ok"] is True, guard.verify())


def run(t):
    guard = Guard(t)
    people = prepare(t, guard)
    start = guard.sequence()
    try:
        check_callers(t, people)
        check_first_login(t, people, guard)
        check_answers(t, people)
        check_replay(t, people)
        check_parallel(t, people)
        check_console(t, people)
        check_daemon_away(t, people, guard)
        check_disk(t, people)
        check_clock(t, people)
        check_journal(t, guard, start)
    finally:
        with contextlib.suppress(Exception):
            t.vm.run("DEBIAN_FRONTEND=noninteractive pam-auth-update --disable kuraban; systemctl stop ssh.service; rm -f /run/go")
        guard.enforce()
    t.check("switched off, nothing of it is left in the stacks", t.vm.run("grep -l pam_kuraban /etc/pam.d/*").out == "")
