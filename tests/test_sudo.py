"""A server that was started with sudo, and what its caller then needs no sudo for."""

import os
import subprocess

from support import clients, functions
from support.server import binary

# A user and a group that no machine has.
THEM, THEIRS = 54_321, 54_322


def as_them(server, *arguments):
    """Runs `lambent` as sudo's caller; gives its exit status and what it printed."""
    # By descriptor: the program may be in a folder that they cannot enter.
    program = os.open(binary(), os.O_RDONLY)
    try:
        done = subprocess.run(
            ["lambent", *arguments], executable=f"/proc/self/fd/{program}", pass_fds=[program],
            user=THEM, group=THEIRS, extra_groups=[], cwd="/", capture_output=True, text=True, timeout=30,
            env={"LAMBENT_DATA_DIR": str(server.data), "AWS_ENDPOINT_URL": server.url},
        )  # fmt: skip
    finally:
        os.close(program)
    return done.returncode, done.stdout + done.stderr


def started(own_server, monkeypatch, owner):
    """A server as `sudo lambent up` starts it, in a folder of this owner's."""
    monkeypatch.setenv("SUDO_UID", str(THEM))
    monkeypatch.setenv("SUDO_GID", str(THEIRS))
    server = own_server()
    os.chown(server.root, owner, -1)
    os.chmod(server.root, 0o711)
    return server.start()


def test_sudos_caller_uses_the_server_without_sudo(own_server, monkeypatch):
    server = started(own_server, monkeypatch, owner=THEM)
    name = functions.unique()
    functions.create(clients.make(server), name, "def handler(event, context):\n    return event\n")
    assert as_them(server, "invoke", name, "--payload", "7") == (0, "7")
    # A second start changes nothing.
    server.terminate()
    server.start()
    status, out = as_them(server, "functions")
    assert status == 0 and name in out
    for path in [server.data, *server.data.rglob("*")]:
        found = path.lstat()
        owner = (found.st_uid, found.st_gid)
        if path == server.data / "credentials":
            assert owner == (THEM, THEIRS) and found.st_mode & 0o777 == 0o600
        elif path == server.data:
            assert owner == (0, THEIRS) and found.st_mode & 0o777 == 0o710
        elif server.data / "images" in path.parents:
            # Unpacked by a user who is neither of them, nor any sandbox's.
            assert found.st_uid != THEM and found.st_gid != THEIRS, path
        else:
            assert owner == (0, 0), path
            closed = found.st_mode & 0o077 == 0
            assert closed or path == server.data / "images", path
    server.finish()


def test_elsewhere_the_credentials_stay_roots(own_server, monkeypatch):
    server = started(own_server, monkeypatch, owner=0)
    found = (server.data / "credentials").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (0, 0, 0o600)
    assert server.data.stat().st_mode & 0o777 == 0o700
    status, out = as_them(server, "functions")
    assert status == 1 and "credentials cannot be read" in out
    server.finish()
