# shellcheck shell=bash
# What packaging/quickstart tries, and the table of it: tried, expected, seen. The first wrong line makes the run fail.

rows=() wrong=0

# try WHAT allowed|refused COMMAND…: runs it with a limit, so that a hang is seen as what it is.
try() {
    local what=$1 expected=$2 seen status=0
    shift 2
    ( "$@" ) > "$stage/try.out" 2>&1 < /dev/null &
    local pid=$!
    if ! wait_until 30 ended "$pid"; then
        kill -9 "$pid" 2> /dev/null
        seen=hung
    fi
    wait "$pid" || status=$?
    [ "${seen:-}" = hung ] || { [ $status = 0 ] && seen=allowed || seen=refused; }
    [ "$seen" = "$expected" ] || { wrong=$((wrong + 1)); seen="$seen  <-- WRONG"; }
    rows+=("$what|$expected|$seen")
    printf '  %-38s %-9s %s\n' "$what" "$expected" "$seen"
    case $seen in *WRONG*) sed 's/^/      /' "$stage/try.out" ;; esac
}

ended() { ! kill -0 "$1" 2> /dev/null; }

# An ordinary person: no capability, no supplementary group.
as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all --no-new-privs -- "$@"; }

set_attribute() {
    as_user python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.leak", b"12345")' "$1"
}

mount_again() {
    local status=0
    mount -o rw "$loop" "$stage/elsewhere" || return 1
    touch "$stage/elsewhere/leak" || status=1 # mount(8) falls back to read-only, which is as good as a refusal
    umount "$stage/elsewhere"
    return $status
}

sleeping_in_open() { [ "$(cut -d' ' -f3 "/proc/$1/stat")" != R ] && ! ended "$1"; }

# The daemon is stopped, a program opens the store and waits for an answer that cannot come, the daemon is killed.
wait_through_kill() {
    kill -STOP "$daemon_pid"
    as_user cat "$store/residents.csv" &
    local waiting=$!
    wait_until 10 blocked_open "$waiting" || { echo "the program did not wait"; kill -KILL "$daemon_pid"; return 0; }
    kill -KILL "$daemon_pid"
    wait "$waiting"
}

# openat(2) is what it is in.
blocked_open() { grep -Eq '^(257|56) ' "/proc/$1/syscall"; }

# A copy of the journal with one digit changed must not verify.
verify_changed_copy() {
    local copy=$stage/changed segment
    cp -a "$stage/state/journal" "$copy"
    segment=$(find "$copy" -name 'journal-*.ndjson' | sort | head -n 1)
    sed -i '2s/"seq":2/"seq":3/' "$segment"
    kuraban audit verify --directory "$copy"
}

report() {
    printf '\n== Tried: %d, as expected: %d\n' "${#rows[@]}" "$((${#rows[@]} - wrong))"
    if [ "$wrong" -gt 0 ]; then
        printf 'WRONG:\n'
        printf '  %s\n' "${rows[@]}" | grep WRONG
        exit 1
    fi
    echo "Every refusal held, before, during and after the daemon's death."
}
