"""Environments whose killed processes do not end: what they hold, who is notified, and the server's own end."""

import pathlib
import threading

import pytest

from support import clients, functions, leftovers
from support.clients import status
from support.foreign import Foreigner, inits_at_work
from support.server import wait_for

ECHO = "def handler(event, context):\n    return event\n"
# Room for one of the functions below, with its /tmp or without.
CONFIG = """
[admin]
listen = "127.0.0.1:0"
[worker]
memory_mb = 1150
[placement]
overcommit = 1.0
[sandbox]
pool = 1
"""
MEMORY = 600
ENVIRONMENTS = "lambent_worker_environments"
LINGERING = "lambent_worker_sandboxes_lingering"
SLOW = "lambent_worker_sandboxes_slow_to_end_total"


def answer(client, name):
    return client.invoke(FunctionName=name, Payload=b"1")["Payload"].read()


def test_what_does_not_end_keeps_its_room_until_it_has_and_the_server_ends_all_the_same(own_server):
    server = own_server(CONFIG).start()
    client = clients.make(server)
    for name in ("first", "second"):
        functions.create(client, name, ECHO, MemorySize=MEMORY)
    assert answer(client, "first") == b"1"
    with Foreigner(inits_at_work(server)[0]):
        # It needs the room of the idle one, which does not end.
        with pytest.raises(client.exceptions.ClientError) as refused:
            answer(clients.make(server, strict=False), "second")
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert server.metric(ENVIRONMENTS) == 0
        wait_for(lambda: server.metric(LINGERING) == 1 and server.metric(SLOW) == 1)
    wait_for(lambda: server.metric(LINGERING) == 0)
    assert answer(client, "second") == b"1"
    with Foreigner(inits_at_work(server)[0]):
        # In half a minute: see docs/running.md.
        status, _ = server.terminate()
        assert status == 0
    # The next start removes what is left of it.
    server.start()
    assert answer(clients.make(server), "first") == b"1"
    server.finish()


def test_an_environment_whose_processor_share_cannot_be_set_is_ended(on_disk):
    """The disk is for a second mount: a file in the place of the kernel's."""
    server = on_disk(64).start()
    client = clients.make(server, strict=False)
    waits = "import os, time\nwhile not os.path.exists('/tmp/go'):\n    time.sleep(0.02)\n"
    functions.create(client, "waits", waits + ECHO)
    first = []
    ask = {"FunctionName": "waits", "Payload": b"1"}
    invoke = threading.Thread(target=lambda: first.append(status(client.invoke, **ask)))
    invoke.start()
    number, process = wait_for(lambda: in_init(server))
    (share,) = [
        path for folder in leftovers.cgroups(server.data) for path in shares(folder)
        if pathlib.Path(folder).name.rpartition(".")[2] == number
    ]  # fmt: skip
    server.inside("mount", "--bind", "/proc/version", share)
    pathlib.Path(f"/proc/{process}/root/tmp/go").touch()
    # It has had more of the processors for its init than it may have now, and is never lent.
    wait_for(lambda: not pathlib.Path(share).exists())
    told = [entry.get("message") for entry in server.entries()]
    assert told.count("a processor share is not set") == 1
    while invoke.is_alive():
        if found := in_init(server):
            pathlib.Path(f"/proc/{found[1]}/root/tmp/go").touch()
    assert first[0] in (200, 500, 503)
    server.end()


def in_init(server):
    """The cgroup's number and the process of a function that waits in its init."""
    for folder in leftovers.cgroups(server.data):
        members = pathlib.Path(folder, "function", "cgroup.procs")
        for process in members.read_text().split() if members.exists() else ():
            command = pathlib.Path(f"/proc/{process}/cmdline").read_bytes()
            if b"python" in command and not pathlib.Path(f"/proc/{process}/root/tmp/go").exists():
                return pathlib.Path(folder).name, process
    return None


def shares(folder):
    """The files of a cgroup that have its share of the processors, in either kind of hierarchy."""
    files = [pathlib.Path(folder, name) for name in ("cpu.cfs_quota_us", "cpu.max")]
    return [file for file in files if file.exists()]
