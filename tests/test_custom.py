"""Custom runtimes: whatever speaks the Runtime API, here in Python's own HTTP client."""

import base64
import re

import pytest

from support.functions import create, delete, unique

BOOTSTRAP = """#!/usr/bin/python3
import http.client, json, os, sys, time
API = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
BASE = '/2018-06-01/runtime/'
def call(method, path, body=None, headers={}):
    API.request(method, BASE + path, body, headers)
    answer = API.getresponse()
    return answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), answer.read()
def next():
    _, headers, body = call('GET', 'invocation/next')
    return headers['lambda-runtime-aws-request-id'], headers, json.loads(body)
%s
"""
ECHO = """
while True:
    request, headers, event = next()
    print('handled', request, flush=True)
    call('POST', f'invocation/{request}/response', json.dumps([headers, event, os.environ['_HANDLER']]))
"""


@pytest.fixture
def custom(client, invoke):
    """Deploys a loop as `bootstrap` and gives its name."""
    made = []

    def make(loop, runtime="provided.al2023", **settings):
        name = unique("custom")
        made.append(name)
        settings.setdefault("Handler", "whatever")
        create(client, name, {"bootstrap": BOOTSTRAP % loop}, runtime, **settings)
        return name

    yield make
    for name in made:
        delete(client, name)


@pytest.mark.parametrize("runtime", ["provided.al2023", "provided.al2"])
def test_a_loop_of_ones_own(custom, invoke, runtime):
    name = custom(ECHO, runtime)
    answer = invoke(name, {"a": 1}, LogType="Tail")
    headers, event, handler = answer.json
    assert event == {"a": 1}
    assert handler == "whatever"
    assert headers["lambda-runtime-aws-request-id"] == answer.request_id
    assert headers["lambda-runtime-invoked-function-arn"].endswith(name)
    assert int(headers["lambda-runtime-deadline-ms"]) > 1_700_000_000_000
    assert headers["lambda-runtime-trace-id"].startswith("Root=1-")
    assert headers["content-type"] == "application/json"
    log = base64.b64decode(answer.raw["LogResult"]).decode()
    assert f"handled {answer.request_id}" in log


def test_the_runtime_apis_refusals(custom, invoke):
    name = custom("""
while True:
    request, headers, event = next()
    seen = [call('POST', 'invocation/not-this-one/response', '1')[0],
            call('POST', 'init/error', '{}')[0]]
    done = call('POST', f'invocation/{request}/response', json.dumps(seen))
    again = call('POST', f'invocation/{request}/response', '2')
    print(done[0], done[2].decode(), again[0], json.loads(again[2])['errorType'], flush=True)
    call('POST', 'nothing/of/the/kind', '')
""")
    first = invoke(name, {}, LogType="Tail")
    assert first.json == [400, 403], base64.b64decode(first.raw["LogResult"]).decode()
    second = invoke(name, {}, LogType="Tail")
    assert second.json == [400, 403]
    log = base64.b64decode(second.raw["LogResult"]).decode()
    assert re.search(r'202 \{"status": ?"OK"\}\s+403 InvalidStateTransition', log), log


def test_errors_by_the_runtime_api(custom, invoke):
    name = custom("""
while True:
    request, headers, event = next()
    call('POST', f'invocation/{request}/error',
         json.dumps({'errorMessage': 'own words', 'errorType': 'Own', 'stackTrace': ['here']}),
         {'Lambda-Runtime-Function-Error-Type': 'Function.Own'})
""")
    answer = invoke(name, {})
    assert answer.error == "Unhandled"
    assert answer.json == {"errorMessage": "own words", "errorType": "Own", "stackTrace": ["here"]}


def test_init_errors_by_the_runtime_api(custom, invoke):
    name = custom("""
call('POST', 'init/error', json.dumps({'errorMessage': 'no database', 'errorType': 'Own.Init'}),
     {'Lambda-Runtime-Function-Error-Type': 'Function.NoDatabase'})
sys.exit(1)
""")
    answer = invoke(name, {})
    assert answer.error == "Unhandled"
    assert answer.json["errorMessage"] == "no database"


def test_a_streamed_response_is_collected(custom, invoke):
    name = custom("""
while True:
    request, headers, event = next()
    API.putrequest('POST', BASE + f'invocation/{request}/response')
    API.putheader('Lambda-Runtime-Function-Response-Mode', 'streaming')
    API.putheader('Transfer-Encoding', 'chunked')
    API.putheader('Content-Type', 'text/plain')
    API.endheaders()
    for piece in (b'one ', b'two ', b'three'):
        API.send(b'%x\\r\\n%s\\r\\n' % (len(piece), piece))
        time.sleep(0.01)
    API.send(b'0\\r\\n\\r\\n')
    API.getresponse().read()
""")
    assert invoke(name, {}).body == b"one two three"
    assert invoke(name, {}).body == b"one two three"


def test_no_bootstrap(client, invoke):
    name = unique("custom")
    create(client, name, {"other": "x"}, "provided.al2023")
    answer = invoke(name, {})
    assert answer.error == "Unhandled"
    assert answer.json["errorType"] == "Runtime.InvalidEntrypoint"
    assert "/var/task/bootstrap" in answer.json["errorMessage"]
    delete(client, name)


def test_a_bootstrap_that_only_ends(client, invoke):
    name = unique("custom")
    create(client, name, {"bootstrap": "#!/bin/sh\nexit 3\n"}, "provided.al2023")
    answer = invoke(name, {})
    assert answer.error == "Unhandled"
    assert answer.json["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in answer.json["errorMessage"]
    delete(client, name)
