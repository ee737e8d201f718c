#!/bin/bash
# docs/MFA.md and docs/MFA.ja.md: the same commands in both, each one that kuraban(1) has, with options that exist, and a policy that it takes.
# Runs beside others.
set -euo pipefail

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
export LC_ALL=C.UTF-8
fail() { echo "FAILED: $*" >&2; exit 1; }

# commands FILE: every `kuraban …` of the blocks and of the text, without comments and quoted words
commands() {
    sed -E 's/"[^"]*"/TEXT/g' "$1" | grep -oE 'kuraban (mfa|audit)[^`#|]*' | sed -E 's/[[:blank:]]+$//' | LC_ALL=C sort -u
}

for language in '' .ja; do
    file=$KURABAN_SOURCE/docs/MFA$language.md
    commands "$file" > "$stage/commands$language"
    [ "$(wc -l < "$stage/commands$language")" -ge 12 ] || fail "$file has only $(wc -l < "$stage/commands$language") commands"
    while read -ra words; do
        count=2
        [ "${words[2]-}" != import ] || count=4
        [ "${words[1]}" != audit ] || count=3
        verb=("${words[@]:1:count}")
        [ "$count" = 4 ] && verb=("${words[@]:1:3}")
        "$KURABAN_BUILD/bin/kuraban" help "${verb[@]}" > "$stage/help" 2>&1 || fail "$file: no verb ${verb[*]}"
        for word in "${words[@]}"; do
            [[ $word != --* ]] || grep -qE -- "^ *$word( |\$)" "$stage/help" || fail "$file: ${verb[*]} has no $word"
        done
    done < "$stage/commands$language"
    awk '/^   ```yaml/ { on = 1; next } /^   ```/ { on = 0 } on' "$file" | sed 's/^   //' > "$stage/mfa$language.yaml"
    {
        printf 'format: kuraban-policy/1\norganization: matsudo.example\nname: mfa\nversion: 1\nmode: enforce\nzone: mynumber\n'
        cat "$stage/mfa$language.yaml"
    } > "$stage/policy$language.yaml"
    grep -q '^mfa:' "$stage/policy$language.yaml" || fail "$file shows no policy"
    "$KURABAN_BUILD/bin/kuraban" policy check "$stage/policy$language.yaml" > "$stage/out" 2>&1 || { cat "$stage/out" >&2; fail "$file: the policy is refused"; }
done
cmp "$stage/commands" "$stage/commands.ja" || { diff "$stage/commands" "$stage/commands.ja" >&2; fail "the languages differ"; }
cmp "$stage/mfa.yaml" "$stage/mfa.ja.yaml" || fail "the policies differ"
