"""A function's own rights: what its code may do with the credentials it finds in its environment,
tried from inside of the sandbox."""

import functools
import json
import pathlib
import random

import boto3
import pytest
from botocore.exceptions import ClientError

from support import clients, functions
from support.functions import unique

ACCOUNT = "000000000000"
PREFIX = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:"
ECHO = "def handler(event, context):\n    return event"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
API = "[functions]\napi = true\n"

# Calls Lambent as any code would: the SDK finds keys and endpoint in the environment.
CALLER = """
import boto3, botocore
from botocore.config import Config

once = Config(retries={'total_max_attempts': 1}, read_timeout=20, connect_timeout=5)

def handler(event, context):
    client = boto3.client(event['service'], config=once)
    try:
        answer = getattr(client, event['call'])(**event.get('with', {}))
    except botocore.exceptions.ClientError as error:
        return {'code': error.response['Error']['Code'], 'message': error.response['Error']['Message']}
    answer.pop('ResponseMetadata')
    if 'Payload' in answer:
        answer['Payload'] = answer['Payload'].read().decode()
    return answer
"""

# The same with nothing but Python itself: signs by hand.
BY_HAND = """
import datetime, hashlib, hmac, json, os, urllib.error, urllib.parse, urllib.request

def signed(method, path, body, region):
    url = urllib.parse.urlsplit(os.environ['AWS_ENDPOINT_URL_LAMBDA'])
    now = datetime.datetime.now(datetime.timezone.utc).strftime('%Y%m%dT%H%M%SZ')
    headers = {'host': url.netloc, 'x-amz-date': now, 'x-amz-security-token': os.environ['AWS_SESSION_TOKEN']}
    names = ';'.join(sorted(headers))
    # Every segment of the path is encoded twice.
    canonical = '\\n'.join([method, urllib.parse.quote(path), '',
        *(f'{name}:{headers[name]}' for name in sorted(headers)), '', names, hashlib.sha256(body).hexdigest()])
    scope = f'{now[:8]}/{region}/lambda/aws4_request'
    text = '\\n'.join(['AWS4-HMAC-SHA256', now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ('AWS4' + os.environ['AWS_SECRET_ACCESS_KEY']).encode()
    for part in scope.split('/'):
        key = hmac.digest(key, part.encode(), 'sha256')
    signature = hmac.digest(key, text.encode(), 'sha256').hex()
    headers['authorization'] = ('AWS4-HMAC-SHA256 Credential=' + os.environ['AWS_ACCESS_KEY_ID'] + '/' + scope
        + ', SignedHeaders=' + names + ', Signature=' + signature)
    request = urllib.request.Request(url.geturl() + path, data=body, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return [answer.status, answer.read().decode()]
    except urllib.error.HTTPError as error:
        return [error.code, error.headers.get('x-amzn-errortype')]

def handler(event, context):
    path = '/2015-03-31/functions/' + urllib.parse.quote(event, safe='') + '/invocations'
    return signed('POST', path, b'7', os.environ['AWS_REGION'])
"""

# Knocks at ports of the machine, and says which of them open.
KNOCK = """
import socket, struct

def gateway():
    for line in open('/proc/net/route'):
        _, destination, via = line.split()[:3]
        if destination == '00000000':
            return socket.inet_ntoa(struct.pack('<L', int(via, 16)))

def handler(event, context):
    hosts = ['127.0.0.1', gateway() or '127.0.0.2', *event.get('hosts', [])]
    opened = []
    for host in hosts:
        for port in event['ports']:
            try:
                socket.create_connection((host, port), timeout=1).close()
                opened.append([host, port])
            except OSError:
                pass
    return opened
"""


@functools.cache
def with_sdk():
    """A package of the calling function with the SDK that the tests use. Only the services' models
    that are called are in it: the rest is 100 MB."""
    packages = pathlib.Path(boto3.__file__).parents[1]
    files = {"index.py": CALLER}
    services = ("lambda", "sts", "iam", "logs")
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3"):
        for path in sorted((packages / name).rglob("*")):
            inside = path.relative_to(packages)
            parts = inside.parts
            is_model = parts[:2] == ("botocore", "data") and len(parts) > 3 and parts[2] not in services
            if path.is_file() and path.suffix != ".pyc" and not is_model:
                files[str(inside)] = path.read_bytes()
    files["six.py"] = (packages / "six.py").read_bytes()
    return functions.package(files)


@pytest.fixture(scope="module")
def server(request):
    """A server whose functions may speak to its API."""
    from support.server import Server

    server = Server(API).start()
    yield server
    server.finish()


@pytest.fixture(scope="module")
def client(server):
    return clients.make(server)


@pytest.fixture
def iam(server):
    return clients.make(server, "iam")


def statement(effect, action, resource, **condition):
    """A statement; conditions by their operators."""
    made = {"Effect": effect, "Action": action, "Resource": resource}
    return {**made, "Condition": condition} if condition else made


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def a_role(iam, *statements):
    """A role for functions."""
    role = iam.create_role(RoleName=unique("role"), AssumeRolePolicyDocument=TRUST)["Role"]
    iam.put_role_policy(RoleName=role["RoleName"], PolicyName="p", PolicyDocument=policy(*statements))
    return role


def asked(client, name, event):
    """What a function answers."""
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
    payload = answer["Payload"].read()
    assert "FunctionError" not in answer, payload
    return json.loads(payload)


def test_a_function_may_do_with_its_own_credentials_what_its_role_may(client, iam, deploy):
    target, other = deploy(ECHO), deploy(ECHO)
    for name in (target, other):
        client.publish_version(FunctionName=name)
        client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    client.create_alias(FunctionName=target, Name="next", FunctionVersion="1")
    role = a_role(iam, statement("Allow", "lambda:InvokeFunction", f"{PREFIX}{target}:live"))
    name = deploy(with_sdk(), Role=role["Arn"], Timeout=60, MemorySize=512)

    def call(service, operation, **arguments):
        return asked(client, name, {"service": service, "call": operation, "with": arguments})

    me = call("sts", "get_caller_identity")
    assert me["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role['RoleName']}/{name}"
    answer = call("lambda", "invoke", FunctionName=f"{target}:live", Payload="7")
    assert (answer["StatusCode"], answer["Payload"]) == (200, "7")
    for refused in (target, f"{target}:next", f"{target}:1", f"{target}:$LATEST", f"{other}:live", name):
        found = call("lambda", "invoke", FunctionName=refused, Payload="7")
        assert found["code"] == "AccessDeniedException", (refused, found)
        assert f"assumed-role/{role['RoleName']}/{name} is not authorized to perform: " in found["message"]
    for operation, arguments in (
        ("get_function", {"FunctionName": f"{target}:live"}),
        ("list_functions", {}),
        ("delete_function", {"FunctionName": target}),
        ("update_function_configuration", {"FunctionName": name, "Timeout": 3}),
    ):
        assert call("lambda", operation, **arguments)["code"] == "AccessDeniedException", operation
    assert call("iam", "list_users")["code"] == "AccessDenied"
    taken = call("sts", "assume_role", RoleArn=role["Arn"], RoleSessionName="more")
    assert taken["code"] == "AccessDenied"
    assert call("logs", "describe_log_groups")["code"] == "AccessDeniedException"


def test_a_function_needs_no_sdk_to_call(client, iam, deploy):
    target = deploy(ECHO)
    client.publish_version(FunctionName=target)
    client.create_alias(FunctionName=target, Name="live", FunctionVersion="1")
    role = a_role(iam, statement("Allow", "lambda:InvokeFunction", f"{PREFIX}{target}:live"))
    name = deploy(BY_HAND, Role=role["Arn"], Timeout=30)
    assert asked(client, name, f"{target}:live") == [200, "7"]
    for refused in (target, f"{target}:1", name):
        assert asked(client, name, refused) == [403, "AccessDeniedException"]


def test_whose_code_asks_can_be_told(client, iam, deploy):
    target = deploy(ECHO)
    name, other = unique(), unique()
    one = {"ArnEquals": {"lambda:SourceFunctionArn": PREFIX + name}}
    allowed = statement("Allow", "lambda:InvokeFunction", PREFIX + target, **one)
    role = a_role(iam, allowed)
    made = []
    try:
        for each in (name, other):
            functions.create(client, each, BY_HAND, Role=role["Arn"], Timeout=30)
            made.append(each)
        assert asked(client, name, target) == [200, "7"]
        assert asked(client, other, target) == [403, "AccessDeniedException"]
        everything = statement("Allow", "lambda:*", "*")
        iam.put_role_policy(RoleName=role["RoleName"], PolicyName="p", PolicyDocument=policy(
            everything, {**allowed, "Effect": "Deny"}))
        assert asked(client, name, target) == [403, "AccessDeniedException"]
        assert asked(client, other, target) == [200, "7"]
    finally:
        for each in made:
            functions.delete(client, each)


def test_nothing_but_the_api_is_behind_the_door(server, client, deploy, neighbour):
    own = int(server.url.rpartition(":")[2])
    metrics = int(server.admin_url().rpartition(":")[2])
    name = deploy(KNOCK, Timeout=60)
    ports = [9100, own, metrics, neighbour, 22, 80]
    assert asked(client, name, {"ports": ports}) == [["127.0.0.1", 9100]]
    # Where it leads, only what is signed is answered.
    plain = deploy("""
        import os, urllib.error, urllib.request
        def handler(event, context):
            url = os.environ['AWS_ENDPOINT_URL_LAMBDA'] + event
            try:
                return urllib.request.urlopen(url, timeout=10).status
            except urllib.error.HTTPError as error:
                return error.code
    """)
    for path in ("/2015-03-31/functions/", "/metrics", "/", "/lambent/stacks"):
        assert asked(client, plain, path) in (403, 404), path


def test_the_door_opens_no_other_where_functions_have_a_way_out(own_server, neighbour):
    subnet = f"10.{2 * random.randrange(30, 120)}.0.0"
    server = own_server(f'{API}[sandbox]\nnetwork = "nat"\n[sandbox.nat]\nsubnet = "{subnet}"\n').start()
    client = clients.make(server)
    functions.create(client, "knock", KNOCK, Timeout=60)
    ports = [9100, int(server.url.rpartition(":")[2]), neighbour]
    assert asked(client, "knock", {"ports": ports}) == [["127.0.0.1", 9100]]
    server.finish()


def test_without_the_setting_there_is_no_door(own_server):
    server = own_server().start()
    client = clients.make(server)
    functions.create(client, "knock", KNOCK, Timeout=60)
    assert asked(client, "knock", {"ports": [9100, int(server.url.rpartition(":")[2])]}) == []
    server.finish()


def test_roles_that_nobody_made_can_be_refused(own_server):
    server = own_server('[functions]\nunknown_roles = "refuse"\nrole_actions = ["lambda:*"]\n').start()
    client, iam = clients.make(server), clients.make(server, "iam")
    words = "The role defined for the function cannot be assumed by Lambda."

    def refused(call, **arguments):
        with pytest.raises(ClientError) as caught:
            call(**arguments)
        return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]

    code, handler = functions.source_package("python3.12", ECHO)
    create = {"FunctionName": "f", "Runtime": "python3.12", "Handler": handler, "Code": {"ZipFile": code}}
    assert refused(client.create_function, Role=functions.ROLE, **create) == (
        "InvalidParameterValueException", words)
    role = a_role(iam, statement("Allow", "lambda:InvokeFunction", "*"))
    functions.create(client, "f", ECHO, Role=role["Arn"])
    assert asked(client, "f", 3) == 3
    assert refused(client.update_function_configuration, FunctionName="f", Role=functions.ROLE) == (
        "InvalidParameterValueException", words)
    # What runs continues; a new environment would need the role.
    iam.delete_role_policy(RoleName=role["RoleName"], PolicyName="p")
    iam.delete_role(RoleName=role["RoleName"])
    client.publish_version(FunctionName="f")
    assert refused(client.invoke, FunctionName="f:1") == ("AccessDeniedException", words)
    server.finish()


def test_a_role_may_trust_lambda_for_one_account_or_function_alone(client, iam, deploy):
    target = deploy(ECHO)

    def trusting(**condition):
        statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
                     "Action": "sts:AssumeRole", "Condition": condition}
        role = iam.create_role(RoleName=unique("role"), AssumeRolePolicyDocument=policy(statement))["Role"]
        return client.update_function_configuration(FunctionName=target, Role=role["Arn"])["Role"]

    for condition in ({"StringEquals": {"aws:SourceAccount": ACCOUNT}},
                      {"ArnLike": {"aws:SourceArn": PREFIX + target}}):
        trusting(**condition)
        functions.until_updated(client, target)
        assert asked(client, target, 3) == 3
    for condition in ({"StringEquals": {"aws:SourceAccount": "111122223333"}},
                      {"ArnLike": {"aws:SourceArn": PREFIX + "other"}}):
        with pytest.raises(client.exceptions.InvalidParameterValueException):
            trusting(**condition)


