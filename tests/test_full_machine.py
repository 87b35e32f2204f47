"""A machine that runs full: environments end, none is created, and the server keeps working."""

import json
import pathlib

import botocore.exceptions
from support import clients, functions, leftovers
from support.server import wait_for

FILLS = """
    def handler(event, context):
        with open('/tmp/full', 'wb') as file:
            for _ in range(event):
                file.write(bytes(1 << 20))
        return event
"""


def invoke(client, name, megabytes):
    """What it answers: its result, a function's error, or why it did not run."""
    try:
        answer = client.invoke(FunctionName=name, Payload=json.dumps(megabytes))
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return json.load(answer["Payload"])


def most_memory(server):
    """The most that all environments used at once, bytes."""
    for group in map(pathlib.Path, leftovers.cgroups(server.data)):
        if group.name.startswith("lambent-"):
            for file in ("memory.max_usage_in_bytes", "memory.peak"):
                if (group / file).exists():
                    return int((group / file).read_text())
    raise AssertionError("nothing counts the memory of all environments")


def test_tmp_fills_no_more_than_environments_may_have(own_server):
    server = own_server("[worker]\nmemory_mb = 512\n").start()
    client = clients.make(server)
    names = ["one", "two", "three"]
    for name in names:
        functions.create(client, name, FILLS, MemorySize=128, Timeout=20)
    # Each may have 512 MB in its /tmp, and holds what it has while it is idle.
    for name in names:
        invoke(client, name, 200)
    wait_for(lambda: server.metric("lambent_worker_environments_exhausted_total") >= 1)
    # Idle ones make room for what is asked for now.
    wait_for(lambda: [invoke(client, name, 1) for name in names] == [1, 1, 1], within=30)
    assert most_memory(server) <= 512 << 20
    server.finish()


def test_nothing_of_the_server_leaves_a_core_dump(own_server):
    server = own_server().start()
    found = [int(line.split()[0]) for line in leftovers.processes(server.data)]
    assert server.process.pid in found
    for pid in found:
        try:
            limits = pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines()
        except OSError:
            # One that has ended meanwhile.
            continue
        core = next(line for line in limits if line.startswith("Max core file size"))
        # One byte: the kernel then does not start the machine's program for dumps either.
        assert core.split()[4:6] == ["1", "1"], f"process {pid}: {core}"
    server.finish()
