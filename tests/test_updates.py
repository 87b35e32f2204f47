"""UpdateFunctionCode and UpdateFunctionConfiguration: what changes, when, and who may."""

import concurrent.futures

import pytest
from botocore.exceptions import ClientError

from support import functions

ONE = "def handler(event, context):\n    return 1\n"
TWO = "def handler(event, context):\n    return 2\n"
VARIABLE = """
    import os
    def handler(event, context):
        return os.environ.get('COLOUR')
"""


def code(source):
    return functions.source_package("python3.12", source)[0]


def test_new_code_runs_after_its_update(client, deploy, invoke):
    name = deploy(ONE)
    before = client.get_function_configuration(FunctionName=name)
    assert invoke(name).json == 1
    answer = client.update_function_code(FunctionName=name, ZipFile=code(TWO))
    assert answer["LastUpdateStatus"] in ("InProgress", "Successful")
    assert answer["CodeSha256"] != before["CodeSha256"]
    assert answer["RevisionId"] != before["RevisionId"]
    functions.until_updated(client, name)
    assert invoke(name).json == 2


def test_a_dry_run_changes_nothing(client, deploy, invoke):
    name = deploy(ONE)
    before = client.get_function_configuration(FunctionName=name)["CodeSha256"]
    answer = client.update_function_code(FunctionName=name, ZipFile=code(TWO), DryRun=True)
    assert answer["CodeSha256"] != before
    assert client.get_function_configuration(FunctionName=name)["CodeSha256"] == before
    assert invoke(name).json == 1


def test_code_can_be_published_at_once(client, deploy, invoke):
    name = deploy(ONE)
    answer = client.update_function_code(FunctionName=name, ZipFile=code(TWO), Publish=True)
    assert answer["Version"] == "1"
    functions.until_updated(client, name)
    functions.until_active(client, name, Qualifier="1")
    assert invoke(name, Qualifier="1").json == 2


def test_only_what_is_given_changes(client, deploy, invoke):
    name = deploy(
        VARIABLE, Description="old", Timeout=9, MemorySize=256,
        Environment={"Variables": {"COLOUR": "red"}},
    )  # fmt: skip
    assert invoke(name).json == "red"
    client.update_function_configuration(FunctionName=name, Timeout=10)
    functions.until_updated(client, name)
    found = client.get_function_configuration(FunctionName=name)
    assert (found["Description"], found["Timeout"], found["MemorySize"]) == ("old", 10, 256)
    assert found["Environment"] == {"Variables": {"COLOUR": "red"}}
    client.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"COLOUR": "blue"}}
    )
    functions.until_updated(client, name)
    assert invoke(name).json == "blue"
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {}})
    functions.until_updated(client, name)
    assert invoke(name).json is None


def test_a_stale_revision_changes_nothing(client, deploy):
    name = deploy(ONE)
    stale = client.get_function_configuration(FunctionName=name)["RevisionId"]
    client.update_function_configuration(FunctionName=name, Description="x", RevisionId=stale)
    functions.until_updated(client, name)
    for call, arguments in [
        ("update_function_configuration", {"Description": "y"}),
        ("update_function_code", {"ZipFile": code(TWO)}),
        ("publish_version", {}),
    ]:
        with pytest.raises(client.exceptions.PreconditionFailedException) as refused:
            getattr(client, call)(FunctionName=name, RevisionId=stale, **arguments)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
        assert "RevisionId" in refused.value.response["Error"]["Message"] or (
            "Revision Id" in refused.value.response["Error"]["Message"]
        )
    assert client.get_function_configuration(FunctionName=name)["Description"] == "x"


def test_of_writers_with_one_revision_one_wins(client, deploy):
    name = deploy(ONE)
    revision = client.get_function_configuration(FunctionName=name)["RevisionId"]

    def write(number):
        try:
            client.update_function_configuration(
                FunctionName=name, Description=str(number), RevisionId=revision
            )
            return True
        except (client.exceptions.PreconditionFailedException,
                client.exceptions.ResourceConflictException):
            return False

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(8))) == 1
    functions.until_updated(client, name)


def test_invokes_go_on_while_an_update_is_made(client, deploy, invoke):
    name = deploy(ONE)
    seen = set()
    stop = False

    def keep_invoking():
        while not stop:
            seen.add(invoke(name).json)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        tasks = [pool.submit(keep_invoking) for _ in range(2)]
        for source in (TWO, ONE, TWO):
            client.update_function_code(FunctionName=name, ZipFile=code(source))
            functions.until_updated(client, name)
        stop = True
        for task in tasks:
            task.result()
    assert seen <= {1, 2}
    assert invoke(name).json == 2


def test_nothing_is_done_to_a_function_in_the_making(client):
    """A package of many files takes a while to unpack; until then there is only waiting."""
    files = {f"files/{i}": "" for i in range(8_000)}
    files["index.py"] = ONE
    package = functions.package(files)
    pending = None
    for _ in range(5):
        name = functions.unique()
        functions.create(client, name, package, wait=False)
        try:
            client.invoke(FunctionName=name)
        except client.exceptions.ResourceConflictException as error:
            pending = error
            with pytest.raises(ClientError) as refused:
                client.update_function_configuration(FunctionName=name, Timeout=4)
        functions.until_active(client, name)
        functions.delete(client, name)
        if pending:
            break
        package = functions.package({**files, name: ""})
    assert pending is not None, "never seen pending"
    message = pending.response["Error"]["Message"]
    assert message.startswith("The operation cannot be performed at this time.")
    assert "Pending" in message
    assert pending.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    assert refused.value.response["Error"]["Code"] == "ResourceConflictException"


@pytest.mark.parametrize(
    "settings, code_",
    [
        ({"Timeout": 901}, "ValidationException"),
        ({"MemorySize": 1}, "ValidationException"),
        ({"Runtime": "cobol"}, "InvalidParameterValueException"),
        ({"Environment": {"Variables": {"LAMBDA_TASK_ROOT": "x"}}}, "InvalidParameterValueException"),
        ({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"]},
         "InvalidParameterValueException"),
    ],
)
def test_bad_configuration_is_refused_and_changes_nothing(loose, deploy, settings, code_):
    name = deploy(ONE)
    before = loose.get_function_configuration(FunctionName=name)["RevisionId"]
    with pytest.raises(ClientError) as refused:
        loose.update_function_configuration(FunctionName=name, **settings)
    assert refused.value.response["Error"]["Code"] == code_
    assert loose.get_function_configuration(FunctionName=name)["RevisionId"] == before
