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
import ctypes
from screen import *

KURABAN, STAGE = sys.argv[1:]
TRACEME, CONT, SETOPTIONS = 0, 7, 0x4200
EXITKILL, TRACEEXIT, EVENT_EXIT = 0x100000, 0x40, 6
LARGEST = 1 << 30  # a sanitizer's shadow is terabytes of nothing
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Traced(Screen):
    """Its memory in the moment of the end, in self.dump."""

    def __init__(self, *words, out=None):
        read, write = os.pipe()
        os.set_inheritable(read, True)
        # As released programs are linked: resolving a symbol late leaves vector registers on the stack.
        super().__init__("/usr/bin/python3", "-c", TRACED, str(read), *words, env={"LD_BIND_NOW": "1"}, out=out)
        os.close(read)
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            print("SKIP: ptrace is not possible here")
            sys.exit(77)
        libc.ptrace(SETOPTIONS, self.pid, None, EXITKILL | TRACEEXIT)
        libc.ptrace(CONT, self.pid, None, None)
        # exec stops once more
        _, status = os.waitpid(self.pid, 0)
        self.maps, self.memory = open(f"/proc/{self.pid}/maps", "rb"), os.open(f"/proc/{self.pid}/mem", os.O_RDONLY)
        libc.ptrace(CONT, self.pid, None, None)
        os.close(write)

    status = dump = None

    def read(self, seconds):
        """Its signals are passed on meanwhile (a child of its own ends, for one)."""
        more = super().read(min(seconds, 0.05))
        if self.status is not None:
            return more and bool(select.select([self.master], [], [], 0)[0])
        done, status = os.waitpid(self.pid, os.WNOHANG)
        if done and (os.WIFEXITED(status) or os.WIFSIGNALED(status)):
            self.status = status
        elif done and status >> 16 == EVENT_EXIT:
            self.dump = self.writable()
            libc.ptrace(CONT, self.pid, None, None)
        elif done:
            libc.ptrace(CONT, self.pid, None, os.WSTOPSIG(status))
        return True

    def end(self):
        limit = time.monotonic() + DEADLINE
        while self.read(0.05):
            assert time.monotonic() < limit, f"no end: {self.shown}"
        assert self.dump, "the end was not seen"
        return os.waitstatus_to_exitcode(self.status)

    def writable(self):
        self.maps.seek(0)
        found = []
        for line in self.maps.read().decode(errors="replace").splitlines():
            span, rights = line.split()[:2]
            start, end = (int(part, 16) for part in span.split("-"))
            if "w" in rights and end - start <= LARGEST:
                try:
                    found.append(os.pread(self.memory, end - start, start))
                except OSError:
                    pass  # guard pages
        return found


TRACED = """
import ctypes, os, signal, sys
ctypes.CDLL(None).ptrace(0, 0, None, None)
os.kill(os.getpid(), signal.SIGSTOP)
os.execv(sys.argv[2], sys.argv[2:])
"""


def check(what, s, code, secrets, control):
    status = s.end()
    assert status == code, f"{what}: exit {status}: {s.shown}"
    where = lambda needle: sum(part.count(needle) for part in s.dump)
    assert where(control.encode()) > 0, f"{what}: not even {control!r} is found"
    left = [name for name, text in secrets.items() if where(text.encode())]
    assert not left, f"{what}: left in memory: {', '.join(left)}"
    print(f"  {what}: nothing left in {sum(map(len, s.dump)) >> 10} KiB")


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
