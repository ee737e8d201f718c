#!/bin/bash
# export.db cannot be read after kuraband was killed in the middle of an export: nobody knows then which stick is still written to. None is shown before
# nobody has it; the journal and doctor say so, and nothing is taken out until root has moved the file away.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"
. "${0%/*}/daemon/writing.sh"

take_out() { as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" export --to "$loop" --reason damaged "$@"; }
alarms() { journal | jq -r 'select(.event.action == "export-failed" and .event.kind == "alert") | .event.reason'; }
ledger_is() { holds "any(.[]; .check == \"export.ledger\" and .ok == $1)" doctor; }

stage_make
large_stick
head -c 150M /dev/urandom > "$stage/outside/f.bin"
echo "take me" > "$stage/outside/a.txt"
write_policy 1 export '' "$(printf 'export:\n  - {id: out, to: [stick], factors: none, approvals: 0, from: [elsewhere], container: plain}\n')"
daemon_start
ledger_is true || fail "doctor does not know export.db"
stop_while_it_writes "$stage/outside/f.bin"
daemon_kill KILL
rm -f "$stage/state/export.db-journal"
head -c 65536 /dev/urandom > "$stage/state/export.db"

changed=$(stat -c %.9Y "$stage/run/media")
for nth in second third; do
    daemon_start
    expect "the $nth has the stick" 'length == 1' devices
    ledger_is false || fail "the $nth: doctor does not say that export.db is damaged"
    exits 5 take_out "$stage/outside/a.txt"
    [ "$nth" = third ] || [ "$(alarms)" = ledger ] || fail "no alarm: $(alarms)"
    [ "$nth" = third ] || daemon_kill KILL
    [ "$changed" = "$(stat -c %.9Y "$stage/run/media")" ] || fail "the $nth kuraband showed a stick that is written to"
done
is_held || fail "the worker did not hold it until here"
continue_workers
wait "$client_pid" || :
eventually "the stick is shown again" 20 is_shown
eventually "read-only" 5 read_only

# Nothing is taken out before somebody has looked.
plug
exits 5 take_out "$stage/outside/a.txt"
mv "$stage/state/export.db" "$stage/state/export.db.damaged"
exits 0 take_out "$stage/outside/a.txt"
ledger_is true || fail "doctor does not see that it is good again"

# With nobody at the stick it is shown as soon as kuraband is there.
daemon_kill KILL
head -c 65536 /dev/urandom > "$stage/state/export.db"
daemon_start
eventually "the stick is shown" 5 is_shown
ledger_is false || fail "doctor does not say that export.db is damaged"
expect "the journal" '.ok' audit verify
finished
