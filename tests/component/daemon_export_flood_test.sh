#!/bin/bash
# Who has no second factor, and no right but to ask, fills no journal: requests with codes that nobody looks at, another list of files in each.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

requests=3000
stage_make
write_policy 1 export '' "$(printf 'export:\n  - {id: out, to: [stick], from: [elsewhere], container: plain, factors: totp, approvals: 0}\n')"
daemon_start
plug
began=$(now_ms)
( as_user /usr/bin/python3 - "$stage/run" "$loop" "$requests" ) << 'PYTHON'
import json, os, socket, struct, sys
run, device, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
EXPORT, AT_ONCE = 27, 50
def text(s):
    return struct.pack("<I", len(s)) + s.encode()
s = socket.socket(socket.AF_UNIX)
s.connect(run + "/control.sock")
answers = s.makefile("rb")
for _ in range(n // AT_ONCE):
    for _ in range(AT_ONCE):
        fields = text(device) + text("x") + text(os.urandom(32).hex()) + text("000000") + b"\0"
        s.sendall(struct.pack("<IHH", len(fields), EXPORT, 0) + fields)
    for _ in range(AT_ONCE):
        size, _, _ = struct.unpack("<IHH", answers.read(8))
        answer = json.loads(answers.read(size)[4:])
        assert answer["outcome"] == "not-enrolled", answer
PYTHON
kuraban sync > /dev/null
kuraban audit show --json | jq -c 'select(.event.action == "mfa-refused" or .event.action == "export-failed")' > "$stage/records"
windows=$((($(now_ms) - began) / 10000 + 1))
records=$(wc -l < "$stage/records")
# Where the window ends meanwhile, what was counted in it has a record for each action.
[ "$records" -gt 0 ] || fail "nothing is recorded"
[ "$records" -le $((windows * 32)) ] || fail "$records records of $requests requests in $windows times 10 s: $(tail -n 3 "$stage/records")"
note "$requests requests, $records records in $windows times 10 s"
# What was counted is written when kuraband ends, and nothing is lost.
daemon_kill TERM
counted=$(cat "$stage"/state/journal/journal-*.ndjson | jq -s 'map(select(.event.action == "mfa-refused") | .kuraban.count // 1) | add')
[ "$counted" = "$requests" ] || fail "$counted of $requests requests are in the journal"
finished
