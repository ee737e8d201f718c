#!/bin/bash
# What scripts and checks rely on: JSON keys, exit codes, who may ask what. A real kuraband with a stick and a store.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

stage_make
daemon_start
plug

expect "status" '(.enforcing == true) and (.mode == "enforce") and (.policy.name == "stage") and (.policy.version == 1)
    and (.policy.source == "file") and (.gate.marks >= 2) and (.gate.decisions | type == "number")
    and (.gate.self_test.ok == true) and (.journal.sequence > 0) and (.journal.state == "normal")
    and (.usb.state == "off") and (.media.exits == 1) and (.emergency == null)' status
expect "devices" 'length == 1 and (.[0] | .kind == "medium" and .bus == "loop" and .verdict == "allow" and .granted == "read"
    and .rule == "stick" and .read_only and .guarded and has("id") and has("vendor") and has("product") and has("serial"))' devices
[ "$(value '.[0].mounts[0]' devices)" = "$mount" ] || fail "devices does not tell the mount"

# Decisions are counted, and a refusal is told.
before=$(value .gate.refused status)
allowed as_user cat "$mount/notice.txt"
refused as_user cat "$store/residents.csv"
refused cat "$store/residents.csv"
allowed as_user "$client" "$store/residents.csv"
[ "$(value .gate.refused status)" = $((before + 2)) ] || fail "two refusals are not counted as two"
expect "sync" '.sequence > 0' sync
expect "the journal" '.ok == true and .records > 0 and .first_bad == null' audit verify
kuraban audit show --json > "$stage/records"
jq -s -e 'any(.[] | flatten[]?; tostring | contains("residents.csv"))' "$stage/records" > /dev/null || fail "the refusal is not in the journal"

# Anybody may ask for themselves; the rest is root's.
chmod -R a+rX "$stage/run" # the test's own umask says nothing
for verb in status devices "why"; do
    # shellcheck disable=SC2086 # words
    exits 0 as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" $verb --json
done
exits 0 as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" why --json
jq -e 'length == 1 and (.[0] | .reason == "program" and .rule == "juki" and .store == "juki"
    and (.path | endswith("/residents.csv")) and .write == false and .would_refuse == false)' "$stage/out" > /dev/null ||
    { cat "$stage/out"; fail "why does not tell the person's own refusal, or tells root's"; }
for verb in reload sync rescan "policy show" "purge --yes" "emergency --seconds 60 --reason test"; do
    # shellcheck disable=SC2086
    exits 4 as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" $verb
done
# doctor looks at files itself; what only the daemon knows it is not told, and it says what it could not look at: 6, not 0.
chmod 644 "$stage/policy.yaml"
exits 6 as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" doctor --json
grep -q gate.self-test "$stage/out" && fail "an ordinary person is told the gate's checks"
skipped='([.[] | select(.severity == "skipped") | .check] | sort)'
jq -e "$skipped == [\"daemon.checks\", \"kernel.fanotify\"]
    and any(.[]; .check == \"policy.valid\" and .ok)" "$stage/out" > /dev/null || { cat "$stage/out"; fail "what was not checked"; }
chmod 600 "$stage/policy.yaml"
exits 6 as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" doctor
[ "$(grep -c '^not checked ' "$stage/out")" = 5 ] || { cat "$stage/out"; fail "five checks could not be made"; }
exits 6 as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" doctor --json
jq -e "$skipped == [\"daemon.checks\", \"kernel.fanotify\", \"policy.input\", \"policy.system\", \"policy.valid\"]" "$stage/out" > /dev/null ||
    { cat "$stage/out"; fail "what was not checked of a policy that is not everybody's"; }
ended "$daemon_pid" && fail "an ordinary person has ended the daemon"
expect "no emergency" '.emergency == null' status

# Root's.
exits 0 kuraban policy show
grep -q "$store" "$stage/out" || fail "policy show does not show the document"
exits 0 kuraban reload
exits 0 kuraban rescan
kuraban doctor --json > "$stage/out" || [ $? = 1 ] || fail "doctor"
jq -e 'length > 10 and all(.[]; has("check") and has("ok") and has("severity") and has("detail") and has("values"))
    and any(.[]; .check == "gate.self-test" and .ok) and any(.[]; .check == "gate.keeper" and .ok)
    and any(.[]; .check == "overlay") and all(.[]; .severity != "skipped")' "$stage/out" > /dev/null || { cat "$stage/out"; fail "doctor's checks"; }
exits 2 kuraban nonsense
exits 0 kuraban emergency --seconds 60 --reason "test of the way back"
expect "an emergency" '.emergency.seconds_left > 0 and .emergency.boot == false' status
kuraban sync > /dev/null
recorded "test of the way back" || fail "the emergency is not in the journal"

# A name that is not text must not silence the answers.
name=$store/$(printf 'x\xff\xfe"\n')
cp "$store/residents.csv" "$name" 2> /dev/null || "$client" "$store/residents.csv" > "$stage/outside/x"
mv "$stage/outside/x" "$name"
chmod 0666 "$name"
eventually "the odd name's mark" 10 is_refused as_user cat "$name"
eventually "why with an odd name" 10 holds 'any(.[]; .path | contains("\\xff"))' why

# SIGHUP reloads, SIGTERM ends in order and the journal says so. Sent to the process: no thread may take it with the default.
write_policy 2 read
kill -HUP "$daemon_pid"
eventually "the reload by SIGHUP" 10 holds '.policy.version == 2' status
daemon_kill TERM
exits 3 kuraban status
exits 0 kuraban audit verify
recorded daemon-stopped || fail "the stop is not in the journal"
finished
