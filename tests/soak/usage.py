"""What a server has of the machine, to be compared before and after."""

import os
import pathlib

from support import leftovers


def of(server):
    """`{what: number}`: of the server's process, its tree, and its data directory. Memory without what it maps of
    files: its program."""
    process = pathlib.Path(f"/proc/{server.process.pid}")
    status = dict(
        line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line
    )
    return {
        "memory_mb": int(status["RssAnon"].split()[0]) // 1024,
        "descriptors": len(os.listdir(process / "fd")),
        "threads": int(status["Threads"]),
        "processes": len(leftovers.processes(server.data)),
        "cgroups": len(leftovers.cgroups(server.data)),
        "mounts": len((process / "mountinfo").read_text().splitlines()),
        "disk_mb": disk_bytes(server.data) >> 20,
    }


def disk_bytes(folder):
    """Bytes that a folder takes."""
    total = 0
    for path, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(path, name)).st_blocks * 512
            except OSError:
                continue
    return total


# How much more may remain. Memory: of the allocator's and of caches. Threads: those that are kept for
# work that blocks. Disk: what is bounded by
# configuration and kept on purpose, failed events and logs.
ALLOWANCE = {
    "memory_mb": 64, "descriptors": 16, "threads": 64, "processes": 4, "cgroups": 8, "mounts": 0,
    "disk_mb": 64,
}  # fmt: skip


def more(before, after):
    """What has grown beyond its allowance: `{what: (before, after)}`."""
    return {
        what: (before[what], after[what])
        for what in before
        if after[what] > before[what] + ALLOWANCE[what]
    }
