#!/bin/bash
# What an export rests on ends while it runs: the grant (given back, its time over, another policy), or the stick is another one now, though it
# says it is the same; or a file came into a store. The export ends at once, not at its next step; nothing with its name is on the stick; the journal says why.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

last() { # ACTION jq-filter
    kuraban sync > /dev/null
    kuraban audit show --json | jq -c "select(.event.action == \"$1\") | $2" | tail -n 1
}
on_stick() { unshare -m sh -c "mount -o ro,noload '$1' '$stage/look' && ls -A '$stage/look'"; }
unlocks() { # [words…]
    enrol nobody
    exits 0 factor type "$(code nobody)" -- setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups \
        --bounding-set=-all --no-new-privs -- "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" unlock --reason "district 3" "$@"
}
begins() { # [FILE…]: an export that stays in the middle of reading its files
    local files=("$@" "$stage/outside/large.bin")
    rm -f "$stage/go" "$stage/said"
    mkfifo "$stage/go"
    ( as_user "${0%/*}/daemon/exporting.py" "$stage/run" "$loop" --pass "${files[@]}" < "$stage/go" > "$stage/said" 2>&1 ) &
    client_pid=$!
    helpers+=("$client_pid")
    exec 8> "$stage/go"
    eventually "it has begun" 20 grep -qx begun "$stage/said"
    echo >&8
    eventually "it reads" 20 grep -qx copying "$stage/said"
}
ended_for() { [ "$(last export-failed '[.event.reason, .kuraban.export.id]')" = "[\"$1\",\"$id\"]" ]; }
is_moved() { # the client goes on: refused, since a file is in another place than it was judged for
    echo >&8
    exec 8>&-
    wait "$client_pid" && fail "exported what was moved"
    grep -q '^result 2 refused' "$stage/said" || { cat "$stage/said" >&2; fail "not refused"; }
    eventually "the worker's end" 20 no_worker
    [ "$(last export-file '[.file.path, .event.reason, .kuraban.verdict]')" = '["moved.txt","moved","deny"]' ] ||
        fail "not in the journal: $(last export-file .)"
    [ "$(on_stick "$stage/stick.img")" = "$before" ] || fail "something came to the stick"
}
is_over() { # REASON: while the client still does not read
    id=$(last export-started .kuraban.export.id | tr -d '"')
    eventually "the end in the journal: $1" 8 ended_for "$1"
    echo >&8
    exec 8>&-
    wait "$client_pid" && fail "exported"
    grep -q "^result 0 $1" "$stage/said" || { cat "$stage/said" >&2; fail "not told: $1"; }
    eventually "the worker's end" 20 no_worker
    [ "$(on_stick "$stage/stick.img")" = "$before" ] || fail "something came to the stick"
}
policy() { # VERSION
    stick_further=", unlock: {factors: [totp], for: 15m}" write_policy "$1" export '' "$(printf '%s\n' 'export:' \
        '  - {id: out, to: [stick], from: [elsewhere], container: plain, factors: none, approvals: 0}' 'mfa: {throttle: {failures: 50, delay: none}}')"
}

stage_make
mkdir "$stage/look"
head -c 100M /dev/urandom > "$stage/outside/large.bin"
chmod 0644 "$stage/outside/large.bin"
before=$(on_stick "$stage/stick.img")
policy 1
daemon_start

unlocks
plug
begins
exits 0 as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" unlock --end
is_over locked
note "given back"

unlocks --for 4s
plug
begins
is_over locked
note "its time is over"

unlocks
plug
begins
policy 2
exits 0 kuraban reload
is_over policy
note "another policy"

# Into a store while it is read. (What was in one is guarded where it goes, and stays what it was judged as.)
echo "no resident" > "$stage/outside/moved.txt"
chmod 0666 "$stage/outside/moved.txt"
write_policy 3 export '' "$(printf '%s\n' 'export:' '  - {id: out, to: [stick], from: [elsewhere, juki], container: plain, factors: none, approvals: 0}')"
exits 0 kuraban reload
plug
begins "$stage/outside/moved.txt"
mv "$stage/outside/moved.txt" "$store/moved.txt"
is_moved
note "into a store"

# Another stick in the same place, in everything its equal: what the codes and the grant were for is gone.
umount "$mount"
daemon_kill TERM
losetup -d "$loop"
cp "$stage/stick.img" "$stage/twin.img"
loop=$(losetup --read-only --find --show "$stage/stick.img") # the kernel changes what is behind a loop device only while nobody can write there
write_config <<< 'keeper: on'
write_policy 4 export '' "$(printf '%s\n' 'export:' '  - {id: out, to: [stick], from: [elsewhere], container: plain, factors: none, approvals: 0}')"
daemon_start
plug
begins
python3 -c 'import fcntl, os, sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x4C06, os.open(sys.argv[2], os.O_RDONLY))' "$loop" "$stage/twin.img"
is_over removed
[ "$(on_stick "$stage/twin.img")" = "$before" ] || fail "something came to the other stick"
note "another stick in its place"
expect "the journal" '.ok' audit verify
finished
