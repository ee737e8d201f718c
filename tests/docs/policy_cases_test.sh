#!/usr/bin/env bash
# The example of expectations holds for the example policy, and the one of kuraban-policy-cases(5) for that of kuraban-policy(5).
# Runs beside others.
set -euo pipefail
source=${KURABAN_SOURCE:?} build=${KURABAN_BUILD:?}
kuraban=$build/bin/kuraban
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

[ -e /usr/share/zoneinfo/Asia/Tokyo ] || { echo "SKIP: no time zone database (tzdata)"; exit 77; }

"$kuraban" policy test "$source/docs/examples/policy.cases.yaml" --policy "$source/docs/examples/policy.yaml"

# example PAGE: the literal block of its EXAMPLES, as a person would copy it.
example() {
    sed -n '/^\.Sh EXAMPLES/,$p' "$source/man/$1" | awk '/^\.Bd -literal/ {on = 1; next} /^\.Ed/ {exit} on' | sed 's/\\(dq/"/g; s/\\-/-/g'
}
example kuraban-policy.5 > "$stage/policy.yaml"
example kuraban-policy-cases.5 > "$stage/cases.yaml"
grep -q '^format: kuraban-policy/1' "$stage/policy.yaml"
grep -q '^format: kuraban-policy-cases/1' "$stage/cases.yaml"
"$kuraban" policy test "$stage/cases.yaml" --policy "$stage/policy.yaml"

# And it is no page that anything would pass: the other policy fails it.
if "$kuraban" policy test "$stage/cases.yaml" --policy "$source/docs/examples/policy.yaml" > "$stage/other"; then
    echo "the cases of kuraban-policy-cases(5) hold for any policy"
    exit 1
fi
tail -n 1 "$stage/other"
