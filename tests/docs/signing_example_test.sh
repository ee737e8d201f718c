#!/bin/bash
# Runs every command of docs/SIGNING.md in its order: those of the signing machine in a directory without a daemon, those "on the
# terminal" against a kuraband of its own. Passphrases and "yes" come from here; nothing else is added. Then what the guide promises
# must be true of what came out.
# Runs beside others.
set -euo pipefail
# shellcheck source=../component/daemon/stage.sh
. "${0%/*}/../component/daemon/stage.sh"

guide=$KURABAN_SOURCE/docs/SIGNING.md
stage_make
work=$stage/signing
mkdir -m 0700 "$work" "$work/bin"
echo "correct horse battery staple" > "$work/passphrase"
chmod 0600 "$work/passphrase"

# What people type. The configuration is only known to the programs of the terminal.
cat > "$work/bin/kuraban" << SH
#!/bin/bash
case "\$1 \$2 \${3-}" in
"policy keygen "* | "policy head "*) set -- "\$@" --passphrase-file "$work/passphrase" ;;
"policy sign "* | "policy root sign") set -- "\$@" --passphrase-file "$work/passphrase" --yes ;;
"policy root install") set -- "\$@" --yes ;;
esac
exec "$KURABAN_BUILD/bin/kuraban" --config "\$KURABAN_STAGE" "\$@"
SH
chmod 0755 "$work/bin/kuraban"

# Each block becomes one script: 01.here or 01.terminal.
awk -v dir="$work" '/^```sh( terminal)?$/ { where = NF == 2 ? "terminal" : "here"; file = sprintf("%s/%02d.%s", dir, ++n, where); next }
    /^```$/ { file = ""; next } file { print > file }' "$guide"
blocks=("$work"/[0-9][0-9].*)
[ "${#blocks[@]}" -eq "$(grep -c '^```sh' "$guide")" ] || fail "blocks were lost"
grep -q 'kuraban policy' "${blocks[@]}" || fail "no commands"

write_config << YAML
keeper: on
terminal: {id: kazei-07, groups: [kazei]}
YAML
daemon_start

mkdir "$work/desk"
for block in "${blocks[@]}"; do
    case $block in
    *.here) configuration=/nonexistent ;;
    *.terminal) configuration=$stage/kuraban.yaml ;;
    esac
    ( cd "$work/desk" && KURABAN_STAGE=$configuration PATH=$work/bin:$PATH TZ=Asia/Tokyo bash -euo pipefail -x "$block" ) \
        > "$work/out" 2>&1 || { cat "$work/out" >&2; fail "${block##*/} of docs/SIGNING.md"; }
done
note "${#blocks[@]} blocks run as they stand"

# What the guide says of the result.
expect "the emergency policy rules" '.policy.version == 13 and .policy.source == "signed" and .mode == "monitor"' status
expect "signed by the two who could be reached" '.trust.signers | map(.name) | sort == (["情報課 林", "課税課 小野"] | sort)' status
expect "the terminal followed every root" '.trust.root.version == 4 and .trust.organization == "matsudo.example"' status
cd "$work/desk"
exits 1 kuraban policy apply kazei.12.yaml.signed
exits 1 kuraban policy root install --yes root.4.json # it has one
exits 0 kuraban audit verify
kuraban audit show --json | jq -s -e 'map(select(.event.action == "policy-applied")) | length >= 4' > /dev/null || fail "the journal"
for key in */*.key; do
    [ "$(stat -c %a "$key")" = 600 ] || fail "$key is open"
    head -n 1 "$key" | grep -qx -- '-----BEGIN ENCRYPTED PRIVATE KEY-----' || fail "$key is not encrypted"
done

# An auditor without kuraban: openssl and jq say the same of the bundle's policy.
jq -r .payload kazei.13.yaml.signed | base64 -d | cmp - kazei.13.yaml || fail "other bytes than the text"
for i in 0 1; do
    { printf 'DSSEv1 %d %s %d ' 38 application/vnd.kuraban.policy.v1+yaml "$(stat -c %s kazei.13.yaml)"; cat kazei.13.yaml; } > "$work/pae"
    jq -r ".signatures[$i].sig" kazei.13.yaml.signed | base64 -d > "$work/sig"
    found=no
    for pub in hayashi/policy.key.pub ono/policy.key.pub; do
        if openssl pkeyutl -verify -rawin -pubin -inkey "$pub" -in "$work/pae" -sigfile "$work/sig" > /dev/null 2>&1; then found=yes; fi
    done
    [ "$found" = yes ] || fail "signature $i is nobody's"
done
note "what the guide promises holds; openssl alone agrees"
finished
