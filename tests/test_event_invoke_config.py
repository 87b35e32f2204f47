"""Settings of asynchronous invokes: they are kept, and wrong ones refused."""

import pytest
from botocore.exceptions import ClientError

from support import functions

SOURCE = "def handler(event, context):\n    return 1\n"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
TOPIC = "arn:aws:sns:us-east-1:000000000000:t"


def refused(call, code, words, **arguments):
    with pytest.raises(ClientError) as refusal:
        call(**arguments)
    error = refusal.value.response["Error"]
    assert (error["Code"], words in error["Message"]) == (code, True), error


def arn_of(client, name):
    return client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]


def test_put_replaces_and_update_changes(client, deploy):
    name = deploy(SOURCE)
    arn = arn_of(client, name)
    answer = client.put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=0, MaximumEventAgeInSeconds=3600
    )
    assert answer["FunctionArn"] == f"{arn}:$LATEST"
    assert (answer["MaximumRetryAttempts"], answer["MaximumEventAgeInSeconds"]) == (0, 3600)
    assert answer["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    first = answer["LastModified"]
    answer = client.update_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": QUEUE}}
    )
    assert answer["LastModified"] >= first
    assert (answer["MaximumRetryAttempts"], answer["MaximumEventAgeInSeconds"]) == (0, 3600)
    assert answer["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {"Destination": QUEUE}}
    found = client.get_function_event_invoke_config(FunctionName=name, Qualifier="$LATEST")
    assert found["DestinationConfig"] == answer["DestinationConfig"]
    answer = client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": TOPIC}}
    )
    assert "MaximumRetryAttempts" not in answer
    assert answer["DestinationConfig"] == {"OnSuccess": {"Destination": TOPIC}, "OnFailure": {}}
    answer = client.update_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": ""}}
    )
    assert answer["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}


def test_each_qualifier_has_settings_of_its_own(client, deploy):
    name = deploy(SOURCE)
    arn = arn_of(client, name)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    for attempts, qualifier in enumerate(("$LATEST", "1", "live")):
        client.put_function_event_invoke_config(
            FunctionName=name, Qualifier=qualifier, MaximumRetryAttempts=attempts
        )
    pages = client.get_paginator("list_function_event_invoke_configs").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 2}
    )
    listed = [config for page in pages for config in page["FunctionEventInvokeConfigs"]]
    assert {config["FunctionArn"]: config["MaximumRetryAttempts"] for config in listed} == {
        f"{arn}:$LATEST": 0, f"{arn}:1": 1, f"{arn}:live": 2,
    }  # fmt: skip
    client.delete_function_event_invoke_config(FunctionName=name, Qualifier="1")
    refused(
        client.get_function_event_invoke_config, "ResourceNotFoundException",
        f"The function {arn}:1 doesn't have an EventInvokeConfig", FunctionName=name, Qualifier="1",
    )  # fmt: skip
    # What belongs to an alias goes with it.
    client.delete_alias(FunctionName=name, Name="live")
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    refused(
        client.get_function_event_invoke_config, "ResourceNotFoundException",
        "doesn't have an EventInvokeConfig", FunctionName=name, Qualifier="live",
    )  # fmt: skip


def test_nothing_is_left_for_a_new_function_of_the_name(client, deploy):
    name = deploy(SOURCE)
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)
    client.delete_function(FunctionName=name)
    refused(
        client.get_function_event_invoke_config, "ResourceNotFoundException",
        "doesn't have an EventInvokeConfig", FunctionName=name,
    )  # fmt: skip
    functions.create(client, name, SOURCE)
    refused(
        client.get_function_event_invoke_config, "ResourceNotFoundException",
        "doesn't have an EventInvokeConfig", FunctionName=name,
    )  # fmt: skip


def test_wrong_settings_are_refused(client, deploy):
    name, other = deploy(SOURCE), deploy(SOURCE)
    arn = arn_of(client, name)
    put = client.put_function_event_invoke_config
    parameter = "InvalidParameterValueException"
    words = "You must specify at least one of error handling or destination setting."
    refused(put, parameter, words, FunctionName=name)
    refused(client.update_function_event_invoke_config, parameter, words, FunctionName=name)

    def destined(success=None, failure=None):
        sides = {"OnSuccess": success, "OnFailure": failure}
        config = {side: {"Destination": arn} for side, arn in sides.items() if arn}
        return {"FunctionName": name, "DestinationConfig": config}

    for bad in (f"{QUEUE}.fifo", f"{TOPIC}.fifo", QUEUE.replace("east", "west"), f"{arn}-not"):
        refused(put, parameter, f"The destination ARN {bad} is invalid.", **destined(failure=bad))
    itself = "You can't specify the function as a destination for itself."
    refused(put, parameter, itself, **destined(failure=arn))
    bucket = "arn:aws:s3:::bucket"
    words = (
        f"The provided destination config DestinationConfig(onSuccess=OnSuccess(destination={bucket}), "
        "onFailure=null) is invalid."
    )
    refused(put, parameter, words, **destined(success=bucket))
    missing = "ResourceNotFoundException"
    refused(put, missing, "The function doesn't exist.", FunctionName=f"{name}-not", MaximumRetryAttempts=1)
    refused(put, missing, "The function doesn't exist.", FunctionName=name, Qualifier="7", MaximumRetryAttempts=1)
    refused(
        client.update_function_event_invoke_config, missing, "doesn't have an EventInvokeConfig",
        FunctionName=name, MaximumRetryAttempts=1,
    )  # fmt: skip
    refused(
        client.delete_function_event_invoke_config, missing, "doesn't have an EventInvokeConfig",
        FunctionName=name,
    )  # fmt: skip
    bus = "arn:aws:events:us-east-1:000000000000:event-bus/default"
    for good in (destined(QUEUE, bucket), destined(bus, TOPIC), destined(arn_of(client, other))):
        put(**good)
