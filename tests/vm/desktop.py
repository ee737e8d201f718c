"""A real X server on the guest's screen, and what stands there."""

import os
import shutil

from vm import wait_for

XORG = """Section "Device"
    Identifier "screen"
    Driver "modesetting"
    Option "AccelMethod" "none"
EndSection
"""


def prepare(t, lightdm):
    """LightDM can be started, with this configuration of its own; programs speak Japanese."""
    vm = t.vm
    vm.put("/etc/X11/xorg.conf.d/10-test.conf", XORG)
    vm.put("/etc/lightdm/lightdm.conf.d/test.conf", lightdm)
    vm.check_run("rm -f /etc/systemd/system/lightdm.service /etc/systemd/system/display-manager.service; systemctl daemon-reload")
    vm.check_run("modprobe bochs; udevadm settle; ls /dev/dri/card0")
    vm.check_run("systemctl set-environment LANG=ja_JP.UTF-8")


def leave(t):
    t.note(t.vm.run("tail -n 200 /var/log/lightdm/lightdm.log").out)
    t.vm.run("systemctl stop lightdm.service; systemctl unset-environment LANG")
    # The machine's screen goes back to who was there: the next scenario's person is the one whom udisks serves.
    t.vm.check_run("loginctl activate $(loginctl show-user tanaka -p Display --value)")
    t.vm.wait_run("[ $(loginctl show-user tanaka -p State --value) = active ]")


def session_of(vm, who):
    return vm.run(f"loginctl list-sessions --no-legend | grep -w {who.name}").rc == 0


def screenshot(t, name, moving=False):
    """The guest's screen as NAME.png: when it stands still. moving: as it is now."""
    path, kept = os.path.join(t.scratch, "screen.png"), []

    def still():
        t.vm.qmp.command("screendump", filename=path, format="png")
        with open(path, "rb") as file:
            kept.append(file.read())
        return moving or len(kept) > 1 and kept[-1] == kept[-2]

    wait_for(still, "a screen that stands still", 60, every=1)
    target = os.path.join(os.path.dirname(t.log.name), f"{name}.png")
    shutil.copyfile(path, target)
    t.note(f"screenshot: {target}")
    return kept[-1]
