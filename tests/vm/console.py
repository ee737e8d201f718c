"""The guest's serial console, as a person sits at it: who is asked for a name and a password, and types.

    with Console(vm) as console:
        console.log_in("root", "root")
        rc, shown = console.run("kuraban status")
        console.start("kuraban policy keygen …")
        console.answer("New passphrase", "correct horse battery staple")
        rc, shown = console.finish()
"""

import re
import socket
import threading
import time

from channel import Timeout, VMError

# No colours, no redrawing, wide enough that the shell breaks no line; the prompt tells the last status.
QUIET_SHELL = "export TERM=dumb; stty cols 1000; PS2=; PS1='<$?>\\n'"
PASSWORD = re.compile("(Password: |パスワード: ?)".encode())
CODE = re.compile("(One-time code|認証コード): ".encode())
PROMPT = re.compile(rb"<(\d+)>\r*\n")


class Console:
    def __init__(self, vm):
        # The image has no login there, to boot faster. It stays once it was wanted, over a power cut as well; whoever is there goes.
        unit = "serial-getty@ttyS0.service"
        vm.check_run(f"systemctl unmask --quiet {unit} && sync && systemctl restart {unit}")
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(vm.path("console"))
        self.changed = threading.Condition()
        self.shown = b""
        self.closed = False
        threading.Thread(target=self.read_loop, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def read_loop(self):
        """All the time: a line that nobody reads would stop the guest's console."""
        while True:
            try:
                data = self.sock.recv(65536)
            except OSError:
                data = b""
            with self.changed:
                self.shown += data
                self.closed = not data
                self.changed.notify_all()
            if not data:
                return

    def until(self, pattern, seconds=60):
        """What is shown up to this text or pattern, and the match."""
        if isinstance(pattern, str):
            pattern = re.compile(re.escape(pattern.encode()))
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                found = pattern.search(self.shown)
                if found:
                    before, self.shown = self.shown[: found.start()], self.shown[found.end() :]
                    return before.decode(errors="replace").replace("\r", ""), found
                left = end - time.monotonic()
                if self.closed:
                    raise VMError(f"the console is gone, waiting for {pattern.pattern}")
                if left <= 0:
                    raise Timeout(f"{pattern.pattern}: not on the console within {seconds} s, but {self.shown[-600:]}")
                self.changed.wait(left)

    def type(self, text):
        self.sock.sendall(text.encode())

    def answer(self, question, text, seconds=60):
        """Wait for the question, type the answer; what was shown before the question."""
        shown, _ = self.until(question, seconds)
        self.type(text + "\r")
        return shown

    def log_in(self, user, password, code=None, lang="C.UTF-8"):
        """code: makes one when it is asked for. lang: what the shell then speaks, None: as the login left it."""
        self.type("\r")
        self.answer("login: ", user, 120)
        self.answer(PASSWORD, password)
        if code:
            self.until(CODE)
            self.type(code() + "\r")
        self.until(re.compile(rb"[$#] $"))
        self.run(QUIET_SHELL + (f"; export LC_ALL={lang}" if lang else ""))

    def log_out(self):
        self.type("exit\r")
        self.until("login: ")

    def start(self, command):
        """Type a command; answer() and finish() follow."""
        self.type(command + "\r")

    def finish(self, seconds=60):
        """(status, what was shown) of the command that was started."""
        shown, prompt = self.until(PROMPT, seconds)
        return int(prompt.group(1)), shown

    def run(self, command, seconds=60):
        self.start(command)
        return self.finish(seconds)
