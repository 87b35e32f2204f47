"""Failures inside the service are reported only to its operator: callers get AWS's words, and neither
paths of the host nor the names of this program's parts, the kernel's words or a store's."""

import base64
import json
import pathlib
import re
import shutil
import socket
import sqlite3

import pytest
from botocore.exceptions import ClientError

from support import clients, functions, leftovers
from support.deploying import Commands
from support.events import destined, send
from support.server import Server, runtimes_directory, wait_for

ECHO = "def handler(event, context):\n    return event\n"
NOWHERE = "/srv/place-of-the-operator"
# Go's words for what a caller's own program did are AWS's; a kernel's number behind them is not.
INNER = re.compile(
    r"""/proc|/sys/|\.rs\b|os\ error|\bOs\ \{|\bSome\(|\bErr\(|errno|panicked|unwrap
    |\bcrates?\b|\broles/|tokio|hyper|serde|sqlite|\bjournal\b|\bcgroup|spawner|\bworker\b|namespace
    |\bsandbox:|\bmount\b|\bchown|\bread-only\ file|no\ space\ left|\bI/O\ error|input/output
    |/srv/place-of-the-operator|expected\ struct|\btable\b|\bstore\b""",
    re.VERBOSE | re.IGNORECASE,
)


class Ear:
    """Hears every answer that clients get."""

    def __init__(self, server):
        self.heard = []
        self.hidden = [str(server.data), str(server.root), leftovers.tag(server.data), str(server.runtimes)]

    def client(self, server, service="lambda", **settings):
        client = clients.make(server, service, strict=False, **settings)
        client.meta.events.register("after-call", self.hear)
        return client

    def hear(self, http_response, parsed, model, **_):
        head = " ".join(f"{name}: {value}" for name, value in http_response.headers.items())
        payload = parsed.get("Payload")
        if payload is not None:
            body = payload.read()
            parsed["Payload"] = body
        else:
            body = http_response.content
        tail = base64.b64decode(http_response.headers.get("x-amz-log-result", "")).decode()
        self.heard.append((model.name, http_response.status_code, f"{head}\n{body.decode()}\n{tail}"))

    def check(self):
        """Every answer so far; those of functions that are in order are among them."""
        for name, status, text in self.heard:
            found = INNER.search(text)
            assert not found, (name, status, found, text)
            for hidden in self.hidden:
                assert hidden not in text, (name, status, hidden, text)


def refused(call, **arguments):
    """Status, code and request id of a refusal."""
    with pytest.raises(ClientError) as refusal:
        call(**arguments)
    answer = refusal.value.response
    meta = answer["ResponseMetadata"]
    return meta["HTTPStatusCode"], answer["Error"]["Code"], meta["RequestId"]


def told(server, request):
    """What the operator's log says of a request."""
    return [json.dumps(e) for e in server.entries() if isinstance(e, dict) and e.get("request_id") == request]


def own_runtimes(folder):
    """Runtimes of which some are not in order."""
    shutil.copytree(runtimes_directory(), folder)
    (folder / "nodejs/runtime.toml").write_text(f'command = ["{NOWHERE}/node", "index"]\n')
    (folder / "java/runtime.toml").write_text(f'command = ["{NOWHERE}/java"\n')
    return folder


@pytest.fixture
def broken(tmp_path):
    """A server whose runtimes, destinations and stores can be broken."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    config = f'[aws]\nendpoint_url = "http://127.0.0.1:{port}"\n'
    server = Server(config, runtimes=str(own_runtimes(tmp_path / "runtimes")))
    server.port = port
    yield server
    server.abandon()


def test_what_fails_inside_is_told_to_the_operator_alone(broken):
    server = broken.start()
    ear = Ear(server)
    client = ear.client(server)

    # A runtime that is not available, and one whose program is missing.
    functions.create(client, "java", {"A.class": "x"}, runtime="java21", Handler="A::b")
    status, code, request = refused(client.invoke, FunctionName="java")
    assert (status, code) == (502, "InvalidRuntimeException")
    assert any("runtime.toml" in line for line in told(server, request)), told(server, request)
    functions.create(client, "node", {"index.mjs": "export const handler = () => 1"}, runtime="nodejs22.x")
    answer = client.invoke(FunctionName="node", LogType="Tail")
    assert json.loads(answer["Payload"])["errorType"] == "Sandbox.Failure"
    request = answer["ResponseMetadata"]["RequestId"]
    assert any(f"{NOWHERE}/node" in line for line in told(server, request)), told(server, request)

    # Programs of functions that cannot be started, for every reason there is.
    starts = {
        "empty": {"x": ""},
        "folder": {"bootstrap/x": ""},
        "interpreter": {"bootstrap": "#!/no/such/program\n"},
        "nothing": {"bootstrap": ""},
        "foreign": {"bootstrap": b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0\xf3\0" + bytes(200)},
        "long": {"bootstrap": "#!/" + "x" * 250 + "\n"},
    }
    for name, files in starts.items():
        functions.create(client, name, files, runtime="provided.al2023")
        answer = client.invoke(FunctionName=name, LogType="Tail")
        assert answer["FunctionError"] == "Unhandled", (name, answer)
    for name, wrapper in {"absent": "/opt/none", "data": "/var/task/index.py", "dir": "/tmp"}.items():
        variables = {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": wrapper}}
        functions.create(client, name, ECHO, Environment=variables)
        client.invoke(FunctionName=name, LogType="Tail")

    # A destination that the operator has at a place that cannot be reached.
    functions.create(client, "tells", ECHO)
    destined(client, "tells", success="arn:aws:sqs:us-east-1:000000000000:queue")
    request = send(client, "tells", 1)
    commands = Commands(server)

    def last():
        status, out, err = commands("events", "tells", "--json")
        assert status == 0, err
        pending = json.loads(out)["Pending"]
        return pending[0].get("Last") if pending else None

    said = wait_for(last, within=30)
    assert str(server.port) not in said and "127.0.0.1" not in said, said
    wait_for(lambda: any(str(server.port) in line for line in told(server, request)))

    # What is kept of a package is not what was uploaded; and no folder can be unpacked.
    functions.create(client, "later", f"{ECHO}# later\n")
    blobs = set((server.data / "blobs").glob("*/code%*.zip"))
    functions.create(client, "harmed", f"{ECHO}# harmed\n")
    (blob,) = set((server.data / "blobs").glob("*/code%*.zip")) - blobs
    blob.write_bytes(functions.package({"index.py": "other"}))
    shutil.rmtree(server.data / "images")
    status, code, request = refused(client.invoke, FunctionName="harmed")
    assert (status, code) == (500, "ServiceException")
    assert any("SHA-256" in line for line in told(server, request)), told(server, request)
    client.update_function_configuration(FunctionName="harmed", Description="again")

    def failed():
        found = client.get_function_configuration(FunctionName="harmed")
        return found["LastUpdateStatus"] == "Failed" and found

    reason = wait_for(failed, within=30)["LastUpdateStatusReason"]
    assert reason == "An internal error occurred. Please upload the code again."
    shutil.rmtree(server.data / "images", ignore_errors=True)
    (server.data / "images").write_text("")
    functions.create(client, "unmade", f"{ECHO}# unmade\n", wait=False)
    status, code, request = refused(client.invoke, FunctionName="later")
    assert (status, code) == (500, "ServiceException")
    assert any("Not a directory" in line for line in told(server, request)), told(server, request)

    # What functions' logs hold is theirs to read.
    logs = ear.client(server, "logs")
    for group in logs.describe_log_groups()["logGroups"]:
        logs.filter_log_events(logGroupName=group["logGroupName"])
    ear.check()
    assert any("START RequestId" in text for *_, text in ear.heard)
    server.terminate()

    # A row that cannot be read.
    (server.data / "images").unlink()
    for path in server.data.rglob("*"):
        if path.is_file() and path.read_bytes()[:15] == b"SQLite format 3":
            harm(path, "function/000000000000/us-east-1/java")
    server.start()
    client = ear.client(server)
    status, code, request = refused(client.get_function_configuration, FunctionName="java")
    assert (status, code) == (500, "ServiceException")
    assert any("function/000000000000" in line for line in told(server, request)), told(server, request)
    ear.check()
    server.terminate()


def harm(path, key):
    """Makes a row one that is not JSON."""
    with sqlite3.connect(path) as store:
        for (table,) in store.execute("select name from sqlite_master where type = 'table'").fetchall():
            columns = [row[1] for row in store.execute(f"pragma table_info({table})")]
            if {"key", "value"} <= set(columns):
                store.execute(f"update {table} set value = ? where key = ?", (b"{", key))
    store.close()


def test_a_store_that_fails_is_not_described_to_callers(on_disk):
    server = on_disk(96, kind="ext4").start()
    ear = Ear(server)
    client, iam, logs = (ear.client(server, service) for service in ("lambda", "iam", "logs"))
    functions.create(client, "echo", ECHO)
    # What is warm needs no store.
    assert client.invoke(FunctionName="echo", Payload=b"1")["Payload"] == b"1"
    server.fail()
    zipped, _ = functions.source_package("python3.12", f"{ECHO}# new\n")
    calls = [
        (client.create_alias, {"FunctionName": "echo", "Name": "live", "FunctionVersion": "$LATEST"}),
        (client.update_function_code, {"FunctionName": "echo", "ZipFile": zipped}),
        (client.publish_layer_version, {"LayerName": "layer", "Content": {"ZipFile": zipped}}),
        (client.publish_version, {"FunctionName": "echo"}),
        (client.invoke, {"FunctionName": "echo", "Payload": b"1", "InvocationType": "Event"}),
        (client.create_function_url_config, {"FunctionName": "echo", "AuthType": "NONE"}),
        (client.tag_resource, {"Resource": "arn:aws:lambda:us-east-1:000000000000:function:echo",
                               "Tags": {"a": "b"}}),
        (iam.create_user, {"UserName": "user"}),
        (iam.create_role, {"RoleName": "role", "AssumeRolePolicyDocument": TRUST}),
        (logs.create_log_group, {"logGroupName": "/group"}),
    ]  # fmt: skip
    for call, arguments in calls:
        status, _, request = refused(call, **arguments)
        assert status == 503, (call, status)
        if call != client.invoke:
            lines = told(server, request)
            assert any("read" in line.lower() or "store" in line for line in lines), (call, lines)
    assert client.invoke(FunctionName="echo", Payload=b"1")["Payload"] == b"1"
    ear.check()
    server.process.terminate()
    server.process.wait(77)
    server.process.stdout.close()


TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "000000000000"}}],
})
