"""What a person sees and types at an enrolment: a terminal, its QR code as a camera reads it, and an authenticator."""
import base64, codecs, fcntl, hashlib, hmac, os, pty, re, select, signal, struct, sys, termios, time, zlib
import zbar

DEADLINE = 60
CTRL_C = "\x03"


def totp(base32, steps=0, digits=6, algorithm="sha1", period=30):
    key = base64.b32decode(base32 + "=" * (-len(base32) % 8))
    mac = hmac.new(key, struct.pack(">Q", int(time.time()) // period + steps), algorithm).digest()
    number = struct.unpack(">I", mac[mac[-1] & 15:][:4])[0] & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


class Screen:
    """A program on a terminal of its own. uid None: root."""

    def __init__(self, *words, uid=None, columns=100, rows=60, env=None, out=None):
        environment = {"PATH": os.environ["PATH"], "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        environment.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS") or k == "KURABAN_LOCALE_DIR"})
        environment.update(env or {})
        self.shown, self.decode = "", codecs.getincrementaldecoder("utf-8")("replace").decode
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            if out:
                os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 1)
            if uid is not None:
                os.fchown(0, uid, uid)
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            os.execve(words[0], list(words), environment)

    def read(self, seconds):
        """False when the program has ended."""
        if select.select([self.master], [], [], seconds)[0]:
            try:
                more = os.read(self.master, 65536)
            except OSError:  # EIO: nobody has it open any more
                return False
            self.shown += self.decode(more).replace("\r\n", "\n")
            return bool(more)
        return True

    def until(self, text, after=0):
        """Where text is shown, at or behind `after`."""
        end = time.monotonic() + DEADLINE
        while text not in self.shown[after:]:
            if not self.read(0.2) or time.monotonic() > end:
                raise AssertionError(f"no {text!r} in {self.shown!r}")
        return self.shown.index(text, after) + len(text)

    def answer(self, prompt, text, after=0):
        at = self.until(prompt, after)
        os.write(self.master, text.encode())
        return at

    def end(self):
        """The exit status as a shell tells it."""
        limit = time.monotonic() + DEADLINE
        while self.read(0.2):
            if time.monotonic() > limit:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"no end: {self.shown!r}")
        _, status = os.waitpid(self.pid, 0)
        os.close(self.master)
        return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def key(self):
        """The base32 text, whose groups must be of four."""
        self.until("typing the key:")
        at = self.until("\n\n", self.shown.index("typing the key:"))
        line = self.shown[self.shown.index("typing the key:"):at].split("\n")[1].strip()
        assert all(len(group) == 4 for group in line.split(" ")[:-1]), line
        return line.replace(" ", "")


def read_grey(width, height, pixels):
    image = zbar.Image(width, height, "Y800", pixels)
    scanner = zbar.ImageScanner()
    scanner.scan(image)
    return [symbol.data for symbol in image]


def read_modules(rows):
    """rows of booleans (dark), each module as 6 pixels."""
    scale = 6
    width = len(rows[0]) * scale
    pixels = b"".join(b"".join((b"\0" if dark else b"\xff") * scale for dark in row) * scale for row in rows)
    return read_grey(width, len(rows) * scale, pixels)


def read_screen(shown):
    """The QR codes that stand in half blocks on white."""
    halves = {" ": (False, False), "▄": (False, True), "▀": (True, False), "█": (True, True)}
    rows = []
    for line in shown.split("\n"):
        match = re.fullmatch("\x1b\\[0;30;107m([ ▄▀█]+)\x1b\\[0m", line)
        if match:
            pairs = [halves[c] for c in match[1]]
            rows += [[upper for upper, _ in pairs], [lower for _, lower in pairs]]
    return read_modules(rows) if rows else []


def read_svg(path):
    text = open(path).read()
    side = int(re.search(r'viewBox="0 0 (\d+) ', text)[1])
    rows = [[False] * side for _ in range(side)]
    for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", text):
        rows[int(y)][int(x)] = True
    return read_modules(rows)


def read_png(path):
    """Eight bit grey, as libpng writes it; every filter of the format."""
    data = open(path, "rb").read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
            assert (depth, colour) == (8, 0)
        elif kind == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += 12 + size
    raw, before, pixels = zlib.decompress(packed), bytearray(width), b""
    for y in range(height):
        line = bytearray(raw[y * (width + 1) + 1:(y + 1) * (width + 1)])
        for x in range(width):
            left, up, corner = line[x - 1] if x else 0, before[x], before[x - 1] if x else 0
            guess = left + up - corner
            paeth = min((left, up, corner), key=lambda v: (abs(guess - v), (left, up, corner).index(v)))
            line[x] = (line[x] + (0, left, up, (left + up) // 2, paeth)[raw[y * (width + 1)]]) & 255
        pixels += bytes(line)
        before = line
    return read_grey(width, height, pixels)
