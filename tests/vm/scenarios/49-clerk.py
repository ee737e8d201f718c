"""A clerk's way, in Japanese, typed on the machine's serial console: login with password and code, a permitted stick read, cp to it refused and why,
files taken out with the clerk's code and a colleague's, opened elsewhere by the password that was shown; no code works twice; an administrator reads
who it was. What is compared as text was shown on that console."""

import hashlib
import os
import re
import subprocess

import media
from console import CODE, PASSWORD, Console
from exports import TARGET, code, enrol, is_read_only
from guard import Guard, member, read_bytes

PROFILE = "agent"
SECONDS = 400

COLLEAGUE = "suzuki"
MFA = "mfa: {login: {services: [login], factors: [password, totp]}, throttle: {failures: 50, delay: none}}\n"
EXPORT = "export:\n  - {id: out, to: [stick], from: [elsewhere], container: zip-aes256, factors: totp, approvals: 1}\n"
REASON = "課税課 3 地区"
FILES = {"名簿.csv": "住民\n".encode(), "scan.bin": os.urandom(200_000)}
COMMAND = f"kuraban export ~/out/名簿.csv ~/out/scan.bin --to OUT --reason '{REASON}' --approver {COLLEAGUE}"
JAPANESE = "ja_JP.UTF-8"
OWN, APPROVAL = "認証コード(表示されません): ", "承認のための認証コードを入力してください(表示されません): "
USED = "この認証コードは使用済みです"


def set_up(t, guard):
    vm = t.vm
    vm.check_run(f"id {COLLEAGUE} >/dev/null 2>&1 || useradd -m {COLLEAGUE}")
    vm.check_run("mkdir -p ~/out", user="tanaka")
    for name, content in FILES.items():
        vm.put(f"/home/tanaka/out/{name}", content)
    # As a terminal that is set to Japanese boots.
    vm.put("/etc/default/locale", f"LANG={JAPANESE}\n")
    vm.check_run(f"systemctl set-environment LANG={JAPANESE}; DEBIAN_FRONTEND=noninteractive pam-auth-update --enable kuraban")
    guard.enforce(TARGET, EXPORT, MFA)
    enrol(vm, "tanaka", COLLEAGUE, "root")


def log_in(t, console, user):
    console.log_in(user, user, code=lambda: code(t.vm, user), lang=None)
    status, shown = console.run("echo $LANG on $(tty)")
    t.check(f"{user} is in by password and code, at the console and in Japanese", f"{JAPANESE} on /dev/ttyS0" in shown, shown)


def read(t, guard, console, node):
    guard.wait_settled(node)
    # By the user's own service manager, as a desktop does it: for polkit a serial line is no seat.
    status, shown = console.run(f"systemd-run --user -qP udisksctl mount -b {node}")
    found = re.search(r"(/media/tanaka/\S+?)\.?\n", shown)
    t.check("the stick is mounted through udisks", status == 0 and found, shown)
    directory = found.group(1)
    status, shown = console.run(f"cat {directory}/案内.txt")
    t.check("and read", status == 0 and "窓口は 2 階です" in shown, shown)
    return directory


def copy(t, guard, console, directory, node):
    status, shown = console.run(f"cp ~/out/名簿.csv {directory}/")
    t.note(shown)
    t.check("cp to it is refused, in Japanese", status == 1 and "読み込み専用ファイルシステム" in shown, shown)
    status, shown = console.run("kuraban why")
    t.note(shown)
    told = f"{directory} には書き込めません。この端末では媒体は読み取り専用です。" in shown
    t.check("kuraban why tells why, and by what the file may go", status == 0 and told and f"kuraban export FILE... --to {node}" in shown, shown)


def type_export(console, *codes):
    """(status, what was shown); the codes are typed as they are asked for."""
    console.start(COMMAND)
    shown = "".join(console.answer(question, text) for question, text in zip((OWN, APPROVAL), codes))
    status, rest = console.finish(120)
    return status, shown + rest


def take_out(t, guard, console, medium):
    """The password, the codes that were used, and what the journal has."""
    status, shown = console.run(COMMAND.replace(f" --approver {COLLEAGUE}", ""))
    t.check("without a colleague it is refused", status == 1 and "承認者が足りません" in shown, shown)
    before = guard.sequence()
    used = code(t.vm, "tanaka"), code(t.vm, COLLEAGUE)
    status, shown = type_export(console, *used)
    t.note(shown)
    found = re.search(r"パスワード: ([0-9A-Z-]{29})\n", shown)
    t.check("with both codes it is taken out, and the password shown", status == 0 and found, shown)
    t.check("and no code is", not any(each in shown for each in used), shown)
    t.check("the stick is read-only again", is_read_only(t.vm, medium))
    records = guard.since(before, event__action="export-finished")
    t.check("the journal has it once", len(records) == 1, records)
    return found.group(1) if found else "", used, records[0] if records else {}


def again(t, guard, console, used):
    before = guard.sequence()
    status, shown = type_export(console, *used)
    t.check("the same code again is refused, in Japanese", status == 1 and USED in shown, shown)
    status, shown = type_export(console, code(t.vm, "tanaka"), used[1])
    t.check("so is the colleague's", status == 1 and USED in shown and f"{COLLEAGUE} さんの認証コードは受け付けられませんでした" in shown, shown)
    t.check("nothing was taken out", guard.since(before, event__action="export-finished") == [])
    console.log_out()
    console.type("tanaka\r")
    console.answer(PASSWORD, "tanaka")
    console.answer(CODE, used[0])
    console.until(USED)
    t.check("nor does it open the login", True)


def audit(t, console, colleague):
    log_in(t, console, "root")
    status, shown = console.run("kuraban audit show --action export-finished --tail 1")
    t.note(shown)
    people = f"uid=1000  承認 uid={colleague}  "
    t.check("an administrator reads who took it out, who approved, and what for", status == 0 and people in shown and f"({REASON})" in shown, shown)
    console.log_out()


def opens_elsewhere(t, image, record, password):
    name = member(record, "file__path") or ""
    zipped = os.path.join(t.scratch, "taken.zip")
    subprocess.run(["mcopy", "-n", "-i", image, f"::{name}", zipped], check=True)
    t.check("what is on the stick is what the journal says", hashlib.sha256(read_bytes(zipped)).hexdigest() == member(record, "kuraban__export__sha256"))
    target = os.path.join(t.scratch, "opened")
    opened = subprocess.run(["7z", "x", f"-p{password}", f"-o{target}", zipped], capture_output=True, text=True)
    t.check("7-Zip opens it elsewhere with the password", opened.returncode == 0, opened.stdout)
    found = {name: read_bytes(os.path.join(target, name)) for name in os.listdir(target)}
    t.check("and finds the same bytes", found == FILES, {name: len(content) for name, content in found.items()})
    wrong = subprocess.run(["7z", "t", "-pwrong", zipped], capture_output=True)
    t.check("with another password it does not", wrong.returncode != 0)


def run(t):
    vm, guard = t.vm, Guard(t)
    set_up(t, guard)
    image = media.make_vfat(os.path.join(t.scratch, "out.img"), {"案内.txt": "窓口は 2 階です\n"})
    try:
        with Console(vm) as console:
            log_in(t, console, "tanaka")
            guard.plug(image, "OUT")
            medium = guard.medium("OUT", verdict="allow")
            node = medium["node"]
            t.check("a stick for exports is read-only like any other", medium["read_only"] and is_read_only(vm, medium), medium)
            directory = read(t, guard, console, node)
            copy(t, guard, console, directory, node)
            password, used, record = take_out(t, guard, console, medium)
            again(t, guard, console, used)
            audit(t, console, int(vm.check_run(["id", "-u", COLLEAGUE])))
        vm.reset_devices()
        opens_elsewhere(t, image, record, password)
    finally:
        vm.put("/etc/default/locale", "LANG=C.UTF-8\n")
        vm.run("systemctl unset-environment LANG; DEBIAN_FRONTEND=noninteractive pam-auth-update --disable kuraban")
        guard.enforce()
    t.check("the journal verifies", guard.verify()["ok"] is True, guard.verify())
