"""Every group of operations by the AWS command line: waiters, pages, queries and files among them."""

import base64
import json
import time

import pytest

from support import clients, functions
from support.cli import Cli
from support.server import wait_for

ECHO = """
    def handler(event, context):
        print('handling', event)
        if 'read' in event:
            return open(event['read']).read()
        return event
"""
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
# The exit status of a refusal, of each version.
REFUSED = {1: 255, 2: 254}
both = pytest.mark.parametrize("version", [1, 2])


@pytest.fixture
def aws(server, tmp_path):
    """Version 1, which knows every operation there is."""
    return Cli(server, tmp_path)


@pytest.fixture
def either(server, tmp_path, version):
    return Cli(server, tmp_path, version)


def payload(version, event):
    """An event as that version wants it: base64 or as it is."""
    raw = [] if version == 1 else ["--cli-binary-format", "raw-in-base64-out"]
    return ["--payload", json.dumps(event), *raw]


@both
def test_invokes_in_every_way(either, deploy, version):
    name = deploy(ECHO)
    said = either("invoke", "--function-name", name, "--log-type", "Tail", *payload(version, {"a": 1}), "out.json")
    assert json.loads((either.folder / "out.json").read_text()) == {"a": 1}
    assert "REPORT RequestId" in base64.b64decode(said["LogResult"]).decode()
    told = either("invoke", "--function-name", name, "--invocation-type", "DryRun", "out.json")
    assert told["StatusCode"] == 204
    told = either("invoke", "--function-name", name, "--invocation-type", "Event",
                  *payload(version, {"sent": "later"}), "out.json")
    assert told == {"StatusCode": 202}


def logged(server, name, word):
    """Whether a function's log has the word yet."""
    logs = clients.make(server, "logs")
    try:
        return logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern=word)["events"]
    except logs.exceptions.ResourceNotFoundException:
        return False


def test_logs_tail(server, tmp_path, client, deploy):
    aws = Cli(server, tmp_path, 2)
    name = deploy(ECHO)
    for word in ("now", "later"):
        client.invoke(FunctionName=name, Payload=json.dumps({"sent": word}))
    tail = ["tail", f"/aws/lambda/{name}", "--format", "short", "--since", "1h"]
    wait_for(lambda: logged(server, name, "later"), within=30)
    lines = aws.text(*tail, "--filter-pattern", "handling", service="logs").splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["handling {'sent': 'now'}", "handling {'sent': 'later'}"]
    assert aws.text(*tail, "--filter-pattern", '"no such words"', service="logs") == ""


def test_layers(aws, deploy):
    name = functions.unique("cli")
    (aws.folder / "layer.zip").write_bytes(functions.package({"words.txt": "from a layer"}))
    made = aws("publish-layer-version", "--layer-name", name, "--zip-file", "fileb://layer.zip",
               "--compatible-runtimes", "python3.12", "--description", "mine")
    arn = made["LayerVersionArn"]
    assert (made["Version"], made["CompatibleRuntimes"]) == (1, ["python3.12"])
    listed = aws("list-layers", "--query", f"Layers[?LayerName=='{name}'].LatestMatchingVersion.Version")
    assert listed == [1]
    versions = aws("list-layer-versions", "--layer-name", name, "--page-size", 1)
    assert [one["LayerVersionArn"] for one in versions["LayerVersions"]] == [arn]
    one = ["--layer-name", name, "--version-number", 1]
    assert aws("get-layer-version", *one)["Description"] == "mine"
    assert aws("get-layer-version-by-arn", "--arn", arn)["LayerVersionArn"] == arn
    aws("add-layer-version-permission", *one, "--statement-id", "all", "--principal", "*",
        "--action", "lambda:GetLayerVersion")
    policy = json.loads(aws("get-layer-version-policy", *one)["Policy"])
    assert policy["Statement"][0]["Sid"] == "all"
    aws("remove-layer-version-permission", *one, "--statement-id", "all")
    reader = deploy(ECHO)
    aws("update-function-configuration", "--function-name", reader, "--layers", arn)
    aws("wait", "function-updated-v2", "--function-name", reader)
    aws("invoke", "--function-name", reader, "--payload", '{"read": "/opt/words.txt"}', "out.json")
    assert (aws.folder / "out.json").read_text() == '"from a layer"'
    aws("delete-layer-version", *one)
    assert "ResourceNotFoundException" in aws("get-layer-version", *one, code=REFUSED[1])


def test_versions_and_aliases(aws, deploy):
    name = ["--function-name", deploy(ECHO)]
    for number in ("1", "2"):
        aws("update-function-configuration", *name, "--description", number)
        aws("wait", "function-updated", *name)
        assert aws("publish-version", *name)["Version"] == number
    aws("wait", "published-version-active", *name, "--qualifier", "2")
    listed = aws("list-versions-by-function", *name, "--max-items", 2)
    assert [one["Version"] for one in listed["Versions"]] == ["$LATEST", "1"]
    rest = aws("list-versions-by-function", *name, "--starting-token", listed["NextToken"])
    assert [one["Version"] for one in rest["Versions"]] == ["2"]
    aws("create-alias", *name, "--name", "live", "--function-version", "1",
        "--routing-config", "AdditionalVersionWeights={2=0.5}")
    assert aws("get-alias", *name, "--name", "live")["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.5}}
    aws("update-alias", *name, "--name", "live", "--routing-config", "AdditionalVersionWeights={}")
    listed = aws("list-aliases", *name, "--function-version", "1")["Aliases"]
    assert [(one["Name"], "RoutingConfig" in one) for one in listed] == [("live", False)]
    aws("delete-alias", *name, "--name", "live")


def test_urls_and_policies(aws, deploy):
    name = ["--function-name", deploy(ECHO)]
    made = aws("create-function-url-config", *name, "--auth-type", "NONE",
               "--cors", "AllowOrigins=https://example.com,MaxAge=60")
    assert made["Cors"] == {"AllowOrigins": ["https://example.com"], "MaxAge": 60}
    aws("update-function-url-config", *name, "--auth-type", "AWS_IAM", "--invoke-mode", "RESPONSE_STREAM")
    found = aws("get-function-url-config", *name)
    assert (found["FunctionUrl"], found["AuthType"]) == (made["FunctionUrl"], "AWS_IAM")
    assert len(aws("list-function-url-configs", *name)["FunctionUrlConfigs"]) == 1
    statement = aws("add-permission", *name, "--statement-id", "s", "--action", "lambda:InvokeFunctionUrl",
                    "--principal", "*", "--function-url-auth-type", "NONE")["Statement"]
    assert json.loads(statement)["Condition"] == {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}
    policy = aws("get-policy", *name)
    assert json.loads(policy["Policy"])["Statement"] == [json.loads(statement)]
    aws("remove-permission", *name, "--statement-id", "s", "--revision-id", policy["RevisionId"])
    assert "ResourceNotFoundException" in aws("get-policy", *name, code=REFUSED[1])
    aws("delete-function-url-config", *name)


def test_concurrency(aws, deploy):
    name = ["--function-name", deploy(ECHO)]
    aws("publish-version", *name)
    aws("wait", "published-version-active", *name, "--qualifier", "1")
    aws("put-function-concurrency", *name, "--reserved-concurrent-executions", 3)
    assert aws("get-function-concurrency", *name) == {"ReservedConcurrentExecutions": 3}
    version = [*name, "--qualifier", "1"]
    put = aws("put-provisioned-concurrency-config", *version, "--provisioned-concurrent-executions", 1)
    assert put["Status"] == "IN_PROGRESS"
    wait_for(lambda: aws("get-provisioned-concurrency-config", *version)["Status"] == "READY", within=30)
    listed = aws("list-provisioned-concurrency-configs", *name)["ProvisionedConcurrencyConfigs"]
    assert [one["AvailableProvisionedConcurrentExecutions"] for one in listed] == [1]
    aws("delete-provisioned-concurrency-config", *version)
    aws("delete-function-concurrency", *name)
    assert aws("get-function-concurrency", *name) in (None, {})
    assert aws("get-account-settings")["AccountLimit"]["ConcurrentExecutions"] == 1000


def test_settings_beside_the_function(aws, deploy):
    plain = deploy(ECHO)
    name = ["--function-name", plain]
    arn = aws("get-function-configuration", *name, "--query", "FunctionArn")
    aws("tag-resource", "--resource", arn, "--tags", "team=orders,stage=test")
    aws("untag-resource", "--resource", arn, "--tag-keys", "stage")
    assert aws("list-tags", "--resource", arn) == {"Tags": {"team": "orders"}}
    aws("put-runtime-management-config", *name, "--update-runtime-on", "FunctionUpdate")
    assert aws("get-runtime-management-config", *name)["UpdateRuntimeOn"] == "FunctionUpdate"
    aws("put-function-recursion-config", *name, "--recursive-loop", "Allow")
    assert aws("get-function-recursion-config", *name) == {"RecursiveLoop": "Allow"}
    queue = f"arn:aws:sqs:us-east-1:000000000000:{plain}"
    aws("put-function-event-invoke-config", *name, "--maximum-retry-attempts", 0,
        "--destination-config", json.dumps({"OnFailure": {"Destination": queue}}))
    aws("update-function-event-invoke-config", *name, "--maximum-event-age-in-seconds", 60)
    found = aws("get-function-event-invoke-config", *name)
    assert (found["MaximumRetryAttempts"], found["MaximumEventAgeInSeconds"]) == (0, 60)
    assert found["DestinationConfig"]["OnFailure"] == {"Destination": queue}
    assert len(aws("list-function-event-invoke-configs", *name)["FunctionEventInvokeConfigs"]) == 1
    aws("delete-function-event-invoke-config", *name)


def test_event_source_mappings(aws, deploy):
    name = deploy(ECHO)
    queue = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    made = aws("create-event-source-mapping", "--function-name", name, "--event-source-arn", queue,
               "--no-enabled", "--batch-size", 5,
               "--filter-criteria", json.dumps({"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]}))
    one = ["--uuid", made["UUID"]]
    assert aws("update-event-source-mapping", *one, "--batch-size", 7)["BatchSize"] == 7
    assert aws("get-event-source-mapping", *one)["State"] == "Disabled"
    listed = aws("list-event-source-mappings", "--event-source-arn", queue)["EventSourceMappings"]
    assert [found["UUID"] for found in listed] == [made["UUID"]]
    assert aws("delete-event-source-mapping", *one)["State"] == "Deleting"


def test_code_signing(aws, deploy):
    profile = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/0123456789"
    made = aws("create-code-signing-config", "--allowed-publishers", f"SigningProfileVersionArns={profile}")
    config = ["--code-signing-config-arn", made["CodeSigningConfig"]["CodeSigningConfigArn"]]
    name = ["--function-name", deploy(ECHO)]
    aws("put-function-code-signing-config", *name, *config)
    assert aws("get-function-code-signing-config", *name)["CodeSigningConfigArn"] == config[1]
    assert len(aws("list-functions-by-code-signing-config", *config)["FunctionArns"]) == 1
    changed = aws("update-code-signing-config", *config,
                  "--code-signing-policies", "UntrustedArtifactOnDeployment=Enforce")
    assert aws("get-code-signing-config", *config) == changed
    assert config[1] in json.dumps(aws("list-code-signing-configs"))
    aws("delete-function-code-signing-config", *name)
    aws("delete-code-signing-config", *config)


@both
def test_users_and_roles(either, server, version):
    def iam(*arguments, **more):
        return either(*arguments, service="iam", **more)

    role, user = functions.unique("role"), functions.unique("user")
    made = iam("create-role", "--role-name", role, "--assume-role-policy-document", json.dumps(TRUST),
               "--tags", "Key=team,Value=orders")["Role"]
    assert made["AssumeRolePolicyDocument"] == TRUST
    iam("wait", "role-exists", "--role-name", role)
    managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam("attach-role-policy", "--role-name", role, "--policy-arn", managed)
    listed = iam("list-attached-role-policies", "--role-name", role)["AttachedPolicies"]
    assert [one["PolicyArn"] for one in listed] == [managed]
    assert iam("list-roles", "--query", f"Roles[?RoleName=='{role}'].Arn") == [made["Arn"]]
    refusal = iam("delete-role", "--role-name", role, code=REFUSED[version])
    assert "(DeleteConflict)" in refusal
    iam("detach-role-policy", "--role-name", role, "--policy-arn", managed)
    iam("delete-role", "--role-name", role)

    iam("create-user", "--user-name", user)
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "lambda:List*", "Resource": "*"}]}
    iam("put-user-policy", "--user-name", user, "--policy-name", "own", "--policy-document", json.dumps(policy))
    assert iam("get-user-policy", "--user-name", user, "--policy-name", "own")["PolicyDocument"] == policy
    key = iam("create-access-key", "--user-name", user)["AccessKey"]
    own = clients.make(server, keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    assert "Functions" in own.list_functions()
    iam("delete-access-key", "--user-name", user, "--access-key-id", key["AccessKeyId"])
    iam("delete-user-policy", "--user-name", user, "--policy-name", "own")
    iam("delete-user", "--user-name", user)


def test_sessions(server, tmp_path, aws):
    def iam(*arguments):
        return aws(*arguments, service="iam")

    role, user = functions.unique("role"), functions.unique("user")
    trust = json.dumps(TRUST).replace('"Service": "lambda.amazonaws.com"', '"AWS": "arn:aws:iam::000000000000:root"')
    arn = iam("create-role", "--role-name", role, "--assume-role-policy-document", trust, "--query", "Role.Arn")
    iam("create-user", "--user-name", user)
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": arn}]}
    iam("put-user-policy", "--user-name", user, "--policy-name", "own", "--policy-document", json.dumps(policy))
    key = iam("create-access-key", "--user-name", user)["AccessKey"]
    theirs = Cli(server, tmp_path, keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    session = theirs("assume-role", "--role-arn", arn, "--role-session-name", "tester", service="sts")
    assumed = f"arn:aws:sts::000000000000:assumed-role/{role}/tester"
    assert session["AssumedRoleUser"]["Arn"] == assumed
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    keys = [session["Credentials"][name] for name in names]
    own = Cli(server, tmp_path, keys=keys)
    assert own("get-caller-identity", service="sts")["Arn"] == assumed
    assert aws("get-access-key-info", "--access-key-id", keys[0], service="sts") == {"Account": "000000000000"}
    assert "Expiration" in theirs("get-session-token", "--duration-seconds", 900, service="sts")["Credentials"]
    assert aws("get-caller-identity", service="sts")["Arn"] == "arn:aws:iam::000000000000:root"
    iam("delete-access-key", "--user-name", user, "--access-key-id", key["AccessKeyId"])
    iam("delete-user-policy", "--user-name", user, "--policy-name", "own")
    iam("delete-user", "--user-name", user)
    iam("delete-role", "--role-name", role)


def test_logs(aws):
    group = f"/cli/{functions.unique()}"
    place = ["--log-group-name", group]

    def logs(*arguments):
        return aws(*arguments, service="logs")

    logs("create-log-group", *place, "--tags", "team=orders")
    logs("create-log-stream", *place, "--log-stream-name", "s")
    now = int(time.time() * 1000)
    events = [{"timestamp": now + number, "message": f'{{"level": "{level}", "n": {number}}}'}
              for number, level in enumerate(("INFO", "ERROR", "INFO"))]
    logs("put-log-events", *place, "--log-stream-name", "s", "--log-events", json.dumps(events))
    found = logs("filter-log-events", *place, "--filter-pattern", '{ $.level = "ERROR" }')["events"]
    assert [event["message"] for event in found] == [events[1]["message"]]
    read = logs("get-log-events", *place, "--log-stream-name", "s", "--start-from-head", "--limit", 2)
    assert [event["timestamp"] for event in read["events"]] == [now, now + 1]
    assert read["nextForwardToken"].startswith("f/")
    streams = logs("describe-log-streams", *place)["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == ["s"]
    logs("put-retention-policy", *place, "--retention-in-days", 7)
    described = logs("describe-log-groups", "--log-group-name-prefix", group)["logGroups"]
    assert [one["retentionInDays"] for one in described] == [7]
    arn = described[0]["arn"].removesuffix(":*")
    assert logs("list-tags-for-resource", "--resource-arn", arn) == {"tags": {"team": "orders"}}
    logs("delete-log-group", *place)


def test_services_that_are_not_here_say_so(aws):
    """In the format of each, so that its client reads it."""
    for service, command in (("s3", ["ls"]), ("cloudformation", ["describe-stacks"]),
                             ("dynamodb", ["list-tables"]), ("apigateway", ["get-rest-apis"])):
        refusal = aws(*command, service=service, code=REFUSED[1])
        signed_for = "Lambent is not " + service
        assert ("NotImplemented" in refusal, signed_for in refusal) == (True, True), refusal
