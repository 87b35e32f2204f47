"""Resource policies: what is written, and whom it allows."""

import json

import pytest
from botocore.exceptions import ClientError

from support import clients, functions, urls
from support.functions import unique

OTHER = "111122223333"
OTHER_KEYS = ("AKIATESTSOFANOTHERAC", "secret-of-another-account")
ECHO = "def handler(event, context):\n    return event"


def refused(call, **arguments):
    """The code and the words of a refusal."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.fixture
def other(server):
    """A client of another account."""
    return clients.make(server, keys=OTHER_KEYS)


def arn_of(name, qualifier=None):
    """The full name of a function of the first account."""
    return f"arn:aws:lambda:us-east-1:000000000000:function:{name}" + (f":{qualifier}" if qualifier else "")


def test_statements_are_written_as_lambda_writes_them(client, deploy):
    name = deploy(ECHO)
    added = client.add_permission(
        FunctionName=name, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::bucket", SourceAccount="123456789012",
    )
    s3 = {
        "Sid": "s3", "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction", "Resource": arn_of(name),
        "Condition": {"StringEquals": {"AWS:SourceAccount": "123456789012"},
                      "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"}},
    }
    assert json.loads(added["Statement"]) == s3
    client.add_permission(FunctionName=name, StatementId="all", Action="lambda:InvokeFunctionUrl",
                          Principal="*", FunctionUrlAuthType="NONE")
    found = client.get_policy(FunctionName=name)
    everybody = {
        "Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunctionUrl",
        "Resource": arn_of(name), "Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
    }
    assert json.loads(found["Policy"]) == {
        "Version": "2012-10-17", "Id": "default", "Statement": [s3, everybody]
    }
    kind, words = refused(client.add_permission, FunctionName=name, StatementId="s3",
                          Action="lambda:*", Principal="*")
    assert kind == "ResourceConflictException" and words.startswith("The statement id (s3) provided already")
    kind, _ = refused(client.remove_permission, FunctionName=name, StatementId="s3", RevisionId="stale")
    assert kind == "PreconditionFailedException"
    client.remove_permission(FunctionName=name, StatementId="s3", RevisionId=found["RevisionId"])
    client.remove_permission(FunctionName=name, StatementId="all")
    kind, words = refused(client.get_policy, FunctionName=name)
    assert (kind, words) == ("ResourceNotFoundException", "The resource you requested does not exist.")


def test_another_account_is_let_in_by_one_name_alone(client, other, deploy):
    name = deploy(ECHO)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    kind, words = refused(other.invoke, FunctionName=arn_of(name, "live"))
    assert kind == "AccessDeniedException"
    assert words.endswith("because no resource-based policy allows the lambda:InvokeFunction action")
    client.add_permission(FunctionName=name, Qualifier="live", StatementId="other",
                          Action="lambda:InvokeFunction", Principal=OTHER)
    answer = other.invoke(FunctionName=arn_of(name, "live"), Payload=b'{"a": 1}')
    assert json.loads(answer["Payload"].read()) == {"a": 1}
    for qualifier in (None, "1", "$LATEST"):
        assert refused(other.invoke, FunctionName=arn_of(name, qualifier))[0] == "AccessDeniedException"
    assert refused(other.get_function, FunctionName=arn_of(name, "live"))[0] == "AccessDeniedException"
    client.remove_permission(FunctionName=name, Qualifier="live", StatementId="other")
    assert refused(other.invoke, FunctionName=arn_of(name, "live"))[0] == "AccessDeniedException"


def test_a_policy_goes_with_what_it_belongs_to(client, other, deploy):
    name = deploy(ECHO)
    client.publish_version(FunctionName=name)
    permission = {"StatementId": "other", "Action": "lambda:InvokeFunction", "Principal": OTHER}
    for _ in range(2):
        client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        assert refused(other.invoke, FunctionName=arn_of(name, "live"))[0] == "AccessDeniedException"
        client.add_permission(FunctionName=name, Qualifier="live", **permission)
        other.invoke(FunctionName=arn_of(name, "live"))
        client.delete_alias(FunctionName=name, Name="live")
    client.add_permission(FunctionName=name, **permission)
    other.invoke(FunctionName=arn_of(name))
    client.delete_function(FunctionName=name)
    functions.create(client, name, ECHO)
    assert refused(other.invoke, FunctionName=arn_of(name))[0] == "AccessDeniedException"


def test_other_operations_can_be_shared_too(client, other, deploy):
    name = deploy(ECHO)
    client.add_permission(FunctionName=name, StatementId="read", Action="lambda:GetFunctionConfiguration",
                          Principal=OTHER)
    assert other.get_function_configuration(FunctionName=arn_of(name))["FunctionName"] == name
    assert refused(other.update_function_configuration, FunctionName=arn_of(name), Timeout=4)[0] == (
        "AccessDeniedException")


def test_a_url_for_everybody_takes_both_permissions(client, server, deploy):
    name = deploy(ECHO)
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    assert urls.call(server, url).status == 403
    client.add_permission(FunctionName=name, StatementId="url", Action="lambda:InvokeFunctionUrl",
                          Principal="*", FunctionUrlAuthType="NONE")
    assert urls.call(server, url).status == 403
    client.add_permission(FunctionName=name, StatementId="invoke", Action="lambda:InvokeFunction",
                          Principal="*", InvokedViaFunctionUrl=True)
    assert urls.call(server, url).status == 200
    # By its URL, everybody may; by name, nobody from elsewhere.
    stranger = clients.make(server, keys=OTHER_KEYS)
    assert refused(stranger.invoke, FunctionName=arn_of(name))[0] == "AccessDeniedException"
    client.remove_permission(FunctionName=name, StatementId="url")
    assert urls.call(server, url).status == 403


def test_what_cannot_be_a_permission(client, deploy):
    name = deploy(ECHO)
    permission = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "*"}
    for wrong, kind, words in (
        ({"Principal": "nobody"}, "InvalidParameterValueException", "The provided principal was invalid"),
        ({"Qualifier": "$LATEST"}, "InvalidParameterValueException", "adding policies for $LATEST"),
        ({"Qualifier": "absent"}, "ResourceNotFoundException", "Cannot find alias arn"),
        ({"FunctionName": unique()}, "ResourceNotFoundException", "Function not found"),
        ({"FunctionUrlAuthType": "NONE"}, "InvalidParameterValueException", "FunctionUrlAuthType"),
    ):
        found = refused(client.add_permission, **{"FunctionName": name, **permission, **wrong})
        assert found[0] == kind and words in found[1], found
    kind, words = refused(client.remove_permission, FunctionName=name, StatementId="s")
    assert (kind, words) == ("ResourceNotFoundException", "No policy is associated with the given resource.")
