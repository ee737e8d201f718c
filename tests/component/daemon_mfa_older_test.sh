#!/bin/bash
# An older copy of mfa.db put back while kuraband is stopped, after a clean end and after kill -9: the journal knows better, and nobody gets in until
# an administrator says that it was meant; then what was used since is void. A store made anew, where the journal knows another, is an alarm, once.
# Runs beside others.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

export PYTHONPATH=${0%/*}/daemon PYTHONDONTWRITEBYTECODE=1

py() { # arguments…, program on stdin
    /usr/bin/python3 - "$stage/run/control.sock" "$stage" "$@"
}

outcome() { # of a recovery code's login, by its number
    py "$1" << 'PYTHON'
from mfa import *
use(sys.argv[1])
print(login(1, "daemon", open(sys.argv[2] + "/recovery").read().split()[int(sys.argv[3])]))
PYTHON
}

put_back() { install -m 600 "$stage/aside" "$stage/state/mfa.db"; }

stage_make
write_policy 1 read "" "mfa: {login: {services: [login], grace: 0}, enrol: root, throttle: {failures: 20, delay: none}}"
daemon_start
py << 'PYTHON'
from mfa import *
use(sys.argv[1])
secret, recovery = enrol(1, "daemon")
open(sys.argv[2] + "/recovery", "w").write(" ".join(recovery))
open(sys.argv[2] + "/secret", "w").write(secret)
PYTHON
daemon_kill TERM
cp "$stage/state/mfa.db" "$stage/aside"

for signal in TERM KILL; do
    note "after SIG$signal"
    daemon_start
    code=0
    [ "$signal" = TERM ] || code=1
    [ "$(outcome $code)" = accepted ] || fail "a fresh recovery code: $code"
    kuraban sync > /dev/null
    daemon_kill "$signal"
    cp "$stage/state/mfa.db" "$stage/newest"
    cp "$stage/state/mfa.db-journal" "$stage/newest-journal"
    put_back
    daemon_start
    [ "$(outcome $code)" = unavailable ] || fail "the older copy: $(outcome $code)"
    holds 'any(.[]; .check == "mfa.store" and (.ok | not))' doctor || fail "doctor does not say it"
    kuraban sync > /dev/null
    kuraban audit show --json | jq -s -e 'any(.[]; .event.action == "mfa-changed" and .event.kind == "alert" and (.message | test("older than the journal")))' > /dev/null ||
        fail "the journal does not say it"
    daemon_kill TERM
    daemon_start # a restart is no word of an administrator's
    [ "$(outcome $code)" = unavailable ] || fail "the older copy, once more: $(outcome $code)"
    daemon_kill TERM
    install -m 600 "$stage/newest" "$stage/state/mfa.db"
    install -m 600 "$stage/newest-journal" "$stage/state/mfa.db-journal"
    daemon_start
    [ "$(outcome $code)" = wrong ] || fail "what was there last: $(outcome $code)"
    daemon_kill TERM
done

note "it was meant"
put_back
touch "$stage/state/mfa.restored"
daemon_start
[ "$(outcome 0) $(outcome 1) $(outcome 2)" = "wrong wrong wrong" ] || fail "recovery codes: $(outcome 0) $(outcome 1) $(outcome 2)"
py "$(cat "$stage/secret")" << 'PYTHON'
from mfa import *
use(sys.argv[1])
expect("codes of the time before", login(1, "daemon", code(sys.argv[3], -1)), "used")
expect("the next one", login(1, "daemon", code(sys.argv[3], 1)), "accepted")
PYTHON
[ ! -e "$stage/state/mfa.restored" ] || fail "the word still stands"
kuraban audit show --json | jq -s -e 'any(.[]; .event.action == "mfa-changed" and .event.reason == "restored" and .event.kind == "alert")' > /dev/null ||
    fail "the journal does not say it"
daemon_kill TERM
daemon_start
[ "$(outcome 3)" = wrong ] || fail "after one more start: $(outcome 3)"

note "a store made anew"
strangers() { # how many alarms tell of a store that the journal does not know
    kuraban sync > /dev/null
    kuraban audit show --json | jq -s 'map(select(.event.action == "mfa-changed" and .event.reason == "another" and .event.kind == "alert")) | length'
}
[ "$(strangers)" = 0 ] || fail "an alarm without another store"
daemon_kill TERM
rm "$stage"/state/mfa.db* "$stage/state/mfa.installed" "$stage"/state/mfa.key*
for signal in KILL TERM; do # the alarm itself makes it known
    daemon_start
    [ "$(outcome 4)" = not-enrolled ] || fail "a new store: $(outcome 4)"
    [ "$(strangers)" = 1 ] || fail "$(strangers) alarms of another store"
    daemon_kill "$signal"
done
touch "$stage/state/mfa.restored"
daemon_start
[ ! -e "$stage/state/mfa.restored" ] || fail "the word for nothing still stands"
grep -q '^mfa.restored done=no' "$log" || fail "nothing tells that the word was for nothing"
kuraban audit verify > /dev/null || fail "the journal does not verify"
finished
