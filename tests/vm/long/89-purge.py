"""Removed, the package lets nothing in that it held out before; purged, the machine is as it was, and is turned off. Last of its
profile: it uses the guest up."""

import os

import media
from guard import Guard

PROFILE = "agent"
SECONDS = 240
LAST = True


def run(t):
    vm, guard = t.vm, Guard(t)
    guard.enforce()
    image = media.make_vfat(os.path.join(t.scratch, "stick.img"), {"a": "a"})
    vm.plug_usb_storage(image, serial="BEFORE")
    guard.wait_device(serial="BEFORE", verdict="deny")
    defaults = "cat /sys/bus/usb/devices/usb*/authorized_default /sys/bus/usb/devices/usb*/interface_authorized_default"

    vm.check_run(["dpkg", "--remove", "kuraban-agent"], timeout=120)
    result = vm.run("systemctl is-active kuraband.service kuraban-keeper.service kuraban-keeper.socket; pgrep -ax 'kuraband|kuraban-keeper'")
    t.check("removed, nothing of it runs", result.out.split() == ["inactive"] * 3, result)
    found = vm.check_run(defaults)
    t.check("a removal alone opens no bus", set(found.split()) == {"0"}, found)
    result = vm.run("ls /etc/kuraban/policy.yaml /var/lib/kuraban/journal")
    t.check("policy and records stay", result.rc == 0, result)

    vm.check_run(["dpkg", "--purge", "kuraban-agent"], timeout=120)
    found = vm.check_run(defaults)
    t.check("purged, the root hubs have what they had before", set(found.split()) == {"1"}, found)
    result = vm.run("ls -d /etc/kuraban /var/lib/kuraban /run/kuraban /usr/libexec/kuraban")
    t.check("and nothing is left", result.out == "", result)
    after = media.make_vfat(os.path.join(t.scratch, "after.img"), {"a": "a"})
    vm.plug_usb_storage(after, serial="AFTER")
    node = vm.wait_run("readlink -e /dev/disk/by-id/usb-*AFTER*-0:0").strip()
    result = vm.run(f"mount {node} /mnt && echo written >/mnt/b && cat /mnt/b; umount /mnt")
    t.check("a stick works as on any Debian", result.out == "written\n", result)
