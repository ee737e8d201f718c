#!/bin/bash
# docs/USBGUARD.md: its commands work, every reason of an account is in its table with the right outcome, and its table of decisions is the
# one that unit/decide/usbguard checks.
# Runs beside others.
set -euo pipefail

guide=$KURABAN_SOURCE/docs/USBGUARD.md
data=$KURABAN_SOURCE/tests/data/usbguard
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail()
{
    echo "FAIL: $*"
    exit 1
}

kuraban()
{
    LC_ALL=C "$KURABAN_BUILD/bin/kuraban" "$@"
}

# The commands, with the rules of an office in the place of this machine's.
printf 'RuleFolder=/etc/usbguard/rules.d/\nImplicitPolicyTarget=block\n' > "$work/usbguard-daemon.conf"
awk '/^    kuraban policy import/, /account.txt/ { print } /^    kuraban policy check/ { exit }' "$guide" |
    sed -e "s,/etc/usbguard/rules.conf,$data/office.rules," -e "s,/etc/usbguard/usbguard-daemon.conf,$work/usbguard-daemon.conf," > "$work/commands"
[ "$(wc -l < "$work/commands")" -eq 2 ] || fail "the guide begins with another command"
status=0
export -f kuraban
(cd "$work" && bash ./commands) || status=$?
[ "$status" -eq 1 ] || fail "the import of rules that cannot all be carried over ended with $status"
kuraban policy check "$work/policy.yaml" > "$work/check" || fail "the imported policy has errors: $(cat "$work/check")"
grep -q '^.*office.rules:9: not wholly carried over: ' "$work/account.txt" || fail "no line of rule 9: $(cat "$work/account.txt")"
grep -q 'usbguard-daemon.conf:1: carried over, but note: rules in the RuleFolder' "$work/account.txt" || fail "no RuleFolder"

# Reasons: those of the source, in the order of the header's groups.
mapfile -t reasons < <(sed -nE 's/^ *\{?"([a-z-]+)",.*N_.*|^.*= \{"([a-z-]+)",? *N?_?.*/\1\2/p; s/^ +\{"([a-z-]+)", N_.*/\1/p' \
    "$KURABAN_SOURCE/policy/import_words.c" | sort -u)
[ "${#reasons[@]}" -ge 25 ] || fail "only ${#reasons[@]} reasons found"
for reason in "${reasons[@]}"; do
    grep -Eq "^\| (\`[a-z-]+\` )?\`$reason\`" "$guide" || fail "the guide does not explain $reason"
done

# Outcomes: what the table calls lost is lost.
kuraban --json policy import usbguard "$data/edges.rules" > "$work/edges.json" || [ $? -eq 1 ]
jq -r '.lines[] | select(.reasons | length == 1) | "\(.reasons[0]) \(.outcome)"' "$work/edges.json" | sort -u > "$work/outcomes"
[ "$(wc -l < "$work/outcomes")" -ge 8 ] || fail "too few outcomes: $(cat "$work/outcomes")"
while read -r reason outcome; do
    grep -Eq "^\| (\`[a-z-]+\` )?\`$reason\`[^|]*\| $outcome \|" "$guide" || fail "$reason is $outcome, says the account, not the guide"
done < "$work/outcomes"

awk '/^\| result/, /no rules to both/' "$guide" > "$work/table"
diff "$data/comparison" "$work/table" || fail "the table of decisions is another one"
echo "${#reasons[@]} reasons explained"
