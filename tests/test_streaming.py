"""InvokeWithResponseStream: results that arrive while the function still writes them."""

import base64
import json
import time

import pytest
from botocore.exceptions import ClientError

from support import clients, functions, signing
from support.functions import unique
from support.server import wait_for

NODE = "nodejs20.x"
# Writes when it wrote, twice, with a pause between the two that is clear even on a busy machine.
PAUSE = 1.5
CLOCK = """
    export const handler = awslambda.streamifyResponse(async (event, stream) => {
        stream.write(`${Date.now()}\\n`);
        await new Promise((resolve) => setTimeout(resolve, %d));
        stream.end(`${Date.now()}`);
    });
""" % (PAUSE * 1000)


def read(answer):
    """The chunks of a stream, and its end."""
    chunks, complete = [], None
    for event in answer["EventStream"]:
        assert complete is None, f"{event} after the end"
        if "PayloadChunk" in event:
            chunks.append(event["PayloadChunk"]["Payload"])
        else:
            complete = event["InvokeComplete"]
    assert complete is not None, "a stream without its end"
    return chunks, complete


@pytest.fixture
def stream(client):
    """Invokes and reads all of it: chunks and end."""

    def call(name, event=None, client=client, **arguments):
        payload = json.dumps({} if event is None else event)
        answer = client.invoke_with_response_stream(FunctionName=name, Payload=payload, **arguments)
        return read(answer)

    return call


def test_the_first_bytes_come_before_the_last_are_written(client, deploy):
    name = deploy(CLOCK, runtime=NODE, Timeout=10)
    answer = client.invoke_with_response_stream(FunctionName=name)
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert answer["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    arrived = []
    written = ""
    for event in answer["EventStream"]:
        if "PayloadChunk" in event:
            arrived.append(time.time() * 1000)
            written += event["PayloadChunk"]["Payload"].decode()
    first, last = map(int, written.split("\n"))
    assert last - first >= PAUSE * 900
    assert first <= arrived[0] < last


def test_a_function_that_does_not_stream_answers_in_one_chunk(deploy_once, stream):
    name = deploy_once("def handler(event, context):\n    return {'got': event}")
    chunks, complete = stream(name, {"a": "ä"})
    assert [json.loads(chunk) for chunk in chunks] == [{"got": {"a": "ä"}}]
    assert complete == {}


def test_the_log_comes_with_the_end(deploy, stream):
    name = deploy(CLOCK, runtime=NODE, Timeout=10)
    _, complete = stream(name, LogType="Tail")
    log = base64.b64decode(complete["LogResult"]).decode()
    assert log.startswith("START RequestId: ")
    assert "REPORT RequestId: " in log


def test_a_result_of_any_size_is_whole(deploy_once, stream):
    name = deploy_once("""
        export const handler = awslambda.streamifyResponse(async (event, stream) => {
            for (let i = 0; i < event.pieces; i++) {
                const piece = Buffer.alloc(event.bytes, i % 251);
                if (!stream.write(piece)) await new Promise((resolve) => stream.once('drain', resolve));
            }
            stream.end();
        });
    """, runtime=NODE, Timeout=30, MemorySize=512)
    chunks, complete = stream(name, {"pieces": 80, "bytes": 100_000})
    assert complete == {}
    result = b"".join(chunks)
    assert result == b"".join(bytes([i % 251]) * 100_000 for i in range(80))


@pytest.mark.parametrize(
    "body, error_type",
    [
        ("throw new TypeError('broken');", "TypeError"),
        ("process.exit(3);", None),
        ("await new Promise((resolve) => setTimeout(resolve, 60_000));", "Sandbox.Timedout"),
    ],
)
def test_a_failure_in_mid_stream_is_told_at_the_end(deploy, stream, body, error_type):
    name = deploy("""
        export const handler = awslambda.streamifyResponse(async (event, stream) => {
            stream.write('begun');
            await new Promise((resolve) => setTimeout(resolve, 50));
            %s
        });
    """ % body, runtime=NODE, Timeout=2)
    chunks, complete = stream(name, LogType="Tail")
    assert b"".join(chunks) == b"begun"
    assert complete["ErrorCode"] == "Unhandled"
    told = json.loads(complete["ErrorDetails"])
    assert told["errorType"]
    if error_type:
        assert told["errorType"] == error_type
    assert "REPORT RequestId: " in base64.b64decode(complete["LogResult"]).decode()


def test_a_failure_before_anything_is_told_as_well(deploy_once, stream):
    name = deploy_once("def handler(event, context):\n    raise ValueError('no')")
    chunks, complete = stream(name)
    assert json.loads(b"".join(chunks))["errorType"] == "ValueError"
    assert complete["ErrorCode"] == "Unhandled"
    assert json.loads(complete["ErrorDetails"])["errorMessage"] == "no"


def test_a_streaming_handler_that_throws_first_has_no_chunk(deploy, stream):
    name = deploy("""
        export const handler = awslambda.streamifyResponse(async () => {
            throw new TypeError('at once');
        });
    """, runtime=NODE)
    chunks, complete = stream(name)
    assert b"".join(chunks) == b""
    assert complete["ErrorCode"] == "Unhandled"
    assert json.loads(complete["ErrorDetails"])["errorMessage"] == "at once"


def test_versions_aliases_and_the_client_context(client, deploy, stream):
    name = deploy("def handler(event, context):\n"
                  "    return [context.function_version, context.client_context.custom['a'],\n"
                  "            context.invoked_function_arn]")
    version = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    context = base64.b64encode(json.dumps({"custom": {"a": "b"}}).encode()).decode()
    answer = client.invoke_with_response_stream(
        FunctionName=name, Qualifier="live", ClientContext=context
    )
    assert answer["ExecutedVersion"] == version
    chunks, _ = read(answer)
    seen = json.loads(b"".join(chunks))
    assert seen[:2] == [version, "b"]
    assert seen[2].endswith(f":{name}:live")


def test_a_dry_run_runs_nothing(server, deploy_once):
    name = deploy_once("def handler(event, context):\n    raise SystemExit")
    path = f"/2021-11-15/functions/{name}/response-streaming-invocations"
    status, headers, body = signing.request(
        server, "POST", path, b"{}", {"X-Amz-Invocation-Type": "DryRun"}
    )
    assert (status, body) == (204, b"")
    assert "x-amz-executed-version" not in headers


def test_refusals(server, loose, deploy_once):
    name = deploy_once("def handler(event, context):\n    return 1")

    def code(**arguments):
        with pytest.raises(ClientError) as caught:
            loose.invoke_with_response_stream(**{"FunctionName": name, **arguments})
        return caught.value.response["Error"]["Code"]

    assert code(InvocationType="Event") == "ValidationException"
    assert code(LogType="All") == "ValidationException"
    assert code(FunctionName=unique()) == "ResourceNotFoundException"
    assert code(Qualifier="absent") == "ResourceNotFoundException"
    assert code(Payload="{") == "InvalidRequestContentException"
    assert code(Payload=json.dumps("x" * 7_000_000)) == "RequestTooLargeException"


def test_a_throttle_is_an_error_before_any_stream(client, deploy):
    name = deploy("def handler(event, context):\n    return 1")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError) as caught:
        client.invoke_with_response_stream(FunctionName=name)
    assert caught.value.response["Error"]["Code"] == "TooManyRequestsException"


def test_a_stream_counts_until_it_ends(regional, deploy):
    name = deploy(CLOCK, client=regional, runtime=NODE, Timeout=10)
    regional.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    answer = regional.invoke_with_response_stream(FunctionName=name)
    events = iter(answer["EventStream"])
    assert "PayloadChunk" in next(events)
    with pytest.raises(ClientError) as caught:
        regional.invoke(FunctionName=name)
    assert caught.value.response["Error"]["Code"] == "TooManyRequestsException"
    *_, last = events
    assert "InvokeComplete" in last
    assert regional.invoke(FunctionName=name)["StatusCode"] == 200


ENDLESS = """
    export const handler = awslambda.streamifyResponse(async (event, stream) => {
        const piece = Buffer.alloc(100_000);
        for (;;) {
            if (!stream.write(piece)) await new Promise((resolve) => stream.once('drain', resolve));
        }
    });
"""


def test_a_slow_reader_makes_the_function_wait(own_server):
    # Only the reader slows it down.
    server = own_server("[streaming]\nbytes_per_second = 0\n").start()
    client = clients.make(server)
    functions.create(client, "endless", ENDLESS, NODE, Timeout=3)
    answer = client.invoke_with_response_stream(FunctionName="endless")
    # It ends by its time and not by all it wrote, since nobody read: that is reported at the end.
    time.sleep(4)
    chunks, complete = read(answer)
    assert json.loads(complete["ErrorDetails"])["errorType"] == "Sandbox.Timedout"
    # What the buffers of sockets and pipes hold together.
    assert sum(map(len, chunks)) < 40_000_000
    server.finish()


def test_a_reader_who_leaves_lets_the_function_run_to_its_end(server, client, deploy):
    name = deploy("""
        export const handler = awslambda.streamifyResponse(async (event, stream) => {
            for (let i = 0; i < 30; i++) {
                if (!stream.write(Buffer.alloc(100_000))) {
                    await new Promise((resolve) => stream.once('drain', resolve));
                }
                await new Promise((resolve) => setTimeout(resolve, 20));
            }
            stream.end();
            console.log('ran to its end');
        });
    """, runtime=NODE, Timeout=10)
    answer = client.invoke_with_response_stream(FunctionName=name)
    next(iter(answer["EventStream"]))
    answer["EventStream"].close()
    logs = clients.make(server, "logs")

    def lines():
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        text = "".join(event["message"] for event in found)
        return text if "REPORT" in text else None

    text = wait_for(lines, within=20)
    assert "ran to its end" in text
    # And its environment is whole.
    _, complete = read(client.invoke_with_response_stream(FunctionName=name))
    assert complete == {}


def test_beyond_its_first_bytes_a_stream_has_a_pace(own_server):
    server = own_server("[streaming]\nburst_bytes = 100000\nbytes_per_second = 200000\n").start()
    client = clients.make(server)
    functions.create(client, "paced", """
        export const handler = awslambda.streamifyResponse(async (event, stream) => {
            stream.end(Buffer.alloc(event.bytes));
        });
    """, NODE, Timeout=20)
    answer = client.invoke_with_response_stream(FunctionName="paced", Payload='{"bytes": 1}')
    read(answer)
    began = time.monotonic()
    answer = client.invoke_with_response_stream(FunctionName="paced", Payload='{"bytes": 500000}')
    chunks, complete = read(answer)
    # 400 000 bytes at 200 000 a second.
    assert time.monotonic() - began >= 2
    assert (sum(map(len, chunks)), complete) == (500_000, {})
    server.finish()


def test_a_stream_ends_before_the_server_does(own_server):
    server = own_server().start()
    client = clients.make(server)
    functions.create(client, "clock", CLOCK, NODE, Timeout=10)
    answer = client.invoke_with_response_stream(FunctionName="clock")
    events = iter(answer["EventStream"])
    first = next(events)["PayloadChunk"]["Payload"]
    server.process.terminate()
    *rest, end = events
    assert end == {"InvokeComplete": {}}
    assert len((first + rest[0]["PayloadChunk"]["Payload"]).split(b"\n")) == 2
    status, _ = server.wait()
    assert status == 0


def test_a_custom_runtime_streams(client, deploy):
    name = deploy(r"""
        #!/usr/bin/python3
        import base64, http.client, os, time
        API = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
        BASE = '/2018-06-01/runtime/invocation/'
        while True:
            API.request('GET', BASE + 'next')
            answer = API.getresponse()
            event = answer.read()
            API.putrequest('POST', BASE + answer.headers['Lambda-Runtime-Aws-Request-Id'] + '/response')
            API.putheader('Lambda-Runtime-Function-Response-Mode', 'streaming')
            API.putheader('Transfer-Encoding', 'chunked')
            API.putheader('Trailer', 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body')
            API.endheaders()
            for piece in (b'one', b'two'):
                API.send(b'%x\r\n%s\r\n' % (len(piece), piece))
                time.sleep(0.05)
            API.send(b'0\r\n')
            if b'fail' in event:
                body = base64.b64encode(b'{"errorType": "Own", "errorMessage": "own words"}')
                API.send(b'Lambda-Runtime-Function-Error-Type: Own\r\n')
                API.send(b'Lambda-Runtime-Function-Error-Body: ' + body + b'\r\n')
            API.send(b'\r\n')
            API.getresponse().read()
    """, runtime="provided.al2023")
    chunks, complete = read(client.invoke_with_response_stream(FunctionName=name))
    assert (chunks, complete) == ([b"one", b"two"], {})
    chunks, complete = read(client.invoke_with_response_stream(FunctionName=name, Payload='"fail"'))
    assert chunks == [b"one", b"two"]
    assert complete["ErrorCode"] == "Unhandled"
    assert json.loads(complete["ErrorDetails"]) == {"errorType": "Own", "errorMessage": "own words"}
