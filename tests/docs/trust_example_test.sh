#!/bin/bash
# Runs the commands of docs/FILEFORMAT.trust.md, in their order and as one script, on docs/examples/trust: they must succeed there, and
# fail wherever a byte that says something is changed. Nothing of ours takes part: openssl, jq, base64 and coreutils.
# Runs beside others.
set -euo pipefail

for tool in openssl jq base64; do
    command -v "$tool" >/dev/null || { echo "SKIP: $tool is not installed"; exit 77; }
done
source=${KURABAN_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$source/docs/FILEFORMAT.trust.md" >"$work/example"
[ "$(grep -c signed_by "$work/example")" -ge 6 ] || { echo "the examples are gone"; exit 1; }

fresh()
{
    rm -rf "$work/trust"
    cp -r "$source/docs/examples/trust" "$work/trust"
}

run()
{
    (cd "$work/trust" && TMPDIR=$work sh -eu ../example) >"$work/out" 2>&1
}

n=0
must_fail()
{
    n=$((n + 1))
    if cmp -s "$work/trust/$1" "$source/docs/examples/trust/$1"; then
        echo "nothing was changed: $2"
        exit 1
    fi
    if run; then
        echo "the examples do not notice: $2"
        exit 1
    fi
    fresh
}

# change FILE PATH PART…: one letter of the text at this path of the JSON becomes another, at this part of its length
change()
{
    local part
    for part in "${@:3}"; do
        jq --argjson part "$part" "($2) |= ((length * \$part | floor) as \$at
            | .[:\$at] + (if .[\$at:\$at + 1] == \"A\" then \"B\" else \"A\" end) + .[\$at + 1:])" \
            "$work/trust/$1" >"$work/changed"
        mv "$work/changed" "$work/trust/$1"
        must_fail "$1" "$1, $2, at $part"
    done
}

# edit FILE EXPRESSION: jq's
edit()
{
    jq "$2" "$work/trust/$1" >"$work/changed"
    mv "$work/changed" "$work/trust/$1"
    must_fail "$1" "$1, $2"
}

fresh
run || { echo "the examples fail on docs/examples/trust:"; cat "$work/out"; exit 1; }
cat "$work/out"
for words in "root 1 is theirs" "root 2 may follow it" "two people signed" "names that policy" "terminal obeys"; do
    grep -q "$words" "$work/out" || { echo "the examples never say: $words"; exit 1; }
done

change root.1.json .payload 0.97
change root.1.json '.signatures[1].sig' 0.5
change root.2.json .payload 0.5
change root.2.json '.signatures[0].sig' 0.97
change root.2.json '.signatures[0].keyid' 0.02
change kazei.bundle .policy.payload 0.02 0.97
change kazei.bundle '.policy.signatures[0].sig' 0.97
change kazei.bundle .head.payload 0.5
change kazei.bundle '.head.signatures[0].sig' 0.5
change trust.json '.policy.signatures[1].sig' 0.5
change trust.json .root.payload 0.5
edit kazei.bundle '.policy.signatures[1] = .policy.signatures[0]'
edit kazei.bundle '.policy.signatures |= reverse | .policy.signatures[0].keyid = .policy.signatures[1].keyid'
edit kazei.bundle '.policy.payloadType = .head.payloadType'
edit root.2.json 'del(.signatures[0])'
sed -i 's/mode: enforce/mode: monitor/' "$work/trust/kazei.yaml"
must_fail kazei.yaml "another policy than the one that was signed"
cp "$work/trust/second.pub" "$work/trust/root3.pub"
must_fail root3.pub "a root key that is not the owner's"
cp "$work/trust/root.1.json" "$work/trust/root.2.json"
must_fail root.2.json "a root document that does not follow"
echo "the examples find each of $n changes"
