"""Fixtures of all end-to-end tests.

One server serves most tests of a run: they differ by function names, and where they need an
account's whole region to themselves, by region.
"""

import contextlib
import json
import os

import pytest

# What they compare is shown where they fail.
pytest.register_assert_rewrite("support.records", "support.mailboxes")

from support import clients, functions, leftovers, neighbours
from support.cluster import Cluster
from support.deploying import Commands
from support.disks import OnDisk
from support.moto import Moto
from support.server import Server

CONFIG = """
[[access_keys]]
id = "AKIATESTSOFANOTHERAC"
secret = "secret-of-another-account"
account = "111122223333"
"""
OTHER_ACCOUNT = ("AKIATESTSOFANOTHERAC", "secret-of-another-account")


def pytest_configure(config):
    if os.geteuid() != 0:
        pytest.exit("sandboxes need root: run as root or through sudo", returncode=2)
    leftovers.sweep()


# Which zones a cluster has that stands in place of the servers that tests share: `abc`, say. Empty for none.
ZONES = os.environ.get("LAMBENT_TEST_CLUSTER", "")


def shared(config):
    """What many tests use: one process, or a cluster."""
    return (Cluster(config, zones=ZONES) if ZONES else Server(config)).start()


@pytest.fixture(scope="session")
def server():
    """The server most tests share. Its end is a test too: see `Server.finish`."""
    server = shared(CONFIG)
    yield server
    server.finish()


@pytest.fixture(scope="session")
def peer():
    """Other AWS services: queues, topics, buses, buckets."""
    peer = Moto()
    yield peer
    peer.stop()


@pytest.fixture(scope="session")
def plane(peer):
    """The server of tests about outcomes of events: it tells them to `peer`."""
    rights = '[functions]\nrole_actions = ["lambda:InvokeFunction"]\n'
    server = shared(f'[aws]\nendpoint_url = "{peer.url}"\n{rights}')
    yield server
    server.finish()


def pytest_collection_modifyitems(config, items):
    """With a cluster, only tests that share a server: the others have one process to themselves."""
    if not ZONES:
        return
    kept = [item for item in items if not {"own_server", "on_disk"} & set(item.fixturenames)
            and {"server", "plane"} & set(item.fixturenames)
            and not item.get_closest_marker("one_process")]  # fmt: skip
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture
def own_server():
    """Makes servers for tests that stop, kill or configure theirs."""
    with contextlib.ExitStack() as stack:

        def make(config=""):
            server = Server(config)
            stack.callback(server.abandon)
            return server

        yield make


@pytest.fixture(scope="session")
def client(server):
    """Lambda's client, as the root of the account."""
    return clients.make(server)


@pytest.fixture(scope="session")
def loose(server):
    """As `client`, without checks of requests: what it sends may be nonsense."""
    return clients.make(server, parameter_validation=False)


@pytest.fixture
def on_disk():
    """Makes servers on disks of their own, of which 4 MB are the reserve."""
    servers = []

    def make(megabytes, config="", **kind):
        servers.append(OnDisk(megabytes, f"{config}\n[disk]\nreserve_mb = 4\n", **kind))
        return servers[-1]

    yield make
    for server in servers:
        server.abandon()


# Regions nobody else of this run uses: a test that counts functions or concurrency takes its own.
REGIONS = (f"eu-{place}-{number}" for number in range(4, 10) for place in ("north", "south", "west"))


@pytest.fixture
def regional(server):
    """A client in a region of its own."""
    return clients.make(server, region=next(REGIONS))


@pytest.fixture
def deploy(client):
    """Creates functions for one test and deletes them after it."""
    made = []

    def make(source, client=client, prefix="f", **settings):
        name = functions.unique(prefix)
        made.append((client, name))
        functions.create(client, name, source, **settings)
        return name

    yield make
    for client_, name in made:
        functions.delete(client_, name)


@pytest.fixture(scope="module")
def deploy_once(client):
    """As `deploy`, but the same source is the same function for all tests of a module."""
    made = {}

    def make(source, **settings):
        key = (source, repr(sorted(settings.items())))
        if key not in made:
            made[key] = functions.unique("shared")
            functions.create(client, made[key], source, **settings)
        return made[key]

    yield make
    for name in made.values():
        functions.delete(client, name)


class Answer:
    """What an invoke answered, read."""

    def __init__(self, answer):
        self.raw = answer
        self.status = answer["StatusCode"]
        self.error = answer.get("FunctionError")
        self.version = answer.get("ExecutedVersion")
        self.body = answer["Payload"].read()
        self.request_id = answer["ResponseMetadata"]["RequestId"]

    @property
    def json(self):
        return json.loads(self.body)


@pytest.fixture
def invoke(client):
    """Invokes and reads: `invoke(name, event, …).json`."""

    def call(name, event=None, client=client, payload=None, **arguments):
        if payload is None:
            payload = b"" if event is None else json.dumps(event).encode()
        return Answer(client.invoke(FunctionName=name, Payload=payload, **arguments))

    return call


@pytest.fixture
def lambent(server):
    """Runs a command of `lambent`; deletes the stacks of the test after it."""
    commands = Commands(server)
    yield commands
    commands.delete_all()


@pytest.fixture
def neighbour():
    """Another server of this machine; gives its port."""
    with neighbours.neighbour() as port:
        yield port
