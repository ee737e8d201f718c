# The second factor over the control socket, as the daemon_mfa tests speak it: frames, and codes by the standard library alone.
#
#   from mfa import *;  use(socket_path);  secret, recovery = enrol(1, "daemon");  login(1, "daemon", code(secret))
import base64, hashlib, hmac, json, selectors, socket, struct, sys, time

VERIFY, ENROL, CONFIRM, LIST, REMOVE, LIFT, REISSUE, IMPORT, STATUS, LOGIN, ROTATE = 15, 16, 17, 18, 19, 20, 21, 22, 23, 28, 29
SELF = 0xffffffff
OUTCOMES = ["refused", "accepted", "wrong", "used", "wait", "locked", "rollback", "not-enrolled", "unavailable", "needed", "not-needed", "grace", "skew"]
ERRORS = ["done", "unavailable", "enrolled", "unknown", "not-begun", "codes", "skew", "too-many", "secret", "settings", "name"]

path = None


def use(socket_path):
    global path
    path = socket_path


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"FAILED: {what}: {found!r} instead of {wanted!r}")


def text(s):
    b = s.encode() if isinstance(s, str) else s
    return struct.pack("<I", len(b)) + b


def frame(kind, body=b""):
    return struct.pack("<IHH", len(body), kind, 0) + body


def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)  # waits for a place in the backlog
    s.settimeout(60)
    return s


def receive(s):
    """The answer: code, and JSON or the bytes of fields. None when the peer has gone."""
    rest, code, payload = b"", None, b""
    while True:
        while len(rest) < 8 or len(rest) < 8 + struct.unpack("<I", rest[:4])[0]:
            try:
                got = s.recv(65536)
            except ConnectionResetError:
                return None
            if not got:
                return None
            rest += got
        size, kind, flags = struct.unpack("<IHH", rest[:8])
        body, rest = rest[8:8 + size], rest[8 + size:]
        code, payload = struct.unpack("<I", body[:4])[0], payload + body[4:]
        if flags & 1 == 0:
            return code, payload if kind == 0x8001 else json.loads(payload)


def ask(kind, body=b""):
    with connect() as s:
        s.sendall(frame(kind, body))
        return receive(s)


class Fields:
    def __init__(self, data):
        self.data = data

    def number(self, letter):
        size = struct.calcsize("<" + letter)
        value, self.data = struct.unpack("<" + letter, self.data[:size])[0], self.data[size:]
        return value

    def string(self):
        size = self.number("I")
        value, self.data = self.data[:size], self.data[size:]
        return value.decode()

    def recovery(self):
        return [self.string() for _ in range(self.number("B"))]


def step(now=None):
    return int(time.time() if now is None else now) // 30


def code(secret, offset=0, at=None):
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", (step() if at is None else at) + offset), hashlib.sha1).digest()
    i = mac[-1] & 15
    return "%06d" % ((struct.unpack(">I", mac[i:i + 4])[0] & 0x7fffffff) % 1000000)


def wrong(secret):
    right = {code(secret, i) for i in range(-30, 31)}
    return next(c for c in ("%06d" % n for n in range(1000000)) if c not in right)


def begin(uid, name):
    got = ask(ENROL, struct.pack("<I", uid) + text(name) + struct.pack("<BBH", 0, 0, 0))
    if got[0] != 0:
        return got[0], None
    f = Fields(got[1])
    error = ERRORS[f.number("B")]
    return error, f.string() if error == "done" else None


def confirm(uid, first, second):
    got = ask(CONFIRM, struct.pack("<I", uid) + text(first) + text(second))
    if got[0] != 0:
        return got[0], None
    f = Fields(got[1])
    error, minutes, ahead = ERRORS[f.number("B")], f.number("I"), f.number("B")
    return error, f.recovery() if error == "done" else (minutes, ahead)


def enrol(uid, name):
    error, secret = begin(uid, name)
    expect(f"enrolment of {name} begins", error, "done")
    # The codes of the last two steps: the current one stays unused.
    error, recovery = confirm(uid, code(secret, -2), code(secret, -1))
    expect(f"enrolment of {name} is confirmed", error, "done")
    return secret, recovery


def login_frame(uid, user, given, step=1, service="login", tty="tty9"):
    return frame(LOGIN, struct.pack("<BI", step, uid) + text(user) + text(service) + text("") + text(tty) + text(given))


def read_login(got):
    if got is None:
        return "gone", 0, 0
    if got[0] != 0:
        return f"code {got[0]}", 0, 0
    f = Fields(got[1])
    return OUTCOMES[f.number("B")], f.number("I"), f.number("B")


def login_answer(uid, user, given, step=1, service="login", tty="tty9"):
    with connect() as s:
        s.sendall(login_frame(uid, user, given, step, service, tty))
        return receive(s)


def login(*asked):
    """As login_answer(): the outcome."""
    return read_login(login_answer(*asked))[0]


def parallel(requests):
    """Every request on a connection of its own, all of them sent before the first answer is read. Their outcomes."""
    sockets = [connect() for _ in requests]
    for s, r in zip(sockets, requests):
        s.sendall(r)
    outcomes = [read_login(receive(s))[0] for s in sockets]
    for s in sockets:
        s.close()
    return outcomes


def listed(uid):
    answer, found = ask(LIST, struct.pack("<I", SELF))
    expect("listing", answer, 0)
    return next((c for c in found if c["uid"] == uid), None)
