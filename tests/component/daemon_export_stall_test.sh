#!/bin/bash
# A person's file on a filesystem that never answers (FUSE, allow_other): it must not keep everybody else from exporting, nor the stick.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

take_out() { as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" export --to "$loop" --reason stall "$@"; }
hanging_in_the_kernel() { # HOW-MANY: they wait where no signal reaches them
    local pid n=0
    for pid in $(workers); do
        if grep -q '^State:[[:space:]]*D' "/proc/$pid/status" 2> /dev/null; then n=$((n + 1)); fi
    done
    [ "$n" -ge "$1" ]
}
ends() { # of all exports so far: their reasons, "finished" for the good ones
    kuraban sync > /dev/null
    kuraban audit show --json | jq -r 'if .event.action == "export-finished" then "finished" elif .event.action == "export-failed" then .event.reason else empty end' | paste -sd ' '
}
has_ended() { [ "$(ends)" = "$1" ]; }
same() { # what expected got
    [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}
hang() { # READABLE [SECONDS]
    python3 "${0%/*}/daemon/hang.py" "$stage/slow" 8388608 "$@" > "$stage/hang.out" 2>&1 &
    helpers+=($!)
    hanging=$!
    eventually "the filesystem that never answers" 10 grep -q '^mounted\|^SKIP' "$stage/hang.out"
    ! grep '^SKIP' "$stage/hang.out" || exit 77
}
let_it_end() {
    kill "$hanging"
    eventually "the end of who was left behind" 20 no_worker
}

stage_make
mkdir "$stage/slow"
echo "here" > "$stage/outside/a.txt"
write_policy 1 export '' "$(printf 'export:\n  - {id: out, to: [stick], factors: none, approvals: 0, from: [elsewhere], container: plain}\n')"
daemon_start
plug
hang 131072

# Read up to where it stops answering.
begin=$(now_ms)
exits 5 take_out "$stage/outside/a.txt" "$stage/slow/file"
grep -q 'does not answer' "$stage/out" || { cat "$stage/out"; fail "not told why"; }
note "$(($(now_ms) - begin)) ms until it was given up"
hanging_in_the_kernel 1 || fail "nobody hangs: this tests nothing"
same "the journal" stalled "$(ends)"
# The slot and the stick are free, while who hangs hangs on.
exits 0 take_out "$stage/outside/a.txt"
hanging_in_the_kernel 1 || fail "who hung was let go: this tests nothing"
same "the journal" "stalled finished" "$(ends)"
same "what is left of staging" "" "$(ls -A "$stage/state/export")"

# The worker itself is killed while its child hangs: kuraband sees that without the child's help.
take_out "$stage/slow/file" > "$stage/out" 2>&1 < /dev/null &
helpers+=($!)
eventually "the second one hangs" 20 hanging_in_the_kernel 2
# shellcheck disable=SC2046 # several processes
kill -KILL $(workers)
eventually "the end in the journal" 10 has_ended "stalled finished killed"
exits 0 take_out "$stage/outside/a.txt"

# The third is given up by who asked for it. Then that is enough for one person, and others go on.
take_out "$stage/slow/file" > "$stage/out" 2>&1 < /dev/null &
helpers+=($!)
eventually "the third one hangs" 20 hanging_in_the_kernel 3
kill -TERM "${helpers[-1]}"
eventually "the end in the journal" 10 has_ended "stalled finished killed finished cancelled"
exits 5 take_out "$stage/outside/a.txt"
grep -q 'still do not answer' "$stage/out" || { cat "$stage/out"; fail "not told why"; }
person=65533
exits 0 take_out "$stage/outside/a.txt"
person=65534
same "the journal" "stalled finished killed finished cancelled finished" "$(ends)"
let_it_end
exits 0 take_out "$stage/outside/a.txt"
same "the journal" "stalled finished killed finished cancelled finished finished" "$(ends)"

# One that always answers in time, and never with much. It takes a minute.
if [ -n "${KURABAN_EXPORT_TRICKLE-}" ]; then
    hang 131072 5
    begin=$(now_ms)
    exits 5 take_out "$stage/slow/file"
    grep -q 'does not answer' "$stage/out" || { cat "$stage/out"; fail "not told why"; }
    took=$(($(now_ms) - begin))
    [ "$took" -lt 80000 ] || fail "$took ms until it was given up"
    note "$took ms until one that trickles was given up"
    let_it_end
fi
expect "the journal" '.ok' audit verify
finished
