"""Asynchronous invokes: accepted is kept, kept is invoked."""

import json

import pytest

from support import clients, functions
from support.server import wait_for

TELLS = """
    import json
    def handler(event, context):
        print("TOLD " + json.dumps({"event": event, "request": context.aws_request_id}))
"""


@pytest.fixture(scope="module")
def told(server):
    """What a function of `TELLS` told, in order."""
    logs = clients.make(server, "logs")

    def read(name):
        try:
            events = logs.filter_log_events(
                logGroupName=f"/aws/lambda/{name}", filterPattern='"TOLD "'
            )
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [json.loads(event["message"].split("TOLD ", 1)[1]) for event in events["events"]]

    return read


def test_an_event_is_acknowledged_and_invoked(client, deploy, told):
    name = deploy(TELLS)
    answer = client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"n": 1}')
    assert answer["StatusCode"] == 202
    assert answer["Payload"].read() == b""
    assert "ExecutedVersion" not in answer and "FunctionError" not in answer
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert set(headers) - {"connection", "date"} == {
        "content-length", "x-amzn-remapped-content-length", "x-amzn-requestid", "x-amzn-trace-id",
    }  # fmt: skip
    wait_for(lambda: told(name))
    request = answer["ResponseMetadata"]["RequestId"]
    assert told(name) == [{"event": {"n": 1}, "request": request}]


def test_the_old_way_of_sending_an_event(client, deploy, told):
    name = deploy(TELLS)
    answer = client.invoke_async(FunctionName=name, InvokeArgs=b'{"n": 2}')
    assert answer["Status"] == 202
    wait_for(lambda: told(name))
    assert told(name)[0]["event"] == {"n": 2}


def test_what_cannot_be_invoked_is_refused_before_it_is_accepted(client, deploy):
    name = deploy(TELLS)

    def send(**arguments):
        return client.invoke(**{"FunctionName": name, "InvocationType": "Event", **arguments})

    errors = client.exceptions
    with pytest.raises(errors.ResourceNotFoundException):
        send(FunctionName=functions.unique())
    with pytest.raises(errors.ResourceNotFoundException):
        send(Qualifier="nobody")
    with pytest.raises(errors.InvalidRequestContentException):
        send(Payload=b"{")
    most = 1024 * 1024
    assert send(Payload=b'"' + b"x" * (most - 2) + b'"')["StatusCode"] == 202
    with pytest.raises(errors.RequestTooLargeException) as refused:
        send(Payload=b'"' + b"x" * (most - 1) + b'"')
    assert str(refused.value).endswith(
        "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)"
    )
