"""The death of the process that sandboxes are forked from: what it takes with it, and what comes after."""

import concurrent.futures
import json
import os
import pathlib
import signal
import threading

from support import clients, functions
from support.events import send
from support.server import wait_for

ECHO = "def handler(event, context):\n    return event\n"
SLEEPER = """
    import time
    def handler(event, context):
        print('asleep', flush=True)
        time.sleep(event['seconds'])
        return 'slept'
"""
KIND = """
    import os
    def handler(event, context):
        return os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], context.log_stream_name
"""
ADMIN = '[admin]\nlisten = "127.0.0.1:0"\n'
ENVIRONMENTS = "lambent_worker_environments"
CREATED = "lambent_worker_environments_created_total"
RETRIED = "lambent_event_invoke_events_retried_total"


def spawners(server):
    """The living spawners of a server."""
    found = set()
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        ours = f"\nPPid:\t{server.process.pid}\n" in text and "\nState:\tZ" not in text
        if ours and text.startswith("Name:\tlambent-spawner\n"):
            found.add(int(status.parent.name))
    return found


def kill_spawners(server):
    """As the kernel does when memory is short."""
    found = spawners(server)
    assert found
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    return found


def asleep(logs, name):
    """How often a function has gone to sleep."""
    try:
        events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="asleep")
    except logs.exceptions.ResourceNotFoundException:
        return 0
    return len(events["events"])


def lost(answer):
    """Whether the caller got Lambda's error for an environment that ended during the invoke."""
    if "FunctionError" not in answer:
        return False
    assert answer["StatusCode"] == 200 and answer["FunctionError"] == "Unhandled"
    request = answer["ResponseMetadata"]["RequestId"]
    assert json.loads(answer["Payload"].read()) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request} Error: Runtime exited with error: signal: killed",
    }
    return True


def test_a_killed_spawner_is_replaced_under_load(own_server):
    server = own_server(ADMIN).start()
    client, logs = clients.make(server), clients.make(server, "logs")
    functions.create(client, "echo", ECHO)
    functions.create(client, "sleeper", SLEEPER, Timeout=40)
    functions.create(client, "event", SLEEPER, Timeout=40)
    answered, failed, over = [0], [0], threading.Event()

    def load():
        while not over.is_set():
            answer = client.invoke(FunctionName="echo", Payload=b"1")
            if lost(answer):
                failed[0] += 1
            else:
                assert answer["Payload"].read() == b"1"
                answered[0] += 1

    def sleep():
        return lost(client.invoke(FunctionName="sleeper", Payload=b'{"seconds": 30}'))

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        loads = [pool.submit(load) for _ in range(6)]
        sleeps = [pool.submit(sleep) for _ in range(3)]
        send(client, "event", {"seconds": 30})
        wait_for(lambda: asleep(logs, "sleeper") == 3 and asleep(logs, "event") == 1, within=30)
        wait_for(lambda: answered[0] > 50, within=30)
        before = kill_spawners(server)
        # A caller whose environment has ended gets an answer at once, not after its timeout.
        assert all(task.result(timeout=15) for task in sleeps)
        reached = answered[0]
        wait_for(lambda: answered[0] > reached + 100, within=30)
        over.set()
        for task in loads:
            # None was refused: whatever had not begun was given another environment.
            task.result()
    assert failed[0] <= 2 * len(loads)
    wait_for(lambda: len(spawners(server)) == len(before))
    assert not spawners(server) & before
    # The event that ran is tried again, as after any failure of its function.
    wait_for(lambda: server.metric(RETRIED) == 1)
    # What is idle is forgotten too, before anybody asks for it.
    kill_spawners(server)
    wait_for(lambda: server.metric(ENVIRONMENTS) == 0)
    for _ in range(3):
        answer = client.invoke(FunctionName="echo", Payload=b"2")
        assert "FunctionError" not in answer and answer["Payload"].read() == b"2"
    assert client.invoke(FunctionName="sleeper", Payload=b'{"seconds": 0}')["Payload"].read() == b'"slept"'
    server.finish()


def test_provisioned_environments_come_back_after_their_spawner(own_server):
    server = own_server(ADMIN).start()
    client = clients.make(server)
    functions.create(client, "ready", KIND, Publish=True)
    functions.until_active(client, "ready", Qualifier="1")
    which = {"FunctionName": "ready", "Qualifier": "1"}
    client.put_provisioned_concurrency_config(**which, ProvisionedConcurrentExecutions=2)

    def stand():
        config = client.get_provisioned_concurrency_config(**which)
        both = config["AvailableProvisionedConcurrentExecutions"] == 2
        return both and server.metric(ENVIRONMENTS) == 2

    wait_for(stand, within=30)
    kind, before = json.loads(client.invoke(**which)["Payload"].read())
    kill_spawners(server)
    wait_for(lambda: server.metric(CREATED) >= 4 and stand(), within=30)
    again, after = json.loads(client.invoke(**which)["Payload"].read())
    assert kind == again == "provisioned-concurrency" and before != after
    server.finish()
