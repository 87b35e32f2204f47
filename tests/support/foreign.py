"""A process of the machine's own inside a sandbox, by which the sandbox cannot end."""

import os
import pathlib
import signal
import subprocess

from .server import wait_for


def _status(pid, field):
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith(field + ":")), "")


def _children(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []


def inits_at_work(server):
    """The first processes of a server's sandboxes in which a program runs."""
    spawners = [pid for pid in _children_of_threads(server.process.pid) if _status(pid, "Name") == "lambent-spawner"]
    inits = [init for spawner in spawners for init in _children(spawner)]
    return [init for init in inits if any(_status(child, "Name") != "lambent-standby" for child in _children(init))]


def _children_of_threads(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        found += (task / "children").read_text().split()
    return found


class Foreigner:
    """Killed with the sandbox it stays a process number there for as long as its parent, which is
    stopped, does not hear of it: so the sandbox's init cannot end."""

    def __init__(self, init):
        self.process = subprocess.Popen(
            ["nsenter", "--pid", "--target", init, "--", "sh", "-c", "echo in; exec sleep 1000"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout.readline() == b"in\n"
        self.process.send_signal(signal.SIGSTOP)
        wait_for(lambda: _status(self.process.pid, "State").startswith("T"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.process.pid, signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
