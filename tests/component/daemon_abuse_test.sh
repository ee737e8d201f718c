#!/bin/bash
# The control socket and the gate under abuse by one person: garbage, half frames, lying lengths, connections without end, opens
# without end. The daemon lives, root gets in, and descriptors and memory come back to where they were.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

opens=${KURABAN_TEST_OPENS:-20000}

# abuse KIND: prints "done" when the socket has dropped or outlasted everything it was given.
abuse() {
    as_user /usr/bin/python3 - "$stage/run/control.sock" "$1" << 'PYTHON'
import os, random, select, socket, struct, sys, time

path, kind = sys.argv[1:]
INVALID, FAILED = 2, 3  # of enum ctl_code
random.seed(7)

def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)  # waits for a place in the backlog
    s.settimeout(10)
    return s

def frame(type_, body=b"", flags=0, size=None):
    return struct.pack("<IHH", len(body) if size is None else size, type_, flags) + body

def dropped(data, fds=(), code=None):
    """The end of the connection, or a "no"; with a code that answer and no other."""
    s = connect()
    try:
        if fds:
            socket.send_fds(s, [data], fds)
        else:
            s.sendall(data)
        while True:
            got = s.recv(65536)
            if not got:
                return code is None
            if struct.unpack("<H", got[4:6])[0] == 0x8000:
                answered = struct.unpack("<I", got[8:12])[0]  # only a "no" is right
                return answered == code if code else answered != 0
    except (ConnectionResetError, BrokenPipeError):
        return code is None
    finally:
        s.close()

if kind == "garbage":
    cases = [frame(0), frame(99), frame(1, flags=1), frame(1, flags=0x8000), frame(1, b"x"), frame(1, size=1 << 31), frame(1, size=65537),
             frame(4), frame(4, b"\0" * 7), frame(4, struct.pack("<II", 0, 1)), frame(4, struct.pack("<II", 0xffffffff, 0)),
             frame(4, struct.pack("<II", 0xffffffff, 1 << 30)), frame(10, struct.pack("<II", 1, 1 << 20)), frame(0x8000, b"\0" * 8),
             frame(6), frame(11), b"GET / HTTP/1.0\r\n\r\n"]
    text = lambda s: struct.pack("<I", len(s)) + s
    unlock = lambda device=b"1-2", reason=b"x", code=b"", n=0, rest=b"": frame(
        24, text(device) + struct.pack("<I", 60) + text(reason) + text(code) + bytes([n]) + rest)
    approver = struct.pack("<I", 0) + text(b"000000")
    # Well-formed it is refused for another reason: there is no such device.
    if not dropped(unlock(), code=FAILED):
        sys.exit("not understood: an unlock")
    bad = [frame(24), frame(24, b"\0" * 17), unlock(reason=b""), unlock(reason=b"x" * 201), unlock(reason=b"a\nb"), unlock(reason=b"\xff"),
           unlock(device=b"x" * 128), unlock(device=b"\x1b[2J"), unlock(code=b"1" * 65), unlock(code=b"1\0"), unlock(rest=b"x"), unlock(n=1),
           unlock(n=1, rest=approver[:-1]), unlock(n=1, rest=approver + b"x"), unlock(n=4, rest=approver * 4), unlock(n=255, rest=approver * 255),
           frame(25, b"x"), frame(26), frame(26, text(b"x" * 128)), frame(26, text(b"") + b"x")]
    for case in bad:
        if not dropped(case, code=INVALID):
            sys.exit("not found invalid: %r" % case[:60])
    cases += [random.randbytes(random.randrange(8, 400)) for _ in range(200)]
    for case in cases:
        if len(case) >= 8 and struct.unpack("<I", case[:4])[0] <= 65536 and case[4:6] in (b"\1\0", b"\2\0", b"\3\0") and case[6:8] == b"\0\0":
            continue  # by chance something one may ask
        if not dropped(case):
            sys.exit("not refused: %r" % case[:40])
    null = os.open("/dev/null", os.O_RDONLY)
    for _ in range(100):
        dropped(frame(1), [null])  # answered or not: the daemon must not keep it, see descriptors() below
elif kind == "half":
    held = []
    for n in range(1, 8):
        s = connect()
        s.sendall(frame(4, struct.pack("<II", 0xffffffff, 1))[:n])
        held.append(s)
    print("held", flush=True)
    sys.stdin = open("/dev/null")
    for s in held:
        s.close()
elif kind == "flood":
    held = []
    for _ in range(2000):
        s = connect()
        s.setblocking(False)
        held.append(s)
        if len(held) > 200:
            held.pop(0).close()
    end = time.monotonic() + 10
    while held and len(held) > 16 and time.monotonic() < end:  # those in the backlog are dropped when their turn comes
        readable, _, _ = select.select(held, [], [], 1)
        for s in readable:  # nothing was asked, so it can only be the end
            held.remove(s)
            s.close()
    if len(held) > 16:
        sys.exit("%d connections of one person" % len(held))
elif kind == "watchers":
    held = []
    for _ in range(16):
        s = connect()
        s.sendall(frame(3))
        held.append(s)
    print("watching", flush=True)
    os.read(int(os.environ["HOLD"]), 1)
print("done")
PYTHON
}

root_gets_in() { timeout 5 "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" status > /dev/null; }
descriptors() { find "/proc/$daemon_pid/fd" -mindepth 1 ! -lname '/proc/[0-9]*' 2> /dev/null | wc -l; }
pss() { awk '/^Pss:/ {print $2}' "/proc/$1/smaps_rollup"; }
calm() { [ "$(descriptors)" -le "$1" ]; }

stage_make
/usr/bin/python3 -c 'import socket, struct, random' 2> /dev/null || skip "no /usr/bin/python3 with its socket module"
write_config <<< $'keeper: on\nself-test-seconds: 5'
daemon_start
allowed as_user "$client" "$store/residents.csv"
pid=$daemon_pid
before=$(descriptors) memory=$(pss "$pid")

for kind in garbage half flood; do
    allowed abuse "$kind"
    grep -q '^done$' "$stage/out" || { cat "$stage/out"; fail "$kind"; }
    root_gets_in || fail "root does not get in after: $kind"
    ended "$pid" && fail "the daemon ended by: $kind"
    note "$kind: withstood"
done
eventually "descriptors come back" 10 calm $((before + 1))

# Sixteen watchers that read nothing while everything changes, and a flood beside them: root gets in all the same.
mkfifo "$stage/hold"
exec 8<> "$stage/hold"
HOLD=8 abuse watchers > "$stage/watchers" &
helpers+=($!)
watching() { grep -q '^watching$' "$stage/watchers"; }
eventually "sixteen watchers" 20 watching
( abuse flood > /dev/null ) &
flood=$!
helpers+=("$flood")
for _ in {1..5}; do root_gets_in || fail "root does not get in during a flood"; done
exits 0 kuraban rescan
eventually "the flood's end" 20 ended "$flood"
wait "$flood" || fail "the flood beside the watchers"
printf x >&8
eventually "the watchers' end" 10 ended "${helpers[0]}"
wait "${helpers[0]}" || fail "the watchers"
helpers=()
exec 8>&-
eventually "descriptors come back after the connections" 10 calm $((before + 1))

# Opens without end: each is decided, refusals of others in between are recorded, root's questions are answered.
start=$(value .gate.decisions status)
( as_user bash -c 'for ((i = 0; i < $2; i++)); do : < "$1/residents.csv"; done' opener "$store" "$opens" ) 2> /dev/null &
helpers+=($!)
slowest=0
while ! ended "${helpers[0]}"; do
    begun=$(now_ms)
    root_gets_in || fail "root does not get in while somebody opens files without end"
    took=$(($(now_ms) - begun))
    [ "$took" -le "$slowest" ] || slowest=$took
done
helpers=()
[ $(($(value .gate.decisions status) - start)) -ge "$opens" ] || fail "not every open was decided"
expect "sync" '.sequence > 0' sync
expect "nothing lost" '.gate.lost_events == 0 and .gate.overloads == 0 and .enforcing' status
eventually "everything written" 10 holds '.journal.pending == 0' status
expect "the journal" '.ok' audit verify
eventually "descriptors come back after the opens" 10 calm $((before + 1))
if ended "$pid"; then fail "the daemon is gone"; fi
note "$opens opens: slowest answer to root ${slowest} ms, descriptors $before before and $(descriptors) after"
note "PSS of kuraband $memory KiB before, $(pss "$pid") KiB after; of the keeper $(pss "$(keepers)") KiB"
finished
