#!/bin/bash
# Logins while no policy is in force (the file is damaged, there is none, what was signed is damaged): who has a second factor is asked for it,
# nobody comes in without a code because of that; root at a console of the machine does, and it is an alarm.
# Runs beside others.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"
. "${0%/*}/daemon/console.sh"

export PYTHONPATH=${0%/*}/daemon PYTHONDONTWRITEBYTECODE=1

py() { # arguments…, program on stdin
    /usr/bin/python3 - "$stage/run/control.sock" "$stage" "$@"
}

says() { # what ask() finds: USER… of the form uid:name[:service]
    py "$@" << 'PYTHON'
from mfa import *
use(sys.argv[1])
def one(who):
    uid, name, service = (who.split(":") + ["login"])[:3]
    return login(int(uid), name, "", 0, service)
print(*map(one, sys.argv[3:]))
PYTHON
}

check() { # what EXPECTED USER…
    local found
    found=$(says "${@:3}")
    [ "$found" = "$2" ] || fail "$1: $found"
}

without_policy() { # what the file is to hold
    daemon_kill TERM
    rm -f "$stage"/state/policy*.yaml # the last good one
    printf '%s' "$1" > "$stage/policy.yaml"
    daemon_start_until answers
    expect "no policy rules" '.policy.source == "none"' status
}

note "nobody has a second factor: nobody is asked"
stage_make
rm "$stage/policy.yaml"
daemon_start_until answers
expect "no policy rules" '.policy.source == "none"' status
check "before the first enrolment" "not-needed not-needed" 1:daemon 0:root

note "somebody has one: they are asked everywhere, and nobody else gets in without"
py << 'PYTHON'
from mfa import *
use(sys.argv[1])
secret, recovery = enrol(1, "daemon")
open(sys.argv[2] + "/secret", "w").write(secret)
PYTHON
check "without a policy" "needed needed not-enrolled not-enrolled" 1:daemon 1:daemon:any 2:bin 0:root
py "$(cat "$stage/secret")" << 'PYTHON'
from mfa import *
use(sys.argv[1])
expect("wrong", login(1, "daemon", wrong(sys.argv[3])), "wrong")
time.sleep(1.1)
expect("right", login(1, "daemon", code(sys.argv[3])), "accepted")
expect("no enrolment at the login", login(2, "bin", "", 2), "refused")
PYTHON

note "a policy that asks nobody, then the same damaged"
write_policy 1 read
kuraban reload > /dev/null
check "in force" "not-needed not-needed not-needed" 1:daemon 2:bin 0:root
without_policy 'format: kuraban-policy/1
nonsense'
check "damaged" "needed not-enrolled not-enrolled" 1:daemon 2:bin 0:root

note "root at a console of the machine"
find_console /dev/tty60 /dev/tty59 /dev/ttyS2
at_console "grace 0 2" login 0 root
at_console "not-enrolled 0 0" sshd 0 root
at_console "not-enrolled 0 0" login 2 bin
if [ -n "$console" ]; then
    kuraban sync > /dev/null
    kuraban audit show --json | jq -s -e 'any(.[]; .event.action == "emergency" and .event.kind == "alert" and .user.id == "0"
        and (.message | test("no policy is in force")))' > /dev/null || fail "root at the console is no alarm"
fi

note "a store that cannot be read is not an empty one"
daemon_kill TERM
mv "$stage/state/mfa.db" "$stage/aside"
daemon_start_until answers
check "without a store" "unavailable unavailable unavailable" 1:daemon 2:bin 0:root
at_console "unavailable 0 0" login 0 root # who may have a second factor
daemon_kill TERM
mv "$stage/aside" "$stage/state/mfa.db"

note "what was signed is damaged"
: > "$stage/state/trust.installed"
daemon_start_until answers
check "damaged" "needed not-enrolled not-enrolled" 1:daemon 2:bin 0:root
at_console "grace 0 2" login 0 root
py << 'PYTHON'
from mfa import *
use(sys.argv[1])
expect("removed", ask(REMOVE, struct.pack("<I", 1) + text("test"))[0], 0)
PYTHON
check "nobody has a second factor" "not-enrolled not-enrolled not-enrolled" 1:daemon 2:bin 0:root
finished
