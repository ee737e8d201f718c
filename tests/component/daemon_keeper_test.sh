#!/bin/bash
# The daemon stopped, its keeper killed, both killed: who waits, who is refused, and what is left when nobody holds the gate.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

# openat(2) is what it is in.
waits() { grep -Eq '^(257|56) ' "/proc/$1/syscall" 2> /dev/null; }

opener='' # sets opener to a process that opens and waits
open_and_wait() {
    ( as_user "$@" ) > "$stage/opened" 2>&1 < /dev/null &
    opener=$!
    helpers+=("$opener")
    eventually "$* waits" 10 waits "$opener"
}

outcome() { # of the opener: exit status
    eventually "the waiting program's end" 20 ended "$opener"
    local code=0
    wait "$opener" || code=$?
    helpers=()
    return $code
}

renewed() { one_keeper && [ "$(keepers)" != "$1" ]; }
read_only() { [ "$(blockdev --getro "$loop")" = 1 ]; }

stage_make
programs=$stage/bin # the daemon looks for its keeper beside itself
mkdir "$programs"
cp "$KURABAN_BUILD/bin/kuraband" "$KURABAN_BUILD/bin/kuraban-keeper" "$programs/"
daemon_start
plug

# Stopped: openers wait; they are not let through, and after it goes on each gets its answer.
stop_process "$daemon_pid"
open_and_wait cat "$store/residents.csv"
pause 1
waits "$opener" || fail "an opener did not wait while the daemon was stopped"
refused as_user touch "$mount/new"
kill -CONT "$daemon_pid"
outcome && fail "allowed after the daemon was stopped"
stop_process "$daemon_pid"
open_and_wait "$client" "$store/residents.csv"
kill -CONT "$daemon_pid"
outcome || fail "the permitted program was refused after the daemon was stopped"

# The keeper is killed: a new one, and the journal says so; then the daemon's death still opens nothing.
keeper=$(keepers)
kill -KILL "$keeper"
eventually "a new keeper" 10 renewed "$keeper"
expect "the journal tells" '.ok' audit verify
kuraban sync > /dev/null
recorded "keeper died" || fail "the keeper's death is not in the journal"
daemon_kill KILL
open_and_wait cat "$store/residents.csv"
daemon_start
outcome && fail "the store opened although the keeper had been renewed"
plug_again() { guarded && enforcing; }
eventually "all is back" 10 plug_again
one_keeper || fail "$(keepers | wc -l) keepers"

# Stopped daemon, killed keeper, killed daemon: nobody holds the gate, and the kernel lets the opener go. That only root can do; what is
# left is said in docs/THREATS.md: media stay read-only, the store is as open as its permissions, and the next start closes it.
stop_process "$daemon_pid"
open_and_wait cat "$store/residents.csv"
kill -KILL "$(keepers)" "$daemon_pid"
eventually "the daemon's end" 10 ended "$daemon_pid"
if outcome; then
    note "nobody holds the gate: the kernel let the opener through"
else
    note "nobody holds the gate: the kernel refused"
fi
read_only || fail "the stick became writable with the gate"
refused as_user touch "$mount/new"
refused dd if=/dev/zero of="$loop" bs=512 count=1 conv=notrunc,fsync
daemon_start
plug_again
refused as_user cat "$store/residents.csv"
allowed as_user "$client" "$store/residents.csv"

# The other order: the daemon first, then the keeper before its grace is over.
kill -KILL "$daemon_pid"
eventually "the daemon's end" 10 ended "$daemon_pid"
kill -KILL "$(keepers)"
eventually "no keeper" 10 no_keeper
read_only || fail "the stick became writable with the gate"
refused as_user touch "$mount/new"
daemon_start
eventually "the stick's mark" 10 guarded
refused as_user cat "$store/residents.csv"
one_keeper || fail "$(keepers | wc -l) keepers"

# A keeper that cannot be started again is told, and tried for as long as it takes.
rm "$programs/kuraban-keeper"
kill -KILL "$(keepers)"
eventually "doctor tells that nobody keeps the gate" 10 holds 'any(.[]; .check == "gate.keeper" and .ok == false)' doctor
expect "still enforcing" '.gate.enforcing' status
cp "$KURABAN_BUILD/bin/kuraban-keeper" "$programs/"
eventually "a keeper again" 15 one_keeper
eventually "doctor is content" 10 holds 'any(.[]; .check == "gate.keeper" and .ok)' doctor
kuraban sync > /dev/null
expect "the journal" '.ok' audit verify
finished
