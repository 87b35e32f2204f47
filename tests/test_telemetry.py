"""The Telemetry API and the older Logs API, as extensions in a layer use them."""

import json

import pytest

from support import functions

# Listens, registers, tries what it is told to, subscribes, and writes down what it is brought.
EXTENSION = r"""#!/usr/bin/python3
import http.server, json, os, socket, sys, threading, urllib.error, urllib.request
API = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API']
NAME = os.path.basename(sys.argv[0])
lock = threading.Lock()

def note(kind, value):
    with lock, open('/tmp/' + kind, 'a') as file:
        file.write(json.dumps(value) + '\n')

class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        items = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        for item in items:
            note('events', item)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *arguments):
        pass

def listen_tcp():
    listener = socket.create_server(('127.0.0.1', 8081))
    connection, _ = listener.accept()
    for line in connection.makefile():
        note('events', json.loads(line))

def ask(method, path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    headers = {name.replace('_', '-'): value for name, value in headers.items()}
    request = urllib.request.Request(API + path, data=data, headers=headers, method=method)
    try:
        return urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        return error

server = http.server.ThreadingHTTPServer(('0.0.0.0', 8080), Listener)
threading.Thread(target=server.serve_forever, daemon=True).start()
threading.Thread(target=listen_tcp, daemon=True).start()
answer = ask('POST', '/2020-01-01/extension/register', {'events': ['INVOKE', 'SHUTDOWN']},
             Lambda_Extension_Name=NAME)
me = {'Lambda_Extension_Identifier': answer.headers['Lambda-Extension-Identifier']}
for method, path, body in json.loads(open('/opt/wanted.json').read()):
    answer = ask(method, path, body, **me)
    note('answers', [answer.status, answer.read().decode()])
print('the extension speaks', flush=True)
first = True
while True:
    event = json.loads(ask('GET', '/2020-01-01/extension/event/next', **me).read())
    if event['eventType'] == 'SHUTDOWN':
        break
    if first:
        first = False
        path, body = '/2022-07-01/telemetry', {'types': ['function'], 'destination': {'protocol': 'TCP', 'port': 1}}
        answer = ask('PUT', path, body, **me)
        note('late', [answer.status, json.loads(answer.read())['errorType']])
"""
FUNCTION = """
    import json, os
    def handler(event, context):
        print('said', event.get('word'))
        if event.get('fail'):
            raise ValueError('as told')
        def read(kind):
            path = '/tmp/' + kind
            lines = open(path).read().splitlines() if os.path.exists(path) else []
            return [json.loads(line) for line in lines]
        return {kind: read(kind) for kind in ('events', 'answers', 'late')}
"""
TELEMETRY = "/2022-07-01/telemetry"
LOGS = "/2020-08-15/logs"
HTTP = {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/here"}
ALL = ["platform", "function", "extension"]
SOON = {"timeoutMs": 25}


@pytest.fixture
def extended(client, deploy):
    """Deploys the function with the extension, which sends these requests."""
    layers = []

    def make(*wanted, **settings):
        name = functions.unique("layer")
        package = functions.package(
            {"extensions/listener": EXTENSION, "wanted.json": json.dumps(wanted)}
        )
        layer = client.publish_layer_version(LayerName=name, Content={"ZipFile": package})
        layers.append((name, layer["Version"]))
        return deploy(FUNCTION, Layers=[layer["LayerVersionArn"]], MemorySize=256, Timeout=30, **settings)

    yield make
    for name, version in layers:
        client.delete_layer_version(LayerName=name, VersionNumber=version)


def until(invoke, name, enough):
    """What the function's extension has written down, once that is enough. Events about an invoke
    come with the next ones: between invokes nothing in there runs."""
    for number in range(200):
        seen = invoke(name, {"word": f"again {number}"}).json
        if enough(seen["events"]):
            return seen
    raise AssertionError(f"not enough: {seen}")


def kinds(events):
    return [event["type"] for event in events]


def test_an_extension_is_told_everything_that_happens(extended, invoke):
    name = extended(
        ("PUT", TELEMETRY, {"schemaVersion": "2022-12-13", "types": ALL, "buffering": SOON, "destination": HTTP})
    )
    first = invoke(name, {"word": "first"}).request_id
    seen = until(invoke, name, lambda events: "platform.report" in kinds(events))
    assert seen["answers"] == [[200, "OK"]]
    assert seen["late"] == [[403, "Telemetry.SubscriptionClosed"]]
    events = seen["events"]
    # It learns of what was before it.
    assert kinds(events)[0] == "platform.initStart"
    start = events[0]["record"]
    assert start["initializationType"] == "on-demand" and start["phase"] == "init"
    assert start["functionName"] == name and start["functionVersion"] == "$LATEST"
    by_kind = {}
    for event in events:
        by_kind.setdefault(event["type"], event)
        assert event["time"].endswith("Z")
    subscribed = by_kind["platform.telemetrySubscription"]["record"]
    assert subscribed == {"name": "listener", "state": "Subscribed", "types": ALL}
    assert by_kind["platform.initRuntimeDone"]["record"]["status"] == "success"
    assert by_kind["platform.initReport"]["record"]["metrics"]["durationMs"] > 0
    extension = by_kind["platform.extension"]["record"]
    assert extension == {"name": "listener", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}
    began = by_kind["platform.start"]["record"]
    assert began["requestId"] == first and began["version"] == "$LATEST"
    assert began["tracing"]["type"] == "X-Amzn-Trace-Id" and began["tracing"]["value"].startswith("Root=")
    done = by_kind["platform.runtimeDone"]["record"]
    assert done["requestId"] == first and done["status"] == "success"
    assert done["metrics"]["durationMs"] > 0 and done["metrics"]["producedBytes"] > 0
    assert [span["name"] for span in done["spans"]] == ["responseLatency", "responseDuration", "runtimeOverhead"]
    report = by_kind["platform.report"]["record"]
    assert report["requestId"] == first and report["metrics"]["memorySizeMB"] == 256
    assert report["metrics"]["initDurationMs"] > 0
    assert [span["name"] for span in report["spans"]] == ["extensionOverhead"]
    assert by_kind["function"]["record"] == "said first\n"
    assert by_kind["extension"]["record"] == "the extension speaks\n"


def test_only_what_is_wanted_comes_also_over_tcp(extended, invoke):
    tcp = {"protocol": "TCP", "port": 8081}
    name = extended(("PUT", TELEMETRY, {"types": ["function"], "buffering": SOON, "destination": tcp}))
    invoke(name, {"word": "first"})
    seen = until(invoke, name, lambda events: len(events) > 1)
    assert set(kinds(seen["events"])) == {"function"}
    assert seen["events"][0]["record"] == "said first\n"


def test_the_older_api_has_its_own_events(extended, invoke):
    name = extended(
        ("PUT", LOGS, {"schemaVersion": "2021-03-18", "types": ALL, "buffering": SOON, "destination": HTTP})
    )
    assert invoke(name, {"fail": True}).error
    seen = until(invoke, name, lambda events: "platform.report" in kinds(events))
    found = set(kinds(seen["events"]))
    assert {"platform.start", "platform.end", "platform.runtimeDone", "platform.logsSubscription"} <= found
    assert not {"platform.initStart", "platform.initReport", "platform.telemetrySubscription"} & found
    done = next(e["record"] for e in seen["events"] if e["type"] == "platform.runtimeDone")
    assert done["status"] == "error"


def test_lines_of_a_log_in_json_are_objects(extended, invoke):
    body = {"types": ["function"], "buffering": SOON, "destination": HTTP}
    name = extended(("PUT", TELEMETRY, body), LoggingConfig={"LogFormat": "JSON"})
    invoke(name, {"word": "first"})
    seen = until(invoke, name, lambda events: len(events) > 0)
    assert seen["events"][0]["record"] == "said first\n"
    assert invoke(name, {"fail": True}).error
    seen = until(invoke, name, lambda events: any(isinstance(e["record"], dict) for e in events))
    error = next(e["record"] for e in seen["events"] if isinstance(e["record"], dict))
    assert error["errorType"] == "ValueError" and error["level"] == "ERROR"


def test_what_is_no_subscription_is_refused(extended, invoke):
    good = {"types": ["function"], "destination": HTTP}

    def but(**changes):
        return {**good, **changes}

    reserved = {"protocol": "HTTP", "URI": "http://sandbox.localdomain:9001"}
    outside = {"protocol": "HTTP", "URI": "http://10.0.0.1:8080"}
    bad = [
        but(schemaVersion="1999-01-01"), but(types=["x"]), but(types=[]), but(buffering={"maxItems": 1}),
        but(buffering={"timeoutMs": 30001}), but(destination=reserved), but(destination=outside), {}, [],
    ]  # fmt: skip
    name = extended(*[("PUT", TELEMETRY, body) for body in bad])
    answers = invoke(name, {}).json["answers"]
    assert [status for status, _ in answers] == [400] * len(bad)
    assert all(json.loads(text)["errorType"] == "ValidationError" for _, text in answers)


def test_a_subscriber_that_does_not_listen_harms_nobody(extended, invoke, server):
    nobody = {"protocol": "HTTP", "URI": "http://127.0.0.1:7"}
    name = extended(("PUT", TELEMETRY, {"types": ALL, "buffering": SOON, "destination": nobody}))
    for number in range(5):
        assert invoke(name, {"word": number}).error is None
