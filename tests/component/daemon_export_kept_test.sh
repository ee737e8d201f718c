#!/bin/bash
# The exporting process is killed while somebody has a file of its mount open. The mount is in no namespace: only root reaches it, through the process's
# descriptors. Then the filesystem stays mounted, writable, until root closes that file, and so long nobody is shown the stick.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"
. "${0%/*}/daemon/writing.sh"

take_out() { as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" export --to "$loop" --reason kept "$@"; }
part_of() { # PID: its descriptor of the stick's root, by what lies there
    local fd
    for fd in "/proc/$1/fd"/*; do
        if compgen -G "$fd/.kuraban-*.part/f.bin" > /dev/null; then
            compgen -G "$fd/.kuraban-*.part/f.bin"
            return 0
        fi
    done
    return 1
}
find_part() { # the file that is being written
    local pid
    for pid in $(workers); do
        if part_of "$pid"; then return 0; fi
    done
    return 1
}
last_end() { journal | jq -r 'select(.event.action == "export-failed") | .event.reason' | tail -n 1; }
is_killed() { [ "$(last_end)" = killed ]; }

stage_make
large_stick
head -c 150M /dev/urandom > "$stage/outside/f.bin"
echo "take me" > "$stage/outside/a.txt"
write_policy 1 export '' "$(printf 'export:\n  - {id: out, to: [stick], factors: none, approvals: 0, from: [elsewhere], container: plain}\n')"
daemon_start
stop_while_it_writes "$stage/outside/f.bin"
part=$(find_part) || fail "root does not reach the mount: this tests nothing"
worker=${part#/proc/}
! ( as_user ls "/proc/${worker%%/*}/fd" ) > "$stage/seen" 2>&1 || fail "an ordinary person reaches the exporting process: $(cat "$stage/seen")"
! grep -q "${loop#/dev/}" /proc/[0-9]*/mountinfo 2> /dev/null || fail "a namespace has the mount"
exec {kept}< "$part"
changed=$(stat -c %.9Y "$stage/run/media")
# shellcheck disable=SC2046 # several processes
kill -KILL $(workers)
wait "$client_pid" || :
eventually "the end in the journal" 10 is_killed
eventually "the worker's end" 20 no_worker
is_held || fail "the open file does not hold the filesystem: this tests nothing"
for _ in {1..30}; do # three seconds of looking: more than kuraband's own rounds
    pause 0.1
    [ "$changed" = "$(stat -c %.9Y "$stage/run/media")" ] || fail "the stick is shown while it is mounted writable"
done
read_only || fail "the flag is not set"
exits 5 take_out "$stage/outside/a.txt" # this stick is in use
exec {kept}<&-
eventually "the stick is shown again" 20 is_shown
read_only || fail "the flag is not set"
plug
exits 0 take_out "$stage/outside/a.txt"
expect "the journal" '.ok' audit verify
finished
