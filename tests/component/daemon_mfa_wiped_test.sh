#!/bin/bash
# What a login, an unlocking and an approval leave in memory: of kuraban, in the moment it ends, and of kuraband, which goes on, all that can be written is
# searched for the codes of six digits and for the secrets, as bytes and as base32. (What is freed in a piece as short as a code is written over by the
# allocator: it is buffers and stacks that can tell.)
# Runs beside others.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

/usr/bin/python3 -c 'import zbar' 2> /dev/null || skip "python3-zbar is not installed"
export PYTHONPATH=${0%/*}/daemon PYTHONDONTWRITEBYTECODE=1
export ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 # it needs ptrace itself

stage_make
log_in nobody
stick_further=", unlock: {approvals: 1}" write_policy 1 read "" "mfa: {login: {}, enrol: root, throttle: {failures: 50, delay: none}}"
daemon_start

/usr/bin/python3 - "$KURABAN_BUILD/bin/kuraban" "$stage" "$daemon_pid" << 'PYTHON'
from traced import *
import mfa

KURABAN, STAGE, DAEMON = sys.argv[1:]
mfa.use(STAGE + "/run/control.sock")
people = {0: "root", 1: "daemon", 2: "bin"}
given = {uid: mfa.enrol(uid, name) for uid, name in people.items()}
secrets = {}
for uid, (secret, recovery) in given.items():
    secrets[f"{people[uid]}'s secret"] = base64.b32decode(secret)
    secrets[f"{people[uid]}'s secret, base32"] = secret.encode()
    for i, text in enumerate(recovery):
        secrets[f"{people[uid]}'s recovery code {i}"] = text.encode()
        secrets[f"{people[uid]}'s recovery code {i}, its letters"] = text.replace("-", "").encode()


def found(needle):
    return any(holds(part, needle) for part in memory_of(DAEMON))


def next_code(uid):
    """Of digits that do not stand there by chance, in a time or a number."""
    while True:
        code = mfa.code(given[uid][0])
        if not found(code.encode()):
            return code
        time.sleep(1)


def nothing_left(what, more):
    """In kuraband."""
    memory = memory_of(DAEMON)
    assert any((STAGE + "/state").encode() in part for part in memory), "the search finds nothing at all"
    everything = {**secrets, **{f"the code {code}": code.encode() for code in more}}
    left = [name for name, text in everything.items() if any(holds(part, text) for part in memory)]
    assert not left, f"{what}: left in kuraband: {', '.join(left)}"
    print(f"  {what}: nothing left in {sum(map(len, memory)) >> 10} KiB of kuraband")


wrong = next(c for c in map("{:06d}".format, range(100000, 1000000)) if c not in {mfa.code(given[1][0], i) for i in range(-30, 31)} and not found(c.encode()))
mfa.expect("a wrong code", mfa.login(1, "daemon", wrong), "wrong")
nothing_left("a wrong code", [wrong])
code = next_code(1)
mfa.expect("a right code", mfa.login(1, "daemon", code), "accepted")
nothing_left("a right code", [code])
mfa.expect("a used code", mfa.login(1, "daemon", code), "used")
mfa.expect("a recovery code", mfa.login(1, "daemon", given[1][1][2]), "accepted")
nothing_left("a used code, a recovery code", [code])

own, approval = next_code(0), next_code(2)
s = Traced(KURABAN, "--config", STAGE + "/kuraban.yaml", "unlock", "--reason", "for the tax returns", "--approver", "bin")
s.answer("to approve this", approval + "\n", s.answer("Your code", own + "\n"))
check("an unlocking", s, 0, {"the code": own, "the approval": approval}, "for the tax returns")
nothing_left("an unlocking", [own, approval])
PYTHON
finished
