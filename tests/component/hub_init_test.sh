#!/bin/bash
# kuraban-hub init: made once, whole or not at all, on a full disk and killed at any moment as well; and the first verbs on what it made.
# Runs beside others.
set -euo pipefail

if [ "${1-}" != inside ]; then
    unshare --mount --map-root-user true 2> /dev/null || { echo "SKIP: no mount namespace can be made here"; exit 77; }
    exec unshare --mount --map-root-user "$0" inside
fi
stage=$(mktemp -d)
trap 'cd /; if mountpoint -q "$stage/disk"; then umount "$stage/disk"; fi; rm -rf "$stage"' EXIT
cd "$stage"
export LC_ALL=C.UTF-8

hub() { "$KURABAN_BUILD/bin/kuraban-hub" --directory "$stage/centre" "$@"; }
kuraban() { "$KURABAN_BUILD/bin/kuraban" "$@"; }
fail() { echo "FAILED: $*" >&2; cat "$stage/out" >&2; exit 1; }
note() { echo "  $*"; }
# exits CODE COMMAND…
exits() {
    local want=$1 got=0
    shift
    "$@" > out 2>&1 || got=$?
    [ "$got" = "$want" ] || fail "exit $got instead of $want: $*"
}
says() { grep -qF -- "$1" out || fail "it does not say: $1"; }
# Nothing of it: neither the centre nor what it is made of.
nothing_in() { [ -z "$(ls -A "$1")" ] || fail "$1 is not empty: $(ls -A "$1")"; }
whole() {
    [ "$("$KURABAN_BUILD/bin/kuraban-hub" --directory "$1" --json journal | jq -r .state)" = whole ] || fail "$1: the journal is not whole"
    for f in head.pub keys/{operator,account,system,terminals,hub}.nk keys/head.{key,passphrase} keys/ca.key \
        tls/{ca.pem,server.pem,server.key} nats/nats.conf; do
        [ -s "$1/$f" ] || fail "$1/$f is missing"
    done
    openssl verify -CAfile "$1/tls/ca.pem" "$1/tls/server.pem" > out 2>&1 || fail "the certificate"
}
init=(init --organization matsudo.example --address hub.example)

# --- wrong calls leave nothing ---
mkdir empty; cd empty
for bad in "init" "init --organization" "init --organization x --address a..b" "init --organization x --listen 1.2.3.4" \
    "init --organization x --listen hub:4222" "init --organization x --listen 1.2.3.4:0" "init --organization x --listen 1.2.3.4:65536" \
    "init --organization x --address h --certificate f" "init --organization x --address h word"; do
    # shellcheck disable=SC2086 # words
    ( cd ..; exits 2 "$KURABAN_BUILD/bin/kuraban-hub" --directory "$stage/empty/centre" $bad )
done
cd ..
exits 2 hub init --organization $'a\nb' --address h
exits 2 hub init --organization "$(printf 'x%.0s' {1..65})" --address h
exits 2 hub "${init[@]}" --adress h
nothing_in empty
[ ! -e centre ] || fail "a wrong call made a centre"
exits 5 hub token list
says "kuraban-hub init"

# --- certificates that are given ---
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout city.key -out city.pem -days 30 -subj /CN=city \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2> /dev/null
# certificate NAME DAYS
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout given.key -out given.csr -subj /CN=x 2> /dev/null
    openssl x509 -req -in given.csr -CA city.pem -CAkey city.key -days "$2" -out given.pem \
        -extfile <(echo "subjectAltName=DNS:$1") 2> /dev/null
}
given=(--certificate given.pem --key given.key --ca city.pem)
certificate other.example 30
exits 5 hub "${init[@]}" "${given[@]}"; says hub.example
certificate hub.example 30
exits 5 hub "${init[@]}" --certificate given.pem --key city.key --ca city.pem; says "another certificate"
exits 5 hub "${init[@]}" --certificate given.pem --key given.key --ca given.pem; says --ca
exits 5 hub "${init[@]}" --certificate given.pem --key given.key --ca missing.pem; says missing.pem
exits 5 hub "${init[@]}" --certificate given.key --key given.key --ca city.pem; says --certificate
[ ! -e centre ] || fail "refused certificates left a centre"
exits 0 hub "${init[@]}" "${given[@]}"
cmp -s given.pem centre/tls/server.pem || fail "the certificate is not the one that was given"
[ ! -e centre/keys/ca.key ] || fail "a key of an authority that was given"
rm -rf centre
note "given certificates: 5 refused, 1 taken"

# --- made once ---
exits 0 hub "${init[@]}" --address 192.0.2.7 --listen 127.0.0.1:4333
pin=$(openssl x509 -in centre/tls/ca.pem -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1)
says "sha256:$pin"; says "centre/nats/nats.conf"
whole centre
before=$(find centre -type f -exec sha256sum {} + | sort)
exits 5 hub "${init[@]}"; says "made once"
[ "$before" = "$(find centre -type f -exec sha256sum {} + | sort)" ] || fail "the second init changed the first"
[ -z "$(find centre -type f -perm /077 ! -name '*.pem' ! -name head.pub)" ] || fail "others may read $(find centre -type f -perm /077)"

# --- the online key, from the root document to a head that a terminal takes ---
( umask 077; echo "correct horse battery staple" > passphrase )
for who in tanaka suzuki; do kuraban policy keygen --name $who --out $who --passphrase-file passphrase > out; done
exits 0 kuraban policy root create --organization matsudo.example --expires "$(date -I -d '+1 year')" \
    --root-key tanaka.pub --root-key suzuki.pub --policy-key tanaka.pub --policy-key suzuki.pub --head-key centre/head.pub --out root.json
exits 0 kuraban policy root sign root.json --key tanaka --passphrase-file passphrase --yes
exits 0 kuraban policy root sign root.json --key suzuki --passphrase-file passphrase --yes
cat > policy.yaml << 'YAML'
format: kuraban-policy/1
organization: matsudo.example
name: 課税課 標準
version: 1
mode: enforce
usb:
  - {id: stick, allow: read, match: {device: "0781:5583"}}
YAML
exits 0 kuraban policy sign policy.yaml --key tanaka --passphrase-file passphrase --yes
exits 0 kuraban policy sign policy.yaml.signed --key suzuki --passphrase-file passphrase --yes
exits 0 kuraban policy head --group kazei --policy policy.yaml.signed --root root.json --version 1 --out head.json \
    --key centre/keys/head.key --passphrase-file centre/keys/head.passphrase
exits 0 kuraban policy bundle --root root.json --policy policy.yaml.signed --head head.json --out bundle.json
exits 0 kuraban policy verify bundle.json --root root.json --group kazei
says "matsudo.example (kuraban-hub)  good"

# --- groups and tokens ---
exits 1 hub token create --group kazei; says "group create"
exits 2 hub group create Kazei
exits 0 hub group create kazei
exits 1 hub group create kazei
exits 2 hub token create
exits 2 hub token create --group kazei --hours 721
exits 0 hub --json token create --group kazei --serial ABC-1 --hours 1
token=$(jq -r .token out)
[ "$(jq -r '."ca-pin"' out)" = "sha256:$pin" ] || fail "the token comes without the pin"
[[ $token =~ ^([A-Z2-7]{4}-){7}[A-Z2-7]{4}$ ]] || fail "token $token"
for f in centre/hub.db*; do
    ! grep -qaF -e "$token" -e "${token//-/}" "$f" || fail "$f holds the token"
done
exits 0 hub --json token list
[ "$(jq -r '.[0] | "\(.group) \(.serial) \(.state)"' out)" = "kazei ABC-1 open" ] || fail "token list"
exits 0 hub token revoke 1
exits 1 hub token revoke 1
exits 1 hub token revoke 99
exits 2 hub token revoke x
exits 0 hub --json token list
[ "$(jq -r '.[0].state' out)" = revoked ] || fail "token list"
exits 0 hub --json terminals
[ "$(jq length out)" = 0 ] || fail "terminals out of nowhere"
exits 0 hub --json journal
[ "$(jq -r '[.records[].what] | join(" ")' out)" = "init group-create token-create token-revoke" ] || fail "the journal"
! grep -qF "$token" out || fail "the journal holds the token"

# --- many at once: each waits for the others, none is lost, and the chain is one ---
many=12 pids=()
for ((i = 0; i < many; i++)); do hub --json token create --group kazei > "many.$i" 2>&1 & pids+=($!); done
for i in "${!pids[@]}"; do wait "${pids[i]}" || { cat "many.$i" >&2; fail "one of $many at once"; }; done
[ "$(jq -r .token many.* | sort -u | wc -l)" = $many ] || fail "a token twice"
exits 0 hub --json journal
[ "$(jq .seq out)" = $((4 + many)) ] || fail "records of $many at once: $(jq .seq out)"

# --- what others wrote, and later versions ---
chmod 0770 centre; exits 4 hub token list; chmod 0700 centre
python3 - << 'PY'
import sqlite3
db = sqlite3.connect("centre/hub.db")
db.execute("UPDATE act SET who = 'local:nobody' WHERE seq = 2"); db.commit()
PY
exits 1 hub journal; says "not what was written"
python3 - << 'PY'
import sqlite3
db = sqlite3.connect("centre/hub.db")
db.execute("INSERT INTO version VALUES(1000, 0)"); db.commit()
PY
exits 5 hub token list; says "later version"
printf 'x%.0s' {1..200} > centre/hub.db; exits 5 hub token list; says damaged
rm -rf centre

# --- a full disk ---
mkdir disk
made=0 refused=0
for size in 4 16 32 48 64 80 96 128 192 512; do
    mount -t tmpfs -o size=${size}k,mode=0700 tmpfs disk
    got=0
    "$KURABAN_BUILD/bin/kuraban-hub" --directory disk/centre "${init[@]}" > out 2>&1 || got=$?
    case $got in
    0) whole disk/centre; made=$((made + 1)) ;;
    5) says "no space left"; nothing_in disk; refused=$((refused + 1)) ;;
    *) fail "exit $got on a disk of $size KiB" ;;
    esac
    umount disk
done
((made >= 1 && refused >= 5)) || fail "disks: $made made, $refused refused"
note "full disks: $refused refused with nothing left, $made made"
# And a token on a disk that is full: refused, or the token is in the list.
mount -t tmpfs -o size=1m,mode=0700 tmpfs disk
on_disk() { "$KURABAN_BUILD/bin/kuraban-hub" --directory disk/centre "$@"; }
exits 0 on_disk "${init[@]}"
exits 0 on_disk group create kazei
dd if=/dev/zero of=disk/filler bs=4k status=none 2> /dev/null && fail "the disk is not full"
exits 5 on_disk token create --group kazei
says "no space left"
rm disk/filler
exits 0 on_disk --json token list
[ "$(jq length out)" = 0 ] || fail "a token that was refused is there"
exits 0 on_disk journal
umount disk

# --- killed ---
start=$(date +%s%N)
exits 0 hub "${init[@]}"
took=$(($(date +%s%N) - start))
rm -rf centre
unfinished=0 made=0
for i in {1..16}; do
    # A shell of its own says "Killed" to nobody.
    bash -c 'timeout -s KILL "$@" > out 2>&1; :' killed "$(awk -v t=$took -v i="$i" 'BEGIN { printf "%.3f", t / 1e9 * i / 15 }')" \
        "$KURABAN_BUILD/bin/kuraban-hub" --directory centre "${init[@]}" 2> /dev/null
    if [ -e centre ]; then
        whole centre; made=$((made + 1)); rm -rf centre
    elif [ -e .centre.unfinished ]; then
        unfinished=$((unfinished + 1))
        exits 5 "$KURABAN_BUILD/bin/kuraban-hub" --directory centre token list
    fi
done
note "killed at 16 moments: $unfinished left a beginning, $made were made, none was half"
[ $unfinished -ge 1 ] || fail "no moment was in the middle"
exits 0 hub "${init[@]}"
whole centre
[ ! -e .centre.unfinished ] || fail "what was left is still there"
