#!/bin/bash
# What is on the stick's blocks, under no name that a directory shows: whoever ends an export after its bytes were written has taken them out. So each
# file is in the journal by name and digest, and counted, before the first byte is written; and nobody has a password of what has not got its name.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"
. "${0%/*}/daemon/writing.sh"

take_out() { as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" export --to "$loop" --reason bytes "$@"; }
exporting() { as_user "${0%/*}/daemon/exporting.py" "$stage/run" "$loop" "$@"; }
rule() { # VERSION further keys
    write_policy "$1" export '' "$(printf 'export:\n  - {id: out, to: [stick], factors: none, approvals: 0, from: [elsewhere], %s}\n' "$2")"
    [ -z "$daemon_pid" ] || exits 0 kuraban reload
}
same() { # what expected got
    [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}
make_file() { # NAME MIB: kilobytes that can be told from any other file's
    python3 -c 'import os, sys; line = (sys.argv[1] + os.urandom(16).hex()).encode().ljust(1023, b".") + b"\n"; open(sys.argv[2], "wb").write(line * (int(sys.argv[3]) << 10))' \
        "$1" "$stage/outside/$1" "$2"
}
blocks_of() { # NAME: of its kilobytes, how many are on the stick's blocks, whatever its directories say
    sync -f "$stage/stick.img"
    grep -aoF -- "$(head -n 1 "$stage/outside/$1")" "$stage/stick.img" | wc -l
}
used() { # what is counted for today: files
    python3 -c 'import sqlite3, sys; print(sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute("select coalesce(sum(files), 0) from used").fetchone()[0])' "$stage/state/export.db"
}
last() { journal | jq -c "select(.event.action == \"$1\") | $2" | tail -n 1; }
settled() { eventually "the worker's end" 60 no_worker; }
is_recorded() { # NAME on_medium: the last export has it, by digest, and an end of its own that says where its bytes may be
    same "the record of $1" "[\"$1\",\"allow\",\"$(sha256sum < "$stage/outside/$1" | cut -d' ' -f1)\"]" "$(last export-file '[.file.path, .kuraban.verdict, .kuraban.export.sha256]')"
    same "one export" "$(last export-started .kuraban.export.id)" "$(last export-file .kuraban.export.id)"
    same "the end of $1" "[$(last export-started .kuraban.export.id),\"$2\"]" "$(last export-failed 'select(.kuraban.export.id) | [.kuraban.export.id, .kuraban.export.on_medium]')"
}

stage_make
large_stick
rule 1 'container: plain, per-day: {files: 2}'
daemon_start
make_file a.csv 8
make_file b.csv 150
make_file c.csv 1

# Hung up at the last byte.
plug
got=0
( HANG_UP=2 exporting --pass "$stage/outside/a.csv" ) > "$stage/typed" 2>&1 < /dev/null || got=$?
same "the client hangs up" 3 "$got"
settled
[ "$(blocks_of a.csv)" -gt 1000 ] || fail "nothing of it is on the stick: this tests nothing"
is_recorded a.csv bytes
same "why" '"cancelled"' "$(last export-failed .event.reason)"
last export-failed .message | grep -q 'its bytes may be on the medium' || fail "the message is $(last export-failed .message)"
same "counted" 1 "$(used)"
note "hung up after the last byte"

# Killed while it writes: of what nobody could tell afterwards the beginning is there.
stop_while_it_writes "$stage/outside/b.csv"
same "counted before it is written" 2 "$(used)"
kuraban sync > /dev/null
same "named before it is written" '"b.csv"' "$(last export-file .file.path)"
# shellcheck disable=SC2046 # several processes
kill -KILL $(workers)
wait "$client_pid" && fail "exported by a killed process"
settled
eventually "the stick is shown again" 20 is_shown
is_recorded b.csv bytes
grep -q 'may be on the medium' "$stage/typed" || { cat "$stage/typed" >&2; fail "the person is not told"; }

# The day is used up; what is refused, or finds no room, or a stick in use, has written nothing and counts for nothing.
plug
exits 4 take_out "$stage/outside/c.csv"
settled
same "the day is used up" '"limit"' "$(last export-failed .event.reason)"
rule 2 'container: plain, per-day: {files: 3}, file-max: 1G'
plug
truncate -s 2G "$stage/outside/huge.bin"
exits 4 take_out "$stage/outside/huge.bin"
settled
same "a refusal's end" '["refused","nothing"]' "$(last export-failed '[.event.reason, .kuraban.export.on_medium]')"
truncate -s 500M "$stage/outside/huge.bin"
plug
exits 5 take_out "$stage/outside/huge.bin"
settled
same "no room" '["full","nothing"]' "$(last export-failed '[.event.reason, .kuraban.export.on_medium]')"
plug
exec 9< "$mount/lost+found"
exits 5 take_out "$stage/outside/c.csv"
exec 9<&-
settled
same "in use" '["busy","nothing"]' "$(last export-failed '[.event.reason, .kuraban.export.on_medium]')"
same "what is counted" 2 "$(used)"
same "c.csv" 0 "$(blocks_of c.csv)"
plug
exits 0 take_out "$stage/outside/c.csv"
settled
same "what is counted" 3 "$(used)"

# kuraband and all killed while it is written: counted and named, and the next one says so.
rule 3 'container: plain'
stop_while_it_writes "$stage/outside/b.csv"
kill -KILL "$daemon_pid"
# shellcheck disable=SC2046 # several processes
kill -KILL $(workers)
wait "$client_pid" || :
eventually "the daemon's end" 20 ended "$daemon_pid"
daemon_start
is_recorded b.csv whole
same "an alarm" '"alert"' "$(last export-failed .event.kind)"
same "what is counted" 4 "$(used)"

# A container without a password opens nothing: it comes when the container has its name and that is in the journal.
for container in zip-aes256 luks; do
    rule "$([ $container = luks ] && echo 5 || echo 4)" "container: $container"
    for phase in $([ $container = luks ] && echo 2 || echo 1 2 3); do
        plug
        got=0
        ( HANG_UP=$phase exporting --pass "$stage/outside/a.csv" ) > "$stage/typed" 2>&1 < /dev/null || got=$?
        same "$container: the client hangs up in phase $phase" 3 "$got"
        settled
        ! grep '^password' "$stage/typed" || fail "$container: a password of what has no name, in phase $phase"
        [[ $(last export-failed .kuraban.export.on_medium) =~ ^\"(nothing|bytes|whole)\"$ ]] || fail "$container: no end in phase $phase"
    done
    [[ $(last export-failed .kuraban.export.sha256) =~ ^\"[0-9a-f]{64}\"$ ]] || fail "$container: what its bytes are is not in the journal"
    plug
    got=0
    ( exporting --pass "$stage/outside/a.csv" ) > "$stage/typed" 2>&1 < /dev/null || got=$?
    same "$container: finished" 0 "$got"
    tail -n 2 "$stage/typed" | head -n 1 | grep -Eq '^password ([0-9A-Z]{5}-){4}[0-9A-Z]{5}$' || { cat "$stage/typed"; fail "$container: no password"; }
    settled
done
note "no password before the name"

# Refused requests without end keep no end of what had begun out of the journal.
cat > "$stage/ask.py" << 'P'
import os, socket, struct, sys
text = lambda s: struct.pack("<I", len(s)) + s
for i in range(60):  # named as one's own approver: refused and recorded
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect(sys.argv[1] + "/control.sock")
    fields = text(sys.argv[2].encode()) + text(b"r%d" % i) + text(b"0" * 64) + text(b"") + b"\1" + struct.pack("<I", os.getuid()) + text(b"")
    s.sendall(struct.pack("<IHH", len(fields), 27, 0) + fields)
    s.recv(65536)
P
chmod 0755 "$stage/ask.py"
rule 6 'container: plain'
plug
( as_user /usr/bin/python3 "$stage/ask.py" "$stage/run" "$loop" )
( HANG_UP=2 exporting --pass "$stage/outside/a.csv" ) > "$stage/typed" 2>&1 < /dev/null || :
settled
is_recorded a.csv bytes
counted_together() { [ "$(journal | jq 'select(.event.action == "export-failed" and .kuraban.count > 1) | .kuraban.count' | paste -sd +)" != "" ]; }
eventually "what is refused is counted together" 30 counted_together
expect "the journal" '.ok' audit verify
finished
