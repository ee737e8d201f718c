"""Plain files keep their names on vfat and exfat, read on another machine as well; and names that are one and the same to a filesystem, to Windows or
macOS are told apart or refused: nothing is overwritten, and nothing hidden behind another file."""

import json
import os
import subprocess

import media
from exports import FREE, PATIENCE, TARGET, names_on, plug_made
from guard import Guard
from vm import wait_for

PROFILE = "agent"
SECONDS = 400

OUT, OTHER = "/home/tanaka/names", "/home/tanaka/names/other"
FILES = {
    f"{OUT}/résumé.txt": "1",
    f"{OTHER}/RÉSUMÉ.txt": "2",  # on vfat, which folds ASCII alone in Linux, it would stand beside it
    f"{OUT}/データ 令和8年.csv": "3",
    f"{OTHER}/テ\u3099ータ 令和8年.csv": "4",  # as macOS composes it
    f"{OUT}/住民一覧（控え）.csv": "5",
    f"{OUT}/\U0001f4c4.txt": "6",
}
ARRIVE = {
    "résumé.txt": "1",
    "RÉSUMÉ (2).txt": "2",
    "データ 令和8年.csv": "3",
    "テ\u3099ータ 令和8年 (2).csv": "4",
    "住民一覧（控え）.csv": "5",
    "\U0001f4c4.txt": "6",
}


def export(vm, *files, json_too=True, **more):
    command = ["kuraban", "export", *(["--json"] if json_too else []), "--to", "OUT", "--reason", "x", *files]
    return vm.run(command, user="tanaka", timeout=PATIENCE, **more)


def name_of(result):
    return json.loads(result.out)["name"] if result.rc == 0 else None


def read_in_guest(t, guard, node, *names):
    """{name: content} of the files of the stick, or of directories on it, as tanaka finds them."""
    directory = guard.mount(node)
    program = (
        "import json, os, sys\n"
        "found = {}\n"
        "for name in sys.argv[2:]:\n"
        "    path = os.path.join(sys.argv[1], name)\n"
        "    for each in [os.path.join(path, n) for n in os.listdir(path)] if os.path.isdir(path) else [path]:\n"
        "        found[os.path.basename(each)] = open(each).read()\n"
        "print(json.dumps(found))\n"
    )
    result = t.vm.run(["python3", "-c", program, directory, *names], user="tanaka")
    t.vm.unmount(node)
    return json.loads(result.out) if result.rc == 0 else result


def read_elsewhere(t, image, directory):
    """The same by mtools, which knows Unicode's first 65,536 characters."""
    env = {**os.environ, "LC_ALL": "C.UTF-8", "MTOOLS_SKIP_CHECK": "1"}
    target = os.path.join(t.scratch, "elsewhere")
    subprocess.run(["mcopy", "-s", "-i", image, f"::{directory}", target], check=True, env=env)
    found = {}
    for name in os.listdir(target):
        with open(os.path.join(target, name)) as file:
            found[name] = file.read()
    return found


def check_names(t, guard, kind, node):
    """The name of the directory on the stick that they are in."""
    result = export(t.vm, *FILES)
    t.check(f"{kind}: files with such names are taken out", result.rc == 0, result)
    directory = name_of(result)
    found = read_in_guest(t, guard, node, directory)
    t.check(f"{kind}: each under its name, and none over another", found == ARRIVE, found)
    return directory


def check_beside(t, guard, kind, node):
    """One file after the other, where something of the same name is already."""
    first, second = (export(t.vm, path) for path in list(FILES)[:2])
    t.check(f"{kind}: the first keeps its name", name_of(first) == "résumé.txt", first)
    t.check(f"{kind}: the next, which others take for it, gets a number", name_of(second) == "RÉSUMÉ (2).txt", second)
    found = read_in_guest(t, guard, node, "résumé.txt", "RÉSUMÉ (2).txt")
    t.check(f"{kind}: both are there", found == {"résumé.txt": "1", "RÉSUMÉ (2).txt": "2"}, found)


def check_short(t, guard, image):
    """vfat gives a long name a short one as well, which is not known before."""
    vm, before = t.vm, names_on(image)
    long, short = f"{OUT}/eine lange Liste.csv", f"{OUT}/EINELA~1.CSV"
    for path in (long, short):
        vm.put(path, path)
    sequence = guard.sequence()
    result = export(vm, long, short, json_too=False, env={"LANG": "ja_JP.UTF-8"})
    t.check("a name that vfat has given away is refused, and the person told what to do", result.rc == 5 and "ファイル名を変えてください" in result.err, result)
    failed = guard.since(sequence, event__action="export-failed")
    t.check("the journal says why", [record["event"]["reason"] for record in failed] == ["name"], failed)
    result = export(vm, short, long)
    t.check("the other way round vfat finds another one", result.rc == 0, result)
    vm.reset_devices()
    wait_for(lambda: guard.devices(serial="OUT") == [], "the stick's leaving")
    names = set(names_on(image)) - set(before)
    t.check("what was refused has left nothing", len(names) == 1 and not any(".kuraban" in name for name in names), names)


def run(t):
    vm, guard = t.vm, Guard(t)
    rules = TARGET, FREE % "plain"
    vm.check_run(["mkdir", "-p", OTHER], user="tanaka")
    for path, content in FILES.items():
        vm.put(path, content)
    guard.enforce(*rules)
    image = media.make_vfat(os.path.join(t.scratch, "out.img"), {"hello.txt": "hello\n"})
    guard.plug(image, "OUT")
    node = guard.medium("OUT", verdict="allow")["node"]
    directory = check_names(t, guard, "vfat", node)
    check_beside(t, guard, "vfat", node)
    check_short(t, guard, image)
    found = read_elsewhere(t, image, directory) if directory else {}
    plain = {name: content for name, content in ARRIVE.items() if ord(name[0]) < 0x10000}
    t.check("vfat: read by mtools they are the same", {n: c for n, c in found.items() if n in plain} == plain and len(found) == len(ARRIVE), found)
    plug_made(t, guard, "exfat", *rules)
    node = guard.medium("OUT", verdict="allow", filesystem="exfat")["node"]
    check_names(t, guard, "exfat", node)
    check_beside(t, guard, "exfat", node)
    t.check("the journal verifies", guard.verify()["ok"] is True, guard.verify())
