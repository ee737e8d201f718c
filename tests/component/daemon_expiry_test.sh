#!/bin/bash
# What ends while kuraband runs: a policy, a head, a root. It is still enforced; status, doctor and the journal say so, the journal once.
# Runs beside others.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

command -v openssl > /dev/null || skip "openssl is missing"
sign() { /usr/bin/python3 "${BASH_SOURCE[0]%/*}/daemon/sign.py" "$keys" "$@"; }
says() { grep -qF -- "$1" "$stage/out" || { cat "$stage/out" >&2; fail "not said: $1"; }; }
at() { date -u -d "@$(($(date +%s) + $1))" +%Y-%m-%dT%H:%M:%SZ; } # SECONDS from now
alarms() { # the alarms about ends, as "message" lines
    kuraban sync > /dev/null
    kuraban audit show --json | jq -r 'select(.event.action == "policy-expired" and .event.kind == "alert") | .message'
}
told() { [ "$(alarms | grep -c "^the $1 has expired")" -ge "$2" ]; }
told_exactly() { [ "$(alarms | grep -c "^the $1 has expired")" = "$2" ] || { alarms >&2; fail "$1: not told $2 times: $3"; }; }
still_enforced() {
    expect "$1" '.enforcing' status
    refused as_user cat "$store/residents.csv"
    allowed as_user cat "$mount/notice.txt"
    refused run_from_stick
}
warned() { holds "any(.[]; .check == \"$1\" and .ok == false and .severity == \"warning\")" doctor; }
ticks() { [ $SECONDS -ge "$1" ]; } # kuraband looks every two seconds

stage_make
keys=$stage/keys
mkdir -m 0700 "$keys"
sign key tanaka suzuki sato hub

# --- an unsigned policy ---

write_policy 1 read "" "valid: {from: $(at -60), until: $(at 14)}"
daemon_start
plug
expect "soon" '.policy.expired == false and .policy.expires_soon and .policy.valid_until != null' status
warned policy.expires-soon || fail "doctor does not say that it ends soon"
eventually "it is over" 30 holds '.policy.expired and (.policy.expires_soon | not)' status
eventually "the alarm" 10 told policy 1
still_enforced "expired"
eventually "doctor says it" 5 warned policy.expired
exits 0 kuraban status
grep -qi expired "$stage/out" || { cat "$stage/out" >&2; fail "status does not say it to people"; }
wait_until 12 ticks $((SECONDS + 7)) || :
exits 0 kuraban reload
told_exactly policy 1 "after three ticks and the same file again"
daemon_kill TERM
daemon_start
plug
still_enforced "expired, after a start"
told_exactly policy 2 "once for each start"
note "an expired policy is enforced, and told once for each start"

# --- signed: policy, head and root all end ---

daemon_kill TERM
write_config << YAML
keeper: on
terminal: {id: kazei-07, groups: [kazei]}
YAML
daemon_start
plug
# As late as can be: from here on the clock runs.
sign root "$keys/root" "{\"expires\": moment(40)}" tanaka suzuki
write_policy 2 read "" "valid: {until: $(at 30)}"
mv "$stage/policy.yaml" "$keys/2.yaml"
sign policy "$keys/2" 2.yaml tanaka suzuki
sign head "$keys/head" kazei 1 2.yaml -60 25 hub
sign bundle "$keys/2.bundle" policy=2 head=head
exits 0 kuraban policy root install --yes "$keys/root"
exits 0 kuraban policy apply "$keys/2.bundle"
expect "soon" '.policy.expires_soon and .trust.root.expires_soon and (.policy.expired or .trust.root.expired or .trust.head.expired | not)' status
eventually "the head is over" 60 holds '.trust.head.expired' status
eventually "the policy is over" 60 holds '.policy.expired' status
eventually "the root is over" 60 holds '.trust.root.expired' status
for end in policy head root; do
    eventually "the alarm of the $end" 10 told "$([ $end = root ] && echo 'root document' || echo "$end")" 1
    warned "$end.expired" || fail "doctor does not say that the $end is over"
done
told_exactly policy 4 "the unsigned one once more at the third start, the signed one is another"
still_enforced "all is over"
daemon_kill KILL
daemon_start
plug
still_enforced "all is over, after a kill"
expect "it rules" '.policy.source == "signed" and .policy.version == 2 and .policy.expired and .trust.root.expired and .trust.head.expired' status
told_exactly head 2 "once for each start"
told_exactly "root document" 2 "once for each start"
note "head, policy and root: over, enforced, told once each"

# Nothing new under an expired root, however well it is signed; a newer root that the old keys signed brings it all to life.
write_policy 3 refuse
mv "$stage/policy.yaml" "$keys/3.yaml"
sign policy "$keys/3" 3.yaml tanaka suzuki
exits 1 kuraban policy apply "$keys/3"
says "the root document has expired"
expect "version 2 rules on" '.policy.version == 2' status
sign root "$keys/root.2" '{"version": 2}' tanaka suzuki
sign head "$keys/head.2" kazei 2 3.yaml -60 864000 hub
sign bundle "$keys/3.bundle" root=root.2 policy=3 head=head.2
exits 0 kuraban policy apply "$keys/3.bundle"
expect "alive" '.policy.version == 3 and .trust.root.version == 2 and .trust.head.version == 2
    and (.policy.expired or .trust.root.expired or .trust.head.expired or .policy.expires_soon or .trust.root.expires_soon | not)' status
warned policy.expired && fail "doctor still says that the policy is over"
expect "the journal" '.ok' audit verify
finished
