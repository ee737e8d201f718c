#!/bin/bash
# A medium that must be unlocked: refused with its reason, open by a code for one person and a while, gone again by --end, time, policy,
# TERM and kill -9, while it is mounted; approvals; codes that were used, are wrong or of others; who may know and end what.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

# as PERSON words…: kuraban of that person, without a terminal.
as() {
    local name=$1
    shift
    person=$(id -u "$name") as_user env LC_ALL=C.UTF-8 LANGUAGE="${language-}" "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" "$@"
}

# typing CODE… -- PERSON words…: the same on a terminal, where the codes are typed; login: who logged in there.
typing() {
    local -a codes=() logged_in=()
    local name
    [ -z "${login-}" ] || logged_in=(sh -c 'echo "$0" > /proc/self/loginuid && exec "$@"' "$(id -u "$login")")
    while [ "$1" != -- ]; do
        codes+=("$1")
        shift
    done
    name=$2
    shift 2
    factor type "${codes[@]}" -- "${logged_in[@]}" setpriv --reuid "$(id -u "$name")" --regid "$(id -u "$name")" --clear-groups --bounding-set=-all \
        --no-new-privs -- env LC_ALL=C.UTF-8 LANGUAGE="${language-}" "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" "$@"
}

said() { grep -q -- "$1" "$stage/out" || { cat "$stage/out"; fail "not said: $1"; }; }

# Medium and mount, as one looks at them.
locked() { holds '.[0] | .verdict == "deny" and .reason == "locked" and .grant == null' devices; }
open_for() { holds ".[0] | .verdict == \"allow\" and .grant.uid == $1" devices; }
unplugged() { ! mountpoint -q "$mount"; }
grant_ended() { # WHY how often
    kuraban sync > /dev/null
    [ "$(kuraban audit show --json | jq -s "map(select(.event.action == \"grant-ended\" and .kuraban.grant.ended == \"$1\")) | length")" = "$2" ]
}

# unlocks [words…]: nobody with a code that opens; of a new authenticator, which has one at once.
unlocks() {
    enrol nobody
    exits 0 typing "$(code nobody)" -- nobody unlock --reason "district 3" "$@"
    said 'Unlocked until [0-2][0-9]:[0-5][0-9] .*\[rule stick\]'
}

policy() { # VERSION UNLOCK [FURTHER]
    stick_further=", unlock: $2${3-}" write_policy "$1" read '' 'mfa: {throttle: {failures: 50, delay: none}}'
}

for name in nobody daemon bin; do
    id -u "$name" > /dev/null || skip "no user $name"
done
stage_make
log_in nobody
policy 1 '{factors: [totp], for: 15m}'
daemon_start
enrol nobody
enrol daemon

# Locked, and said so.
expect "locked" '.[0] | .verdict == "deny" and .reason == "locked" and .rule == "stick" and .grant == null' devices
mount -o ro "$loop" "$mount"
eventually "what is locked is detached" 10 unplugged
( as nobody devices ) > "$stage/out"
said ' locked '
( as nobody why ) > "$stage/out"
said 'must be unlocked with a code'
note "locked, with its reason"

# What cannot be, and is said before a code is asked for.
exits 2 as nobody unlock
said 'reason is needed'
exits 2 as nobody unlock --reason "$(printf 'x%.0s' {1..201})"
exits 2 as nobody unlock --reason x --for 9h
exits 2 as nobody unlock --reason x --approver nobody
exits 1 as nobody unlock sdz9 --reason x
said 'no device or medium called'
exits 2 as nobody unlock --reason x
said 'no terminal to ask on'
exits 1 as nobody unlock --end
said 'nothing is unlocked'
( as nobody unlock --status ) > "$stage/out"
said 'Nothing is unlocked'

# Codes that do not open.
exits 1 typing 000000 -- nobody unlock "$loop" --reason x
said 'The code is wrong'
exits 1 typing 12345678 -- bin unlock --reason x
said 'has no second factor'
others=$(code daemon)
exits 1 typing "$others" -- nobody unlock --reason x
said 'The code is wrong'
locked || fail "open by the code of somebody else"
kuraban sync > /dev/null
[ "$(kuraban audit show --json | jq -s 'map(select(.event.action == "grant-refused" and .rule.id == "stick")) | length')" = 3 ] || fail "3 refusals in the journal"
note "wrong codes and those of others do not open"

# The right one: for this person alone.
used=$(code nobody)
exits 0 typing "$used" -- nobody unlock "$loop" --reason "課税課 3 地区" --for 10m
said 'Unlocked until'
said '(10 minutes)'
expect "open" '.[0] | .verdict == "allow" and .granted == "read" and .grant.uid == 65534 and .grant.seconds > 590 and .read_only' devices
plug
allowed as_user cat "$mount/notice.txt"
refused cat "$mount/notice.txt"
person=1 refused as_user cat "$mount/notice.txt"
( as daemon why ) > "$stage/out"
said 'must be unlocked with a code'
refused as_user sh -c "echo x > $mount/leak"
( as bin devices ) > "$stage/out"
said 'unlocked until [0-2][0-9]:[0-5][0-9] by nobody'
note "open for the person who unlocked it, nobody else"

# Who may know, and end, what.
( as nobody unlock --status --json ) | jq -e '.[0].reason == "課税課 3 地区" and .[0].rule == "stick"' > /dev/null || fail "own status"
( as bin unlock --status --json ) | jq -e '.[0] | .uid == 65534 and (has("reason") or has("approvers") | not)' > /dev/null || fail "status of others"
exits 1 as bin unlock --end "$loop"
said 'nothing is unlocked that you could lock again'
exits 1 typing "$(code daemon)" -- daemon unlock "$loop" --reason x
said 'somebody else has unlocked it'
open_for 65534 || fail "taken away by somebody else"

# --end: gone at once, though mounted and held open.
exec 9< "$mount"
exits 0 as nobody unlock --end
said 'Locked again'
locked || fail "not locked after --end"
eventually "detached" 5 unplugged
refused as_user cat /proc/self/fd/9/notice.txt
exec 9<&-
grant_ended given-back 1 || fail "the end is not in the journal"
exits 1 typing "$used" -- nobody unlock --reason "again"
said 'used before'
locked || fail "open by a code that was used"
note "--end while mounted; the same code again is refused"

# Time.
unlocks --for 8s
plug
exec 9< "$mount"
eventually "locked when the time is over" 15 locked
eventually "detached" 5 unplugged
refused as_user cat /proc/self/fd/9/notice.txt
exec 9<&-
grant_ended expired 1 || fail "the expiry is not in the journal"
( as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" devices --watch --json > "$stage/watched" 2> /dev/null ) &
helpers+=($!)
unlocks --for 4s
( as nobody unlock --status --watch ) > "$stage/out"
said 'ends soon'
tail -n 1 "$stage/out" | grep -q 'Nothing is unlocked' || { cat "$stage/out"; fail "the countdown has no end"; }
watched() { [ "$(jq -r '.[0] | "\(.verdict) \(.grant.ends_soon)"' "$stage/watched" | uniq | tr '\n' ,)" = "deny null,allow true,deny null," ]; }
eventually "who watches sees it open and end" 5 watched
note "over by time, with a countdown"

# A second code begins anew; more than the rule gives is cut to that.
unlocks
unlocks --for 8h
expect "cut" '.[0].grant.seconds <= 900 and .[0].grant.seconds > 800' devices
grant_ended renewed 1 || fail "renewed"
plug

# The policy: shorter, then by another rule, then without unlock.
exec 9< "$mount"
policy 2 '{factors: [totp], for: 10m}'
exits 0 kuraban reload
expect "shorter" '.[0].grant.seconds <= 600' devices
allowed as_user cat "$mount/notice.txt"
policy 3 '{factors: [totp], approvals: 1, for: 10m}'
exits 0 kuraban reload
locked || fail "open though the policy wants an approval now"
eventually "detached" 5 unplugged
refused as_user cat /proc/self/fd/9/notice.txt
exec 9<&-
grant_ended policy 1 || fail "the end by policy is not in the journal"
note "ended by a new policy"

# Approval by a second person.
enrol nobody
enrol daemon
exits 1 as nobody unlock --reason x
said 'needs the approval of 1 colleague'
mine=$(code nobody)
exits 1 typing "$mine" 000000 -- nobody unlock --reason x --approver daemon
said 'the code of daemon was not accepted'
locked || fail "open without the approval"
exits 1 typing "$mine" "$(code daemon)" -- nobody unlock --reason x --approver daemon
said 'used before'
theirs=$(code daemon)
exits 0 typing "$(code nobody)" "$theirs" -- nobody unlock --reason "two people" --approver daemon
said "nobody unlocks $loop.* for 10 minutes"
said 'Reason: two people'
open_for 65534 || fail "not open with the approval"
expect "root sees who approved" '.[0].approvers == [1]' unlock --status
kuraban sync > /dev/null
kuraban audit show --json | jq -s -e 'map(select(.event.action == "grant-given")) | last |
    .user.id == "65534" and .kuraban.grant.approvers == [1] and .kuraban.grant.reason == "two people" and .rule.id == "stick" and .device.id != null' \
    > /dev/null || fail "the record of the grant"
exits 0 kuraban unlock --end
grant_ended given-back 2 || fail "ended by root"
exits 1 typing "$(code nobody)" "$theirs" -- nobody unlock --reason x --approver daemon
said 'used before'
locked || fail "open by an approval that was used"
login=daemon exits 4 typing 111111 222222 -- nobody unlock --reason x --approver daemon
said 'logged in here cannot approve'
said 'not asked for: 2 codes'
locked || fail "open by the approval of who is logged in"
note "approved by a second person, who is not the one that is logged in"

# People.
policy 4 '{factors: [totp], for: 15m}' ', who: {users: [root]}'
exits 0 kuraban reload
exits 1 as nobody unlock --reason x
said 'unlocking does not help'

# Who approves: whom the rule names for it, and nobody beyond; said before a code of theirs is looked at.
policy 5 '{factors: [totp], approvals: 1, approvers: {users: [bin]}, for: 10m}'
exits 0 kuraban reload
enrol nobody
enrol daemon
enrol bin
exits 4 as nobody unlock --reason x --approver daemon
said 'who may not approve this'
locked || fail "open by the approval of somebody whom the rule does not name"
exits 0 typing "$(code nobody)" "$(code bin)" -- nobody unlock --reason x --approver bin
open_for 65534 || fail "not open with the right approval"
policy 6 '{factors: [totp], approvals: 1, approvers: {users: [root]}, for: 10m}'
exits 0 kuraban reload
locked || fail "open though who approved may not approve any more"
policy 7 '{factors: [totp], for: 15m}'
exits 0 kuraban reload
exits 4 as nobody unlock --reason x --approver daemon
said 'than are asked'
note "who approves"

# Wrong codes in a colleague's name: a few tries, never the colleague's login.
policy 8 '{factors: [totp], approvals: 1, for: 10m}'
exits 0 kuraban reload
enrol daemon
for _ in 1 2 3 4; do
    enrol nobody
    exits 1 typing "$(code nobody)" 000000 -- nobody unlock --reason x --approver daemon
done
said 'locked'
holds 'any(.[]; .name == "daemon" and .failures == 3 and .state == "needed")' mfa list || fail "failures in somebody else's name: $(kuraban mfa list)"
exits 1 typing "$(code nobody)" "$(code daemon)" -- nobody unlock --reason x --approver daemon
locked || fail "open by an approval that was guessed at"
kuraban sync > /dev/null
kuraban audit show --json | jq -s -e 'any(.[]; .event.action == "mfa-refused" and .event.kind == "alert" and .user.id == "1" and (.message | test("sent by user 65534")))' \
    > /dev/null || fail "guessing in somebody else's name is no alarm"
factor check daemon "$stage" "$stage/run" || fail "their own code is not taken"
exits 0 typing "$(code nobody)" "$(code daemon)" -- nobody unlock --reason x --approver daemon
note "nobody locks a colleague"

# Who was enrolled has left, and somebody else has the number: that authenticator approves nothing.
exits 0 kuraban unlock --end
daemon_kill TERM
/usr/bin/python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute("UPDATE credential SET name = ? WHERE uid = 1", ("who-left",)); c.commit()' \
    "$stage/state/mfa.db"
daemon_start
exits 1 typing "$(code nobody)" "$(code daemon)" -- nobody unlock --reason x --approver daemon
said 'no second factor'
locked || fail "open by the approval of somebody who has left"
enrol daemon
exits 0 typing "$(code nobody)" "$(code daemon)" -- nobody unlock --reason x --approver daemon
note "who has left approves nothing"

# TERM and kill -9: nothing is unlocked any more.
policy 9 '{factors: [totp], for: 15m}'
exits 0 kuraban reload
unlocks
plug
daemon_kill TERM
eventually "detached at the end" 5 unplugged
daemon_start
grant_ended stopped 1 || fail "the end of kuraband is not in the journal"
locked || fail "open after a restart"
unlocks
plug
daemon_kill KILL
daemon_start
locked || fail "open after kill -9"
eventually "detached after kill -9" 10 unplugged
expect "no grant" '. == []' unlock --status
note "TERM and kill -9 end it"

# The unlock is lifted: open for everybody.
unlocks
write_policy 10 read
exits 0 kuraban reload
expect "no grant" '. == []' unlock --status
plug
allowed as_user cat "$mount/notice.txt"
allowed cat "$mount/notice.txt"

no_code_is_written grant-given "$used" "$mine" "$theirs" "$others"
exits 0 kuraban audit verify
finished
