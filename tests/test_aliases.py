"""Aliases: names for versions, and for two versions by weight."""

import pytest
from botocore.exceptions import ClientError

from support import functions

SOURCE = """
    import os
    def handler(event, context):
        return [os.environ['AWS_LAMBDA_FUNCTION_VERSION'], context.invoked_function_arn]
"""


@pytest.fixture
def name(client, deploy):
    """A function with versions 1 and 2."""
    name = deploy(SOURCE, Publish=True)
    client.update_function_configuration(FunctionName=name, Timeout=5)
    functions.until_updated(client, name)
    client.publish_version(FunctionName=name)
    functions.until_active(client, name, Qualifier="2")
    return name


def test_an_alias_leads_to_its_version(client, invoke, name):
    made = client.create_alias(
        FunctionName=name, Name="live", FunctionVersion="1", Description="what is used"
    )
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}:live"
    assert made["AliasArn"] == arn
    assert (made["Name"], made["FunctionVersion"]) == ("live", "1")
    assert made["Description"] == "what is used"
    assert "RoutingConfig" not in made
    answer = invoke(name, Qualifier="live")
    assert answer.json == ["1", arn]
    assert answer.version == "1"
    client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    assert invoke(f"{name}:live").json == ["2", arn]
    found = client.get_alias(FunctionName=name, Name="live")
    assert found["Description"] == "what is used"
    assert found["RevisionId"] != made["RevisionId"]
    assert client.get_function(FunctionName=name, Qualifier="live")["Configuration"]["Version"] == "2"
    assert client.delete_alias(FunctionName=name, Name="live")["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_alias(FunctionName=name, Name="live")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName=name, Qualifier="live")


def test_weights_spread_invokes_over_two_versions(client, invoke, name):
    client.create_alias(
        FunctionName=name, Name="canary", FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )  # fmt: skip
    seen = [invoke(name, Qualifier="canary") for _ in range(60)]
    assert {answer.version for answer in seen} == {"1", "2"}
    assert all(answer.version == answer.json[0] for answer in seen)
    # Half of 60 is 30, and 3 or fewer is one chance in 10^13.
    assert min([a.version for a in seen].count("1"), [a.version for a in seen].count("2")) > 3
    client.update_alias(
        FunctionName=name, Name="canary", RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}}
    )
    assert {invoke(name, Qualifier="canary").version for _ in range(10)} == {"2"}
    client.update_alias(
        FunctionName=name, Name="canary", RoutingConfig={"AdditionalVersionWeights": {}}
    )
    assert {invoke(name, Qualifier="canary").version for _ in range(10)} == {"1"}


def test_aliases_are_listed(client, name):
    for alias, version in (("a", "1"), ("b", "2"), ("c", "2"), ("d", "$LATEST")):
        client.create_alias(FunctionName=name, Name=alias, FunctionVersion=version)
    found = client.list_aliases(FunctionName=name)["Aliases"]
    assert [alias["Name"] for alias in found] == ["a", "b", "c", "d"]
    found = client.list_aliases(FunctionName=name, FunctionVersion="2")["Aliases"]
    assert [alias["Name"] for alias in found] == ["b", "c"]
    pages = client.get_paginator("list_aliases")
    pages = pages.paginate(FunctionName=name, PaginationConfig={"PageSize": 3})
    assert [len(page["Aliases"]) for page in pages] == [3, 1]


def test_an_alias_is_made_once(client, name):
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    with pytest.raises(client.exceptions.ResourceConflictException) as taken:
        client.create_alias(FunctionName=name, Name="live", FunctionVersion="2")
    assert "Alias already exists" in taken.value.response["Error"]["Message"]


def test_a_stale_revision_changes_no_alias(client, name):
    stale = client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")["RevisionId"]
    client.update_alias(FunctionName=name, Name="live", FunctionVersion="2", RevisionId=stale)
    with pytest.raises(client.exceptions.PreconditionFailedException):
        client.update_alias(FunctionName=name, Name="live", FunctionVersion="1", RevisionId=stale)
    assert client.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "2"


@pytest.mark.parametrize(
    "settings, code",
    [
        ({"FunctionVersion": "9"}, "ResourceNotFoundException"),
        ({"FunctionVersion": "live"}, "ValidationException"),
        ({"Name": "12"}, "ValidationException"),
        ({"Name": "a b"}, "ValidationException"),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"2": 1.5}}}, "ValidationException"),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}}}, "InvalidParameterValueException"),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"9": 0.1}}}, "ResourceNotFoundException"),
        ({"FunctionVersion": "$LATEST",
          "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1}}}, "InvalidParameterValueException"),
    ],
)
def test_what_no_alias_may_be_is_refused(loose, name, settings, code):
    request = {"FunctionName": name, "Name": "x", "FunctionVersion": "1", **settings}
    with pytest.raises(ClientError) as refused:
        loose.create_alias(**request)
    assert refused.value.response["Error"]["Code"] == code, refused.value
