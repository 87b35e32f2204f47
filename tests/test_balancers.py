"""Balancers in front of a server: whose word counts about where a request came from."""

import http.client
import json
import socket
import struct
import urllib.parse

import pytest

from support import clients, functions, raw, signing
from support.server import wait_for

EVENT = "def handler(event, context):\n    return event\n"
PATH = "/2015-03-31/functions/"
# Every address of 127.0.0.0/8 is this machine's: 127.0.0.2 and 127.0.1.0/24 are balancers.
BALANCERS = """
[requests]
connections = 60
connections_per_address = 3
balancers = ["127.0.0.2", "127.0.1.0/24"]
"""
BALANCER, OTHER = "127.0.0.2", "127.0.0.3"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(client):
    return f"PROXY TCP4 {client} 127.0.0.1 4711 80\r\n".encode()


def v2(client, more=b""):
    rest = socket.inet_aton(client) + socket.inet_aton("127.0.0.1") + struct.pack(">HH", 4711, 80) + more
    return SIGNATURE + b"\x21\x11" + struct.pack(">H", len(rest)) + rest


LOCAL = SIGNATURE + b"\x20\x00\x00\x00"


@pytest.fixture
def balanced(own_server):
    """Starts a server behind balancers, with a function that has a URL: the server and the URL's host."""

    def start(config=BALANCERS):
        server = own_server(config).start()
        client = clients.make(server)
        name = functions.create(client, functions.unique("f"), EVENT)["FunctionName"]
        for action, condition in (
            ("lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
            ("lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
        ):
            client.add_permission(
                FunctionName=name, StatementId=action.split(":")[1], Action=action, Principal="*", **condition
            )
        url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
        return server, urllib.parse.urlparse(url).netloc

    return start


def send(server, source, first, sent):
    """Sends bytes from an address; status and body, or None."""
    with raw.connect(server, source) as stream:
        stream.sendall(first + sent)
        answer = http.client.HTTPResponse(stream)
        try:
            answer.begin()
            return answer.status, answer.read()
        except (http.client.HTTPException, ConnectionError):
            return None


def seen(server, host, source, headers=(), first=b""):
    """What the function sees: its caller's address by both names, and the scheme. None without an answer."""
    answer = send(server, source, first, raw.head("GET / HTTP/1.1", [("Host", host), *headers]))
    if answer is None:
        return None
    event = json.loads(answer[1])
    headers = event["headers"]
    return event["requestContext"]["http"]["sourceIp"], headers["x-forwarded-for"], headers["x-forwarded-proto"]


def test_a_balancer_is_believed_and_nobody_else(balanced):
    server, host = balanced()
    said = [("X-Forwarded-For", "198.51.100.9, 192.0.2.7, 127.0.1.1"), ("X-Forwarded-Proto", "https")]
    assert seen(server, host, BALANCER, said) == ("192.0.2.7", "192.0.2.7", "https")
    assert seen(server, host, "127.0.1.200", said) == ("192.0.2.7", "192.0.2.7", "https")
    assert seen(server, host, OTHER, said) == (OTHER, OTHER, "http")
    assert seen(server, host, BALANCER) == (BALANCER, BALANCER, "http")
    # Without the protocol, its header is no request.
    assert send(server, BALANCER, v1("192.0.2.7"), raw.head("GET / HTTP/1.1", [("Host", host)]))[0] == 400
    server.finish()


def test_policies_see_the_client(balanced):
    server, _ = balanced()
    iam = clients.make(server, "iam")
    iam.create_user(UserName="ann")
    statement = {"Effect": "Allow", "Action": "lambda:ListFunctions", "Resource": "*",
                 "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"},
                               "Bool": {"aws:SecureTransport": "true"}}}  # fmt: skip
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    keys = (key["AccessKeyId"], key["SecretAccessKey"])

    def status(source, address, scheme):
        _, headers = signing.sign(server, "GET", PATH, b"", {}, keys)
        named = [("Host", urllib.parse.urlparse(server.url).netloc), *headers.items()]
        forwarded = [("X-Forwarded-For", address), ("X-Forwarded-Proto", scheme)]
        return send(server, source, b"", raw.head(f"GET {PATH} HTTP/1.1", named + forwarded))[0]

    assert status(BALANCER, "192.0.2.7", "https") == 200
    for source, address, scheme in [
        (OTHER, "192.0.2.7", "https"),
        (BALANCER, "198.51.100.7", "https"),
        (BALANCER, "192.0.2.7", "http"),
        (BALANCER, "192.0.2.7, 198.51.100.7", "https"),
    ]:
        assert status(source, address, scheme) == 403, (source, address, scheme)
    server.finish()


def test_functions_that_call_the_api_are_no_balancer(own_server):
    """They come from the loopback, as a balancer of the same machine does."""
    source = """
import json, urllib.request

def handler(event, context):
    request = urllib.request.Request("http://127.0.0.1:9100/lambda-url/" + event["url"] + "/")
    request.add_header("X-Forwarded-For", "192.0.2.7")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)
"""
    config = '[requests]\nbalancers = ["127.0.0.1"]\n[functions]\napi = true\n'
    server = own_server(config).start()
    client = clients.make(server)
    called = functions.create(client, functions.unique("f"), EVENT)["FunctionName"]
    for action, condition in (
        ("lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
        ("lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
    ):
        client.add_permission(
            FunctionName=called, StatementId=action.split(":")[1], Action=action, Principal="*", **condition
        )
    url = client.create_function_url_config(FunctionName=called, AuthType="NONE")["FunctionUrl"]
    host = urllib.parse.urlparse(url).netloc
    caller = functions.create(client, functions.unique("f"), source, Timeout=60)["FunctionName"]
    payload = json.dumps({"url": host.split(".")[0]})
    event = json.loads(client.invoke(FunctionName=caller, Payload=payload)["Payload"].read())
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
    assert event["headers"]["x-forwarded-proto"] == "http"
    assert seen(server, host, "127.0.0.1", [("X-Forwarded-For", "192.0.2.7")])[0] == "192.0.2.7"
    server.finish()


def test_the_proxy_protocol_names_the_client(balanced):
    server, host = balanced(BALANCERS + "proxy_protocol = true\n")
    for header in (v1("192.0.2.7"), v2("192.0.2.7"), v2("192.0.2.7", b"\x04\x00\x03abc")):
        assert seen(server, host, BALANCER, first=header) == ("192.0.2.7", "192.0.2.7", "http")
        # A client's own header counts for nothing, and that of a balancer behind another does.
        forwarded = [("X-Forwarded-For", "198.51.100.9")]
        assert seen(server, host, BALANCER, forwarded, header)[0] == "192.0.2.7"
    assert seen(server, host, BALANCER, [("X-Forwarded-For", "192.0.2.7")], v2("127.0.1.9"))[0] == "192.0.2.7"
    assert seen(server, host, BALANCER, first=LOCAL)[0] == BALANCER
    # Who is no balancer sends none.
    assert seen(server, host, OTHER)[0] == OTHER
    request = raw.head("GET / HTTP/1.1", [("Host", host)])
    assert send(server, OTHER, v1("192.0.2.7"), request)[0] == 400
    # A balancer sends one on each connection.
    for header in (b"", b"PROXY TCP4 x y 1 2\r\n"):
        assert send(server, BALANCER, header, request) is None
    server.terminate()
    complaints = [json.loads(line) for line in server.complaints()]
    assert {line["message"] for line in complaints} == {"a balancer's connection is closed"}
    assert len(complaints) == 2 and all(line["balancer"] == BALANCER for line in complaints)


def busy(server, host, source, first=b""):
    """A connection whose request is being answered: its body has not come. True if it has a place."""
    stream = raw.connect(server, source, timeout=10)
    head = raw.head(
        "POST / HTTP/1.1", [("Host", host), ("Content-Length", "5"), ("Expect", "100-continue")]
    )
    stream.sendall(first + head)
    try:
        return stream, stream.recv(12) == b"HTTP/1.1 100"
    except ConnectionError:
        return stream, False


def test_a_balancer_has_any_number_of_connections_and_a_client_few(balanced):
    server, host = balanced()
    of_one = [busy(server, host, OTHER) for _ in range(4)]
    assert [has for _, has in of_one] == [True, True, True, False]
    of_many = [busy(server, host, BALANCER) for _ in range(10)]
    assert all(has for _, has in of_many)
    for stream, _ in of_one + of_many:
        stream.close()
    server.finish()


def test_behind_the_proxy_protocol_each_client_has_its_own_share(balanced):
    server, host = balanced(BALANCERS + "proxy_protocol = true\n")
    of_one = [busy(server, host, BALANCER, v2("192.0.2.7")) for _ in range(4)]
    assert [has for _, has in of_one] == [True, True, True, False]
    other = busy(server, host, BALANCER, v1("192.0.2.8"))
    assert other[1]
    for stream, _ in [*of_one, other]:
        stream.close()
    # The share is free again.
    wait_for(lambda: seen(server, host, BALANCER, first=v2("192.0.2.7")))
    server.finish()
