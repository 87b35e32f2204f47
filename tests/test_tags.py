"""TagResource, UntagResource, ListTags."""

import pytest
from botocore.exceptions import ClientError

SOURCE = "def handler(event, context):\n    return 1\n"


def test_tags_are_set_listed_and_taken_off(client, deploy):
    name = deploy(SOURCE, Tags={"a": "1"})
    arn = client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    client.tag_resource(Resource=arn, Tags={"b": "2", "c/d:e": "3 4"})
    assert client.list_tags(Resource=arn)["Tags"] == {"a": "1", "b": "2", "c/d:e": "3 4"}
    client.tag_resource(Resource=arn, Tags={"a": "9"})
    client.untag_resource(Resource=arn, TagKeys=["b", "c/d:e", "never"])
    assert client.list_tags(Resource=arn)["Tags"] == {"a": "9"}
    assert client.get_function(FunctionName=name)["Tags"] == {"a": "9"}


def test_what_has_no_tags_says_so(loose, deploy):
    name = deploy(SOURCE)
    arn = loose.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    assert loose.list_tags(Resource=arn)["Tags"] == {}
    with pytest.raises(loose.exceptions.ResourceNotFoundException):
        loose.list_tags(Resource=arn + "-not")
    with pytest.raises(ClientError) as refused:
        loose.list_tags(Resource="arn:aws:s3:::bucket")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_fifty_tags_are_enough(client, deploy):
    name = deploy(SOURCE)
    arn = client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    client.tag_resource(Resource=arn, Tags={f"k{i}": "v" for i in range(50)})
    with pytest.raises(ClientError) as refused:
        client.tag_resource(Resource=arn, Tags={"one": "more"})
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert len(client.list_tags(Resource=arn)["Tags"]) == 50


def test_mappings_and_code_signing_configs_have_tags(client, deploy):
    name = deploy(SOURCE)
    queue = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    mapping = client.create_event_source_mapping(
        FunctionName=name, EventSourceArn=queue, Tags={"a": "1"}
    )
    profile = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/0123456789"
    config = client.create_code_signing_config(
        AllowedPublishers={"SigningProfileVersionArns": [profile]}, Tags={"a": "1"}
    )["CodeSigningConfig"]
    for arn in (mapping["EventSourceMappingArn"], config["CodeSigningConfigArn"]):
        client.tag_resource(Resource=arn, Tags={"b": "2"})
        assert client.list_tags(Resource=arn)["Tags"] == {"a": "1", "b": "2"}
        client.untag_resource(Resource=arn, TagKeys=["a"])
        assert client.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    client.delete_event_source_mapping(UUID=mapping["UUID"])
    client.delete_code_signing_config(CodeSigningConfigArn=config["CodeSigningConfigArn"])
    for arn in (mapping["EventSourceMappingArn"], config["CodeSigningConfigArn"]):
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.list_tags(Resource=arn)
