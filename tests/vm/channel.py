"""The two lines to a guest: QMP to its machine, and the command channel to the agent inside it.

Owns sockets and the threads that read them. Knows nothing of images, devices or scenarios.
"""

import base64
import itertools
import json
import os
import signal
import socket
import threading
import time


class VMError(Exception):
    """The harness or the guest failed; not the verdict of a check."""


class Timeout(VMError):
    """A deadline passed."""


class Result:
    """How a command ended: rc (minus the signal, when one ended it), out and err as text, timeout."""

    def __init__(self, argv, message):
        self.argv = argv
        self.rc = message["rc"]
        self.timeout = message["timeout"]
        self.out_bytes = base64.b64decode(message["out"])
        self.out = self.out_bytes.decode(errors="replace")
        self.err = base64.b64decode(message["err"]).decode(errors="replace")

    def __iter__(self):
        return iter((self.rc, self.out, self.err))

    def __repr__(self):
        late = " (killed: too slow)" if self.timeout else ""
        return f"rc={self.rc}{late} out={self.out.strip()!r} err={self.err.strip()!r}"


class JSONLines:
    """A socket that carries one JSON object per line; a thread hands each to on_message."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.sock = None
        self.changed = threading.Condition()
        self.closed = False

    def accept(self, deadline):
        self.listener.settimeout(deadline)
        try:
            self.sock, _ = self.listener.accept()
        except socket.timeout:
            raise Timeout("qemu did not connect") from None
        self.sock.settimeout(None)
        threading.Thread(target=self.read_loop, daemon=True).start()

    def read_loop(self):
        pending = b""
        while True:
            try:
                data = self.sock.recv(65536)
            except OSError:
                data = b""
            if not data:
                break
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                try:
                    message = json.loads(line)
                except ValueError:
                    continue  # what a reboot cut in half
                with self.changed:
                    self.on_message(message)
                    self.changed.notify_all()
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def on_message(self, message):
        raise NotImplementedError

    def wait(self, condition, seconds, what):
        """The first true value of condition(), which is called with the lock held; Timeout after so many seconds."""
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                value = condition()
                if value:
                    return value
                left = end - time.monotonic()
                if self.closed:
                    raise VMError(f"the guest is gone, waiting for {what}")
                if left <= 0:
                    raise Timeout(f"{what}: not within {seconds} s")
                self.changed.wait(left)

    def write(self, message):
        try:
            self.sock.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise VMError(f"the guest is gone: {error}") from None

    def close(self):
        for sock in (self.sock, self.listener):
            if sock is not None:
                sock.close()


class QMP(JSONLines):
    """QEMU's machine protocol. Events are kept for wait_event; an error answer raises VMError."""

    def __init__(self, path):
        super().__init__(path)
        self.ids = itertools.count(1)
        self.answers = {}
        self.events = []
        self.greeted = False

    def on_message(self, message):
        if "QMP" in message:
            self.greeted = True
        elif "event" in message:
            self.events.append(message)
        elif "id" in message:
            self.answers[message["id"]] = message

    def start(self, deadline):
        self.accept(deadline)
        self.wait(lambda: self.greeted, deadline, "QMP greeting")
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        number = next(self.ids)
        self.write({"execute": name, "arguments": arguments, "id": number})
        answer = self.wait(lambda: self.answers.pop(number, None), 30, f"QMP answer to {name}")
        if "error" in answer:
            raise VMError(f"QMP {name}: {answer['error']['desc']}")
        return answer["return"]

    def wait_event(self, name, seconds, **data):
        """Take the first event of this name whose data holds these values."""

        def find():
            for event in self.events:
                if event["event"] == name and data.items() <= event.get("data", {}).items():
                    self.events.remove(event)
                    return event
            return None

        return self.wait(find, seconds, f"QMP event {name}")


class Job:
    """A command that was started in the guest and not waited for."""

    def __init__(self, agent, number, argv, seconds):
        self.agent = agent
        self.number = number
        self.argv = argv
        self.seconds = seconds
        self.pid = None
        self.result = None

    def wait(self, seconds=None):
        """Its Result. The guest kills it when its own timeout passes, so this ends even for a command that hangs."""
        if self.result is None:
            message = self.agent.take(self.number, "done", seconds or self.seconds + 60, f"end of {self.argv}")
            self.result = Result(self.argv, message)
        return self.result

    def running(self):
        with self.agent.changed:
            return self.result is None and not any(m["event"] != "started" for m in self.agent.inbox[self.number])

    def signal(self, number=signal.SIGTERM):
        self.agent.request("signal", job=self.number, signal=int(number))

    def output(self):
        """What it wrote to stdout so far."""
        return base64.b64decode(self.agent.request("peek", job=self.number)["out"]).decode(errors="replace")


class Agent(JSONLines):
    """The command channel; guest/files/usr/local/sbin/kuraban-test-agent is its other end and documents it."""

    def __init__(self, path):
        super().__init__(path)
        self.ids = itertools.count(1)
        self.inbox = {}
        self.boot = None

    def on_message(self, message):
        if message.get("event") == "hello":
            self.boot = message["boot"]
        if message.get("id") in self.inbox:
            self.inbox[message["id"]].append(message)

    def wait_boot(self, seconds, other_than=None):
        """Until an agent says hello, from another boot than the one given."""
        return self.wait(lambda: self.boot != other_than and self.boot, seconds, "the guest's agent")

    def post(self, op, **arguments):
        number = next(self.ids)
        with self.changed:
            self.inbox[number] = []
        self.write({"id": number, "op": op, **arguments})
        return number

    def take(self, number, event, seconds, what):
        def find():
            for message in self.inbox[number]:
                if message["event"] in (event, "error"):
                    self.inbox[number].remove(message)
                    return message
            return None

        message = self.wait(find, seconds, what)
        if message["event"] == "error":
            raise VMError(f"{what}: {message['message']}")
        return message

    def request(self, op, **arguments):
        number = self.post(op, **arguments)
        answer = self.take(number, "hello" if op == "ping" else "done", 60, f"the agent's answer to {op}")
        del self.inbox[number]
        return answer

    def spawn(self, argv, user=None, session=True, stdin=b"", env=None, cwd=None, timeout=60):
        """Start a command. A string goes through sh -c."""
        if isinstance(argv, str):
            argv = ["/bin/sh", "-c", argv]
        argv = [os.fspath(word) for word in argv]
        if isinstance(stdin, str):
            stdin = stdin.encode()
        number = self.post(
            "run",
            argv=argv,
            user=user,
            session=session,
            stdin=base64.b64encode(stdin).decode(),
            env=env,
            cwd=cwd,
            timeout=timeout,
        )
        job = Job(self, number, argv, timeout)
        job.pid = self.take(number, "started", 60, f"start of {argv}")["pid"]
        return job

    def put(self, path, data, mode=0o644):
        chunk = 1 << 20
        for start in range(0, max(len(data), 1), chunk):
            part = base64.b64encode(data[start : start + chunk]).decode()
            self.request("put", path=path, data=part, mode=mode, append=start > 0)

    def get(self, path):
        return base64.b64decode(self.request("get", path=path)["data"])
