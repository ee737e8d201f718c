#!/bin/bash
# Runs the commands of docs/FILEFORMAT.journal.md on the golden journal: all must succeed there, and on a changed copy the
# ones that cover the change must fail. Only sed, sha256sum, openssl and coreutils take part.
# Runs beside others.
set -euo pipefail

source=${KURABAN_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Each ```sh block becomes one script.
awk -v dir="$work" '/^```sh$/ { n++; file = dir "/example" n; next } /^```$/ { file = ""; next } file { print > file }' \
    "$source/docs/FILEFORMAT.journal.md"
examples=("$work"/example*)
[ ${#examples[@]} -eq 4 ] || { echo "expected 4 examples, found ${#examples[@]}"; exit 1; }

fresh()
{
    rm -rf "$work/journal"
    cp -r "$source/tests/data/journal" "$work/journal"
}

# run N: the Nth example on the copy
run()
{
    JOURNAL="$work/journal" sh -e "$work/example$1" >"$work/out" 2>&1
}

must_pass()
{
    run "$1" || { echo "example $1 fails on the golden journal:"; cat "$work/out"; exit 1; }
    cat "$work/out"
}

must_fail()
{
    if run "$1"; then
        echo "example $1 does not notice: $2"
        exit 1
    fi
}

fresh
for i in 1 2 3 4; do must_pass "$i"; done

segment=$work/journal/journal-00000000000000000001.ndjson
sed -i '5s/"allow"/"deny"/' "$segment"
must_fail 1 "an edited record 5"
must_fail 2 "an edited record 5"
fresh
sed -i 8d "$segment"
must_fail 2 "a deleted record"
fresh
sed -i '$d' "$segment"
must_fail 4 "a deleted last record"
fresh
sed -i '$s/"@timestamp":"2026/"@timestamp":"2027/' "$segment"
must_fail 3 "a changed time of a checkpoint"
must_fail 4 "a changed last record"
fresh
sed -i 's/"seq":17/"seq":16/' "$work/journal/head"
must_fail 4 "a changed head"
echo "the examples find every change made"
