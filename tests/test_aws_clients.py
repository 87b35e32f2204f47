"""AWS's own runtime interface clients, chosen by the configuration, in our sandboxes.

They are built by runtimes/tests/run, which keeps them in the cache; `make test` runs that first.
"""

import json
import os
import pathlib

import pytest

from support import clients, functions


def built():
    """The folder with AWS's clients and ours, if it was ever made."""
    cache = os.environ.get("LAMBENT_TEST_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    folder = pathlib.Path(cache) if cache else pathlib.Path(home, "lambent-tests")
    found = sorted(folder.glob("ric-*"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


CONFIG = """
[runtimes]
directory = "{directory}"
[runtimes.use."python3.12"]
folder = "python-ric"
[runtimes.use."nodejs20.x"]
folder = "nodejs-ric"
[runtimes.use."java17"]
folder = "java-ric"
"""
PYTHON = """
    import sys
    def handler(event, context):
        if event.get('fail'):
            raise ValueError('as told')
        return [event, context.aws_request_id, 'awslambdaric' in sys.modules]
"""
NODE = """
    export const handler = async (event, context) => {
        if (event.fail) throw new RangeError('as told');
        return [event, context.awsRequestId, true];
    };
"""


@pytest.fixture(scope="module")
def client():
    """A server that runs AWS's clients."""
    from support.server import Server

    directory = built()
    if directory is None:
        pytest.fail("AWS's clients are not built: run runtimes/tests/run first")
    server = Server(CONFIG.format(directory=directory), runtimes=None).start()
    yield clients.make(server)
    server.finish()


@pytest.mark.parametrize("runtime, source, error", [
    ("python3.12", PYTHON, "ValueError"), ("nodejs20.x", NODE, "RangeError"),
])
def test_they_run_functions(client, runtime, source, error):
    name = functions.unique()
    functions.create(client, name, source, runtime, MemorySize=256, Timeout=10)
    for number in range(3):
        answer = client.invoke(FunctionName=name, Payload=json.dumps({"n": number}).encode())
        event, request, theirs = json.loads(answer["Payload"].read())
        assert event == {"n": number}
        assert request == answer["ResponseMetadata"]["RequestId"]
        assert theirs
    answer = client.invoke(FunctionName=name, Payload=b'{"fail": true}')
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorType"] == error
    functions.delete(client, name)


def test_they_run_java(client):
    name = functions.unique()
    package = (built() / "examples" / "java.zip").read_bytes()
    functions.create(client, name, package, "java17", MemorySize=512, Timeout=15,
                     Handler="example.Hello::handleRequest")
    answer = client.invoke(FunctionName=name, Payload=b'{"name": "you"}')
    assert "you" in json.loads(answer["Payload"].read())["message"]
    functions.delete(client, name)
