"""A data folder becomes a cluster, a cluster a data folder: nothing is lost on the way, and invokes give the same results."""

import contextlib
import itertools
import json
import re
import shutil
import subprocess

import pytest

from support import clients, events, functions, urls
from support.cluster import Cluster
from support.deploying import Commands
from support.server import Server, binary, wait_for

PROFILE = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/0123456789"
ALLOWED = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}],
})
# What differs between two systems that have the same.
OWN = ("FunctionUrl", "storedBytes", "ResponseMetadata", "Location")
BROKEN = """
    import os
    def handler(event, context):
        print('RAN {"event": %s, "request": "%s"}' % (event["number"], context.aws_request_id))
        if os.environ["BROKEN"] == "yes":
            raise ValueError("broken")
"""
STACK = """
Transform: AWS::Serverless-2016-10-31
Resources:
  OfStack:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: of-stack
      Runtime: python3.12
      Handler: index.handler
      InlineCode: |
        def handler(event, context):
            return "of a stack"
"""
WITHIN = 150


@pytest.fixture
def cluster():
    """A cluster of one zone that has its first host, and no process yet."""
    cluster = Cluster(zones="a")
    cluster.found()
    yield cluster
    cluster.abandon()


@pytest.fixture
def machine():
    """Makes servers, on a data folder that is there, if one is named."""
    with contextlib.ExitStack() as stack:

        def make(folder=None):
            server = Server()
            stack.callback(server.abandon)
            if folder:
                shutil.copytree(folder, server.data)
            return server.start()

        yield make


def command(cluster, *arguments):
    """Runs `lambent cluster …` as the operator of the host with the control plane."""
    centre, scratch = cluster.process("centre"), cluster.root / "scratch"
    scratch.mkdir(exist_ok=True)
    ran = subprocess.run(
        [binary(), "cluster", *arguments, "--config", centre.config],
        env={**centre.environment(), "TMPDIR": str(scratch)},
        capture_output=True, text=True, cwd=cluster.root,
    )  # fmt: skip
    assert not list(scratch.iterdir()), "temporary files stay behind"
    return ran.returncode, ran.stdout, ran.stderr


def told(text):
    """The counts of a copy, by kind."""
    return {kind: int(count) for count, kind in re.findall(r"^ *(\d+)  (.+)$", text, re.M)}


def without_own(value):
    """An answer without what is a system's own."""
    if isinstance(value, dict):
        return {key: without_own(part) for key, part in value.items() if key not in OWN}
    if isinstance(value, list):
        return [without_own(part) for part in value]
    return value


def fill(server, tmp_path):
    """Makes one of everything. Gives the key of a user."""
    client, iam, logs = (clients.make(server, service) for service in ("lambda", "iam", "logs"))
    layer = functions.package({"python/shared.py": "word = 'of the layer'\n"})
    for text in ("first", "second"):
        version = client.publish_layer_version(
            LayerName="shared", Description=text, Content={"ZipFile": layer}
        )
    client.add_layer_version_permission(
        LayerName="shared", VersionNumber=2, StatementId="all", Principal="*",
        Action="lambda:GetLayerVersion",
    )  # fmt: skip
    source = "import shared\ndef handler(event, context):\n    return [1, shared.word, event]\n"
    functions.create(
        client, "main", source, Layers=[version["LayerVersionArn"]], Tags={"team": "a"},
        Environment={"Variables": {"WORD": "b"}}, Timeout=7,
    )  # fmt: skip
    client.publish_version(FunctionName="main", Description="one")
    # A version keeps its code.
    zipped, _ = functions.source_package("python3.12", source.replace("[1", "[2"))
    client.update_function_code(FunctionName="main", ZipFile=zipped)
    functions.until_updated(client, "main")
    client.publish_version(FunctionName="main", Description="two")
    client.create_alias(FunctionName="main", Name="live", FunctionVersion="1")
    client.create_alias(
        FunctionName="main", Name="split", FunctionVersion="2",
        RoutingConfig={"AdditionalVersionWeights": {"1": 0.5}},
    )  # fmt: skip
    client.put_provisioned_concurrency_config(
        FunctionName="main", Qualifier="live", ProvisionedConcurrentExecutions=1
    )
    client.add_permission(
        FunctionName="main", StatementId="other", Action="lambda:InvokeFunction",
        Principal="111122223333",
    )  # fmt: skip
    client.create_function_url_config(FunctionName="main", AuthType="NONE")
    for action, more in (
        ("lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
        ("lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
    ):
        statement = action.split(":")[1]
        client.add_permission(
            FunctionName="main", StatementId=statement, Action=action, Principal="*", **more
        )
    client.put_function_event_invoke_config(FunctionName="main", MaximumEventAgeInSeconds=600)
    config = client.create_code_signing_config(
        AllowedPublishers={"SigningProfileVersionArns": [PROFILE]}, Description="warn"
    )["CodeSigningConfig"]
    client.put_function_code_signing_config(
        FunctionName="main", CodeSigningConfigArn=config["CodeSigningConfigArn"]
    )
    logs.create_log_group(logGroupName="kept")
    logs.put_retention_policy(logGroupName="kept", retentionInDays=7)
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="invokes", PolicyDocument=ALLOWED)
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    template = tmp_path / "template.yaml"
    template.write_text(STACK)
    status, _, err = Commands(server)("deploy", template, "--stack-name", "one", "--yes")
    assert status == 0, err
    return key["AccessKeyId"], key["SecretAccessKey"]


def picture(server):
    """All that the API tells of what `fill` has made."""
    client, iam, logs = (clients.make(server, service) for service in ("lambda", "iam", "logs"))
    name = {"FunctionName": "main"}
    provisioned = client.get_provisioned_concurrency_config(**name, Qualifier="live")
    arn = events.arn_of(client, "main")
    return without_own({
        "functions": sorted(
            client.list_functions(FunctionVersion="ALL")["Functions"],
            key=lambda function: function["FunctionArn"],
        ),
        "aliases": client.list_aliases(**name)["Aliases"],
        "policy": json.loads(client.get_policy(**name)["Policy"]),
        "url": client.get_function_url_config(**name),
        "url id": re.search(r"//([^./]+)", client.get_function_url_config(**name)["FunctionUrl"])[1],
        "provisioned": provisioned["RequestedProvisionedConcurrentExecutions"],
        "tags": client.list_tags(Resource=arn)["Tags"],
        "events": client.get_function_event_invoke_config(**name),
        "signing": client.get_function_code_signing_config(**name),
        "signing configs": client.list_code_signing_configs()["CodeSigningConfigs"],
        "layers": client.list_layer_versions(LayerName="shared")["LayerVersions"],
        "layer policy": client.get_layer_version_policy(LayerName="shared", VersionNumber=2),
        "groups": [
            (group["logGroupName"], group.get("retentionInDays"))
            for group in logs.describe_log_groups(logGroupNamePrefix="kept")["logGroups"]
        ],
        "users": [user["UserName"] for user in iam.list_users()["Users"]],
        "keys": [key["AccessKeyId"] for key in iam.list_access_keys(UserName="ann")["AccessKeyMetadata"]],
        "stacks": Commands(server)("stacks")[1],
    })  # fmt: skip


def check_invokes(server, user):
    """The same results as before, for the root key, a user's key and the URL."""
    for keys in (None, user):
        client = clients.make(server, keys=keys)
        for qualifier, number in (("live", 1), ("2", 2), ("$LATEST", 2)):
            answer = client.invoke(FunctionName="main", Qualifier=qualifier, Payload=b"5")
            assert json.load(answer["Payload"]) == [number, "of the layer", 5]
    client = clients.make(server)
    assert json.load(client.invoke(FunctionName="of-stack")["Payload"]) == "of a stack"
    url = client.get_function_url_config(FunctionName="main")["FunctionUrl"]
    answer = urls.call(server, url)
    assert answer.status == 200 and json.loads(answer.body)[:2] == [2, "of the layer"]
    ready = lambda: client.get_provisioned_concurrency_config(FunctionName="main", Qualifier="live")  # noqa: E731
    wait_for(lambda: ready()["Status"] == "READY", within=WITHIN)


def has_run(cluster, request):
    """Whether a host of the cluster has the log of a request: where workers write it."""
    logs = (file for process in cluster.processes for file in (process.data / "logs").rglob("*"))
    blobs = cluster.s3.client("s3")
    stored = blobs.list_objects_v2(Bucket="lambent", Prefix="logs/").get("Contents", [])
    texts = itertools.chain(
        (file.read_bytes() for file in logs if file.is_file()),
        (blobs.get_object(Bucket="lambent", Key=blob["Key"])["Body"].read() for blob in stored),
    )
    return any(request.encode() in text for text in texts)


def mend(server, name):
    """The function fails no more."""
    client = clients.make(server)
    client.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"BROKEN": "no"}}
    )
    functions.until_updated(client, name)


def test_one_machine_becomes_a_cluster_and_a_cluster_one_machine(cluster, machine, tmp_path):
    one = machine()
    user = fill(one, tmp_path)
    client, ran = clients.make(one), events.Told(one)
    # Events in every state: finally failed, to be tried again in a minute, and waiting for their turn.
    for name in ("failed", "again"):
        functions.create(client, name, BROKEN, Environment={"Variables": {"BROKEN": "yes"}})
    client.put_function_event_invoke_config(FunctionName="failed", **events.ONCE)
    functions.create(client, "busy", events.DOES, Timeout=60)
    client.put_function_concurrency(FunctionName="busy", ReservedConcurrentExecutions=1)
    before = picture(one)
    check_invokes(one, user)
    failed = events.send(client, "failed", {"number": 1})
    again = events.send(client, "again", {"number": 2})
    wait_for(lambda: ran("failed", failed) and ran("again", again), within=30)
    listed = Commands(one)
    wait_for(lambda: failed in listed("events", "failed")[1], within=30)
    # One runs when the server is told to stop, and the others have to wait. Too large for NATS itself.
    large = "x" * 100_000
    waiting = [
        events.send(client, "busy", {"number": number, "sleep": 8, "large": large})
        for number in range(3)
    ]
    wait_for(lambda: ran("busy"), within=30)
    done = {run["request"] for run in ran("busy")}
    one.terminate()
    assert len(done) == 1

    status, text, err = command(cluster, "restore", one.data)
    assert status == 0, err
    counts = told(text)
    assert counts["functions"] == 5 and counts["versions"] == 2 and counts["users"] == 1
    assert counts["events to invoke"] >= 2 and counts["failed events"] == 1, text
    # Twice would be too much.
    status, text, err = command(cluster, "restore", one.data)
    assert status != 0 and "empty" in err and told(text)["functions"] == 5
    # Hosts that join are given the master keys, those of before among them.
    cluster.start()
    after = picture(cluster)
    assert after == before
    check_invokes(cluster, user)
    status, _, err = command(cluster, "restore", one.data)
    assert status != 0 and "stop all of them" in err

    assert failed in Commands(cluster)("events", "failed")[1]
    mend(cluster, "again")
    for request in {*waiting, again} - done:
        wait_for(lambda: has_run(cluster, request), within=WITHIN, every=0.5)  # noqa: B023

    # And back, while it runs.
    client = clients.make(cluster)
    client.update_function_configuration(
        FunctionName="again", Environment={"Variables": {"BROKEN": "yes"}}
    )
    functions.until_updated(client, "again")
    last = events.send(client, "again", {"number": 3})
    wait_for(lambda: has_run(cluster, last), within=WITHIN, every=0.5)
    before = picture(cluster)
    saved = tmp_path / "saved"
    status, text, err = command(cluster, "backup", saved)
    assert status == 0, err
    counts = told(text)
    assert counts["functions"] == 5 and counts["failed events"] == 1
    assert counts["events to invoke"] == 1, text
    assert command(cluster, "backup", saved)[0] != 0, "nothing is written over"
    status, text, err = command(cluster, "backup", "s3://lambent/backups/one", "--without-secrets")
    assert status == 0, err
    assert told(text)["functions"] == 5
    assert set(cluster.stop().values()) == {0}

    two = machine(saved)
    assert picture(two) == before
    check_invokes(two, user)
    assert failed in Commands(two)("events", "failed")[1]
    mend(two, "again")
    wait_for(lambda: events.Told(two)("again", last), within=WITHIN)


def test_a_backup_in_a_bucket_is_a_data_folder_and_is_restored(cluster, machine, tmp_path):
    one = machine()
    client = clients.make(one)
    functions.create(client, "f", "def handler(event, context):\n    return 'kept'\n")
    one.terminate()
    assert command(cluster, "restore", one.data)[0] == 0
    place = "s3://lambent/backups/monday"
    status, _, err = command(cluster, "backup", place)
    assert status == 0, err
    # Its objects are the files of a data folder.
    s3, folder = cluster.s3.client("s3"), tmp_path / "fetched"
    prefix = "backups/monday/"
    for entry in s3.list_objects_v2(Bucket="lambent", Prefix=prefix)["Contents"]:
        path = folder / entry["Key"].removeprefix(prefix)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        s3.download_file("lambent", entry["Key"], str(path))
        path.chmod(0o600)
    two = machine(folder)
    answer = clients.make(two).invoke(FunctionName="f")
    assert json.load(answer["Payload"]) == "kept"
    # A backup without its last object is none.
    status, _, err = command(cluster, "restore", place)
    assert status != 0 and "empty" in err
    s3.delete_object(Bucket="lambent", Key=prefix + "backup.json")
    status, _, err = command(cluster, "restore", place)
    assert status != 0 and "no backup here" in err
