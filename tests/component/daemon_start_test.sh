#!/bin/bash
# Starts that must fail: one line with the cause, a known exit code, nothing left behind. And the command line.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

kuraband() { "$KURABAN_BUILD/bin/kuraband" "$@"; }

clean() {
    [ -z "$(keepers)" ] || fail "$1: a keeper is left behind"
    [ ! -e "$stage/run/control.sock" ] || fail "$1: a control socket is left behind"
    is_allowed as_user cat "$store/residents.csv" || fail "$1: the store is guarded by nobody"
}

fails() { # WHAT EXIT PATTERN: the daemon with the stage's configuration
    local got=0
    timeout 20 "$KURABAN_BUILD/bin/kuraband" --config "$stage/kuraban.yaml" > "$stage/out" 2>> "$stage/out" < /dev/null || got=$?
    cat "$stage/out" >> "$log"
    [ "$got" = "$2" ] || { cat "$stage/out"; fail "$1: exit $got instead of $2"; }
    grep -Eq "$3" "$stage/out" || { cat "$stage/out"; fail "$1: the cause is not told"; }
    [ "$(wc -l < "$stage/out")" -le 2 ] || { cat "$stage/out"; fail "$1: more than the cause is told"; }
    note "$1: $(head -n 1 "$stage/out" | cut -c 1-150)"
}

stage_make
exits 0 kuraband --version
exits 0 kuraband --help
exits 2 kuraband --nonsense
exits 2 kuraband word
exits 0 kuraband --config "$stage/kuraban.yaml" --check
exits 3 kuraband --config "$stage/absent.yaml"
exits 1 as_user "$KURABAN_BUILD/bin/kuraband" --config "$stage/kuraban.yaml"
grep -q 'must be root' "$stage/out" || fail "an ordinary person is not told"

mkdir "$stage/run" "$stage/state"
chmod 0777 "$stage/run"
fails "a run directory anybody may write to" 1 'run.*writable by root alone'
clean "unsafe run directory"
chmod 0755 "$stage/run"
chmod 0777 "$stage/state"
fails "a state directory anybody may write to" 1 'state.*writable by root alone'
chmod 0700 "$stage/state"
clean "unsafe state directory"

mount -t tmpfs -o ro,size=64k,mode=0700 tmpfs "$stage/state"
fails "a read-only state directory" 1 'EROFS'
umount "$stage/state"
clean "read-only state directory"

rm -r "$stage/run"
echo x > "$stage/run"
fails "a run directory that is a file" 1 'ENOTDIR|EEXIST'
rm "$stage/run"

write_config <<< 'nonsense: 1'
fails "an unknown key" 3 'kuraban.yaml:9:1: .*nonsense'
write_config <<< 'keeper: perhaps'
fails "an unknown value" 3 'kuraban.yaml:9:[0-9]+: '
printf '\0\1\2' > "$stage/kuraban.yaml"
fails "bytes" 3 'kuraban.yaml'
write_config <<< 'keeper: on'
clean "configuration"

# A mistake must not be taken for a running one.
programs=$stage/bin
mkdir "$programs"
cp "$KURABAN_BUILD/bin/kuraband" "$programs/"
got=0
"$programs/kuraband" --config "$stage/kuraban.yaml" > "$stage/out" 2>&1 < /dev/null || got=$?
if [ "$got" != 1 ] || ! grep -q "part=holder.*ENOENT" "$stage/out"; then
    cat "$stage/out"
    fail "a missing keeper: exit $got"
fi
programs=''

# Two on the same directories: the second goes, the first does not notice.
daemon_start
fails "a second daemon" 1 'EBUSY'
expect "the first" '.enforcing' status
refused as_user cat "$store/residents.csv"
one_keeper || fail "$(keepers | wc -l) keepers"
# The same journal from another run directory: refused as well, and its keeper goes with it.
sed "s,^run-directory:.*,run-directory: $stage/run2," "$stage/kuraban.yaml" > "$stage/second.yaml"
got=0
timeout 20 "$KURABAN_BUILD/bin/kuraband" --config "$stage/second.yaml" > "$stage/out" 2>> "$log" < /dev/null || got=$?
[ "$got" = 1 ] || fail "a second writer of the journal: exit $got"
eventually "one keeper" 5 one_keeper
expect "the first" '.enforcing' status

# What it leaves when it is purged: nothing.
exits 0 kuraban purge --yes
eventually "its end" 10 ended "$daemon_pid"
eventually "no keeper" 5 no_keeper
clean "purged"
[ "$(blockdev --getro "$loop")" = 0 ] || fail "purged: the stick is still read-only"
finished
