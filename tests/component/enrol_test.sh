#!/bin/bash
# kuraban enrol, all of it: a real centre, a real kuraband, kuraban-fetch between them as somebody who may do nothing. Who is not the centre is told
# nothing; a token lets in one key; the answer that was lost comes again; the root document that was not confirmed rules nothing.
# Runs beside others.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

command -v openssl > /dev/null || skip "openssl is missing"
hub() { "$KURABAN_BUILD/bin/kuraban-hub" --directory "$stage/${centre:-centre}" "$@"; }
says() { grep -qF -- "$1" "$stage/out" || { cat "$stage/out" >&2; fail "not said: $1"; }; }
free_port() { /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
acts() { hub --json journal | jq "[.records[] | select(.what == \"$1\")] | length"; }
listens() { (: <> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

centre_make() { # NAME PORT: a centre that answers there
    local centre=$1
    hub init --organization matsudo.example --address hub.example --listen "127.0.0.1:$(free_port)" --https "127.0.0.1:$2" > "$stage/$1.made"
    hub group create kazei > "$stage/out"
}
centre_serve() { # NAME PORT
    # Not by a function: its shell would be ended, and the centre live on.
    "$KURABAN_BUILD/bin/kuraban-hub" --directory "$stage/$1" serve >> "$stage/$1.log" 2>&1 < /dev/null &
    helpers+=($!)
    disown $!
    eventually "$1 listens" 30 listens "$2"
}
pin_of() { grep -oE 'sha256:[0-9a-f]{64}' "$stage/$1.made"; }
token() { hub --json token create --group kazei "$@" | jq -r .token; }
# The centre's, with the pin that was given for it.
join() { kuraban enrol --hub "https://localhost:$port" --ca-pin "$(pin_of centre)" "$@"; }
# By a file, closed to others.
join_with() { # TOKEN OPTION…
    ( umask 077; echo "$1" > "$stage/token" )
    join --token-file "$stage/token" "${@:2}"
}

stage_make
write_config << 'CONFIG'
keeper: on
courier-user: nobody
CONFIG
port=$(free_port) other_port=$(free_port)
centre_make centre "$port"
centre_make other "$other_port"
centre_serve centre "$port"
centre_serve other "$other_port"
daemon_start

# --- the root document, which people sign ---
mkdir -m 0700 "$stage/keys"
( umask 077; echo "correct horse battery staple" > "$stage/keys/passphrase" )
sign_with=(--passphrase-file "$stage/keys/passphrase" --yes)
for who in tanaka suzuki; do
    exits 0 kuraban policy keygen --name $who --out "$stage/keys/$who" --passphrase-file "$stage/keys/passphrase"
done
exits 0 kuraban policy root create --organization matsudo.example --expires "$(date -I -d '+1 year')" --root-key "$stage/keys/tanaka.pub" \
    --root-key "$stage/keys/suzuki.pub" --policy-key "$stage/keys/tanaka.pub" --policy-key "$stage/keys/suzuki.pub" --head-key "$stage/centre/head.pub" --out "$stage/root.json"
for who in tanaka suzuki; do exits 0 kuraban policy root sign "$stage/root.json" --key "$stage/keys/$who" "${sign_with[@]}"; done

one=$(token)
exits 1 join_with "$one" --root-id "sha256:$(printf '0%.0s' {1..64})"
says "the centre has no root document yet"
exits 0 hub --json root add "$stage/root.json"
root_id=$(jq -r .fingerprint "$stage/out")
note "root $root_id"

# --- wrong calls, and who is not the centre ---
exits 2 join_with "$one" --wait 1x
exits 2 kuraban enrol --hub "https://localhost:$port" --token x
exits 2 kuraban enrol --hub "https://localhost:$port" --ca-pin sha256:12 --token x
exits 2 join --token x --token-file /dev/null
exits 1 kuraban enrol --hub "localhost:$port" --ca-pin "$(pin_of other)" --token "$one"
says "THIS IS NOT THE CENTRE"
exits 1 kuraban enrol --hub "https://localhost:$other_port" --ca-pin "$(pin_of centre)" --token "$one"
says "THIS IS NOT THE CENTRE"
exits 3 kuraban enrol --hub "https://localhost:$(free_port)" --ca-pin "$(pin_of centre)" --token "$one"
says "nobody answers there"
[ "$(acts terminal-enrol)" = 0 ] || fail "somebody was let in"
! grep -q "api.request" "$stage/other.log" || fail "something was said to who is not the centre"

# --- tokens that let nobody in ---
exits 1 join_with AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA --root-id "$root_id"
says "does not know this token"
exits 1 join_with "$(token --serial NO-SUCH-MACHINE)" --root-id "$root_id"
says "another serial number"
over=$(token)
/usr/bin/python3 - "$stage/centre/hub.db" << 'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=20)
db.execute("UPDATE token SET created = created - 360000000000, expires = expires - 360000000000 WHERE number = (SELECT max(number) FROM token)")
db.commit()
PY
exits 1 join_with "$over" --root-id "$root_id"
says "this token is over"

# --- another root document than the one that was named: nothing is installed ---
exits 1 join_with "$one" --root-id "sha256:$(printf '0%.0s' {1..64})"
says "nothing was installed"
expect "no root" ".trust == null" status
[ ! -e "$stage/state/fleet.json" ] || fail "a membership without a root"

# --- let in: the token was used by this terminal, and its answer comes again ---
[ "$(acts terminal-enrol)" = 1 ] || fail "the centre let nobody in"
exits 0 join_with "$one" --root-id "$root_id"
says "is the terminal t"
expect "a root" ".trust != null" status
courier=$stage/state/courier
[ "$(stat -c '%U %a' "$courier" "$courier/wire.nk" "$courier/centre.json" | sort -u | tr '\n' ' ')" = "nobody 600 nobody 700 " ] ||
    fail "the courier's files: $(stat -c '%U %a %n' "$courier" "$courier"/*)"
[ "$(jq -r .hub "$courier/centre.json")" = "https://localhost:$port" ] || fail "centre.json"
terminal=$(hub --json terminals | jq -r '.[0].id')
cp "$courier/wire.nk" "$stage/wire.before"
exits 0 join_with "$one"
cmp -s "$courier/wire.nk" "$stage/wire.before" || fail "another key of the wire"
[ "$(acts terminal-enrol) $(acts alarm-token-misused)" = "1 2" ] || fail "the centre's journal"
kuraban sync > /dev/null
[ "$(kuraban audit show --json | jq -s 'map(select(.event.action == "root-installed")) | length')" = 1 ] || fail "root-installed"
note "terminal $terminal"

# --- somebody else with this token: refused, and an alarm ---
daemon_kill TERM
rm -rf "$stage/state"
mkdir -m 0700 "$stage/state"
daemon_start
exits 1 join_with "$one" --root-id "$root_id"
says "somebody has a copy"
[ "$(acts alarm-token-misused)" = 3 ] || fail "no alarm"

# --- installed anew, and a person must approve it ---
two=$(token --approval)
exits 1 join_with "$two" --root-id "$root_id"
says "a person must approve it"
waiting=$(hub --json terminals | jq -r '.[] | select(.state == "waits") | .id')
exits 0 hub terminals approve "$waiting"
exits 0 join_with "$two" --root-id "$root_id" --wait 1
says "$waiting"
[ "$(hub --json terminals | jq -r ".[] | select(.id == \"$terminal\") | .state")" = superseded ] || fail "the old one is not superseded"

# --- revoked ---
exits 0 hub terminals revoke "$waiting"
exits 1 join_with "$(token)"
says "was revoked at the centre"

# --- a secret is a secret ---
kuraban sync > /dev/null
for secret in "$one" "$two" "${one//-/}"; do
    ! grep -rqaF -- "$secret" "$stage/centre" "$stage/state" "$stage"/*.log "$log" || fail "a token stands in $(grep -rlaF -- "$secret" "$stage")"
done
finished
