"""Conditions of policies that only a real request has: where it comes from, by what; and that what
limits a session does so on every way in."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from support import clients, urls
from support.functions import unique

ACCOUNT = "000000000000"
ECHO = "def handler(event, context):\n    return event"


@pytest.fixture
def iam(server):
    """A client of IAM."""
    return clients.make(server, "iam")


@pytest.fixture
def user(iam):
    """A user: sets their policy, and gives their key."""
    name = unique("user")
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    keys = key["AccessKeyId"], key["SecretAccessKey"]

    def may(*statements):
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
        return keys

    yield may
    iam.delete_access_key(UserName=name, AccessKeyId=keys[0])
    may(EVERYTHING)
    iam.delete_user_policy(UserName=name, PolicyName="p")
    iam.delete_user(UserName=name)


EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def only(effect, operator, key, value):
    """A statement about everything under one condition."""
    return {**EVERYTHING, "Effect": effect, "Condition": {operator: {key: value}}}


def outcome(call, **arguments):
    """The error's code, or nothing."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]


@pytest.mark.parametrize(("operator", "key", "holds", "fails"), [
    ("IpAddress", "aws:SourceIp", "127.0.0.0/8", "10.0.0.0/8"),
    ("StringLike", "aws:UserAgent", "*lambent-tests*", "curl/*"),
    ("StringEquals", "aws:RequestedRegion", "us-east-1", "eu-west-1"),
    ("Bool", "aws:SecureTransport", "false", "true"),
    ("DateGreaterThan", "aws:CurrentTime", "2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"),
    ("NumericGreaterThan", "aws:EpochTime", "1577836800", "4102444800"),
    ("Null", "aws:TokenIssueTime", "true", "false"),
])
def test_what_is_known_of_every_request(server, deploy, user, operator, key, holds, fails):
    target = deploy(ECHO)
    for statements, expected in (
        ([only("Allow", operator, key, holds)], None),
        ([only("Allow", operator, key, fails)], "AccessDeniedException"),
        ([EVERYTHING, only("Deny", operator, key, holds)], "AccessDeniedException"),
        ([EVERYTHING, only("Deny", operator, key, fails)], None),
    ):
        keys = user(*statements)
        lambda_, logs = clients.make(server, keys=keys), clients.make(server, "logs", keys=keys)
        assert outcome(lambda_.get_function, FunctionName=target) == expected
        assert outcome(lambda_.invoke, FunctionName=target) == expected
        assert outcome(logs.describe_log_groups, limit=1) == expected
        others = expected and "AccessDenied"
        assert outcome(clients.make(server, "iam", keys=keys).list_users, MaxItems=1) == others


def test_temporary_keys_are_told_from_others(server, deploy, user):
    target = deploy(ECHO)
    keys = user(EVERYTHING, only("Deny", "Bool", "aws:MultiFactorAuthPresent", "false"))
    assert outcome(clients.make(server, keys=keys).get_function, FunctionName=target) is None
    session = clients.make(server, "sts", keys=keys).get_session_token()["Credentials"]
    own = clients.make(server, keys=(session["AccessKeyId"], session["SecretAccessKey"]),
                       token=session["SessionToken"])
    for call in (own.get_function, own.invoke):
        assert outcome(call, FunctionName=target) == "AccessDeniedException"


def test_a_sessions_policy_limits_the_use_of_urls(server, client, iam, deploy, user):
    target = deploy(ECHO)
    url = client.create_function_url_config(FunctionName=target, AuthType="AWS_IAM")["FunctionUrl"]
    keys = user(EVERYTHING)
    trust = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]})
    role = iam.create_role(RoleName=unique("role"), AssumeRolePolicyDocument=trust)["Role"]
    allowed = json.dumps({"Version": "2012-10-17", "Statement": [EVERYTHING]})
    iam.put_role_policy(RoleName=role["RoleName"], PolicyName="p", PolicyDocument=allowed)
    sts = clients.make(server, "sts", keys=keys)

    def status(*statements):
        limit = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        given = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", Policy=limit)["Credentials"]
        own = given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
        return urls.signed(server, url, keys=own).status

    both = ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"]
    assert status({**EVERYTHING, "Action": both}) == 200
    assert status({**EVERYTHING, "Action": both[0]}) == 403
    arn = {"ArnEquals": {"lambda:FunctionArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{target}"}}
    assert status({**EVERYTHING, "Action": both[1]},
                  {**EVERYTHING, "Action": both[0], "Condition": arn}) == 200
    assert status(EVERYTHING, {"Effect": "Deny", "Action": both[0], "Resource": "*", "Condition": arn}) == 403
    kind = {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}
    assert status(EVERYTHING, {"Effect": "Deny", "Action": both[0], "Resource": "*", "Condition": kind}) == 403
    iam.delete_role_policy(RoleName=role["RoleName"], PolicyName="p")
    iam.delete_role(RoleName=role["RoleName"])


def test_tags_of_log_groups(server, user):
    root = clients.make(server, "logs")
    name = f"/tests/{unique('group')}"
    arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{name}"
    asks = {"create_log_group": {"logGroupName": name, "tags": {"Team": "red"}}}
    event = {"timestamp": int(time.time() * 1000), "message": "m"}
    has = {
        "put_retention_policy": {"logGroupName": name, "retentionInDays": 1},
        "create_log_stream": {"logGroupName": name, "logStreamName": "s"},
        "put_log_events": {"logGroupName": name, "logStreamName": "s", "logEvents": [event]},
        "get_log_events": {"logGroupName": name, "logStreamName": "s"},
        "filter_log_events": {"logGroupName": name},
        "describe_log_streams": {"logGroupIdentifier": arn},
        "list_tags_for_resource": {"resourceArn": arn},
        "delete_log_stream": {"logGroupName": name, "logStreamName": "s"},
    }
    sets = {
        "tag_resource": {"resourceArn": arn, "tags": {"Team": "red"}},
        "tag_log_group": {"logGroupName": name, "tags": {"Team": "red"}},
    }
    takes = {"untag_resource": {"resourceArn": arn, "tagKeys": ["Team"]}}
    by_request = ("StringEquals", "aws:RequestTag/Team", "red")
    by_keys = ("ForAnyValue:StringEquals", "aws:TagKeys", "Team")
    by_group = ("StringEquals", "aws:ResourceTag/Team", "red")
    for operations, conditions in (
        (asks, (by_request, by_keys)),
        (has, (by_group,)),
        (sets, (by_request, by_keys, by_group)),
        (takes, (by_keys, by_group)),
    ):
        for operation, arguments in operations.items():
            for condition in conditions:
                keys = user(EVERYTHING, only("Deny", *condition))
                denied = getattr(clients.make(server, "logs", keys=keys), operation)
                assert outcome(denied, **arguments) == "AccessDeniedException", (operation, condition)
            keys = user(only("Allow", *conditions[-1]))
            allowed = getattr(clients.make(server, "logs", keys=keys), operation)
            assert outcome(allowed, **arguments) is None, operation
    root.tag_resource(resourceArn=arn, tags={"Team": "red"})
    keys = user(only("Allow", *by_group))
    assert outcome(clients.make(server, "logs", keys=keys).delete_log_group, logGroupName=name) is None
