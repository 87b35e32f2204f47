"""Code signing configs: the resource, which functions have it, and code that nobody has signed."""

import pytest
from botocore.exceptions import ClientError

from support import functions

SOURCE = "def handler(event, context):\n    return 1\n"
PROFILE = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/0123456789"


@pytest.fixture
def config(client):
    """Makes configs and deletes them after the test."""
    made = []

    def make(policy=None, **settings):
        if policy:
            settings["CodeSigningPolicies"] = {"UntrustedArtifactOnDeployment": policy}
        answer = client.create_code_signing_config(
            AllowedPublishers={"SigningProfileVersionArns": [PROFILE]}, **settings
        )
        made.append(answer["CodeSigningConfig"]["CodeSigningConfigArn"])
        return answer["CodeSigningConfig"]

    yield make
    for arn in made:
        try:
            client.delete_code_signing_config(CodeSigningConfigArn=arn)
        except client.exceptions.ResourceNotFoundException:
            pass


def code_of(refusal):
    return refusal.value.response["Error"]["Code"]


def test_a_configs_life(client, config):
    made = config(Description="mine")
    arn = made["CodeSigningConfigArn"]
    assert arn.endswith(made["CodeSigningConfigId"])
    assert made["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Warn"}
    assert made["AllowedPublishers"] == {"SigningProfileVersionArns": [PROFILE]}
    found = client.get_code_signing_config(CodeSigningConfigArn=arn)["CodeSigningConfig"]
    assert found == made
    changed = client.update_code_signing_config(
        CodeSigningConfigArn=arn, CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"}
    )["CodeSigningConfig"]
    assert changed["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Enforce"}
    assert (changed["Description"], changed["AllowedPublishers"]) == ("mine", made["AllowedPublishers"])
    others = {config()["CodeSigningConfigArn"] for _ in range(3)}
    pages = client.get_paginator("list_code_signing_configs").paginate(PaginationConfig={"PageSize": 2})
    listed = [one["CodeSigningConfigArn"] for page in pages for one in page["CodeSigningConfigs"]]
    assert {arn, *others} <= set(listed)
    assert len(listed) == len(set(listed))
    client.delete_code_signing_config(CodeSigningConfigArn=arn)
    for operation in (client.get_code_signing_config, client.delete_code_signing_config):
        with pytest.raises(client.exceptions.ResourceNotFoundException) as gone:
            operation(CodeSigningConfigArn=arn)
        words = f"The Lambda code signing configuration {arn} can not be found."
        assert gone.value.response["Error"]["Message"] == words


def test_functions_have_configs(client, config, deploy):
    arn = config()["CodeSigningConfigArn"]
    names = sorted([deploy(SOURCE), deploy(SOURCE, CodeSigningConfigArn=arn)])
    for name in names:
        answer = client.put_function_code_signing_config(CodeSigningConfigArn=arn, FunctionName=name)
        assert (answer["CodeSigningConfigArn"], answer["FunctionName"]) == (arn, name)
        answer = client.get_function_code_signing_config(FunctionName=name)
        assert answer["CodeSigningConfigArn"] == arn
    pages = client.get_paginator("list_functions_by_code_signing_config").paginate(
        CodeSigningConfigArn=arn, PaginationConfig={"PageSize": 1}
    )
    listed = [function for page in pages for function in page["FunctionArns"]]
    assert [function.rpartition(":")[2] for function in listed] == names
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.delete_code_signing_config(CodeSigningConfigArn=arn)
    client.delete_function_code_signing_config(FunctionName=names[0])
    assert "CodeSigningConfigArn" not in client.get_function_code_signing_config(FunctionName=names[0])
    # A function that is gone keeps nothing.
    functions.delete(client, names[1])
    client.delete_code_signing_config(CodeSigningConfigArn=arn)
    with pytest.raises(ClientError) as missing:
        client.put_function_code_signing_config(CodeSigningConfigArn=arn, FunctionName=names[0])
    assert code_of(missing) == "CodeSigningConfigNotFoundException"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function_code_signing_config(FunctionName=names[1])


def test_unsigned_code_is_refused_where_signatures_are_enforced(client, config, deploy):
    warns, enforces = (config(policy)["CodeSigningConfigArn"] for policy in ("Warn", "Enforce"))
    name = deploy(SOURCE, CodeSigningConfigArn=warns)
    code, _ = functions.source_package("python3.12", SOURCE + "# changed\n")
    client.update_function_code(FunctionName=name, ZipFile=code)
    functions.until_updated(client, name)
    with pytest.raises(ClientError) as refused:
        functions.create(client, functions.unique(), SOURCE, CodeSigningConfigArn=enforces)
    assert code_of(refused) == "CodeVerificationFailedException"
    # What is deployed already stays; only new code is checked.
    client.put_function_code_signing_config(CodeSigningConfigArn=enforces, FunctionName=name)
    client.update_function_configuration(FunctionName=name, Timeout=9)
    functions.until_updated(client, name)
    with pytest.raises(ClientError) as refused:
        client.update_function_code(FunctionName=name, ZipFile=code)
    assert code_of(refused) == "CodeVerificationFailedException"
    client.delete_function_code_signing_config(FunctionName=name)
    client.update_function_code(FunctionName=name, ZipFile=code)
    functions.until_updated(client, name)
