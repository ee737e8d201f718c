#!/bin/bash
# What people type: passphrases and "yes" on a real terminal (a pty). Nothing typed is shown, the echo comes back whatever happens,
# and who gives up leaves no file behind.
# Runs beside others.
set -euo pipefail

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
cd "$stage"
unset LANGUAGE LC_MESSAGES LANG
export LC_ALL=C.UTF-8

/usr/bin/python3 - "$KURABAN_BUILD/bin/kuraban" <<'END'
import os, pty, select, signal, stat, subprocess, sys, termios, time

KURABAN = sys.argv[1]
SECRET = "correct horse 電池 staple"
CTRL_C, CTRL_D, CTRL_Z = "\x03", "\x04", "\x1a"
DEADLINE = 60


class Session:
    """kuraban in the foreground of a terminal of its own, in a process group that a shell-like parent could stop."""

    def __init__(self, *words):
        self.out = b""
        report, told = os.pipe()
        self.leader, self.master = pty.fork()
        if self.leader == 0:
            self.lead(words, told)
        os.close(told)
        self.report = os.fdopen(report)

    @staticmethod
    def lead(words, told):
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            os.tcsetpgrp(0, os.getpgrp())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execv(KURABAN, ["kuraban", *words])
        while True:
            _, status = os.waitpid(child, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                break
            os.write(told, b"stopped\n")
            sys.stdin.read(0)
            signal.sigwait([signal.SIGUSR1])
            os.tcsetpgrp(0, child)
            os.kill(child, signal.SIGCONT)
        os.write(told, f"ended {status} {child}\n".encode())
        signal.sigwait([signal.SIGUSR1])  # the terminal must outlive its program, to be looked at
        os._exit(0)

    def until(self, text):
        """Everything shown since the last call, up to and with text."""
        end = time.monotonic() + DEADLINE
        while text.encode() not in self.out:
            if not select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"no {text!r} within {DEADLINE} s: {self.out!r}")
            self.out += os.read(self.master, 65536)
        seen, self.out = self.out.split(text.encode(), 1)
        assert SECRET.encode() not in seen + self.out, "the secret was shown"
        return seen.decode()

    def type(self, text):
        os.write(self.master, text.encode())

    def answer(self, prompt, text):
        self.until(prompt)
        assert not self.echo(), f"{prompt}: the terminal would show what is typed"
        self.type(text)

    def echo(self):
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def go_on(self):
        os.kill(self.leader, signal.SIGUSR1)

    def end(self):
        """Exit status as a shell would tell it, and what was shown since."""
        kind, status, _ = self.report.readline().split()
        assert kind == "ended", kind
        assert self.echo(), "the echo did not come back"
        self.go_on()
        while True:
            try:
                more = os.read(self.master, 65536)
            except OSError:  # EIO: the terminal is closed
                break
            if not more:
                break
            self.out += more
        assert SECRET.encode() not in self.out, "the secret was shown"
        os.waitpid(self.leader, 0)
        os.close(self.master)
        status = int(status)
        return (128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)), self.out.decode()


# The leader waits for it with sigwait().
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])

NEW, AGAIN, OLD = "New passphrase (nothing is shown): ", "The same again: ", "Passphrase of tanaka: "


def files():
    return sorted(os.listdir("."))


def keygen():
    return Session("policy", "keygen", "--name", "総務課 田中", "--out", "tanaka")


def check(what, condition, detail=""):
    if not condition:
        raise AssertionError(f"{what}: {detail}")
    print("  " + what)


for text, status, what in ((CTRL_C, 130, "Ctrl-C"), (CTRL_D, 5, "Ctrl-D")):
    s = keygen()
    s.answer(NEW, text)
    code, _ = s.end()
    check(f"{what} at the first question leaves no file", code == status and files() == [], f"{code} {files()}")
    s = keygen()
    s.answer(NEW, SECRET + "\n")
    s.answer(AGAIN, "half of it" + text * 2)  # after text, the first Ctrl-D only hands over what is there
    code, _ = s.end()
    check(f"{what} at the second question leaves no file", code == status and files() == [], f"{code} {files()}")

for number, status in ((signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131)):
    s = keygen()
    s.until(NEW)
    os.killpg(os.tcgetpgrp(s.master), number)
    code, _ = s.end()
    check(f"{number.name} leaves no file", code == status and files() == [], f"{code} {files()}")

s = keygen()
for _ in range(3):
    s.answer(NEW, SECRET + "\n")
    s.answer(AGAIN, SECRET + "!\n")
code, shown = s.end()
check("two that differ three times leave no file", code == 5 and files() == [] and "the two differ" in shown, shown)

s = keygen()
s.answer(NEW, "short\n")
s.until("at least 12 characters")
s.answer(NEW, "電池電池電池電池電池電\n")
s.until("at least 12 characters")
s.answer(NEW, "x" * 2000 + "\n")
code, shown = s.end()
check("a short one and an endless one are refused", code == 5 and files() == [] and "too long" in shown, shown)

s = keygen()
s.answer(NEW, SECRET + "\n")
s.until(AGAIN)
s.type(CTRL_Z)
assert s.report.readline() == "stopped\n"
check("Ctrl-Z gives the terminal back with echo", s.echo())
s.go_on()
s.answer(AGAIN, SECRET + "\n")
code, shown = s.end()
check("and it goes on where it was", code == 0 and files() == ["tanaka", "tanaka.pub"], f"{code} {files()} {shown}")
check("the key is for its owner only", stat.S_IMODE(os.stat("tanaka").st_mode) == 0o600)
check("the public half has the name", open("tanaka.pub").readline() == "Name: 総務課 田中\n")
key = open("tanaka").read()
check("the private half is encrypted", key.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"))
opened = subprocess.run(["openssl", "pkey", "-in", "tanaka", "-passin", "stdin", "-noout", "-text"],
                        input=SECRET + "\n", capture_output=True, text=True)
check("openssl opens it with the same passphrase", "ED25519 Private-Key" in opened.stdout, opened.stderr)

s = keygen()
code, shown = s.end()
check("it is never overwritten, and nothing is asked for that", code == 5 and NEW not in shown and open("tanaka").read() == key)

s = Session("policy", "keygen", "--name", "x", "--out", "nowhere/x")
code, shown = s.end()
check("nor for a place that is not there", code == 5 and NEW not in shown and "No such file or directory" in shown, shown)

open("policy.yaml", "w").write("format: kuraban-policy/1\norganization: matsudo.example\nname: 課税課 標準\nversion: 42\n"
                               "mode: enforce\nusb:\n  - {id: stick, allow: read, match: {device: \"0781:5583\"}}\n")
before = files()


def sign(*more):
    return Session("policy", "sign", "--key", "tanaka", "policy.yaml", *more)


YES = "Type “yes”: "
for text in ("no\n", "y\n", "\n", CTRL_D, "yes please\n"):
    s = sign()
    shown = s.until(YES)
    check("what is signed is shown", "matsudo.example" in shown and "課税課 標準, version 42" in shown and "nobody yet" in shown, shown)
    s.type(text)
    code, shown = s.end()
    check(f"{text!r} signs nothing", code == 1 and files() == before and OLD not in shown, f"{code} {shown}")
s = sign()
s.type("yes\n")
s.until(YES)
s.type("no\n")
code, shown = s.end()
check("what was typed before the question is no answer", code == 1 and files() == before and OLD not in shown, f"{code} {shown}")
s = sign()
s.until(YES)
s.type(CTRL_C)
code, _ = s.end()
check("Ctrl-C at the question signs nothing", code == 130 and files() == before)
s = sign()
s.until(YES)
s.type("yes\n")
s.answer(OLD, CTRL_C)
code, _ = s.end()
check("Ctrl-C at the passphrase signs nothing", code == 130 and files() == before)
s = sign()
s.until(YES)
s.type("yes\n")
for _ in range(3):
    s.answer(OLD, "wrong passphrase\n")
code, shown = s.end()
check("three wrong passphrases sign nothing", code == 5 and files() == before and "does not open this key" in shown, shown)
s = sign()
s.until(YES)
s.type("yes\n")
s.answer(OLD, "wrong passphrase\n")
s.until("does not open this key")
s.answer(OLD, SECRET + "\n")
code, shown = s.end()
check("the second attempt may be right", code == 0 and files() == sorted(before + ["policy.yaml.signed"]), shown)

signed = open("policy.yaml.signed").read()
s = Session("policy", "sign", "--key", "tanaka", "--yes", "policy.yaml.signed")
s.answer("Passphrase of tanaka: ", SECRET + "\n")
code, shown = s.end()
check("the same key does not sign twice", code == 1 and "signed already" in shown and open("policy.yaml.signed").read() == signed, shown)

os.environ.update(LC_ALL="ja_JP.UTF-8", KURABAN_LOCALE_DIR="/nonexistent")
alone = subprocess.run([KURABAN, "policy", "keygen", "--name", "x", "--out", "x"], stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, start_new_session=True)
check("without a terminal it says what scripts do", alone.returncode == 2 and "--passphrase-file" in alone.stderr, alone.stderr)
alone = subprocess.run([KURABAN, "policy", "sign", "--key", "tanaka", "policy.yaml", "--out", "x"], stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, start_new_session=True)
check("and so does the question", alone.returncode == 1 and "--yes" in alone.stderr and not os.path.exists("x"), alone.stderr)
END
echo "the terminal keeps its echo and no secret was shown"
