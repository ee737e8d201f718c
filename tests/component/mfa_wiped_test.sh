#!/bin/bash
# What an enrolment leaves in the memory of its program: the whole address space is read in the moment it ends (ptrace), and neither the key nor
# a code nor a recovery code may stand anywhere in it. Something harmless that must be there shows that the search can find.
# Runs beside others.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

/usr/bin/python3 -c 'import zbar' 2> /dev/null || skip "python3-zbar is not installed"
export PYTHONPATH=${0%/*}/daemon PYTHONDONTWRITEBYTECODE=1
export ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 # it needs ptrace itself; mfa_enrol looks for leaks

stage_make
write_policy 1 read "" "mfa:
  login: {services: [login], grace: 0}
  enrol: root"
daemon_start

/usr/bin/python3 - "$KURABAN_BUILD/bin/kuraban" "$stage" << 'PYTHON'
from traced import *

KURABAN, STAGE = sys.argv[1:]
BASE = [KURABAN, "--config", STAGE + "/kuraban.yaml"]
s = Traced(*BASE, "mfa", "enrol", "daemon", "--png", STAGE + "/x.png")
key = s.key()
groups = " ".join(key[i:i + 4] for i in range(0, len(key), 4))
while int(time.time()) % 30 > 24:
    time.sleep(0.1)
codes = [totp(key, -1), totp(key, 0)]
s.answer("The code after it: ", codes[1] + "\n", s.answer("shows now: ", codes[0] + "\n"))
s.until("voids these.")
recovery = re.findall(r"([0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4})$", s.shown, re.M)
assert len(recovery) == 10
check("an enrolment", s, 0, {"the key": key, "half of it": key[:16], "the key in groups": groups, "half of that": groups[:19],
                             "the first code": codes[0], "the second": codes[1], "a recovery code": recovery[0],
                             "another": recovery[9]}, STAGE + "/x.png")
s = Traced(*BASE, "mfa", "enrol", "bin")
key = s.key()
s.answer("shows now: ", "\x04")
check("one that is given up", s, 5, {"the key": key, "half of it": key[:16]}, STAGE + "/kuraban.yaml")
out = STAGE + "/codes"
s = Traced(*BASE, "mfa", "reissue", "daemon", out=out)
while s.read(0.05):
    pass
recovery = re.findall(r"([0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4})$", open(out).read(), re.M)
assert len(recovery) == 10
check("codes that go to a file", s, 0, {f"code {i}": code for i, code in enumerate(recovery)}, STAGE + "/kuraban.yaml")
PYTHON
finished
