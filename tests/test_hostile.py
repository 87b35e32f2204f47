"""Functions that mean harm: the worst they can do is to fail their own invokes."""

import json
import os
import pathlib

import pytest

from support import leftovers, raw
from support.server import wait_for

ECHO = "def handler(event, context):\n    return event\n"


@pytest.fixture
def unharmed(deploy_once, invoke, server):
    """Checks after the test that the server serves as before, and has not grown beyond measure."""
    yield
    assert invoke(deploy_once(ECHO), 1).json == 1
    assert raw.resident_mb(server) < 600


def test_a_flood_of_output(deploy, invoke, unharmed):
    name = deploy("""
        import sys
        def handler(event, context):
            for _ in range(200):
                sys.stdout.write('x' * 100_000 + '\\n')
            sys.stdout.flush()
            return 'dry'
    """, Timeout=30, MemorySize=1024)
    assert invoke(name, LogType="Tail").json == "dry"


def test_output_that_is_no_text_and_has_no_end(deploy, invoke, server, unharmed):
    name = deploy("""
        import os
        def handler(event, context):
            os.write(1, bytes(range(256)) * 100)
            os.write(1, b'START RequestId: forged Version: 1\\n')
            os.write(2, b'no newline at the end')
            return 'said'
    """)
    answer = invoke(name, LogType="Tail")
    assert answer.json == "said"
    assert len(answer.raw["LogResult"]) < 6_000
    for path in (server.data / "logs").rglob("*.jsonl"):
        if name in str(path):
            for line in path.read_text().splitlines():
                json.loads(line)


NOISE = """
    import os, random, socket, time
    def connect():
        s = socket.create_connection(('127.0.0.1', 9001))
        s.settimeout(0.2)
        return s
    def noise(event):
        chance = random.Random(event)
        kept = [connect() for _ in range(100)]
        for text in (
            b'\\x16\\x03\\x01' + chance.randbytes(5000),
            b'GET / HTTP/9.9\\r\\n\\r\\n',
            b'POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\\r\\nContent-Length: 99999999999999999999\\r\\n\\r\\n',
            b'POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\nffffffffffffffff\\r\\n',
            b'GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\n' + b'a: ' + b'b' * 2_000_000 + b'\\r\\n\\r\\n',
            b'POST /2020-01-01/extension/register HTTP/1.1\\r\\nContent-Length: 4\\r\\n\\r\\n{{{{',
            b'GET ' + b'/' * 100_000 + b' HTTP/1.1\\r\\n\\r\\n',
            b'POST /2018-06-01/runtime/init/error HTTP/1.1\\r\\nContent-Length: 2\\r\\n\\r\\n{}',
        ):
            s = connect()
            try:
                s.sendall(text)
                s.recv(1000)
            except OSError:
                pass
        return len(kept)
    def handler(event, context):
        return noise(event)
"""


def test_noise_on_the_runtime_api(deploy, invoke, unharmed):
    name = deploy(NOISE, Timeout=15, MemorySize=512)
    for seed in range(3):
        answer = invoke(name, seed)
        assert answer.status == 200
        assert answer.error or answer.json == 100


def test_a_fork_bomb(deploy, invoke, server, unharmed):
    name = deploy("""
        import os, time
        def handler(event, context):
            while True:
                try:
                    os.fork()
                except OSError:
                    time.sleep(0.01)
    """, Timeout=3, MemorySize=512)
    before = len(leftovers.processes(server.data))
    answer = invoke(name)
    assert answer.error == "Unhandled"
    # At the end of the invoke all of them are gone.
    wait_for(lambda: len(leftovers.processes(server.data)) <= before + 10, within=20)


def test_children_do_not_outlive_a_timeout(deploy, invoke, server, unharmed):
    name = deploy("""
        import os, time
        def handler(event, context):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.execv('/bin/sleep', ['sleep', '4242'])
                os._exit(0)
            time.sleep(60)
    """, Timeout=2)
    assert invoke(name).json["errorType"] == "Sandbox.Timedout"

    def sleepers():
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if pathlib.Path("/proc", pid, "cmdline").read_bytes() == b"sleep\x004242\x00":
                    found.append(pid)
            except OSError:
                continue
        return found

    wait_for(lambda: not sleepers())


ENDLESS = """#!/usr/bin/python3
import os, socket
def exchange(text):
    s = socket.create_connection(('127.0.0.1', 9001))
    s.sendall(text)
    return s, s.makefile('rb')
while True:
    s, answer = exchange(b'GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
    request = ''
    while (line := answer.readline().strip()):
        name, _, value = line.decode().partition(': ')
        if name.lower() == 'lambda-runtime-aws-request-id':
            request = value
    s, answer = exchange(f'POST /2018-06-01/runtime/invocation/{request}/response HTTP/1.1\\r\\nHost: x\\r\\n'
                         'Lambda-Runtime-Function-Response-Mode: streaming\\r\\n'
                         'Transfer-Encoding: chunked\\r\\n\\r\\n'.encode())
    try:
        while True:
            s.sendall(b'10000\\r\\n' + b'x' * 65536 + b'\\r\\n')
    except OSError:
        pass
"""


def test_a_response_without_end(client, invoke, unharmed):
    from support.functions import create, delete, unique

    name = unique("endless")
    create(client, name, {"bootstrap": ENDLESS}, "provided.al2023", Timeout=5, MemorySize=512)
    answer = invoke(name)
    assert answer.error == "Unhandled"
    assert len(answer.body) < 10_000
    delete(client, name)


def test_half_a_response(deploy, invoke, client, unharmed):
    from support.functions import create, delete, unique

    name = unique("half")
    half = ENDLESS.replace("while True:\n            s.sendall(", "if True:\n            s.sendall(").replace(
        "    except OSError:\n        pass\n", "        import time; time.sleep(60)\n    except OSError:\n        pass\n"
    )
    create(client, name, {"bootstrap": half}, "provided.al2023", Timeout=2)
    answer = invoke(name)
    assert answer.error == "Unhandled"
    # The stream breaks because of the timeout, and that is what is reported.
    assert answer.json["errorType"] == "Sandbox.Timedout"
    delete(client, name)
