"""States of the guest that scenarios share, each reached once per run of tests/vm/run.

A profile is a VM's settings and what is done after its boot. A scenario names its profile; all scenarios of one profile
run in one boot, in the order of their names (in as many boots as runners take part, see tests/vm/run --jobs).
"""

import glob
import os

from channel import VMError

HERE = os.path.dirname(os.path.abspath(__file__))


class Profile:
    """What a scenario may rely on. Subclasses change the settings and extend prepare."""

    append = ""
    usb = ("usb-kbd",)
    extra = ()

    def __init__(self, options):
        self.options = options

    def payload(self):
        """Files for the guest's /payload."""
        return list(self.options.payload)

    def prepare(self, vm):
        """Bring the booted guest into the profile's state."""


class Bare(Profile):
    """Debian 12 as it is, without anything of ours."""


class Delivered(Profile):
    """Debian 12 with the package and the project's packaging/ in /payload, and nothing installed: before the first command."""

    def payload(self):
        if not self.options.deb:
            raise VMError("the delivered profile wants a package: --deb FILE")
        return super().payload() + self.options.deb + [os.path.join(HERE, "../../packaging")]


class Agent(Profile):
    """The kuraban-agent package installed on the running machine, which also has an SD card and a SCSI bus for discs."""

    extra = (
        *("-device", "virtio-scsi-pci,id=scsi", "-device", "sdhci-pci"),
        *("-drive", "driver=null-co,size=33554432,read-zeroes=on,if=none,id=card", "-device", "sd-card,drive=card"),
        # The usual firmware: the quick one cannot wake the machine from sleep. The last one given counts.
        *("-bios", "bios-256k.bin"),
    )

    def payload(self):
        if not self.options.deb:
            raise VMError("the agent profile wants a package: --deb FILE")
        return super().payload() + self.options.deb

    def prepare(self, vm):
        names = [f"/payload/{os.path.basename(deb)}" for deb in self.options.deb]
        vm.check_run(["dpkg", "--install", *names], timeout=180)


TABLE = {"bare": Bare, "delivered": Delivered, "agent": Agent}


def scenario_files(directory):
    """The scenarios, in the order of their names."""
    return sorted(glob.glob(os.path.join(directory, "*.py")) + glob.glob(os.path.join(directory, "*.sh")))
