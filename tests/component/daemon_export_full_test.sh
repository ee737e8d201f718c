#!/bin/bash
# `audit: {when-full: refuse-export}`: with no room for the journal nothing is taken out, nobody is asked for a code, and media are read as before;
# with room again it goes on.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

take_out() { as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" export --to "$loop" --reason full "$@"; }
is_low() { holds '.journal.state == "low"' status; }
is_normal() { holds '.journal.state == "normal"' status; }
# Refusals until the lack of space is noticed: the room of older, larger segments comes free meanwhile.
fill() { dd if=/dev/zero bs=64k status=none >> "$stage/state/filler" 2> /dev/null && fail "the disk is not full"; return 0; }
sweep() { ( as_user bash -c 'for f in "$1"/*; do : < "$f"; done' sweep "$store" ) 2> /dev/null || :; }
noticed() { fill; sweep; kuraban sync > /dev/null 2>&1 || :; is_low; }
on_stick() { unshare -m sh -c "mount -o ro,noload '$stage/stick.img' '$stage/look' && ls -A '$stage/look'"; }
begun() { grep -c '"export-started"' < <(kuraban audit show --json) || :; }
refusal_is_recorded() { # from the reserve, when that has been given up
    kuraban sync > /dev/null 2>&1 || :
    [ "$(kuraban audit show --json | jq -c 'select(.event.action == "export-failed") | [.event.reason, .rule.id]' | tail -n 1)" = '["journal","out"]' ]
}
policy() { # VERSION FACTORS WHEN-FULL
    write_policy "$1" export '' "$(printf '%s\n' 'export:' "  - {id: out, to: [stick], from: [elsewhere], container: plain, factors: $2, approvals: 0}" \
        "audit: {when-full: $3, segment-size: 64K, keep: 1y}")"
}

stage_make
mkdir -m 0700 "$stage/state"
mkdir "$stage/look"
mount -t tmpfs -o size=160M,mode=0700 tmpfs "$stage/state"
for i in {1..200}; do echo x > "$store/$i"; done
chmod 0666 "$store"/*
echo "take me" > "$stage/outside/a.txt"
chmod 0644 "$stage/outside/a.txt"
policy 1 none refuse-export
daemon_start
eventually "normal at the start" 5 is_normal
plug
exits 0 take_out "$stage/outside/a.txt"
eventually "the worker's end" 20 no_worker
plug
before=$(on_stick) exports=$(begun)

eventually "the lack of space is noticed" 20 noticed
exits 4 take_out "$stage/outside/a.txt"
grep -q '\[rule out\]' "$stage/out" || { cat "$stage/out" >&2; fail "not told by which rule"; }
eventually "the refusal is in the journal" 10 refusal_is_recorded
[ "$(begun)" = "$exports" ] || fail "an export began"
[ "$(on_stick)" = "$before" ] || fail "something came to the stick"
allowed as_user cat "$mount/notice.txt"
allowed as_user "$client" "$store/residents.csv"
# Where a code is wanted it is not asked for.
rm "$stage/state/filler"
eventually "normal again" 20 is_normal
policy 2 totp refuse-export
exits 0 kuraban reload
plug
eventually "low again" 20 noticed
exits 4 take_out "$stage/outside/a.txt"
note "nothing leaves while the journal is full"

rm "$stage/state/filler"
eventually "normal again" 20 is_normal
exits 2 take_out "$stage/outside/a.txt"
grep -q 'no terminal to ask on' "$stage/out" || fail "no code is asked for when there is room again"
policy 3 none refuse-export
exits 0 kuraban reload
plug
exits 0 take_out "$stage/outside/a.txt"
[ "$(begun)" = $((exports + 1)) ] || fail "one more export"
expect "the journal" '.ok' audit verify
finished
