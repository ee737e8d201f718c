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
stop_workers() { for pid in $(workers); do stop_process "$pid"; done; }
continue_workers() { for pid in $(workers); do kill -CONT "$pid" 2> /dev/null || :; done; } # it may be quicker than we are
stop_while_it_writes() { # FILE
    plug
    eventually "the stick is shown" 10 is_shown
    umount "$mount"
    before=$(sectors_written)
    take_out "$1" > "$stage/typed" 2>&1 < /dev/null &
    client_pid=$!
    eventually "the first writes" 60 has_written
    stop_workers
    is_held || fail "the worker was not caught in the middle"
}
journal() {
    kuraban sync > /dev/null
    kuraban audit show --json | jq -c 'select(.event.action | startswith("export-"))'
}
