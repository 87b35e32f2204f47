"""Environments from init to shutdown: what is tried again, what is frozen, what outlives what."""

import base64
import re
import time

from support import clients, functions
from support.server import wait_for


def log_of(answer):
    return base64.b64decode(answer.raw["LogResult"]).decode()


def test_init_has_ten_seconds_and_a_second_chance(deploy, invoke):
    """The first attempt takes too long; the second runs within the invoke and its time."""
    name = deploy("""
        import os, time
        if not os.path.exists('/tmp/second'):
            open('/tmp/second', 'w').close()
            time.sleep(30)
        def handler(event, context):
            return 'at last'
    """, Timeout=20)
    began = time.monotonic()
    answer = invoke(name, LogType="Tail")
    took = time.monotonic() - began
    assert answer.json == "at last"
    assert 9.5 < took < 19
    log = log_of(answer)
    assert re.search(r"INIT_REPORT Init Duration: 10\d\d\d\.\d\d ms\tPhase: init\tStatus: timeout", log) or (
        "Init Duration" not in log.split("REPORT RequestId")[1]
    )
    warm = invoke(name, LogType="Tail")
    assert warm.json == "at last"


def test_init_runs_within_the_invoke_after_a_crash(deploy, invoke):
    name = deploy("""
        import os, time
        time.sleep(0.3)
        def handler(event, context):
            if event.get('crash'):
                os._exit(1)
            return 'fine'
    """)
    assert invoke(name, {}).json == "fine"
    assert invoke(name, {"crash": True}).error
    answer = invoke(name, {}, LogType="Tail")
    assert answer.json == "fine"
    report = log_of(answer).split("REPORT RequestId")[1]
    assert "Init Duration" not in report
    assert float(re.search(r"Duration: ([\d.]+) ms", report)[1]) > 300


def test_init_within_an_invoke_counts_against_its_timeout(deploy, invoke):
    name = deploy("""
        import os, time
        def handler(event, context):
            open('/tmp/crashed', 'w').close()
            os._exit(1)
        if os.path.exists('/tmp/crashed'):
            time.sleep(30)
    """, Timeout=1)
    assert invoke(name).json["errorType"] == "Runtime.ExitError"
    answer = invoke(name)
    assert answer.json["errorType"] == "Sandbox.Timedout"


def test_idle_environments_are_ended(own_server):
    server = own_server("[assignment]\nidle_seconds = 1\n").start()
    client = clients.make(server)
    functions.create(client, "f", "import uuid\nME = str(uuid.uuid4())\n"
                                  "def handler(event, context):\n    return ME\n")
    first = client.invoke(FunctionName="f")["Payload"].read()
    wait_for(lambda: server.metric("lambent_worker_environments") == 0)
    assert client.invoke(FunctionName="f")["Payload"].read() != first
    server.finish()


INTERNAL = """
    import json, os, threading, urllib.request
    API = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2020-01-01/extension'
    EVENTS = []
    def call(path, data=None, headers={}):
        request = urllib.request.Request(API + path, data=data, headers=headers)
        with urllib.request.urlopen(request) as answer:
            return answer.headers, json.load(answer)
    headers, REGISTERED = call('/register', json.dumps({'events': ['INVOKE']}).encode(),
                               {'Lambda-Extension-Name': 'inner'})
    ME = {'Lambda-Extension-Identifier': headers['Lambda-Extension-Identifier']}
    def listen():
        while True:
            EVENTS.append(call('/event/next', headers=ME)[1])
    threading.Thread(target=listen, daemon=True).start()
    def handler(event, context):
        import time
        deadline = time.monotonic() + 2
        while len(EVENTS) < event['wanted'] and time.monotonic() < deadline:
            time.sleep(0.01)
        return [REGISTERED, EVENTS, context.aws_request_id]
"""


def test_an_internal_extension_hears_of_invokes(deploy, invoke):
    name = deploy(INTERNAL)
    registered, events, request = invoke(name, {"wanted": 1}).json
    assert registered["functionName"] == name
    assert registered["functionVersion"] == "$LATEST"
    assert registered["handler"] == "index.handler"
    assert [event["eventType"] for event in events] == ["INVOKE"]
    assert events[0]["requestId"] == request
    assert events[0]["invokedFunctionArn"].endswith(name)
    assert events[0]["deadlineMs"] > time.time() * 1000 - 5000
    assert events[0]["tracing"]["type"] == "X-Amzn-Trace-Id"
    _, events, request = invoke(name, {"wanted": 2}).json
    assert [event["eventType"] for event in events] == ["INVOKE", "INVOKE"]
    assert events[1]["requestId"] == request


def test_an_environment_is_busy_until_its_extensions_are_done(deploy, invoke):
    """The answer comes at once, the next invoke waits for the extension or gets another."""
    name = deploy(INTERNAL.replace(
        "EVENTS.append(call('/event/next', headers=ME)[1])",
        "EVENTS.append(call('/event/next', headers=ME)[1]); __import__('time').sleep(0.5)",
    ))
    invoke(name, {"wanted": 1})
    began = time.monotonic()
    answer = invoke(name, {"wanted": 1}, LogType="Tail")
    assert answer.error is None
    assert time.monotonic() - began < 5


EXTERNAL = """#!/usr/bin/python3
import json, os, urllib.request
API = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2020-01-01/extension'
def call(path, data=None, headers={}):
    with urllib.request.urlopen(urllib.request.Request(API + path, data, headers)) as answer:
        return answer.headers, json.load(answer)
headers, told = call('/register', json.dumps({'events': ['INVOKE', 'SHUTDOWN']}).encode(),
                     {'Lambda-Extension-Name': os.path.basename(__file__)})
hidden = [name for name in ('_HANDLER', 'LAMBDA_TASK_ROOT', 'AWS_EXECUTION_ENV') if name in os.environ]
print('outer registered', told['functionName'], hidden, flush=True)
me = {'Lambda-Extension-Identifier': headers['Lambda-Extension-Identifier']}
while True:
    event = call('/event/next', headers=me)[1]
    print('outer heard', event['eventType'], event.get('shutdownReason'), flush=True)
    if event['eventType'] == 'SHUTDOWN':
        break
"""


def test_an_external_extension_lives_from_init_to_shutdown(own_server, tmp_path):
    package = tmp_path / "opt.zip"
    package.write_bytes(functions.package({"extensions/outer": EXTERNAL}))
    server = own_server(f'[functions]\nopt = "{package}"\n').start()
    client = clients.make(server)
    functions.create(client, "f", "def handler(event, context):\n    return event\n", Timeout=10)
    # One invoke: a second could find another environment while the extension has not finished the first.
    assert client.invoke(FunctionName="f", Payload=b"1")["Payload"].read() == b"1"
    assert server.terminate() == (0, "")
    log = "".join(path.read_text() for path in (server.data / "logs").rglob("*.jsonl"))
    assert "outer registered f []" in log
    assert log.count("outer heard INVOKE") == 1
    assert log.count("outer heard SHUTDOWN SPINDOWN") == 1
    assert "EXTENSION\\tName: outer\\tState: Ready\\tEvents: [INVOKE, SHUTDOWN]" in log


def test_an_external_extension_that_ends_is_a_failure(own_server, tmp_path):
    package = tmp_path / "opt.zip"
    package.write_bytes(functions.package({"extensions/outer": "#!/bin/sh\nexit 2\n"}))
    server = own_server(f'[functions]\nopt = "{package}"\n').start()
    client = clients.make(server)
    functions.create(client, "f", "def handler(event, context):\n    return event\n", Timeout=10)
    answer = client.invoke(FunctionName="f", Payload=b"1")
    assert answer["FunctionError"] == "Unhandled"
    assert b'"Extension.' in answer["Payload"].read()
    server.finish()
