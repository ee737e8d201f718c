# shellcheck shell=bash
# An export that is caught while it writes to the stick. Sourced after stage.sh; take_out FILE… is the caller's.

large_stick() { # in place of the small one
    losetup -d "$loop"
    truncate -s 400M "$stage/stick.img"
    mkfs.ext4 -q -L STICK "$stage/stick.img"
    losetup "$loop" "$stage/stick.img" 2> /dev/null || loop=$(losetup --find --show "$stage/stick.img")
    write_config <<< 'keeper: on'
}
read_only() { [ "$(cat "/sys/class/block/${loop#/dev/}/ro")" = 1 ]; }
sectors_written() { awk '{print $7}' "/sys/class/block/${loop#/dev/}/stat"; }
has_written() { [ "$(sectors_written)" -gt "$((before + 20480))" ]; }
is_held() { ! python3 -c 'import os, sys; os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL)' "$loop" 2> /dev/null; }
is_shown() { [ -n "$(ls -A "$stage/run/media")" ]; }
# All of them. Those of before at once, for looking takes time; then who was begun meanwhile, until there is nobody new.
stopped_workers=''
stop_workers() {
    local now
    # shellcheck disable=SC2086 # several processes
    [ -z "$stopped_workers" ] || kill -STOP $stopped_workers 2> /dev/null || :
    while now=$(workers) && [ "$now" != "$stopped_workers" ]; do
        # shellcheck disable=SC2086
        kill -STOP $now 2> /dev/null || : # one may have ended
        stopped_workers=$now
    done
    for pid in $now; do
        stop_process "$pid" 2> /dev/null
    done
}
continue_workers() { for pid in $(workers); do kill -CONT "$pid" 2> /dev/null || :; done; } # it may be quicker than we are
# Step by step: a quick disk has all of it before anybody has seen the first of it.
stop_while_it_writes() { # FILE
    local end
    plug
    eventually "the stick is shown" 10 is_shown
    umount "$mount"
    before=$(sectors_written)
    take_out "$1" > "$stage/typed" 2>&1 < /dev/null &
    client_pid=$!
    end=$(($(now_ms) + 60000))
    until stop_workers && has_written; do
        [ "$(now_ms)" -lt "$end" ] || fail "the first writes: not within 60 s"
        continue_workers
        pause 0.02
    done
    is_held || fail "the worker was not caught in the middle"
}
journal() {
    kuraban sync > /dev/null
    kuraban audit show --json | jq -c 'select(.event.action | startswith("export-"))'
}
