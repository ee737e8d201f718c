#!/bin/bash
# Every key of the policy's section mfa does in a running kuraband what kuraban-policy(5) says of it: who is asked where, who may enrol,
# how long people get in without, and what wrong codes cost. unit/decide/keys names these lines.
# Runs beside others.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

export PYTHONPATH=${0%/*}/daemon PYTHONDONTWRITEBYTECODE=1

version=1
policy() { # the section
    version=$((version + 1))
    write_policy $version read "" "$1"
    kuraban reload > /dev/null
}
# Functions of the tests; nobody (65534) asks as a process of its own.
asks() { # program on stdin
    /usr/bin/python3 <(
        cat << 'PYTHON'
from mfa import *
import os, sys
use(sys.argv[1])
stage = sys.argv[2]

def asked(uid, user, service="login"):
    return login(uid, user, "", 0, service)

def flags(uid, user):
    with connect() as s:
        s.sendall(login_frame(uid, user, "", 0))
        return read_login(receive(s))[2]

def nobody_may_enrol():
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        os._exit(0 if ask(ENROL, struct.pack("<I", SELF) + text("nobody") + struct.pack("<BBH", 0, 0, 0))[0] == 0 else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

def saved():
    return open(stage + "/secret").read().strip()
PYTHON
        cat
    ) "$stage/run/control.sock" "$stage"
}

stage_make
daemon_start

note "login: without the section nobody is asked"
policy ""
asks << 'PYTHON'
expect("nobody is asked", asked(1, "daemon"), "not-needed")
secret, recovery = enrol(1, "daemon")
open(stage + "/secret", "w").write(secret)
PYTHON

note "login: every service, everybody"
policy "mfa: {login: {}}"
asks << 'PYTHON'
expect("daemon is asked", [asked(1, "daemon", s) for s in ("login", "sshd", "anything")], ["needed"] * 3)
expect("who has no code does not get in", asked(2, "bin"), "not-enrolled")
PYTHON

note "services: these and no others"
policy "mfa: {login: {services: [login, sshd]}}"
asks << 'PYTHON'
expect("services", [asked(1, "daemon", s) for s in ("login", "sshd", "cron", "su")], ["needed", "needed", "not-needed", "not-needed"])
PYTHON

note "who: users and groups"
policy "mfa: {login: {who: {users: [bin]}}}"
asks << 'PYTHON'
expect("users", [asked(1, "daemon"), asked(2, "bin")], ["not-needed", "not-enrolled"])
PYTHON
policy "mfa: {login: {who: {groups: [daemon]}}}"
asks << 'PYTHON'
expect("groups", [asked(1, "daemon"), asked(2, "bin")], ["needed", "not-needed"])
PYTHON

note "grace: so long without a code, and not without end"
policy "mfa: {login: {grace: 1h}}"
asks << 'PYTHON'
expect("grace", [asked(2, "bin"), asked(1, "daemon")], ["grace", "needed"])
PYTHON
policy "mfa: {login: {grace: 1s}}"
gone() { asks <<< 'sys.exit(asked(2, "bin") != "not-enrolled")' 2> /dev/null; }
eventually "the end of a grace of one second" 10 gone

note "enrol: root, self, first-login"
for enrol in root self first-login; do
    policy "mfa: {login: {}, enrol: $enrol}"
    enrol=$enrol asks << 'PYTHON'
mode = os.environ["enrol"]
expect("an ordinary person enrols", nobody_may_enrol(), mode != "root")
expect("the first login offers it", flags(2, "bin") & 1, int(mode == "first-login"))
expect("root can always", begin(3, "sys")[0], "done")
PYTHON
done

note "factors: what comes before in PAM changes nothing here"
for factors in "[password, totp]" totp; do
    policy "mfa: {login: {factors: $factors}}"
    asks <<< 'expect("asked", asked(1, "daemon"), "needed")'
done

note "throttle: failures, delay, lock"
policy "mfa: {login: {}, throttle: {failures: 3, delay: none, lock: 1m}}"
asks << 'PYTHON'
bad = wrong(saved())
expect("lifted", ask(LIFT, struct.pack("<I", 1))[0], 0)
expect("failures", [login(1, "daemon", bad) for _ in range(4)], ["wrong", "wrong", "wrong", "locked"])
PYTHON
policy "mfa: {login: {}, throttle: {failures: 3, delay: exponential, lock: 1m}}"
asks << 'PYTHON'
bad = wrong(saved())
expect("lifted", ask(LIFT, struct.pack("<I", 1))[0], 0)
expect("delay: exponential", [login(1, "daemon", bad) for _ in range(2)], ["wrong", "wait"])
PYTHON
for lock in 1m until-root; do
    policy "mfa: {login: {}, throttle: {failures: 1, delay: none, lock: $lock}}"
    lock=$lock asks << 'PYTHON'
bad = wrong(saved())
expect("lifted", ask(LIFT, struct.pack("<I", 1))[0], 0)
expect("one wrong code", login(1, "daemon", bad), "wrong")
expect("locked", login(1, "daemon", bad), "locked")
left = listed(1)["number"]
expect("lock: " + os.environ["lock"], 50 <= left <= 60 if os.environ["lock"] == "1m" else left == 0, True)
expect("lifted", ask(LIFT, struct.pack("<I", 1))[0], 0)
PYTHON
done

note "window: steps before and after"
for window in 0 1 2; do
    policy "mfa: {login: {}, window: $window, throttle: {delay: none}}"
    window=$window asks << 'PYTHON'
window = int(os.environ["window"])
expect("removed", ask(REMOVE, struct.pack("<I", 1) + text("test"))[0], 0)
secret, recovery = enrol(1, "daemon")
while time.time() % 30 > 25:
    time.sleep(0.05)  # a step's end must not fall into what follows
reach = [n for n in range(1, 4) if login(1, "daemon", code(secret, n)) == "accepted"]
expect("window", reach, list(range(1, window + 1)))
PYTHON
done

finished
