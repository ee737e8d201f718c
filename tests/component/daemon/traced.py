"""A program on a terminal whose memory is read in the moment it ends (ptrace)."""
import ctypes
from screen import *

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
        return writable(self.maps.read(), self.memory)


def writable(maps, memory):
    """What stands in memory that can be written, by pieces; memory: a descriptor of /proc/PID/mem."""
    found = []
    for line in maps.decode(errors="replace").splitlines():
        span, rights = line.split()[:2]
        start, end = (int(part, 16) for part in span.split("-"))
        if "w" in rights and end - start <= LARGEST:
            try:
                found.append(os.pread(memory, end - start, start))
            except OSError:
                pass  # guard pages
    return found


def memory_of(pid):
    """That of a program which goes on, without the many zeros of a sanitizer's."""
    with open(f"/proc/{pid}/maps", "rb") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        return [re.sub(rb"\0{64,}", bytes(64), part) for part in writable(maps.read(), memory.fileno())]


def holds(part, needle):
    """A code of six digits that is a piece of a longer number (a time, a size) stands there by chance."""
    if needle.isdigit():
        return re.search(rb"(?<![0-9])" + needle + rb"(?![0-9])", part) is not None
    return needle in part


TRACED = """
import ctypes, os, signal, sys
ctypes.CDLL(None).ptrace(0, 0, None, None)
os.kill(os.getpid(), signal.SIGSTOP)
os.execv(sys.argv[2], sys.argv[2:])
"""


def check(what, s, code, secrets, control):
    status = s.end()
    assert status == code, f"{what}: exit {status}: {s.shown}"
    where = lambda needle: any(holds(part, needle) for part in s.dump)
    assert where(control.encode()), f"{what}: not even {control!r} is found"
    left = [name for name, text in secrets.items() if where(text.encode())]
    assert not left, f"{what}: left in memory: {', '.join(left)}"
    print(f"  {what}: nothing left in {sum(map(len, s.dump)) >> 10} KiB")
