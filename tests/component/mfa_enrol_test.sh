#!/bin/bash
# An enrolment as a person goes through it, on a terminal, against a running kuraband: the QR code read as a camera reads it (zbar), wrong
# codes, codes that never show, interruption, lost telephone, recovery codes; and what every terminal makes of it.
# Runs beside others.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

/usr/bin/python3 -c 'import zbar' 2> /dev/null || skip "python3-zbar is not installed"
export PYTHONPATH=${0%/*}/daemon PYTHONDONTWRITEBYTECODE=1 KURABAN_LOCALE_DIR=$KURABAN_BUILD/locale
[ -e "$KURABAN_LOCALE_DIR/ja/LC_MESSAGES/kuraban.mo" ] || fail "the Japanese messages are not built: a prompt would be waited for in vain"

mfa_policy() { # VERSION ENROL
    write_policy "$1" read "" "mfa:
  login: {services: [login], grace: 0}
  enrol: $2
  throttle: {failures: 10, delay: none, lock: 15m}
  window: 1"
}

stage_make
mfa_policy 1 self
daemon_start

/usr/bin/python3 - "$KURABAN_BUILD/bin/kuraban" "$stage" << 'PYTHON'
import json, subprocess
from screen import *

KURABAN, STAGE = sys.argv[1:]
BASE = [KURABAN, "--config", STAGE + "/kuraban.yaml"]
NOBODY = 65534
FIRST, SECOND = "Code that the authenticator shows now: ", "The code after it: "


def check(what, condition, detail=""):
    if not condition:
        raise AssertionError(f"{what}: {detail}")
    print("  " + what)


def run(*words):
    """Without a terminal, as root."""
    done = subprocess.run([*BASE, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, start_new_session=True,
                          env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
    return done.returncode, done.stdout + done.stderr


def enrolled(user):
    return any(one["name"] == user for one in json.loads(run("mfa", "list", "--json")[1]))


def two(s, key, after=0, **settings):
    """The step before's code and this one's: both are in the window, and nobody waits half a minute."""
    while int(time.time()) % 30 > 24:
        time.sleep(0.1)  # a boundary between the two would make them of the wrong steps
    after = s.answer(FIRST, totp(key, -1, **settings) + "\n", after)
    return s.answer(SECOND, totp(key, 0, **settings) + "\n", after)


# --- a person for themselves ---

s = Screen(*BASE, "mfa", "enrol", uid=NOBODY)
key = s.key()
s.until(FIRST)
check("the key has 160 bits", len(base64.b32decode(key)) == 20, key)
uri = read_screen(s.shown)
check("the QR code on the screen can be read", len(uri) == 1, s.shown)
check("it says the key, the person and the settings",
      re.fullmatch(rf"otpauth://totp/[^/:?]+:nobody\?secret={key}&issuer=[^&: ]+&algorithm=SHA1&digits=6&period=30", uri[0]), uri)
at = s.answer(FIRST, "12345\n")
at = s.until("A code is 6 digits.", at)
at = s.answer(FIRST, "000 000\n", at)
s.until(SECOND, at)
seconds = int(re.search(r"comes in (\d+) second", s.shown[at:])[1])
check("the time until the next code is told", 1 <= seconds <= 30, seconds)
at = s.answer(SECOND, "000000\n", at)
at = s.until("the same code again", at)
at = s.answer(SECOND, "000001\n", at)
at = s.until("not two codes in a row", at)
check("a wrong code is wrong", True)
right = [totp(key, n) for n in range(-2, 4)]
two(s, key, at)
check("nobody is told the right code", not any(s.shown[:at].count(code) for code in right), s.shown)
code = s.end()
check("two codes in a row enrol", code == 0 and enrolled("nobody"), f"{code} {s.shown}")
check("the key is cleared off the screen and its history", "\x1b[2J\x1b[3J" in s.shown, "")
after = s.shown[s.shown.index("\x1b[3J"):]
check("nothing of the key comes after that", key not in after.replace(" ", ""))
recovery = re.findall(r"^ +\d+  ([0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4})$", after, re.M)
check("ten recovery codes, with advice", len(set(recovery)) == 10 and "locked away" in after, after)

s = Screen(*BASE, "mfa", "enrol", uid=NOBODY)
code = s.end()
check("a second time is refused", code == 1 and "has a second factor already" in s.shown, s.shown)
s = Screen(*BASE, "mfa", "enrol", "daemon", uid=NOBODY)
code = s.end()
check("nobody enrols others", code == 4 and "administrator" in s.shown, f"{code} {s.shown}")
s = Screen(*BASE, "mfa", "enrol", "--png", "/tmp/kuraban-never.png", uid=NOBODY)
check("files are root's", s.end() == 4 and not os.path.exists("/tmp/kuraban-never.png"), s.shown)

# --- recovery codes anew ---

s = Screen(*BASE, "mfa", "reissue", uid=NOBODY)
s.answer("recovery code: ", recovery[0] + "\n")
code = s.end()
fresh = re.findall(r"([0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4})$", s.shown, re.M)
check("a recovery code brings ten others", code == 0 and len(set(fresh) - set(recovery)) == 10, s.shown)
s = Screen(*BASE, "mfa", "reissue", uid=NOBODY)
s.answer("recovery code: ", recovery[1] + "\n")
check("the old ones are void", s.end() == 1 and "The code is wrong." in s.shown, s.shown)
s = Screen(*BASE, "mfa", "reissue", uid=NOBODY, env={"LC_ALL": "C.UTF-8", "LANGUAGE": "ja"})
s.answer("回復コード: ", "\n")
check("an empty answer is none, in Japanese", s.end() == 1 and "コード" in s.shown, s.shown)

# --- root for somebody, with files ---

svg, png, told = (f"{STAGE}/{name}" for name in ("a.svg", "a.png", "told.json"))
s = Screen(*BASE, "mfa", "enrol", "daemon", "--svg", svg, "--png", png, "--algorithm", "sha256", "--digits", "8", "--json", out=told)
key = s.key()
at = s.until(FIRST)
for path, reader in ((svg, read_svg), (png, read_png)):
    check(f"{path[-3:]}: mode 0600, and the same code", os.stat(path).st_mode & 0o777 == 0o600 and
          reader(path) == read_screen(s.shown) and f"secret={key}&" in reader(path)[0] and "SHA256&digits=8" in reader(path)[0], path)
two(s, key, digits=8, algorithm="sha256")
code = s.end()
answer = json.load(open(told))
check("JSON: recovery codes and nothing else on standard output",
      code == 0 and answer["user"] == "daemon" and len(answer["recovery"]) == 10 and set(answer) == {"user", "uid", "recovery"}, answer)
check("the key was on the terminal alone", key not in open(told).read())
code, out = run("mfa", "enrol", "bin", "--svg", svg)
check("an existing file is not overwritten", code == 5 and "nothing is overwritten" in out, out)

# --- given up ---

for prompt, typed, status, what in ((FIRST, CTRL_C, 130, "Ctrl-C"), (FIRST, "\x04", 5, "Ctrl-D")):
    s = Screen(*BASE, "mfa", "enrol", "bin")
    s.answer(prompt, typed)
    code = s.end()
    check(f"{what} enrols nobody", code == status and not enrolled("bin"), f"{code} {s.shown}")
s = Screen(*BASE, "mfa", "enrol", "bin", "--png", STAGE + "/b.png")
key = s.key()
s.answer(SECOND, "\x04", s.answer(FIRST, totp(key) + "\n"))
code = s.end()
check("half of it enrols nobody, and its file is gone", code == 5 and not enrolled("bin") and not os.path.exists(STAGE + "/b.png"),
      f"{code} {s.shown}")
s = Screen(*BASE, "mfa", "enrol", "bin")
at = 0
for _ in range(5):
    at = s.answer(FIRST, "111111\n", at)
    at = s.answer(SECOND, "222222\n", at)
code = s.end()
check("five tries, then begin anew", code == 1 and "too many tries" in s.shown and not enrolled("bin"), f"{code} {s.shown}")
code, out = run("mfa", "enrol", "bin")
check("without a terminal nothing begins", code == 2 and "no terminal" in out, f"{code} {out}")

# --- terminals ---

for what, settings in (("40 columns", {"columns": 40}), ("10 lines", {"rows": 10}), ("LC_ALL=C", {"env": {"LC_ALL": "C"}}),
                       ("TERM=dumb", {"env": {"TERM": "dumb"}})):
    s = Screen(*BASE, "mfa", "enrol", "bin", **settings)
    key = s.key()
    s.answer(FIRST, CTRL_C)
    s.end()
    check(f"{what}: no QR code, the key as text", "cannot show a QR code" in s.shown and "▀" not in s.shown and len(key) == 32, s.shown)
s = Screen(*BASE, "mfa", "enrol", "bin", columns=80, rows=24)
s.answer(FIRST, CTRL_C)
s.end()
check("80 by 24: with less quiet zone, and readable", len(read_screen(s.shown)) == 1, s.shown)

# --- the clocks differ ---

s = Screen(*BASE, "mfa", "enrol", "bin")
key = s.key()
while int(time.time()) % 30 > 24:
    time.sleep(0.1)
at = s.answer(FIRST, totp(key, 9) + "\n")
at = s.answer(SECOND, totp(key, 10) + "\n", at)
at = s.until("5 minutes ahead", at)
two(s, key, at)
check("a clock that is wrong is told, and the right one enrols", s.end() == 0 and enrolled("bin"), s.shown)

# --- the telephone is lost ---

s = Screen(*BASE, "mfa", "reset", "bin", "--reason", "lost at the station")
s.answer("to go on: ", "no\n")
check("“no” changes nothing", s.end() == 1 and enrolled("bin"), s.shown)
old = key
s = Screen(*BASE, "mfa", "reset", "bin", "--reason", "lost at the station")
s.answer("to go on: ", "yes\n")
key = s.key()
two(s, key)
check("a new one in place of the old one", s.end() == 0 and key != old and enrolled("bin"), s.shown)
code, out = run("mfa", "status", "bin")
check("status of a person", code == 0 and "bin" in out, out)
code, out = run("mfa", "disable", "bin", "--reason", "left")
check("without a terminal disable needs --yes", code != 0 and enrolled("bin"), out)
code, out = run("mfa", "disable", "bin", "--reason", "left", "--yes")
check("disabled", code == 0 and not enrolled("bin"), out)
code, out = run("mfa", "status", "bin")
check("status says so", code == 1 and "no second factor" in out, out)
code, out = run("mfa", "disable", "bin", "--yes")
check("twice is an answer: no", code == 1 and "no second factor" in out, f"{code} {out}")
code, out = run("mfa", "lift", "daemon")
check("lift", code == 0 and "may try again" in out, out)
code, out = run("mfa", "status")
check("status", code == 0 and "everybody for themselves" in out, out)
PYTHON

note "the journal knows what was done"
recorded 'mfa-enrolled' || fail "no enrolment in the journal"
recorded 'lost at the station' || fail "no reason in the journal"
mfa_policy 2 root
exits 0 kuraban reload
/usr/bin/python3 - "$KURABAN_BUILD/bin/kuraban" "$stage" << 'PYTHON'
from screen import *
for uid in 1, 3:
    s = Screen(sys.argv[1], "--config", sys.argv[2] + "/kuraban.yaml", "mfa", "enrol", uid=uid)
    code = s.end()
    assert code == 4 and "policy does not permit" in s.shown, (uid, code, s.shown)
print("  policy that leaves it to root is obeyed")
PYTHON
note "lint asks what policy says"
! holds 'any(.findings[]; .kind == "policy-none" or .kind == "note-policy-not-asked")' mfa lint || fail "policy asks for codes at login"
write_policy 3 read "" "mfa:
  enrol: root"
exits 0 kuraban reload
holds 'any(.findings[]; .kind == "policy-none" and (.note | not)) and (.ok | not)' mfa lint || fail "a policy without logins is a way round"
finished
