#!/usr/bin/python3
"""Inside the guest: measure.py ROUNDS GADGET…

Plugs the gadgets all at once, waits until the kernel has bound a driver to an interface of each, pulls them out, ROUNDS times.
Prints JSON: for every device that appeared, milliseconds from its "add" uevent to its "change" uevent (which the kernel sends
when somebody writes to `authorized`), and to the first "bind" of one of its interfaces (when it can be used). All times are
taken by this one listener, so that what is left of its own delay is the same for every guard. A device that was not bound within
the deadline counts as late and has no times.
"""

import json
import os
import select
import socket
import sys
import time

CONFIG = "/sys/kernel/config/usb_gadget"
NETLINK_KOBJECT_UEVENT = 15
SO_RCVBUFFORCE = 33
DEADLINE = 20


def listen():
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_KOBJECT_UEVENT)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    sock.bind((0, 1))
    return sock


def receive(sock, seconds):
    """(time, fields) of the next uevent, or None."""
    if not select.select([sock], [], [], seconds)[0]:
        return None
    words = sock.recv(65536).split(b"\0")[1:]
    now = time.monotonic()
    return now, dict(word.decode(errors="replace").split("=", 1) for word in words if b"=" in word)


def controllers():
    return sorted(os.listdir("/sys/class/udc"))


def set_controller(gadget, name):
    with open(f"{CONFIG}/{gadget}/UDC", "w") as file:
        file.write(f"{name}\n")


def is_gadget(path):
    return "/dummy_hcd." in path


class Storm:
    def __init__(self, sock):
        self.sock = sock
        self.devices = {}

    def note(self, now, event):
        path, kind, action = event.get("DEVPATH", ""), event.get("DEVTYPE"), event.get("ACTION")
        if not is_gadget(path):
            return
        # A root hub has one element less than the device at its port.
        if kind == "usb_device" and path.rsplit("/", 1)[1].startswith("usb"):
            return
        if kind == "usb_device":
            device = self.devices.setdefault(path, {})
            device.setdefault(action, now)
        elif kind == "usb_interface" and action == "bind":
            self.devices.setdefault(path.rsplit("/", 1)[0], {}).setdefault("usable", now)

    def until(self, number, key):
        end = time.monotonic() + DEADLINE
        while sum(key in device for device in self.devices.values()) < number:
            left = end - time.monotonic()
            found = receive(self.sock, left) if left > 0 else None
            if found is None:
                return False
            self.note(*found)
        return True


def one_round(sock, gadgets):
    while receive(sock, 0.3):  # until it is quiet
        pass
    storm = Storm(sock)
    for gadget, name in zip(gadgets, controllers()):
        set_controller(gadget, name)
    storm.until(len(gadgets), "usable")
    rows = []
    for device in storm.devices.values():
        row = {"late": "usable" not in device or "add" not in device}
        if not row["late"]:
            row["usable"] = (device["usable"] - device["add"]) * 1000
            if "change" in device:
                row["authorized"] = (device["change"] - device["add"]) * 1000
        rows.append(row)
    rows += [{"late": True}] * (len(gadgets) - len(rows))
    for gadget in gadgets:
        set_controller(gadget, "")
    storm.until(len(storm.devices), "remove")
    return rows


def main():
    sock = listen()
    rows = []
    for _ in range(int(sys.argv[1])):
        rows += one_round(sock, sys.argv[2:])
    json.dump(rows, sys.stdout)


if __name__ == "__main__":
    main()
