#!/bin/bash
# The second factor in a running kuraband: who may enrol, ask and change what; a thousand attempts at once; an attempt outlives kill -9; a
# store that is gone or damaged lets nobody in; and neither the journal nor the daemon's memory holds a secret or a code.
# Runs beside others.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

export PYTHONPATH=${0%/*}/daemon PYTHONDONTWRITEBYTECODE=1

py() { # arguments…, program on stdin
    /usr/bin/python3 - "$stage/run/control.sock" "$stage" "$@"
}

mfa_policy() { # VERSION ENROL FAILURES DELAY
    write_policy "$1" read "" "mfa:
  login: {services: [login, sshd], grace: 0}
  enrol: $2
  throttle: {failures: $3, delay: $4, lock: 15m}
  window: 1"
}

stage_make
ulimit -n 4096
mfa_policy 1 self 10 none
daemon_start

note "enrolment, and who may ask for what"
py << 'PYTHON'
from mfa import *
import os
use(sys.argv[1])
stage = sys.argv[2]
nobody = 65534

def as_nobody(what):
    """what() as an ordinary person, in a process of its own; what it returns as JSON."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(r)
        os.setgroups([])
        os.setresgid(nobody, nobody, nobody)
        os.setresuid(nobody, nobody, nobody)
        with os.fdopen(w, "w") as f:
            json.dump(what(), f)
        os._exit(0)
    os.close(w)
    with os.fdopen(r) as f:
        answer = json.load(f)
    os.waitpid(pid, 0)
    return answer

expect("nobody is enrolled", login(1, "daemon", "", 0), "not-enrolled")
expect("a name of somebody else", begin(1, "bin"), ("name", None))
expect("a name of nobody at all", begin(1, "no-such-user"), ("name", None))
error, secret = begin(1, "daemon")
expect("begun", error, "done")
expect("one code twice", confirm(1, code(secret), code(secret))[0], "codes")
expect("the wrong way round", confirm(1, code(secret, -1), code(secret, -2))[0], "codes")
expect("two hours off", confirm(1, code(secret, -240), code(secret, -239))[0], "codes")
expect("five minutes off", confirm(1, code(secret, 9), code(secret, 10)), ("skew", (5, 1)))
expect("not stored yet", listed(1), None)
error, recovery = confirm(1, code(secret, -2), code(secret, -1))
expect("confirmed", (error, len(recovery)), ("done", 10))
expect("twice", begin(1, "daemon"), ("enrolled", None))

expect("asked for", login(1, "daemon", "", 0), "needed")
expect("another service", login(1, "daemon", "", 0, "cron"), "not-needed")
expect("an empty code", login(1, "daemon", ""), "refused")
expect("a wrong code", login(1, "daemon", wrong(secret)), "wrong")
expect("the codes of the enrolment", login(1, "daemon", code(secret, -1)), "used")
expect("right, under another name", login(1, "bin", code(secret)), "refused")
given = code(secret)
expect("right", login(1, "daemon", given), "accepted")
expect("again", login(1, "daemon", given), "used")
expect("a recovery code", login(1, "daemon", recovery[0].upper()), "accepted")
expect("again", login(1, "daemon", recovery[0]), "wrong")

expect("an ordinary person: others' list", as_nobody(lambda: ask(LIST, struct.pack("<I", 1)))[0], 1)
expect("their own list", as_nobody(lambda: ask(LIST, struct.pack("<I", SELF))), [0, []])
expect("others' login", as_nobody(lambda: login(1, "daemon", "123456")), "code 1")
expect("others' code", as_nobody(lambda: ask(VERIFY, struct.pack("<I", 1) + text("123456")))[0], 1)
expect("others' enrolment", as_nobody(lambda: begin(2, "bin"))[0], 1)
for verb in (REMOVE, LIFT, IMPORT, ROTATE):
    body = {REMOVE: struct.pack("<I", nobody) + text(""), LIFT: struct.pack("<I", nobody)}.get(verb, b"")
    got = as_nobody(lambda: [ask(verb, body)[0]])
    expect(f"verb {verb}", got[0], 1)
own = as_nobody(lambda: enrol(SELF, "nobody"))
expect("their own login, whatever the payload says", as_nobody(lambda: login(nobody, "root", code(own[0]))), "accepted")
status = as_nobody(lambda: ask(STATUS))[1]
expect("status", (status["state"], status["key"], status["own"]["name"], status["enrolled"]), ("good", "file", "nobody", None))
def new_codes():
    f = Fields(ask(REISSUE, struct.pack("<I", SELF) + text(own[1][0]))[1])
    return f.number("B"), len(f.recovery())
expect("new recovery codes for a recovery code", as_nobody(new_codes), [0, 10])
def refused_codes():
    f = Fields(ask(REISSUE, struct.pack("<I", SELF) + text("12"))[1])
    return f.number("B"), OUTCOMES[f.number("B")]
expect("none for a wrong one", as_nobody(refused_codes), [255, "wrong"])

rotated = ask(ROTATE)
expect("a new key", rotated[0], 0)
expect("and codes go on", login(1, "daemon", recovery[1]), "accepted")
with open(stage + "/secrets", "w") as f:
    print(secret, given, *recovery, own[0], *own[1], sep="\n", file=f)
PYTHON

note "no secret in memory, in the journal or in the log"
py "$daemon_pid" << 'PYTHON'
import base64, os, sys
stage, pid = sys.argv[2:4]
words = open(stage + "/secrets").read().split()
def raw(w):
    try:
        return base64.b32decode(w) if len(w) == 32 else None
    except ValueError:
        return None
# Six digits are found anywhere; they stand for themselves in what is written for people.
long = [w.encode() for w in words if len(w) > 6] + [raw(w) for w in words if raw(w)] + [w.replace("-", "").encode() for w in words if "-" in w]
found, control = [], False
with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
    for line in maps:
        span, rights = line.split()[:2]
        start, end = (int(p, 16) for p in span.split("-"))
        if "w" not in rights or end - start > 1 << 30:
            continue
        try:
            data = os.pread(memory.fileno(), end - start, start)
        except OSError:
            continue
        control |= (stage + "/state").encode() in data
        found += [w for w in long if w in data]
if not control:
    sys.exit("FAILED: the search finds nothing at all")
if found:
    sys.exit(f"FAILED: in memory: {found}")
for directory, _, names in os.walk(stage + "/state"):
    for name in names:
        data = open(os.path.join(directory, name), "rb").read()
        found += [(name, w) for w in long if w in data]
data = open(stage + "/log", "rb").read()
found += [("log", w) for w in long if w in data]
if found:
    sys.exit(f"FAILED: on disk: {found}")
PYTHON
kuraban audit show --json > "$stage/journal"
for action in mfa-verified mfa-refused mfa-enrolled mfa-changed; do
    grep -q "\"$action\"" "$stage/journal" || fail "not in the journal: $action"
done
! grep -qFf "$stage/secrets" <(jq -r '.message // empty' "$stage/journal") || fail "a code in the journal"
jq -s -e 'any(.[]; .event.action == "mfa-refused" and .event.reason == "used" and .user.id == "1")' "$stage/journal" > /dev/null ||
    fail "the replay is not in the journal"
kuraban audit verify > /dev/null || fail "the journal does not verify"

note "a thousand attempts at once: one success per step, exact counts"
py << 'PYTHON'
from mfa import *
from collections import Counter
import resource
use(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
expect("lifted", ask(LIFT, struct.pack("<I", 1))[0], 0)
expect("removed", ask(REMOVE, struct.pack("<I", 1) + text("test"))[0], 0)
secret, recovery = enrol(1, "daemon")
while time.time() % 30 > 15:
    time.sleep(0.05)  # a step's end must not fall into what follows
right = code(secret)
got = Counter(parallel([login_frame(1, "daemon", right)] * 1000))
expect("the same code a thousand times", got, {"accepted": 1, "used": 10, "locked": 989})
expect("counted", (listed(1)["failures"], listed(1)["state"]), (10, "locked"))
expect("lifted", ask(LIFT, struct.pack("<I", 1))[0], 0)
got = Counter(parallel([login_frame(1, "daemon", wrong(secret))] * 9))
expect("nine wrong ones", (got, listed(1)["failures"]), ({"wrong": 9}, 9))
open(sys.argv[2] + "/recovery", "w").write(" ".join(recovery))
PYTHON
mfa_policy 2 self 100 none # in whichever order they are looked at, thirty wrong ones lock nothing
kuraban reload > /dev/null
py << 'PYTHON'
from mfa import *
from collections import Counter
use(sys.argv[1])
recovery = open(sys.argv[2] + "/recovery").read().split()
got = Counter(parallel([login_frame(1, "daemon", recovery[i % 10]) for i in range(40)]))
expect("each recovery code four times", got, {"accepted": 10, "wrong": 30})
expect("and none is left", listed(1)["recovery_left"], 0)
PYTHON
rm "$stage/recovery"

note "kill -9 between attempt and answer"
: > "$stage/answered"
py << 'PYTHON' > "$stage/answered" &
from mfa import *
use(sys.argv[1])
ask(LIFT, struct.pack("<I", 1))
n, sent = 0, 0
print("ready", flush=True)
with connect() as s:
    try:
        while sent < 90:
            s.sendall(login_frame(1, "daemon", "000"))
            sent += 1
            if read_login(receive(s))[0] != "wrong":
                break
            n += 1
            print(n, flush=True)
    except (BrokenPipeError, ConnectionResetError):
        pass
print("sent", sent, flush=True)
PYTHON
helpers+=("$!")
some() { [ "$(grep -c '^[0-9]' "$stage/answered" || :)" -ge 20 ]; }
eventually "twenty answers" 30 some
daemon_kill KILL
wait "${helpers[-1]}" || fail "the client"
daemon_start
py "$(grep '^[0-9]' "$stage/answered" | tail -n 1)" "$(awk '/^sent/ {print $2}' "$stage/answered")" << 'PYTHON'
from mfa import *
use(sys.argv[1])
answered, sent = map(int, sys.argv[3:])
found = listed(1)["failures"]
if not answered <= found <= sent:
    sys.exit(f"FAILED: {answered} were answered, {found} are counted, {sent} were sent")
print(f"  {answered} answered, {found} counted, {sent} sent")
PYTHON

note "a store that is gone, damaged, or another file"
outcome() { # of a login with a right code
    py "$(head -n 1 "$stage/secrets")" << 'PYTHON'
from mfa import *
use(sys.argv[1])
print(login(65534, "nobody", code(sys.argv[3])), login(2, "bin", "", 0))
PYTHON
}
sed -i 1d "$stage/secrets" # what follows is of nobody: their secret
awk 'length($0) == 32' "$stage/secrets" > "$stage/own"
mv "$stage/own" "$stage/secrets"
mv "$stage/state/mfa.db" "$stage/aside"
[ "$(outcome)" = "unavailable unavailable" ] || fail "without a store: $(outcome)"
holds 'any(.[]; .check == "mfa.store" and (.ok | not))' doctor || fail "doctor does not say it"
kuraban audit show --json | jq -s -e 'any(.[]; .event.action == "mfa-changed" and .event.reason == "damaged" and .event.kind == "alert")' > /dev/null ||
    fail "the journal does not say it"
mv "$stage/aside" "$stage/state/mfa.db"
pause 1.2
# A fast run is still in the step whose code was used above.
whole=$(outcome)
[ "$whole" = "accepted not-enrolled" ] || [ "$whole" = "used not-enrolled" ] || fail "with the store again: $whole"
daemon_kill TERM
cp "$stage/state/mfa.db" "$stage/aside"
for damage in truncate garbage empty link; do
    case $damage in
    truncate) truncate -s 4096 "$stage/state/mfa.db" ;;
    garbage) dd if=/dev/urandom of="$stage/state/mfa.db" bs=4096 seek=1 count=3 conv=notrunc status=none ;;
    empty) : > "$stage/state/mfa.db" ;;
    link) mv "$stage/state/mfa.db" "$stage/real" && ln -s "$stage/real" "$stage/state/mfa.db" ;;
    esac
    daemon_start
    [ "$(outcome)" = "unavailable unavailable" ] || fail "$damage: $(outcome)"
    daemon_kill TERM
    rm "$stage/state/mfa.db"
    install -m 600 "$stage/aside" "$stage/state/mfa.db"
done
mv "$stage/state/mfa.key" "$stage/key"
daemon_start
[ "$(outcome)" = "unavailable unavailable" ] || fail "without a key: $(outcome)"
daemon_kill TERM
mv "$stage/key" "$stage/state/mfa.key"
daemon_start
whole=$(outcome)
[ "$whole" = "used not-enrolled" ] || [ "$whole" = "accepted not-enrolled" ] || fail "whole again: $whole"

note "no core file, whatever limit is set; what a program of the person says of itself is not repeated"
py << 'PYTHON'
from mfa import *
import os
use(sys.argv[1])
pid = os.fork()
if pid == 0:
    os.setgroups([])
    os.setresgid(2, 2, 2)
    os.setresuid(2, 2, 2)
    for i in range(300):
        expect("not enrolled", login(2, "bin", "", 0, "login", f"host{i}"), "not-enrolled")
    os._exit(0)
if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
    sys.exit("FAILED: see above")
PYTHON
kuraban sync > /dev/null
kuraban audit show --json > "$stage/journal"
jq -s -e '[.[] | select(.event.action == "mfa-refused" and .user.id == "2" and (.message | test("program of their own")))] | length > 0 and length < 50' \
    "$stage/journal" > /dev/null || fail "one person fills the journal"
! jq -r '.message // empty' "$stage/journal" | grep -q 'host[0-9]' || fail "the journal repeats what anybody says"
daemon_kill TERM
/usr/bin/python3 - "$KURABAN_BUILD/bin/kuraband" "$stage" << 'PYTHON'
import os, resource, signal, socket, subprocess, sys, time
program, stage = sys.argv[1:]
os.chdir(stage)
def aborts(command, ready):
    p = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not ready():
        if time.monotonic() > end:
            sys.exit(f"FAILED: {command} does not begin")
        time.sleep(0.05)
    resource.prlimit(p.pid, resource.RLIMIT_CORE, (1 << 20, 1 << 20))
    os.kill(p.pid, signal.SIGABRT)
    return os.WCOREDUMP(os.waitpid(p.pid, 0)[1])
def answers():
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(stage + "/run/control.sock") == 0
if not aborts(["sleep", "60"], lambda: True):
    print("SKIP: daemon_mfa: this machine writes no core files")
elif aborts([program, "--config", stage + "/kuraban.yaml"], answers):
    sys.exit("FAILED: kuraband left its memory in a core file")
PYTHON

note "the key from a systemd credential"
mkdir -m 700 "$stage/credentials"
dd if=/dev/urandom bs=32 count=1 status=none | install -m 400 /dev/stdin "$stage/credentials/mfa-key"
key_of() { # of MFA-STATUS, and whether nobody's code is looked at
    py << 'PYTHON'
from mfa import *
use(sys.argv[1])
status = ask(STATUS)[1]
print(status["state"], status["key"], login(65534, "nobody", "", 0))
PYTHON
}
CREDENTIALS_DIRECTORY=$stage/credentials daemon_start
[ "$(key_of)" = "good credential needed" ] || fail "with a credential: $(key_of)"
[ ! -e "$stage/state/mfa.key" ] || fail "mfa.key is still there"
daemon_kill TERM
daemon_start
[ "$(key_of)" = "no-key none unavailable" ] || fail "without its credential: $(key_of)"
daemon_kill TERM
CREDENTIALS_DIRECTORY=$stage/credentials daemon_start
[ "$(key_of)" = "good credential needed" ] || fail "with it again: $(key_of)"

note "grace, and enrolment at the first login"
login_policy() { # VERSION GRACE
    write_policy "$1" read "" "mfa:
  login: {services: [login], who: {users: [bin, sys]}, grace: $2}
  enrol: first-login"
    kuraban reload > /dev/null
}
login_policy 3 7d
py << 'PYTHON'
from mfa import *
use(sys.argv[1])
expect("grace", read_login(login_answer(2, "bin", "", 0)), ("grace", 7, 1))
expect("it does not open for a code", login(2, "bin", "123456"), "not-enrolled")
expect("who is not named", login(1, "daemon", "", 0), "not-needed")
PYTHON
login_policy 4 0
py << 'PYTHON'
from mfa import *
use(sys.argv[1])
expect("no grace", read_login(login_answer(3, "sys", "", 0)), ("not-enrolled", 0, 1))
expect("nothing is begun", login(3, "sys", "123456 123457", 3), "refused")
expect("under another name", login(3, "bin", "", 2), "refused")
expect("not for who is not asked", login(1, "daemon", "", 2), "refused")
f = Fields(login_answer(3, "sys", "", 2)[1])
expect("begun", (OUTCOMES[f.number("B")], f.number("I"), f.number("B")), ("accepted", 0, 1))
secret, uri = f.string(), f.string()
expect("its address", (uri.startswith("otpauth://totp/"), "secret=" + secret in uri), (True, True))
expect("one code", login(3, "sys", code(secret), 3), "wrong")
expect("another clock", login(3, "sys", code(secret, 9) + " " + code(secret, 10), 3), "skew")
got = login_answer(3, "sys", code(secret, -2) + " " + code(secret, -1), 3)
f = Fields(got[1])
expect("confirmed", (OUTCOMES[f.number("B")], f.number("I")), ("accepted", 0))
f.number("B")
recovery = f.recovery()
expect("recovery codes", (len(recovery), f.data), (10, b""))
expect("asked from now on", login(3, "sys", "", 0), "needed")
expect("not a second time", login(3, "sys", "", 2), "refused")
expect("in by a recovery code", login(3, "sys", recovery[4]), "accepted")
PYTHON
kuraban audit show --json | jq -s -e 'any(.[]; .event.action == "mfa-verified" and .event.reason == "grace" and .user.id == "2")' > /dev/null ||
    fail "grace is not in the journal"

finished
