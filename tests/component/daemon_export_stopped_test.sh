#!/bin/bash
# The person's program is stopped (Ctrl-Z, SIGSTOP) while its files are packed, written or checked: the export goes on by itself, and others are not
# kept waiting.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"
. "${0%/*}/daemon/writing.sh"

take_out() { as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" export --to "$loop" --reason stopped "$@"; }
stopped_at() { # PHASE
    STOP_AT=$1 "${0%/*}/daemon/exporting.py" "$stage/run" "$loop" --pass "$stage/outside/f.bin" > "$stage/typed" 2>&1 < /dev/null &
    client_pid=$!
    helpers+=("$client_pid")
    eventually "the client stops in phase $1" 60 is_stopped "$client_pid"
}
ended_well() { journal | jq -r 'select(.event.action == "export-finished") | .user.id' | wc -l; }
has_ended() { [ "$(ended_well)" = "$1" ]; }

stage_make
large_stick
head -c 24M /dev/urandom > "$stage/outside/f.bin"
echo "take me" > "$stage/outside/a.txt"
write_policy 1 export '' "$(printf 'export:\n  - {id: out, to: [stick], factors: none, approvals: 0, from: [elsewhere], container: zip-aes256}\n')"
daemon_start
n=0
for phase in 1 2 3; do
    plug
    stopped_at "$phase"
    begin=$(now_ms)
    eventually "the end of the export whose client is stopped in phase $phase" 60 has_ended $((n + 1))
    note "phase $phase: $(($(now_ms) - begin)) ms"
    eventually "the worker's end" 20 no_worker
    is_stopped "$client_pid" || fail "the client went on"
    plug
    exits 0 take_out "$stage/outside/a.txt"
    n=$((n + 2))
    kill -CONT "$client_pid"
    wait "$client_pid" || fail "the client is not told that it is finished: $(cat "$stage/typed")"
done
expect "the journal" '.ok' audit verify
finished
