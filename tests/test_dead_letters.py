"""Events that came to nothing reach the dead-letter queue or topic as they came."""

import json

import pytest

from support import clients, functions
from support.mailboxes import Queue, Topic
from support.server import wait_for

FAILS = """
    def handler(event, context):
        raise ValueError("no: " + str(event["n"]))
"""


@pytest.fixture(scope="module")
def client(plane):
    """Lambda, which tells `peer`."""
    return clients.make(plane)


def send(client, name, payload, **arguments):
    answer = client.invoke(
        FunctionName=name, InvocationType="Event", Payload=payload, **arguments
    )
    return answer["ResponseMetadata"]["RequestId"]


def lettered(client, deploy, source, target, retries=0, **settings):
    """A function with a dead-letter target that is not tried again."""
    name = deploy(source, DeadLetterConfig={"TargetArn": target}, **settings)
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=retries)
    return name


@pytest.mark.parametrize("kind", [Queue, Topic])
def test_a_failed_event_arrives_as_it_came(client, deploy, peer, kind):
    box = kind(peer.client("sqs")) if kind is Queue else kind(peer)
    name = lettered(client, deploy, FAILS, box.arn)
    # Byte for byte: spaces, order, escapes and digits are the sender's.
    payload = '{"n" :  1,\n "text": "ü \\u00fc & + %20", "float": 1.10e2 }'
    request = send(client, name, payload.encode())
    body, attributes = box.letter()
    assert body == payload
    assert attributes == {
        "RequestID": ("String", request),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", "no: 1"),
    }


def test_a_long_message_is_cut_and_strange_ones_arrive(client, deploy, peer):
    queue = Queue(peer.client("sqs"))
    name = lettered(
        client, deploy, "def handler(event, context):\n    raise ValueError(event)\n", queue.arn
    )
    for message, expected in (
        ("é" * 2_000, "é" * 512),
        ("&<>\"' =%\n\t", "&<>\"' =%\n\t"),
        # Queues take no such characters.
        ("\x1b[31mred\x00", "\ufffd[31mred\ufffd"),
        ("\ufffe \uffff", "\ufffd \ufffd"),
    ):
        # Control characters are written as escapes, all others as they are.
        send(client, name, json.dumps(message, ensure_ascii=False).encode())
        body, attributes = queue.letter()
        assert json.loads(body) == message
        assert attributes["ErrorMessage"] == ("String", expected)


def test_both_the_destination_and_the_dead_letter_queue_are_told(client, deploy, peer):
    sqs = peer.client("sqs")
    letters, records = Queue(sqs), Queue(sqs)
    name = lettered(client, deploy, FAILS, letters.arn)
    client.update_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": records.arn}}
    )
    request = send(client, name, b'{"n": 7}')
    assert records.record()["requestContext"]["requestId"] == request
    body, attributes = letters.letter()
    assert (body, attributes["RequestID"]) == ('{"n": 7}', ("String", request))
    assert letters.letters() == records.letters() == []


def test_a_success_leaves_no_letter(client, deploy, peer):
    sqs = peer.client("sqs")
    letters, records = Queue(sqs), Queue(sqs)
    name = lettered(client, deploy, "def handler(event, context):\n    return 1\n", letters.arn)
    client.update_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": records.arn}}
    )
    send(client, name, b"{}")
    records.record()
    assert letters.letters() == []


def test_the_target_is_the_versions_own(client, deploy, peer):
    """It is part of what a version keeps: `$LATEST` may have another, or none."""
    sqs = peer.client("sqs")
    first, second = Queue(sqs), Queue(sqs)
    name = lettered(client, deploy, FAILS, first.arn)
    client.publish_version(FunctionName=name)
    client.put_function_event_invoke_config(
        FunctionName=name, Qualifier="1", MaximumRetryAttempts=0
    )
    client.update_function_configuration(
        FunctionName=name, DeadLetterConfig={"TargetArn": second.arn}
    )
    functions.until_updated(client, name)
    send(client, name, b'{"n": 1}', Qualifier="1")
    send(client, name, b'{"n": 2}')
    assert first.letter()[0] == '{"n": 1}'
    assert second.letter()[0] == '{"n": 2}'


def test_a_function_that_may_not_run_has_its_events_put_there(client, deploy, peer):
    """Reserved concurrency 0: accepted, not invoked, not tried again."""
    queue = Queue(peer.client("sqs"))
    name = lettered(client, deploy, FAILS, queue.arn, retries=2)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    request = send(client, name, b'{"n": 9}')
    body, attributes = queue.letter()
    assert body == '{"n": 9}'
    assert attributes["RequestID"] == ("String", request)
    assert "ErrorCode" not in attributes
    words = "Function not invoked. Function isconfigured with zero reserved concurrent executions"
    assert attributes["ErrorMessage"] == ("String", words)


def test_a_timeout_and_a_crash_are_failures(client, deploy, peer):
    queue = Queue(peer.client("sqs"))
    source = """
        import os, time
        def handler(event, context):
            if event == "crash":
                os._exit(3)
            time.sleep(60)
    """
    name = lettered(client, deploy, source, queue.arn, Timeout=1)
    for payload, words in ((b'"crash"', "exit"), (b'"sleep"', "Task timed out after 1.00 seconds")):
        request = send(client, name, payload)
        body, attributes = queue.letter()
        assert body == payload.decode()
        assert attributes["RequestID"] == ("String", request)
        assert attributes["ErrorCode"] == ("Number", "200")
        assert words in attributes["ErrorMessage"][1]


def test_a_target_that_is_not_there_is_told_of_and_the_event_kept(client, deploy, peer, plane):
    queue = Queue(peer.client("sqs"))
    name = lettered(client, deploy, FAILS, f"{queue.arn}-not")
    before = plane.metric("lambent_event_invoke_dead_letter_errors_total")
    send(client, name, b'{"n": 1}')
    wait_for(lambda: plane.metric("lambent_event_invoke_dead_letter_errors_total") > before, 30)
