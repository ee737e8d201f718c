#!/bin/bash
# The medium of an export belongs to whom its own rule means, from the request to the last moment before it has its name: somebody else at the
# machine opens it for nobody, and who is gone gets nothing. And nobody is shown it while a process that was stopped still has it mounted.
set -euo pipefail
# Sessions are files of logind's; these are ours alone. kuraband sees the mounts that we see.
if [ -z "${in_namespace-}" ]; then
    [ "$(id -u)" = 0 ] || { echo "SKIP: needs root"; exit 77; }
    in_namespace=yes exec unshare -m "$0"
fi
. "${0%/*}/daemon/stage.sh"

take_out() { as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" export --to "$loop" --reason target "$@"; }
at_machine() { # NAME, or nobody at all
    if [ -z "${1-}" ]; then
        rm -f /run/systemd/sessions/c1
        return 0
    fi
    printf 'UID=%s\nUSER=%s\nACTIVE=1\nSTATE=active\nREMOTE=0\nSEAT=seat0\nTYPE=tty\nCLASS=user\n' "$(id -u "$1")" "$1" > /run/systemd/c1
    mv /run/systemd/c1 /run/systemd/sessions/c1 # who watches hears of a rename
}
is() { holds "any(.[]; .kind == \"medium\" and .verdict == \"$1\")" devices; }
last() { # ACTION jq-filter
    kuraban sync > /dev/null
    kuraban audit show --json | jq -c "select(.event.action == \"$1\") | $2" | tail -n 1
}
same() { # what expected got
    [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}
on_stick() { unshare -m sh -c "mount -o ro,noload '$stage/stick.img' '$stage/look' && ls -A '$stage/look'"; }
stopped_export() { # begins one and stops its process while it writes
    local begun read_before pid
    plug
    begun=$(sectors written)
    read_before=$(sectors read)
    take_out "$stage/outside/large.bin" > "$stage/typed" 2>&1 < /dev/null &
    client_pid=$!
    first_writes
    for pid in $(workers); do
        stop_process "$pid"
    done
    # 512 bytes each; when all was read back, it may have its name already.
    [ "$(($(sectors read) - read_before))" -lt 250000 ] || fail "it was quicker than the test"
}
first_writes() { # asked for without a pause: a quick machine needs a tenth of a second for all of them
    local end=$(($(now_ms) + 60000)) fields
    until read -ra fields < "/sys/class/block/${loop#/dev/}/stat" && [ "${fields[6]}" -gt $((begun + 2048)) ]; do
        [ "$(now_ms)" -lt "$end" ] || fail "the first writes: not within 60 s"
    done
}
told() { grep -q -- "$1" "$stage/typed" || { cat "$stage/typed" >&2; fail "not told: $1"; }; }
shown() { compgen -G "$stage/run/media/${loop#/dev/}-*" > /dev/null; } # what udev goes by
ended_for() { [ "$(last export-failed .event.reason)" = "\"$1\"" ]; }
sectors() { awk -v which="$1" '{print which == "read" ? $3 : $7}' "/sys/class/block/${loop#/dev/}/stat"; }
goes_on() { for pid in $(workers); do kill -CONT "$pid" 2> /dev/null || :; done; }
fail() { # nobody stays behind who waits for ever
    goes_on
    echo "FAILED: $*" >&2
    exit 1
}

mkdir -p /run/systemd
mount -t tmpfs -o mode=0755 tmpfs /run/systemd
mkdir /run/systemd/sessions /run/systemd/seats /run/systemd/users /run/systemd/machines
stage_make
losetup -d "$loop"
truncate -s 400M "$stage/stick.img"
mkfs.ext4 -q -F "$stage/stick.img"
loop=$(losetup --find --show "$stage/stick.img")
write_config <<< 'keeper: on'
mkdir "$stage/look"
echo "take me" > "$stage/outside/a.txt"
head -c 150M /dev/urandom > "$stage/outside/large.bin"
chmod 0644 "$stage/outside"/*
export_rules=$(printf 'export:\n  - {id: out, to: [stick], from: [elsewhere], container: plain, factors: none, approvals: 0}\n')
at_machine bin
stick_further=', who: {users: [bin]}' write_policy 1 export '' "$export_rules"
daemon_start
eventually "the stick of who is there" 20 is allow
plug

# bin's stick, and bin is there: nobody else's all the same.
exits 4 take_out "$stage/outside/a.txt"
same "refused for" '["deny","who","stick"]' "$(last export-failed '[.kuraban.verdict, .event.reason, .rule.id]')"
note "somebody else's stick"

# Their own stick, until they leave: what is being written then gets no name.
at_machine nobody
stick_further=', who: {users: [nobody]}' write_policy 2 export '' "$export_rules"
exits 0 kuraban reload
eventually "the stick of who is there" 20 is allow
plug
exits 0 take_out "$stage/outside/a.txt"
eventually "the worker's end" 20 no_worker
before=$(on_stick)
stopped_export
at_machine
eventually "nobody is there" 20 is deny
goes_on
wait "$client_pid" && fail "exported to a medium that was permitted no more"
told 'not permitted any more'
eventually "the worker's end" 20 no_worker
same "what is on the stick" "$before" "$(on_stick)"
same "the end in the journal" '"who"' "$(last export-failed .event.reason)"
note "who leaves while it is written"

# Another policy, and another kuraband, while the exporting process cannot hear of it: nobody is shown the medium before it has closed it.
at_machine nobody
eventually "the stick of who is there" 20 is allow
stopped_export
stick_further=', who: {users: [nobody]}' write_policy 3 export '' "$export_rules"
exits 0 kuraban reload
eventually "the end in the journal" 20 ended_for policy
shown && fail "shown while a stopped export has it mounted"
exits 0 kuraban reload
shown && fail "shown by a reload while a stopped export has it mounted"
goes_on
wait "$client_pid" && fail "exported under another policy"
told 'another policy rules now'
eventually "it is shown again" 20 shown
stopped_export
daemon_kill KILL
daemon_start
eventually "the end in the journal" 20 ended_for interrupted
shown && fail "shown by the next kuraband while an export of the last one has it mounted"
goes_on
wait "$client_pid" && fail "exported without kuraband"
eventually "it is shown again" 20 shown
same "what is on the stick" "$before" "$(on_stick)"
plug
exits 0 take_out "$stage/outside/a.txt"
note "not shown before it is closed"
finished
