"""Temporary keys: becoming a role, and what is left of them when something changes."""

import json
import os
import subprocess
import sys

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from support import clients, requests
from support.functions import unique

ECHO = "def handler(event, context):\n    return event"
ACCOUNT = "000000000000"


def refused(call, **arguments):
    """The code and the words of a refusal."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def allow(action, resource="*"):
    """A policy of one permission."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(principal, **condition):
    """A trust policy."""
    actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    statement = {"Effect": "Allow", "Principal": principal, "Action": actions}
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def iam(server):
    """A client of IAM."""
    return clients.make(server, "iam")


@pytest.fixture
def user(iam):
    """Makes users with a key and a policy; gives the name and the key."""
    made = []

    def make(policy=None):
        name = unique("user")
        iam.create_user(UserName=name)
        made.append(name)
        if policy:
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return name, (key["AccessKeyId"], key["SecretAccessKey"])

    yield make
    for name in made:
        for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        for policy in iam.list_user_policies(UserName=name)["PolicyNames"]:
            iam.delete_user_policy(UserName=name, PolicyName=policy)
        iam.delete_user(UserName=name)


@pytest.fixture
def role(iam):
    """Makes roles with a policy; gives the ARN."""
    made = []

    def make(trusted, policy, **settings):
        name = unique("role")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted, **settings)["Role"]["Arn"]
        made.append(name)
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
        return arn

    yield make
    for name in made:
        iam.delete_role_policy(RoleName=name, PolicyName="p")
        iam.delete_role(RoleName=name)


def of(server, credentials, service="lambda"):
    """A client with temporary keys."""
    keys = credentials["AccessKeyId"], credentials["SecretAccessKey"]
    return clients.make(server, service, keys=keys, token=credentials["SessionToken"])


def test_a_user_becomes_a_role(server, deploy, user, role):
    target = deploy(ECHO)
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{target}"
    name, keys = user()
    someone = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"}
    role_arn = role(trust(someone, StringEquals={"sts:ExternalId": "x-1"}), allow("lambda:*", arn))
    sts = clients.make(server, "sts", keys=keys)
    kind, words = refused(sts.assume_role, RoleArn=role_arn, RoleSessionName="s1")
    assert (kind, words) == ("AccessDenied", f"User: arn:aws:iam::{ACCOUNT}:user/{name} is not authorized "
                             f"to perform: sts:AssumeRole on resource: {role_arn}")
    found = sts.assume_role(RoleArn=role_arn, RoleSessionName="s1", ExternalId="x-1")
    assert found["AssumedRoleUser"]["Arn"].endswith(f":assumed-role/{role_arn.rpartition('/')[2]}/s1")
    assert found["Credentials"]["AccessKeyId"].startswith("ASIA")
    session = of(server, found["Credentials"])
    assert json.loads(session.invoke(FunctionName=target, Payload=b"3")["Payload"].read()) == 3
    assert session.get_function(FunctionName=target)["Configuration"]["FunctionName"] == target
    assert refused(session.list_functions)[0] == "AccessDeniedException"
    me = of(server, found["Credentials"], "sts").get_caller_identity()
    assert me["Arn"] == found["AssumedRoleUser"]["Arn"]
    assert me["UserId"] == found["AssumedRoleUser"]["AssumedRoleId"]


def test_a_policy_of_the_session_limits_it_everywhere(server, client, deploy, user, role):
    target, other = deploy(ECHO), deploy(ECHO)
    _, keys = user(allow("sts:AssumeRole"))
    role_arn = role(trust({"AWS": ACCOUNT}), allow("*"))
    sts = clients.make(server, "sts", keys=keys)
    one = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{target}"
    only = allow(["lambda:InvokeFunction", "lambda:GetFunction"], one)
    found = sts.assume_role(RoleArn=role_arn, RoleSessionName="s1", Policy=only)
    assert found["PackedPolicySize"] > 0
    session = of(server, found["Credentials"])
    session.invoke(FunctionName=target)
    session.get_function(FunctionName=target)
    for call in (session.invoke, session.get_function):
        kind, words = refused(call, FunctionName=other)
        assert kind == "AccessDeniedException"
        assert "because no session policy allows the lambda:" in words
    assert refused(of(server, found["Credentials"], "iam").list_users)[0] == "AccessDenied"
    assert refused(of(server, found["Credentials"], "logs").describe_log_groups)[0] == "AccessDeniedException"
    # A session that the function's own policy allows, like everyone, is limited nevertheless.
    client.add_permission(FunctionName=other, StatementId="all", Action="lambda:InvokeFunction", Principal="*")
    assert refused(session.invoke, FunctionName=other)[0] == "AccessDeniedException"


def test_what_cannot_be_a_session(server, user, role):
    _, keys = user(allow("sts:AssumeRole"))
    role_arn = role(trust({"AWS": ACCOUNT}), allow("*"))
    sts = clients.make(server, "sts", keys=keys, parameter_validation=False)
    asked = {"RoleArn": role_arn, "RoleSessionName": "s1"}
    for wrong, kind, words in (
        ({"RoleArn": None}, "ValidationError", "Value null at 'roleArn' failed to satisfy constraint"),
        ({"RoleArn": "x" * 20}, "ValidationError", "Request ARN is invalid"),
        ({"RoleSessionName": "a b"}, "ValidationError", "at 'roleSessionName' failed to satisfy constraint"),
        ({"DurationSeconds": 899}, "ValidationError", "greater than or equal to 900"),
        ({"DurationSeconds": 3601}, "ValidationError", "exceeds the MaxSessionDuration set for this role"),
        ({"Policy": "{"}, "MalformedPolicyDocument", "invalid Json"),
        ({"Policy": allow("a:" + "b" * 2048)}, "PackedPolicyTooLarge", "please use smaller policy"),
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]}, "InvalidParameterValue", "case insensitive"),
        ({"TokenCode": "123456"}, "AccessDenied", "MultiFactorAuthentication failed"),
    ):
        parameters = {k: v for k, v in {**asked, **wrong}.items() if v is not None}
        found = refused(sts.assume_role, **parameters)
        assert found[0] == kind and words in found[1], found
    root = clients.make(server, "sts")
    assert refused(root.assume_role, **asked) == ("AccessDenied", "Roles may not be assumed by root accounts.")
    assert refused(root.get_federation_token, Name="ann")[0] == "NotImplemented"
    assert refused(root.assume_role_with_web_identity, **asked, WebIdentityToken="abcd")[0] == "NotImplemented"


def test_temporary_keys_of_ones_own(server, iam, user):
    name, keys = user(allow("lambda:ListFunctions"))
    sts = clients.make(server, "sts", keys=keys)
    found = sts.get_session_token(DurationSeconds=900)["Credentials"]
    session = of(server, found)
    session.list_functions(MaxItems=1)
    mine = of(server, found, "sts")
    assert mine.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{name}"
    assert refused(mine.get_session_token)[0] == "AccessDenied"
    assert refused(of(server, found, "iam").list_users)[0] == "InvalidClientTokenId"
    iam.delete_user_policy(UserName=name, PolicyName="p")
    assert refused(session.list_functions)[0] == "AccessDeniedException"
    # In the middle: the last characters may stand for bits that mean nothing.
    token = found["SessionToken"]
    other = "B" if token[len(token) // 2] == "A" else "A"
    forged = {**found, "SessionToken": token[: len(token) // 2] + other + token[len(token) // 2 + 1 :]}
    assert refused(of(server, forged).list_functions)[0] == "UnrecognizedClientException"
    assert refused(of(server, forged, "sts").get_caller_identity)[0] == "InvalidClientTokenId"


def test_a_key_tells_its_account(server, user):
    root = clients.make(server, "sts")
    _, keys = user()
    session = root.get_session_token()["Credentials"]["AccessKeyId"]
    for key in (keys[0], session, "AKIATESTSOFANOTHERAC"):
        expected = "111122223333" if key.startswith("AKIATESTS") else ACCOUNT
        assert root.get_access_key_info(AccessKeyId=key)["Account"] == expected
    assert refused(root.get_access_key_info, AccessKeyId="AKIAIOSFODNN7EXAMPLE")[0] == "ValidationError"


def test_the_command_line_becomes_a_role_by_itself(server, user, role, tmp_path):
    """`role_arn` in a profile: what most people have."""
    _, keys = user(allow("sts:AssumeRole"))
    role_arn = role(trust({"AWS": ACCOUNT}), allow("lambda:ListFunctions"), MaxSessionDuration=7200)
    (tmp_path / "config").write_text(
        f"[profile worker]\nrole_arn = {role_arn}\nsource_profile = base\nregion = us-east-1\n"
        "duration_seconds = 7200\n[profile base]\nregion = us-east-1\n")
    (tmp_path / "credentials").write_text(
        f"[base]\naws_access_key_id = {keys[0]}\naws_secret_access_key = {keys[1]}\n")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    environment = {**kept, "AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_ENDPOINT_URL": server.url,
                   "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"), "AWS_PAGER": ""}
    command = [sys.executable, "-m", "awscli", "--profile", "worker", "--output", "json"]

    def run(*arguments):
        return subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True,
                              timeout=60, cwd=tmp_path)

    me = json.loads(run("sts", "get-caller-identity").stdout)
    assert f":assumed-role/{role_arn.rpartition('/')[2]}/" in me["Arn"]
    assert "Functions" in json.loads(run("lambda", "list-functions", "--max-items", "1").stdout)
    assert "AccessDenied" in run("lambda", "get-account-settings").stderr


@pytest.mark.parametrize("name", ["AssumeRole", "GetAccessKeyInfo", "GetSessionToken"])
def test_every_constraint_of_the_model_is_kept(server, name):
    sts = clients.make(server, "sts", parameter_validation=False)
    call = getattr(sts, xform_name(name))
    cases = list(requests.cases(sts.meta.service_model.operation_model(name)))
    assert cases
    wrong = []
    for case in cases:
        if case.parameters.get("ProvidedContexts") == 6 * [{}]:
            # The smallest one has no member, and in a form that is nothing.
            case.parameters["ProvidedContexts"] = 6 * [{"ContextAssertion": "absent"}]
        kind, words = refused(call, **case.parameters)
        if kind != "ValidationError" or case.expected not in words:
            wrong.append(f"{case.at} {case.rule}: wanted {case.expected!r}, got {kind} {words!r}")
    assert not wrong, "\n".join(wrong)
