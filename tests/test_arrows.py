"""Calls between the server's parts that take as long as a network would have them."""

import json
import time

from support import clients, functions
from support.server import wait_for

ECHO = "def handler(event, context):\n    return event\n"
PRINT = "def handler(event, context):\n    print('event', event)\n"
DELAY_MS = 20


def test_a_server_whose_parts_are_apart_does_all_that_others_do(own_server):
    server = own_server(f"[arrows]\ndelay_ms = {DELAY_MS}\n").start()
    client = clients.make(server)
    name = functions.unique()
    functions.create(client, name, ECHO)

    def invoke(payload):
        answer = client.invoke(FunctionName=name, Payload=json.dumps(payload))
        assert "FunctionError" not in answer
        return json.loads(answer["Payload"].read())

    assert invoke("cold") == "cold"
    for number in range(5):
        began = time.monotonic()
        assert invoke(number) == number
        # To counting and assignment and back, and to the worker and back.
        assert time.monotonic() - began >= 4 * DELAY_MS / 1000
    answer = client.invoke_with_response_stream(FunctionName=name, Payload=b'"streamed"')
    chunks = [event["PayloadChunk"]["Payload"] for event in answer["EventStream"] if "PayloadChunk" in event]
    assert b"".join(chunks) == b'"streamed"'
    printing = functions.unique()
    functions.create(client, printing, PRINT)
    accepted = client.invoke(FunctionName=printing, InvocationType="Event", Payload=b'"later"')
    assert accepted["StatusCode"] == 202
    logs = clients.make(server, "logs")
    group = f"/aws/lambda/{printing}"

    def printed():
        try:
            events = logs.filter_log_events(logGroupName=group)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return False
        return any("event later" in event["message"] for event in events)

    wait_for(printed, 30)
    server.finish()
