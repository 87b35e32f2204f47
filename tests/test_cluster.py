"""A cluster of three zones: what its processes are to each other, and that each may go."""

import concurrent.futures
import json
import threading
import time

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from support import clients, functions
from support.cluster import Cluster
from support.server import wait_for

ECHO = """
import os, time, uuid
ID = str(uuid.uuid4())
def handler(event, context):
    time.sleep(event.get("sleep", 0))
    return {"id": ID, "n": event.get("n")}
"""


class At:
    """One frontend of a cluster, as clients see it."""

    def __init__(self, cluster, url):
        self.url, self.credentials = url, cluster.credentials


@pytest.fixture(scope="module")
def cluster():
    """One for all tests of this module; those that end a process start it again."""
    cluster = Cluster().start()
    yield cluster
    cluster.abandon()


def frontends(cluster):
    """A client for each frontend."""
    return [clients.make(At(cluster, url)) for url in cluster.urls]


def deployed(client, source=ECHO, **settings):
    """A function that is there."""
    name = functions.unique()
    functions.create(client, name, source, **settings)
    return name


class Load:
    """Invokes a function all the time through all frontends. A client goes to the next frontend only if a connection is
    refused: then the request was certainly not sent. Everything else that is no success counts as failed."""

    def __init__(self, cluster, name, threads=4):
        self.cluster, self.name = cluster, name
        self.succeeded, self.failed = 0, []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number):
        turn = number
        made = {}
        while not self._stop.is_set():
            urls = self.cluster.listens
            url = urls[turn % len(urls)]
            client = made.setdefault(url, clients.make(At(self.cluster, url), tcp_keepalive=True))
            try:
                answer = client.invoke(FunctionName=self.name, Payload=b'{"sleep": 0.01}')
                assert "FunctionError" not in answer, answer["Payload"].read()
                answer["Payload"].read()
                with self._lock:
                    self.succeeded += 1
            except EndpointConnectionError:
                turn += 1
            except Exception as error:  # noqa: BLE001: whatever it is, it counts
                with self._lock:
                    self.failed.append(f"{time.time():.3f} {url} {error!r}")
            else:
                turn += number % 2


def test_a_worker_is_given_no_secret_and_no_store_of_metadata(cluster):
    worker = cluster.process("work-a")
    files = {path.name for path in worker.folder.iterdir()}
    assert files == {"authority.pem", "host.pem", "host.key", "lambent.toml"}
    text = worker.config.read_text()
    assert "nats" not in text and "system" not in text
    assert all(path.stat().st_mode & 0o077 == 0 for path in worker.folder.iterdir())


def test_any_frontend_takes_any_request(cluster):
    first, second, third = frontends(cluster)
    name = deployed(first)
    wait_for(lambda: clients.status(second.get_function, FunctionName=name) == 200)
    answer = third.invoke(FunctionName=name, Payload=b'{"n": 1}')
    assert json.loads(answer["Payload"].read())["n"] == 1
    second.delete_function(FunctionName=name)
    with pytest.raises(ClientError) as gone:
        first.get_function(FunctionName=name)
    assert gone.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_environments_outlive_the_process_that_lent_them(cluster):
    """All processes of assignment end, one after the other, each killed: those who lead next lend what is there."""
    client = frontends(cluster)[0]
    name = deployed(client)

    def invoke():
        # The report of the invoke before has arrived by then, however busy the machine is.
        time.sleep(0.5)
        return json.loads(client.invoke(FunctionName=name, Payload=b"{}")["Payload"].read())["id"]

    first = invoke()
    for zone in "bca":
        process = cluster.process(f"front-{zone}")
        process.kill()
        if zone != "a":
            assert invoke() == first, f"front-{zone}"
        process.start()
        wait_for(lambda: invoke() == first, 20)


def test_invokes_go_on_while_the_control_plane_is_away(cluster):
    client = frontends(cluster)[1]
    name = deployed(client)
    assert clients.status(client.invoke, FunctionName=name) == 200
    centre = cluster.process("centre")
    centre.kill()
    try:
        for _ in range(20):
            assert clients.status(client.invoke, FunctionName=name) == 200
        # Workers are no less alive for it.
        time.sleep(4)
        assert clients.status(client.invoke, FunctionName=name) == 200
        loose = clients.make(At(cluster, cluster.urls[0]), strict=False)
        assert clients.status(loose.list_functions) == 503
    finally:
        centre.start()
    wait_for(lambda: clients.status(loose.list_functions) == 200, 20)


def test_every_process_is_restarted_under_load_and_no_invoke_fails(cluster):
    name = deployed(frontends(cluster)[0])
    with Load(cluster, name) as load:
        wait_for(lambda: load.succeeded > 50, 30)
        for process in cluster.processes:
            assert process.stop() == 0, process.log_tail()
            process.start()
            before = load.succeeded
            wait_for(lambda before=before: load.succeeded > before + 20, 30)
            assert not load.failed, f"after {process.host}: {load.failed[:5]}"
    assert not load.failed, load.failed[:5]


def test_a_burst_runs_on_workers_of_all_zones(cluster):
    client = frontends(cluster)[2]
    name = deployed(client, MemorySize=1024)
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        calls = [pool.submit(client.invoke, FunctionName=name, Payload=b'{"sleep": 1}') for _ in range(12)]
        ids = {json.loads(call.result()["Payload"].read())["id"] for call in calls}
    assert len(ids) == 12
