"""An export that finds no room on the stick, before it begins and in the middle: the person is told so, nothing of it stays there, the stick is as it
was, and the same stick takes it when there is room."""

import json
import os
import re
import struct
import subprocess

import media
from exports import FREE, PATIENCE, TARGET, is_read_only, names_on
from guard import Guard, read_bytes
from vm import wait_for

PROFILE = "agent"
SECONDS = 500

SIZE = 2 << 20
SCAN, LONG_NAME = "/home/tanaka/out/scan.bin", "/home/tanaka/out/" + "n" * 200 + ".bin"
MANY = 120  # files with names that take 20 entries of 32 bytes each
FEW_SECTORS = 64  # what mounting and unmounting writes by itself


def on_image(image, *words, **options):
    return subprocess.run([words[0], "-i", image, *words[1:]], check=True, capture_output=True, **options).stdout


def parameters(image):
    """(bytes of a cluster, free entries of the root directory) of a vfat image."""
    data = read_bytes(image)
    sector, clusters, reserved, tables, entries, _, _, table = struct.unpack_from("<HBHBHHBH", data, 11)
    root = (reserved + tables * table) * sector
    return sector * clusters, sum(data[root + 32 * n] in (0x00, 0xE5) for n in range(entries))


def free(image):
    found = re.search(rb"([\d ]+) bytes free", on_image(image, "mdir", "::"))
    return int(found.group(1).replace(b" ", b""))


def fill(t, image, left):
    """FILLER on it, so that this many bytes are left."""
    path = media.blank(os.path.join(t.scratch, "FILLER"), free(image) - left)
    on_image(image, "mcopy", path, "::FILLER")


def export(vm, *files):
    command = ["kuraban", "export", "--to", "OUT", "--reason", "x", *files]
    return vm.run(command, user="tanaka", env={"LANG": "ja_JP.UTF-8"}, timeout=PATIENCE)


def written(vm, medium):
    return int(vm.check_run(f"cat /sys/class/block/{os.path.basename(medium['node'])}/stat").split()[6])


def condition(guard, medium):
    """How the stick stands: kuraban's word, the kernel's flag, what udisks goes by."""
    shown = guard.device(id=medium["id"])
    properties = guard.vm.check_run(f"udevadm info -q property {medium['node']} | grep -E '^(KURABAN|UDISKS|ID_FS)' | sort")
    return {key: shown.get(key) for key in ("verdict", "granted", "rule", "read_only")} if shown else None, is_read_only(guard.vm, medium), properties


def check_full(t, guard, image, what, files, begun):
    """begun: the lack of room is seen only when some of it is written."""
    vm, before, room = t.vm, names_on(image), free(image)
    guard.plug(image, "OUT")
    medium = guard.medium("OUT", verdict="allow")
    guard.wait_settled(medium["node"])
    usual, sequence, sectors = condition(guard, medium), guard.sequence(), written(vm, medium)
    result = export(vm, *files)
    sectors = written(vm, medium) - sectors
    t.check(f"{what}: the person is told, in Japanese", result.rc == 5 and "媒体の空き容量が足りません" in result.err, result)
    t.check(f"{what}: {'in the middle' if begun else 'before anything is written'}", (sectors > FEW_SECTORS) == begun, sectors)
    failed = guard.since(sequence, event__action="export-failed")
    t.check(f"{what}: the journal says that there was no room", [record["event"]["reason"] for record in failed] == ["full"], failed)
    t.check(f"{what}: and not that it was taken out", guard.since(sequence, event__action="export-finished") == [])
    guard.wait_settled(medium["node"])
    now = condition(guard, medium)
    t.check(f"{what}: the stick stands as before, read-only", now == usual and now[1], {"before": usual, "now": now})
    directory = guard.mount(medium["node"])
    shown = vm.run(["cat", f"{directory}/hello.txt"], user="tanaka")
    t.check(f"{what}: and is read as before", shown.out == "hello\n", shown)
    vm.check_run(["udisksctl", "unmount", "-b", medium["node"]], user="tanaka")
    vm.reset_devices()
    wait_for(lambda: guard.devices(serial="OUT") == [], "the stick's leaving")
    t.check(f"{what}: nothing of it is on the stick", names_on(image) == before, names_on(image))
    checked = subprocess.run(["fsck.vfat", "-n", image], capture_output=True, text=True)
    t.check(f"{what}: nor has it lost room", free(image) == room and checked.returncode == 0, (free(image), room, checked.stdout))


def check_with_room(t, guard, image, container):
    """The same stick, after somebody has cleared some of it away."""
    vm = t.vm
    on_image(image, "mdel", "::FILLER")
    guard.plug(image, "OUT")
    guard.medium("OUT", verdict="allow")
    result = vm.run(["kuraban", "export", "--json", "--to", "OUT", "--reason", "x", SCAN], user="tanaka", timeout=PATIENCE)
    vm.reset_devices()
    wait_for(lambda: guard.devices(serial="OUT") == [], "the stick's leaving")
    answer = json.loads(result.out) if result.rc == 0 else {}
    taken = os.path.join(t.scratch, "taken")
    if answer:
        on_image(image, "mcopy", "-n", f"::{answer['name']}", taken)
    if answer.get("password"):
        opened = subprocess.run(["7z", "x", "-so", f"-p{answer['password']}", taken], capture_output=True)
        content = opened.stdout
    else:
        content = read_bytes(taken) if answer else b""
    t.check(f"{container}: with room the same stick takes it", result.rc == 0 and content == vm.get(SCAN), result)


def stick(t, name):
    """Of 4 MB, with a file on it."""
    return media.make_vfat(os.path.join(t.scratch, name), {"hello.txt": "hello\n"}, size=4 << 20)


def check_no_room(t, guard):
    for container in ("plain", "zip-aes256"):
        guard.enforce(TARGET, FREE % container)
        image = stick(t, f"{container}.img")
        fill(t, image, SIZE // 2)
        check_full(t, guard, image, f"{container}, too large", [SCAN], begun=False)
        check_with_room(t, guard, image, container)


def check_directory(t, guard):
    """Each file has its room, and their long names have none: the directory grows by a third of what they are."""
    vm = t.vm
    vm.check_run(f"mkdir -p many && cd many && for i in $(seq -w {MANY}); do echo $i >$i-{'m' * 230}.txt; done", user="tanaka")
    image = stick(t, "many.img")
    cluster, _ = parameters(image)
    fill(t, image, (MANY + 10) * cluster)
    files = vm.check_run("ls -d ~/many/*", user="tanaka").split()
    check_full(t, guard, image, "no room for so many names", files, begun=True)


def check_root(t, guard):
    """vfat's root directory has a number of entries that does not grow. The unfinished directory takes four, the name that it shall have sixteen."""
    for what, files, left, begun in (
        ("no entry left", [SCAN], 2, False),
        ("no entries for the name that it shall have", [LONG_NAME], 12, True),
    ):
        image = stick(t, f"root-{left}.img")
        _, entries = parameters(image)
        media.copy_to_vfat(image, {f"F{n:03}": "" for n in range(entries - left)})
        check_full(t, guard, image, what, files, begun)


def run(t):
    guard = Guard(t)
    t.vm.check_run(f"mkdir -p out && head -c {SIZE} /dev/urandom >{SCAN} && head -c 200000 /dev/urandom >{LONG_NAME}", user="tanaka")
    check_no_room(t, guard)
    guard.enforce(TARGET, FREE % "plain")
    check_directory(t, guard)
    check_root(t, guard)
    t.check("the journal verifies", guard.verify()["ok"] is True, guard.verify())
