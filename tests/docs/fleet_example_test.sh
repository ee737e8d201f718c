#!/bin/bash
# Runs the commands of docs/FILEFORMAT.fleet.md, in their order and as one script, on docs/examples/fleet, with the functions that
# docs/FILEFORMAT.trust.md defines: they must succeed there, and fail wherever a byte that says something is changed. Nothing of ours takes
# part: openssl, jq, base32, base64 and coreutils.
# Runs beside others.
set -euo pipefail

for tool in openssl jq base32 base64; do
    command -v "$tool" >/dev/null || { echo "SKIP: $tool is not installed"; exit 77; }
done
source=${KURABAN_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/scratch"

blocks()
{
    awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$source/docs/$1"
}
{
    echo "work=$work/scratch"
    blocks FILEFORMAT.trust.md | sed -n '/^[a-z_]*() {/,/^}/p'
    blocks FILEFORMAT.fleet.md
} >"$work/example"
for words in 'signed_by() {' 'signed_by_key report.json' 'signed_by ack.json head' 'signed_by order.json head'; do
    grep -qF "$words" "$work/example" || { echo "the examples are gone: $words"; exit 1; }
done

fresh()
{
    rm -rf "$work/fleet"
    cp -r "$source/docs/examples/fleet" "$work/fleet"
}

run()
{
    (cd "$work/fleet" && sh -eu ../example) >"$work/out" 2>&1
}

n=0
must_fail()
{
    n=$((n + 1))
    if cmp -s "$work/fleet/$1" "$source/docs/examples/fleet/$1"; then
        echo "nothing was changed: $2"
        exit 1
    fi
    if run; then
        echo "the examples do not notice: $2"
        exit 1
    fi
    fresh
}

# edit FILE EXPRESSION: jq's
edit()
{
    jq "$2" "$work/fleet/$1" >"$work/changed"
    mv "$work/changed" "$work/fleet/$1"
    must_fail "$1" "$1, $2"
}

# change FILE PATH PART…: one letter of the text at this path of the JSON becomes another, at this part of its length
change()
{
    local part
    for part in "${@:3}"; do
        edit "$1" "($2) |= ((length * $part | floor) as \$at
            | .[:\$at] + (if .[\$at:\$at + 1] == \"A\" then \"B\" else \"A\" end) + .[\$at + 1:])"
    done
}

fresh
run || { echo "the examples fail on docs/examples/fleet:"; cat "$work/out"; exit 1; }
cat "$work/out"
for words in "the terminal is t" "asks to be enrolled" "listens to pol.kazei" "listens to pol.x-" "was asked to report" \
    "failed, rollback" "journal up to 4711"; do
    grep -q "$words" "$work/out" || { echo "the examples never say: $words"; exit 1; }
done

# Each run takes a second: what the statements share is tried on one of each signer.
for file in enrolment membership.2 order report ack; do
    change $file.json .payload 0.5
done
for file in membership.1 report; do
    change $file.json '.signatures[0].sig' 0.5
    change $file.json '.signatures[0].keyid' 0.5
    edit $file.json 'del(.signatures[0])'
done
# Properly signed by the same key, each for another place; and called what is expected there.
for pair in membership.1:order order:ack ack:membership.1; do
    cp "$work/fleet/${pair%:*}.json" "$work/fleet/${pair#*:}.json"
    must_fail "${pair#*:}.json" "${pair%:*} in the place of ${pair#*:}"
    type=${pair%:*}
    edit "${pair#*:}.json" ".payloadType = \"application/vnd.kuraban.${type%.1}.v1+json\""
done
edit report.json '.payloadType |= sub("report"; "enrolment")'
edit report.json '.signatures[1] = .signatures[0]'
cp "$work/fleet/enrolment.json" "$work/fleet/report.json"
must_fail report.json "an enrolment in the place of the report"
cp "$work/fleet/membership.2.json" "$work/fleet/membership.1.json"
must_fail membership.1.json "a membership that does not follow"
printf x >>"$work/fleet/token"
must_fail token "another token"
openssl genpkey -algorithm ed25519 2>/dev/null | openssl pkey -pubout -out "$work/fleet/journal.pub.pem"
must_fail journal.pub.pem "another terminal's key"
openssl req -new -x509 -newkey ed25519 -nodes -keyout /dev/null -subj /CN=other -days 1 -out "$work/fleet/ca.pem" 2>/dev/null
must_fail ca.pem "another centre's CA"
echo "the examples find each of $n changes"
