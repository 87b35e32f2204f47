"""A server whose data directory is on a small disk of its own, which nobody else sees."""

import contextlib
import os
import pathlib
import subprocess

from . import leftovers
from .server import Server


# How a disk is made, for `sh`.
KINDS = {
    "tmpfs": "mount -t tmpfs -o size={size}m tmpfs {data}",
    # One that can fail, hang and be repaired as a real disk can.
    "ext4": "truncate -s {size}M {image} && mkfs.ext4 -q -F {image} && {mount}",
}
MOUNT = "mount -o loop,errors=remount-ro {image} {data}"


class OnDisk(Server):
    """A server on a disk of that many megabytes. `fill` and `room` say how full it is; one of the kind ext4 can
    `fail` and be `mended`, stand `still` and `go_on`."""

    def __init__(self, megabytes, config="", kind="tmpfs"):
        super().__init__(config)
        self.data.mkdir()
        self._places = {"size": megabytes, "data": self.data, "image": self.root / "disk.img"}
        mount = KINDS[kind].format(mount=MOUNT.format(**self._places), **self._places)
        # A frozen disk stays on the machine: it is thawed when these tests end, however they do.
        script = f"{mount} && echo mounted && cat; fsfreeze --unfreeze {self.data} 2>&-; true"
        self._keeper = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._keeper.stdout.readline() == b"mounted\n"

    def inside(self, *command):
        """Runs a command where the disk is mounted."""
        there = ["nsenter", "--target", str(self._keeper.pid), "--mount", "--", *map(str, command)]
        done = subprocess.run(there, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout

    def fail(self):
        """From here on the kernel lets nothing more be written: as after an error of the device."""
        device = self.inside("findmnt", "--noheadings", "--output", "SOURCE", self.data).strip()
        pathlib.Path("/sys/fs/ext4", device.removeprefix("/dev/"), "trigger_fs_error").write_text("1")

    def mended(self):
        """What an operator does once the server has ended."""
        self.inside("umount", self.data)
        # It says by its status that it has repaired something.
        image = str(self._places["image"])
        assert subprocess.run(["e2fsck", "-fy", image], capture_output=True, timeout=30).returncode <= 1
        self.inside("sh", "-c", MOUNT.format(**self._places))

    def still(self):
        """From here on no write to the disk comes back."""
        self.inside("fsfreeze", "--freeze", self.data)

    def go_on(self):
        """Lets the writes come back that were held up."""
        self.inside("fsfreeze", "--unfreeze", self.data)

    def _remove_disk(self):
        # The kernel unmounts it with the last process that sees it.
        self._keeper.stdin.close()
        self._keeper.wait()
        self._keeper.stdout.close()

    @property
    def disk(self):
        """The data directory, as seen from here."""
        return pathlib.Path(f"/proc/{self._keeper.pid}/root{self.data}")

    def command(self):
        line = super().command()
        return [*line[:3], "nsenter", "--target", str(self._keeper.pid), "--mount", *line[3:]]

    def credentials(self):
        hidden, self.data = self.data, self.disk
        try:
            return super().credentials()
        finally:
            self.data = hidden

    def fill(self, leave=0):
        """Takes all room of the disk except `leave` kilobytes."""
        with open(self.disk / "filler", "ab", buffering=0) as filler:
            bytes_left = self.free() - leave * 1024
            # The server writes, too: what was room a moment ago may be none.
            with contextlib.suppress(OSError):
                while bytes_left > 0:
                    bytes_left -= filler.write(bytes(min(bytes_left, 1 << 20)))

    def free(self):
        """Bytes of room."""
        room = os.statvfs(self.disk)
        return room.f_bavail * room.f_frsize

    def room(self):
        """Gives the room back."""
        (self.disk / "filler").unlink()

    def failed_start(self, within=20):
        """Starts it, which must fail within a time; what it said."""
        self.log.write_text("")
        with open(self.log, "ab") as log:
            done = subprocess.run(
                self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                env=self.environment(), cwd=self.root, timeout=within,
            )  # fmt: skip
        assert done.returncode == 1 and not done.stdout, (done, self.log_tail())
        return self.log_tail()

    def abandon(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        # Before it is waited for: it may be held up by the disk.
        self._remove_disk()
        super().abandon()

    def end(self):
        """Stops it, in order, and looks at what it left."""
        status, _ = self.terminate()
        assert status == 0, self.log_tail()
        self._remove_disk()
        assert not leftovers.of(self.data)
