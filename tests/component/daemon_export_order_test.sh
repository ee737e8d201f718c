#!/bin/bash
# The order of things before an export: whatever can be known without a code is found before one is used up or counted; codes of people whom no
# rule wants are not looked at; and a code is for the list of files that was shown.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

typing() { # CODE… -- words…: nobody's kuraban export on a terminal
    local -a codes=()
    while [ "$1" != -- ]; do
        codes+=("$1")
        shift
    done
    shift
    factor type "${codes[@]}" -- setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups --bounding-set=-all --no-new-privs -- \
        env LC_ALL=C.UTF-8 "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" export --to "${to-$loop}" --reason "district 3" "$@"
}
said() { grep -q -- "$1" "$stage/out" || { cat "$stage/out" >&2; fail "not said: $1"; }; }
attempts() { # how many codes were looked at, by whatever outcome
    kuraban sync > /dev/null
    kuraban audit show --json | jq -s 'map(select(.event.action == "mfa-verified" or .event.action == "mfa-refused")) | length'
}
last() { # ACTION jq-filter
    kuraban sync > /dev/null
    kuraban audit show --json | jq -c "select(.event.action == \"$1\") | $2" | tail -n 1
}
same() { # what expected got
    [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}
# EXIT WORDS CODES words…: refused with these words, no code asked for, looked at, counted.
in_vain() {
    local want=$1 words=$2 before
    shift 2
    before=$(attempts)
    exits "$want" typing 111111 222222 -- "$@"
    said "$words"
    said 'not asked for: 2 codes'
    same "codes that were looked at" "$before" "$(attempts)"
}
version=0
rules() { # export rules, one an argument
    version=$((version + 1))
    write_policy $version export '' "$(printf 'export:\n' && printf '  - {to: [stick], container: plain, %s}\n' "$@" && echo 'mfa: {throttle: {failures: 50, delay: none}}')"
    if [ -n "$daemon_pid" ]; then
        exits 0 kuraban reload
        plug
    fi
}
holds_one() { # words of exporting.py: nobody's export that has begun and waits
    rm -f "$stage/go" "$stage/said"
    mkfifo "$stage/go"
    ( as_user "${0%/*}/daemon/exporting.py" "$stage/run" "$loop" "$@" < "$stage/go" > "$stage/said" 2>&1 ) &
    client_pid=$!
    helpers+=("$client_pid")
    exec 8> "$stage/go"
    eventually "it has begun" 20 grep -qx begun "$stage/said"
}
goes_on() { # the exit status
    local got=0
    exec 8>&-
    wait "$client_pid" || got=$?
    eventually "the worker's end" 20 no_worker
    return "$got"
}
on_stick() { unshare -m sh -c "mount -o ro,noload '$stage/stick.img' '$stage/look' && ls -A '$stage/look'"; }

for name in nobody daemon bin; do
    id -u "$name" > /dev/null || skip "no user $name"
done
stage_make
log_in nobody
mkdir "$stage/look"
a=$stage/outside/a.txt b=$stage/outside/b.txt
echo "take me" > "$a"
echo "another" > "$b" # of the same size
chmod 0644 "$a" "$b"
rules 'id: out, from: [elsewhere], factors: totp, approvals: 1, approvers: {users: [daemon]}'
daemon_start
plug
for name in nobody daemon bin; do
    enrol "$name"
done

# Said before a code is asked for.
to=sdz9 in_vain 1 'no medium of that name' --approver daemon "$a"
in_vain 1 'too few colleagues' "$a"
in_vain 4 'may not approve' --approver bin "$a"
rules 'id: out, from: [elsewhere], factors: totp, approvals: 1, until: 2020-01-01'
in_vain 4 'rule out' --approver daemon "$a"
rules 'id: out, from: [elsewhere], factors: totp, approvals: 1, content: {uninspectable: refuse}'
in_vain 4 'rule out' --approver daemon "$a"
rules 'id: out, from: [elsewhere], factors: totp, approvals: 1, who: {users: [bin]}'
in_vain 4 'rule out' --approver daemon "$a"
same "who is not meant, in the journal" '["who","out"]' "$(last export-failed '[.event.reason, .rule.id]')"
note "what no rule can permit"

# The one place is taken: the code is as good as before.
rules 'id: out, from: [elsewhere], factors: totp, approvals: 0'
holds_one "$(code nobody)" --pass "$a"
in_vain 5 'another export is running' "$b"
goes_on || fail "the one that ran"
note "another export runs"
rules 'id: out, from: [elsewhere], factors: none, approvals: 0'

# Codes of others whom no rule wants: not looked at, and the person is told.
before=$(attempts)
exits 0 typing 111111 -- --approver daemon "$a"
said 'approval of daemon is not wanted'
same "codes that were looked at" "$before" "$(attempts)"
same "who approved" '[]' "$(last export-finished .kuraban.export.approvers)"
rules 'id: out, from: [elsewhere], factors: totp, approvals: 0'
exits 0 typing "$(code nobody)" 111111 -- --approver daemon "$a"
said 'approval of daemon is not wanted'
said 'not asked for: 1 codes'
same "codes that were looked at" $((before + 1)) "$(attempts)"
rules 'id: out, from: [elsewhere], factors: totp, approvals: 1, approvers: {users: [daemon, bin]}'
exits 0 typing "$(code nobody)" "$(code daemon)" 111111 -- --approver daemon --approver bin "$a"
said 'approval of bin is not wanted'
said 'not asked for: 1 codes'
same "codes that were looked at" $((before + 3)) "$(attempts)"
same "who approved" "[$(id -u daemon)]" "$(last export-finished .kuraban.export.approvers)"
list=$(last export-finished .kuraban.export.list | tr -d '"')
same "the list in the record of the approver's code" true "$(last mfa-verified "[(.user.id == \"$(id -u daemon)\"), (.event.message // .message | contains(\"list $list\"))] | all")"
# Who gives no right code of their own learns nothing of a colleague: not that one has no second factor.
exits 0 kuraban mfa disable daemon --reason "away" --yes
enrol nobody
enrol bin
exits 1 typing 000000 111111 -- --approver daemon "$a"
said 'The code is wrong'
! grep -q 'code of daemon' "$stage/out" || fail "told of a colleague without a right code"
exits 1 typing "$(code nobody)" 111111 -- --approver daemon "$a"
said 'code of daemon'
# Nor does who cannot approve cost another colleague a code.
rules 'id: out, from: [elsewhere], factors: totp, approvals: 2, approvers: {users: [daemon, bin]}'
enrol nobody
theirs=$(code bin)
exits 1 typing "$(code nobody)" "$theirs" 111111 -- --approver bin --approver daemon "$a"
said 'code of daemon'
enrol daemon
exits 0 typing "$(code nobody)" "$theirs" "$(code daemon)" -- --approver bin --approver daemon "$a"
same "how often the list was shown" 2 "$(grep -c 'takes out 1 file' "$stage/out")"
note "approvers who are not wanted, or cannot; each of them sees the list"

# The list: other files, another order, one more, one less, another size.
rules 'id: out, from: [elsewhere], factors: none, approvals: 0'
before=$(on_stick)
for lists in "$a:$b" "$a $b:$b $a" "$a:$a $b" "$a $b:$a"; do
    read -ra listed <<< "${lists%:*}"
    read -ra passed <<< "${lists#*:}"
    holds_one --list "${listed[@]}" --pass "${passed[@]}"
    goes_on && fail "exported: $lists"
    grep -q '^result 0 list' "$stage/said" || { cat "$stage/said" >&2; fail "not told: $lists"; }
    same "another list in the journal" '"list"' "$(last export-failed .event.reason)"
done
holds_one --pass "$a"
echo "longer than it was" > "$a"
goes_on && fail "exported with another size than was shown"
same "another size in the journal" '"list"' "$(last export-failed .event.reason)"
same "what is on the stick" "$before" "$(on_stick)"
holds_one --pass "$a" "$b"
goes_on || fail "the list as it was said"
note "another list than was approved"

# More than a screen of names, and a name that a terminal would obey: what was not shown is summed up.
rules 'id: out, from: [elsewhere], factors: totp, approvals: 1'
mkdir "$stage/outside/many"
for i in {1..60}; do head -c 1000 /dev/zero > "$stage/outside/many/file$i"; done
printf 'x' > "$stage/outside/many/"$'0\e[2J\a.txt'
chmod -R a+rX "$stage/outside/many"
enrol nobody
exits 0 typing "$(code nobody)" "$(code daemon)" -- --approver daemon "$stage/outside/many"/*
said 'takes out 61 files, 60001 bytes'
said '1 bytes  0_'
said 'and [0-9]* more, [0-9]* bytes'
grep -q $'\e\\[2J\|\a' "$stage/out" && fail "a name reached the terminal as it is"
[ "$(grep -c ' bytes  ' "$stage/out")" -lt 24 ] || fail "more than a screen"
note "what the approver sees"
expect "the journal" '.ok' audit verify
finished
