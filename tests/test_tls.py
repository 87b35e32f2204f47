"""The AWS APIs and function URLs over TLS."""

import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import threading
import urllib.parse

import pytest

from support import clients, functions, raw, tls
from support.cli import environment
from support.server import binary, wait_for

NAME = "def handler(event, context):\n    return {'ran': context.function_name}\n"
EVENT = "def handler(event, context):\n    return event\n"
# From inside: the address that SDKs find, and the one that its answer names.
INSIDE = """
import os, urllib.request, boto3

def handler(event, context):
    lambda_ = boto3.client("lambda")
    location = lambda_.get_function(FunctionName=context.function_name)["Code"]["Location"]
    with urllib.request.urlopen(location) as answer:
        return {"at": location.split("/_")[0], "zip": answer.read(2).decode()}
"""


class Pair:
    """A certificate and its key, where a server reads them."""

    def __init__(self, folder):
        self.folder = folder
        self.key, self.certificate = folder / "served.key", folder / "served.pem"
        self.believed = None
        self.renew()

    def renew(self):
        """Puts a new pair in the place of the former one, one file after the other."""
        key, self.believed = tls.certificate(self.folder, f"made{len(list(self.folder.iterdir()))}")
        for made, served in ((self.believed, self.certificate), (key, self.key)):
            copy = served.with_suffix(".new")
            copy.write_bytes(made.read_bytes())
            os.rename(copy, served)

    def config(self):
        return f'[requests.tls]\ncertificate = "{self.certificate}"\nkey = "{self.key}"\n'


@pytest.fixture
def pair(tmp_path):
    return Pair(tmp_path)


def shown(server):
    """The certificate that a new connection gets."""
    address = urllib.parse.urlparse(server.url)
    return ssl.get_server_certificate((address.hostname, address.port), timeout=10)


def open_to_all(client, name):
    """A function's URL that everybody may call."""
    for action, condition in (
        ("lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
        ("lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
    ):
        client.add_permission(
            FunctionName=name, StatementId=action.split(":")[1], Action=action, Principal="*", **condition
        )
    return client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]


def test_clients_work_over_tls_and_nothing_else(own_server, pair, tmp_path):
    server = own_server(pair.config() + '[events]\nlisten = "127.0.0.1:0"\n').start()
    assert server.url.startswith("https://")
    client = clients.make(server, verify=str(pair.believed))
    name = functions.create(client, functions.unique("f"), EVENT)["FunctionName"]
    answer = client.invoke(FunctionName=name, Payload=b'{"a": 1}')
    assert json.loads(answer["Payload"].read()) == {"a": 1}
    assert client.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")["StatusCode"] == 202
    location = client.get_function(FunctionName=name)["Code"]["Location"]
    assert location.startswith(server.url)
    # A function URL, over TLS.
    url = urllib.parse.urlparse(open_to_all(client, name))
    assert url.scheme == "https"
    address = urllib.parse.urlparse(server.url)
    trusted = ssl.create_default_context(cafile=pair.believed)
    trusted.set_alpn_protocols(["h2", "http/1.1"])
    with contextlib.closing(
        http.client.HTTPSConnection(address.hostname, address.port, context=trusted, timeout=60)
    ) as connection:
        connection.request("GET", "/x", headers={"Host": url.netloc, "X-Forwarded-For": "192.0.2.1"})
        event = json.loads(connection.getresponse().read())
        assert connection.sock.selected_alpn_protocol() == "http/1.1"
    assert event["headers"]["x-forwarded-proto"] == "https"
    assert event["headers"]["x-forwarded-for"] == "127.0.0.1"
    # Where events are taken, too.
    events = next(e["address"] for e in server.entries() if e.get("message") == "events are also accepted here")
    host, port = events.rsplit(":", 1)
    with trusted.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host) as stream:
        stream.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
        assert stream.recv(9) == b"HTTP/1.1 "
    # Our own commands; and plain HTTP has no answer.
    variables = {**environment(server, tmp_path), "AWS_CA_BUNDLE": str(pair.believed)}
    done = subprocess.run(
        [binary(), "functions", "--endpoint", server.url], env=variables, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "") and name in done.stdout
    assert raw.exchange(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") is None
    functions.delete(client, name)
    server.finish()


def test_a_policy_can_ask_for_tls(own_server, pair):
    server = own_server(pair.config()).start()
    verify = str(pair.believed)
    iam = clients.make(server, "iam", verify=verify)
    iam.create_user(UserName="ann")
    statement = {"Effect": "Allow", "Action": "lambda:ListFunctions", "Resource": "*",
                 "Condition": {"Bool": {"aws:SecureTransport": "true"}}}  # fmt: skip
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    client = clients.make(server, keys=(key["AccessKeyId"], key["SecretAccessKey"]), verify=verify)
    assert clients.status(client.list_functions) == 200
    statement["Condition"]["Bool"]["aws:SecureTransport"] = "false"
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=document)
    wait_for(lambda: clients.status(client.list_functions) == 403)
    server.finish()


def test_functions_find_the_api_on_their_loopback(own_server, pair):
    rights = '[functions]\napi = true\nrole_actions = ["lambda:Get*"]\n'
    server = own_server(pair.config() + rights).start()
    client = clients.make(server, verify=str(pair.believed))
    name = functions.create(client, functions.unique("f"), INSIDE, Timeout=60)["FunctionName"]
    answer = json.loads(client.invoke(FunctionName=name, Payload=b"{}")["Payload"].read())
    assert answer == {"at": "http://127.0.0.1:9100", "zip": "PK"}
    functions.delete(client, name)
    server.finish()


def test_a_new_certificate_is_shown_while_requests_run(own_server, pair):
    server = own_server(pair.config()).start()
    first = pair.believed
    client = clients.make(server, verify=str(first))
    name = functions.create(client, functions.unique("f"), NAME)["FunctionName"]
    # One connection for all of it, which stays with the first certificate.
    client = clients.make(server, verify=str(first), max_pool_connections=1)
    over, ran = threading.Event(), []

    def ask():
        while not over.is_set():
            ran.append(json.loads(client.invoke(FunctionName=name)["Payload"].read()))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        wait_for(lambda: ran)
        assert shown(server) == first.read_text()
        pair.renew()
        wait_for(lambda: shown(server) == pair.believed.read_text(), 30)
        before = len(ran)
        wait_for(lambda: len(ran) > before + 1)
        # One that does not fit is not taken.
        served = pair.certificate.read_text()
        pair.certificate.write_text(first.read_text())
        message = "the new certificate cannot be used, the former one stays"
        told = wait_for(lambda: [e for e in server.entries() if e.get("message") == message], 30)
        assert f"{pair.certificate} and the key in {pair.key} cannot be used together" in json.dumps(told[0])
        assert shown(server) == pair.believed.read_text() == served
        before = len(ran)
        wait_for(lambda: len(ran) > before + 1)
    finally:
        over.set()
        asking.join()
    assert asking and all(answer == {"ran": name} for answer in ran)
    functions.delete(client, name)
    status, _ = server.terminate()
    assert status == 0
    assert [message in line for line in server.complaints()] == [True]


def test_who_speaks_no_tls_keeps_no_place(own_server, pair):
    bounds = "[requests]\nconnections = 60\nconnections_per_address = 40\n"
    server = own_server(bounds + pair.config()).start()
    idle = [raw.connect(server) for _ in range(40)]
    client = clients.make(server, verify=str(pair.believed))
    # Silent ones make room.
    assert clients.status(client.list_functions) == 200
    for stream in idle:
        stream.close()
    server.finish()


@pytest.mark.parametrize("config, told", [
    ('[requests.tls]\ncertificate = "/nowhere.pem"\nkey = "/nowhere.key"', "/nowhere.pem cannot be read"),
    ('[requests.tls]\ncertificate = "/nowhere.pem"', "certificate and key are needed, or neither"),
    ('[requests]\nbalancers = ["lb"]', "requests.balancers: lb is neither an address nor a net"),
    ("[requests]\nproxy_protocol = true", "requests.balancers has to say who sends its headers"),
    ('[urls]\nscheme = "ftp"', "urls.scheme: ftp is neither http nor https"),
])  # fmt: skip
def test_what_cannot_be_used_is_said_at_the_start(own_server, config, told):
    server = own_server(config)
    with pytest.raises(RuntimeError) as refused:
        server.start()
    assert told in str(refused.value)
