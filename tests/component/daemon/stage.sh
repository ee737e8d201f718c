# shellcheck shell=bash
# The stage of the daemon_*_test.sh: a private kuraband with its own directories, a loop-backed stick, a store on the shared
# filesystem and a program for it. Everything is undone by stage_end() on any exit; a sanitizer's word in the log fails the test.
#
#   . daemon/stage.sh;  stage_make;  daemon_start;  …;  finished

stage='' loop='' mount='' store='' client='' log='' daemon_pid=''
helpers=() # processes of the test itself, ended with it

skip() {
    echo "SKIP: $1"
    exit 77
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

note() { echo "  $*"; }

pause() { read -rt "${1:-0.05}" <> <(:) || :; }

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# What is soon true is seen soon; what takes long is not asked for all the while.
wait_until() { # seconds command…
    local end=$(($(now_ms) + $1 * 1000)) delay=50
    shift
    until "$@"; do
        [ "$(now_ms)" -lt "$end" ] || return 1
        pause "0.$(printf %03d "$delay")"
        delay=$((delay < 400 ? delay * 3 / 2 : 600))
    done
}

eventually() { # what seconds command…
    local what=$1
    shift
    wait_until "$@" || fail "$what: not within $1 s"
}

# A zombie that nobody collects (no init here) has ended as well.
ended() { ! grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status" 2> /dev/null; }

# Stopped with all its threads: the signal reaches one, and the others go on until that one has run.
stop_process() { # PID
    kill -STOP "$1"
    wait_until 10 is_stopped "$1" || fail "process $1 does not stop"
}
is_stopped() { ! cat "/proc/$1"/task/*/stat 2> /dev/null | sed 's/.*) //' | grep -qv '^[TZX]'; }

kuraban() { "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" "$@"; }

# An ordinary person without any capability; replaces the (sub)shell, so that its pid is the program's.
person=65534
as_user() { exec setpriv --reuid "$person" --regid "$person" --clear-groups --bounding-set=-all --no-new-privs -- "$@"; }

# The test and what it starts from now on is part of NAME's login, whoever it becomes: approvals want one.
log_in() { # NAME
    [ -w /proc/self/loginuid ] || skip "a kernel without audit"
    id -u "$1" > "$stage/login"
    echo "$(< "$stage/login")" > /proc/self/loginuid
}

# Second factors of the test's own (factor.py).
factor() { "${0%/*}/daemon/factor.py" "$@"; }
enrol() { factor enrol "$1" "$stage" "$stage/run"; }
# In a word of another command nobody would see that there is none.
code() { # USER
    factor code "$1" "$stage" && return 0
    echo "FAILED: no code of $1" >&2
    kill -TERM $$
}

# The answer as jq sees it: value EXPRESSION verb…
value() {
    local expression=$1
    shift
    kuraban "$@" --json 2> /dev/null | jq -r "$expression"
}

holds() { # EXPRESSION verb…: the answer fulfils it
    local expression=$1 answer
    shift
    answer=$(kuraban "$@" --json 2> /dev/null) || : # by the answer, not the exit code
    [ -n "$answer" ] || return 1 # jq 1.6 -e says yes to nothing
    jq -e "$expression" > /dev/null 2>&1 <<< "$answer"
}

expect() { # what EXPRESSION verb…
    local what=$1
    shift
    holds "$@" && return 0
    kuraban "${@:2}" --json >&2
    fail "$what: $1"
}

# Codes are in neither the journal nor the log. Digests and fractions of a second are left out: among so many digits any six are found sooner or
# later. Every search is tried on the same text with the code in it.
holds_code() { # CODE FILE: 0 it stands there, 1 it does not
    local got=0
    [ "${#1}" = 6 ] || fail "no code to look for: '$1'"
    grep -aE "(^|[^0-9])$1([^0-9]|\$)" "$2" > "$stage/found" || got=$?
    [ "$got" -le 1 ] || fail "grep: $got"
    return "$got"
}
no_code_is_written() { # ACTION CODE…: ACTION is in the journal of this test
    local action="\"action\":\"$1\"" secret
    shift
    kuraban sync > /dev/null || fail "the journal cannot be written"
    cat "$stage"/state/journal/journal-*.ndjson "$log" > "$stage/all" || fail "journal and log cannot be read"
    sed -E 's/[0-9a-f]{16,}//g; s/\.[0-9]{6}Z//g' "$stage/all" > "$stage/written" || fail "journal and log cannot be searched"
    grep -qa "$action" "$stage/written" || fail "not the journal of this test"
    for secret in "$@"; do
        if holds_code "$secret" "$stage/written"; then fail "the code $secret is in the journal or the log: $(cat "$stage/found")"; fi
        # As it would stand there.
        sed "0,/$action/s//&,\"message\":\"code $secret given\"/" "$stage/written" > "$stage/planted"
        holds_code "$secret" "$stage/planted" || fail "the search does not find a code"
        { cat "$stage/written"; echo "$secret"; } > "$stage/planted"
        holds_code "$secret" "$stage/planted" || fail "the search does not find a code on a line of its own"
    done
}
is_kept() { # TEXT: somewhere in what kuraband keeps or logs
    local got=0
    [ -n "$1" ] || fail "nothing to look for"
    kuraban sync > /dev/null || fail "the journal cannot be written"
    grep -rqaF -- "$1" "$stage/state" "$log" || got=$?
    [ "$got" -le 1 ] || fail "grep: $got"
    return "$got"
}

recorded() { grep -q -- "$1" < <(kuraban audit show --json); } # PATTERN in the journal

exits() { # code command…: runs it, output in $stage/out
    local want=$1 got=0
    shift
    ( "$@" ) > "$stage/out" 2>&1 < /dev/null || got=$?
    [ "$got" = "$want" ] && return 0
    cat "$stage/out" >&2
    fail "exit $got instead of $want: $*"
}

# Refused by the guard: "Operation not permitted", never by file permissions.
refused() {
    ( "$@" ) > "$stage/out" 2>&1 < /dev/null && fail "allowed: $*"
    grep -Eq 'Operation not permitted|Read-only file system|write-protected' "$stage/out" && return 0
    cat "$stage/out" >&2
    fail "failed, but not by the guard: $*"
}

allowed() {
    ( "$@" ) > "$stage/out" 2>&1 < /dev/null && return 0
    cat "$stage/out" >&2
    fail "refused: $*"
}

# Media are mounted without execution as well, and for that the kernel says "Permission denied": so the reason is looked up.
run_from_stick() {
    ( as_user "$mount/tool" ) && return 0
    if findmnt -no OPTIONS "$mount" | grep -qw noexec; then
        echo "Operation not permitted: mounted without execution"
    fi
    return 1
}

is_refused() { ! ( "$@" ) > /dev/null 2>&1 < /dev/null; }
is_allowed() { ( "$@" ) > /dev/null 2>&1 < /dev/null; }

write_config() { # further lines on stdin
    {
        cat << YAML
format: kuraban-config/1
run-directory: $stage/run
state-directory: $stage/state
policy: $stage/policy.yaml
usb: off
media: listed
exits: [$loop]
journald: off
YAML
        cat
    } > "$stage/kuraban.yaml"
}

# write_policy VERSION ALLOW [STORE-LINES [FURTHER-LINES]]
write_policy() {
    cat > "$stage/policy.yaml" << YAML
format: kuraban-policy/1
organization: test.example
name: stage
version: $1
zone: mynumber
mode: ${mode:-enforce}
media:
  exec: refuse
  rules:
    - {id: stick, match: {bus: loop, path: $loop}, allow: $2${stick_further-}}
stores:
  - id: juki
    path: $store
    class: 3B
    programs: [{path: $client}]
${3-}
${4-}
YAML
}

stage_make() {
    [ "$(id -u)" = 0 ] || skip "needs root"
    [ -e /dev/loop-control ] || skip "no loop devices"
    [ -n "${KURABAN_BUILD-}" ] || fail "KURABAN_BUILD is not set"
    command -v jq > /dev/null || fail "jq is missing"
    trap stage_end EXIT
    trap 'exit 130' INT TERM
    # Not under /tmp: the gate trusts a program only when nobody but root can put another in its place.
    stage=$(mktemp -d /var/lib/kuraban-test.XXXXXX)
    chmod 0755 "$stage"
    log=$stage/log mount=$stage/mnt store=$stage/store client=$stage/programs/client
    : > "$log"
    mkdir "$stage/programs" "$stage/stick.d"
    mkdir -m 0777 "$mount" "$store" "$stage/outside"
    echo 'notice' > "$stage/stick.d/notice.txt"
    cp /bin/true "$stage/stick.d/tool"
    chmod 0777 "$stage/stick.d" "$stage/stick.d"/*
    truncate -s 8M "$stage/stick.img"
    mkfs.ext4 -q -L STICK -d "$stage/stick.d" "$stage/stick.img"
    loop=$(losetup --find --show "$stage/stick.img")
    echo '000000000018,Yamada Hanako' > "$store/residents.csv"
    chmod 0666 "$store/residents.csv"
    cp /bin/cat "$client"
    write_config <<< 'keeper: on'
    write_policy 1 read
}

enforcing() { holds '.enforcing' status; }
answers() { kuraban status > /dev/null 2>&1; }
guarded() { holds 'any(.[]; .kind == "medium" and .guarded)' devices; }

daemon_launch() {
    "${programs:-$KURABAN_BUILD/bin}/kuraband" --config "$stage/kuraban.yaml" --foreground >> "$log" 2>&1 < /dev/null &
    daemon_pid=$!
    disown "$daemon_pid"
}

daemon_start() { daemon_start_until enforcing; }

daemon_start_until() { # CONDITION
    daemon_launch
    wait_until 20 "$1" || { cat "$log" >&2; fail "kuraband does not come up"; }
}

daemon_kill() { # SIGNAL
    kill "-$1" "$daemon_pid"
    eventually "the daemon's end" 20 ended "$daemon_pid"
}

plug() {
    mountpoint -q "$mount" || mount "$loop" "$mount" 2> /dev/null || mount -o ro "$loop" "$mount"
    eventually "the stick's mark" 10 guarded
}

# The keepers of this stage: they inherit their daemon's error stream, which is our log.
keepers() {
    local file
    while read -r file; do
        if [ "$(readlink "${file%/comm}/fd/2" 2> /dev/null)" = "$log" ]; then
            basename "${file%/comm}"
        fi
    done < <(grep -lx kuraban-keeper /proc/[0-9]*/comm 2> /dev/null)
}

one_keeper() { [ "$(keepers | wc -l)" = 1 ]; }
no_keeper() { [ -z "$(keepers)" ]; }

# The exporting processes of this stage, in the same way: others may test at the same time.
workers() {
    local file
    while read -r file; do
        [ "$(readlink "${file%/comm}/fd/2" 2> /dev/null)" != "$log" ] || basename "${file%/comm}"
    done < <(grep -lx kuraban-export /proc/[0-9]*/comm 2> /dev/null)
}

no_worker() { [ -z "$(workers)" ]; }

let_go() {
    local pid
    if [ -n "$daemon_pid" ] && kill -0 "$daemon_pid" 2> /dev/null; then
        kill -CONT "$daemon_pid"
        timeout 20 "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" purge --yes > /dev/null 2>&1 || kill -KILL "$daemon_pid"
        wait_until 20 ended "$daemon_pid" || kill -KILL "$daemon_pid"
    fi
    for pid in $(keepers); do
        kill -KILL "$pid"
        wait_until 10 ended "$pid"
    done
}

stage_end() {
    local code=$? pid inner
    trap - EXIT
    set +e
    [ "$code" -eq 0 ] || [ "$code" -eq 77 ] || { echo "--- kuraband's log:"; tail -n 40 "$log"; } >&2
    for pid in "${helpers[@]}"; do
        kill -KILL "$pid" 2> /dev/null
        wait "$pid" 2> /dev/null
    done
    [ -z "$log" ] || let_go
    if [ -n "$stage" ]; then
        while read -r inner; do
            umount "$inner" || umount -l "$inner"
        done < <(awk -v at="$stage/" 'index($5, at) == 1 {print $5}' /proc/self/mountinfo | sort -r)
    fi
    if [ -n "$loop" ]; then
        blockdev --setrw "$loop"
        losetup -d "$loop"
    fi
    if [ -n "$log" ] && grep -Eq 'Sanitizer|runtime error:' "$log"; then
        grep -E -A 20 'Sanitizer|runtime error:' "$log" >&2
        [ "$code" -ne 0 ] || code=1
    fi
    [ -z "$stage" ] || rm -rf --one-file-system "$stage"
    [ "$code" -ne 0 ] || [ "$reached" = yes ] || { echo "FAILED: ended before its end" >&2; code=1; }
    exit "$code"
}

reached=no
finished() { reached=yes; }
