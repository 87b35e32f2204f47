"""Managed policies, groups and boundaries: made, shown in pages, obeyed at once."""

import json

import pytest
from botocore.exceptions import ClientError

from support.server import wait_for
from support import clients
from support.cli import Cli
from support.functions import unique

ACCOUNT = "000000000000"
ECHO = "def handler(event, context):\n    return event"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
READ_ONLY = "arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess"


def refused(call, **arguments):
    """The code of a refusal."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def allow(*actions, resource="*", effect="Allow"):
    """A policy of one statement."""
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def iam(server):
    """A client of IAM."""
    return clients.make(server, "iam")


def a_user(server, iam, **settings):
    """A new user's name, and a Lambda client of theirs."""
    name = unique("user")
    iam.create_user(UserName=name, **settings)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return name, clients.make(server, keys=(key["AccessKeyId"], key["SecretAccessKey"]))


def a_policy(iam, *actions, **settings):
    """The ARN of a new managed policy that allows these."""
    made = iam.create_policy(PolicyName=unique("policy"), PolicyDocument=allow(*actions), **settings)
    return made["Policy"]["Arn"]


def test_a_managed_policy_counts_at_once_everywhere(server, client, iam, deploy):
    target = deploy(ECHO)
    name, own = a_user(server, iam)
    arn = a_policy(iam, "lambda:GetFunction")
    denied = "AccessDeniedException"
    assert refused(own.get_function, FunctionName=target) == denied
    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    assert own.get_function(FunctionName=target)["Configuration"]["FunctionName"] == target
    assert refused(own.invoke, FunctionName=target) == denied
    # Another version that counts, for control plane and frontend alike.
    second = iam.create_policy_version(PolicyArn=arn, PolicyDocument=allow("lambda:InvokeFunction"))
    assert second["PolicyVersion"]["VersionId"] == "v2" and not second["PolicyVersion"]["IsDefaultVersion"]
    assert refused(own.invoke, FunctionName=target) == denied
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    assert own.invoke(FunctionName=target, Payload=b"3")["Payload"].read() == b"3"
    assert refused(own.get_function, FunctionName=target) == denied
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=allow("lambda:*", effect="Deny"), SetAsDefault=True)
    assert refused(own.invoke, FunctionName=target) == denied
    iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    assert refused(own.invoke, FunctionName=target) == denied
    iam.detach_user_policy(UserName=name, PolicyArn=arn)
    assert own.invoke(FunctionName=target, Payload=b"4")["Payload"].read() == b"4"


def test_a_managed_policys_life(iam):
    name = unique("policy")
    made = iam.create_policy(PolicyName=name, Path="/team/", Description="what it is for",
                             PolicyDocument=allow("s3:*"), Tags=[{"Key": "a", "Value": "b"}])["Policy"]
    arn = made["Arn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:policy/team/{name}"
    assert made["DefaultVersionId"] == "v1" and made["AttachmentCount"] == 0 and made["IsAttachable"]
    assert refused(iam.create_policy, PolicyName=name.upper(), PolicyDocument=allow("s3:*")) == "EntityAlreadyExists"
    assert refused(iam.create_policy, PolicyName=unique("policy"), PolicyDocument="{") == "MalformedPolicyDocument"
    got = iam.get_policy(PolicyArn=arn)["Policy"]
    assert got["Description"] == "what it is for" and got["Tags"] == [{"Key": "a", "Value": "b"}]
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert version["Document"] == json.loads(allow("s3:*")) and version["IsDefaultVersion"]
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "A", "Value": "c"}, {"Key": "d", "Value": ""}])
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "A", "Value": "c"}, {"Key": "d", "Value": ""}]
    iam.untag_policy(PolicyArn=arn, TagKeys=["D"])
    assert len(iam.list_policy_tags(PolicyArn=arn)["Tags"]) == 1

    role = unique("role")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST, PermissionsBoundary=arn)
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    got = iam.get_policy(PolicyArn=arn)["Policy"]
    assert got["AttachmentCount"] == 1 and got["PermissionsBoundaryUsageCount"] == 1
    users = iam.list_entities_for_policy(PolicyArn=arn)
    assert [found["RoleName"] for found in users["PolicyRoles"]] == [role] and users["PolicyUsers"] == []
    assert iam.list_entities_for_policy(PolicyArn=arn, EntityFilter="User")["PolicyRoles"] == []
    local = iam.list_policies(Scope="Local", OnlyAttached=True, PathPrefix="/team/")["Policies"]
    assert arn in [found["Arn"] for found in local]
    assert refused(iam.delete_policy, PolicyArn=arn) == "DeleteConflict"
    iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    assert refused(iam.detach_role_policy, RoleName=role, PolicyArn=arn) == "NoSuchEntity"
    assert refused(iam.delete_policy, PolicyArn=arn) == "DeleteConflict"
    iam.delete_role(RoleName=role)
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=allow("s3:*"), SetAsDefault=True)
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(found["VersionId"], found["IsDefaultVersion"]) for found in versions] == [("v2", True), ("v1", False)]
    assert refused(iam.delete_policy, PolicyArn=arn) == "DeleteConflict"
    assert refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v2") == "DeleteConflict"
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy(PolicyArn=arn)
    assert refused(iam.get_policy, PolicyArn=arn) == "NoSuchEntity"


def test_aws_own_policies_are_shown_and_not_changed(iam):
    name = "AWSLambdaBasicExecutionRole"
    arn = f"arn:aws:iam::aws:policy/service-role/{name}"
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    assert policy["PolicyName"] == name and policy["Path"] == "/service-role/"
    version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    assert version["Document"]["Statement"][0]["Action"] == [
        "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    assert refused(iam.create_policy_version, PolicyArn=arn, PolicyDocument=allow("s3:*")) == "AccessDenied"
    assert refused(iam.delete_policy, PolicyArn=arn) == "AccessDenied"
    listed = iam.list_policies(Scope="AWS", PathPrefix="/service-role/")["Policies"]
    assert arn in [found["Arn"] for found in listed]
    assert all(found["Arn"].startswith("arn:aws:iam::aws:") for found in listed)


def test_a_group_gives_its_members_what_it_has(server, client, iam, deploy):
    target = deploy(ECHO)
    name, own = a_user(server, iam)
    group = unique("group")
    made = iam.create_group(GroupName=group, Path="/team/")["Group"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/team/{group}"
    iam.attach_group_policy(GroupName=group, PolicyArn=READ_ONLY)
    assert refused(own.get_function, FunctionName=target) == "AccessDeniedException"
    iam.add_user_to_group(GroupName=group, UserName=name)
    assert own.get_function(FunctionName=target)
    iam.put_group_policy(GroupName=group, PolicyName="no", PolicyDocument=allow("lambda:GetFunction", effect="Deny"))
    assert refused(own.get_function, FunctionName=target) == "AccessDeniedException"
    assert iam.list_group_policies(GroupName=group)["PolicyNames"] == ["no"]
    assert iam.get_group_policy(GroupName=group, PolicyName="no")["PolicyDocument"]["Statement"][0]["Effect"] == "Deny"
    iam.delete_group_policy(GroupName=group, PolicyName="no")
    assert own.get_function(FunctionName=target)

    renamed = unique("group")
    iam.update_group(GroupName=group, NewGroupName=renamed, NewPath="/")
    assert own.get_function(FunctionName=target)
    found = iam.get_group(GroupName=renamed)
    assert found["Group"]["Path"] == "/" and [user["UserName"] for user in found["Users"]] == [name]
    assert [found["GroupName"] for found in iam.list_groups_for_user(UserName=name)["Groups"]] == [renamed]
    assert refused(iam.get_group, GroupName=group) == "NoSuchEntity"
    assert iam.list_attached_group_policies(GroupName=renamed)["AttachedPolicies"][0]["PolicyArn"] == READ_ONLY
    assert refused(iam.delete_group, GroupName=renamed) == "DeleteConflict"
    iam.detach_group_policy(GroupName=renamed, PolicyArn=READ_ONLY)
    assert refused(own.get_function, FunctionName=target) == "AccessDeniedException"
    assert refused(iam.delete_group, GroupName=renamed) == "DeleteConflict"
    iam.remove_user_from_group(GroupName=renamed, UserName=name)
    iam.delete_group(GroupName=renamed)
    assert renamed not in [found["GroupName"] for found in iam.list_groups()["Groups"]]


def test_a_boundary_limits_what_policies_allow(server, client, iam, deploy):
    target = deploy(ECHO)
    boundary = a_policy(iam, "lambda:GetFunction")
    name, own = a_user(server, iam, PermissionsBoundary=boundary)
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=allow("lambda:*"))
    assert own.get_function(FunctionName=target)
    with pytest.raises(ClientError) as caught:
        own.invoke(FunctionName=target)
    assert "no permissions boundary allows" in caught.value.response["Error"]["Message"]
    assert iam.get_user(UserName=name)["User"]["PermissionsBoundary"] == {
        "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary}
    assert refused(iam.delete_policy, PolicyArn=boundary) == "DeleteConflict"
    iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary="arn:aws:iam::aws:policy/ReadOnlyAccess")
    assert refused(own.invoke, FunctionName=target) == "AccessDeniedException"
    iam.delete_user_permissions_boundary(UserName=name)
    assert own.invoke(FunctionName=target, Payload=b"1")["Payload"].read() == b"1"
    assert refused(iam.delete_user_permissions_boundary, UserName=name) == "NoSuchEntity"
    gone = f"arn:aws:iam::{ACCOUNT}:policy/none"
    assert refused(iam.put_user_permissions_boundary, UserName=name, PermissionsBoundary=gone) == "NoSuchEntity"
    assert refused(iam.create_user, UserName=unique("user"), PermissionsBoundary=gone) == "NoSuchEntity"
    iam.delete_policy(PolicyArn=boundary)


def test_a_user_keeps_everything_under_another_name(server, client, iam, deploy):
    target = deploy(ECHO)
    name, own = a_user(server, iam)
    iam.attach_user_policy(UserName=name, PolicyArn=READ_ONLY)
    renamed = unique("user")
    iam.update_user(UserName=name, NewUserName=renamed, NewPath="/moved/")
    assert own.get_function(FunctionName=target)
    user = iam.get_user(UserName=renamed)["User"]
    assert user["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/moved/{renamed}"
    assert refused(iam.get_user, UserName=name) == "NoSuchEntity"
    assert refused(iam.update_user, UserName=name, NewUserName="x") == "NoSuchEntity"
    other = iam.create_user(UserName=name)["User"]
    assert other["UserId"] != user["UserId"]
    assert refused(iam.update_user, UserName=name, NewUserName=renamed) == "EntityAlreadyExists"
    # Only in case: it is one name.
    iam.update_user(UserName=renamed, NewUserName=renamed.upper())
    assert iam.get_user(UserName=renamed)["User"]["UserName"] == renamed.upper()


def test_lists_come_in_pages(iam):
    path = f"/{unique('pages')}/"
    names = sorted(unique("user") for _ in range(7))
    for name in names:
        iam.create_user(UserName=name, Path=path)
    pages = list(iam.get_paginator("list_users").paginate(PathPrefix=path, PaginationConfig={"PageSize": 3}))
    assert [len(page["Users"]) for page in pages] == [3, 3, 1]
    assert [user["UserName"] for page in pages for user in page["Users"]] == names
    first = iam.list_users(PathPrefix=path, MaxItems=2)
    assert first["IsTruncated"]
    # Neither shifted nor repeated by what changes before and after.
    iam.delete_user(UserName=names[0])
    iam.delete_user(UserName=names[1])
    iam.delete_user(UserName=names[2])
    second = iam.list_users(PathPrefix=path, MaxItems=2, Marker=first["Marker"])
    assert [user["UserName"] for user in second["Users"]] == names[3:5]
    policies = iam.get_paginator("list_policies").paginate(Scope="AWS", PaginationConfig={"PageSize": 5})
    arns = [policy["Arn"] for page in policies for policy in page["Policies"]]
    assert READ_ONLY in arns and len(set(arns)) == len(arns) > 20
    role = unique("role")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
    for number in range(5):
        iam.put_role_policy(RoleName=role, PolicyName=f"p{number}", PolicyDocument=allow("s3:*"))
    pages = iam.get_paginator("list_role_policies").paginate(RoleName=role, PaginationConfig={"PageSize": 2})
    assert [name for page in pages for name in page["PolicyNames"]] == [f"p{number}" for number in range(5)]
    assert refused(iam.list_users, Marker="no marker") == "ValidationError"


def test_everything_of_an_account_at_once(iam):
    role, group = unique("role"), unique("group")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST, Description="d")
    iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=allow("s3:*"))
    iam.create_group(GroupName=group)
    user = unique("user")
    iam.create_user(UserName=user)
    iam.add_user_to_group(GroupName=group, UserName=user)
    pages = list(iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 50}))
    roles = {found["RoleName"]: found for page in pages for found in page["RoleDetailList"]}
    assert roles[role]["RolePolicyList"][0]["PolicyDocument"] == json.loads(allow("s3:*"))
    users = {found["UserName"]: found for page in pages for found in page["UserDetailList"]}
    assert users[user]["GroupList"] == [group]
    policies = [found["Arn"] for page in pages for found in page["Policies"]]
    assert READ_ONLY in policies
    only = iam.get_account_authorization_details(Filter=["Group"], MaxItems=1000)
    assert group in [found["GroupName"] for found in only["GroupDetailList"]]
    assert only["RoleDetailList"] == [] and only["Policies"] == []


def test_a_role_as_deployment_tools_make_and_take_it(iam):
    name = unique("role")
    iam.create_role(RoleName=name, Path="/", AssumeRolePolicyDocument=TRUST, MaxSessionDuration=7200,
                    Tags=[{"Key": "a", "Value": "b"}])
    iam.get_waiter("role_exists").wait(RoleName=name, WaiterConfig={"Delay": 1})
    arn = a_policy(iam, "logs:*", Description="d")
    iam.get_waiter("policy_exists").wait(PolicyArn=arn, WaiterConfig={"Delay": 1})
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    iam.update_role(RoleName=name, Description="changed", MaxSessionDuration=3600)
    changed = iam.update_role_description(RoleName=name, Description="again")["Role"]
    assert changed["Description"] == "again" and changed["MaxSessionDuration"] == 3600
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == []
    assert [found["PolicyArn"] for found in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]] == [arn]
    assert iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"] == []
    assert refused(iam.delete_role, RoleName=name) == "DeleteConflict"
    iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    iam.delete_role(RoleName=name)
    iam.delete_policy(PolicyArn=arn)
    assert refused(iam.get_role, RoleName=name) == "NoSuchEntity"


def test_who_is_not_named_is_the_caller(server, iam):
    name = unique("user")
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/IAMFullAccess")
    key = iam.create_access_key(UserName=name)["AccessKey"]
    own = clients.make(server, "iam", keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    assert own.get_user()["User"]["UserName"] == name
    second = own.create_access_key()["AccessKey"]
    assert second["UserName"] == name
    assert refused(own.create_access_key) == "LimitExceeded"
    assert len(own.list_access_keys()["AccessKeyMetadata"]) == 2
    own.update_access_key(AccessKeyId=second["AccessKeyId"], Status="Inactive")
    own.delete_access_key(AccessKeyId=second["AccessKeyId"])
    # The account itself has no name, and the model knows only users who have one.
    root = clients.make(server, "iam", strict=False)
    assert root.get_user()["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert refused(root.list_access_keys) == "ValidationError"


def test_a_key_tells_when_it_was_used(server, client, iam, deploy):
    target = deploy(ECHO)
    name, own = a_user(server, iam)
    key = iam.list_access_keys(UserName=name)["AccessKeyMetadata"][0]["AccessKeyId"]
    never = iam.get_access_key_last_used(AccessKeyId=key)
    assert never["UserName"] == name and never["AccessKeyLastUsed"] == {"ServiceName": "N/A", "Region": "N/A"}
    # A known user has used it, even for what they may not do; through the frontend as well.
    assert refused(own.invoke, FunctionName=target) == "AccessDeniedException"
    used = lambda: iam.get_access_key_last_used(AccessKeyId=key)["AccessKeyLastUsed"]
    # The frontends of a cluster write down every minute what they have seen.
    last = wait_for(lambda: (seen := used())["ServiceName"] != "N/A" and seen, 90, every=0.5)
    assert last["ServiceName"] == "lambda" and last["Region"] == "us-east-1"
    again = iam.get_access_key_last_used(AccessKeyId=key)["AccessKeyLastUsed"]
    assert again == last
    secret = own._request_signer._credentials.secret_key
    clients.make(server, "sts", region="eu-west-1", keys=(key, secret)).get_caller_identity()
    later = iam.get_access_key_last_used(AccessKeyId=key)["AccessKeyLastUsed"]
    assert later["ServiceName"] == "sts" and later["LastUsedDate"] >= last["LastUsedDate"]
    assert refused(iam.get_access_key_last_used, AccessKeyId="AKIAIOSFODNN7EXAMPLE") == "AccessDenied"


def test_what_nobody_has(iam):
    name = unique("user")
    iam.create_user(UserName=name)
    assert iam.list_mfa_devices(UserName=name)["MFADevices"] == []
    assert iam.list_ssh_public_keys(UserName=name)["SSHPublicKeys"] == []
    assert iam.list_signing_certificates(UserName=name)["Certificates"] == []
    assert iam.list_service_specific_credentials(UserName=name)["ServiceSpecificCredentials"] == []
    assert refused(iam.get_login_profile, UserName=name) == "NoSuchEntity"
    assert refused(iam.delete_login_profile, UserName=name) == "NoSuchEntity"
    assert refused(iam.create_login_profile, UserName=name, Password="secret") == "NotImplemented"


def test_policies_groups_and_names_outlive_the_server(own_server):
    server = own_server().start()
    iam = clients.make(server, "iam")
    name, own = a_user(server, iam)
    arn, group = a_policy(iam, "lambda:ListFunctions"), unique("group")
    iam.create_group(GroupName=group)
    iam.attach_group_policy(GroupName=group, PolicyArn=arn)
    iam.add_user_to_group(GroupName=group, UserName=name)
    iam.update_user(UserName=name, NewUserName="renamed")
    server.kill()
    server.start()
    iam = clients.make(server, "iam")
    key = iam.list_access_keys(UserName="renamed")["AccessKeyMetadata"][0]["AccessKeyId"]
    secret = own._request_signer._credentials.secret_key
    own = clients.make(server, keys=(key, secret))
    assert own.list_functions()["Functions"] == []
    assert refused(own.get_account_settings) == "AccessDeniedException"
    assert refused(iam.delete_policy, PolicyArn=arn) == "DeleteConflict"


@pytest.mark.parametrize("version", [1, 2])
def test_policies_and_pages_by_the_command_line(server, tmp_path, version):
    cli = Cli(server, tmp_path, version)

    def iam(*arguments, **more):
        return cli(*arguments, service="iam", **more)

    path = f"/{unique('cli')}/"
    document = json.loads(allow("lambda:*"))
    (tmp_path / "policy.json").write_text(json.dumps(document))
    arns = []
    for name in ("a", "b", "c"):
        made = iam("create-policy", "--policy-name", f"{unique(name)}", "--path", path,
                   "--policy-document", "file://policy.json")["Policy"]
        arns.append(made["Arn"])
        iam("wait", "policy-exists", "--policy-arn", made["Arn"])
    listed = iam("list-policies", "--scope", "Local", "--path-prefix", path, "--page-size", "1")["Policies"]
    assert [policy["Arn"] for policy in listed] == arns
    some = iam("list-policies", "--scope", "Local", "--path-prefix", path, "--max-items", "2")
    rest = iam("list-policies", "--scope", "Local", "--path-prefix", path, "--starting-token", some["NextToken"])
    assert [policy["Arn"] for policy in some["Policies"] + rest["Policies"]] == arns
    shown = iam("get-policy-version", "--policy-arn", arns[0], "--version-id", "v1")["PolicyVersion"]
    assert shown["Document"] == document

    group, user = unique("group"), unique("user")
    iam("create-group", "--group-name", group)
    iam("create-user", "--user-name", user)
    iam("add-user-to-group", "--group-name", group, "--user-name", user)
    for arn in arns:
        iam("attach-group-policy", "--group-name", group, "--policy-arn", arn)
    attached = iam("list-attached-group-policies", "--group-name", group, "--page-size", "2")["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == arns
    assert [found["UserName"] for found in iam("get-group", "--group-name", group)["Users"]] == [user]
    iam("remove-user-from-group", "--group-name", group, "--user-name", user)
    for arn in arns:
        iam("detach-group-policy", "--group-name", group, "--policy-arn", arn)
        iam("delete-policy", "--policy-arn", arn)
    iam("delete-group", "--group-name", group)
    iam("delete-user", "--user-name", user)


def deny(condition=None, resource="*", effect='"Effect": "Deny"'):
    """A document, as text, that is to deny lambda:GetFunction and allows everything else."""
    condition = f', "Condition": {condition}' if condition else ""
    everything = '{"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}'
    statement = f'{{{effect}, "Action": "lambda:GetFunction", "Resource": "{resource}"{condition}}}'
    return f'{{"Version": "2012-10-17", "Statement": [{everything}, {statement}]}}'


def test_a_denial_that_could_never_deny_is_refused(server, client, iam, deploy):
    """A document is understood in full or not taken at all."""
    name, own = a_user(server, iam)
    target = deploy(ECHO)
    for document in (
        deny('{"DateGreaterThan": {"aws:CurrentTime": "1 January 2020"}}'),
        deny('{"IpAddress": {"aws:SourceIp": "127.0.0.1-127.0.0.255"}}'),
        deny('{"NotIpAddress": {"aws:SourceIp": "localhost"}}'),
        deny('{"Bool": {"aws:SecureTransport": "no"}}'),
        deny('{"StringEquals": {"aws:username": []}}'),
        deny('{"Null": {"a:b": "true"}, "Null": {"a:b": "false"}}'),
        deny(resource="*denied"),
        deny(resource="arn:awz:lambda:*:*:function:*"),
        deny(effect='"Effect": "Deny", "Effect": "Allow"'),
        deny().replace('"Statement"', '"Statement": [], "Statement"'),
    ):
        code = refused(iam.put_user_policy, UserName=name, PolicyName="p", PolicyDocument=document)
        assert code == "MalformedPolicyDocument", document
    # These are taken, and deny: a star reaches over colons where AWS's does.
    for resource in (
        f"arn:aws:lambda:*:function:{target}",
        f"arn:aws:lambda:us-east-1:{ACCOUNT}:f*{target[1:]}",
        "arn:aws:lambda:*",
    ):
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=deny(resource=resource))
        assert refused(own.get_function, FunctionName=target) == "AccessDeniedException", resource
        assert own.get_function_configuration(FunctionName=target)["FunctionName"] == target
