"""Traces of invokes, as a collector gets them."""

import http.server
import json
import threading

import pytest

from support import clients, functions
from support.server import wait_for

ROOT, PARENT = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
TRACE = "5759e988bd862e3fe1be46a994272793"
HEADER = "import os\ndef handler(event, context):\n    return os.environ['_X_AMZN_TRACE_ID']\n"


class Collector:
    """Takes what is exported."""

    def __init__(self):
        outer = self
        self.spans, self.resources = [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/json")
                for resource in body["resourceSpans"]:
                    outer.resources.append(resource["resource"])
                    for scope in resource["scopeSpans"]:
                        outer.spans.extend(scope["spans"])
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:{}".format(self.server.server_address[1])

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def of(self, trace):
        """The spans of a trace, by name."""
        return {span["name"]: span for span in list(self.spans) if span["traceId"] == trace}


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.close()


def invoke(client, name, header, **arguments):
    """Invokes with a trace of ours."""

    def add(request, **_):
        request.headers["X-Amzn-Trace-Id"] = header

    client.meta.events.register("before-send.lambda.Invoke", add)
    try:
        return client.invoke(FunctionName=name, **arguments)
    finally:
        client.meta.events.unregister("before-send.lambda.Invoke", add)


def without_lineage(header):
    """The header without what stops recursion."""
    return header.partition(";Lineage=")[0]


def test_an_invoke_is_one_trace(own_server, collector):
    server = own_server(f'[tracing]\notlp_endpoint = "{collector.url}"\nsampling_ratio = 1.0\n').start()
    client = clients.make(server)
    name = functions.create(client, functions.unique("f"), HEADER)["FunctionName"]
    answer = invoke(client, name, f"Root={ROOT};Parent={PARENT};Sampled=1")
    seen = without_lineage(json.loads(answer["Payload"].read()))
    names = {"request", "invoke", "counting", "assign", "worker", "run", "init"}
    spans = wait_for(lambda: (found := collector.of(TRACE)).keys() >= names and found, 30)
    parents = {name: spans[name].get("parentSpanId") for name in names}
    ids = {name: spans[name]["spanId"] for name in names}
    assert parents == {
        "request": PARENT, "invoke": ids["request"], "counting": ids["invoke"], "assign": ids["invoke"],
        "worker": ids["invoke"], "run": ids["worker"], "init": ids["run"],
    }  # fmt: skip
    # The function's own spans would be below ours.
    assert seen == f"Root={ROOT};Parent={ids['run']};Sampled=1"
    times = {name: (int(s["startTimeUnixNano"]), int(s["endTimeUnixNano"])) for name, s in spans.items()}
    assert all(start <= end for start, end in times.values())
    assert times["request"][0] <= times["invoke"][0] <= times["assign"][0] <= times["run"][0] + 1_000_000
    notes = lambda span: {a["key"]: a["value"]["stringValue"] for a in span.get("attributes", [])}
    assert notes(spans["assign"]) == {"faas.coldstart": "true"}
    assert notes(spans["invoke"])["faas.invoked_name"] == name
    assert notes(spans["request"])["http.response.status_code"] == "200"
    assert {"key": "service.name", "value": {"stringValue": "lambent"}} in collector.resources[0]["attributes"]
    # One that names no trace begins one, and an event's invoke belongs to its request's.
    client.invoke(FunctionName=name, InvocationType="Event")
    events = lambda: [s for s in list(collector.spans) if s["name"] == "request" and "parentSpanId" not in s]
    request = wait_for(events, 30)[0]
    spans = wait_for(lambda: (found := collector.of(request["traceId"])).keys() >= {"invoke", "run"} and found, 30)
    assert spans["invoke"]["parentSpanId"] == request["spanId"]
    functions.delete(client, name)
    server.finish()


def test_without_a_collector_invokes_run(own_server, collector):
    collector.close()
    server = own_server(f'[tracing]\notlp_endpoint = "{collector.url}"\nsampling_ratio = 1.0\n').start()
    client = clients.make(server)
    name = functions.create(client, functions.unique("f"), HEADER)["FunctionName"]
    for _ in range(5):
        assert client.invoke(FunctionName=name)["StatusCode"] == 200
    message = "spans of traces are lost"
    wait_for(lambda: [line for line in server.complaints() if message in line], 30)
    functions.delete(client, name)
    status, _ = server.terminate()
    assert status == 0 and all(message in line for line in server.complaints())


def test_what_is_not_sampled_is_untouched(own_server, collector):
    server = own_server(f'[tracing]\notlp_endpoint = "{collector.url}"\nsampling_ratio = 0.0\n').start()
    client = clients.make(server)
    name = functions.create(client, functions.unique("f"), HEADER)["FunctionName"]
    header = f"Root={ROOT};Parent={PARENT};Sampled=1"
    assert without_lineage(json.loads(invoke(client, name, header)["Payload"].read())) == header
    functions.delete(client, name)
    server.finish()
    assert not collector.spans
