"""A record that was edited, removed, moved or cut off is found, and its place is named. On copies of the terminal's journal."""

import json

from guard import Guard, usb

PROFILE = "agent"
SECONDS = 180

JOURNAL = "/var/lib/kuraban/journal"
COPY = "/root/journal"


def fresh_copy(vm):
    vm.check_run(f"rm -rf {COPY}; cp -a {JOURNAL} {COPY}")
    return vm.check_run(f"ls {COPY}/*.ndjson").split()[-1]


def sequence_of(line):
    return json.loads(line)["kuraban"]["seq"]


def check_change(t, guard, what, change, place):
    """change(lines) -> lines; place(lines) -> the sequence number that must be named."""
    vm = t.vm
    path = fresh_copy(vm)
    lines = vm.get(path).decode().splitlines(keepends=True)
    expected = place(lines)
    vm.put(path, "".join(change(list(lines))), 0o600)
    found = guard.verify("--directory", COPY)
    good = found["ok"] is False and found["rc"] == 1 and found["first_bad"] == expected
    t.check(f"{what}: found at record {expected}", good, found)
    t.check(f"{what}: the file is named", found["file"] and found["file"] in path and found["why"], found)


def run(t):
    vm, guard = t.vm, Guard(t)
    guard.enforce(usb())
    vm.check_run(["systemctl", "restart", "kuraband.service"], timeout=90)
    vm.wait_run("kuraban status --json | jq -e .enforcing", seconds=60)
    # Records enough to damage one in the middle, and a signed head after them.
    for _ in range(3):
        guard.enforce(usb())
    vm.check_run(["kuraban", "sync"])
    fresh_copy(vm)
    found = guard.verify("--directory", COPY)
    t.check("an untouched copy verifies", found["ok"] is True and found["rc"] == 0 and found["records"] >= 6, found)

    middle = 4
    check_change(
        t,
        guard,
        "one letter edited",
        lambda lines: lines[:middle] + [lines[middle].replace('"action"', '"actiom"', 1)] + lines[middle + 1 :],
        lambda lines: sequence_of(lines[middle]),
    )
    check_change(
        t,
        guard,
        "a record removed",
        lambda lines: lines[:middle] + lines[middle + 1 :],
        lambda lines: sequence_of(lines[middle]),
    )
    check_change(
        t,
        guard,
        "two records exchanged",
        lambda lines: lines[:middle] + [lines[middle + 1], lines[middle]] + lines[middle + 2 :],
        lambda lines: sequence_of(lines[middle]),
    )
    check_change(
        t,
        guard,
        "the last two records cut off",
        lambda lines: lines[:-2],
        lambda lines: sequence_of(lines[-2]),
    )
    check_change(
        t,
        guard,
        "cut in the middle of a record",
        lambda lines: lines[:-1] + [lines[-1][: len(lines[-1]) // 2]],
        lambda lines: sequence_of(lines[-1]),
    )
    result = vm.run(["kuraban", "audit", "verify", "--directory", COPY], env={"LANG": "ja_JP.UTF-8"})
    t.check("a person is told in Japanese, with the place", result.rc == 1 and COPY.split("/")[-1] not in result.err and ":" in result.out, result)
    exported = vm.run(["kuraban", "audit", "export", "--format", "csv"])
    t.check("the journal can be exported as CSV", exported.rc == 0 and len(exported.out.splitlines()) > 6, exported.out[:300])
    result = vm.run(["kuraban", "audit", "show"], user="tanaka")
    t.check("it is root's alone", result.rc != 0 and result.out == "", result)
    t.check("the terminal's own journal is whole", guard.verify()["ok"] is True, guard.verify())
