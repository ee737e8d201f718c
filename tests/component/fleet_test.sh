#!/bin/bash
# One centre and one terminal, all of it real: kuraban-hub serve, nats-server, kuraband, kuraban enrol, kuraban-courier. The record comes to the centre, which
# acknowledges it; a policy that two people signed is rolled out and applied, and the centre sees that; an order is carried out; what happens
# while the centre or the broker is dead comes after; a terminal that moves to another group hears that group.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

command -v nats-server > /dev/null || skip "nats-server is not installed"
hub() { "$KURABAN_BUILD/bin/kuraban-hub" --directory "$stage/centre" "$@"; }
free_port() { /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
listens() { (: <> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }
run() { # LOG PROGRAM…: its pid in $pid
    local out=$1
    shift
    "$@" >> "$out" 2>&1 < /dev/null &
    pid=$!
    helpers+=($!)
    disown $!
}
broker_start() { run "$stage/broker.log" nats-server -c "$stage/centre/nats/nats.conf"; broker=$pid; }
serve_start() { run "$stage/serve.log" "$KURABAN_BUILD/bin/kuraban-hub" --directory "$stage/centre" serve; serve=$pid; }
courier_start() { run "$log" "$KURABAN_BUILD/bin/kuraban-courier" --config "$stage/kuraban.yaml" --spread 1; }
kill_now() {
    kill -KILL "$1"
    eventually "the end of $1" 10 ended "$1"
}
connected() { holds '.fleet.link == "up"' status; }
# Everything that is recorded until now is at the centre.
acknowledged() { holds ".fleet.acknowledged >= $1" status; }
all_acknowledged() {
    local last
    last=$(value .sequence sync)
    eventually "an acknowledgement up to $last" 60 acknowledged "$last"
    note "acknowledged up to $last"
}
rules() { holds ".policy.version == $1 and .policy.source == \"signed\"" status; }
centre_sees() { # JQ: of the terminal
    [ "$(hub --json terminals | jq ".[0] | $1")" = true ]
}
sign_policy() { # VERSION GROUP…
    local version=$1
    write_policy "$version" read
    printf 'scope: {groups: [%s]}\n' "$2" >> "$stage/policy.yaml"
    sed -i 's/^organization: .*/organization: matsudo.example/' "$stage/policy.yaml"
    cp "$stage/policy.yaml" "$stage/p$version.yaml"
    for who in tanaka suzuki; do
        exits 0 kuraban policy sign "$stage/p$version.yaml$([ $who = tanaka ] || echo .signed)" --key "$stage/keys/$who" "${sign_with[@]}"
    done
}

stage_make
write_config << 'CONFIG'
keeper: off
courier-user: nobody
CONFIG
https=$(free_port) wire=$(free_port)
exits 0 hub init --organization matsudo.example --address localhost --listen "127.0.0.1:$wire" --https "127.0.0.1:$https"
pin=$(grep -oE 'sha256:[0-9a-f]{64}' "$stage/out")
exits 0 hub group create kazei
exits 0 hub group create juki
broker_start
serve_start
eventually "the centre listens" 30 listens "$https"
daemon_start

mkdir -m 0700 "$stage/keys"
( umask 077; echo "correct horse battery staple" > "$stage/keys/passphrase" )
sign_with=(--passphrase-file "$stage/keys/passphrase" --yes)
for who in tanaka suzuki; do
    exits 0 kuraban policy keygen --name $who --out "$stage/keys/$who" --passphrase-file "$stage/keys/passphrase"
done
exits 0 kuraban policy root create --organization matsudo.example --expires "$(date -I -d '+1 year')" --root-key "$stage/keys/tanaka.pub" \
    --root-key "$stage/keys/suzuki.pub" --policy-key "$stage/keys/tanaka.pub" --policy-key "$stage/keys/suzuki.pub" --head-key "$stage/centre/head.pub" --out "$stage/root.json"
for who in tanaka suzuki; do exits 0 kuraban policy root sign "$stage/root.json" --key "$stage/keys/$who" "${sign_with[@]}"; done
exits 0 hub --json root add "$stage/root.json"
root_id=$(jq -r .fingerprint "$stage/out")
( umask 077; hub --json token create --group kazei | jq -r .token > "$stage/token" )
exits 0 kuraban enrol --hub "https://localhost:$https" --ca-pin "$pin" --token-file "$stage/token" --root-id "$root_id"
terminal=$(hub --json terminals | jq -r '.[0].id')
expect "it belongs to a centre" ".fleet.terminal == \"$terminal\" and .terminal.groups == [\"kazei\"]" status

# --- the record ---
courier_start
eventually "the courier is connected" 60 connected
all_acknowledged

# --- a policy ---
sign_policy 2 kazei
exits 0 hub policy add "$stage/p2.yaml.signed"
exits 0 hub rollout start --group kazei --policy 2
eventually "version 2 rules" 60 rules 2
eventually "the centre sees what was applied" 60 centre_sees '.report.policy.version == 2 and .report.status == "applied"'
all_acknowledged

# --- an order ---
exits 0 hub order end-grants "$terminal"
eventually "the order is carried out" 30 recorded '"fleet-order"'

# --- the centre is dead, and back; so is the broker ---
kill_now "$serve"
exits 0 kuraban rescan
serve_start
all_acknowledged
kill_now "$broker"
exits 0 kuraban rescan
eventually "it is noticed" 60 holds '.fleet.link == "down"' status
broker_start
eventually "the courier is connected again" 90 connected
all_acknowledged

# --- another group ---
sign_policy 3 juki
exits 0 hub policy add "$stage/p3.yaml.signed"
exits 0 hub rollout start --group juki --policy 3
exits 0 hub terminals move "$terminal" --group juki
eventually "another group" 60 holds '.terminal.groups == ["juki"]' status
eventually "version 3 rules" 60 rules 3
all_acknowledged
exits 0 hub alarms
finished
