# shellcheck shell=bash
# What packaging/quickstart tries, and the table of it: tried, expected, seen. The first wrong line makes the run fail.

rows=() wrong=0

# How the kernel and mount(8) say no. "Permission denied" is not among them: that would be file permissions, not kuraban.
refusal='Operation not permitted|Read-only file system|write-protected'

# What the end of a command means: allowed, refused with the kernel's words, found (verify), or none of these.
outcome() { # expected status
    local words
    if [ "$2" = 0 ]; then
        echo allowed
    elif words=$(grep -Eom1 "$refusal" "$stage/try.out"); then
        echo "refused ($words)"
    elif [ "$1" = found ] && words=$(grep -om1 'record [0-9]*' "$stage/try.out"); then
        echo "found ($words)"
    else
        echo "failed otherwise"
    fi
}

# try WHAT allowed|refused|found COMMAND…: runs it with a limit, so that a hang is seen as what it is.
try() {
    local what=$1 expected=$2 seen='' status=0
    shift 2
    ( "$@" ) > "$stage/try.out" 2>&1 < /dev/null &
    local pid=$!
    if ! wait_until 30 ended "$pid"; then
        kill -9 "$pid" 2> /dev/null
        seen=hung
    fi
    wait "$pid" || status=$?
    [ -n "$seen" ] || seen=$(outcome "$expected" "$status")
    case $seen in
    "$expected" | "$expected ("*) ;;
    *)
        wrong=$((wrong + 1))
        seen="$seen  <-- WRONG"
        ;;
    esac
    rows+=("$what|$expected|$seen")
    printf '  %-38s %-9s %s\n' "$what" "$expected" "$seen"
    case $seen in *WRONG*) sed 's/^/      /' "$stage/try.out" ;; esac
}

ended() { ! kill -0 "$1" 2> /dev/null; }

# An ordinary person: no capability, no supplementary group. Replaces the (sub)shell, so that its pid is the program's.
as_user() { exec setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all --no-new-privs -- "$@"; }

# Media are mounted without execution as well, and for that the kernel says "Permission denied": so the reason is looked up.
run_from_stick() {
    ( as_user "$mount/tool" ) && return 0
    if findmnt -no OPTIONS "$mount" | grep -qw noexec; then
        echo "Operation not permitted: mounted without execution"
    fi
    return 1
}

set_attribute() {
    as_user /usr/bin/python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.leak", b"12345")' "$1"
}

mount_again() {
    local status=0
    mount -o rw "$loop" "$stage/elsewhere" || return 1
    touch "$stage/elsewhere/leak" || status=1 # mount(8) falls back to read-only, which is as good as a refusal
    wait_until 10 umount "$stage/elsewhere" || { echo "the second mount could not be taken away"; return 0; }
    return $status
}

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
