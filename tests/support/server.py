"""A real `lambent up` on a free port and a data directory of its own."""

import configparser
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time

from . import leftovers
from .observed import Observed

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
READY = "lambent ready at "
READY_WITHIN = 30
DRAINED_WITHIN = 30

# Tests hurry: only one that is about these rates keeps to those of AWS.
HURRIED = """
[limits]
get_function_per_second = 100000
get_policy_per_second = 100000
control_plane_per_second = 100000
"""

# Many servers run at a time: none takes the address that people's own has.
ADMIN = """
[admin]
listen = "127.0.0.1:0"
"""

# Many tests have a region to themselves.
SEVERAL = """
[account]
regions = [{}]
""".format(", ".join(
    [f'"eu-{place}-{number}"' for number in range(1, 10) for place in ("north", "south", "west", "central")]
    + ['"us-west-2"', '"ap-east-1"']
))

def binary():
    """The server under test."""
    given = os.environ.get("LAMBENT_BINARY")
    if given:
        return given
    for profile in ("release", "debug"):
        path = REPOSITORY / "target" / profile / "lambent"
        if path.exists():
            return str(path)
    raise RuntimeError("no lambent is built: run `cargo build` first, or tests/run")


def runtimes_directory():
    """Where `runtimes/build` has put the languages."""
    given = os.environ.get("LAMBENT_RUNTIMES_DIRECTORY")
    return given or str(pathlib.Path(binary()).parent / "runtimes")


class Server(Observed):
    """One data directory, and its server while it runs."""

    def __init__(self, config="", runtimes=""):
        prefix = f"{leftovers.FOLDERS}{os.getpid()}-"
        self._folder = tempfile.TemporaryDirectory(prefix=prefix)
        self.root = pathlib.Path(self._folder.name)
        self.data = self.root / "data"
        self.log = self.root / "server.log"
        # None leaves it to the configuration.
        self.runtimes = runtimes_directory() if runtimes == "" else runtimes
        self.config = self.root / "lambent.toml"
        limits = "" if "[limits]" in config else HURRIED
        regions = "" if "[account]" in config else SEVERAL
        admin = "" if "[admin]" in config else ADMIN
        self.config.write_text(config + limits + regions + admin)
        self.process = None
        self.url = None

    def environment(self):
        """What the server's own commands are run with: nothing of ours names a setting by accident."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LAMBENT_", "AWS_"))}
        # The whole suite with the server's parts apart: each call takes this long each way.
        if delay := os.environ.get("LAMBENT_TEST_ARROWS_DELAY_MS"):
            kept["LAMBENT_ARROWS_DELAY_MS"] = delay
        if self.runtimes:
            kept["LAMBENT_RUNTIMES_DIRECTORY"] = self.runtimes
        return kept

    def command(self):
        """The command line of this server. It dies with the tests, should these be killed."""
        return [
            "setpriv", "--pdeathsig", "KILL",
            binary(), "up",
            "--listen", "127.0.0.1:0",
            "--data-dir", str(self.data),
            "--config", str(self.config),
        ]  # fmt: skip

    def start(self):
        """Starts it and waits until it serves."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                env=self.environment(), cwd=self.root,
            )  # fmt: skip
        timer = threading.Timer(READY_WITHIN, self.process.kill)
        timer.start()
        line = self.process.stdout.readline().decode()
        timer.cancel()
        if not line.startswith(READY):
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"no ready line but {line!r}; its log:\n{self.log_tail()}")
        self.url = line[len(READY) :].strip()
        return self

    def credentials(self):
        """The root access key: id and secret."""
        parser = configparser.ConfigParser()
        parser.read(self.data / "credentials")
        section = parser["default"]
        return section["aws_access_key_id"], section["aws_secret_access_key"]

    def pids(self):
        """The numbers of its processes."""
        return [self.process.pid]

    def kill(self):
        """As a power cut would: no chance to tidy up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def terminate(self):
        """Asks it to stop and says how it ended and what it still printed."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        """Waits for its end: the exit status and the rest of its standard output."""
        try:
            status = self.process.wait(DRAINED_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it did not drain; its log:\n{self.log_tail()}") from None
        rest = self.process.stdout.read().decode()
        self.process.stdout.close()
        return status, rest

    def finish(self):
        """Stops it and makes sure that it leaves nothing behind."""
        status = 0
        if self.process.poll() is None:
            status, _ = self.terminate()
        bad = self.complaints()
        log = self.log_tail()
        left = leftovers.of(self.data)
        self._folder.cleanup()
        assert status == 0, f"exit status {status}; its log:\n{log}"
        assert not left, f"left behind: {left}"
        assert not bad, "unexpected in its log:\n" + "\n".join(bad[:20])

    def abandon(self):
        """For tests that failed: ends it anyhow."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.root.exists():
            leftovers.remove(self.data)
        self._folder.cleanup()


def wait_for(condition, within=10, every=0.01):
    """Waits until `condition()` is true and gives its value."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {within} s")
        time.sleep(every)
