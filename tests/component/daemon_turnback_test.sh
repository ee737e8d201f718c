#!/bin/bash
# Turning a terminal back: its signed state missing, cut, exchanged, behind a link; a state directory of somebody else, full or
# immutable; kill -9 in the middle of applying; the root removed from anywhere but a console. What is not as it was stored refuses
# everything, and nothing brings the unsigned file back but root at a console.
# Runs beside others.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

command -v openssl > /dev/null || skip "openssl is missing"
sign() { /usr/bin/python3 "${BASH_SOURCE[0]%/*}/daemon/sign.py" "$keys" "$@"; }
says() { grep -qF -- "$1" "$stage/out" || { cat "$stage/out" >&2; fail "not said: $1"; }; }
unplugged() { ! mountpoint -q "$mount"; }
actions() { kuraban audit show --json | jq -s "map(select(.event.action == \"$1\")) | length"; }

document() { # VERSION ALLOW: $keys/VERSION, signed by two
    write_policy "$1" "$2"
    mv "$stage/policy.yaml" "$keys/$1.yaml"
    sign policy "$keys/$1" "$1.yaml" tanaka suzuki
}

stage_make
keys=$stage/keys state=$stage/state
mkdir -m 0700 "$keys"
sign key tanaka suzuki sato hub
sign root "$keys/root" '{}' tanaka suzuki
cp "$stage/policy.yaml" "$stage/unsigned.yaml"
document 2 read
document 3 read
cp "$stage/unsigned.yaml" "$stage/policy.yaml"
daemon_start
plug
exits 0 kuraban policy root install --yes "$keys/root"
exits 0 kuraban policy apply "$keys/2"
cp "$state/trust.json" "$stage/trust.2"
exits 0 kuraban policy apply "$keys/3"
cp "$state/trust.json" "$stage/trust.3"

# --- damaged: everything is refused, told everywhere, and the way out is named ---

refuses_everything() { # what COMPLAINT
    local count
    count=$(actions trust-damaged)
    daemon_start_until answers
    expect "$1: status" ".enforcing == false and .policy.source == \"none\" and .trust.state == \"damaged\"
        and (.trust.complaint | contains(\"$2\"))" status
    exits 1 kuraban doctor
    says "kuraban policy root remove --reason"
    expect "$1: doctor" 'any(.[]; .check == "policy.trust" and .ok == false and .severity == "error")' doctor
    kuraban sync > /dev/null
    [ "$(actions trust-damaged)" = $((count + 1)) ] || fail "$1: not one alarm in the journal"
    grep -q '^policy.refused rules=none' "$log" || fail "$1: the log does not say it"
    eventually "$1: the medium is detached" 10 unplugged
    expect "$1: the medium" '.[0] | .verdict == "deny" and .read_only' devices
    refused as_user cat "$store/residents.csv"
    refused as_user "$client" "$store/residents.csv"
    exits 1 kuraban reload
    says "only signed documents are accepted here"
    exits 1 kuraban policy apply "$keys/3"
    says "put trust.json back from a backup, or remove the root at the console"
    exits 1 kuraban policy root install --yes "$keys/root"
    says "put trust.json back from a backup, or remove the root at the console"
    expect "$1: still" '.policy.source == "none" and .trust.state == "damaged"' status
    note "$1: refuses everything"
    daemon_kill TERM
}
daemon_kill TERM
rm "$state/trust.json"
refuses_everything "missing" "No such file"
head -c 1000 "$stage/trust.3" > "$state/trust.json"
refuses_everything "cut" "trust.json"
rm "$state/trust.json"
ln -s "$stage/trust.3" "$state/trust.json"
refuses_everything "behind a link" "symbolic links"
rm "$state/trust.json"
mkfifo "$state/trust.json"
refuses_everything "a FIFO" "Invalid argument"
rm "$state/trust.json"
mkdir "$state/trust.json"
refuses_everything "a directory" "directory"
rmdir "$state/trust.json"
# One signature of the two that it was stored with.
jq -c '.policy.signatures |= .[:1]' "$stage/trust.3" > "$state/trust.json"
refuses_everything "a signature less" "1 good signature"
# Without its marker, even a link as the marker: installed all the same.
rm "$state/trust.json" "$state/trust.installed"
ln -s /nonexistent "$state/trust.installed"
refuses_everything "a link as marker" "No such file"
rm "$state/trust.installed"
# Put back from a backup.
cp "$stage/trust.3" "$state/trust.json"
daemon_start
expect "put back" '.policy.source == "signed" and .policy.version == 3 and .trust.state == "good"' status
[ -e "$state/trust.installed" ] || fail "the marker is not there again"
plug
# Taken away while it runs: what rules rules on, the next apply writes it anew.
rm "$state/trust.json"
exits 1 kuraban policy apply "$keys/2"
says "older than what rules here"
exits 0 kuraban policy apply "$keys/3"
cmp "$state/trust.json" "$stage/trust.3" || fail "not written anew"

# --- a disk that takes nothing ---

daemon_kill TERM
mv "$state" "$state.kept"
mkdir -m 0700 "$state"
mount -t tmpfs -o size=24m,mode=0700 state "$state"
cp -a "$state.kept/." "$state/"
daemon_start
plug
document 4 refuse
# No name can be made or exchanged in it; tmpfs has that flag since Linux 6.6.
if chattr +i "$state" 2> /dev/null; then
    exits 1 kuraban policy apply "$keys/4"
    chattr -i "$state"
    says "refused, nothing has changed: it could not be stored: Operation not permitted"
    expect "immutable" '.policy.version == 3' status
    cmp "$state/trust.json" "$stage/trust.3" || fail "an immutable directory has changed"
    note "a directory that takes nothing changes nothing"
else
    note "no immutable directories on this kernel's tmpfs: see unit/daemon/power, where every call fails"
fi
# Full but for less than a bundle: the journal's reserve may be left, the new state does not fit.
dd if=/dev/zero of="$state/filler" bs=4k status=none 2> /dev/null && fail "the disk is not full"
exits 1 kuraban policy apply "$keys/4"
says "refused, nothing has changed: it could not be stored: No space left on device"
expect "full" '.policy.version == 3' status
cmp "$state/trust.json" "$stage/trust.3" || fail "the full disk changed what is stored"
allowed as_user cat "$mount/notice.txt"
rm "$state/filler"
exits 0 kuraban policy apply "$keys/4"
eventually "version 4 is in force" 5 unplugged
note "a full disk changes nothing"

# --- kill -9 at any moment of applying ---

temporaries() { find "$state" -maxdepth 1 -name '.*.tmp' | wc -l; }
news=0
version=4
check_killed() { # where
    local now
    daemon_start
    now=$(value .policy.version status)
    expect "$1: after a kill" '.policy.source == "signed" and .trust.state == "good"' status
    [ "$now" = "$version" ] || [ "$now" = $((version + 1)) ] || fail "$1: after a kill rules $now, neither $version nor $((version + 1))"
    [ "$now" = "$version" ] || news=$((news + 1))
    [ "$(temporaries)" = 0 ] || fail "$1: left behind: $(find "$state" -maxdepth 1 -name '.*.tmp')"
    version=$now
}
rounds=${KURABAN_KILLS-12}
for round in $(seq 1 "$rounds"); do
    document $((version + 1)) read
    kuraban policy apply "$keys/$((version + 1))" > /dev/null 2>&1 &
    applier=$!
    # Before, within or after the few milliseconds that it takes; at every single call: unit/daemon/power.
    pause "0.$(printf '%03d' $((RANDOM % 150)))"
    daemon_kill KILL
    wait "$applier" || :
    check_killed "round $round"
done
note "killed $rounds times, $news times the new one ruled"
# Killed with the new file written under its temporary name and not yet renamed, renamed and not yet told.
if command -v strace > /dev/null; then
    for call in renameat:1 fsync:1 fsync:2 renameat:2; do
        document $((version + 1)) read
        strace -f -qq -o /dev/null -p "$daemon_pid" -e "trace=${call%:*}" -e "inject=${call%:*}:signal=KILL:when=${call#*:}" &
        tracer=$!
        helpers+=("$tracer")
        traced() { ! grep -q '^TracerPid:[[:space:]]*0$' "/proc/$daemon_pid/status"; }
        eventually "the tracer" 10 traced
        kuraban policy apply "$keys/$((version + 1))" > /dev/null 2>&1 || :
        eventually "killed at $call" 10 ended "$daemon_pid"
        wait "$tracer" || :
        check_killed "$call"
    done
    note "killed at renameat and fsync: $version rules"
else
    note "strace is not installed: killed at any moment only"
fi

# --- a state directory of somebody else ---

daemon_kill TERM
no_start() {
    daemon_launch
    eventually "$1: it ends" 20 ended "$daemon_pid"
    grep -q "start.unsafe-directory path=$state" "$log" || fail "$1: the log does not say it"
    daemon_pid=''
    : > "$log"
}
chown "$person" "$state"
no_start "another's"
chown root "$state"
chmod 0770 "$state"
no_start "writable by a group"
chmod 0700 "$state"
daemon_start
expect "as before" ".policy.version == $version and .policy.source == \"signed\"" status

# --- removing the root ---

remove() { "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" policy root remove "$@"; }
exits 2 kuraban policy root remove
exits 2 kuraban policy root remove --reason ""
exits 1 setsid -w "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" policy root remove --reason "from nowhere"
says "at a console of the machine only"
script -qec "'$KURABAN_BUILD/bin/kuraban' --config '$stage/kuraban.yaml' policy root remove --reason 'from a pty'" /dev/null > "$stage/out" 2>&1 < /dev/null && fail "removed from a pseudo terminal"
says "at a console of the machine only"
exits 4 as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" policy root remove --reason "not root"
kuraban sync > /dev/null
kuraban audit show --json | jq -s -e 'map(select(.event.action == "command" and .event.reason == "console")) | length == 2 and all(.event.kind == "alert")' \
    > /dev/null || fail "refused removals are not in the journal as alarms"
expect "still installed" ".policy.version == $version and .policy.source == \"signed\" and .trust.state == \"good\"" status

# A virtual terminal of this machine, when its kernel has any.
console=''
for tty in /dev/tty62 /dev/tty61 /dev/ttyS3; do
    if setsid -c -w true < "$tty" > /dev/null 2>&1; then console=$tty; break; fi
done 2> /dev/null
if [ -n "$console" ]; then
    cp "$stage/unsigned.yaml" "$stage/policy.yaml"
    at_console() { setsid -c -w "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" "$@" < "$console" > "$stage/out" 2>&1; }
    at_console policy root remove --reason "課税課の端末を返却" || { cat "$stage/out" >&2; fail "not removed at $console"; }
    expect "unsigned again" '.trust == null and .policy.source == "file" and .policy.version == 1' status
    kuraban sync > /dev/null
    kuraban audit show --json | jq -s -e '(map(.event.action == "root-removed" and .message == "課税課の端末を返却" and .event.kind == "alert"
        and .user.id == "0" and .kuraban.trust.root_version == 1) | index(true)) as $removed
        | (map(.event.action == "policy-loaded") | rindex(true)) as $loaded | $removed != null and $removed < $loaded' > /dev/null ||
        fail "the removal is not in the journal before its effect"
    if [ -e "$state/trust.json" ] || [ -e "$state/trust.installed" ]; then fail "something is left of the root"; fi
    daemon_kill TERM
    daemon_start
    expect "after a start" '.trust == null and .policy.source == "file"' status
    note "removed at $console, with its reason"
else
    note "no virtual terminal here: removing at one is seen in the VM only"
fi
expect "the journal" '.ok' audit verify
finished
