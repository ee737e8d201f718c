#!/usr/bin/python3
"""One-time codes for the component tests, made without kuraban, and what is typed on a terminal.

factor.py enrol USER DIRECTORY RUN-DIRECTORY   a new second factor for USER, in place of the old one: by root, over the control socket
factor.py code USER DIRECTORY                  a code of USER that was not given before; waits for it
factor.py check USER DIRECTORY RUN-DIRECTORY   gives a code of USER to kuraband, by root; fails unless it is accepted
factor.py type CODE… -- COMMAND…               COMMAND on a terminal of its own; each CODE when it is asked for. Its output, its exit status

The directory remembers secrets, and which codes were given. Periods are 10 s; a code of the step before and after is good as well, none twice:
after an enrolment three come without waiting.
"""
import base64, hashlib, hmac, os, pwd, pty, select, signal, socket, struct, sys, termios, time

PERIOD, DIGITS = 10, 6
VERIFY, REMOVE, IMPORT, ANSWER_FIELDS = 15, 19, 22, 0x8001
DEADLINE = 60


def memory(user, directory):
    return os.path.join(directory, "factor." + user)


def code(user, directory):
    secret, last = open(memory(user, directory)).read().split()
    # The step before is good until this one ends: not if that is before a loaded machine has brought the code to kuraband.
    counter = max(int(last) + 1, int(time.time() + PERIOD / 2) // PERIOD - 1)
    while counter > int(time.time()) // PERIOD + 1:
        time.sleep(0.1)
    with open(memory(user, directory), "w") as f:
        f.write(f"{secret} {counter}")
    mac = hmac.new(bytes.fromhex(secret), struct.pack(">Q", counter), hashlib.sha1).digest()
    number = struct.unpack(">I", mac[mac[-1] & 15:][:4])[0] & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def text(s):
    return struct.pack("<I", len(s.encode())) + s.encode()


def receive(s, n):
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part:
            sys.exit("kuraband hung up")
        data += part
    return data


def ask(run, kind, fields):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.connect(os.path.join(run, "control.sock"))
        s.sendall(struct.pack("<IHH", len(fields), kind, 0) + fields)
        size, kind, _ = struct.unpack("<IHH", receive(s, 8))
        return kind, receive(s, size)


def enrol(user, directory, run):
    uid, secret = struct.pack("<I", pwd.getpwnam(user).pw_uid), os.urandom(20)
    ask(run, REMOVE, uid + text("another one comes"))  # there may be none
    fields = uid + text(user) + text(base64.b32encode(secret).decode())
    fields += struct.pack("<BBHQB", 0, DIGITS, PERIOD, int(time.time()) // PERIOD - 10, 0)
    kind, answer = ask(run, IMPORT, fields)
    if kind != ANSWER_FIELDS or answer[:5] != bytes(5):
        sys.exit(f"not enrolled: {kind:#x} {answer!r}")
    with open(memory(user, directory), "w") as f:
        f.write(f"{secret.hex()} 0")


def check(user, directory, run):
    _, answer = ask(run, VERIFY, struct.pack("<I", pwd.getpwnam(user).pw_uid) + text(code(user, directory)))
    if b'"accepted"' not in answer:
        sys.exit(f"not accepted: {answer!r}")


def type_codes(codes, command):
    """A prompt is taken for one when it ends in ": " and the terminal does not echo."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    out, asked, end = b"", 0, time.monotonic() + DEADLINE
    while True:
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            sys.exit(f"too long: {out!r}")
        if not select.select([master], [], [], 0.2)[0]:
            continue
        try:
            part = os.read(master, 4096)
        except OSError:  # EIO: everybody has closed it
            part = b""
        if not part:
            break
        out += part
        # A message that is read in two parts ends like a question after its first word.
        question = out.endswith(b": ") and not out.rpartition(b"\n")[2].startswith(b"kuraban: ")
        if codes and question and len(out) > asked and not termios.tcgetattr(master)[3] & termios.ECHO:
            os.write(master, codes.pop(0).encode() + b"\n")
            asked = len(out)
    _, status = os.waitpid(pid, 0)
    sys.stdout.write(out.decode(errors="replace").replace("\r\n", "\n"))
    if codes:
        print(f"not asked for: {len(codes)} codes")
    sys.exit(os.waitstatus_to_exitcode(status))


def main():
    what, *words = sys.argv[1:]
    if what == "enrol":
        enrol(*words)
    elif what == "code":
        print(code(*words))
    elif what == "check":
        check(*words)
    elif what == "type":
        at = words.index("--")
        type_codes(words[:at], words[at + 1:])
    else:
        sys.exit(__doc__)


main()
