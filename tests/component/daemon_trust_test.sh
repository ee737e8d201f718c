#!/bin/bash
# A terminal that trusts nobody in between, with a running kuraband: the unsigned file rules until a root is installed, then only what
# two people signed; every refusal has its own reason, exit code and record and changes nothing; what is damaged refuses everything;
# the way back is at a console alone. The documents are made without kuraban (daemon/sign.py).
# Runs beside others.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

command -v openssl > /dev/null || skip "openssl is missing"
sign() { /usr/bin/python3 "${BASH_SOURCE[0]%/*}/daemon/sign.py" "$keys" "$@"; }
unplugged() { ! mountpoint -q "$mount"; }
# What rules, once the gate has looked at its marks again after a stick came or went (wire_gate_tick).
asked() {
    kuraban status --json | jq -ceS 'select(.enforcing) | {enforcing, mode, terminal, policy, trust}' > "$stage/ruling"
}
ruling() { eventually "enforcing" 10 asked; cat "$stage/ruling"; }
stored() { ( cd "$stage/state" && sha256sum trust.json trust.installed policy.last-good.yaml && find . -maxdepth 1 ! -name 'journal*' | sort ); }
says() { grep -qF -- "$1" "$stage/out" || { cat "$stage/out" >&2; fail "not said: $1"; }; }

# record FILTER: the newest record of that kind is durable and as expected.
record() {
    kuraban sync > /dev/null
    kuraban audit show --json | jq -s -e "last(.[] | select($1)) | $2" > /dev/null && return 0
    kuraban audit show --json | tail -n 3 >&2
    fail "the journal: $1, $2"
}

# document VERSION ALLOW [FURTHER]: $keys/VERSION.yaml
document() {
    write_policy "$1" "$2" "" "${3-}"
    sed "s/^name: stage/name: signed/" "$stage/policy.yaml" > "$keys/$1.yaml"
}

stage_make
keys=$stage/keys
mkdir -m 0700 "$keys"
sign key tanaka suzuki sato hub stranger
write_config << YAML
keeper: on
terminal: {id: kazei-07, groups: [kazei]}
YAML
write_policy 7 read
cp "$stage/policy.yaml" "$stage/unsigned.yaml"
daemon_start
plug
allowed as_user cat "$mount/notice.txt"
sign root "$keys/root" '{}' tanaka suzuki
document 2 read
sign policy "$keys/2" 2.yaml tanaka suzuki
cp "$stage/unsigned.yaml" "$stage/policy.yaml"

# --- standalone: nothing signed is accepted, nothing is to be removed ---

expect "no root" '.trust == null and .policy.source == "file" and .policy.version == 7 and .terminal.id == "kazei-07"' status
exits 1 kuraban policy apply "$keys/2"
says "no root document is installed here"
record '.event.action == "policy-refused"' '.event.reason == "no-root" and .event.kind == "alert"'
exits 1 kuraban policy root remove --reason "nothing there"
says "no root document is installed here"
exits 4 as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" policy apply "$stage/kuraban.yaml"
note "without a root the file rules and nothing signed does"

# --- the root ---

sign root "$keys/root.one" '{}' tanaka
exits 1 kuraban policy root install --yes "$keys/root.one"
sign root "$keys/root.role" '{"roles": {"mayor": {"keys": [key_id("tanaka")], "threshold": 1}}}' tanaka suzuki
exits 1 kuraban policy root install --yes "$keys/root.role"
expect "still none" '.trust == null' status
cp "$keys/root" "$stage/root" && chmod 0644 "$stage/root"
exits 4 as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" policy root install --yes "$stage/root"
exits 0 kuraban policy root install --yes "$keys/root"
record '.event.action == "root-installed"' '.kuraban.trust.root_version == 1'
expect "the last unsigned one rules on" '.policy.version == 7 and .policy.source == "last-good" and .enforcing
    and .trust.state == "good" and .trust.root.version == 1 and .trust.signers == [] and .trust.head == null' status
expect "doctor asks for a signed one" 'any(.[]; .check == "policy.signed" and .ok == false)' doctor
exits 1 kuraban policy root install --yes "$keys/root"
says "a root document is installed already"

# The file does not count any more: not edited and read again, not after a start, whatever ruled before.
write_policy 8 use
before=$(ruling)
exits 1 kuraban reload
says "only signed documents are accepted here"
record '.event.action == "policy-rejected"' '.event.kind == "alert" and (.message | contains("a root is installed"))'
[ "$(ruling)" = "$before" ] || fail "an unsigned file changed what rules"
daemon_kill TERM
daemon_start
[ "$(ruling)" = "$before" ] || fail "a start changed what rules"
plug
note "with a root the unsigned file does not count, also after a start"

# --- apply: what is present is decided anew ---

document 3 refuse
sign policy "$keys/3" 3.yaml tanaka sato
exits 0 kuraban policy apply "$keys/2"
says "version 2"
says "Signed by tanaka"
record '.event.action == "policy-applied"' '.kuraban.trust.policy.version == 2 and .kuraban.trust.policy.name == "signed"
    and (.kuraban.trust.signers | map(.name)) == ["tanaka", "suzuki"] and .user.id == "0"'
expect "signed rules" '.policy.source == "signed" and .policy.version == 2 and .policy.name == "signed" and .enforcing
    and (.trust.signers | map(.name)) == ["tanaka", "suzuki"]' status
expect "doctor is content" 'all(.[] | select(.check == "policy.signed" or .check == "policy.trust"); .ok)' doctor
allowed as_user cat "$mount/notice.txt"
exits 0 kuraban policy apply "$keys/3"
eventually "the stick that version 3 refuses is detached" 5 unplugged
expect "decided anew" '.[0] | .verdict == "deny" and .rule == "stick"' devices
record '.event.action == "medium-decided"' '.kuraban.policy.version == 3'
document 4 read
sign policy "$keys/4" 4.yaml suzuki sato
sign head "$keys/head" kazei 1 4.yaml -60 864000 hub
sign bundle "$keys/4.bundle" policy=4 head=head
exits 0 kuraban policy apply "$keys/4.bundle"
plug
allowed as_user cat "$mount/notice.txt"
expect "with its head" '.policy.version == 4 and .trust.head.version == 1 and .trust.head.group == "kazei"
    and (.trust.head | .expired or .expires_soon | not)' status
exits 0 kuraban policy apply "$keys/4.bundle" # once more is no change
before=$(ruling)
daemon_kill KILL
daemon_start
[ "$(ruling)" = "$before" ] || fail "a kill changed what rules: $before → $(ruling)"
plug
note "apply decides anew what is present, and rules after a start"

# The page's example of `trust` has what a terminal answers with.
shape() { jq -r '[paths as $p | {p: ($p | map(if type == "number" then "[]" else . end) | join(".")), t: (getpath($p) | type)}] | unique | .[] | "\(.p) \(.t)"'; }
awk '/^`terminal` is what/ {on = 1} on && /^```$/ {exit} on && block {print} on && /^```json/ {block = 1}' \
    "$KURABAN_SOURCE/docs/PROTOCOL.control.md" | shape > "$stage/documented"
kuraban status --json | jq .trust | shape > "$stage/answered"
diff "$stage/documented" "$stage/answered" >&2 || fail "trust: documented (<) and answered (>) differ"

# --- every refusal ---

# refuses REASON WORDS FILE: its own reason, nothing changes. What the journal has of it is looked at together, below.
reasons=()
refuses() {
    local reason=$1 words=$2 file=$3
    exits 1 kuraban policy apply --json "$file"
    says "refused, nothing has changed: $words"
    says "\"reason\": \"$reason\""
    [ "$(ruling)" = "$before" ] || fail "$reason: what rules has changed: $before → $(ruling)"
    [ "$(stored)" = "$stood" ] || fail "$reason: what is stored has changed"
    note "$reason: $(sed -n 's/^kuraban: refused, nothing has changed: //p' "$stage/out")"
    reasons+=("$reason")
}
kuraban sync > /dev/null
seen=$(kuraban audit show --json | wc -l)
before=$(ruling) stood=$(stored)
signed() { document "$1" "$2" "${3-}"; sign policy "$keys/bad" "$1.yaml" "${@:4}"; }

refuses rollback "older than what rules here" "$keys/3"
signed 4 refuse "" tanaka suzuki
refuses same-version "the version that rules here, with other content" "$keys/bad"
document 4 read
document 5 refuse
sign policy "$keys/5" 5.yaml tanaka suzuki
sign head "$keys/bad.head" kazei 2 5.yaml -864000 -60 hub # freeze
sign bundle "$keys/bad" policy=5 head=bad.head
refuses head-expired "the head has expired" "$keys/bad"
sign head "$keys/bad.head" kazei 2 4.yaml -60 864000 hub # mix and match
sign bundle "$keys/bad" policy=5 head=bad.head
refuses head-mismatch "the head names another policy" "$keys/bad"
sign head "$keys/bad.head" hoken 2 5.yaml -60 864000 hub
sign bundle "$keys/bad" policy=5 head=bad.head
refuses scope "not for this terminal" "$keys/bad"
sign head "$keys/bad.head" kazei 2 5.yaml -60 864000 tanaka # not the hub's to give, nor a person's
sign bundle "$keys/bad" policy=5 head=bad.head
refuses too-few-signatures "too few good signatures" "$keys/bad"
signed 5 refuse "scope: {groups: [hoken]}" tanaka suzuki
refuses scope "not for this terminal" "$keys/bad"
signed 5 refuse "scope: {terminals: [kazei-08]}" tanaka suzuki
refuses scope "not for this terminal" "$keys/bad"
document 5 refuse
sed -i 's/^organization: .*/organization: other.example/' "$keys/5.yaml"
sign policy "$keys/bad" 5.yaml tanaka suzuki
refuses organization "for another organization" "$keys/bad"
signed 5 refuse "" tanaka
refuses too-few-signatures "too few good signatures" "$keys/bad"
signed 5 refuse "" tanaka stranger
refuses too-few-signatures "too few good signatures" "$keys/bad"
signed 5 refuse "" tanaka hub
refuses too-few-signatures "too few good signatures" "$keys/bad"
signed 5 refuse "" tanaka tanaka
refuses repeated-key "one key signed twice" "$keys/bad"
jq -c '.payload |= (explode | .[200] = (if .[200] == 65 then 66 else 65 end) | implode)' "$keys/5" > "$keys/bad"
refuses bad-signature "a signature does not fit the document" "$keys/bad"
signed 5 refuse "valid: {until: 2026-01-01}" tanaka suzuki
refuses expired "the policy's time is over" "$keys/bad"
signed 5 refuse "valid: {from: 2199-01-01}" tanaka suzuki
refuses not-yet "its time has not begun" "$keys/bad"
signed 5 refuse "nonsense: 1" tanaka suzuki
refuses policy "properly signed, but the policy has errors" "$keys/bad"
grep -q 'unknown key' "$stage/out" || fail "a signed mistake is not told with its place"

roots() { sign root "$keys/bad.root" "$1" "${@:2}"; sign bundle "$keys/bad" root=bad.root policy=5; }
roots '{"version": 2, "roles": {"mayor": {"keys": [key_id("tanaka")], "threshold": 1}}}' tanaka suzuki
refuses unknown-role "the root document has a role this version does not know" "$keys/bad"
roots '{"version": 2, "format": "kuraban-root/2"}' tanaka suzuki
refuses format "written in a newer format" "$keys/bad"
roots '{"version": 3}' tanaka suzuki
refuses root-chain "not the next root document" "$keys/bad"
roots '{"version": 2, "names": ["stranger", "sato"]}' stranger sato
refuses root-chain "not the next root document" "$keys/bad"
roots '{"version": 2, "expires": moment(-60)}' tanaka suzuki
refuses root-expired "the root document has expired" "$keys/bad"
jq -c '.format = "kuraban-bundle/2"' "$keys/4.bundle" > "$keys/bad"
refuses format "written in a newer format" "$keys/bad"

truncate -s 0 "$keys/bad"
refuses malformed "not a well-formed signed document" "$keys/bad"
size=$(stat -c %s "$keys/5")
for part in 1 $((size / 2)) $((size - 2)); do
    head -c "$part" "$keys/5" > "$keys/bad"
    refuses malformed "not a well-formed signed document" "$keys/bad"
done
head -c $((1024 * 1024 + 1)) /dev/zero > "$keys/bad"
refuses too-long "longer than such a document may be" "$keys/bad"
truncate -s 8G "$keys/bad"
refuses too-long "longer than such a document may be" "$keys/bad"
sed 's/^{/{"payload": "AAAA", /' "$keys/5" > "$keys/bad"
refuses duplicate-key "an object of the document has the same key twice" "$keys/bad"
jq -c '.payloadType = "application/vnd.kuraban.head.v1+json"' "$keys/5" > "$keys/bad.policy"
jq -nc --slurpfile p "$keys/bad.policy" '{format: "kuraban-bundle/1", policy: $p[0]}' > "$keys/bad"
refuses payload-type "a signed document of another kind than expected" "$keys/bad"
cp "$keys/5.yaml" "$keys/bad"
refuses unsigned "not signed: only signed documents are accepted here" "$keys/bad"
kuraban sync > /dev/null
kuraban audit show --json | tail -n "+$((seen + 1))" | jq -r 'select(.event.action == "policy-refused" and .event.kind == "alert"
    and .event.outcome == "failure" and .user.id == "0" and .process.pid > 0 and .kuraban.policy.version == 4) | .event.reason' > "$stage/recorded"
diff <(printf '%s\n' "${reasons[@]}") "$stage/recorded" >&2 || fail "the journal has other reasons (>) than were told (<)"
note "${#reasons[@]} refusals, each in the journal as an alarm"
for odd in "$stage" /dev/zero "$stage/fifo"; do
    [ -e "$odd" ] || mkfifo "$odd"
    exits 5 kuraban policy apply "$odd"
done
allowed as_user cat "$mount/notice.txt"
refused as_user cat "$store/residents.csv"

# --- what others than the program of this package would send ---

cat > "$stage/pass.py" << 'END'
import fcntl, os, socket, struct, sys
F_ADD_SEALS, SEALS = 1033, 1 | 2 | 4 | 8
APPLY, INSTALL = 12, 13
path, good = sys.argv[1], open(sys.argv[2], "rb").read()

def memfd(data, seals=SEALS, size=None):
    fd = os.memfd_create("x", os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    if size is not None:
        os.ftruncate(fd, size)
    fcntl.fcntl(fd, F_ADD_SEALS, seals)
    return fd

def ask(fds, request=APPLY):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(path)
    try:
        socket.send_fds(s, [struct.pack("<IHH", 0, request, 0)], fds)
        head = s.recv(12, socket.MSG_WAITALL)
    except ConnectionError:
        return "dropped", ""
    if not head:
        return "dropped", ""
    length, _, _, code = struct.unpack("<IHHI", head)
    return code, s.recv(length - 4, socket.MSG_WAITALL).decode()

def expect(what, fds, code, text, request=APPLY):
    answer = ask(fds, request)
    if answer[0] != code or text not in answer[1]:
        sys.exit(f"{what}: {answer}")
    print("  passed", what)

read, write = os.pipe()
file = os.open(sys.argv[2], os.O_RDONLY)
directory = os.open("/", os.O_RDONLY)
for request in (APPLY, INSTALL):
    expect("nothing", [], 2, "", request)
    for what, fd in (("a file", file), ("a directory", directory), ("a pipe nobody writes to", read), ("a pipe's other end", write),
                     ("an O_PATH", os.open("/", os.O_PATH)), ("a socket", socket.socket().fileno()), ("/dev/zero", os.open("/dev/zero", os.O_RDONLY)),
                     ("a memfd without seals", memfd(good, 0)), ("one that can still grow", memfd(good, 1 | 2 | 8)),
                     ("one that can be written", memfd(good, 1 | 2 | 4)), ("one whose seals can change", memfd(good, 2 | 4 | 8))):
        expect(what, [fd], 3, '"not-sealed"', request)
    expect("4 GiB of nothing", [memfd(b"", size=1 << 32)], 3, '"too-long"', request)
    expect("two", [memfd(good), memfd(good)], "dropped", "", request)
    expect("five", [memfd(good)] * 5, "dropped", "", request)
expect("an empty memfd", [memfd(b"")], 3, '"malformed"')
expect("an fd with STATUS", [memfd(good)], "dropped", "", 1)
for _ in range(50):  # says what it wants and is gone
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    socket.send_fds(s, [struct.pack("<IHH", 0, APPLY, 0)], [memfd(good)])
    s.close()
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    socket.send_fds(s, [struct.pack("<IH", 0, APPLY)], [memfd(good)])
    s.close()
END
open_files() { find "/proc/$daemon_pid/fd" -mindepth 1 -printf '%l\n' | sed -E 's/:\[[0-9]+\]//' | sort; }
descriptors() { open_files | wc -l; }
before=$(ruling) stood=$(stored) open_before=$(descriptors)
open_files > "$stage/open"
timeout 120 /usr/bin/python3 "$stage/pass.py" "$stage/run/control.sock" "$keys/4.bundle" || fail "what was passed"
[ "$(ruling)" = "$before" ] || fail "what was passed changed what rules"
enforcing || fail "not enforcing after that"

# --- a hundred in a row, many at once ---

for i in $(seq 5 14); do
    document "$i" read
    sign policy "$keys/$i" "$i.yaml" tanaka suzuki
done
exits 0 kuraban policy apply "$keys/5"
old=()
# Meanwhile the stick comes and goes.
( until [ -e "$stage/enough" ]; do umount "$mount" || pause 0.05; mount "$loop" "$mount" || mount -o ro "$loop" "$mount" || pause 0.05; done ) > /dev/null 2>&1 &
coming=$!
helpers+=("$coming")
for i in $(seq 6 14); do
    applying=()
    for k in 1 2 3 4; do
        kuraban policy apply "$keys/$i" > "$stage/apply.$k" 2>&1 &
        applying+=($!)
        kuraban policy apply "$keys/3" > "$stage/apply.old.$k" 2>&1 &
        old+=($!)
    done
    for job in "${applying[@]}"; do wait "$job" || fail "one of many at once failed: $(cat "$stage"/apply.[1-4])"; done
    for job in "${old[@]}"; do wait "$job" && fail "an old one was accepted among many"; done
    old=()
    expect "the newest of many" ".policy.version == $i" status
done
: > "$stage/enough"
wait "$coming" || :
plug
# A worker of the gate lets go of the view before (one descriptor of the store) when it has something to decide again.
threads=$(awk '/^Threads:/ {print $2}' "/proc/$daemon_pid/status")
given_back() { [ "$(descriptors)" -le $((open_before + threads)) ]; }
wait_until 20 given_back || { diff "$stage/open" <(open_files) >&2; fail "more descriptors than the $open_before before"; }
allowed as_user cat "$mount/notice.txt"
refused as_user cat "$store/residents.csv"
note "72 applies, 8 at once: $open_before descriptors before, $(descriptors) after"
finished
