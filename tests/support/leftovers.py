"""What a server could leave on a machine: processes, cgroups, mounts, rules, namespaces."""

import contextlib
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

# What the temporary folders of tests begin with; the process number follows.
FOLDERS = "lambent-test-"
# The kernel tears namespaces down after the last process's end, in its own time.
GONE_WITHIN = 10


def tag(data):
    """How a server names what it owns on the machine: by its data directory."""
    return hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]


def cgroups(data):
    """The cgroups of the server with this data directory."""
    name = f"lambent-{tag(data)}"
    found = []
    for folder, children, _ in os.walk("/sys/fs/cgroup"):
        for child in list(children):
            if child == name or child.startswith(f"{name}."):
                path = pathlib.Path(folder, child)
                found.append(str(path))
                found += [str(below) for below in path.iterdir() if below.is_dir()]
                children.remove(child)
    return found


def mounts(data):
    """Mounts of our namespace from or onto something of this data directory."""
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if str(data) in line]


def processes(data):
    """Processes that were started for this data directory, or have it as a file or a root."""
    needle, spawner = str(data).encode(), f"lambent-spawner\0{tag(data)}/".encode()
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            text = (entry / "cmdline").read_bytes() + (entry / "mountinfo").read_bytes()
            ours = needle in text or spawner in text
            if ours and not (entry / "stat").read_text().rpartition(")")[2].startswith(" Z"):
                found.append(f"{entry.name} {(entry / 'comm').read_text().strip()}")
        except OSError:
            continue
    return found


def named_network_namespaces():
    """Those of `ip netns`; a server makes none with a name."""
    folder = pathlib.Path("/run/netns")
    return [name for name in os.listdir(folder) if "lambent" in name] if folder.exists() else []


def packet_filter(data):
    """Rules of the packet filter, which a server with address translation makes."""
    if not shutil.which("nft"):
        return []
    done = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, timeout=10)
    return [line for line in done.stdout.splitlines() if tag(data) in line]


def of(data):
    """Everything that is there of a server that has ended, once the kernel has had its time."""
    deadline = time.monotonic() + GONE_WITHIN
    while True:
        left = cgroups(data) + mounts(data) + processes(data) + packet_filter(data)
        left += named_network_namespaces()
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def remove(data):
    """Removes what a killed server cannot: its processes die with it, its cgroups remain, empty."""
    deadline = time.monotonic() + GONE_WITHIN
    while processes(data) and time.monotonic() < deadline:
        time.sleep(0.05)
    for cgroup in cgroups(data):
        for folder, _, _ in os.walk(cgroup, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
    for table in packet_filter(data):
        subprocess.run(["nft", "delete", *table.split()], check=False, timeout=10)


def sweep():
    """Removes what tests that were killed left: folders name the process they belong to."""
    for folder in pathlib.Path(tempfile.gettempdir()).glob(f"{FOLDERS}*"):
        owner = folder.name.removeprefix(FOLDERS).split("-")[0]
        if owner.isdigit() and not pathlib.Path("/proc", owner).exists():
            remove(folder / "data")
            shutil.rmtree(folder, ignore_errors=True)
