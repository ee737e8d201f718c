#!/bin/bash
# What a program that signed leaves in its memory: its whole address space is read in the moment it ends (ptrace), and neither the
# passphrase nor the private key may stand anywhere in it. Something harmless that must be there shows that the search can find.
# Runs beside others.
set -euo pipefail

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
cd "$stage"
export LC_ALL=C.UTF-8
export ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 # it needs ptrace itself; sign_ceremony looks for leaks

/usr/bin/python3 - "$KURABAN_BUILD/bin/kuraban" << 'END'
import ctypes, os, pty, select, signal, subprocess, sys, time

KURABAN = sys.argv[1]
SECRET = "正しい馬 correct horse battery 電池"
NAME = "総務課 田中"
TRACEME, CONT, SETOPTIONS = 0, 7, 0x4200
EXITKILL, TRACEEXIT, EVENT_EXIT = 0x100000, 0x40, 6
DEADLINE = 120
LARGEST = 1 << 30  # a sanitizer's shadow is terabytes of nothing

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, pid, data=0):
    if libc.ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def read_memory(maps, memory):
    maps.seek(0)
    found = []
    for line in maps.read().decode(errors="replace").splitlines():
        span, rights = line.split()[:2]
        start, end = (int(part, 16) for part in span.split("-"))
        if "w" not in rights or end - start > LARGEST:
            continue
        try:
            found.append(os.pread(memory, end - start, start))
        except OSError:
            pass  # guard pages
    return found


def run(words, answers):
    """Exit status, and all writable memory in the moment of the end. answers: (prompt, typed) on a terminal of its own."""
    pid, master = pty.fork()
    if pid == 0:
        ptrace(TRACEME, 0)
        os.execv(KURABAN, ["kuraban", *words])
    try:
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            print("SKIP: ptrace is not possible here")
            sys.exit(77)
        # Now, before the program makes itself undumpable: what is open stays open.
        maps, memory = open(f"/proc/{pid}/maps", "rb"), os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        ptrace(SETOPTIONS, pid, EXITKILL | TRACEEXIT)
        ptrace(CONT, pid)
        shown, dump, end = b"", None, time.monotonic() + DEADLINE
        while True:
            assert time.monotonic() < end, f"no end: {words} {shown.decode()}"
            if select.select([master], [], [], 0.05)[0]:
                try:
                    shown += os.read(master, 65536)
                except OSError:  # EIO: nobody has it open any more
                    pass
            if answers and answers[0][0].encode() in shown:
                os.write(master, answers.pop(0)[1].encode())
                shown = b""
            done, status = os.waitpid(pid, os.WNOHANG)
            if done == 0:
                continue
            if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                break
            if status >> 16 == EVENT_EXIT:
                dump = read_memory(maps, memory)
                ptrace(CONT, pid)
            else:
                ptrace(CONT, pid, os.WSTOPSIG(status))
        assert dump, "the end was not seen"
        return os.waitstatus_to_exitcode(status), dump, shown.decode(errors="replace")
    finally:
        os.close(master)


def where(dump, needle):
    return sum(part.count(needle) for part in dump)


def seed(path):
    der = subprocess.run(["openssl", "pkey", "-in", path, "-passin", "file:passphrase", "-outform", "DER"],
                         capture_output=True, check=True).stdout
    return der[-32:]


def check(what, words, answers, status, key, control):
    code, dump, shown = run(words, list(answers))
    assert code == status, f"{what}: exit {code}: {shown}"
    assert where(dump, control.encode()) > 0, f"{what}: not even {control!r} is found"
    left = [name for name, needle in (("the passphrase", SECRET.encode()), ("half of it", SECRET.encode()[:24]),
                                      ("the private key", seed(key)), ("half of the key", seed(key)[8:24])) if where(dump, needle)]
    assert not left, f"{what}: {' and '.join(left)} is left in memory"
    print(f"  {what}: nothing left in {sum(map(len, dump)) >> 10} KiB")


open("passphrase", "w").write(SECRET + "\n")
os.chmod("passphrase", 0o600)
NEW, AGAIN = "New passphrase (nothing is shown): ", "The same again: "
check("keygen, typed", ["policy", "keygen", "--name", NAME, "--out", "tanaka"], [(NEW, SECRET + "\n"), (AGAIN, SECRET + "\n")], 0,
      "tanaka", NAME)
check("keygen, from a file", ["policy", "keygen", "--name", "情報課 鈴木", "--out", "suzuki", "--passphrase-file", "passphrase"], [], 0,
      "suzuki", "情報課 鈴木")
text = ("format: kuraban-policy/1\norganization: matsudo.example\nname: 課税課 標準\nversion: 42\nmode: enforce\n"
        "usb:\n  - {id: stick, allow: read, match: {device: \"0781:5583\"}}\n")
open("policy.yaml", "w").write(text)
ASK = "Passphrase of tanaka: "
check("sign, typed", ["policy", "sign", "--yes", "--key", "tanaka", "policy.yaml"], [(ASK, SECRET + "\n")], 0, "tanaka", "matsudo.example")
check("sign, at the second attempt", ["policy", "sign", "--yes", "--key", "tanaka", "policy.yaml", "--out", "second"],
      [(ASK, SECRET + " not\n"), (ASK, SECRET + "\n")], 0, "tanaka", "matsudo.example")
check("sign, from a file", ["policy", "sign", "--yes", "--key", "suzuki", "--passphrase-file", "passphrase", "policy.yaml.signed"], [], 0,
      "suzuki", "matsudo.example")
check("the same key again", ["policy", "sign", "--yes", "--key", "suzuki", "--passphrase-file", "passphrase", "policy.yaml.signed"], [], 1,
      "suzuki", "matsudo.example")
subprocess.run([KURABAN, "policy", "root", "create", "--organization", "matsudo.example", "--expires", "2100-01-01", "--root-key",
                "tanaka.pub", "--root-threshold", "1", "--policy-key", "suzuki.pub", "--policy-threshold", "1", "--head-key",
                "suzuki.pub", "--out", "root.json"], check=True, capture_output=True)
check("root sign", ["policy", "root", "sign", "--yes", "--key", "tanaka", "--passphrase-file", "passphrase", "root.json"], [], 0,
      "tanaka", "matsudo.example")
check("head", ["policy", "head", "--root", "root.json", "--key", "suzuki", "--passphrase-file", "passphrase", "--group", "kazei",
               "--policy", "policy.yaml.signed", "--version", "1", "--out", "head.json"], [], 0, "suzuki", "matsudo.example")
END
echo "no secret outlives its use"
