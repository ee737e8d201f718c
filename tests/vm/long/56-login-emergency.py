"""Root's way back: booted with kuraban.emergency, root logs in at the console without a code, which is told and recorded; nobody else does, and
root nowhere else."""

import re

from console import Console
from guard import Guard, usb
from people import People, password

PROFILE = "agent"
APPEND = "kuraban.emergency"
SECONDS = 240


def run(t):
    vm = t.vm
    guard = Guard(t)
    people = People(vm, 1)
    who = people.new(enrolled=False)
    guard.enforce(usb(), "mfa: {login: {factors: [password, totp]}}\n")
    vm.check_run("DEBIAN_FRONTEND=noninteractive pam-auth-update --enable kuraban")
    start = guard.sequence()
    try:
        with Console(vm) as console:
            console.type("\r")
            console.answer("login: ", who.name, 120)
            console.answer("Password: ", who.password)
            console.until("No authenticator is registered for you")
            t.check("an ordinary person gets no way round at the console", True)
            console.answer("login: ", "root")
            console.answer("Password: ", "root")
            console.until("Emergency: in without a code. This is recorded.")
            console.until(re.compile(rb"# $"))
            t.check("root gets in there without a code, and is told that it is recorded", True)
            console.type("exit\r")
        shown = people.talk(["su", "-", "-c", "echo IN-$(id -un)"], [[password(who)[0], {"text": "root"}]])
        t.check("root gets no way round elsewhere", shown.rc != 0 and "IN-" not in shown.text and "No authenticator" in shown.text, shown)
        alarms = guard.since(start, event__action="emergency")
        t.check("the journal has it once, as an alarm", len(alarms) == 1 and "console" in alarms[0]["message"], alarms)
    finally:
        vm.run("DEBIAN_FRONTEND=noninteractive pam-auth-update --disable kuraban")
        guard.enforce()
