"""`lambent cluster demo`: a cluster of three zones in namespaces, checked, and gone at its end."""

import os
import pathlib
import signal
import subprocess
import tempfile

import pytest

from support import leftovers
from support.server import binary, runtimes_directory, wait_for

ENDS_WITHIN = 600


@pytest.fixture
def place():
    """A folder for temporary files, by which all that a demo has is found."""
    prefix = f"{leftovers.FOLDERS}{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix) as folder:
        yield pathlib.Path(folder)


def start(place, *options, **more):
    """Starts a demo whose folder is below `place`."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LAMBENT_", "AWS_"))}
    environment["LAMBENT_RUNTIMES_DIRECTORY"] = runtimes_directory()
    environment["TMPDIR"] = str(place)
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", binary(), "cluster", "demo", *options],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=environment, text=True, **more,
    )  # fmt: skip


def data_folders(place):
    """Of each process of a demo that is there."""
    return list(place.glob("lambent-demo-*/hosts/*/data"))


def read_until(demo, words):
    """Reads a demo's output up to a line with these words."""
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if words in line:
            return
    raise AssertionError("".join(lines))


def left(place, data):
    """What is there of a demo that has ended."""
    found = leftovers.processes(place) + leftovers.mounts(place)
    for folder in data:
        found += leftovers.cgroups(folder)
    return found + list(place.iterdir())


def test_restarts_lose_nothing_and_nothing_is_left_behind(place):
    demo = start(place, "--check", "--rate", "20")
    read_until(demo, "front doors:")
    data = data_folders(place)
    assert len(data) == 9
    said, _ = demo.communicate(timeout=ENDS_WITHIN)
    assert demo.returncode == 0, said
    assert "every process is restarted under load" in said
    assert not left(place, data)


def test_a_killed_demo_takes_everything_with_it_and_the_next_sweeps(place):
    demo = start(place, "--zones", "1", "--rate", "10")
    read_until(demo, "ZONE")
    data = data_folders(place)
    demo.kill()
    demo.wait()
    demo.stdout.close()
    wait_for(lambda: not leftovers.processes(place), within=leftovers.GONE_WITHIN)
    assert not leftovers.mounts(place)
    another = start(place, "--zones", "1", "--rate", "10")
    read_until(another, "ZONE")
    assert not data[0].exists()
    more = data_folders(place)
    another.send_signal(signal.SIGINT)
    said, _ = another.communicate(timeout=ENDS_WITHIN)
    assert another.returncode == 0, said
    assert not left(place, data + more)
