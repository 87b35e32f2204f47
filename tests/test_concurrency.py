"""Concurrency: one environment for each invoke at a time, reservations, limits, throttles."""

import collections
import concurrent.futures
import json
import time

import pytest
from botocore.exceptions import ClientError

from support import clients, functions, signing

SLEEPER = """
    import os, time
    def handler(event, context):
        time.sleep(event['seconds'])
        return os.environ['AWS_LAMBDA_LOG_STREAM_NAME']
"""
ECHO = "def handler(event, context):\n    return event\n"


def invoke_at_once(client, name, count, seconds):
    """`count` invokes at the same time: for each the answer, or the refusal."""

    def one(_):
        try:
            answer = client.invoke(
                FunctionName=name, Payload=json.dumps({"seconds": seconds}).encode()
            )
            assert "FunctionError" not in answer, answer["Payload"].read()
            return json.loads(answer["Payload"].read())
        except client.exceptions.TooManyRequestsException as error:
            return error.response

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_fifty_sleepers_sleep_in_fifty_environments(client, deploy):
    name = deploy(SLEEPER, Timeout=20)
    # A second is enough on a machine that does nothing else; all fifty have to be there before
    # the first is done on any other, too.
    streams = invoke_at_once(client, name, 50, 4)
    assert len(set(streams)) == 50
    # Warm, the same fifty serve again.
    assert set(invoke_at_once(client, name, 50, 4)) == set(streams)


def test_a_reservation_of_ten_throttles_forty_of_fifty(client, deploy):
    name = deploy(SLEEPER, Timeout=20)
    answer = client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=10)
    assert answer["ReservedConcurrentExecutions"] == 10
    # Long enough for all fifty to have started before the first has ended.
    answers = invoke_at_once(client, name, 50, 4)
    throttled = [answer for answer in answers if isinstance(answer, dict)]
    assert len(throttled) == 40
    for answer in throttled:
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
        assert answer["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
        assert answer["Error"]["Message"] == "Rate Exceeded."
        assert int(answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) >= 1
    assert len({answer for answer in answers if isinstance(answer, str)}) == 10


def test_a_reservation_of_nothing_stops_a_function(client, deploy, invoke):
    name = deploy(ECHO)
    assert invoke(name, 1).json == 1
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    assert client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 0
    with pytest.raises(client.exceptions.TooManyRequestsException) as throttled:
        client.invoke(FunctionName=name)
    reason = throttled.value.response["Reason"]
    assert reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
    client.delete_function_concurrency(FunctionName=name)
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)
    assert invoke(name, 2).json == 2


def test_reservations_come_out_of_the_accounts_pool(regional):
    settings = regional.get_account_settings()
    assert settings["AccountLimit"]["ConcurrentExecutions"] == 1000
    assert settings["AccountLimit"]["UnreservedConcurrentExecutions"] == 1000
    assert settings["AccountLimit"]["TotalCodeSize"] == 80530636800
    assert settings["AccountLimit"]["CodeSizeUnzipped"] == 262144000
    assert settings["AccountLimit"]["CodeSizeZipped"] == 52428800
    assert settings["AccountUsage"] == {"TotalCodeSize": 0, "FunctionCount": 0}
    name, other = functions.unique(), functions.unique()
    functions.create(regional, name, ECHO)
    functions.create(regional, other, ECHO)
    regional.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=600)
    found = regional.get_function(FunctionName=name)
    assert found["Concurrency"] == {"ReservedConcurrentExecutions": 600}
    settings = regional.get_account_settings()
    assert settings["AccountLimit"]["UnreservedConcurrentExecutions"] == 400
    size = len(functions.source_package("python3.12", ECHO)[0])
    assert settings["AccountUsage"] == {"TotalCodeSize": 2 * size, "FunctionCount": 2}
    regional.put_function_concurrency(FunctionName=other, ReservedConcurrentExecutions=300)
    with pytest.raises(regional.exceptions.InvalidParameterValueException) as refused:
        regional.put_function_concurrency(FunctionName=other, ReservedConcurrentExecutions=301)
    assert refused.value.response["Error"]["Message"] == (
        "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100]."
    )
    functions.delete(regional, name)
    functions.delete(regional, other)
    settings = regional.get_account_settings()
    assert settings["AccountLimit"]["UnreservedConcurrentExecutions"] == 1000


def test_the_accounts_limit_throttles_too(own_server):
    server = own_server("[account]\nconcurrency = 105\n").start()
    client = clients.make(server)
    functions.create(client, "f", SLEEPER, Timeout=10)
    functions.create(client, "greedy", SLEEPER, Timeout=10)
    client.put_function_concurrency(FunctionName="greedy", ReservedConcurrentExecutions=5)
    assert client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"] == 105
    with pytest.raises(ClientError):
        client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    answers = invoke_at_once(client, "greedy", 8, 2)
    reasons = collections.Counter(a["Reason"] for a in answers if isinstance(a, dict))
    assert reasons == {"ReservedFunctionConcurrentInvocationLimitExceeded": 3}
    server.finish()


def test_the_unreserved_pool_is_what_reservations_leave(own_server):
    """A limit of 103 with 3 reserved leaves 100 to all others: of 104 four are refused."""
    server = own_server("[account]\nconcurrency = 103\n").start()
    client = clients.make(server)
    source = "#!/bin/sh\nexec /usr/bin/python3 -S \"$LAMBDA_TASK_ROOT/loop.py\"\n"
    functions.create(client, "f", {"bootstrap": source, "loop.py": LOOP}, "provided.al2023", Timeout=20)
    functions.create(client, "kept", ECHO)
    client.put_function_concurrency(FunctionName="kept", ReservedConcurrentExecutions=3)
    answers = invoke_at_once(client, "f", 104, 3)
    reasons = collections.Counter(a["Reason"] for a in answers if isinstance(a, dict))
    assert reasons == {"ConcurrentInvocationLimitExceeded": 4}
    server.finish()


# As little as can sleep: a hundred of these start at once.
LOOP = """
import _socket, time
def ask(text):
    s = _socket.socket()
    s.connect(("127.0.0.1", 9001))
    s.sendall(text)
    got = b""
    while True:
        more = s.recv(65536)
        got += more
        head, found, body = got.partition(b"\\r\\n\\r\\n")
        if not more or found:
            return head
while True:
    head = ask(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    request = [l.split(b": ")[1] for l in head.split(b"\\r\\n") if l.lower().startswith(b"lambda-runtime-aws-request-id")][0]
    time.sleep(5)
    ask(b"POST /2018-06-01/runtime/invocation/" + request + b"/response HTTP/1.1\\r\\nHost: x\\r\\n"
        b"Content-Length: 4\\r\\n\\r\\nnull")
"""


def test_concurrency_is_refused_where_it_makes_no_sense(loose, deploy):
    name = deploy(ECHO)
    with pytest.raises(ClientError) as refused:
        loose.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=-1)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(loose.exceptions.ResourceNotFoundException):
        loose.put_function_concurrency(FunctionName="absent", ReservedConcurrentExecutions=1)


def test_steady_load_keeps_to_few_environments(client, deploy):
    """Eight callers need eight. While the first are being made a few more are asked for."""
    name = deploy("import os\ndef handler(event, context):\n"
                  "    return os.environ['AWS_LAMBDA_LOG_STREAM_NAME']\n")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        streams = set(pool.map(
            lambda _: client.invoke(FunctionName=name)["Payload"].read(), range(400)
        ))
    assert len(streams) <= 24


def test_a_caller_that_hangs_up_takes_nothing_with_it(server, client, deploy):
    """The function runs to its end, and its concurrency comes back."""
    name = deploy(SLEEPER, Timeout=10)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    impatient = clients.make(server, read_timeout=1)
    with pytest.raises(Exception):
        impatient.invoke(FunctionName=name, Payload=b'{"seconds": 2}')
    deadline = time.monotonic() + 10
    while True:
        status, _, body = signing.invoke(server, name, {}, b'{"seconds": 0}')
        if status == 200:
            break
        assert status == 429 and time.monotonic() < deadline, body
        time.sleep(0.05)
