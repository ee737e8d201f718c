#!/bin/bash
# The udev rules and kuraban-udev as udev itself reads them ("udevadm test"), on a loop device, with a /run of our own in
# a private mount namespace. No udevd is needed and none is told.
set -euo pipefail

skip() {
    echo "SKIP: $1"
    exit 77
}

fail() {
    echo "FAILED: $1"
    echo "$output"
    exit 1
}

expect() { # PATTERN: a property of the last answer
    grep -qx -- "$1" <<<"$output" || fail "expected $1"
}

reject() {
    ! grep -qx -- "$1" <<<"$output" || fail "did not expect $1"
}

PATH=$PATH:/usr/sbin:/sbin
[ "$(id -u)" = 0 ] || skip "needs root"
command -v udevadm >/dev/null || skip "udevadm is not installed"
[ -e /dev/loop-control ] || skip "no loop devices"
if [ "${1-}" != inside ]; then
    unshare --mount true 2>/dev/null || skip "no private mount namespace"
    exec unshare --mount --propagation private "$0" inside
fi

work=$(mktemp -d)
node=
cleanup() {
    if [ -n "$node" ]; then
        blockdev --setrw "$node"
        losetup --detach "$node"
    fi
    rm -rf "$work"
}
trap cleanup EXIT

truncate --size 8M "$work/image"
mkfs.ext4 -q -L KURABAN "$work/image"
node=$(losetup --find --show "$work/image")
name=${node#/dev/}

# udevadm test sets owner, mode and links of nodes for real, so it gets a /dev of its own.
number=$(cat "/sys/class/block/$name/dev")
mount -t tmpfs tmpfs /dev
mknod -m 600 "$node" b "${number%:*}" "${number#*:}"
mknod -m 666 /dev/null c 1 3
mkdir /dev/shm
mount -t tmpfs tmpfs /run
mkdir -p /run/udev/rules.d /run/kuraban/media
for rules in "$KURABAN_SOURCE"/packaging/udev/*.rules; do
    sed "s|/usr/libexec/kuraban/kuraban-udev|$KURABAN_BUILD/bin/kuraban-udev|" "$rules" >"/run/udev/rules.d/${rules##*/}"
done

ask() {
    output=$(udevadm test --action=add "/sys/class/block/$name" 2>&1)
    ! grep -E 'kuraban-[a-z]+\.rules:[0-9]+ .*(Invalid|Unknown|Failed to)' <<<"$output" || fail "udev complains about a rule"
}

ask # not listed: a loop device is nobody's business
reject KURABAN_EXIT=1
[ "$(cat "/sys/class/block/$name/ro")" = 0 ] || fail "touched a device that is no exit"

echo "$node" >/run/kuraban/exits.list
ask
expect KURABAN_EXIT=1
expect KURABAN_BUS=loop
expect KURABAN_READ_ONLY=1
expect UDISKS_IGNORE=1
reject ID_FS_TYPE=ext4
reject ID_FS_USAGE=filesystem
[ "$(cat "/sys/class/block/$name/ro")" = 1 ] || fail "not read-only"
[ "$(stat -c %U:%G:%a "$node")" = root:root:600 ] || fail "the raw node is open to others"
if [ -e /usr/lib/udev/rules.d/60-persistent-storage.rules ] || [ -e /lib/udev/rules.d/60-persistent-storage.rules ]; then
    expect KURABAN_FS_TYPE=ext4
    expect KURABAN_FS_LABEL=KURABAN
    known=1
fi

touch "/run/kuraban/media/$name-$(cat "/sys/class/block/$name/diskseq")"
ask
expect KURABAN_READ_ONLY=1
reject UDISKS_IGNORE=1
[ -z "${known-}" ] || expect ID_FS_TYPE=ext4

echo monitor >/run/kuraban/media.mode
ask
expect KURABAN_MONITOR=1
reject KURABAN_READ_ONLY=1
echo "block rules: all as expected"
