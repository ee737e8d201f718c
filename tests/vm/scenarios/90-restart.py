"""The harness itself: what outlives a reboot, and an orderly end. Last of its profile: it uses the guest up."""

import os

import media

LAST = True


def run(t):
    vm = t.vm
    stick = vm.plug_usb_storage(media.make_vfat(os.path.join(t.scratch, "kept.img")), serial="KURABAN0003")
    vm.check_run("echo kept >/root/kept; sync")
    vm.reboot()
    result = vm.run("cat /root/kept; cut -d. -f1 /proc/uptime")
    t.check("the disk outlives a reboot", result.out.startswith("kept"), result)
    vm.wait_run("[ -b /dev/disk/by-id/usb-*KURABAN0003*-0:0 ]")
    t.check("and so does a stick that is plugged in", True)
    vm.unplug(stick)
    t.check("the machine powers off", vm.power_off())
