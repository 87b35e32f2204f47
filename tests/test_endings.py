"""Environments whose killed processes do not end: what they hold, who hears of it, and the server's own end."""

import pytest

from support import clients, functions
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
