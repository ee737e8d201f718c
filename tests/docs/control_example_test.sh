#!/usr/bin/env bash
# The answers that docs/PROTOCOL.control.md shows have the members that kuraband answers with: every documented member is there,
# with its type, and nothing undocumented is.
set -euo pipefail
source=${KURABAN_SOURCE:?} build=${KURABAN_BUILD:?}

[ "$(id -u)" = 0 ] || { echo "SKIP: needs root for loop devices and fanotify"; exit 77; }
PATH=$build/bin:$PATH
keep=no
cd "$source"
. packaging/quickstart.d/stage.sh
. packaging/quickstart.d/checks.sh
trap finish EXIT
stage_make > /dev/null
stage_daemon_start
stage_plug
try "a refusal to ask about" refused as_user cat "$store/residents.csv"

# documented SECTION: the first JSON block below "### SECTION".
documented() {
    awk -v section="### $1" '$0 == section {on = 1} on && /^```$/ {exit} on && block {print} on && /^```json/ {block = 1}' \
        docs/PROTOCOL.control.md
}

# shape JSON: every member's path and type; array elements fold into one.
shape() { jq -r '[paths as $p | {p: ($p | map(if type == "number" then "[]" else . end) | join(".")), t: (getpath($p) | type)}] | unique | .[] | "\(.p) \(.t)"'; }

failures=0
# compare SECTION FILTER COMMAND…: FILTER picks what is compared on both sides.
compare() {
    local section=$1 filter=$2 allowed_null=$3
    shift 3
    documented "$section" | jq "$filter" | shape > "$stage/documented"
    "$@" | jq "$filter" | shape > "$stage/answered"
    if ! diff <(grep -Ev "$allowed_null" "$stage/documented") <(grep -Ev "$allowed_null" "$stage/answered") > "$stage/difference"; then
        echo "$section: documented (<) and answered (>) differ:"
        cat "$stage/difference"
        failures=$((failures + 1))
    else
        echo "$section: $(wc -l < "$stage/answered") members as documented"
    fi
}

compare STATUS . '^(emergency|gate.self_test.at|policy.valid_until|terminal.id|terminal.groups.\[\]) ' kuraban --json status
compare DEVICES 'map(select(.kind == "medium"))' '^$' kuraban --json devices
compare WHY . '^\[\]\.device' kuraban --json why
compare DOCTOR . '^$' kuraban --json doctor

# notices FILE: what root is told when it comes to listen, and when it is refused this file.
notices() {
    /usr/bin/python3 -c '
import json, socket, struct, subprocess, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])

def answer():
    length, kind, flags, code = struct.unpack("<IHHI", s.recv(12, socket.MSG_WAITALL))
    assert (kind, flags, code) == (0x8000, 0, 0), (kind, flags, code)
    return json.loads(s.recv(length - 4, socket.MSG_WAITALL))

s.sendall(struct.pack("<IHH", 0, 30, 0))
found = [answer()]
assert subprocess.run(["cat", sys.argv[2]], capture_output=True).returncode != 0
found.append(answer())
print(json.dumps(found))
' "$stage/run/control.sock" "$1"
}
compare NOTICES 'map(select(.notice == "begin" or .notice == "refused"))' '^$' notices "$store/residents.csv"

# The request bytes that the page shows are answered with code 0 by the real daemon.
if ! sed -n '/^Example, a STATUS/,/^## Answers/p' docs/PROTOCOL.control.md | grep -E '^([0-9a-f]{2} +)+[0-9a-f]{2}$' |
    /usr/bin/python3 -c '
import socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
lines = [bytes.fromhex(line) for line in sys.stdin]
assert len(lines) == 2, lines
for request in lines:
    s.sendall(request)
    head = s.recv(12, socket.MSG_WAITALL)
    length, kind, flags, code = struct.unpack("<IHHI", head)
    assert (kind, flags, code) == (0x8000, 0, 0), head
    answer = s.recv(length - 4, socket.MSG_WAITALL)
    assert answer[:1] in b"{[", answer
    print("EXAMPLE:", request.hex(" "), "->", len(answer), "bytes of JSON")
' "$stage/run/control.sock"; then
    echo "EXAMPLE: the requests shown are not answered"
    failures=$((failures + 1))
fi

# Every check that kuraband names has words for people.
if kuraban doctor | grep -E '^[^ ]+ +([a-z.-]+) +\1$'; then
    echo "DOCTOR: these checks have no words in agent/cli/doctor_words.c"
    failures=$((failures + 1))
fi
exit "$failures"
