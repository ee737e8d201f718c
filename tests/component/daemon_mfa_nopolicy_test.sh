#!/bin/bash
# Logins while no policy is in force (the file is damaged, there is none, what was signed is damaged): who has a second factor is asked for it,
# nobody comes in without a code because of that; root at a console of the machine does, and it is an alarm.
# Runs beside others.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

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
console=''
for tty in /dev/tty60 /dev/tty59 /dev/ttyS2; do
    if setsid -c -w true < "$tty" > /dev/null 2>&1; then console=$tty; break; fi
done 2> /dev/null
at_console() { # SERVICE UID NAME
    cat > "$stage/at_console.py" << 'PYTHON'
from mfa import *
use(sys.argv[1])
with connect() as s:
    s.sendall(login_frame(int(sys.argv[3]), sys.argv[4], "", 0, sys.argv[2]))
    print(*read_login(receive(s)))
PYTHON
    setsid -c -w /usr/bin/python3 "$stage/at_console.py" "$stage/run/control.sock" "$@" < "$console"
}
if [ -n "$console" ]; then
    [ "$(at_console login 0 root)" = "grace 0 2" ] || fail "root at $console: $(at_console login 0 root)"
    [ "$(at_console sshd 0 root)" = "not-enrolled 0 0" ] || fail "another service at $console"
    [ "$(at_console login 2 bin)" = "not-enrolled 0 0" ] || fail "another person at $console"
    kuraban sync > /dev/null
    kuraban audit show --json | jq -s -e 'any(.[]; .event.action == "emergency" and .event.kind == "alert" and .user.id == "0"
        and (.message | test("no policy is in force")))' > /dev/null || fail "root at the console is no alarm"
else
    note "no virtual terminal here"
fi

note "a store that cannot be read is not an empty one"
daemon_kill TERM
mv "$stage/state/mfa.db" "$stage/aside"
daemon_start_until answers
check "without a store" "unavailable unavailable unavailable" 1:daemon 2:bin 0:root
[ -z "$console" ] || [ "$(at_console login 0 root)" = "unavailable 0 0" ] || fail "root may have a second factor"
daemon_kill TERM
mv "$stage/aside" "$stage/state/mfa.db"

note "what was signed is damaged"
: > "$stage/state/trust.installed"
daemon_start_until answers
check "damaged" "needed not-enrolled not-enrolled" 1:daemon 2:bin 0:root
[ -z "$console" ] || [ "$(at_console login 0 root)" = "grace 0 2" ] || fail "root at $console, what was signed is damaged"
py << 'PYTHON'
from mfa import *
use(sys.argv[1])
expect("removed", ask(REMOVE, struct.pack("<I", 1) + text("test"))[0], 0)
PYTHON
check "nobody has a second factor" "not-enrolled not-enrolled not-enrolled" 1:daemon 2:bin 0:root
finished
