#!/bin/bash
# A stick that answers no write any more: its image lies on a filesystem that is frozen while files are written to it. Who writes hangs where no signal reaches
# them; the person is told, the turn is free for another stick, and this one stays hidden and read-only until it answers again.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"
. "${0%/*}/daemon/writing.sh"

under='' under_loop='' other=''
thaw() { fsfreeze --unfreeze "$under" 2> /dev/null; }
tidy_up() {
    local code=$?
    set +e
    thaw
    umount "$mount" 2> /dev/null
    [ -z "$other" ] || { blockdev --setrw "$other"; losetup -d "$other"; }
    if [ -n "$under" ]; then
        let_go # it has the stick, and that lies there
        daemon_pid=''
        blockdev --setrw "$loop"
        losetup -d "$loop"
        loop=''
        umount "$under" || umount -l "$under"
    fi
    [ -z "$under_loop" ] || losetup -d "$under_loop"
    (exit "$code")
    stage_end
}
stick_on_a_filesystem_of_its_own() {
    under=$stage/under
    mkdir "$under"
    truncate -s 600M "$stage/under.img"
    mkfs.ext4 -q "$stage/under.img"
    under_loop=$(losetup --find --show "$stage/under.img")
    blockdev --setrw "$under_loop" # the flag outlives who had this loop device before
    mount -w "$under_loop" "$under"
    losetup -d "$loop"
    truncate -s 400M "$under/stick.img"
    mkfs.ext4 -q -L STICK "$under/stick.img"
    losetup "$loop" "$under/stick.img" 2> /dev/null || loop=$(losetup --find --show "$under/stick.img")
    fsfreeze --freeze "$under" || skip "no filesystem can be frozen here"
    fsfreeze --unfreeze "$under"
}
take_out() { as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" export --to "$loop" --reason hangs "$@"; }
take_out_to_other() { as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" export --to "$other" --reason other "$@"; }
hangs() { # somebody waits where no signal reaches them
    local pid
    for pid in $(workers); do
        if grep -q '^State:[[:space:]]*D' "/proc/$pid/status" 2> /dev/null; then return 0; fi
    done
    return 1
}
has_ended() { ended "$client_pid"; }
last_end() { journal | jq -r 'select(.event.action == "export-failed") | .event.reason' | tail -n 1; }
has_new_end() { [ "$(journal | wc -l)" -ge $((before + 2)) ]; }
has_reason() { [ "$(last_end)" = "$1" ]; }
is_shown() { [ -e "$stage/run/media/$(basename "$loop")-$(cat "/sys/class/block/${loop#/dev/}/diskseq")" ]; }

stage_make
trap tidy_up EXIT
stick_on_a_filesystem_of_its_own
truncate -s 8M "$stage/other.img"
mkfs.ext4 -q -L OTHER "$stage/other.img"
other=$(losetup --find --show "$stage/other.img")
head -c 200M /dev/urandom > "$stage/outside/f.bin"
echo "take me" > "$stage/outside/a.txt"
write_config << YAML
keeper: on
medium-patience-seconds: 5
YAML
sed -i "s|^exits: .*|exits: [$loop, $other]|" "$stage/kuraban.yaml"
write_policy 1 export '' "$(printf 'export:\n  - {id: out, to: [stick, other], factors: none, approvals: 0, from: [elsewhere], container: plain}\n')"
sed -i "s|^    - {id: stick, .*|&\n    - {id: other, match: {bus: loop, path: $other}, allow: export}|" "$stage/policy.yaml"
daemon_start

plug
eventually "the stick is shown" 10 is_shown
umount "$mount"
before=$(sectors_written)
take_out "$stage/outside/f.bin" > "$stage/typed" 2>&1 < /dev/null &
client_pid=$!
eventually "the first writes" 60 has_written
fsfreeze --freeze "$under"
begin=$(now_ms)
eventually "somebody hangs" 20 hangs
eventually "the person is told" 30 has_ended
note "$(($(now_ms) - begin)) ms until it was given up"
! wait "$client_pid" || fail "exported to a stick that takes nothing"
grep -q 'does not answer' "$stage/typed" || fail "not told why: $(cat "$stage/typed")"
grep -q 'Pull it out' "$stage/typed" || fail "not told what to do: $(cat "$stage/typed")"
eventually "the end in the journal" 10 has_reason hangs
hangs || fail "nobody hangs any more: this tests nothing"
read_only || fail "the flag is not set"
! is_shown || fail "a stick is shown that somebody has mounted writable"
# Nobody's next export waits for it.
exits 5 take_out "$stage/outside/a.txt"
grep -q 'in use' "$stage/out" || fail "not told that this stick is in use: $(cat "$stage/out")"
mount "$other" "$mount"
eventually "the other stick's mark" 10 guarded
umount "$mount"
exits 0 take_out_to_other "$stage/outside/a.txt"
hangs || fail "who hung was let go: this tests nothing"
! is_shown || fail "a stick is shown that somebody has mounted writable"

# It answers again: who hung ends, and what was left of it goes with the next export.
thaw
eventually "the end of who hung" 30 no_worker
eventually "the stick is shown again" 20 is_shown
read_only || fail "the flag is not set"
plug
exits 0 take_out "$stage/outside/a.txt"
mkdir "$stage/look"
unshare -m sh -c "mount -o ro,noload '$loop' '$stage/look' && ls -A '$stage/look'" > "$stage/left" || fail "it does not mount"
grep -qx 'a.txt' "$stage/left" || fail "what was exported is not there"
if grep -qx 'f.bin' "$stage/left" || grep '^\.kuraban' "$stage/left"; then fail "what hung left something: $(cat "$stage/left")"; fi

# It does not even let itself be mounted: that hangs between the cleared flag and the set one.
eventually "the stick is shown" 10 is_shown
before=$(journal | wc -l)
fsfreeze --freeze "$under"
begin=$(now_ms)
exits 5 take_out "$stage/outside/a.txt"
grep -q 'does not answer' "$stage/out" || fail "not told why: $(cat "$stage/out")"
note "$(($(now_ms) - begin)) ms until the mounting was given up"
eventually "the end in the journal" 10 has_new_end
has_reason hangs || fail "the journal says: $(last_end)"
hangs || fail "nobody hangs: this tests nothing"
read_only || fail "the flag is not set"
! is_shown || fail "a stick is shown that somebody mounts writable"
thaw
eventually "the end of who hung" 30 no_worker
eventually "the stick is shown again" 20 is_shown
read_only || fail "the flag is not set"
# An ext4 that was left so has a journal to be replayed, which the next export does; until then it is read without.
mount -o ro,noload "$loop" "$mount"
eventually "the stick's mark" 10 guarded
exits 0 take_out "$stage/outside/a.txt"
umount "$mount" 2> /dev/null || : # it is gone if the export took it
plug
allowed as_user cat "$mount/a (2).txt"
expect "the journal" '.ok' audit verify
finished
