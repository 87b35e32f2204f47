"""Where requests are taken: whom a request is for, and what strangers may make the server hold."""

import contextlib
import json
import urllib.parse

import pytest

from support import clients, functions, raw, signing, urls

ECHO = "def handler(event, context):\n    return {'ran': context.function_name, 'path': event.get('rawPath')}\n"
PATH = "/2015-03-31/functions"
# All requests together may take this many MB, and there are this many connections.
SMALL = """
[requests]
connections = 60
connections_per_address = 40
memory_mb = 128
"""


def open_to_all(client, name):
    """Lets everybody call a function's URL."""
    for action, condition in (
        ("lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
        ("lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
    ):
        client.add_permission(
            FunctionName=name, StatementId=action.split(":")[1], Action=action, Principal="*", **condition
        )


@pytest.fixture
def two(client, deploy):
    """Two functions with URLs for signed requests: name and host of each."""
    names = [deploy(ECHO), deploy(ECHO)]
    made = [client.create_function_url_config(FunctionName=name, AuthType="AWS_IAM") for name in names]
    hosts = [urllib.parse.urlparse(url["FunctionUrl"]).netloc for url in made]
    return list(zip(names, hosts))


def signed_for(server, host, path, expires=None):
    """Path and headers of a GET that is signed for a host."""
    key, secret = server.credentials()
    request = urls.AWSRequest(method="GET", url=f"http://{host}{path}")
    credentials = urls.Credentials(key, secret)
    if expires is None:
        urls.SigV4Auth(credentials, "lambda", urls.REGION).add_auth(request)
    else:
        urls.SigV4QueryAuth(credentials, "lambda", urls.REGION, expires=expires).add_auth(request)
    target = urllib.parse.urlparse(request.url)
    query = f"?{target.query}" if target.query else ""
    return target.path + query, list(request.headers.items())


@pytest.mark.parametrize("expires", [None, 60])
def test_a_signature_for_one_function_does_not_run_another(server, two, expires):
    (name, host), (_, other) = two
    target, headers = signed_for(server, host, "/", expires)
    get = lambda target, hosts: raw.exchange(
        server, raw.head(f"GET {target} HTTP/1.1", [*(("Host", host) for host in hosts), *headers])
    )
    status, body = get(target, [host])
    assert (status, json.loads(body)["ran"]) == (200, name)
    assert get(f"http://{host}{target}", [host])[0] == 200
    # The request line says the other, or somebody else does.
    for line, hosts, expected in [
        (f"http://{other}{target}", [host], 400),
        (f"http://{host}{target}", [other], 400),
        (f"http://{other}{target}", [], 403),
        (target, [other], 403),
        (target, [host, other], 400),
        (target, [other, host], 400),
        (target, [f"{host}, {other}"], 400),
        (target, [f"x@{host}"], 400),
        (target, [], 400),
    ]:
        assert get(line, hosts)[0] == expected, (line, hosts)


def test_a_signature_for_one_path_is_for_no_other(server, two):
    ids = [host.split(".")[0] for _, host in two]
    host = urllib.parse.urlparse(server.url).netloc
    target, headers = signed_for(server, host, f"/lambda-url/{ids[0]}/x")
    get = lambda target: raw.exchange(server, raw.head(f"GET {target} HTTP/1.1", [("Host", host), *headers]))
    status, body = get(target)
    assert (status, json.loads(body)) == (200, {"ran": two[0][0], "path": "/x"})
    # To a signature these are one path, and each would be another request.
    for path in (f"/lambda-url/{ids[1]}/../{ids[0]}/x", f"/lambda-url/{ids[0]}//x", f"/lambda-url/{ids[0]}/y/../x"):
        assert get(path)[0] == 403, path


def test_who_has_a_link_cannot_add_to_it(server, deploy_once):
    name = deploy_once(ECHO)
    path = f"{PATH}/{name}/invocations"
    target, _ = signing.sign(server, "POST", path, b"", {}, server.credentials(), query_expires=60)
    assert signing.send(server, "POST", target, {})[0] == 200
    for header in ("X-Amz-Invocation-Type", "X-Amz-Client-Context", "X-Amz-Log-Type"):
        status, _, body = signing.send(server, "POST", target, {header: "Event"})
        assert status == 403 and "must be a 'SignedHeader'" in body.decode(), body


def test_a_list_of_signed_headers_asks_for_no_more_than_is_there(server):
    key, _ = server.credentials()
    _, headers = signing.sign(server, "GET", PATH, b"", {}, server.credentials())
    date = headers["X-Amz-Date"]
    scope = f"{key}/{date[:8]}/us-east-1/lambda/aws4_request"
    before = raw.resident_mb(server)
    for names, status in [("long;" * 7_000, 403), ("host;x-amz-date", 403)]:
        authorization = (
            f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names.rstrip(';')}, Signature={'0' * 64}"
        )
        sent = raw.head(f"GET {PATH} HTTP/1.1", [
            ("Host", "x"), ("X-Amz-Date", date), ("long", "x" * 25_000), ("Authorization", authorization),
        ])  # fmt: skip
        answer = raw.exchange(server, sent)
        assert answer[0] == status and len(answer[1]) < 20_000
    # And a head has 64 KB.
    sent = raw.head(f"GET {PATH} HTTP/1.1", [("Host", "x"), ("long", "x" * 66_000)])
    assert raw.exchange(server, sent)[0] == 431
    assert raw.resident_mb(server) < before + 50


@pytest.mark.parametrize("streamed", [False, True])
def test_a_response_with_too_many_headers_is_a_bad_gateway(server, client, deploy, streamed):
    if streamed:
        name = deploy("""
            export const handler = awslambda.streamifyResponse(async (event, stream) => {
                const headers = {};
                for (let n = 0; n < 40000; n++) headers[`x-${n}`] = "v";
                stream = awslambda.HttpResponseStream.from(stream, {statusCode: 200, headers});
                stream.write("body");
                stream.end();
            });
        """, runtime="nodejs20.x", MemorySize=512)
    else:
        name = deploy(
            "def handler(event, context):\n"
            "    return {'statusCode': 200, 'headers': {f'x-{n}': 'v' for n in range(40000)}}\n"
        )
    mode = "RESPONSE_STREAM" if streamed else "BUFFERED"
    made = client.create_function_url_config(FunctionName=name, AuthType="NONE", InvokeMode=mode)
    open_to_all(client, name)
    answer = urls.call(server, made["FunctionUrl"])
    assert (answer.status, answer.text) == (502, "Internal Server Error")


@pytest.fixture
def small(own_server):
    """A server that takes little at a time, and what is open to it."""
    server = own_server(SMALL).start()
    with contextlib.ExitStack() as stack:
        yield server, stack
    server.finish()


def test_idle_connections_keep_nobody_out(small):
    server, stack = small
    # More of each address than it may have, and more of all than there may be.
    for source in ("127.0.0.2", "127.0.0.3"):
        for _ in range(50):
            stack.enter_context(raw.connect(server, source))
    for _ in range(3):
        assert signing.request(server, "GET", PATH)[0] == 200


def test_who_sends_slowly_keeps_nobody_out(small):
    server, stack = small
    strangers = (server.credentials()[0], "x" * 40)
    # A known key's id, and no secret: ten packages of 60 MB of which 15 MB come.
    for n in range(10):
        stack.enter_context(
            raw.upload(server, PATH, 60 << 20, strangers, sent=15 << 20, source=f"127.0.0.{2 + n % 2}")
        )
    assert raw.resident_mb(server) < 128 + 150
    layer = functions.package({"data": bytes(range(256)) * (8 << 12)})
    client = clients.make(server)
    made = client.publish_layer_version(LayerName="large", Content={"ZipFile": layer})
    assert made["Version"] == 1
    # Nor does the server keep what strangers sent.
    assert raw.resident_mb(server) < 128 + 200


def test_a_head_that_does_not_end_takes_no_more_than_its_share(small):
    server, stack = small
    for n in range(50):
        stream = stack.enter_context(raw.connect(server, f"127.0.0.{2 + n % 3}"))
        with contextlib.suppress(ConnectionError):
            stream.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nlong: " + b"x" * 60_000)
    assert signing.request(server, "GET", PATH)[0] == 200
    assert raw.resident_mb(server) < 128


def test_a_body_is_not_read_whose_signature_is_not_good(server):
    key, _ = server.credentials()
    _, headers = signing.sign(
        server, "POST", PATH, b"", {"X-Amz-Content-SHA256": "0" * 64, "Content-Length": str(50 << 20)},
        (key, "x" * 40),
    )  # fmt: skip
    host = urllib.parse.urlparse(server.url).netloc
    # Not a byte of it is sent.
    status, body = raw.exchange(server, raw.head(f"POST {PATH} HTTP/1.1", [("Host", host), *headers.items()]))
    assert status == 403 and b"does not match the signature you provided" in body
