"""Who is taken to be at the machine, by real sessions: su with another's seat in its environment is not, a login at a virtual terminal and on the serial line
is, who has logged out and left a program behind is not."""

import os

import media
from console import Console
from guard import Guard, stick, usb

PROFILE = "agent"
SECONDS = 300

WHO = "seatman"
SESSIONS = "for s in $(loginctl list-sessions --no-legend | awk '{print $1}'); do loginctl show-session $s -p Name -p Active -p State -p Remote -p Seat -p TTY | tr '\\n' ' '; echo; done"


def sessions(vm):
    """What logind says of this person's."""
    return [line for line in vm.check_run(SESSIONS).splitlines() if f"Name={WHO} " in line]


def wait_session(vm, *words):
    tests = " | ".join(f"grep -- '{word}'" for word in (f"Name={WHO} ", *words))
    vm.wait_run(f"({SESSIONS}) | {tests}")


def activate(vm, name):
    vm.check_run(f"loginctl activate $(loginctl list-sessions --no-legend | awk '$3 == \"{name}\" {{print $1}}')")


def wait_gone(vm):
    vm.run(f"pkill -KILL -u {WHO}")
    vm.wait_run(f"! loginctl list-sessions --no-legend | grep -w {WHO}")
    activate(vm, "tanaka")


def is_there(vm, guard):
    """As a kuraband says that reads the sessions as they are now."""
    vm.check_run("systemctl restart kuraband.service")
    vm.wait_run("kuraban status")
    return guard.device(kind="usb", serial="SEAT")["verdict"] == "allow"


def check_su(t, vm, guard):
    command = f"XDG_SEAT=seat0 XDG_VTNR=9 su - {WHO} -c 'sleep 600'"
    vm.check_run(["systemd-run", "--unit=seat-su", "script", "-qec", command, "/dev/null"])
    try:
        wait_session(vm, "TTY=pts/", "Seat=seat0")
        activate(vm, WHO)
        wait_session(vm, "Active=yes")
        t.check("by su in a pseudo terminal: refused", not is_there(vm, guard), sessions(vm))
    finally:
        vm.run("systemctl stop seat-su.service")
        wait_gone(vm)


def check_terminal(t, vm, guard):
    options = "-p TTYPath=/dev/tty2 -p StandardInput=tty -p StandardOutput=tty -p TTYReset=yes -p UtmpIdentifier=tty2"
    vm.check_run(f"systemd-run --unit=seat-vt {options} login -f {WHO}")
    try:
        wait_session(vm, "TTY=tty2")
        activate(vm, WHO)
        guard.wait_device(kind="usb", serial="SEAT", verdict="allow", seconds=60)
        t.check("logged in at tty2: permitted", True)
        vm.wait_run(f"pgrep -u {WHO} -x sleep")
        vm.run("pkill -KILL -t tty2; systemctl kill -s KILL seat-vt.service")
        wait_session(vm, "State=closing")
        t.check("logged out, a program left behind: it is still called active", "Active=yes" in sessions(vm)[0], sessions(vm))
        guard.wait_device(kind="usb", serial="SEAT", verdict="deny", seconds=60)
        t.check("and is refused", not is_there(vm, guard), sessions(vm))
    finally:
        vm.run("systemctl stop seat-vt.service")
        wait_gone(vm)


def check_serial(t, vm, guard):
    with Console(vm) as console:
        console.log_in(WHO, WHO)
        t.note(sessions(vm))
        guard.wait_device(kind="usb", serial="SEAT", verdict="allow", seconds=60)
        t.check("on the serial line, which is no seat: permitted", "Seat= " in sessions(vm)[0], sessions(vm))
        console.log_out()
        guard.wait_device(kind="usb", serial="SEAT", verdict="deny", seconds=60)
        t.check("logged out there, a program left behind: refused", True)


def run(t):
    vm, guard = t.vm, Guard(t)
    vm.check_run(f"useradd -m -s /bin/bash {WHO} && echo {WHO}:{WHO} | chpasswd")
    # Each login leaves a program behind.
    vm.put(f"/home/{WHO}/.bash_profile", "setsid -f sleep 600 </dev/null >/dev/null 2>&1\n")
    vm.check_run(f"chmod 0644 /home/{WHO}/.bash_profile")
    guard.enforce(usb(stick("SEAT", who=f"{{users: [{WHO}]}}")))
    image = media.make_vfat(os.path.join(t.scratch, "seat.img"), {"a.txt": "a\n"})
    device = guard.plug(image, "SEAT")
    try:
        t.check("not there: refused", device["verdict"] == "deny", device)
        check_su(t, vm, guard)
        check_terminal(t, vm, guard)
        check_serial(t, vm, guard)
    finally:
        vm.reset_devices()
        guard.enforce()
