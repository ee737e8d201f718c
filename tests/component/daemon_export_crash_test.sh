#!/bin/bash
# An export that is killed at any moment: its worker, kuraband, the person's program. Afterwards: the stick is read-only, nothing on it looks
# whole that is not, the journal has an end for every beginning, and what is whole is in it.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"
. "${0%/*}/daemon/writing.sh"

rounds=${KURABAN_EXPORT_ROUNDS-2}
take_out() { as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" export --to "$loop" --reason crash "$@"; }
begin_export() { # in the background
    take_out "$stage/outside/f.bin" > "$stage/out" 2>&1 < /dev/null &
    client_pid=$!
}
kill_workers() { for pid in $(workers); do kill -KILL "$pid" 2> /dev/null || :; done; } # it may be quicker than we are
ids() { journal | jq -r "select(.event.action == \"$1\") | .kuraban.export.id" | sort -u; }
both_ended() { [ "$(ids export-started)" = "$( { ids export-finished; ids export-failed; } | sort -u)" ]; }

# The names on the stick that a person would take for an export, each with its digest.
on_stick() {
    unshare -m sh -c "mount -o ro,noload '$stage/stick.img' '$stage/look' && cd '$stage/look' && find . -maxdepth 1 -name '*.bin' -exec sha256sum {} +" |
        sed 's,  \./,  ,' | sort
}

check() { # what
    eventually "$1: the worker's end" 60 no_worker
    eventually "$1: kuraband" 20 enforcing
    eventually "$1: read-only" 10 read_only
    eventually "$1: an end in the journal for every beginning" 20 both_ended
    [ -z "$(ls -A "$stage/state/export")" ] || fail "$1: something is left of staging"
    # Whole files are those whose name and digest were recorded before they got their name.
    while read -r digest name; do
        grep -q "$digest" <<< "$contents" || fail "$1: '$name' is there and is not whole"
        grep -q "$digest" < <(journal) || fail "$1: '$name' is there and in no record"
    done < <(on_stick)
    whole=$(on_stick | wc -l)
    # What is finished is there; what is there is finished, or failed with an alarm after it was recorded.
    finished=$(ids export-finished | grep -c . || :)
    unsure=$(journal | jq -r 'select(.event.action == "export-failed" and .event.kind == "alert") | .kuraban.export.id' | sort -u | grep -c . || :)
    if [ "$finished" -gt "$whole" ] || [ "$whole" -gt $((finished + unsure)) ]; then
        fail "$1: $whole whole on the stick, $finished finished and $unsure unsure in the journal"
    fi
}

stage_make
large_stick
mkdir "$stage/look"
head -c 20M /dev/urandom > "$stage/outside/f.bin"
contents=$(sha256sum < "$stage/outside/f.bin")
write_policy 1 export '' "$(printf 'export:\n  - {id: out, to: [stick], factors: none, approvals: 0, from: [elsewhere], container: plain}\n')"
daemon_start
plug

# How long it takes when nobody disturbs it; the kills are spread over that.
begin=$(now_ms)
exits 0 take_out "$stage/outside/f.bin"
took=$(($(now_ms) - begin))
check "undisturbed"
note "$took ms undisturbed"

# A kill that comes too late, or too early, hits nothing: an export that failed by it is one that was hit.
failed_exports() { ids export-failed | wc -l; }
disturb() { # KIND per-mille: of the time it takes
    local before
    before=$(failed_exports)
    plug
    begin_export
    pause "$(printf '%d.%03d' $((took * $2 / 1000 / 1000)) $((took * $2 / 1000 % 1000)))"
    case $1 in
    worker) kill_workers ;;
    daemon)
        daemon_kill KILL
        daemon_start
        ;;
    client) kill -INT "$client_pid" 2> /dev/null || : ;; # it may be quicker than we are
    all)
        kill -KILL "$daemon_pid"
        kill_workers
        ;;
    esac
    wait "$client_pid" || : # the record tells how it ended
    [ "$1" != all ] || { eventually "the daemon's end" 20 ended "$daemon_pid"; daemon_start; }
    check "$1 killed, $2 of 1000"
    [ "$(failed_exports)" = "$before" ] || hits=$((hits + 1))
}

for kind in worker daemon client; do
    hits=0
    for round in $(seq 1 "$rounds"); do
        disturb "$kind" $((1000 * round / (rounds + 1)))
    done
    for part in 500 300 600 200; do
        [ "$hits" -gt 0 ] || disturb "$kind" "$part"
    done
    [ "$hits" -gt 0 ] || fail "no kill of the $kind hit anything"
    note "$kind: $rounds rounds, $hits hit, $whole whole, $finished finished, $unsure unsure"
done

# And everything at once: nobody is left to tidy up until kuraband starts again.
hits=0
for part in 667 500 300 600 200; do
    [ "$hits" -gt 0 ] || disturb all "$part"
done
[ "$hits" -gt 0 ] || fail "no kill of everything hit anything"
plug # without udev a mount is how kuraband learns what filesystem it is
exits 0 take_out "$stage/outside/f.bin"
check "the one after it"
unshare -m sh -c "mount -o ro,noload '$stage/stick.img' '$stage/look' && ls -A '$stage/look'" > "$stage/left" || fail "it does not mount"
grep -qx 'f.bin' "$stage/left" || fail "what was exported is not there"
grep '^\.kuraban' "$stage/left" && fail "leftovers"

# A worker that cannot end (a stick that takes an fsync for minutes) while two kurabands after each other are killed: neither the second nor the third
# shows the stick for one moment, as long as it is mounted writable.
head -c 150M /dev/urandom > "$stage/outside/f.bin"
contents+=$(sha256sum < "$stage/outside/f.bin")
stop_while_it_writes "$stage/outside/f.bin"
daemon_kill KILL
changed=$(stat -c %.9Y "$stage/run/media")
for nth in second third; do
    daemon_start
    expect "the $nth has the stick" 'length == 1' devices
    daemon_kill KILL
    [ "$changed" = "$(stat -c %.9Y "$stage/run/media")" ] || fail "the $nth kuraband showed a stick that is written to"
done
is_held || fail "the worker did not hold it until here"
daemon_start
continue_workers
wait "$client_pid" || :
eventually "the stick is shown again" 20 is_shown
check "a worker that outlives two kurabands"
[ "$(ids export-failed | wc -l)" = "$(journal | jq -r 'select(.event.action == "export-failed") | .kuraban.export.id' | wc -l)" ] || fail "an end is recorded twice"
expect "the journal" '.ok' audit verify
finished
