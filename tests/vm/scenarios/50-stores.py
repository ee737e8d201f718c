"""A store opens for its program and for nobody else, by whatever way it is reached: on the root filesystem (a mark on each
directory and file) and on a filesystem of its own (one mark)."""

from guard import Guard, usb

PROFILE = "agent"
SECONDS = 300

CLIENT = "/usr/local/bin/client"
STORES = """stores:
  - {{id: shared, path: /srv/shared, class: 3B, programs: [{{path: {client}{pin}}}]}}
  - {{id: own, path: /srv/own, class: 3A, programs: [{{path: {client}{pin}}}]}}
"""
SETUP = f"""
set -e
cp /bin/cat {CLIENT}
mkdir -p /srv/shared /srv/own
if ! mountpoint -q /srv/own; then
    truncate -s 16M /var/lib/own.img
    mkfs.ext4 -q -F /var/lib/own.img
    mount -o loop /var/lib/own.img /srv/own
fi
for d in /srv/shared /srv/own; do
    mkdir -p $d/sub/deep
    echo resident >$d/list.csv
    echo resident >$d/sub/deep/list.csv
    chmod 0755 $d/list.csv
    # The worst case: the files belong to the person who is not to read them.
    chown -R tanaka: $d
done
rm -rf /srv/linked /srv/bound
ln /srv/shared/list.csv /srv/linked
ln -f /srv/own/sub/deep/list.csv /srv/own/linked
mkdir /srv/bound
rm -f /tmp/renamed /tmp/copied
cp {CLIENT} /tmp/renamed
chmod 0755 /tmp/renamed
"""
TEARDOWN = "umount /srv/bound 2>/dev/null; umount /srv/own; rm -rf /srv/own /srv/shared /srv/linked /srv/bound /var/lib/own.img"


def refused(result):
    return result.rc != 0 and "resident" not in result.out


def check_programs(t, store):
    vm = t.vm
    for path in (f"{store}/list.csv", f"{store}/sub/deep/list.csv"):
        result = vm.run([CLIENT, path], user="tanaka")
        t.check(f"the permitted program reads {path}", result.out == "resident\n", result)
    path = f"{store}/list.csv"
    others = {
        "cat": f"cat {path}",
        "cp": f"cp {path} /tmp/copied",
        "python3": f"python3 -c 'print(open(\"{path}\").read())'",
        "dd": f"dd if={path} status=none",
        "the shell": f"read -r line <{path} && echo $line",
        "tar": f"tar -cO {path} | strings",
        "a renamed copy of the permitted program": f"/tmp/renamed {path}",
        "the permitted program started by the loader": f"/lib64/ld-linux-x86-64.so.2 {CLIENT} {path}",
        "the permitted program that is given an open file": f"{CLIENT} <{path}",
    }
    for name, command in others.items():
        result = vm.run(command, user="tanaka")
        t.check(f"{store}: not {name}", "resident" not in result.out and (result.rc != 0 or name == "tar"), result)
    result = vm.run(["cat", path])
    t.check(f"{store}: nor root with cat", refused(result), result)
    result = vm.run(f"strace -o /dev/null {CLIENT} {path}", user="tanaka")
    t.check(f"{store}: nor the permitted program under a debugger", refused(result), result)


def check_ways(t, guard, store):
    ways = guard.attempts("reads", f"{store}/list.csv", f"{store}/other")
    t.check(f"{store}: {len(ways)} ways of opening, none for tanaka", len(ways) == 10 and "done" not in ways.values(), ways)
    ways = guard.attempts("reads", f"{store}/list.csv", f"{store}/other", prefix=("unshare", "-Urm"))
    t.check(f"{store}: nor in a private namespace", len(ways) == 10 and "done" not in ways.values(), ways)


def check_places(t, store, linked):
    vm = t.vm
    result = vm.run(["cat", linked], user="tanaka")
    t.check(f"{store}: not by a hard link", refused(result), result)
    vm.check_run(f"mount --bind {store} /srv/bound")
    result = vm.run(["cat", "/srv/bound/list.csv"], user="tanaka")
    t.check(f"{store}: not by a bind mount", refused(result), result)
    result = vm.run([CLIENT, "/srv/bound/list.csv"], user="tanaka")
    t.check(f"{store}: its program reads there as well", result.out == "resident\n", result)
    vm.check_run("umount /srv/bound")
    private = f"mount -t tmpfs t /mnt && mkdir /mnt/b && mount --bind {store} /mnt/b && ls /mnt/b && cat /mnt/b/list.csv"
    result = vm.run(["unshare", "-Urm", "sh", "-c", private], user="tanaka")
    t.check(f"{store}: not by a bind mount in a private namespace", "list.csv" in result.out and refused(result), result)
    overlay = (
        "mount -t tmpfs t /mnt && mkdir /mnt/b /mnt/m && "
        f"mount -t overlay o -o userxattr,lowerdir={store}:/mnt/b /mnt/m && cat /mnt/m/list.csv"
    )
    result = vm.run(["unshare", "-Urm", "sh", "-c", overlay], user="tanaka")
    t.check(f"{store}: not by an overlay in a private namespace", refused(result), result)
    moved = f"mv {store}/sub {store}/moved && cat {store}/moved/deep/list.csv"
    result = vm.run(moved, user="tanaka")
    t.check(f"{store}: not after its directory was renamed", refused(result), result)
    vm.check_run(f"mv {store}/moved {store}/sub")
    created = f"mkdir -p {store}/new/new && cp /etc/hostname {store}/new/new/f && cat {store}/new/new/f"
    result = vm.run(created)
    t.check(f"{store}: what comes in is protected as well", "kuraban-vm" not in result.out, result)
    vm.check_run(f"rm -rf {store}/new")


def check_told(t, guard, before):
    found = guard.since(before, event__action="file-open", kuraban__store="shared", kuraban__verdict="deny")
    t.check("the journal has the refusals, with store and program", any(r["process"]["executable"] == "/usr/bin/cat" for r in found), found[:2])
    allowed = guard.since(before, event__action="file-open", kuraban__store="shared", kuraban__verdict="allow")
    t.check("and what the permitted program opened", any(r["process"]["executable"] == CLIENT for r in allowed), allowed[:2])
    t.vm.run(["cat", "/srv/shared/list.csv"], user="tanaka")
    t.vm.check_run(["kuraban", "sync"])
    why = t.vm.run(["kuraban", "why"], user="tanaka", env={"LANG": "ja_JP.UTF-8"})
    t.check("tanaka is told what was refused and why", "/srv/shared/list.csv" in why.out and "shared" in why.out, why)


def check_pinned(t, guard):
    """A program whose content the policy names is refused when its file changes, and permitted when it is itself again."""
    vm = t.vm
    digest = vm.check_run(["sha256sum", CLIENT]).split()[0]
    guard.enforce(usb(), STORES.format(client=CLIENT, pin=f", sha256: {digest}"))
    read = [CLIENT, "/srv/shared/list.csv"]
    result = vm.run(read, user="tanaka")
    t.check("a pinned program reads", result.out == "resident\n", result)
    vm.check_run(f"cp {CLIENT} /run/kept; printf x >>{CLIENT}")
    result = vm.run(read, user="tanaka")
    t.check("changed by one byte it does not", refused(result), result)
    vm.check_run(f"cat /run/kept >{CLIENT}")
    result = vm.run(read, user="tanaka")
    t.check("itself again, it does", result.out == "resident\n", result)


def run(t):
    vm, guard = t.vm, Guard(t)
    guard.give_namespaces()
    vm.check_run(SETUP)
    try:
        ways = guard.attempts("reads", "/srv/shared/list.csv", "/srv/shared/other")
        t.check("before there is a store every way works", len(ways) == 10 and set(ways.values()) == {"done"}, ways)
        before = guard.sequence()
        guard.enforce(usb(), STORES.format(client=CLIENT, pin=""))
        status = guard.status()
        t.check("with the stores it enforces", status["enforcing"] is True and status["gate"]["marks"] >= 2, status)
        for store, linked in (("/srv/shared", "/srv/linked"), ("/srv/own", "/srv/own/linked")):
            check_programs(t, store)
            check_ways(t, guard, store)
            check_places(t, store, linked)
        result = vm.run("cat /etc/hostname /home/tanaka/.profile >/dev/null", user="tanaka")
        t.check("the rest of the filesystem is open as ever", result.rc == 0, result)
        check_told(t, guard, before)
        check_pinned(t, guard)
        guard.enforce()
        result = vm.run("cat /srv/shared/list.csv /srv/own/list.csv", user="tanaka")
        t.check("a policy without the stores opens them", result.out == "resident\nresident\n", result)
    finally:
        guard.enforce()
        vm.run(TEARDOWN)
