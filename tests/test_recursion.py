"""Functions that send events in a recursive loop are stopped, unless they are allowed to."""

import pytest
from botocore.exceptions import ClientError

from support import clients, records
from support.events import Told, arn_of, destined, send
from support.mailboxes import Queue
from support.server import wait_for

PASSES_MAX = 16
WORDS = (
    "Lambda has detected your function being invoked in a recursive loop with other AWS resources "
    "and stopped your function's invocation."
)
# Returns nothing: a result would be passed to the next, and would grow with every round.
RUNS = """
    import json
    def handler(event, context):
        print("RAN " + json.dumps({"request": context.aws_request_id}))
"""
TRACES = """
    import json, os
    def handler(event, context):
        print("RAN " + json.dumps(
            {"request": context.aws_request_id, "trace": os.environ["_X_AMZN_TRACE_ID"]}
        ))
"""
STOPPED = "lambent_event_invoke_events_recursive_total"


@pytest.fixture(scope="module")
def client(plane):
    """Lambda, which tells `peer`."""
    return clients.make(plane)


@pytest.fixture(scope="module")
def told(plane):
    """What functions did."""
    return Told(plane)


@pytest.fixture
def ring(client, deploy, peer):
    """Two functions, each the other's destination for successes; and a destination for failures."""
    sqs = peer.client("sqs")
    letters, failed = Queue(sqs), Queue(sqs)
    names = [deploy(RUNS, DeadLetterConfig={"TargetArn": letters.arn}) for _ in range(2)]
    for name, other in (names, names[::-1]):
        destined(client, name, success=arn_of(client, other), failure=failed.arn)
    return names, failed, letters


def test_two_functions_that_call_each_other_are_stopped(client, plane, ring, told):
    (first, second), failed, letters = ring
    before = plane.metric(STOPPED)
    send(client, first, {"n": 1})
    record = failed.record(60)
    # What was dropped is what would have been the first one's next event: the second's record.
    dropped = record["requestPayload"]
    assert dropped["requestContext"]["functionArn"] == f"{arn_of(client, second)}:$LATEST"
    records.check(
        record, request=record["requestContext"]["requestId"], payload=dropped, invokes=0,
        arn=f"{arn_of(client, first)}:$LATEST", condition="RetriesExhausted", status=400,
    )  # fmt: skip
    body, attributes = letters.letter()
    assert attributes["RequestID"] == ("String", record["requestContext"]["requestId"])
    assert attributes["ErrorCode"] == ("Number", "400")
    assert WORDS in attributes["ErrorMessage"][1]
    wait_for(lambda: len(told(first)) + len(told(second)) >= 2 * PASSES_MAX)
    assert (len(told(first)), len(told(second))) == (PASSES_MAX, PASSES_MAX)
    assert plane.metric(STOPPED) == before + 1


def test_who_allows_it_goes_on(client, ring, told):
    (first, second), failed, _ = ring
    for name in (first, second):
        client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    send(client, first, {"n": 1})
    wait_for(lambda: len(told(first)) > PASSES_MAX + 4, 60, every=0.2)
    assert failed.letters() == []
    # And ends when there is no destination any more.
    client.delete_function_event_invoke_config(FunctionName=first)


def traced(plane, header):
    """A client that hands on where its events come from, as SDKs within functions do."""
    client = clients.make(plane)
    if header:
        client.meta.events.register(
            "before-call.lambda",
            lambda params, **_: params["headers"].update({"X-Amzn-Trace-Id": header}),
        )
    return client


def test_a_function_that_invokes_itself_is_stopped(client, deploy, peer, plane, told):
    failed = Queue(peer.client("sqs"))
    name = deploy(TRACES)
    destined(client, name, failure=failed.arn)
    header = None
    for _ in range(PASSES_MAX):
        request = send(traced(plane, header), name, {})
        (run,) = wait_for(lambda r=request: told(name, r), 30)
        header = run["trace"]
    # Still accepted: it is found out when it is to be invoked.
    request = send(traced(plane, header), name, {})
    assert failed.record()["requestContext"]["requestId"] == request
    assert len(told(name)) == PASSES_MAX
    # A synchronous caller gets an error at once.
    with pytest.raises(ClientError) as refused:
        traced(plane, header).invoke(FunctionName=name)
    error = refused.value.response["Error"]
    assert error["Code"] == "RecursiveInvocationException"
    assert WORDS in error["Message"]
    client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    request = send(traced(plane, header), name, {})
    wait_for(lambda: told(name, request), 30)


def test_two_functions_that_call_each_other_by_their_sdk_are_stopped(
    client, deploy, peer, plane, told, monkeypatch
):
    """The SDK hands the trace on by itself where it sees itself in a function, with escapes."""
    failed = Queue(peer.client("sqs"))
    names = [deploy(TRACES) for _ in range(2)]
    for name in names:
        destined(client, name, failure=failed.arn)
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", name)
    for _ in range(PASSES_MAX):
        for name in names:
            request = send(client, name, {})
            (run,) = wait_for(lambda n=name, r=request: told(n, r), 30)
            monkeypatch.setenv("_X_AMZN_TRACE_ID", run["trace"])
    assert run["trace"].count("|") == 1
    request = send(client, names[0], {})
    assert failed.record()["requestContext"]["requestId"] == request
