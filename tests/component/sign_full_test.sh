#!/bin/bash
# A disk that is full while keys are made and documents signed: exit 5 and the reason, no new file, no half one, no temporary one,
# and what stood there stands there unchanged.
set -euo pipefail

if [ "${1-}" != inside ]; then
    unshare --mount --map-root-user true 2> /dev/null || { echo "SKIP: no mount namespace can be made here"; exit 77; }
    exec unshare --mount --map-root-user "$0" inside
fi
stage=$(mktemp -d)
trap 'cd /; umount "$stage/disk" 2> /dev/null; rm -rf "$stage"' EXIT
cd "$stage"
export LC_ALL=C.UTF-8

kuraban() { "$KURABAN_BUILD/bin/kuraban" "$@"; }
fail() { echo "FAILED: $*" >&2; cat "$stage/out" >&2; exit 1; }
note() { echo "  $*"; }

umask 077
echo "correct horse battery staple" > passphrase
for who in tanaka suzuki; do kuraban policy keygen --name $who --out $who --passphrase-file passphrase > out; done
cat > policy.yaml << 'YAML'
format: kuraban-policy/1
organization: matsudo.example
name: 課税課 標準
version: 1
mode: enforce
usb:
  - {id: stick, allow: read, match: {device: "0781:5583"}}
YAML
root=(--organization matsudo.example --expires "$(date -I -d '+1 year')" --root-key tanaka.pub --root-key suzuki.pub
    --policy-key tanaka.pub --policy-key suzuki.pub --head-key suzuki.pub)
sign() { kuraban policy sign --yes --passphrase-file passphrase --key "$@"; }
kuraban policy root create "${root[@]}" --out root.json > out 2>&1
sign tanaka policy.yaml > out

mkdir disk
mount -t tmpfs -o size=16k,nr_inodes=16 tmpfs disk
cp policy.yaml.signed root.json disk/
cp policy.yaml.signed disk/head.json # something that is replaced
head -c 1M /dev/zero > disk/filler 2> /dev/null || :
[ "$(df --output=avail disk | tail -n 1)" -eq 0 ] || fail "the disk is not full"
state() { ( cd disk && sha256sum -- * && find . ! -name . | sort ); }
before=$(state)

# full command…
full() {
    local status=0
    "$@" > out 2>&1 || status=$?
    [ "$status" = 5 ] || fail "exit $status instead of 5: $*"
    grep -q "No space left on device" out || fail "no reason: $*"
    [ "$(state)" = "$before" ] || { state >&2; fail "something was left or changed: $*"; }
}

full kuraban policy keygen --name sato --out disk/sato --passphrase-file passphrase
full kuraban policy root create "${root[@]}" --out disk/new.json
full kuraban policy root rotate root.json --expires "$(date -I -d '+2 years')" --out disk/new.json
full kuraban policy root sign --yes --passphrase-file passphrase --key tanaka disk/root.json
full sign tanaka policy.yaml --out disk/new.signed
full sign suzuki disk/policy.yaml.signed
sign suzuki policy.yaml.signed > out
for who in tanaka suzuki; do kuraban policy root sign --yes --passphrase-file passphrase --key $who root.json > out; done
full kuraban policy head --root root.json --key suzuki --passphrase-file passphrase --group kazei --policy policy.yaml.signed --version 1 \
    --out disk/head.json
full kuraban policy bundle --policy policy.yaml.signed --root root.json --out disk/head.json
note "a full disk leaves everything as it was"

# An answer that nobody can read is no answer.
status=0
kuraban policy verify --root root.json policy.yaml.signed > /dev/full 2> out || status=$?
[ "$status" = 5 ] || fail "exit $status with an answer that was lost"

# A limit on the size of files comes with a signal that would end the program in the middle.
status=0
( ulimit -f 0; kuraban policy keygen --name ono --out ono --passphrase-file passphrase ) > /dev/null 2>&1 || status=$?
[ "$status" != 0 ] || fail "a limit of 0 bytes was not noticed"
find . -name '*ono*' > out
[ ! -s out ] || fail "left behind"
note "nor does a limit"
echo "nothing half is ever there"
