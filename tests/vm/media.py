"""Disk images made on the host without mounting anything: the host's kernel need not know the filesystem."""

import os
import shutil
import subprocess
import tempfile


def run(*argv, **options):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, **options)


def blank(path, size):
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def lay_out(directory, files):
    """Write {name: content} below a directory."""
    for name, content in files.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)


def make_vfat(path, files=None, label="STICK", size=32 << 20, partition=False):
    """A vfat image holding {name: content}; with partition, in the first partition of an MBR table."""
    offset = 1 << 20 if partition else 0
    blank(path, size)
    if partition:
        run("sfdisk", "--quiet", path, input=b"label: dos\nstart=2048, type=c\n")
    sectors = str((size - offset) // 1024)
    run("mkfs.vfat", "-n", label, "--offset", str(offset // 512), path, sectors)
    copy_to_vfat(path, files or {}, offset)
    return path


def copy_to_vfat(path, files, offset=0):
    """{name: content} into a vfat image."""
    env = {**os.environ, "MTOOLS_SKIP_CHECK": "1"}
    with tempfile.TemporaryDirectory() as directory:
        lay_out(directory, files)
        entries = [os.path.join(directory, name) for name in sorted(os.listdir(directory))]
        if entries:
            run("mcopy", "-s", "-i", f"{path}@@{offset}", *entries, "::", env=env)


def make_ext4(path, sources=(), files=None, label="", size=None):
    """An ext4 image holding copies of the given files and directories, and {name: content}."""
    with tempfile.TemporaryDirectory() as directory:
        for source in sources:
            target = os.path.join(directory, os.path.basename(os.path.normpath(source)))
            if os.path.isdir(source):
                shutil.copytree(source, target, symlinks=True)
            else:
                shutil.copy2(source, target)
        lay_out(directory, files or {})
        if size is None:
            used = int(subprocess.check_output(["du", "-sb", directory]).split()[0])
            size = used + used // 4 + (16 << 20)
        blank(path, size)
        run("mkfs.ext4", "-q", "-F", "-L", label, "-d", directory, path)
    return path
