#!/bin/bash
# mode: monitor under a running kuraband: what enforcing would have refused happens and stands in the journal as that, in every part that
# this stage has (medium, read-only flag, writing, running, store). Then the same enforced, and single rules in monitor alone.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

# would_refuse REASON RULE FILTER: a record of an open that was let through, with the reason that enforcing would have had.
would_refuse() {
    kuraban sync > /dev/null
    kuraban audit show --json | jq -s -e "any(.[]; .event.action == \"file-open\" and .event.reason == \"$1\" and .rule.id == \"$2\"
        and .event.outcome == \"success\" and .kuraban.would_refuse and ($3))" > /dev/null && return 0
    kuraban audit show --json | grep file-open | tail -n 5 >&2
    fail "not recorded as would be refused: $1 by $2, $3"
}
writable() { [ "$(blockdev --getro "$loop")" = 0 ]; }
write_to_stick() { ( as_user sh -c "echo written > '$mount/$1'" ); }
monitoring() { holds '.mode == "monitor" and .gate.self_test.ok' status; }
run_tool() { ( as_user "$mount/tool" ); } # the kernel itself refuses what is mounted without execution

stage_make
mode=monitor write_policy 1 read
daemon_start_until monitoring
mount "$loop" "$mount"
eventually "the stick's mark" 10 guarded
chmod 0777 "$mount"

expect "monitor" '.enforcing == false and .mode == "monitor"' status
expect "doctor says it" 'any(.[]; .check == "policy.mode" and .ok == false)' doctor
# The machine's own protection is not used either.
writable || fail "monitor mode made the medium read-only"
expect "the medium" '.[0] | .verdict == "allow" and .read_only == false' devices
allowed write_to_stick new.txt
grep -q written "$mount/new.txt" || fail "nothing was written"
would_refuse write stick ".file.path == \"$mount/new.txt\" and .user.id == \"$person\""
allowed as_user sh -c "echo more >> '$mount/notice.txt'"
would_refuse write stick ".file.path == \"$mount/notice.txt\""
allowed as_user cp "$store/residents.csv" "$mount/residents.csv"
would_refuse program juki ".file.path == \"$store/residents.csv\""
would_refuse write stick ".file.path == \"$mount/residents.csv\""
allowed run_tool
would_refuse execute stick ".file.path == \"$mount/tool\""
note "written, run and carried out, each recorded with what enforcing would have said"

mode=monitor write_policy 2 refuse
exits 0 kuraban reload
allowed as_user cat "$mount/notice.txt"
expect "a refused medium" '.[0] | .verdict == "allow" and .would_refuse and .rule == "stick" and .reason == "rule"' devices
would_refuse rule stick ".file.path == \"$mount/notice.txt\" and .kuraban.policy.version == 2"
kuraban audit show --json | jq -s -e 'any(.[]; .event.action == "medium-decided" and .kuraban.would_refuse and .event.outcome == "success"
    and .kuraban.policy.version == 2)' > /dev/null || fail "the medium's decision is not recorded as would be refused"
( as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" why ) > "$stage/out" || fail "why: $(cat "$stage/out")"
grep -q "only recorded: monitor mode" "$stage/out" || { cat "$stage/out" >&2; fail "why does not say that it was let pass"; }
# A medium that comes now, with the device: let in as well.
umount "$mount"
mount "$loop" "$mount"
eventually "the stick's mark" 10 guarded
allowed write_to_stick again.txt

# Nothing at all was refused: the journal has no refusal, the gate has counted none.
kuraban sync > /dev/null
kuraban audit show --json | jq -s -e 'all(.[]; .event.type | index("denied") | not)' > /dev/null || fail "something was refused in monitor mode"
# The canary of the self-test is the only open that is.
expect "counted" '.gate.refused <= 4 and .gate.would_refuse >= 6' status
mountpoint -q "$mount" || fail "a medium was detached in monitor mode"

# --- the same, enforced ---

write_policy 3 read
exits 0 kuraban reload
eventually "enforcing" 10 enforcing
refused write_to_stick no.txt
refused as_user cat "$store/residents.csv"
refused run_from_stick
writable && fail "enforcing left the medium writable"

# --- one rule alone in monitor ---

stick_further=', monitor: true'
write_policy 4 read "    monitor: true"
exits 0 kuraban reload
umount "$mount"
mount "$loop" "$mount" 2> /dev/null || mount -o ro "$loop" "$mount"
eventually "the stick's mark" 10 guarded
eventually "enforcing all the same" 10 enforcing
allowed run_tool
would_refuse execute stick '.kuraban.policy.version == 4'
allowed as_user cat "$store/residents.csv"
would_refuse program juki '.kuraban.policy.version == 4'
refused write_to_stick no.txt # no rule's to permit
stick_further=', monitor: true'
write_policy 5 refuse
exits 0 kuraban reload
allowed as_user cat "$mount/notice.txt"
would_refuse rule stick '.kuraban.policy.version == 5'
refused as_user cat "$store/residents.csv" # the store's rule is in force again
note "a rule alone in monitor lifts its own refusals and no other's"

# And the whole policy again: the flag goes, a new mount is writable.
stick_further=''
mode=monitor write_policy 6 read
exits 0 kuraban reload
eventually "the flag is taken back" 10 writable
umount "$mount"
mount "$loop" "$mount"
eventually "the stick's mark" 10 guarded
allowed write_to_stick back.txt
expect "the journal" '.ok' audit verify
finished
