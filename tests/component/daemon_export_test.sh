#!/bin/bash
# Files taken out to a loop-backed stick by a real kuraband: what reaches it, what does not, and what the journal says of it.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

# As the ordinary person.
take_out() { as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" export --to "$loop" --reason "月次報告" "$@"; }
version=1
rule() { # VERSION-LESS: further keys of the one export rule
    version=$((version + 1))
    write_policy $version export '' "$(printf 'export:\n  - {id: out, to: [stick], factors: none, approvals: 0, %s}\n' "$1")"
    exits 0 kuraban reload
}
read_only() { [ "$(cat "/sys/class/block/${loop#/dev/}/ro")" = 1 ]; }
on_stick() { # what a reader elsewhere finds, one name a line
    mkdir -p "$stage/look"
    unshare -m sh -c "mount -o ro,noload '$stage/stick.img' '$stage/look' && find '$stage/look' -mindepth 1 ! -name lost+found -printf '%P\n' | sort"
}
copy_of() { # NAME: of the stick, as $stage/copy
    rm -rf "$stage/copy"
    unshare -m sh -c "mount -o ro,noload '$stage/stick.img' '$stage/look' && cp -r '$stage/look/$1' '$stage/copy'"
}
records() { # ACTION [jq-filter]
    kuraban sync > /dev/null
    kuraban audit show --json | jq -c "select(.event.action == \"$1\") | ${2-.}"
}
last() { records "$@" | tail -n 1; }
same() { # what expected got
    [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}
is_refused_for() { # REASON WORDS take_out…: exit 4, these words, in the journal with this reason; nothing new on the stick
    local before=$1 reason=$1 words=$2
    shift 2
    before=$(on_stick)
    exits 4 "$@"
    grep -q -- "$words" "$stage/out" || { cat "$stage/out" >&2; fail "not refused with the words '$words'"; }
    same "the journal's reason" "$reason" "$(last export-file 'select(.kuraban.verdict == "deny") | .event.reason' | tr -d '"')"
    same "the end in the journal" '"refused"' "$(last export-failed .event.reason)"
    same "what is on the stick" "$before" "$(on_stick)"
    settled
}
ended_all() { [ "$(records export-started .kuraban.export.id | sort)" = "$( { records export-finished .kuraban.export.id; records export-failed ".kuraban.export.id // empty"; } | sort -u)" ]; }
settled() { # after any export
    eventually "the worker's end" 20 no_worker
    eventually "the stick is read-only" 5 read_only
    ended_all || fail "an export began and has no end in the journal"
    same "what is left of staging" "" "$(ls -A "$stage/state/export")"
}

command -v 7z > /dev/null || skip "7z (p7zip-full) is missing"
command -v cryptsetup > /dev/null || skip "cryptsetup (cryptsetup-bin) is missing"
stage_make
echo "zip me" > "$stage/outside/a.txt"
printf '番号,氏名\n1,山田\n' > "$stage/outside/名簿.csv"
mkdir "$stage/outside/other"
echo "another a" > "$stage/outside/other/a.txt"
chmod 0700 "$stage/outside/other"
chown -R "$person:$person" "$stage/outside"
echo "root's" > "$stage/outside/secret"
chmod 0600 "$stage/outside/secret"
daemon_start
plug

# A zip: it opens elsewhere with the password that was shown, and only with it.
rule 'from: [juki, elsewhere], container: zip-aes256, per-day: {files: 5}'
exits 0 take_out --json "$stage/outside/a.txt" "$stage/outside/名簿.csv" "$stage/outside/other/a.txt" "$store/residents.csv"
settled
password=$(jq -r .password "$stage/out") name=$(jq -r .name "$stage/out")
[[ $password =~ ^([0-9A-Z]{5}-){4}[0-9A-Z]{5}$ ]] || fail "password '$password'"
same "the stick" "$(printf '%s\n' "$name" notice.txt tool | sort)" "$(on_stick)"
copy_of "$name"
mkdir "$stage/unpacked"
7z x -p"$password" -o"$stage/unpacked" "$stage/copy" > "$stage/out" || { cat "$stage/out"; fail "7z does not open it"; }
same "its names" "$(printf '%s\n' 'a (2).txt' a.txt residents.csv 名簿.csv | LC_ALL=C sort)" "$(find "$stage/unpacked" -type f -printf '%P\n' | LC_ALL=C sort)"
cmp "$stage/unpacked/名簿.csv" "$stage/outside/名簿.csv"
cmp "$stage/unpacked/a (2).txt" "$stage/outside/other/a.txt"
echo '000000000018,Yamada Hanako' | cmp - "$stage/unpacked/residents.csv"
7z l -slt -pwrong "$stage/copy" | grep -q 'Method = AES-256' || fail "it is not AES-256"
7z t -pwrong "$stage/copy" > "$stage/out" 2>&1 && fail "it opens with another password"
is_kept "$name" || fail "the search does not find the name that is there"
! is_kept "$password" || fail "the password is in the state directory or the log"
same "its digest in the journal" "\"$(sha256sum < "$stage/copy" | cut -d' ' -f1)\"" "$(last export-finished .kuraban.export.sha256)"
same "a file's digest in the journal" "\"$(sha256sum < "$stage/unpacked/residents.csv" | cut -d' ' -f1)\"" "$(last export-file .kuraban.export.sha256)"
same "its store in the journal" '["juki","3B"]' "$(last export-file '[.kuraban.store, .kuraban.class]')"
same "who, why and where in the journal" "[\"$person\",\"月次報告\",\"$loop\",\"zip-aes256\",4]" \
    "$(last export-finished '[.user.id, .kuraban.export.reason, .device.node, .kuraban.export.container, .kuraban.export.files]')"
plug
allowed as_user cat "$mount/notice.txt"
allowed as_user head -c 4 "$mount/$name"
# Only the stager came in.
refused as_user cat "$store/residents.csv"

# The day's count is kept over a restart, and the whole export is refused for one file too many.
daemon_kill KILL
daemon_start
plug
is_refused_for limit 'in one day' take_out "$stage/outside/a.txt" "$stage/outside/名簿.csv"

# Permissions are the person's own: a name is no right, nor is a descriptor.
rule 'from: [juki, elsewhere], container: plain, file-max: 100K'
is_refused_for unreadable 'permissions' take_out "$stage/outside/secret" "$stage/outside/a.txt"
# What asks for the effective user, not for the one of files.
is_refused_for unreadable 'permissions' take_out /proc/sys/vm/stat_refresh
head -c 200K /dev/urandom > "$stage/outside/large.bin"
is_refused_for size 'larger' take_out "$stage/outside/large.bin"
( as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" why ) > "$stage/out"
grep -q 'Taking out large.bin was refused' "$stage/out" || { cat "$stage/out"; fail "why does not tell of it"; }
is_refused_for size 'larger' take_out "$stage/outside/a.txt" "$stage/outside/large.bin"
rule 'from: [elsewhere], container: plain'
is_refused_for source 'rule\|taken out' take_out "$stage/outside/a.txt" "$store/residents.csv"
ln "$store/residents.csv" "$stage/outside/link.csv" # the same file by another name
is_refused_for source 'rule\|taken out' take_out "$stage/outside/link.csv"
rm "$stage/outside/link.csv"
rule 'from: [juki, elsewhere], container: plain, content: {uninspectable: refuse}'
# No file could come through: so nothing begins.
exits 4 take_out "$stage/outside/a.txt"
grep -q 'does not let out' "$stage/out" || { cat "$stage/out" >&2; fail "not refused for want of an inspector"; }
same "a rule that permits nothing, in the journal" '["content","out"]' "$(last export-failed '[.event.reason, .rule.id]')"
settled
exits 5 take_out "$stage/outside" /dev/null "$stage/outside/missing"
same "told of each" 3 "$(grep -c "$stage/outside\|/dev/null" "$stage/out")"

# LUKS: the real cryptsetup opens it with the password that was shown, and only with it; what it decrypts (itself, without device mapper) is
# a filesystem without a fault, that the kernel mounts and does not write to.
rule 'from: [juki, elsewhere], container: luks'
exits 0 take_out "$stage/outside/a.txt" "$stage/outside/名簿.csv" "$stage/outside/other/a.txt" "$store/residents.csv"
settled
password=$(sed -n 's/^Password: //p' "$stage/out") name=$(sed -n 's/^4 files are on .*: //p' "$stage/out")
same "what opens it" cryptsetup "$(grep -o 'cryptsetup\|7-Zip' "$stage/out")"
[[ $name == *.luks.img ]] || fail "its name is '$name'"
copy_of "$name"
same "its digest in the journal" "\"$(sha256sum < "$stage/copy" | cut -d' ' -f1)\"" "$(last export-finished .kuraban.export.sha256)"
same "its container in the journal" '"luks"' "$(last export-finished .kuraban.export.container)"
is_kept "$name" || fail "the search does not find the name that is there"
! is_kept "$password" || fail "the password is in the state directory or the log"
cryptsetup luksDump --dump-json-metadata "$stage/copy" > "$stage/out"
same "how it is encrypted" '["aes-xts-plain64",64,"argon2id",4,65536,1]' \
    "$(jq -c '[.segments["0"].encryption, .keyslots["0"].key_size] + (.keyslots["0"].kdf | [.type, .time, .memory, .cpus])' "$stage/out")"
grep -qa '山田' "$stage/copy" && fail "it lies there in the clear"
printf wrong | cryptsetup open --test-passphrase --key-file - "$stage/copy" 2> "$stage/out" && fail "it opens with another password"
printf %s "$password" | cryptsetup reencrypt --decrypt --header "$stage/header" --force-offline-reencrypt --batch-mode --key-file - "$stage/copy"
e2fsck -fn "$stage/copy" > "$stage/out" 2>&1 || { cat "$stage/out"; fail "its filesystem is damaged"; }
rm -r "$stage/unpacked"
mkdir "$stage/unpacked"
unshare -m sh -c "mount -o loop '$stage/copy' '$stage/look' && cp -rp '$stage/look/.' '$stage/unpacked' && ! touch '$stage/look/x'" 2> /dev/null \
    || fail "it does not mount, or is writable"
same "its names" "$(printf '%s\n' 'a (2).txt' a.txt residents.csv 名簿.csv | LC_ALL=C sort)" "$(find "$stage/unpacked" -mindepth 1 -printf '%P\n' | LC_ALL=C sort)"
cmp "$stage/unpacked/名簿.csv" "$stage/outside/名簿.csv"
cmp "$stage/unpacked/a (2).txt" "$stage/outside/other/a.txt"
echo '000000000018,Yamada Hanako' | cmp - "$stage/unpacked/residents.csv"

# What packs speaks to who asks, for the password; to kuraband it has nothing to say, not even that it is finished.
head -c 100M /dev/urandom > "$stage/outside/large.bin"
packers() { # in the cage, with what is staged and what is packed
    local pid
    for pid in $(workers); do
        if grep -q '^Seccomp:[[:space:]]*2' "/proc/$pid/status" && [ "$(find "/proc/$pid/fd" -lname "$stage/state/export/*" | wc -l)" = 2 ]; then
            find "/proc/$pid/fd" -lname 'socket:*' | wc -l > "$stage/sockets"
        fi
    done 2> /dev/null
    [ -s "$stage/sockets" ]
}
rule 'from: [elsewhere], container: zip-aes256'
take_out "$stage/outside/large.bin" > "$stage/typed" 2>&1 < /dev/null &
client_pid=$!
eventually "it packs" 60 packers
kill -INT "$client_pid"
wait "$client_pid" && fail "exported though nobody waits for it"
same "whom it can speak to" 1 "$(cat "$stage/sockets")"
settled

# What must go into the one may not go into the other.
version=$((version + 1))
write_policy $version export '' "$(printf 'export:\n'; printf '  - {id: %s, to: [stick], factors: none, approvals: 0, from: [%s], container: %s}\n' a juki luks b elsewhere zip-aes256)"
exits 0 kuraban reload
exits 5 take_out "$stage/outside/a.txt" "$store/residents.csv"
grep -q 'separately' "$stage/out" || { cat "$stage/out"; fail "not told to take them out separately"; }
settled

# Plain: one file under its own name, never over another; several in one directory.
rule 'from: [elsewhere], container: plain'
exits 0 take_out "$stage/outside/a.txt"
exits 0 take_out "$stage/outside/other/a.txt"
exits 0 take_out --json "$stage/outside/a.txt" "$stage/outside/other/a.txt"
name=$(jq -r .name "$stage/out")
settled
copy_of 'a (2).txt'
cmp "$stage/copy" "$stage/outside/other/a.txt"
copy_of "$name"
cmp "$stage/copy/a (2).txt" "$stage/outside/other/a.txt"

# No room; and what is called like something unfinished, but is of no export of this terminal, stays and is in nobody's way.
before=$(on_stick)
head -c 9M /dev/urandom > "$stage/outside/large.bin"
exits 5 take_out "$stage/outside/large.bin"
grep -q 'no room' "$stage/out" || fail "not told of the full stick"
same "the end in the journal" '"full"' "$(last export-failed .event.reason)"
same "a full stick" "$before" "$(on_stick)"
settled
# kuraband may set the flag again between the two: whenever it looks at its media, as after a mount anywhere. A mount that is there stays writable.
somebody_writes() {
    unshare -m sh -c "blockdev --setrw $loop && mount -w $loop '$stage/look' && mkdir -p '$stage/look/.kuraban-0123456789abcdef.part/b' && echo mine > '$stage/look/.kuraban-x.part' && umount '$stage/look'" 2> "$stage/out"
}
eventually "root writes to the stick" 10 somebody_writes
blockdev --setro "$loop"
exits 0 take_out "$stage/outside/名簿.csv"
same "what is somebody's" "$(printf '%s\n' .kuraban-0123456789abcdef.part .kuraban-0123456789abcdef.part/b .kuraban-x.part)" "$(on_stick | grep '^\.kuraban')"
settled

# Somebody reads on the stick all the while: told that it is in use, and it stays as it is.
plug
exec 9< "$mount/notice.txt"
before=$(on_stick)
exits 5 take_out "$stage/outside/a.txt"
grep -q 'in use' "$stage/out" || { cat "$stage/out"; fail "not told that it is in use"; }
same "a busy stick" "$before" "$(on_stick)"
settled
# Stopped while it waits for them: it never had the stick, so neither the stick nor everybody's next export waits until they close the file.
is_shown() { [ -n "$(ls -A "$stage/run/media")" ]; }
is_hidden() { ! is_shown; }
eventually "the stick is shown" 10 is_shown
take_out "$stage/outside/a.txt" > "$stage/stopped" 2>&1 < /dev/null &
client_pid=$!
eventually "the stick is hidden" 10 is_hidden
rule 'from: [elsewhere], container: plain'
eventually "the stick is shown again" 5 is_shown
same "why it ended" '"policy"' "$(last export-failed .event.reason)"
wait "$client_pid" && fail "exported to a stick that is in use"
exec 9<&-
settled

# To what is no target, and without a terminal for the code.
write_policy 90 read
exits 0 kuraban reload
exits 4 take_out "$stage/outside/a.txt"
version=90
write_policy 91 export '' "$(printf 'export:\n  - {id: out, to: [stick], from: [elsewhere], container: plain, factors: totp, approvals: 0}\n')"
exits 0 kuraban reload
exits 2 take_out "$stage/outside/a.txt"
expect "the journal" '.ok' audit verify
finished
