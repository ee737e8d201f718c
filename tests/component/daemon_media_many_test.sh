#!/bin/bash
# More block devices than are looked at, as anybody can have them made who may set up loop devices: nobody is left with what they had, kuraband
# starts nevertheless, and when they are gone everything is as before. /sys/class/block is a copy here, in a mount namespace of its own.
set -euo pipefail
if [ -z "${in_namespace-}" ]; then
    [ "$(id -u)" = 0 ] || { echo "SKIP: needs root"; exit 77; }
    in_namespace=yes exec unshare -m "$0"
fi
. "${0%/*}/daemon/stage.sh"

MANY=4200
names() { # make or remove
    python3 - "$1" "$MANY" << 'PY'
import os, sys
for i in range(int(sys.argv[2])):
    path = f"/sys/class/block/loop{70000 + i}"
    if sys.argv[1] == "make":
        os.symlink("../../devices/virtual/block/loop0/absent", path)
    else:
        os.unlink(path)
PY
}
unplugged() { ! mountpoint -q "$mount"; }
refused_unseen() { holds 'any(.[]; .kind == "medium" and .verdict == "deny" and .reason == "unknown")' devices; }
permitted() { holds 'any(.[]; .kind == "medium" and .verdict == "allow")' devices; }
shown() { compgen -G "$stage/run/media/${loop#/dev/}-*" > /dev/null; } # what udev goes by
alarms() { # how many
    kuraban sync > /dev/null
    [ "$(kuraban audit show --json | jq -s 'map(select(.message? // "" | startswith("which media there are cannot be read (error 7)"))) | length')" = "$1" ]
}

ended_for() { # REASON
    kuraban sync > /dev/null
    kuraban audit show --json | jq -se "any(.[]; .event.action == \"export-failed\" and .event.reason == \"$1\")" > /dev/null
}

stage_make
mkdir "$stage/links"
cp -a /sys/class/block/. "$stage/links/"
mount -t tmpfs tmpfs /sys/class/block
cp -a "$stage/links/." /sys/class/block/
[ -e "/sys/class/block/${loop#/dev/}/ro" ] || fail "the copy leads nowhere"
echo "take me" > "$stage/outside/a.txt"
chmod 0644 "$stage/outside/a.txt"
write_policy 1 export '' "$(printf 'export:\n  - {id: out, to: [stick], from: [elsewhere], container: plain, factors: none, approvals: 0}\n')"
daemon_start
plug
allowed as_user cat "$mount/notice.txt"
shown || fail "it is not shown"

# An export that has begun and waits for its files.
mkfifo "$stage/go"
( as_user "${0%/*}/daemon/exporting.py" "$stage/run" "$loop" --pass "$stage/outside/a.txt" < "$stage/go" > "$stage/said" 2>&1 ) &
helpers+=("$!")
exec 3> "$stage/go"
eventually "an export has begun" 20 grep -q begun "$stage/said"

names make
eventually "the medium is refused" 20 refused_unseen
eventually "the export is ended" 20 ended_for unknown
echo >&3 || : # it may have gone by itself
exec 3>&-
eventually "it is detached" 20 unplugged
shown && fail "udev shows it still"
eventually "an alarm" 20 alarms 1
exits 4 as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" export --to "$loop" --reason many "$stage/outside/a.txt"
mount -o ro "$loop" "$mount"
eventually "mounted again, and detached again" 20 unplugged
alarms 1 || fail "the alarm is not told once"
note "too many to look at: refused, detached, an alarm"

daemon_kill KILL
mount -o ro "$loop" "$mount"
daemon_start_until answers
eventually "refused by the next kuraband" 20 refused_unseen
eventually "detached by the next kuraband" 20 unplugged
eventually "its own alarm" 20 alarms 2
note "started like that: refused"

names remove
eventually "permitted again" 20 permitted
plug
allowed as_user cat "$mount/notice.txt"
shown || fail "it is not shown again"
write_policy 2 refuse
exits 0 kuraban reload
eventually "a policy that refuses it" 20 unplugged
note "everything is as before"
finished
