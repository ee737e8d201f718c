#!/bin/bash
# Policies that come and go under a running daemon: re-decision, refused files, the last good one, none at all, monitor mode, who.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

unplugged() { ! mountpoint -q "$mount"; }
rejected() { kuraban audit show --json | grep -c policy-rejected || :; }

stage_make
daemon_start
plug
allowed as_user cat "$mount/notice.txt"

# allow → refuse: what is mounted is taken away and the file that a program still reaches is refused.
exec 9< "$mount"
write_policy 2 refuse
exits 0 kuraban reload
eventually "the refused medium is detached" 5 unplugged
expect "the medium" '.[0] | .verdict == "deny" and .rule == "stick" and .read_only' devices
refused as_user cat /proc/self/fd/9/notice.txt
exec 9<&-
# Its filesystem is gone now and the mark with it: no alarm, the guard is as whole as before.
kuraban sync > /dev/null
ticks() { [ $SECONDS -ge "$1" ]; }
wait_until 10 ticks $((SECONDS + 5)) || :
expect "whole without the mark of what is gone" '.enforcing' status
recorded gate-lost-mark && fail "a false alarm about a mark"
# → allow again.
write_policy 3 read
exits 0 kuraban reload
plug
allowed as_user cat "$mount/notice.txt"

# Broken, foreign, missing files: told with place and cause, nothing changes, the journal knows.
kuraban sync > /dev/null
count=$(rejected)
printf 'format: kuraban-policy/1\nnonsense: 1\n' > "$stage/policy.yaml"
exits 5 kuraban reload
grep -q '2:1: unknown key' "$stage/out" || { cat "$stage/out"; fail "no place of the mistake"; }
expect "what rules" '.policy.version == 3 and .policy.source == "last-good" and .enforcing' status
write_policy 4 refuse
chmod 0664 "$stage/policy.yaml"
exits 5 kuraban reload
grep -q 'writable by root alone' "$stage/out" || { cat "$stage/out"; fail "no cause"; }
chown "$person" "$stage/policy.yaml"
chmod 0644 "$stage/policy.yaml"
exits 5 kuraban reload
rm "$stage/policy.yaml"
ln -s "$stage/kuraban.yaml" "$stage/policy.yaml"
exits 5 kuraban reload
rm "$stage/policy.yaml"
exits 5 kuraban reload
mkfifo "$stage/policy.yaml"
exits 5 kuraban reload
rm "$stage/policy.yaml"
kuraban sync > /dev/null
[ "$(rejected)" = $((count + 6)) ] || fail "$(($(rejected) - count)) rejections in the journal instead of 6"
expect "what rules" '.policy.version == 3' status
allowed as_user cat "$mount/notice.txt"
refused as_user cat "$store/residents.csv"

# A start without the file: the last good one, told on the error stream and by doctor.
daemon_kill TERM
daemon_start
expect "the last good" '.policy.version == 3 and .policy.source == "last-good" and .enforcing' status
grep -q '^policy.refused rules=last-good' "$log" || fail "the log does not say which policy rules"
expect "doctor" 'any(.[]; .check == "policy.file" and .ok == false)' doctor
refused as_user cat "$store/residents.csv"
plug

# Neither file nor copy: it runs, permits nothing, and does not say that it enforces, for it guards no store it does not know of.
# What an earlier daemon had guarded stays refused to everybody.
daemon_kill TERM
rm "$stage/state/policy.last-good.yaml"
daemon_start_until answers
expect "nothing permitted" '.enforcing == false and .policy.source == "none" and .gate.self_test.ok' status
eventually "the medium is detached" 10 unplugged
expect "the medium" '.[0] | .verdict == "deny" and .read_only' devices
refused as_user cat "$store/residents.csv"
refused as_user "$client" "$store/residents.csv"
exits 5 kuraban policy show
# The first good file ends that.
write_policy 5 read
exits 0 kuraban reload
expect "it rules" '.enforcing and .policy.version == 5 and .policy.source == "file" and .emergency == null' status
allowed as_user "$client" "$store/residents.csv"
plug

# Monitor: nothing is refused, everything that would be is in the journal with its rule. Writing stays impossible.
mode=monitor write_policy 6 refuse
exits 0 kuraban reload
expect "monitor" '.enforcing == false and .mode == "monitor"' status
allowed as_user cat "$store/residents.csv"
allowed as_user cat "$mount/notice.txt"
kuraban sync > /dev/null
expect "would be refused" 'any(.[]; .store == "juki" and .would_refuse and .rule == "juki" and .reason == "program")
    and any(.[]; .device != null and .would_refuse and .rule == "stick")' why --count 16
expect "nothing refused" 'all(.[]; .verdict == "allow") and any(.[]; .would_refuse)' devices
write_policy 7 read
exits 0 kuraban reload
eventually "enforcing again" 10 enforcing
refused as_user cat "$store/residents.csv"

# Who: the store's people only, and each is told why, in the language of the session.
write_policy 8 read '    who: {users: [root]}'
exits 0 kuraban reload
allowed "$client" "$store/residents.csv"
refused as_user "$client" "$store/residents.csv"
why() { as_user env LC_ALL=C.UTF-8 LANGUAGE="$1" "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" why "${@:2}"; }
( why "" --json ) | jq -e '.[0] | .reason == "who" and .rule == "juki"' > /dev/null || fail "the reason is not who"
( why "" ) > "$stage/why.en"
grep -q "juki" "$stage/why.en" || { cat "$stage/why.en"; fail "why does not name the rule"; }
# A medium's who asks for the people at the machine; nobody sits at this one.
stick_further=', who: {users: [nobody]}'
write_policy 9 read
exits 0 kuraban reload
expect "the medium of others" '.[0] | .verdict == "deny" and .reason == "who"' devices
eventually "detached" 5 unplugged
# The store leaves the policy while nobody is there: the marks that were kept go all the same.
write_policy 10 read
exits 0 kuraban reload
refused as_user cat "$store/residents.csv"
daemon_kill KILL
mkdir "$store.elsewhere"
sed -i "s|path: $store\$|path: $store.elsewhere|" "$stage/policy.yaml"
daemon_start
allowed as_user cat "$store/residents.csv"
kuraban sync > /dev/null
expect "the journal" '.ok' audit verify
finished
