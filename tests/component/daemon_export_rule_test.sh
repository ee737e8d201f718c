#!/bin/bash
# A file's own rule is asked until the export gets its name: one that ends while a slow stick is written to ends the export. And who asks for what no rule
# lets out, again and again, fills no journal.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"
. "${0%/*}/daemon/writing.sh"

take_out() { as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" export --to "$loop" --reason rule "$@"; }
last() { journal | jq -c "select(.event.action == \"$1\") | $2" | tail -n 1; }
same() { # what expected got
    [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}
ended_for() { [ "$(last export-failed '[.event.reason, .kuraban.export.on_medium]')" = "[\"$1\",\"bytes\"]" ]; }
files() { journal | jq 'select(.event.action == "export-file" and .event.reason == "source")' | jq -s "$1"; }

stage_make
large_stick
head -c 150M /dev/urandom > "$stage/outside/f.bin"
echo "take me" > "$stage/outside/a.txt"

# The rule ends while the stick takes its time; nothing but the clock changes.
write_policy 1 export '' "$(printf 'export:\n  - {id: out, to: [stick], factors: none, approvals: 0, from: [elsewhere], container: plain, until: "%s"}\n' "$(date -d '+25 seconds' +%Y-%m-%dT%H:%M:%S%:z)")"
daemon_start
stop_while_it_writes "$stage/outside/f.bin"
eventually "the end of the export with its rule" 60 ended_for expired
same "the file's record" '["f.bin","deny","expired","out"]' "$(last export-file '[.file.path, .kuraban.verdict, .event.reason, .rule.id]')"
continue_workers
wait "$client_pid" && fail "exported under a rule that has ended"
grep -q 'not permitted any more' "$stage/typed" || { cat "$stage/typed" >&2; fail "the person is not told"; }
eventually "the worker's end" 60 no_worker
note "the rule ended"

# A thousand names of one file that no rule means, as often as kuraband lets somebody.
write_policy 2 export '' "$(printf 'export:\n  - {id: out, to: [stick], factors: none, approvals: 0, from: [juki], container: plain}\n')"
exits 0 kuraban reload
plug
mkdir "$stage/outside/many"
for i in {1..400}; do ln "$stage/outside/a.txt" "$stage/outside/many/$i"; done
for _ in 1 2 3; do
    exits 4 take_out "$stage/outside/many"/*
    grep -c 'many/' "$stage/out" > "$stage/told"
    same "told of each" 400 "$(cat "$stage/told")"
    eventually "the worker's end" 60 no_worker
done
all() { [ "$(files 'map(.kuraban.count // 1) | add')" = 1200 ]; }
eventually "every refusal is recorded or counted" 30 all
[ "$(files length)" -lt 950 ] || fail "each of 1200 refusals has a record of its own"
same "what is counted together is no person's text" '[true,"source",null]' "$(files 'map(select((.kuraban.count // 1) > 1)) | [(length > 0), .[0].event.reason, .[0].file.path]' | jq -c .)"
for i in {4..20}; do
    exits 4 take_out "$stage/outside/a.txt"
    eventually "the worker's end" 60 no_worker
done
begun=$(journal | grep -c export-started)
exits 5 take_out "$stage/outside/a.txt"
grep -q 'wait a minute' "$stage/out" || { cat "$stage/out" >&2; fail "not told to wait"; }
same "exports that began" "$begun" "$(journal | grep -c export-started)"
expect "the journal" '.ok' audit verify
finished
