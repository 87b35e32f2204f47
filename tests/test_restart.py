"""Ends of a server, wanted and not: what is kept, what is cleaned up, what is let finish."""

import concurrent.futures
import json
import os
import signal
import stat
import subprocess
import threading
import time
import urllib.request

import pytest
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from support import clients, functions, leftovers
from support.server import wait_for

ECHO = "def handler(event, context):\n    return event\n"
SLEEPER = """
    import time
    def handler(event, context):
        print('asleep', flush=True)
        time.sleep(event)
        return 'slept'
"""


def test_a_kill_under_load_loses_nothing(own_server):
    server = own_server().start()
    client = clients.make(server)
    functions.create(client, "echo", ECHO)
    functions.create(client, "sleeper", SLEEPER, Timeout=30)
    acknowledged = []
    answered = [0]
    dead = threading.Event()

    def create():
        while not dead.is_set():
            name = functions.unique("made")
            try:
                functions.create(client, name, ECHO, wait=False, Publish=True)
            except (BotoCoreError, HTTPClientError):
                return
            acknowledged.append(name)

    def invoke(name, event):
        while not dead.is_set():
            try:
                answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
                answer["Payload"].read()
                answered[0] += 1
            except (BotoCoreError, HTTPClientError, OSError):
                return

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        tasks = [pool.submit(create) for _ in range(2)]
        tasks += [pool.submit(invoke, "echo", 1) for _ in range(6)]
        tasks += [pool.submit(invoke, "sleeper", 20) for _ in range(4)]
        wait_for(lambda: answered[0] > 200 and len(acknowledged) > 10, within=30)
        server.kill()
        dead.set()
        for task in tasks:
            task.result()
    # Its processes die with it, before anybody cleans up.
    wait_for(lambda: not leftovers.processes(server.data))
    assert not leftovers.mounts(server.data)

    server.start()
    client = clients.make(server)
    pages = client.get_paginator("list_functions").paginate()
    names = {function["FunctionName"] for page in pages for function in page["Functions"]}
    assert names >= {"echo", "sleeper", *acknowledged}
    for name in acknowledged[-3:]:
        functions.until_active(client, name)
        functions.until_active(client, name, Qualifier="1")
        assert client.invoke(FunctionName=name, Payload=b"7", Qualifier="1")["Payload"].read() == b"7"
    assert client.invoke(FunctionName="echo", Payload=b"1")["Payload"].read() == b"1"
    assert client.invoke(FunctionName="sleeper", Payload=b"0")["Payload"].read() == b'"slept"'
    server.finish()


def test_a_kill_in_the_middle_of_updates_leaves_functions_that_work(own_server):
    server = own_server().start()
    client = clients.make(server)
    files = {f"files/{i}": "" for i in range(3_000)}
    sources = [functions.package({**files, "index.py": f"def handler(e, c):\n    return {i}\n"})
               for i in range(2)]
    functions.create(client, "f", sources[0])
    for _ in range(3):
        client.update_function_code(FunctionName="f", ZipFile=sources[1])
        functions.create(client, name := functions.unique("made"), sources[1], wait=False)
        server.kill()
        server.start()
        client = clients.make(server)
        functions.until_updated(client, "f")
        functions.until_active(client, name)
        assert client.invoke(FunctionName="f")["Payload"].read() == b"1"
        assert client.invoke(FunctionName=name)["Payload"].read() == b"1"
        client.update_function_code(FunctionName="f", ZipFile=sources[0])
        functions.until_updated(client, "f")
    server.finish()


def test_an_invoke_under_way_is_finished_before_the_end(own_server):
    server = own_server().start()
    client = clients.make(server)
    functions.create(client, "sleeper", SLEEPER, Timeout=30)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.invoke, FunctionName="sleeper", Payload=b"3")
        wait_for(lambda: "asleep" in logged(server, "sleeper"))
        assert server.health() == (200, "ok\n")
        server.process.send_signal(signal.SIGTERM)
        # For as long as the invoke takes: no new requests are accepted.
        wait_for(lambda: server.health() == (503, "stopping\n"), within=2)
        status, rest = server.wait()
        assert answer.result()["Payload"].read() == b'"slept"'
    assert (status, rest) == (0, "")
    assert not leftovers.of(server.data)


def logged(server, name):
    """What is kept of a function's log."""
    folder = server.data / "logs"
    texts = [path.read_text() for path in folder.rglob("*.jsonl")] if folder.exists() else []
    return "".join(texts)


def test_a_second_server_is_refused_a_data_directory_in_use(own_server):
    server = own_server().start()
    second = subprocess.run(server.command(), env=server.environment(), capture_output=True,
                            text=True, timeout=20, cwd=server.root)
    assert second.returncode != 0
    assert second.stdout == ""
    assert f"{server.data} is in use by another lambent" in second.stderr
    assert clients.make(server).list_functions()["Functions"] == []
    server.finish()


def test_an_address_in_use_is_refused(own_server):
    server = own_server().start()
    other = own_server()
    command = other.command()
    command[command.index("--listen") + 1] = server.url.removeprefix("http://")
    second = subprocess.run(command, env=server.environment(), capture_output=True, text=True,
                            timeout=20, cwd=other.root)
    assert second.returncode != 0
    assert server.url.removeprefix("http://") in second.stderr
    assert not leftovers.of(other.data)
    server.finish()


def test_secrets_are_for_their_owner_alone(own_server):
    server = own_server().start()
    assert stat.S_IMODE(os.stat(server.data / "credentials").st_mode) == 0o600
    assert stat.S_IMODE(os.stat(server.data / "secret").st_mode) == 0o600
    before = server.credentials()
    client = clients.make(server)
    functions.create(client, "f", "import os\ndef handler(e, c):\n    return os.environ['AWS_SECRET_ACCESS_KEY']\n")
    role_secret = json.loads(client.invoke(FunctionName="f")["Payload"].read())
    assert server.terminate() == (0, "")
    log = server.log.read_text()
    assert before[1] not in log and role_secret not in log
    server.start()
    assert server.credentials() == before
    assert clients.make(server).get_function(FunctionName="f")
    server.finish()


def test_the_master_key_is_changed_without_ending_a_session(own_server):
    server = own_server().start()
    lambent = os.environ["LAMBENT_BINARY"]

    def secret(*arguments):
        command = [lambent, "secret", *arguments, "--data-dir", str(server.data)]
        return subprocess.run(command, capture_output=True, text=True)

    client, iam = clients.make(server), clients.make(server, "iam")
    iam.create_user(UserName="ann")
    iam.attach_user_policy(UserName="ann", PolicyArn="arn:aws:iam::aws:policy/AWSLambda_FullAccess")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    session = clients.make(server, "sts").get_session_token()["Credentials"]
    functions.create(client, "f", "def handler(e, c):\n    return 'same'\n")
    location = client.get_function(FunctionName="f")["Code"]["Location"]

    def anns():
        return clients.make(server, keys=(key["AccessKeyId"], key["SecretAccessKey"]))

    def sessions():
        keys = (session["AccessKeyId"], session["SecretAccessKey"])
        return clients.make(server, keys=keys, token=session["SessionToken"])

    def all_go_on():
        assert anns().get_function(FunctionName="f")
        held = sessions()
        assert json.loads(held.invoke(FunctionName="f")["Payload"].read()) == "same"
        with urllib.request.urlopen(location) as package:
            assert package.status == 200

    all_go_on()
    refused = secret("retire")
    assert refused.returncode == 1 and "36 hours" in refused.stderr
    rotated = secret("rotate")
    assert rotated.returncode == 0, rotated.stderr
    all_go_on()
    # A new session by the new key, once the server has it.
    deadline = time.monotonic() + 60
    while (retired := secret("retire", "--now")).returncode != 0:
        assert "sealed by an old key" in retired.stderr and time.monotonic() < deadline, retired.stderr
        all_go_on()
        time.sleep(1)
    assert server.terminate() == (0, "")
    server.start()
    assert anns().get_function(FunctionName="f")
    # The old session has ended with the key that sealed it.
    with pytest.raises(ClientError) as refusal:
        sessions().invoke(FunctionName="f")
    assert refusal.value.response["Error"]["Code"] == "UnrecognizedClientException"
    server.finish()


def test_both_signals_end_it_well(own_server):
    import signal

    server = own_server().start()
    server.process.send_signal(signal.SIGINT)
    assert server.wait() == (0, "")
    assert not leftovers.of(server.data)


def test_wrong_settings_are_named(own_server):
    for config, named in (("lisen = 'x'", "lisen"), ("[sandbox]\npool = 'x'", "pool"), ("[", "TOML"),
                          ("[account]\nid = '1'", "account")):
        server = own_server(config)
        ended = subprocess.run(server.command(), env=server.environment(), capture_output=True,
                               text=True, timeout=20, cwd=server.root)
        assert ended.returncode != 0
        assert named in ended.stderr, ended.stderr
