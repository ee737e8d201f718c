#!/bin/bash
# kill -9 of kuraband again and again, at random moments of its life, while a person tries to copy out of the store and onto the
# stick: nothing gets out, nothing is lost from the journal, nothing piles up.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

kills=36
leak='' attempts=''

# What a determined person does. Opens wait while nobody answers; that is no success.
copier() {
    as_user bash -c '
        while :; do
            read -r line < "$1/residents.csv" && echo "$line" >> "$3/leak"
            for out in "$2/out" "$2/notice.txt"; do echo secret >> "$out" && echo wrote >> "$3/leak"; done
            mkdir "$2/directory" && echo made >> "$3/leak"
            echo >> "$3/attempts"
        done' copier "$store" "$mount" "$stage/outside" 2> /dev/null
}

# Without the processes the gate's workers look at, which come and go.
descriptors() { find "/proc/$1/fd" -mindepth 1 ! -lname '/proc/[0-9]*' 2> /dev/null | wc -l; }

# Between two kills: the guard is whole and works for those it should work for.
look_whole() {
    expect "whole after the takeover" '.gate.enforcing and .gate.marks == 2 and .gate.self_test.ok' status
    eventually "the permitted program" 10 is_allowed as_user "$client" "$store/residents.csv"
    [ "$(keepers | wc -l)" = 1 ] || fail "$(keepers | wc -l) keepers"
    [ "$(keepers)" = "$keeper" ] || fail "another keeper than at the start"
    [ "$(descriptors "$keeper")" -le "$keeper_descriptors" ] || fail "the keeper holds more and more descriptors"
    [ "$(descriptors "$daemon_pid")" -le $((daemon_descriptors + 8)) ] || # openers in flight
        { ls -l "/proc/$daemon_pid/fd"; fail "the daemon starts with more and more descriptors"; }
}

stage_make
daemon_start
plug
keeper=$(keepers)
keeper_descriptors=$(descriptors "$keeper")
daemon_descriptors=$(descriptors "$daemon_pid")
sync
before=$(sha256sum < "$stage/stick.img")
leak=$stage/outside/leak attempts=$stage/outside/attempts
: > "$leak"
: > "$attempts"
chmod 0666 "$leak" "$attempts"
copier &
helpers+=($!)
eventually "the copier's first try" 10 test -s "$attempts"

RANDOM=${KURABAN_TEST_SEED:-$$}
note "seed: KURABAN_TEST_SEED=${KURABAN_TEST_SEED:-$$}"
for ((i = 1; i <= kills; i++)); do
    if [ $((i % 9)) = 0 ]; then
        wait_until 20 enforcing || fail "does not enforce after kill $i"
        eventually "the stick's mark" 10 guarded
        look_whole
    else
        pause "0.$(printf '%03d' $((RANDOM % 400 + 1)))"
    fi
    daemon_kill KILL
    [ ! -s "$leak" ] || fail "got out at kill $i: $(cat "$leak")"
    daemon_launch
done
wait_until 20 enforcing || fail "does not enforce at the end"
eventually "the stick's mark" 10 guarded
look_whole
tries=$(wc -l < "$attempts")
goes_on() { [ "$(wc -l < "$attempts")" -gt "$tries" ]; }
eventually "the copier still tries" 10 goes_on

kill -KILL "${helpers[0]}"
wait "${helpers[0]}" 2> /dev/null || :
helpers=()
[ ! -s "$leak" ] || fail "got out: $(cat "$leak")"
[ "$before" = "$(sha256sum < "$stage/stick.img")" ] || fail "the stick has changed"
kuraban sync > /dev/null
expect "the journal" '.ok and .first_bad == null' audit verify
starts=$(kuraban audit show --json | grep -c '"daemon-takeover"') || starts=0
[ "$starts" -ge 4 ] || fail "only $starts takeovers in the journal"
note "$kills kills, $tries tries by the copier, $starts takeovers recorded, nothing got out"
finished
