#!/bin/bash
# The whole ceremony with the real program: keys, root, two people sign, head, bundle, rotation; and every refusal of `policy verify`
# with its name, a reason and a hint. What no honest program writes is forged with openssl and jq. Needs no root and no network.
# Runs beside others.
set -euo pipefail

for tool in openssl jq sha256sum base64; do
    command -v "$tool" > /dev/null || { echo "SKIP: $tool is not installed"; exit 77; }
done
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
cd "$stage"
unset LANGUAGE LC_MESSAGES LANG
export LC_ALL=C.UTF-8

kuraban() { "$KURABAN_BUILD/bin/kuraban" "$@"; }
fail() { echo "FAILED: $*" >&2; [ ! -s out ] || sed 's/^/    /' out >&2; exit 1; }
note() { echo "  $*"; }

# exits STATUS command…: output in ./out
exits() {
    local wanted=$1 status=0
    shift
    "$@" > out 2>&1 || status=$?
    [ "$status" = "$wanted" ] || fail "exit $status instead of $wanted: $*"
}
says() { grep -qF -- "$1" out || fail "not said: $1"; }

# The clock of this machine rules: everything is dated around today.
from=$(date -I -d '-30 days') until=$(date -I -d '+200 days') expires=$(date -I -d '+3 years')

# --- keys ---

umask 077
echo "correct horse battery staple" > passphrase
umask 022
for who in root1 root2 root3 root4 draft approve second hub stranger; do
    kuraban policy keygen --name "係 $who" --out $who --passphrase-file passphrase > out
    [ "$(stat -c %a $who)" = 600 ] || fail "$who has mode $(stat -c %a $who)"
    [ "$(stat -c %a $who.pub)" = 644 ] || fail "$who.pub has mode $(stat -c %a $who.pub)"
    id=$(openssl pkey -pubin -in $who.pub -outform DER | sha256sum | cut -d' ' -f1)
    says "$id"
    openssl pkey -in $who -passin file:passphrase -out $who.open # for forgeries
    # A key that openssl encrypted opens as well, and at once: what follows opens keys eighty times.
    openssl pkcs8 -topk8 -in $who.open -v2 aes-256-cbc -iter 1000 -passout file:passphrase -out $who
done
exits 5 kuraban policy keygen --name x --out root1 --passphrase-file passphrase
says "nothing is overwritten"
exits 2 kuraban policy keygen --out x --passphrase-file passphrase
exits 2 kuraban policy keygen --name $'a\nb' --out x --passphrase-file passphrase
echo short > short && chmod 600 short
exits 2 kuraban policy keygen --name x --out x --passphrase-file short
says "at least 12 characters"
{ [ -e x ] || [ -e x.pub ]; } && fail "a refused key has a file"
note "keys are encrypted, for their owners, never overwritten"

# Passphrase files that others can read are none; a descriptor is fine.
cp passphrase loose && chmod 640 loose
exits 4 kuraban policy keygen --name x --out x --passphrase-file loose
says "others can read the passphrase file"
ln -s passphrase link
exits 5 kuraban policy keygen --name x --out x --passphrase-file link
mkfifo fifo
exits 4 kuraban policy keygen --name x --out x --passphrase-file fifo
: > empty && chmod 600 empty
exits 5 kuraban policy keygen --name x --out x --passphrase-file empty
says "holds no passphrase"
exits 0 kuraban policy keygen --name 記述子 --out described --passphrase-file /dev/fd/7 7< <(cat passphrase)
openssl pkey -in described -passin file:passphrase -noout || fail "another passphrase than the descriptor's"
note "passphrase files are the caller's alone"

# --- the root document ---

root_keys=(--root-key root1.pub --root-key root2.pub --root-key root3.pub)
policy_keys=(--policy-key draft.pub --policy-key approve.pub --policy-key second.pub)
exits 2 kuraban policy root create --organization matsudo.example --root-key root1.pub "${policy_keys[@]}" --head-key hub.pub \
    --expires "$expires" --out root.json
says "--root-key adds one"
exits 5 kuraban policy root create --organization matsudo.example "${root_keys[@]}" --root-key root1.pub "${policy_keys[@]}" \
    --head-key hub.pub --expires "$expires" --out root.json
says "has the role root already"
exits 2 kuraban policy root create --organization matsudo.example "${root_keys[@]}" "${policy_keys[@]}" --head-key hub.pub \
    --expires tomorrow --out root.json
exits 5 kuraban policy root create --organization matsudo.example "${root_keys[@]}" "${policy_keys[@]}" --head-key root1 \
    --expires "$expires" --out root.json
says "not a public key file"
sed 1d root1.pub > nameless.pub
exits 5 kuraban policy root create --organization matsudo.example "${root_keys[@]}" "${policy_keys[@]}" --head-key nameless.pub \
    --expires "$expires" --out root.json
says "whose key it is"
[ ! -e root.json ] || fail "a refused root document has a file"
exits 0 kuraban policy root create --organization matsudo.example "${root_keys[@]}" --root-threshold 3 "${policy_keys[@]}" \
    --head-key hub.pub --expires "$expires" --out all.json
says "warning: every root key must sign"
exits 0 kuraban policy root create --organization matsudo.example "${root_keys[@]}" "${policy_keys[@]}" --expires "$expires" \
    --out headless.json
exits 1 kuraban --json policy root show headless.json
jq -e '.roles.head.threshold == 0' out > /dev/null || fail "without a head key none must sign"
exits 0 kuraban policy root rotate headless.json --add-head-key hub.pub --expires "$expires" --out headed.json
exits 1 kuraban --json policy root show headed.json
jq -e '.roles.head.threshold == 1' out > /dev/null || fail "with one it must"
exits 0 kuraban policy root create --organization matsudo.example "${root_keys[@]}" "${policy_keys[@]}" --head-key hub.pub \
    --expires "$expires" --out root.json
exits 5 kuraban policy root create --organization matsudo.example "${root_keys[@]}" "${policy_keys[@]}" --head-key hub.pub \
    --expires "$expires" --out root.json
says "nothing is overwritten"
exits 1 kuraban policy root show root.json
says "Signed by nobody yet"
says "Still needed: 2 of these root keys"

sign_root() { kuraban policy root sign --yes --passphrase-file passphrase --key "$@"; }
exits 1 sign_root draft root.json
says "is no root key of this document"
exits 0 sign_root root1 root.json
cp root.json once.json
exits 1 sign_root root1 root.json
says "signed already"
cmp -s root.json once.json || fail "a refused signature changed the file"
exits 1 kuraban policy root show root.json
says "Still needed: 1 of these root keys"
kuraban policy root show root.json --json > out || :
jq -e '.complete == false and .missing.own.needed == 1 and (.missing.own.keys | length) == 2
    and .missing.previous == null and .signatures[0].state == "good" and .roles.root.threshold == 2' out > /dev/null || fail "root show --json"
exits 0 sign_root root3 root.json
exits 0 kuraban policy root show root.json
says "Nobody has to sign any more"
note "a root document: 2 of 3"

# --- two people sign ---

# document VERSION [extra line…]: a policy for the group kazei
document() {
    local version=$1
    shift
    cat << YAML
format: kuraban-policy/1
organization: matsudo.example
name: 課税課 標準
version: $version
scope: {groups: [kazei]}
valid: {from: $from, until: $until}
mode: enforce
usb:
  - {id: keyboard, allow: use, match: {interfaces: {all-of: ["03:01:01"]}}}
  - {id: stick, allow: read, match: {device: "0781:5583"}}
YAML
    [ $# -eq 0 ] || printf '%s\n' "$@"
}
sign() { kuraban policy sign --yes --passphrase-file passphrase --key "$@"; }
who=(--group kazei --terminal t-0042)
verify() { kuraban policy verify --root root.json "${who[@]}" "$@"; }

document 42 > kazei.yaml
document 42 "nonsense: 1" > wrong.yaml
exits 1 sign draft wrong.yaml
says "nonsense"
says "a document with errors is not signed"
exits 1 sign stranger --root root.json kazei.yaml
says "may not sign policies"
exits 1 sign root1 --root root.json kazei.yaml
sed 's/matsudo.example/kashiwa.example/' kazei.yaml > foreign.yaml
exits 1 sign draft --root root.json foreign.yaml
says "the policy is for kashiwa.example"
exits 4 sign draft.open kazei.yaml
says "is not encrypted"
install -m 640 draft loose.key
exits 4 sign loose.key kazei.yaml
says "others can read this private key"
exits 4 sign "file://$stage/loose.key" kazei.yaml
exits 5 sign draft.pub kazei.yaml
says "no private key here"
exits 5 sign nowhere kazei.yaml
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2> /dev/null |
    openssl pkcs8 -topk8 -passout file:passphrase -out curve
exits 5 sign curve kazei.yaml
says "not an Ed25519 one"
exits 5 kuraban policy sign --yes --passphrase-file <(:) --key draft kazei.yaml
[ ! -e kazei.yaml.signed ] || fail "a refused signature has a file"
exits 0 sign draft --root root.json kazei.yaml
says "係 draft  good"
says "Still needed: 1 of these policy keys"
says "係 approve"
jq -r .payload kazei.yaml.signed | base64 -d | cmp -s - kazei.yaml || fail "other bytes were signed"
exits 5 sign approve kazei.yaml
says "to add your signature: kuraban policy sign --key KEY kazei.yaml.signed"
cp kazei.yaml.signed once.signed
exits 1 sign draft kazei.yaml.signed
says "signed already"
cmp -s kazei.yaml.signed once.signed || fail "a refused signature changed the file"
ln -s kazei.yaml.signed other-name
exits 5 sign approve other-name # the link would become a file of its own
says "--out FILE puts the signed document elsewhere"
sign "file:$stage/approve" --root root.json kazei.yaml.signed --json > out 2> err || { cat err; fail "the second signature"; }
jq -e '.policy.version == 42 and (.signatures | map(.state) == ["good", "good"]) and .policy.scope.groups == ["kazei"]' out > /dev/null ||
    fail "policy sign --json"
[ "$(jq -r .policy.sha256 out)" = "$(sha256sum < kazei.yaml | cut -d' ' -f1)" ] || fail "another SHA-256"
exits 5 sign draft root.json
says "signs root documents"
document 43 > next.yaml
exits 0 sign draft next.yaml --base kazei.yaml.signed --out next.signed
says "version: 42 → 43"
says "0 wider, 0 otherwise, 0 narrower, 1 without effect"
# A base that only who drafts has signed may say anything.
exits 0 sign draft next.yaml --root root.json --base once.signed --out next2.signed
says "warning: once.signed is not signed by enough keys of root.json"
exits 0 sign draft next.yaml --root root.json --base kazei.yaml.signed --out next3.signed
! grep -q warning: out || fail "a good base is doubted"
jq '.signatures[0].sig = .signatures[1].sig' kazei.yaml.signed > turned.signed
exits 1 sign draft next.yaml --root root.json --base turned.signed --out next4.signed
says "does not fit"
[ ! -e next4.signed ] || fail "signed beside a forged base"
document 41 > older.yaml
exits 1 sign draft older.yaml --base kazei.yaml.signed --out older.signed
says "terminals that have it refuse version 41"
document 42 "# changed" > other.yaml
exits 1 sign draft other.yaml --base kazei.yaml.signed --out other.signed
sed 's/matsudo.example/kashiwa.example/; s/version: .*/version: 99/' kazei.yaml > foreign99.yaml
exits 1 sign draft foreign99.yaml --base kazei.yaml.signed --out other.signed
says "this is a policy of matsudo.example"
sed "s/until: [-0-9]*/until: $(date -I -d '-2 days')/" kazei.yaml > over.yaml
exits 1 sign draft over.yaml --out other.signed
says "its time is over"
for file in older.signed other.signed; do [ ! -e $file ] || fail "a refused signature has a file"; done
exits 0 sign draft older.yaml --out older.signed
for file in next.signed older.signed; do exits 0 sign second $file; done
note "drafted, approved, and no third way"

# --- head and bundle ---

head_for() { # POLICY VERSION OUT option…
    local policy=$1 version=$2 out=$3
    shift 3
    kuraban policy head --root root.json --key hub --passphrase-file passphrase --group kazei --policy "$policy" \
        --version "$version" --out "$out" "$@"
}
exits 0 head_for kazei.yaml.signed 1 head.json
exits 0 head_for kazei.yaml.signed 2 head.json # a hub writes it again and again
exits 2 head_for kazei.yaml.signed 0 x
exits 2 head_for kazei.yaml.signed 3 x --days 400
exits 1 head_for once.signed 3 x
says "1 good signatures of 2 needed"
exits 1 head_for kazei.yaml.signed 3 x --key draft
says "may not sign heads"
exits 1 kuraban policy bundle --policy next.signed --head head.json --root root.json --out x
says "the head names another policy"
exits 1 kuraban policy bundle --policy once.signed --root root.json --out x
exits 5 kuraban policy bundle --policy kazei.yaml.signed --root root.json --out /dev/full # not renamed over
says "not a regular file"
[ -c /dev/full ] || fail "/dev/full was replaced"
ln -s elsewhere pointer
exits 5 kuraban policy bundle --policy kazei.yaml.signed --root root.json --out pointer
[ -L pointer ] || fail "a link was replaced"
[ ! -e x ] || fail "a refused file is there"
exits 0 kuraban policy bundle --policy kazei.yaml.signed --head head.json --root root.json --out kazei.bundle
exits 0 kuraban policy bundle --policy next.signed --out next.bundle
note "a head selects, a bundle carries; what no terminal takes is not written"

# --- what a terminal takes ---

exits 0 verify kazei.bundle
says "A terminal takes this."
exits 0 verify kazei.yaml.signed
exits 0 verify root.json
exits 0 verify next.bundle --current kazei.bundle
verify kazei.bundle --json > out
jq -e '.ok and .result == "ok" and .policy.version == 42 and .head.group == "kazei" and .root.version == 1
    and (.documents | map(.kind) == ["root", "policy", "head"] and map(.missing.needed) == [0, 0, 0])
    and (.documents[1].signatures | map(.name) == ["係 draft", "係 approve"])' out > /dev/null || fail "policy verify --json"
verify kazei.bundle > out
for word in "Root document, version 1:" "Policy:" "Head:" "係 hub"; do says "$word"; done
exits 2 kuraban policy verify kazei.bundle
exits 1 kuraban policy verify kazei.bundle --root all.json # not signed itself
exits 5 verify missing

# refused NAME FILE option…: with this name, a message, and a hint
seen=()
refused() {
    local name=$1 status=0
    shift
    verify "$@" --json > out 2> err || status=$?
    [ "$status" = 1 ] || { cat err; fail "exit $status instead of a refusal: $*"; }
    jq -e --arg name "$name" '.ok == false and .result == $name and (.message | length) > 0 and (.hint | length) > 0
        and .policy == null and .root == null and .head == null' out > /dev/null || fail "not refused as $name: $*"
    status=0
    verify "$@" > text 2>&1 || status=$?
    if [ "$status" != 1 ] || ! grep -q "A terminal refuses this: " text || ! grep -q "What to do: " text; then
        cat text
        fail "no words for $name"
    fi
    seen+=("$name")
}
shown() { grep -qF -- "$1" text || { cat text; fail "not shown: $1"; }; }

# forge TYPE PAYLOAD KEY…: an envelope that no program of ours would write
forge() {
    local type=$1 payload=$2 key
    shift 2
    base64 -w 0 "$payload" > payload.base64
    for key; do
        { printf 'DSSEv1 %d %s %d ' ${#type} "$type" "$(stat -c %s "$payload")"; cat "$payload"; } > pae
        openssl pkeyutl -sign -rawin -inkey "$key.open" -in pae -out signature
        jq -n --arg keyid "$(openssl pkey -in "$key.open" -pubout -outform DER | sha256sum | cut -d' ' -f1)" \
            --arg sig "$(base64 -w 0 signature)" '{$keyid, $sig}'
    done | jq -s --arg type "$type" --rawfile payload payload.base64 '{payloadType: $type, payload: $payload, signatures: .}'
}
yaml=application/vnd.kuraban.policy.v1+yaml
root=application/vnd.kuraban.root.v1+json
head=application/vnd.kuraban.head.v1+json
forge $yaml kazei.yaml draft approve > forged
exits 0 verify forged # what follows is refused for its own reason, not for the forger's handwriting

{ cat kazei.bundle; head -c 1048576 /dev/zero | tr '\0' ' '; } > long
refused too-long long
head -c 700 kazei.bundle > cut.json
refused malformed cut.json
jq '.signatures[0].sig |= .[0:40]' kazei.yaml.signed > cut.json
refused malformed cut.json
jq '. + {more: 1}' kazei.yaml.signed > added
refused malformed added
sed '0,/"payload":/s//"payload": "", "payload":/' kazei.yaml.signed > twice
refused duplicate-key twice
jq --slurpfile other root.json '.policy = $other[0]' kazei.bundle > mixed
refused payload-type mixed
jq '.payloadType = "text/plain"' kazei.yaml.signed > plain
refused payload-type plain
jq '.payloadType |= sub("v1"; "v2")' kazei.yaml.signed > future
refused format future
jq '.format = "kuraban-bundle/2"' kazei.bundle > future
refused format future
jq -r .payload root.json | base64 -d > root.payload
jq '.version = 2 | .roles.emperor = .roles.head' root.payload > emperor
forge $root emperor root1 root2 > emperor.json
refused unknown-role emperor.json
refused too-few-signatures once.signed
shown "Still needed: 1 of these policy keys"
shown "係 second"
jq '.signatures = []' kazei.yaml.signed > nobody
refused too-few-signatures nobody
forge $yaml kazei.yaml root1 root2 hub > others
refused too-few-signatures others
forge $yaml kazei.yaml draft stranger > others
refused too-few-signatures others
shown "not a key of this role"
jq '.signatures += [.signatures[0]]' once.signed > echoed
refused repeated-key echoed
sed 's/mode: enforce/mode: monitor/' kazei.yaml > softer.yaml
jq --arg payload "$(base64 -w 0 softer.yaml)" '.payload = $payload' kazei.yaml.signed > softer
refused bad-signature softer
shown "DOES NOT FIT the document"
exits 1 sign second softer --root root.json # nor does anybody sign beside it
says "does not fit"
forge $yaml foreign.yaml draft approve > foreign
refused organization foreign
who=(--group zeimu --terminal t-0042)
refused scope kazei.bundle
who=()
refused scope kazei.bundle
who=(--group zeimu --group kazei)
exits 0 verify kazei.bundle
refused rollback kazei.yaml.signed --current next.bundle
refused rollback older.signed --current kazei.bundle
exits 0 head_for kazei.yaml.signed 1 head1.json
refused rollback head1.json --current kazei.bundle
document 42 "# changed" > other.yaml
forge $yaml other.yaml draft approve > other
refused same-version other --current kazei.bundle
exits 0 verify kazei.yaml.signed --current kazei.bundle # the same once more is no refusal
jq '.policy.sha256 |= (.[1:] + .[0:1])' <(jq -r .payload head.json | base64 -d) > head.payload
forge $head head.payload hub > bent.json
jq --slurpfile head bent.json '.head = $head[0]' kazei.bundle > bent.bundle
refused head-mismatch bent.bundle
jq --slurpfile other next.signed '.policy = $other[0]' kazei.bundle > mixed
refused head-mismatch mixed
refused head-expired kazei.bundle --at "$(date -I -d '+20 days')"
refused expired kazei.yaml.signed --at "$(date -I -d "$until +1 day")"
refused not-yet kazei.yaml.signed --at "$(date -I -d "$from -1 day")"
refused root-expired kazei.yaml.signed --at "$(date -I -d "$expires +1 day")"
forge $yaml wrong.yaml draft approve > wrong
refused policy wrong
shown "nonsense"
refused unsigned kazei.yaml
note "${#seen[@]} refusals of $(printf '%s\n' "${seen[@]}" | sort -u | wc -l) kinds, each with its name, reason and hint"

# --- rotation: root1 is lost, root4 takes its place ---

exits 5 kuraban policy root rotate root.json --remove-root-key "係 nobody" --out root2.json
says "no key of the role root"
exits 2 kuraban policy root rotate root.json --remove-root-key "係 root1" --remove-root-key root2.pub --out root2.json
says "--root-key adds one"
[ ! -e root2.json ] || fail "a refused rotation has a file"
exits 0 kuraban policy root rotate root.json --remove-root-key "係 root1" --add-root-key root4.pub --out root2.json
exits 1 kuraban policy root show root2.json --previous root.json
says "Still needed: 2 of these root keys of the previous version"
exits 1 sign_root root3 root2.json --previous root2.json
says "root version 2"
exits 1 sign_root root3 root.json --previous root2.json
exits 2 kuraban policy root rotate root.json --expires "$(date -I -d '-2 days')" --out over.json
says "is over already"
jq --arg expires "$(date -I -d '-2 days')T00:00:00Z" '.version = 2 | .expires = $expires' root.payload > over.payload
forge $root over.payload > over.json
exits 1 sign_root root3 over.json
says "has expired"
exits 0 sign_root root4 root2.json
exits 0 sign_root root3 root2.json
exits 0 kuraban policy root show root2.json # by its own count
exits 1 kuraban policy root show root2.json --previous root.json
says "Still needed: 1 of these root keys of the previous version"
refused root-chain root2.json
exits 1 sign_root root1 root2.json
says "signs with --previous OLD"
cp root2.json root2b.json
exits 0 sign_root root1 root2b.json --previous root.json # found again: the old key counts for the old threshold
exits 0 kuraban policy root show root2b.json --previous root.json
exits 0 verify root2b.json
exits 0 sign_root root2 root2.json --out root2c.json
exits 0 kuraban policy root show root2c.json --previous root.json
exits 0 verify root2c.json
id=$(openssl pkey -pubin -in second.pub -outform DER | sha256sum | cut -c1-12)
exits 0 kuraban policy root rotate root2c.json --remove-policy-key "$id" --expires "$(date -I -d "$expires +1 year")" --out root3.json
for key in root2 root3; do exits 0 sign_root $key root3.json; done
refused root-chain root3.json # version 2 is missing
exits 1 kuraban policy bundle --policy next.signed --root root.json --root root3.json --out x
exits 1 kuraban policy bundle --policy next.signed --root root2c.json --root root3.json --out x # second's word counts no more
exits 0 kuraban policy bundle --policy kazei.yaml.signed --root root2c.json --root root3.json --out rotated.bundle
exits 0 verify rotated.bundle
verify rotated.bundle --json > out
jq -e '.root.version == 3 and .policy.version == 42' out > /dev/null || fail "the rotation"
refused rollback root.json --current rotated.bundle
exits 0 verify rotated.bundle --at "$(date -I -d "$until -1 day")"
note "a key was lost and replaced, by old and new threshold"

# --- the answers in JSON are what kuraban(1) says, no more and no less ---

# members VERB MEMBERS command…
members() {
    local verb=$1 wanted=$2 member
    shift 2
    "$@" --json > out 2> err || { cat err; fail "$verb --json"; }
    [ "$(jq -r 'keys | join(" ")' out)" = "$wanted" ] || fail "$verb --json has other members than: $wanted"
    awk -v verb="$verb" 'index($0, ".SS " verb) == 1 { on = 1; next } /^\.S[SH] / { on = 0 } on' "$KURABAN_SOURCE/man/kuraban.1" > section
    for member in $wanted; do
        grep -qw -- "$member" section || fail "kuraban(1), $verb, does not name $member"
    done
}
of_root="complete detail expires keys missing organization roles sha256 signatures version"
members "policy keygen" "id name private public" kuraban policy keygen --name 新井 --out arai --passphrase-file passphrase
members "policy root show" "$of_root" kuraban policy root show root3.json --previous root2c.json
kuraban policy root rotate root3.json --add-root-key arai.pub --out root4.json --json > out
[ "$(jq -r 'keys | join(" ")' out)" = "$of_root" ] || fail "policy root rotate --json"
sign_root root2 root4.json --json > out
[ "$(jq -r 'keys - ["signed_by"] | join(" ")' out)" = "$of_root" ] || fail "policy root sign --json"
document 44 > more.yaml
members "policy sign" "file findings missing policy signatures signed_by" sign draft more.yaml
members "policy verify" "detail documents findings head hint message ok policy result root" verify rotated.bundle
members "policy head" "expires file group issued policy signed_by version" head_for kazei.yaml.signed 3 head3.json
members "policy bundle" "bytes file head policy roots" kuraban policy bundle --policy kazei.yaml.signed --out json.bundle
note "the answers in JSON are those of kuraban(1)"

# Every refusal that policy/trust knows was seen, but the one that needs a terminal without a root.
sed -nE 's/^ +\[TRUST_E_[A-Z_]+\] = \{"([a-z-]+)",.*/\1/p' "$KURABAN_SOURCE/policy/trust/result.c" | grep -vx no-root | sort > known
[ -s known ] || fail "no names in policy/trust/result.c"
diff known <(printf '%s\n' "${seen[@]}" | sort -u) || fail "these refusals have no case here"

ls .[!.]* 2> /dev/null && fail "temporary files were left"
echo "the ceremony stands"
