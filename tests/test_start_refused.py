"""What a server needs of its machine, and that it says so if it is missing."""

import subprocess

import pytest

from support import leftovers

READ_ONLY_CGROUPS = """
while read -r _ place kind _; do
    case "$kind" in cgroup|cgroup2) mount -o remount,bind,ro "$place" ;; esac
done < /proc/mounts
exec "$@"
"""
CHROOT = 'mkdir "$0"; mount --rbind / "$0"; exec chroot "$0" "$@"'
FEW_FILES = 'ulimit -n 256; exec "$@"'


def refusal(server, *wrapper):
    """How a server ends that is started so, and what it says."""
    command = [*wrapper, *server.command()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=server.environment(), cwd=server.root)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and not done.stdout, done
    assert last.startswith("lambent: "), done.stderr
    return last


@pytest.fixture
def server(own_server):
    server = own_server()
    yield server
    assert not leftovers.of(server.data)


def test_without_writable_cgroups(server):
    told = refusal(server, "unshare", "--mount", "sh", "-c", READ_ONLY_CGROUPS, "sh")
    assert "cgroups must be there and writable" in told


def test_in_a_chroot(server):
    told = refusal(server, "unshare", "--mount", "sh", "-c", CHROOT, str(server.root / "root"))
    assert "outside of a chroot" in told


def test_without_the_rights_of_root(server):
    told = refusal(server, "unshare", "--user", "--map-root-user")
    assert "this host cannot run sandboxes" in told


def test_with_few_open_files(server):
    told = refusal(server, "sh", "-c", FEW_FILES, "sh")
    assert "this process may have 256 open files" in told and "ulimit -n" in told
