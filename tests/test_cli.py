"""The AWS command line, unmodified: a function's life as AWS's documentation tells it."""

import json
import pathlib

import pytest

from support import functions
from support.cli import Cli
from support.server import runtimes_directory

PYTHON = "def handler(event, context):\n    return {'hello': event['name']}\n"
NODE = "export const handler = async (event) => ({ hello: event.name });\n"
CUSTOM = """#!/usr/bin/python3
import json, os, urllib.request
BASE = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/invocation/'
while True:
    with urllib.request.urlopen(BASE + 'next') as event:
        request, body = event.headers['Lambda-Runtime-Aws-Request-Id'], json.load(event)
    answer = json.dumps({'hello': body['name']}).encode()
    urllib.request.urlopen(BASE + request + '/response', answer).read()
"""


@pytest.fixture
def aws(server, tmp_path):
    """Runs `aws lambda …`; gives what it printed, as JSON if it is."""
    return Cli(server, tmp_path)


def packages(kind, version):
    """What is deployed, and what it should say."""
    if kind == "python3.12":
        return {"index.py": PYTHON.replace("hello", version)}, "index.handler"
    if kind == "nodejs20.x":
        return {"index.mjs": NODE.replace("hello", version)}, "index.handler"
    if kind == "provided.al2023":
        return {"bootstrap": CUSTOM.replace("hello", version)}, "none"
    return None, "example.Hello::handleRequest"


@pytest.mark.parametrize("runtime", ["python3.12", "nodejs20.x", "provided.al2023"])
def test_a_functions_life(aws, tmp_path, runtime):
    name = functions.unique("cli")
    files, handler = packages(runtime, "hello")
    (tmp_path / "one.zip").write_bytes(functions.package(files))
    made = aws("create-function", "--function-name", name, "--runtime", runtime,
               "--role", functions.ROLE, "--handler", handler, "--zip-file", "fileb://one.zip",
               "--memory-size", 256)  # fmt: skip
    assert made["State"] == "Pending"
    assert aws("wait", "function-active-v2", "--function-name", name) is None
    invoked = aws("invoke", "--function-name", name, "--payload", '{"name": "world"}', "out.json")
    assert invoked == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    assert json.loads((tmp_path / "out.json").read_text()) == {"hello": "world"}

    (tmp_path / "two.zip").write_bytes(functions.package(packages(runtime, "bye")[0]))
    aws("publish-version", "--function-name", name)
    aws("update-function-code", "--function-name", name, "--zip-file", "fileb://two.zip")
    aws("wait", "function-updated-v2", "--function-name", name)
    assert aws("publish-version", "--function-name", name)["Version"] == "2"
    aws("create-alias", "--function-name", name, "--name", "live", "--function-version", "1")
    aws("wait", "function-active-v2", "--function-name", f"{name}:2")
    for qualifier, word in (("live", "hello"), ("2", "bye"), ("$LATEST", "bye")):
        answer = aws("invoke", "--function-name", name, "--qualifier", qualifier,
                     "--payload", '{"name": "you"}', "out.json")
        assert answer["StatusCode"] == 200
        assert json.loads((tmp_path / "out.json").read_text()) == {word: "you"}
    listed = aws("list-functions", "--query", f"Functions[?FunctionName=='{name}'].Runtime")
    assert listed == [runtime]
    aws("delete-function", "--function-name", name)
    missing = aws("get-function", "--function-name", name, code=255)
    assert "ResourceNotFoundException" in missing


def test_a_java_functions_life(aws, tmp_path):
    """The example that is built with the runtimes."""
    name = functions.unique("cli")
    package = pathlib.Path(runtimes_directory(), "examples", "java.zip")
    aws("create-function", "--function-name", name, "--runtime", "java17", "--role", functions.ROLE,
        "--handler", "example.Hello::handleRequest", "--zip-file", f"fileb://{package}",
        "--memory-size", 512, "--timeout", 15)  # fmt: skip
    aws("wait", "function-active-v2", "--function-name", name)
    answer = aws("invoke", "--function-name", name, "--payload", '{"name": "world"}', "out.json")
    assert answer == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    assert "world" in (tmp_path / "out.json").read_text()
    aws("publish-version", "--function-name", name)
    aws("create-alias", "--function-name", name, "--name", "live", "--function-version", "1")
    aws("wait", "function-active-v2", "--function-name", f"{name}:1")
    aws("invoke", "--function-name", f"{name}:live", "--payload", '{"name": "you"}', "out.json")
    assert "you" in (tmp_path / "out.json").read_text()
    aws("delete-function", "--function-name", name)


def test_the_cli_knows_who_it_is(aws):
    found = aws("get-caller-identity", service="sts")
    assert found["Arn"] == "arn:aws:iam::000000000000:root"


def test_function_errors_are_shown(aws, tmp_path, deploy):
    name = deploy("def handler(event, context):\n    raise ValueError('no')\n")
    answer = aws("invoke", "--function-name", name, "out.json")
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads((tmp_path / "out.json").read_text())["errorType"] == "ValueError"
