#!/bin/bash
# A medium that is mounted follows a new policy: its rule under another name, with execution, without.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

stage_make
daemon_start
plug
allowed as_user cat "$mount/notice.txt"
refused run_from_stick

write_policy 2 read
sed -i 's/id: stick/id: renamed/' "$stage/policy.yaml"
exits 0 kuraban reload
allowed as_user cat "$mount/notice.txt"
expect "the new rule" '.[0].rule == "renamed" and .[0].guarded' devices
note "a rule under another name is followed"

stick_further=', exec: allow'
write_policy 3 read
exits 0 kuraban reload
umount "$mount" # a mount that lost execution does not get it back
plug
allowed run_from_stick
stick_further=''
write_policy 4 read
exits 0 kuraban reload
refused run_from_stick
note "execution follows the rule"

expect "sync" '.sequence > 0' sync
kuraban audit show --json > "$stage/records"
# What is decided anew stands behind the policy that decided it.
jq -s -e '(map(.event.action == "policy-loaded" and .kuraban.policy.version == 2) | index(true)) as $loaded
    | (map(.event.action == "medium-decided" and .rule.id == "renamed") | index(true)) as $decided
    | $loaded != null and $decided != null and $loaded < $decided' "$stage/records" > /dev/null || fail "order of the records"
finished
