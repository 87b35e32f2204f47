"""Workers of a cluster: what an operator sees of them, how one is emptied, and what is lost when one dies."""

import json
import threading
import types
import urllib.request

import pytest
from botocore.exceptions import ClientError

from support import clients, functions
from support.cluster import Cluster
from support.deploying import Commands
from support.load import Load
from support.server import wait_for

ECHO = """
    import time

    def handler(event, context):
        time.sleep(0.05)
        return event
"""
LONG = """
    import time

    def handler(event, context):
        print("begins")
        time.sleep(event)
        print("ends")
        return "ended"
"""
# What the machine of a whole run of tests needs for what takes a second otherwise.
PATIENCE = 60


@pytest.fixture(scope="module")
def cluster():
    """Two zones, each with a frontend and a worker; the control plane has no languages."""
    cluster = Cluster(zones="ab")
    centre = cluster.process("centre")
    usual = centre.environment
    centre.environment = lambda: {**usual(), "LAMBENT_RUNTIMES_DIRECTORY": "/nowhere"}
    try:
        yield cluster.start()
    finally:
        cluster.abandon()


@pytest.fixture
def both(cluster):
    """The cluster when both workers are ready."""
    for host in ("work-a", "work-b"):
        process = cluster.process(host)
        if not process.process:
            process.start()
    wait_for(lambda: states(cluster) == {"work-a": "ready", "work-b": "ready"}, PATIENCE)
    return cluster


def workers(cluster):
    """What the operator is shown, of those that live."""
    status, out, err = Commands(cluster)("workers", "--json")
    assert status == 0, err
    return [worker for worker in json.loads(out)["Workers"] if worker["State"] != "silent"]


def states(cluster):
    return {worker["Host"]: worker["State"] for worker in workers(cluster)}


def environments(cluster, host):
    """How many a host has."""
    return sum(w["Busy"] + w["Idle"] for w in workers(cluster) if w["Host"] == host)


def busy(cluster):
    """The host that runs something, if there is one."""
    return next((worker["Host"] for worker in workers(cluster) if worker["Busy"]), None)


def everywhere(cluster):
    """A client of each frontend."""
    at = [types.SimpleNamespace(url=url, credentials=cluster.credentials) for url in cluster.urls]
    return [clients.make(server) for server in at]


@pytest.fixture
def deploy(both):
    """Creates a function; gives its name."""
    client, made = clients.make(both), []

    def make(source, **settings):
        made.append(functions.unique())
        functions.create(client, made[-1], source, **settings)
        return made[-1]

    yield make
    for name in made:
        functions.delete(client, name)


def spread(cluster, load):
    """Waits until the load has environments on both workers."""
    load.more(10)
    wait_for(lambda: all(environments(cluster, host) for host in ("work-a", "work-b")), PATIENCE)


def test_an_operator_sees_workers(both):
    command = Commands(both)
    found = {worker["Host"]: worker for worker in workers(both)}
    assert {host: worker["Zone"] for host, worker in found.items()} == {"work-a": "a", "work-b": "b"}
    assert all(worker["MemoryMb"] == 6000 and worker["Version"] for worker in found.values())
    status, out, _ = command("workers")
    assert status == 0
    head, *lines = out.splitlines()
    assert head.split()[:5] == ["HOST", "ZONE", "WORKER", "VERSION", "STATE"]
    assert all(any(host in line for line in lines) for host in found)
    status, _, err = command("drain", "nowhere")
    assert status == 1 and "No worker runs on the host nowhere" in err


def test_functions_may_name_what_workers_have(both, deploy):
    name = deploy("export const handler = async (event) => event;\n", runtime="nodejs22.x")
    answer = clients.make(both).invoke(FunctionName=name, Payload=b"7")
    assert answer["Payload"].read() == b"7"
    with pytest.raises(ClientError, match="ruby3.3 is a runtime of AWS Lambda that this"):
        deploy({"a.rb": ""}, runtime="ruby3.3", Handler="a.b")


def test_metrics_say_which_process_they_are_of(both):
    with urllib.request.urlopen(f"{both.process('work-a').admin_url()}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    of = [line for line in lines if line.startswith("lambent_worker_environments{")]
    assert of and all('roles="worker",host="work-a",zone="a"' in line for line in of)


def test_a_host_is_emptied_under_load_and_fails_no_invoke(both, deploy):
    command = Commands(both)
    name = deploy(ECHO)
    with Load(everywhere(both), name) as load:
        spread(both, load)
        status, out, err = command("drain", "work-a")
        assert status == 0, err
        assert out.splitlines()[-1] == "work-a is drained"
        assert environments(both, "work-a") == 0
        assert states(both)["work-a"] == "draining"
        load.more(20)
        assert environments(both, "work-a") == 0
        assert command("drain", "work-a", "--undo")[:2] == (0, "work-a drains no more\n")
        wait_for(lambda: states(both)["work-a"] == "ready", PATIENCE)
    assert load.failures == []
    # It takes new ones again.
    other = deploy(ECHO)
    assert command("drain", "work-b", "--no-wait")[:2] == (0, "work-b drains\n")
    wait_for(lambda: states(both)["work-b"] == "draining", PATIENCE)
    clients.make(both).invoke(FunctionName=other, Payload=b"1")
    # A worker says how it stands every second.
    wait_for(lambda: environments(both, "work-a") >= 1, PATIENCE)
    assert command("drain", "work-b", "--undo")[0] == 0


def test_provisioned_environments_are_made_elsewhere_first(both, deploy):
    client, command = clients.make(both), Commands(both)
    name = deploy(ECHO, Publish=True)
    provisioned = {"FunctionName": name, "Qualifier": "1"}
    client.put_provisioned_concurrency_config(**provisioned, ProvisionedConcurrentExecutions=2)

    def ready():
        found = client.get_provisioned_concurrency_config(**provisioned)
        return found["Status"] == "READY" and found["AvailableProvisionedConcurrentExecutions"] == 2

    wait_for(ready, PATIENCE)
    here = next(host for host in ("work-a", "work-b") if environments(both, host))
    status, _, err = command("drain", here)
    assert status == 0, err
    assert environments(both, here) == 0
    wait_for(ready, PATIENCE)
    client.delete_provisioned_concurrency_config(**provisioned)
    assert command("drain", here, "--undo")[0] == 0


def test_a_worker_that_is_terminated_under_load_fails_no_invoke(both, deploy):
    name = deploy(ECHO)
    with Load(everywhere(both), name) as load:
        spread(both, load)
        assert both.process("work-a").stop() == 0
        load.more(20)
        wait_for(lambda: set(states(both)) == {"work-b"}, PATIENCE)
        load.more(20)
    assert load.failures == []


def test_a_terminated_worker_finishes_what_runs(both, deploy):
    name = deploy(LONG, Timeout=30)
    client, answers = clients.make(both), []

    # Longer than environments are waited for that end with their worker.
    def call():
        answers.append(client.invoke(FunctionName=name, Payload=b"20"))

    caller = threading.Thread(target=call)
    caller.start()
    host = wait_for(lambda: busy(both), PATIENCE)
    assert both.process(host).stop() == 0
    caller.join()
    assert json.loads(answers[0]["Payload"].read()) == "ended"


def test_callers_of_a_worker_that_dies_are_told_at_once(both, deploy):
    # The client itself gives up after 60 s.
    name = deploy(LONG, Timeout=300)
    client, errors = clients.make(both), []

    def call():
        try:
            client.invoke(FunctionName=name, Payload=b"200")
        except ClientError as error:
            errors.append(error.response)

    caller = threading.Thread(target=call)
    caller.start()
    host = wait_for(lambda: busy(both), PATIENCE)
    both.process(host).kill()
    caller.join()
    assert errors[0]["Error"]["Code"] == "ServiceException"
    assert errors[0]["Error"]["Message"] == "The function's environment was lost."
    assert errors[0]["ResponseMetadata"]["HTTPStatusCode"] == 500
    # Others go elsewhere, at once.
    answer = client.invoke(FunctionName=name, Payload=b"0")
    assert json.loads(answer["Payload"].read()) == "ended"


def test_events_of_a_worker_that_dies_are_run_again(both, deploy):
    name = deploy(LONG, Timeout=60)
    client, logs = clients.make(both), clients.make(both, "logs")
    client.invoke(FunctionName=name, InvocationType="Event", Payload=b"10")
    host = wait_for(lambda: busy(both), PATIENCE)
    both.process(host).kill()

    def printed(line):
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        return [event for event in found if event["message"].strip() == line]

    def ended():
        try:
            return printed("ends")
        except logs.exceptions.ResourceNotFoundException:
            return []

    assert len(wait_for(ended, 2 * PATIENCE)) == 1
