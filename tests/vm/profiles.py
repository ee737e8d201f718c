"""States of the guest that scenarios share.

A scenario names the profile that it begins with; scenarios of one profile run in one boot, in the order of their names (in as many
boots as runners take part, see tests/vm/run --jobs). All guests are the same machine: one that has become what another profile asks
for goes on as that.
"""

import glob
import os

from channel import VMError

HERE = os.path.dirname(os.path.abspath(__file__))
# An SD card and a SCSI bus for discs, and the usual firmware: the quick one cannot wake the machine from sleep. The last one given counts.
MACHINE = (
    *("-device", "virtio-scsi-pci,id=scsi", "-device", "sdhci-pci"),
    *("-drive", "driver=null-co,size=33554432,read-zeroes=on,if=none,id=card", "-device", "sd-card,drive=card"),
    *("-bios", "bios-256k.bin"),
)


def payload(options):
    """Files for the guest's /payload: the package, and packaging/ as it is delivered with it."""
    return [*options.payload, *options.deb, os.path.join(HERE, "../../packaging")]


def install(vm, options):
    if not options.deb:
        raise VMError("the agent profile wants a package: --deb FILE")
    vm.check_run(["dpkg", "--install", *(f"/payload/{os.path.basename(deb)}" for deb in options.deb)], timeout=180)


# How a booted guest gets into the state; a guest passes through them in this order.
#   bare   Debian 12 as it is, with nothing of ours installed
#   agent  the package installed on the running machine
TABLE = {"bare": None, "agent": install}


def comes_after(earlier, later):
    names = list(TABLE)
    return names.index(earlier) < names.index(later)


def bring(vm, options, later, earlier=None):
    """Bring a guest that was just booted, or is of an earlier profile, into this one."""
    for name, prepare in TABLE.items():
        if prepare is not None and (earlier is None or comes_after(earlier, name)) and not comes_after(later, name):
            prepare(vm, options)


def scenario_files(directory):
    """The scenarios, in the order of their names."""
    return sorted(glob.glob(os.path.join(directory, "*.py")) + glob.glob(os.path.join(directory, "*.sh")))
