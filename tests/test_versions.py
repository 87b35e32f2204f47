"""PublishVersion and ListVersionsByFunction: versions stay as they are."""

import pytest
from botocore.exceptions import ClientError

from support import functions

VERSION = """
    import os
    TEXT = {text!r}
    def handler(event, context):
        return [TEXT, os.environ['AWS_LAMBDA_FUNCTION_VERSION'], context.function_version,
                context.invoked_function_arn]
"""


def source(text):
    return VERSION.format(text=text)


def code(text):
    return functions.source_package("python3.12", source(text))[0]


def publish(client, name, **arguments):
    version = client.publish_version(FunctionName=name, **arguments)
    functions.until_active(client, name, Qualifier=version["Version"])
    return version


def test_a_version_keeps_what_it_was(client, deploy, invoke):
    name = deploy(source("first"))
    version = publish(client, name, Description="the first")
    assert version["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert version["Version"] == "1"
    assert version["Description"] == "the first"
    assert version["FunctionArn"].endswith(f":{name}:1")
    client.update_function_code(FunctionName=name, ZipFile=code("second"))
    functions.until_updated(client, name)
    arn = version["FunctionArn"]
    assert invoke(name, Qualifier="1").json == ["first", "1", "1", arn]
    assert invoke(f"{name}:1").json == ["first", "1", "1", arn]
    assert invoke(arn).version == "1"
    latest = invoke(name)
    assert latest.json[:3] == ["second", "$LATEST", "$LATEST"]
    assert latest.version == "$LATEST"


def test_publishing_without_a_change_answers_the_same_version(client, deploy):
    name = deploy(source("same"))
    assert publish(client, name)["Version"] == "1"
    assert publish(client, name)["Version"] == "1"
    client.update_function_configuration(FunctionName=name, Timeout=5)
    functions.until_updated(client, name)
    assert publish(client, name)["Version"] == "2"
    client.delete_function(FunctionName=name, Qualifier="2")
    client.update_function_configuration(FunctionName=name, Timeout=6)
    functions.until_updated(client, name)
    assert publish(client, name)["Version"] == "3"


def test_versions_are_listed_in_order_and_in_pages(client, deploy):
    name = deploy(source("0"), Publish=True)
    for timeout in range(4, 7):
        client.update_function_configuration(FunctionName=name, Timeout=timeout)
        functions.until_updated(client, name)
        publish(client, name)
    found = client.list_versions_by_function(FunctionName=name)["Versions"]
    assert [version["Version"] for version in found] == ["$LATEST", "1", "2", "3", "4"]
    pages = client.get_paginator("list_versions_by_function")
    pages = pages.paginate(FunctionName=name, PaginationConfig={"PageSize": 2})
    listed = [version["Version"] for page in pages for version in page["Versions"]]
    assert listed == ["$LATEST", "1", "2", "3", "4"]


def test_a_publish_can_insist_on_its_code(client, deploy):
    name = deploy(source("x"))
    right = client.get_function_configuration(FunctionName=name)["CodeSha256"]
    with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
        client.publish_version(FunctionName=name, CodeSha256="bm90IGl0")
    assert "CodeSHA256" in refused.value.response["Error"]["Message"]
    assert publish(client, name, CodeSha256=right)["Version"] == "1"


def test_a_function_can_be_published_as_it_is_created(client, deploy, invoke):
    name = deploy(source("x"), Publish=True)
    functions.until_active(client, name, Qualifier="1")
    assert invoke(name, Qualifier="1").json[0] == "x"


def test_a_version_is_read_by_its_number(client, deploy):
    name = deploy(source("x"), Publish=True)
    found = client.get_function_configuration(FunctionName=name, Qualifier="1")
    assert found["Version"] == "1"
    assert client.get_function(FunctionName=f"{name}:1")["Configuration"]["Version"] == "1"
    with pytest.raises(client.exceptions.ResourceNotFoundException) as missing:
        client.get_function(FunctionName=name, Qualifier="7")
    assert missing.value.response["Error"]["Message"].endswith(f":function:{name}:7")
    with pytest.raises(ClientError) as two:
        client.get_function(FunctionName=f"{name}:1", Qualifier="2")
    assert two.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_versions_are_deleted_by_number_alone(client, deploy):
    name = deploy(source("x"), Publish=True)
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.delete_function(FunctionName=name, Qualifier="$LATEST")
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.delete_function(FunctionName=name, Qualifier="1")
    client.delete_alias(FunctionName=name, Name="live")
    client.delete_function(FunctionName=name, Qualifier="1")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName=name, Qualifier="1")
    assert client.get_function(FunctionName=name)
