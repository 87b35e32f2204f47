"""A server whose data directory is on a small disk of its own, which nobody else sees."""

import contextlib
import os
import pathlib
import subprocess

from . import leftovers
from .server import Server


class OnDisk(Server):
    """A server on a disk of so many megabytes. `fill` and `room` say how full it is."""

    def __init__(self, megabytes, config=""):
        super().__init__(config)
        self.data.mkdir()
        mount = f"mount -t tmpfs -o size={megabytes}m tmpfs {self.data} && echo mounted && exec cat"
        self._keeper = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._keeper.stdout.readline() == b"mounted\n"

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
        """Takes all room of the disk but so many kilobytes."""
        with open(self.disk / "filler", "ab", buffering=0) as filler:
            room = os.statvfs(self.disk)
            bytes_left = room.f_bavail * room.f_frsize - leave * 1024
            # The server writes, too: what was room a moment ago may be none.
            with contextlib.suppress(OSError):
                while bytes_left > 0:
                    bytes_left -= filler.write(bytes(min(bytes_left, 1 << 20)))

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
            self.process.wait()
        self._keeper.kill()
        self._keeper.wait()
        for pipe in (self._keeper.stdin, self._keeper.stdout):
            pipe.close()
        super().abandon()

    def end(self):
        """Stops it, in order, and looks at what it left."""
        status, _ = self.terminate()
        assert status == 0, self.log_tail()
        self._keeper.kill()
        self._keeper.wait()
        assert not leftovers.of(self.data)
