#!/bin/bash
# The state directory on a small filesystem that is filled up: refusals are recorded from the reserve, status tells, refuse-all refuses,
# and all is well when there is space again.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

is_low() { holds '.journal.state == "low"' status; }
is_normal() { holds '.journal.state == "normal"' status; }
refusals() { grep -c '"reason":"program"' < <(kuraban audit show --json) || :; }

# Every file tried once, each another record.
sweep() { ( as_user bash -c 'for f in "$1"/*; do : < "$f"; done' sweep "$store" ) 2> /dev/null || :; }

stage_make
mkdir -m 0700 "$stage/state"
mount -t tmpfs -o size=16M,mode=0700 tmpfs "$stage/state"
for i in {1..200}; do echo x > "$store/$i"; done
chmod 0666 "$store"/*
write_policy 1 read '' 'audit: {when-full: refuse-all, segment-size: 64K, keep: 1y}'
daemon_start
# The default segments do not fit; those of the policy do.
eventually "normal at the start" 5 is_normal
allowed as_user "$client" "$store/residents.csv"

dd if=/dev/zero of="$stage/state/filler" bs=64k status=none 2> /dev/null && fail "the disk is not full"
# What comes now has to go into the reserve; until that is noticed reading goes on, and is recorded.
noticed() { sweep; kuraban sync > /dev/null 2>&1; is_low; }
eventually "the lack of space is noticed" 15 noticed
note "low: $(value '.journal | "sequence \(.sequence) pending \(.pending) unrecorded \(.unrecorded)"' status)"
expect "doctor" 'any(.[]; .check == "journal.space" and .ok == false)' doctor

# refuse-all: not even the permitted program, since its reading cannot be recorded; and the refusal is.
eventually "the permitted program is refused" 5 is_refused as_user "$client" "$store/residents.csv"
expect "why" '.[0].reason == "journal"' why
before=$(refusals)
for _ in {1..20}; do refused as_user cat "$store/residents.csv"; done
kuraban sync > /dev/null 2>&1 || :
eventually "refusals from the reserve are on disk" 10 test "$(refusals)" -gt "$before"
expect "no refusal is lost" '.journal.pending == 0' status
# A daemon killed and started on a disk that is full to the last block still refuses, and records.
dd if=/dev/zero of="$stage/state/filler" bs=4k oflag=append conv=notrunc status=none 2> /dev/null && fail "there is a block left"
daemon_kill KILL
daemon_start_until answers
refused as_user cat "$store/residents.csv"
is_refused as_user "$client" "$store/residents.csv" || fail "the permitted program reads on a full disk after the restart"

rm "$stage/state/filler"
eventually "normal again" 20 is_normal
eventually "the permitted program reads again" 5 is_allowed as_user "$client" "$store/residents.csv"
eventually "enforcing" 10 enforcing
kuraban sync > /dev/null
expect "the journal" '.ok and .first_bad == null' audit verify
recorded journal-recovered || fail "the journal does not tell of its recovery"

# refuse-export leaves reading alone.
write_policy 2 read '' 'audit: {when-full: refuse-export, segment-size: 64K}'
exits 0 kuraban reload
dd if=/dev/zero of="$stage/state/filler" bs=64k status=none 2> /dev/null || :
eventually "low again" 15 noticed
allowed as_user "$client" "$store/residents.csv"
rm "$stage/state/filler"
eventually "normal at the end" 20 is_normal
daemon_kill TERM
exits 0 kuraban audit verify
finished
