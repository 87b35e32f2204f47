"""Function URLs: their configuration, and what comes of calling them."""

import base64
import json
import re
import socket
import time
import urllib.parse

import pytest
from botocore.exceptions import ClientError

from support import functions, urls
from support.functions import unique

ECHO = "import json\ndef handler(event, context):\n    return event\n"
NODE = "nodejs20.x"


OTHER = ("AKIATESTSOFANOTHERAC", "secret-of-another-account")


def open_to_all(client, name, **qualifier):
    """Lets everybody call the URL of a function."""
    client.add_permission(
        FunctionName=name, StatementId="url", Action="lambda:InvokeFunctionUrl", Principal="*",
        FunctionUrlAuthType="NONE", **qualifier
    )
    client.add_permission(
        FunctionName=name, StatementId="invoke", Action="lambda:InvokeFunction", Principal="*",
        InvokedViaFunctionUrl=True, **qualifier
    )


@pytest.fixture
def url_of(client, deploy):
    """Deploys a function with a URL that everybody may call, and gives its address."""

    def make(source, auth="NONE", mode="BUFFERED", cors=None, client=client, **settings):
        name = deploy(source, client=client, **settings)
        more = {"Cors": cors} if cors else {}
        made = client.create_function_url_config(
            FunctionName=name, AuthType=auth, InvokeMode=mode, **more
        )
        if auth == "NONE":
            open_to_all(client, name)
        make.name = name
        return made["FunctionUrl"]

    return make


@pytest.fixture(scope="module")
def echo_url(client, deploy_once):
    """The URL of a function that returns its event."""
    name = deploy_once(ECHO)
    made = client.create_function_url_config(FunctionName=name, AuthType="NONE")
    open_to_all(client, name)
    return made["FunctionUrl"]


def code(call, *arguments, **named):
    with pytest.raises(ClientError) as caught:
        call(*arguments, **named)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


# The configuration.


def test_a_url_is_made_read_changed_listed_and_deleted(client, deploy):
    name = deploy(ECHO)
    made = client.create_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    assert re.fullmatch(r"http://[a-z0-9]{32}\.lambda-url\.us-east-1\.localhost:\d+/", made["FunctionUrl"])
    assert made["FunctionArn"].endswith(f":function:{name}")
    assert made["AuthType"] == "AWS_IAM"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made["CreationTime"])
    assert "Cors" not in made
    cors = {"AllowOrigins": ["https://example.com"], "AllowMethods": ["GET", "*"], "MaxAge": 5,
            "AllowCredentials": True, "AllowHeaders": ["x-a"], "ExposeHeaders": []}
    changed = client.update_function_url_config(
        FunctionName=name, AuthType="NONE", InvokeMode="RESPONSE_STREAM", Cors=cors
    )
    assert changed["FunctionUrl"] == made["FunctionUrl"]
    assert changed["CreationTime"] == made["CreationTime"]
    assert changed["LastModifiedTime"] >= made["CreationTime"]
    assert changed["Cors"] == cors
    read = client.get_function_url_config(FunctionName=name)
    changed.pop("ResponseMetadata"), read.pop("ResponseMetadata")
    assert read == changed
    # What a change does not name stays.
    client.update_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    read = client.get_function_url_config(FunctionName=name)
    assert (read["InvokeMode"], read["Cors"]) == ("RESPONSE_STREAM", cors)
    client.delete_function_url_config(FunctionName=name)
    missing = ("ResourceNotFoundException", "The resource you requested does not exist.")
    assert code(client.get_function_url_config, FunctionName=name) == missing
    assert code(client.delete_function_url_config, FunctionName=name) == missing
    again = client.create_function_url_config(FunctionName=name, AuthType="NONE")
    assert again["FunctionUrl"] != made["FunctionUrl"]


def test_a_function_and_its_aliases_have_one_each(client, deploy):
    name = deploy(ECHO)
    version = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    own = client.create_function_url_config(FunctionName=name, AuthType="NONE")
    live = client.create_function_url_config(FunctionName=name, Qualifier="live", AuthType="NONE")
    assert live["FunctionArn"].endswith(f":{name}:live")
    assert live["FunctionUrl"] != own["FunctionUrl"]
    kind, words = code(client.create_function_url_config, FunctionName=name, AuthType="NONE")
    assert kind == "ResourceConflictException"
    assert words == (
        f"Failed to create function url config for [functionArn = {own['FunctionArn']}]. "
        "Error message:  FunctionUrlConfig exists for this Lambda function"
    )
    listed = client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
    assert {entry["FunctionUrl"] for entry in listed} == {own["FunctionUrl"], live["FunctionUrl"]}
    pages = client.get_paginator("list_function_url_configs").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 1}
    )
    pages = [page["FunctionUrlConfigs"] for page in pages]
    assert [len(page) for page in pages] == [1, 1]
    # With the alias goes its URL.
    client.delete_alias(FunctionName=name, Name="live")
    listed = client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
    assert [entry["FunctionUrl"] for entry in listed] == [own["FunctionUrl"]]


def test_a_version_has_none(client, loose, deploy):
    name = deploy(ECHO)
    version = client.publish_version(FunctionName=name)["Version"]
    for arguments in ({"Qualifier": version}, {"Qualifier": "$LATEST"}):
        kind, _ = code(loose.create_function_url_config, FunctionName=name, AuthType="NONE", **arguments)
        assert kind == "ValidationException"
    kind, _ = code(loose.create_function_url_config, FunctionName=f"{name}:{version}", AuthType="NONE")
    assert kind == "InvalidParameterValueException"
    kind, _ = code(client.create_function_url_config, FunctionName=name, Qualifier="absent", AuthType="NONE")
    assert kind == "ResourceNotFoundException"
    kind, _ = code(client.create_function_url_config, FunctionName=unique(), AuthType="NONE")
    assert kind == "ResourceNotFoundException"


def test_values_that_break_the_model_are_refused(loose, deploy_once):
    name = deploy_once(ECHO)
    for wrong, at in (
        ({}, "authType"),
        ({"AuthType": "SOME"}, "authType"),
        ({"AuthType": "NONE", "InvokeMode": "SLOW"}, "invokeMode"),
        ({"AuthType": "NONE", "Cors": {"AllowMethods": ["OPTIONS"]}}, "cors.allowMethods"),
        ({"AuthType": "NONE", "Cors": {"MaxAge": 86401}}, "cors.maxAge"),
        ({"AuthType": "NONE", "Cors": {"AllowOrigins": [""]}}, "cors.allowOrigins"),
    ):
        kind, words = code(loose.create_function_url_config, FunctionName=name, **wrong)
        assert (kind, f"at '{at}'" in words) == ("ValidationException", True), words


def test_a_deleted_functions_url_is_gone(server, client, url_of):
    url = url_of(ECHO)
    assert urls.call(server, url).status == 200
    functions.delete(client, url_of.name)
    answer = urls.call(server, url)
    assert (answer.status, answer.text) == (403, '{"Message":null}')


# The event.


def test_the_event_is_of_format_2(server, echo_url):
    answer = urls.call(server, echo_url, "/a%20b/c?x=1&x=2&y=%C3%A4", "POST", '{"n": 1}', {
        "Content-Type": "application/json", "User-Agent": "tests", "X-Mixed-Case": "Yes",
        "Cookie": "one=1; two=2",
    })
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-amzn-requestid"] and answer.headers["x-amzn-trace-id"]
    event = json.loads(answer.body)
    id = urllib.parse.urlparse(echo_url).hostname.split(".")[0]
    assert set(event) == {"version", "routeKey", "rawPath", "rawQueryString", "cookies", "headers",
                          "queryStringParameters", "requestContext", "body", "isBase64Encoded"}
    assert (event["version"], event["routeKey"]) == ("2.0", "$default")
    assert (event["rawPath"], event["rawQueryString"]) == ("/a%20b/c", "x=1&x=2&y=%C3%A4")
    assert event["queryStringParameters"] == {"x": "1,2", "y": "ä"}
    assert event["cookies"] == ["one=1", "two=2"]
    assert event["headers"]["x-mixed-case"] == "Yes"
    assert event["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert (event["body"], event["isBase64Encoded"]) == ('{"n": 1}', False)
    context = event["requestContext"]
    assert (context["accountId"], context["apiId"], context["domainPrefix"]) == ("anonymous", id, id)
    assert context["domainName"] == f"{id}.lambda-url.us-east-1.localhost"
    assert context["http"] == {"method": "POST", "path": "/a%20b/c", "protocol": "HTTP/1.1",
                               "sourceIp": "127.0.0.1", "userAgent": "tests"}
    assert context["requestId"] == answer.headers["x-amzn-requestid"]
    assert abs(context["timeEpoch"] / 1000 - time.time()) < 60
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", context["time"])


def test_binary_bodies_come_in_base64(server, echo_url):
    sent = bytes(range(256))
    headers = {"Content-Type": "application/octet-stream"}
    event = json.loads(urls.call(server, echo_url, "", "PUT", sent, headers).body)
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == sent


def test_every_method_reaches_the_function(server, echo_url):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        event = json.loads(urls.call(server, echo_url, "", method).body)
        assert event["requestContext"]["http"]["method"] == method
    head = urls.call(server, echo_url, "", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 0


def test_the_path_form_needs_no_names(server, echo_url):
    id = urllib.parse.urlparse(echo_url).hostname.split(".")[0]
    event = json.loads(urls.call(server, f"{server.url}/lambda-url/{id}", "/x?y=1").body)
    assert (event["rawPath"], event["rawQueryString"]) == ("/x", "y=1")
    assert event["requestContext"]["domainPrefix"] == id


def test_the_host_form_is_reached_by_clients_that_take_names_below_localhost_for_the_loopback(server, echo_url):
    # As browsers and curl do, which ask no DNS for such a name: its port is the server's own.
    url = urllib.parse.urlparse(echo_url)
    assert url.hostname.endswith(".localhost") and url.port == urllib.parse.urlparse(server.url).port
    assert json.loads(urls.call(server, echo_url, "hello").body)["rawPath"] == "/hello"


def test_old_and_careful_clients(server, echo_url):
    host = urllib.parse.urlparse(echo_url).netloc
    address = urllib.parse.urlparse(server.url)

    def talk(*parts):
        with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
            received = b""
            for part, until in parts:
                connection.sendall(part)
                while until not in received:
                    piece = connection.recv(65536)
                    assert piece, received
                    received += piece
            return received

    old = talk((f"GET /old HTTP/1.0\r\nHost: {host}\r\n\r\n".encode(), b"}"))
    assert old.startswith(b"HTTP/1.0 200 OK\r\n")
    assert b'"protocol":"HTTP/1.0"' in old.replace(b" ", b"")
    head = (f"POST /careful HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n"
            "Content-Type: text/plain\r\nExpect: 100-continue\r\n\r\n")
    careful = talk((head.encode(), b"HTTP/1.1 100 Continue\r\n\r\n"), (b"hi", b'"body":"hi"'))
    assert b"HTTP/1.1 200 OK" in careful


def test_an_alias_is_called_as_itself(server, client, deploy):
    name = deploy("def handler(event, context):\n"
                  "    return [context.function_version, context.invoked_function_arn]")
    version = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    made = client.create_function_url_config(FunctionName=name, Qualifier="live", AuthType="NONE")
    open_to_all(client, name, Qualifier="live")
    seen = json.loads(urls.call(server, made["FunctionUrl"]).body)
    assert seen == [version, made["FunctionArn"]]


# The response.

RETURN = "import json\ndef handler(event, context):\n    return json.loads(event['body'])\n"


@pytest.fixture(scope="module")
def returns(server, client, deploy_once):
    """Calls a function that returns what it is asked to."""
    name = deploy_once(RETURN)
    made = client.create_function_url_config(FunctionName=name, AuthType="NONE")
    open_to_all(client, name)

    def call(result, **arguments):
        headers = {"Content-Type": "application/json", **arguments.pop("headers", {})}
        body = json.dumps(result)
        return urls.call(server, made["FunctionUrl"], "", "POST", body, headers, **arguments)

    return call


def test_a_response_is_what_the_function_says(returns):
    answer = returns({"statusCode": 418, "headers": {"Content-Type": "text/plain", "X-Own": "1"},
                      "cookies": ["a=1; Secure", "b=2"], "body": "tea"})
    assert (answer.status, answer.text) == (418, "tea")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["x-own"] == "1"
    assert [value for name, value in answer.all if name == "set-cookie"] == ["a=1; Secure", "b=2"]
    binary = returns({"statusCode": 200, "body": "AAH/", "isBase64Encoded": True})
    assert binary.body == b"\x00\x01\xff"


@pytest.mark.parametrize("result", ["Hello, world!", {"message": "Hello"}, [1], None, 5])
def test_a_result_without_a_status_is_the_body(returns, result):
    answer = returns(result)
    assert (answer.status, json.loads(answer.body)) == (200, result)
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "result", [{"statusCode": 0}, {"statusCode": 600}, {"statusCode": "x"}, {"statusCode": 200, "headers": 1}]
)
def test_a_malformed_response_is_a_bad_gateway(returns, result):
    answer = returns(result)
    assert (answer.status, answer.text) == (502, "Internal Server Error")


@pytest.mark.parametrize("body", ["raise ValueError('no')", "import os; os._exit(1)", "import time; time.sleep(9)"])
def test_a_failure_is_a_bad_gateway_that_tells_nothing(server, url_of, body):
    url = url_of(f"def handler(event, context):\n    {body}\n", Timeout=1)
    answer = urls.call(server, url)
    assert (answer.status, answer.text) == (502, "Internal Server Error")
    assert answer.headers["x-amzn-requestid"]


def test_a_reservation_of_nothing_is_too_many_requests(server, client, url_of):
    url = url_of(ECHO)
    client.put_function_concurrency(FunctionName=url_of.name, ReservedConcurrentExecutions=0)
    answer = urls.call(server, url)
    assert answer.status == 429
    assert answer.headers["x-amzn-errortype"] == "TooManyRequestsException"
    assert json.loads(answer.body)["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_large_requests(server, url_of):
    url = url_of("def handler(event, context):\n    return len(event['body'])")
    headers = {"Content-Type": "text/plain"}
    assert json.loads(urls.call(server, url, "", "POST", b"x" * 5_000_000, headers).body) == 5_000_000
    for size in (6 * 1024 * 1024, 7_000_000):
        answer = urls.call(server, url, "", "POST", b"x" * size, headers)
        assert (answer.status, answer.headers["x-amzn-errortype"]) == (413, "RequestTooLargeException")


def test_what_is_no_url_is_forbidden(server):
    for url in (f"http://{'a' * 32}.lambda-url.us-east-1.localhost/", f"{server.url}/lambda-url/{'a' * 32}/"):
        answer = urls.call(server, url, "", "POST", b"x" * 100_000)
        assert answer.status == 403
        assert answer.headers["x-amzn-errortype"] == "AccessDeniedException"


# Signatures.


def test_a_signed_url_takes_signed_requests_alone(server, url_of):
    url = url_of(ECHO, auth="AWS_IAM")
    key, _ = server.credentials()
    for arguments in ({}, {"expires": 60}, {"method": "POST", "body": b"{}"}):
        answer = urls.signed(server, url, "/a/b?x=1", **arguments)
        assert answer.status == 200, answer.text
        event = json.loads(answer.body)
        iam = event["requestContext"]["authorizer"]["iam"]
        assert iam == {"accessKey": key, "accountId": "000000000000", "callerId": "000000000000",
                       "cognitoIdentity": None, "principalOrgId": None,
                       "userArn": "arn:aws:iam::000000000000:root", "userId": "000000000000"}
        assert event["requestContext"]["accountId"] == "000000000000"
        assert "authorization" not in event["headers"]
    unsigned = urls.call(server, url)
    assert unsigned.status == 403
    assert json.loads(unsigned.body)["Message"].startswith("Forbidden")


def test_a_signature_must_be_right(server, url_of):
    url = url_of(ECHO, auth="AWS_IAM")

    def refused(kind, **arguments):
        answer = urls.signed(server, url, **arguments)
        assert (answer.status, answer.headers["x-amzn-errortype"]) == (403, kind), answer.text

    def other_path(request):
        request.url += "other"

    refused("InvalidSignatureException", change=other_path)
    refused("InvalidSignatureException", region="eu-west-1")
    refused("InvalidSignatureException", service="execute-api")
    refused("UnrecognizedClientException", keys=("AKIANOBODY", "x"))
    answer = urls.signed(server, url, keys=OTHER)
    assert answer.status == 403
    assert json.loads(answer.body)["Message"].startswith("Forbidden")


def test_another_account_is_let_in_by_the_functions_policy(server, client, url_of):
    url = url_of(ECHO, auth="AWS_IAM")
    assert urls.signed(server, url, keys=OTHER).status == 403
    client.add_permission(FunctionName=url_of.name, StatementId="url", Principal="111122223333",
                          Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="AWS_IAM")
    client.add_permission(FunctionName=url_of.name, StatementId="invoke", Principal="111122223333",
                          Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True)
    answer = urls.signed(server, url, keys=OTHER)
    assert answer.status == 200, answer.text
    iam = json.loads(answer.body)["requestContext"]["authorizer"]["iam"]
    assert iam["accountId"] == "111122223333"


# Other origins.

CORS = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET", "POST"], "AllowHeaders": ["x-a"],
        "ExposeHeaders": ["x-b"], "MaxAge": 300, "AllowCredentials": True}


def test_the_service_answers_preflights_where_it_is_configured(server, url_of):
    url = url_of("def handler(event, context):\n    return 1/0", cors=CORS)
    asks = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-a"}
    answer = urls.call(server, url, "", "OPTIONS", headers=asks)
    assert (answer.status, answer.body) == (200, b"")
    told = {name[15:]: value for name, value in answer.headers.items() if name.startswith("access-control-")}
    assert told == {"allow-origin": "https://a.example", "allow-credentials": "true",
                    "allow-methods": "GET,POST", "allow-headers": "x-a", "max-age": "300"}
    stranger = urls.call(server, url, "", "OPTIONS", headers={**asks, "Origin": "https://b.example"})
    assert stranger.status == 200
    assert not [name for name in stranger.headers if name.startswith("access-control-")]


def test_what_is_configured_wins(server, url_of):
    url = url_of("""
        def handler(event, context):
            return {'statusCode': 200, 'headers': {'Access-Control-Allow-Origin': '*', 'X-B': '1'}}
    """, cors=CORS)
    answer = urls.call(server, url, headers={"Origin": "https://a.example"})
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    assert answer.headers["access-control-expose-headers"] == "x-b"
    assert "access-control-allow-origin" not in urls.call(server, url).headers


def test_without_a_configuration_it_is_the_functions_affair(server, echo_url):
    asks = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    event = json.loads(urls.call(server, echo_url, "", "OPTIONS", headers=asks).body)
    assert event["requestContext"]["http"]["method"] == "OPTIONS"


# Streams.

PAUSE = 1.5


def test_a_streams_first_bytes_come_before_the_last_are_written(server, url_of):
    url = url_of("""
        export const handler = awslambda.streamifyResponse(async (event, stream) => {
            stream = awslambda.HttpResponseStream.from(stream, {
                statusCode: 202, headers: { 'Content-Type': 'text/x', 'X-Own': 'yes' }, cookies: ['a=1', 'b=2'],
            });
            stream.write(`${Date.now()}\\n`);
            await new Promise((resolve) => setTimeout(resolve, %d));
            stream.end(`${Date.now()}`);
        });
    """ % (PAUSE * 1000), mode="RESPONSE_STREAM", runtime=NODE, Timeout=10)
    connection = urls.connect(server)
    connection.request("GET", "/", headers={"Host": urllib.parse.urlparse(url).netloc})
    answer = connection.getresponse()
    first = int(answer.readline())
    arrived = time.time() * 1000
    last = int(answer.read())
    assert first <= arrived < last
    headers = [(name.lower(), value) for name, value in answer.getheaders()]
    assert answer.status == 202
    assert ("content-type", "text/x") in headers and ("x-own", "yes") in headers
    assert ("transfer-encoding", "chunked") in headers
    assert [value for name, value in headers if name == "set-cookie"] == ["a=1", "b=2"]
    connection.close()


def test_a_stream_without_a_head_is_the_body(server, url_of):
    url = url_of("""
        export const handler = awslambda.streamifyResponse(async (event, stream) => {
            stream.setContentType('text/plain');
            stream.write('one ');
            stream.end('two');
        });
    """, mode="RESPONSE_STREAM", runtime=NODE)
    answer = urls.call(server, url)
    assert (answer.status, answer.text) == (200, "one two")
    assert answer.headers["content-type"] == "text/plain"


def test_a_stream_that_breaks_breaks_off(server, url_of):
    import http.client

    url = url_of("""
        export const handler = awslambda.streamifyResponse(async (event, stream) => {
            if (event.rawPath === '/early') throw new Error('early');
            stream.write('begun');
            await new Promise((resolve) => setTimeout(resolve, 50));
            throw new Error('late');
        });
    """, mode="RESPONSE_STREAM", runtime=NODE)
    with pytest.raises(http.client.IncompleteRead) as caught:
        urls.call(server, url)
    assert caught.value.partial == b"begun"
    # What fails before it has begun has a status of its own.
    answer = urls.call(server, url, "/early")
    assert (answer.status, answer.text) == (502, "Internal Server Error")


def test_what_does_not_stream_is_sent_as_it_is(server, url_of):
    url = url_of("def handler(event, context):\n    return {'statusCode': 404, 'body': 'x'}",
                 mode="RESPONSE_STREAM")
    answer = urls.call(server, url)
    assert (answer.status, json.loads(answer.body)) == (200, {"statusCode": 404, "body": "x"})
    failing = url_of("def handler(event, context):\n    return 1/0", mode="RESPONSE_STREAM")
    answer = urls.call(server, failing)
    assert (answer.status, answer.text) == (502, "Internal Server Error")


@pytest.mark.parametrize(
    "written",
    ["'{}'", "'{}\\0\\0\\0\\0\\0\\0\\0'", "'[201]' + '\\0'.repeat(8)", "'{\"statusCode\": 99}' + '\\0'.repeat(8)",
     "' '.repeat(1100000)", "'{\"headers\": {\"a b\": \"c\"}}' + '\\0'.repeat(8)"],
)  # fmt: skip
def test_a_stream_whose_head_is_none_is_a_bad_gateway(server, url_of, written):
    url = url_of("""
        export const handler = awslambda.streamifyResponse(async (event, stream) => {
            stream.setContentType('application/vnd.awslambda.http-integration-response');
            stream.end(%s);
        });
    """ % written, mode="RESPONSE_STREAM", runtime=NODE)
    answer = urls.call(server, url)
    assert (answer.status, answer.text) == (502, "Internal Server Error")
