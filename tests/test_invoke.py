"""Invoke: what goes in, what comes out, and every refusal that can be provoked."""

import base64
import json
import re
import urllib.request

import pytest
from botocore.exceptions import ClientError

from support import functions, signing

ECHO = "def handler(event, context):\n    return event\n"
CONTEXT = """
    import os
    def handler(event, context):
        print('seen by the log')
        client = context.client_context
        return {
            'request': context.aws_request_id,
            'arn': context.invoked_function_arn,
            'name': context.function_name,
            'memory': context.memory_limit_in_mb,
            'group': context.log_group_name,
            'stream': context.log_stream_name,
            'left': context.get_remaining_time_in_millis(),
            'client': client and {'custom': client.custom, 'env': client.env,
                                  'title': client.client and client.client.app_title},
            'trace': os.environ.get('_X_AMZN_TRACE_ID'),
        }
"""


@pytest.mark.parametrize(
    "event",
    [None, True, 0, -1.5, "text", "schön 日本 \u0000 \U0001f600", [], [1, [2]], {}, {"a": {"b": [None]}}],
)
def test_any_json_goes_through_unchanged(deploy_once, invoke, event):
    answer = invoke(deploy_once(ECHO), payload=json.dumps(event).encode())
    assert answer.status == 200
    assert answer.error is None
    assert answer.json == event


def test_no_payload_is_an_empty_object(deploy_once, invoke):
    assert invoke(deploy_once(ECHO)).json == {}


def test_six_megabytes_go_through(deploy_once, invoke):
    text = "x" * (6 * 1024 * 1024 - 2)
    assert invoke(deploy_once(ECHO), text).json == text


def test_more_than_six_megabytes_are_refused(client, deploy_once):
    payload = json.dumps("x" * (6 * 1024 * 1024 - 1)).encode()
    with pytest.raises(client.exceptions.RequestTooLargeException) as refused:
        client.invoke(FunctionName=deploy_once(ECHO), Payload=payload)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert refused.value.response["Error"]["Message"] == (
        "6291457 byte payload is too large for the RequestResponse invocation type "
        "(limit 6291456 bytes)"
    )


def test_the_context_tells_the_truth(client, deploy_once, invoke):
    name = deploy_once(CONTEXT)
    context = {"custom": {"a": "b"}, "env": {"locale": "de"}, "client": {"app_title": "T"}}
    encoded = base64.b64encode(json.dumps(context).encode()).decode()
    answer = invoke(name, ClientContext=encoded)
    seen = answer.json
    assert seen["request"] == answer.request_id
    assert seen["arn"] == f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    assert seen["name"] == name
    assert seen["memory"] == "128"
    assert seen["group"] == f"/aws/lambda/{name}"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", seen["stream"])
    assert 0 < seen["left"] <= 3000
    assert seen["client"] == {"custom": {"a": "b"}, "env": {"locale": "de"}, "title": "T"}
    assert invoke(name).json["client"] is None


def test_a_trace_is_passed_on_or_begun(server, deploy_once):
    name = deploy_once(CONTEXT)
    root = "1-5759e988-bd862e3fe1be46a994272793"
    status, headers, body = signing.invoke(
        server, name, {"X-Amzn-Trace-Id": f"Root={root};Parent=53995c3f42cd8ad8;Sampled=1"}
    )
    assert status == 200
    assert f"Root={root}" in json.loads(body)["trace"]
    assert root in headers["x-amzn-trace-id"]
    _, headers, body = signing.invoke(server, name, {})
    begun = re.search(r"Root=(1-[0-9a-f]{8}-[0-9a-f]{24})", json.loads(body)["trace"])
    assert begun and begun[1] in headers["x-amzn-trace-id"]


def test_the_log_tail_tells_what_happened(client, deploy, invoke):
    name = deploy(CONTEXT)
    cold = invoke(name, LogType="Tail")
    log = base64.b64decode(cold.raw["LogResult"]).decode()
    assert re.search(rf"^START RequestId: {cold.request_id} Version: \$LATEST$", log, re.M)
    assert re.search(r"^seen by the log$", log, re.M)
    assert re.search(rf"^END RequestId: {cold.request_id}$", log, re.M)
    report = re.search(
        rf"^REPORT RequestId: {cold.request_id}\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms\t"
        r"Memory Size: 128 MB\tMax Memory Used: (\d+) MB\t(?:Init Duration: ([\d.]+) ms\t)?\s*$",
        log, re.M,
    )  # fmt: skip
    assert report, log
    duration, billed, memory, init = report.groups()
    assert init is not None, "the first invoke's report tells the init"
    assert float(duration) < 3000 and int(billed) >= float(duration)
    assert 3 <= int(memory) <= 128
    warm = invoke(name, LogType="Tail")
    log = base64.b64decode(warm.raw["LogResult"]).decode()
    assert cold.request_id not in log
    assert "Init Duration" not in log
    assert "LogResult" not in invoke(name).raw
    assert "LogResult" not in invoke(name, LogType="None").raw


def test_the_log_tail_is_the_last_four_kilobytes(deploy, invoke):
    name = deploy("def handler(event, context):\n    print('x' * 99 + '\\n' * 1, end='')\n"
                  "    for i in range(200):\n        print(i, 'y' * 95)\n")
    tail = base64.b64decode(invoke(name, LogType="Tail").raw["LogResult"])
    assert len(tail) <= 4096
    assert b"199 " in tail and b"REPORT" in tail and b"START" not in tail


def test_a_dry_run_runs_nothing(client, deploy, invoke):
    name = deploy("""
        COUNT = 0
        def handler(event, context):
            global COUNT
            COUNT += 1
            return COUNT
    """)
    assert invoke(name).json == 1
    answer = invoke(name, InvocationType="DryRun")
    assert (answer.status, answer.body) == (204, b"")
    assert invoke(name).json == 2
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName=functions.unique(), InvocationType="DryRun")


@pytest.mark.parametrize("payload", [b"{", b"nothing", b'{"a":1}}', b"\xff\xfe", b"'x'"])
def test_what_is_no_json_is_refused(client, deploy_once, payload):
    with pytest.raises(client.exceptions.InvalidRequestContentException) as refused:
        client.invoke(FunctionName=deploy_once(ECHO), Payload=payload)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    message = refused.value.response["Error"]["Message"]
    assert message.startswith("Could not parse request body into json")


@pytest.mark.parametrize(
    "arguments, code",
    [
        ({"InvocationType": "Sometimes"}, "ValidationException"),
        ({"LogType": "Head"}, "ValidationException"),
        ({"ClientContext": "not base64!"}, "InvalidRequestContentException"),
        ({"ClientContext": base64.b64encode(b"[]").decode()}, "InvalidRequestContentException"),
        ({"ClientContext": base64.b64encode(b'"' + b"x" * 4000 + b'"').decode()},
         "InvalidRequestContentException"),
        ({"Qualifier": "no such thing"}, "ValidationException"),
        ({"Qualifier": "7"}, "ResourceNotFoundException"),
        ({"Qualifier": "nobody"}, "ResourceNotFoundException"),
    ],
)
def test_bad_arguments_are_refused(loose, deploy_once, arguments, code):
    with pytest.raises(ClientError) as refused:
        loose.invoke(FunctionName=deploy_once(ECHO), Payload=b"{}", **arguments)
    assert refused.value.response["Error"]["Code"] == code, refused.value


def test_answers_carry_lambdas_headers(server, deploy_once):
    status, headers, body = signing.invoke(server, deploy_once(ECHO), {}, b"[1]")
    assert (status, body) == (200, b"[1]")
    assert headers["content-type"] == "application/json"
    assert headers["x-amz-executed-version"] == "$LATEST"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", headers["x-amzn-requestid"])
    assert headers["x-amzn-trace-id"].lower().startswith("root=1-")
    assert "x-amz-function-error" not in headers


def test_one_environment_serves_one_caller_after_the_other(deploy, invoke):
    name = deploy("""
        import uuid
        ENVIRONMENT = str(uuid.uuid4())
        def handler(event, context):
            return ENVIRONMENT
    """)
    assert len({invoke(name).json for _ in range(20)}) == 1


def test_metrics_are_served_apart(server, deploy_once, invoke):
    invoke(deploy_once(ECHO))
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{server.url}/metrics")
    text = server.metrics()
    for role in ("frontend", "counting", "assignment", "placement", "worker"):
        assert re.search(rf"^lambent_{role}_\w+", text, re.M), f"no metric of {role}"
