"""Users, roles and their policies: made, shown, and obeyed at once."""

import json

import pytest
from botocore.exceptions import ClientError

from support import clients
from support.functions import unique

ECHO = "def handler(event, context):\n    return event"
KEYS = """
    import os
    def handler(event, context):
        return [os.environ[name] for name in
                ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN')]
"""
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})


def refused(call, **arguments):
    """The code of a refusal."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def allow(action, resource):
    """A policy of one permission."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def iam(server):
    """A client of IAM."""
    return clients.make(server, "iam")


def test_a_role_that_may_invoke_one_alias_can_do_exactly_that(server, client, iam, deploy, invoke):
    target = deploy(ECHO)
    client.publish_version(FunctionName=target)
    client.create_alias(FunctionName=target, Name="live", FunctionVersion="1")
    alias = f"arn:aws:lambda:us-east-1:000000000000:function:{target}:live"
    role = iam.create_role(RoleName=unique("role"), AssumeRolePolicyDocument=TRUST)["Role"]
    iam.put_role_policy(RoleName=role["RoleName"], PolicyName="one",
                        PolicyDocument=allow("lambda:InvokeFunction", alias))
    name = deploy(KEYS, Role=role["Arn"])
    key, secret, token = invoke(name).json
    found = clients.make(server, "sts", keys=(key, secret), token=token).get_caller_identity()
    assert found["Arn"] == f"arn:aws:sts::000000000000:assumed-role/{role['RoleName']}/{name}"
    assert found["UserId"] == f"{role['RoleId']}:{name}"
    own = clients.make(server, keys=(key, secret), token=token)
    assert json.loads(own.invoke(FunctionName=alias, Payload=b"3")["Payload"].read()) == 3
    for other in (target, f"{target}:1", f"{target}:$LATEST", name):
        assert refused(own.invoke, FunctionName=other) == "AccessDeniedException"
    assert refused(own.get_function, FunctionName=alias) == "AccessDeniedException"
    assert refused(own.list_functions) == "AccessDeniedException"
    # What changes, changes at once; and a role that is gone takes its sessions with it.
    iam.delete_role_policy(RoleName=role["RoleName"], PolicyName="one")
    assert refused(own.invoke, FunctionName=alias) == "AccessDeniedException"
    iam.delete_role(RoleName=role["RoleName"])
    assert refused(own.invoke, FunctionName=alias) == "UnrecognizedClientException"


def test_a_user_may_what_their_policies_say(server, client, iam, deploy):
    target = deploy(ECHO)
    name = unique("user")
    user = iam.create_user(UserName=name, Tags=[{"Key": "team", "Value": "a"}])["User"]
    assert user["Arn"] == f"arn:aws:iam::000000000000:user/{name}"
    assert refused(iam.create_user, UserName=name.upper()) == "EntityAlreadyExists"
    key = iam.create_access_key(UserName=name)["AccessKey"]
    keys = (key["AccessKeyId"], key["SecretAccessKey"])
    assert clients.make(server, "sts", keys=keys).get_caller_identity()["Arn"] == user["Arn"]
    own = clients.make(server, keys=keys)
    assert refused(own.get_function, FunctionName=target) == "AccessDeniedException"
    iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess")
    assert own.get_function(FunctionName=target)["Configuration"]["FunctionName"] == target
    assert refused(own.invoke, FunctionName=target) == "AccessDeniedException"
    deny = json.dumps({"Statement": {"Effect": "Deny", "Action": "lambda:Get*", "Resource": "*"}})
    iam.put_user_policy(UserName=name, PolicyName="no", PolicyDocument=deny)
    assert refused(own.get_function, FunctionName=target) == "AccessDeniedException"
    assert refused(clients.make(server, "iam", keys=keys).list_users) == "AccessDenied"
    iam.delete_user_policy(UserName=name, PolicyName="no")
    iam.update_access_key(UserName=name, AccessKeyId=keys[0], Status="Inactive")
    assert refused(own.get_function, FunctionName=target) == "UnrecognizedClientException"
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"][0]["Status"] == "Inactive"
    assert refused(iam.delete_user, UserName=name) == "DeleteConflict"
    iam.delete_access_key(UserName=name, AccessKeyId=keys[0])
    attached = iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]
    iam.detach_user_policy(UserName=name, PolicyArn=attached[0]["PolicyArn"])
    iam.delete_user(UserName=name)
    assert refused(iam.get_user, UserName=name) == "NoSuchEntity"


def test_what_is_written_is_shown(iam):
    name = unique("role")
    iam.create_role(RoleName=name, Path="/service-role/", Description="x<&y", AssumeRolePolicyDocument=TRUST)
    role = iam.get_role(RoleName=name)["Role"]
    assert role["Arn"] == f"arn:aws:iam::000000000000:role/service-role/{name}"
    assert role["Description"] == "x<&y" and role["AssumeRolePolicyDocument"] == json.loads(TRUST)
    assert name in [found["RoleName"] for found in iam.list_roles()["Roles"]]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=allow("s3:*", "*"))
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["p"]
    shown = iam.get_role_policy(RoleName=name, PolicyName="p")["PolicyDocument"]
    assert shown == json.loads(allow("s3:*", "*"))
    iam.tag_role(RoleName=name, Tags=[{"Key": "a", "Value": "b"}])
    assert iam.list_role_tags(RoleName=name)["Tags"] == [{"Key": "a", "Value": "b"}]
    assert iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"] == []
    assert refused(iam.put_role_policy, RoleName=name, PolicyName="p", PolicyDocument="{}") == (
        "MalformedPolicyDocument")
    assert refused(iam.delete_role, RoleName=name) == "DeleteConflict"
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)
    assert refused(iam.create_service_linked_role, AWSServiceName="lambda.amazonaws.com") == "NotImplemented"


def test_a_role_is_passed_on_only_by_who_may_and_only_to_lambda(server, client, iam, deploy):
    elsewhere = TRUST.replace("lambda.amazonaws.com", "ec2.amazonaws.com")
    role = iam.create_role(RoleName=unique("role"), AssumeRolePolicyDocument=elsewhere)["Role"]
    target = deploy(ECHO)
    assert refused(client.update_function_configuration, FunctionName=target, Role=role["Arn"]) == (
        "InvalidParameterValueException")
    iam.update_assume_role_policy(RoleName=role["RoleName"], PolicyDocument=TRUST)
    name = unique("user")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=allow("lambda:*", "*"))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    own = clients.make(server, keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    change = {"FunctionName": target, "Role": role["Arn"]}
    assert refused(own.update_function_configuration, **change) == "AccessDeniedException"
    iam.put_user_policy(UserName=name, PolicyName="q", PolicyDocument=allow("iam:PassRole", role["Arn"]))
    assert own.update_function_configuration(**change)["Role"] == role["Arn"]
