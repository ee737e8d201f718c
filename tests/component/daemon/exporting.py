#!/usr/bin/python3
"""A client of EXPORT that does what kuraban export never does: it waits, and passes other files than it said.

exporting.py RUN-DIRECTORY DEVICE [CODE] [--list FILE…] --pass FILE…

Says "begun" when the exporting process is there and passes the files after a line on its input; without --list they are those that the request
was for. With STOP_AT=N in its environment it stops itself at the first word of phase N. Says "copying" at the first word of progress and reads on after another line. With HANG_UP=N it hangs up at the last word of phase N and
says so; it says a password in the moment it comes. The result is its last line; exit status 0, 1 not finished, 2 not begun, 3 hung up. CODE is that
of who asks.
"""
import hashlib, json, os, signal, socket, struct, sys

EXPORT, ANSWER = 27, 0x8000
FILE, FILES_END, REFUSED, PROGRESS, PASSWORD, RESULT = 1, 2, 0x101, 0x102, 0x103, 0x104


def text(s):
    return struct.pack("<I", len(s.encode())) + s.encode()


def digest(files):
    def field(b):
        return struct.pack("<Q", len(b)) + b

    h = hashlib.sha256(field(struct.pack("<I", len(files))))
    for f in files:
        h.update(field(os.path.basename(f).encode()) + field(struct.pack("<Q", os.stat(f).st_size)))
    return h.hexdigest()


def receive(s, n, fds=None):
    data = b""
    while len(data) < n:
        part, came, _, _ = socket.recv_fds(s, n - len(data), 1)
        if fds is not None:
            fds += came
        if not part:
            sys.exit("hung up")
        data += part
    return data


def frame(s, fds=None):
    size, kind, _ = struct.unpack("<IHH", receive(s, 8, fds))
    return kind, receive(s, size, fds)


def say(line):
    print(line, flush=True)


def main():
    run, device, *words = sys.argv[1:]
    code = "" if words[0].startswith("--") else words.pop(0)
    at = words.index("--pass")
    files = words[at + 1:]
    listed = words[1:at] if at > 0 else files
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect(os.path.join(run, "control.sock"))
    fields = text(device) + text("held") + text(digest(listed)) + text(code) + b"\0"
    s.sendall(struct.pack("<IHH", len(fields), EXPORT, 0) + fields)
    fds = []
    kind, body = frame(s, fds)
    answer = json.loads(body[4:] or b"null")
    if kind != ANSWER or body[:4] != bytes(4) or not fds:
        say(f"not begun: {json.dumps(answer)}")
        sys.exit(2)
    worker = socket.socket(fileno=fds[0])
    say("begun")
    sys.stdin.readline()
    for f in files:
        name = text(os.path.basename(f))
        fd = os.open(f, os.O_PATH)
        socket.send_fds(worker, [struct.pack("<IHH", len(name), FILE, 0) + name], [fd])
        os.close(fd)
    worker.sendall(struct.pack("<IHH", 0, FILES_END, 0))
    copying = False
    while True:
        kind, body = frame(worker)
        if kind == PROGRESS and str(body[0]) == os.environ.get("STOP_AT"):
            del os.environ["STOP_AT"]
            os.kill(os.getpid(), signal.SIGSTOP)
        if kind == PASSWORD:
            say(f"password {body[4:].decode()}")
        if kind == PROGRESS and str(body[0]) == os.environ.get("HANG_UP") and len(set(struct.unpack_from("<QQ", body, 1))) == 1:
            say("hung up")
            sys.exit(3)
        if kind == PROGRESS and not copying:
            copying = True
            say("copying")
            sys.stdin.readline()
        if kind == RESULT:
            n, = struct.unpack_from("<I", body, 1)
            say(f"result {body[0]} {body[5:5 + n].decode()}")
            sys.exit(0 if body[0] == 1 else 1)


main()
