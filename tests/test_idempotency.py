"""Asked twice, at once, or at the wrong moment: what may be repeated, and what is refused unharmed."""

import base64
import collections
import concurrent.futures
import io
import hashlib

import pytest
from botocore.exceptions import ClientError

from support import functions
from support.server import wait_for

ECHO = "def handler(event, context):\n    return event\n"
OTHER = "def handler(event, context):\n    return [event]\n"


def at_once(*calls):
    """Each call's answer or its error's name and message, all begun together."""

    def one(call):
        try:
            return call()
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]

    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def refused(answers):
    return collections.Counter(answer[0] for answer in answers if isinstance(answer, tuple))


def test_a_function_is_created_once(client):
    name = functions.unique()
    package, handler = functions.source_package("python3.12", ECHO)

    def create():
        return client.create_function(
            FunctionName=name, Runtime="python3.12", Handler=handler, Role=functions.ROLE,
            Code={"ZipFile": package},
        )  # fmt: skip

    answers = at_once(*[create] * 6)
    assert refused(answers) == {"ResourceConflictException": 5}
    messages = {answer[1] for answer in answers if isinstance(answer, tuple)}
    assert messages == {f"Function already exist: {name}"}
    functions.until_active(client, name)
    functions.delete(client, name)


def test_what_is_put_may_be_put_again(client, deploy):
    name = deploy(ECHO)
    version = client.publish_version(FunctionName=name)["Version"]
    arn = client.get_function_configuration(FunctionName=name)["FunctionArn"]
    for _ in range(2):
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=3)
        client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)
        client.put_provisioned_concurrency_config(
            FunctionName=name, Qualifier=version, ProvisionedConcurrentExecutions=1
        )
        client.tag_resource(Resource=arn, Tags={"a": "b"})
        client.untag_resource(Resource=arn, TagKeys=["c"])
    assert client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 3
    for _ in range(2):
        client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier=version)
        client.delete_function_concurrency(FunctionName=name)
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)


def test_publishing_twice_is_one_version(client, deploy):
    name = deploy(ECHO)
    answers = at_once(*[lambda: client.publish_version(FunctionName=name)] * 4)
    assert set(refused(answers)) <= {"ResourceConflictException"}
    assert client.publish_version(FunctionName=name)["Version"] == "1"
    listed = client.list_versions_by_function(FunctionName=name)["Versions"]
    assert [version["Version"] for version in listed] == ["$LATEST", "1"]


def test_a_version_is_deleted_as_often_as_one_likes(client, deploy):
    name = deploy(ECHO)
    version = client.publish_version(FunctionName=name)["Version"]
    client.delete_function(FunctionName=name, Qualifier=version)
    client.delete_function(FunctionName=name, Qualifier=version)
    functions.delete(client, name)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.delete_function(FunctionName=name)


def test_an_update_meets_another_only_in_lambdas_words(client, deploy):
    """Of changes at once each is done wholly or refused wholly."""
    name = deploy(ECHO)
    arn = client.get_function_configuration(FunctionName=name)["FunctionArn"]

    def describe(text):
        return lambda: client.update_function_configuration(FunctionName=name, Description=text)

    answers = at_once(*[describe(f"text {number}") for number in range(8)])
    assert set(refused(answers)) <= {"ResourceConflictException"}
    words = {
        "The operation cannot be performed at this time. An update is in progress for resource: "
        + arn
    }
    assert {answer[1] for answer in answers if isinstance(answer, tuple)} <= words
    functions.until_updated(client, name)
    done = {answer["Description"] for answer in answers if not isinstance(answer, tuple)}
    assert client.get_function_configuration(FunctionName=name)["Description"] in done


def test_a_refused_change_leaves_nothing(client, deploy):
    name = deploy(ECHO)
    before = client.get_function(FunctionName=name)
    package, _ = functions.source_package("python3.12", OTHER)
    for change in (
        lambda: client.update_function_code(FunctionName=name, ZipFile=package, RevisionId="no"),
        lambda: client.update_function_code(FunctionName=name, ZipFile=b"no zip"),
        lambda: client.update_function_configuration(FunctionName=name, Role="arn:aws:iam::1:role/x"),
        lambda: client.publish_version(FunctionName=name, CodeSha256="no"),
        lambda: client.create_alias(FunctionName=name, Name="a", FunctionVersion="7"),
        lambda: client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=901),
    ):
        with pytest.raises(ClientError) as refusal:
            change()
        assert 400 <= refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500
    after = client.get_function(FunctionName=name)
    assert after["Configuration"] == before["Configuration"]
    assert "Concurrency" not in after
    assert client.list_aliases(FunctionName=name)["Aliases"] == []
    assert len(client.list_versions_by_function(FunctionName=name)["Versions"]) == 1


def test_the_same_code_again_is_the_same_code(client, deploy):
    name = deploy(ECHO)
    package, _ = functions.source_package("python3.12", ECHO)
    digest = base64.b64encode(hashlib.sha256(package).digest()).decode()
    for _ in range(2):
        answer = client.update_function_code(FunctionName=name, ZipFile=io.BytesIO(package).read())
        assert answer["CodeSha256"] == digest
        functions.until_updated(client, name)
    assert client.publish_version(FunctionName=name)["Version"] == "1"


def test_reservations_at_once_leave_the_hundred(regional):
    """900 may be reserved: of ten that want 300 each at once, three find room and not one more."""
    names = [functions.unique() for _ in range(10)]
    for name in names:
        functions.create(regional, name, ECHO)

    def reserve(name):
        return lambda: regional.put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=300
        )

    answers = at_once(*[reserve(name) for name in names])
    codes = refused(answers)
    assert set(codes) == {"InvalidParameterValueException"}
    unreserved = regional.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    assert unreserved == 1000 - 300 * (10 - codes["InvalidParameterValueException"])
    assert unreserved >= 100
    # For those that were refused because another was about to be created: there is room now, or there was.
    for name in names:
        functions.delete(regional, name)
    wait_for(
        lambda: regional.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
        == 1000
    )


def test_reservation_and_provisioned_concurrency_keep_in_step(client, deploy):
    name = deploy(ECHO)
    version = client.publish_version(FunctionName=name)["Version"]
    for _ in range(5):
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=4)
        at_once(
            lambda: client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1),
            lambda: client.put_provisioned_concurrency_config(
                FunctionName=name, Qualifier=version, ProvisionedConcurrentExecutions=3
            ),
        )
        reserved = client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"]
        configs = client.list_provisioned_concurrency_configs(FunctionName=name)
        wanted = [
            c["RequestedProvisionedConcurrentExecutions"]
            for c in configs["ProvisionedConcurrencyConfigs"]
        ]
        assert sum(wanted) <= reserved
        client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier=version)
