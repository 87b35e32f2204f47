"""Outcomes whose destination is missing: kept until it appears, given up if it never will."""

import socket

import pytest

from support import clients, functions
from support.events import DOES, Told, arn_of, destined, send
from support.mailboxes import Queue
from support.moto import Moto
from support.server import wait_for

FAILURES = "lambent_event_invoke_destination_delivery_failures_total"
WAITING = 'lambent_event_invoke_queue_events_hidden{kind="shared"}'


@pytest.fixture(scope="module")
def client(plane):
    """Lambda, which tells `peer`."""
    return clients.make(plane)


def test_a_destination_that_is_down_is_told_when_it_is_back(own_server):
    """And the function does not run again for it, not even if the server is killed meanwhile."""
    name = functions.unique("queue")
    # Nobody listens there, and nobody else can.
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    port = held.getsockname()[1]
    server = own_server(f'[aws]\nendpoint_url = "http://127.0.0.1:{port}"\n').start()
    client, told = clients.make(server), Told(server)
    function = functions.unique()
    functions.create(client, function, DOES)
    destined(client, function, success=f"arn:aws:sqs:us-east-1:000000000000:{name}")
    request = send(client, function, {"n": 1})
    wait_for(lambda: told(function) and server.metric(WAITING) == 1, 30)
    server.kill()
    server.start()
    peer = Moto(port=port)
    held.close()
    try:
        queue = Queue(peer.client("sqs"), name)
        record = queue.record(60)
        assert record["requestContext"]["requestId"] == request
        assert record["requestContext"]["approximateInvokeCount"] == 1
        assert len(Told(server)(function)) == 1
        assert server.metric("lambent_event_invoke_invokes_total") == 0
        server.finish()
    finally:
        peer.stop()


@pytest.mark.parametrize("side, event", [("success", {}), ("failure", {"fail": True})])
def test_a_destination_that_does_not_exist_is_given_up(client, deploy, peer, plane, side, event):
    """Counted in a metric; the other destination still gets it."""
    queue, letters = Queue(peer.client("sqs")), Queue(peer.client("sqs"))
    name = deploy(DOES, DeadLetterConfig={"TargetArn": letters.arn})
    destined(client, name, **{side: f"{queue.arn}-not"})
    before = plane.metric(FAILURES)
    request = send(client, name, event)
    wait_for(lambda: plane.metric(FAILURES) > before, 30)
    if side == "failure":
        assert letters.letter()[1]["RequestID"] == ("String", request)
    assert queue.letters() == letters.letters() == []
    assert len(Told(plane)(name)) == 1


def test_one_that_is_down_keeps_nobody_else_waiting(own_server, peer):
    """A queue gets its record though the topic cannot be reached."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    down = f'sns = "http://127.0.0.1:{held.getsockname()[1]}"\n'
    server = own_server(f'[aws]\nendpoint_url = "{peer.url}"\n[aws.services]\n{down}').start()
    client = clients.make(server)
    name, letters = functions.unique(), Queue(peer.client("sqs"))
    functions.create(client, name, DOES, DeadLetterConfig={"TargetArn": letters.arn})
    destined(client, name, failure="arn:aws:sns:us-east-1:000000000000:t")
    request = send(client, name, {"fail": True})
    assert letters.letter()[1]["RequestID"] == ("String", request)
    wait_for(lambda: server.metric(WAITING) == 1)
    held.close()
    server.finish()


def test_a_record_that_is_too_large_is_given_up(client, deploy, peer, plane):
    """An event may be as large as a queue's message: its record is larger."""
    queue = Queue(peer.client("sqs"))
    name = deploy(DOES)
    destined(client, name, success=queue.arn)
    before = plane.metric(FAILURES)
    client.invoke(
        FunctionName=name, InvocationType="Event",
        Payload=b'{"text": "' + b"x" * (1024 * 1024 - 20) + b'"}',
    )  # fmt: skip
    wait_for(lambda: plane.metric(FAILURES) > before, 30)
    assert queue.letters() == []


def test_a_function_that_is_gone_is_given_up(client, deploy, plane):
    """It was there when it was named."""
    name, gone = deploy(DOES), deploy(DOES)
    destined(client, name, success=arn_of(client, gone))
    client.delete_function(FunctionName=gone)
    before = plane.metric(FAILURES)
    send(client, name, {})
    wait_for(lambda: plane.metric(FAILURES) > before, 30)


def test_without_an_endpoint_nobody_is_told(server, request):
    """What is not configured is not called."""
    client = clients.make(server)
    name = functions.unique()
    request.addfinalizer(lambda: functions.delete(client, name))
    functions.create(client, name, DOES)
    destined(client, name, success="arn:aws:sqs:us-east-1:000000000000:q")
    before = server.metric(FAILURES)
    send(client, name, {})
    wait_for(lambda: server.metric(FAILURES) > before, 30)
