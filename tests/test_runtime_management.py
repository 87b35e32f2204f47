"""When runtimes are updated, and what becomes of functions that call themselves: kept and answered."""

import pytest
from botocore.exceptions import ClientError

SOURCE = "def handler(event, context):\n    return 1\n"
VERSION = "arn:aws:lambda:us-east-1::runtime:0123456789abcdef"


def test_runtime_updates_are_set_for_each_version(client, deploy):
    name = deploy(SOURCE)
    client.publish_version(FunctionName=name)
    assert client.get_runtime_management_config(FunctionName=name)["UpdateRuntimeOn"] == "Auto"
    answer = client.put_runtime_management_config(
        FunctionName=name, Qualifier="1", UpdateRuntimeOn="Manual", RuntimeVersionArn=VERSION
    )
    assert answer["FunctionArn"].endswith(f":function:{name}:1")
    found = client.get_runtime_management_config(FunctionName=name, Qualifier="1")
    assert (found["UpdateRuntimeOn"], found["RuntimeVersionArn"]) == ("Manual", VERSION)
    client.put_runtime_management_config(FunctionName=name, UpdateRuntimeOn="FunctionUpdate")
    found = client.get_runtime_management_config(FunctionName=name, Qualifier="$LATEST")
    assert found["UpdateRuntimeOn"] == "FunctionUpdate"
    assert "RuntimeVersionArn" not in found


def test_wrong_runtime_updates_are_refused(client, deploy):
    name = deploy(SOURCE)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    west = VERSION.replace("east", "west")
    for wrong in (
        {"UpdateRuntimeOn": "Manual"},
        {"UpdateRuntimeOn": "Auto", "RuntimeVersionArn": VERSION},
        {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": west},
        {"UpdateRuntimeOn": "Auto", "Qualifier": "live"},
    ):
        with pytest.raises(client.exceptions.InvalidParameterValueException):
            client.put_runtime_management_config(FunctionName=name, **wrong)
    for missing in ({"FunctionName": name, "Qualifier": "9"}, {"FunctionName": f"{name}-not"}):
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.put_runtime_management_config(UpdateRuntimeOn="Auto", **missing)


def test_recursive_loops_end_unless_they_are_allowed(client, deploy):
    name = deploy(SOURCE)
    assert client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Terminate"
    answer = client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert answer["RecursiveLoop"] == "Allow"
    assert client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Allow"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function_recursion_config(FunctionName=f"{name}-not")
    with pytest.raises(ClientError) as refused:
        client.get_function_recursion_config(FunctionName=f"{name}:1")
    assert refused.value.response["Error"]["Code"] == "ValidationException"
