"""People of the guest with a password and an authenticator, and what they type into programs that log people in.

    people = People(vm, 4)
    who = people.new()                            # somebody who has not used a code yet
    shown = people.talk(SU(who), [password(who), code(who)])
    shown.rc, shown.text, shown.codes             # how the program ended, what its terminal showed, the codes that were typed
"""

import base64
import json
import os

from channel import VMError
from vm import wait_for

# The prompt for a code, English and Japanese.
CODE = r"(One-time code|認証コード): $"
PASSWORD = r"([Pp]assword|パスワード)[^\n]*: ?$"

# Runs a program on a terminal of its own. One JSON object on stdin: argv, env, and steps of [pattern, answer], answered in turn when the pattern is at
# the end of what was shown. An answer is {"text"}, or {"secret", "offset"}: the code of that moment; {"key", "offset"}: the secret is what this pattern
# finds in what was shown. "next": the code after the last one, whatever the moment is. "wait": a file that has to be there first.
TALKER = r"""
import base64, hashlib, hmac, json, os, pty, re, select, struct, sys, time

def code(secret, step):
    digest = hmac.new(base64.b32decode(secret), struct.pack('>Q', step), hashlib.sha1).digest()
    at = digest[-1] & 15
    return '%06d' % ((struct.unpack('>I', digest[at:at + 4])[0] & 0x7fffffff) % 1000000)

def answer(how):
    if 'wait' in how:
        print('waiting', flush=True)
        while not os.path.exists(how['wait']):
            time.sleep(0.02)
    if 'key' in how:
        how['secret'] = re.search(how['key'], shown.decode(errors='replace')).group(1)
    if 'secret' not in how:
        return how['text']
    used.append(used[-1] + 1 if 'next' in how else int(time.time()) // 30 + how.get('offset', 0))
    codes.append(code(how['secret'], used[-1]))
    return codes[-1]

task = json.loads(sys.stdin.read())
codes, used, shown, steps, end = [], [], b'', list(task['steps']), time.monotonic() + task['seconds']
pid, tty = pty.fork()
if pid == 0:
    os.execvpe(task['argv'][0], task['argv'], {**os.environ, **task['env']})
seen = 0
while time.monotonic() < end:
    if not select.select([tty], [], [], 0.5)[0]:
        continue
    try:
        data = os.read(tty, 65536)
    except OSError:
        break
    if not data:
        break
    shown += data
    text = shown[seen:].decode(errors='replace').replace('\r', '')
    if steps and re.search(steps[0][0], text):
        seen = len(shown)
        os.write(tty, answer(steps.pop(0)[1]).encode() + b'\r')
else:
    os.kill(pid, 9)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps({'rc': status, 'text': shown.decode(errors='replace').replace('\r', ''), 'codes': codes, 'left': len(steps)}))
"""

# Asks kuraband for MFA-IMPORT (docs/PROTOCOL.control.md), as root: uid name base32.
IMPORTER = r"""
import socket, struct, sys, time
def string(text):
    return struct.pack('<I', len(text)) + text.encode()
uid, name, secret = sys.argv[1:]
fields = struct.pack('<I', int(uid)) + string(name) + string(secret)
fields += struct.pack('<BBHQB', 0, 6, 30, int(time.time()) // 30 - 5, 0)
sock = socket.socket(socket.AF_UNIX)
sock.connect('/run/kuraban/control.sock')
sock.sendall(struct.pack('<IHH', len(fields), 22, 0) + fields)
data = sock.recv(4096)
sys.exit(0 if data[8:13] == b'\0\0\0\0\0' else data.hex())
"""


# Accounts as useradd(8) makes them, all at once and with hashes that cost little: lines of name, uid, password; the group they are in as argument.
ADDER = r"""
import crypt, os, re, sys
group = sys.argv[1]
people = [line.split() for line in sys.stdin]
with open('/etc/passwd', 'a') as passwd, open('/etc/shadow', 'a') as shadow, open('/etc/group', 'a') as groups:
    for name, uid, password in people:
        salt = crypt.mksalt(crypt.METHOD_SHA256, rounds=1000)
        print(f'{name}:x:{uid}:{uid}::/home/{name}:/bin/sh', file=passwd)
        print(f'{name}:{crypt.crypt(password, salt)}:19000:0:99999:7:::', file=shadow)
        print(f'{name}:x:{uid}:', file=groups)
        os.mkdir(f'/home/{name}', 0o700)
        os.chown(f'/home/{name}', int(uid), int(uid))
with open('/etc/group') as file:
    text = file.read()
names = ','.join(name for name, _, _ in people)
text = re.sub(rf'^({group}:.*:)(.*)$', lambda m: m[1] + ','.join(filter(None, [m[2], names])), text, flags=re.M)
with open('/etc/group', 'w') as file:
    file.write(text)
"""


class Person:
    def __init__(self, name, uid):
        self.name = name
        self.uid = uid
        self.password = f"secretof{name}"
        self.secret = base64.b32encode(os.urandom(20)).decode()


class Shown:
    """What came of a conversation."""

    def __init__(self, result):
        if result.rc != 0:
            raise VMError(f"the talker failed: {result}")
        self.__dict__.update(json.loads(result.out.splitlines()[-1]))

    def __repr__(self):
        return f"rc={self.rc} left={self.left} shown={self.text!r}"


def password(who, **more):
    return [PASSWORD, {"text": who.password, **more}]


def code(who, offset=0, **more):
    return [CODE, {"secret": who.secret, "offset": offset, **more}]


def typed(text, **more):
    """Something at the prompt for a code."""
    return [CODE, {"text": text, **more}]


class People:
    """Accounts p01, p02, …; the first ones are new to the verifier. Scenarios that share a guest take other names and numbers."""

    def __init__(self, vm, n, group="users", name="p", uid=3000):
        self.vm = vm
        self.people = [Person(f"{name}{i:02}", uid + i) for i in range(1, n + 1)]
        self.unused = list(self.people)
        lines = "".join(f"{p.name} {p.uid} {p.password}\n" for p in self.people)
        vm.put("/run/add", ADDER)
        vm.check_run(["python3", "/run/add", group], stdin=lines.encode())
        self.put_programs()

    def put_programs(self):
        """Gone with each boot."""
        self.vm.put("/run/talk", TALKER)
        self.vm.put("/run/import", IMPORTER)

    def enrol(self, who):
        self.vm.check_run(["python3", "/run/import", str(who.uid), who.name, who.secret])

    def new(self, enrolled=True):
        who = self.unused.pop(0)
        if enrolled:
            self.enrol(who)
        return who

    def start(self, argv, steps, user="tanaka", env=None, seconds=60):
        """The Job of a conversation; finish() has the rest."""
        task = {"argv": argv, "env": {"LANG": "C.UTF-8", **(env or {})}, "steps": steps, "seconds": seconds}
        options = {"user": user, "session": user == "tanaka", "timeout": seconds + 10}
        return self.vm.spawn(["python3", "/run/talk"], stdin=json.dumps(task).encode(), **options)

    def finish(self, job):
        return Shown(job.wait())

    def talk(self, argv, steps, **options):
        return self.finish(self.start(argv, steps, **options))

    def code(self, who, offset=0):
        """The code that is right now."""
        waiting = ["sh", "-c", "printf 'One-time code: '; read -r line"]
        return self.talk(waiting, [code(who, offset)], seconds=20).codes[0]

    def at_the_prompt(self, *jobs):
        """Until each of these waits for its file."""
        for job in jobs:
            wait_for(lambda job=job: "waiting" in job.output(), "the prompt for a code", 40, every=0.3)
