"""A cluster is made, a host joins it, and is revoked."""

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

import pytest

from support import leftovers
from support.moto import Moto
from support.nats import Nats, free_port
from support.server import binary, runtimes_directory
from support.started import started

READY = re.compile(rb"lambent ready")
WITHIN = 60


def bare():
    """Nothing of ours names a setting by accident."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("LAMBENT_", "AWS_"))}


class Host:
    """A process from the folder that `init` or `join` has made."""

    def __init__(self, folder):
        self.folder, self.config = folder, folder / "lambent.toml"
        self.log = folder.with_suffix(".log")
        environment = bare()
        environment["LAMBENT_RUNTIMES_DIRECTORY"] = runtimes_directory()
        environment["LAMBENT_CLUSTER_LISTEN"] = f"127.0.0.1:{free_port()}"
        environment["LAMBENT_LISTEN"] = "127.0.0.1:0"
        environment["LAMBENT_ADMIN_LISTEN"] = "127.0.0.1:0"
        environment["LAMBENT_DATA_DIR"] = str(folder.with_suffix(".data"))
        self.environment = environment
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", binary(), "run", "--config", str(self.config)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                env=self.environment, cwd=self.folder.parent,
            )  # fmt: skip
        _, self.reader = started(self.process, self.process.stdout, READY, WITHIN, self.folder.name)

    def said(self, text):
        """Waits until its log has a text."""
        until = time.monotonic() + WITHIN
        while text not in self.log.read_text(errors="replace"):
            assert time.monotonic() < until, self.log.read_text(errors="replace")[-4000:]
            time.sleep(0.1)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(WITHIN)
            self.reader.join()
            self.process.stdout.close()
            self.process = None


@pytest.fixture
def around():
    with tempfile.TemporaryDirectory(prefix=f"{leftovers.FOLDERS}{os.getpid()}-") as folder:
        yield pathlib.Path(folder)


@pytest.fixture
def stores(around):
    nats, s3 = Nats(around), Moto()
    s3.client("s3").create_bucket(Bucket="lambent")
    yield nats.settings() + f"""
[cluster.s3]
endpoint = "{s3.url}"
access_key_id = "test"
secret_access_key = "test"
"""
    s3.stop()
    nats.stop()


def lambent(*arguments, fails=False, **options):
    """What a command prints; on standard error if it fails."""
    ran = subprocess.run(
        [binary(), "cluster", *map(str, arguments)],
        capture_output=True, text=True, timeout=WITHIN, env=bare(), **options,
    )  # fmt: skip
    assert (ran.returncode != 0) == fails, ran
    return ran.stderr if fails else ran.stdout


def test_a_host_joins_once_and_is_revoked(around, stores):
    first = around / "first"
    lambent("init", first, "--host", "h1", "--zone", "a")
    centre, door = Host(first), free_port()
    text = centre.config.read_text().partition("[cluster.nats]")[0]
    text = text.replace("0.0.0.0:9103", f"127.0.0.1:{door}")
    text = text.replace('seeds = [""]', f'seeds = ["{centre.environment["LAMBENT_CLUSTER_LISTEN"]}"]')
    centre.config.write_text(text + stores)
    asked = ("--config", centre.config)
    worker = None
    try:
        centre.start()
        # It is in the table, sealed.
        assert not (first / "authority.key").exists()
        token = lambent("token", "--host", "w1", "--zone", "b", "--roles", "worker", *asked)
        second = around / "second"
        lambent("join", "-", second, input=token)
        # A worker alone gets nothing by which it could read what is the others'.
        assert sorted(path.name for path in second.iterdir()) == [
            "authority.pem", "host.key", "host.pem", "lambent.toml",
        ]  # fmt: skip
        assert "nats" not in (second / "lambent.toml").read_text()
        again = lambent("join", token.strip(), around / "third", fails=True)
        assert "not valid" in again
        worker = Host(second)
        worker.start()
        listed = lambent("certificates", *asked)
        assert re.search(r" h1 .* a .*control", listed) and re.search(r" w1 .* b .*worker", listed)
        revoked = lambent("revoke", "w1", *asked).split()
        assert len(revoked) == 1
        assert re.search(rf"{revoked[0]} .*revoked", lambent("certificates", *asked))
        centre.said("the caller's certificate is revoked")
    finally:
        if worker:
            worker.stop()
        centre.stop()
