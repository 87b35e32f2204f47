"""Every type of resource that a template can have, from its first deploy to its end."""

import json
import re
import textwrap

import pytest
from botocore.exceptions import ClientError

from support import clients, functions
from support.deploying import outputs, template
from support.events import DOES, Told, send
from support.server import wait_for


class World:
    """What the server has, asked for by clients of its own services."""

    def __init__(self, server):
        self.server = server
        self.functions = clients.make(server)
        self.iam = clients.make(server, service="iam")
        self.logs = clients.make(server, service="logs")


@pytest.fixture
def world(server):
    return World(server)


def gone(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    code = refused.value.response["Error"]["Code"]
    assert code.startswith(("ResourceNotFound", "NoSuchEntity", "ProvisionedConcurrencyConfigNotFound")), code


CODE = """
          Runtime: python3.12
          Handler: index.handler
          Code:
            ZipFile: |
              def handler(event, context):
                  return 'ran'
"""

IAM = """
    Resources:
      Role:
        Type: AWS::IAM::Role
        Properties:
          Description: {description}
          MaxSessionDuration: {duration}
          Tags: [{{Key: team, Value: {team}}}]
          AssumeRolePolicyDocument:
            Version: '2012-10-17'
            Statement:
              - Effect: Allow
                Principal: {{Service: [{service}]}}
                Action: sts:AssumeRole
          ManagedPolicyArns: [{managed}]
          Policies:
            - PolicyName: {inline}
              PolicyDocument:
                Version: '2012-10-17'
                Statement: [{{Effect: Allow, Action: {action}, Resource: '*'}}]
      Policy:
        Type: AWS::IAM::Policy
        Properties:
          PolicyName: of-its-own
          Roles: [!Ref Role]
          PolicyDocument:
            Version: '2012-10-17'
            Statement: [{{Effect: Allow, Action: {action}, Resource: !GetAtt Role.Arn}}]
      Function:
        Type: AWS::Lambda::Function
        Properties:
          Role: !GetAtt Role.Arn
          MemorySize: {memory}
""" + CODE.replace("{", "{{").replace("}", "}}") + """
    Outputs:
      Role: {{Value: !Ref Role}}
      Arn: {{Value: !GetAtt Role.Arn}}
      Function: {{Value: !Ref Function}}
"""  # fmt: skip
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
READ = "arn:aws:iam::aws:policy/ReadOnlyAccess"
FIRST = {
    "description": "first", "duration": 3600, "team": "red", "service": "lambda.amazonaws.com",
    "managed": BASIC, "inline": "within", "action": "sqs:SendMessage", "memory": 128,
}  # fmt: skip
SECOND = {
    "description": "second", "duration": 7200, "team": "blue",
    "service": "lambda.amazonaws.com, events.amazonaws.com", "managed": READ, "inline": "other",
    "action": "sns:Publish", "memory": 256,
}  # fmt: skip


def role(world, name):
    """All that there is to know of a role."""
    told = world.iam.get_role(RoleName=name)["Role"]
    policies = world.iam.list_role_policies(RoleName=name)["PolicyNames"]
    documents = {
        policy: world.iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in policies
    }
    attached = world.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    return {
        "description": told["Description"],
        "duration": told["MaxSessionDuration"],
        "team": told["Tags"][0]["Value"],
        "service": ", ".join(
            told["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]
        ),
        "managed": ",".join(policy["PolicyArn"] for policy in attached),
        "actions": {name: text["Statement"][0]["Action"] for name, text in documents.items()},
    }


def expected(values):
    kept = {key: values[key] for key in ("description", "duration", "team", "service", "managed")}
    return kept | {
        "actions": {values["inline"]: values["action"], "of-its-own": values["action"]}
    }


def test_roles_and_their_policies(lambent, world, invoke, tmp_path):
    stack = functions.unique("iam")

    def deploy(values, **more):
        return lambent.deploy(template(tmp_path, IAM.format(**values | more)), stack)

    status, text, err = deploy(FIRST)
    assert status == 0, text + err
    told = outputs(text)
    assert role(world, told["Role"]) == expected(FIRST)
    assert invoke(told["Function"]).json == "ran"
    status, text, _ = deploy(FIRST)
    assert status == 0 and "nothing to change" in text
    # What fails at its last step leaves the role as it was.
    status, text, err = deploy(SECOND, memory=7)
    assert status == 1 and "everything is as it was" in err, text + err
    assert role(world, told["Role"]) == expected(FIRST)
    status, text, err = deploy(SECOND)
    assert status == 0, text + err
    assert outputs(text) == told
    assert role(world, told["Role"]) == expected(SECOND)
    assert "nothing to change" in deploy(SECOND)[1]
    assert lambent("delete", stack, "--yes")[0] == 0
    gone(world.iam.get_role, RoleName=told["Role"])


LAMBDA = """
    Resources:
      Group:
        Type: AWS::Logs::LogGroup
        Properties:
          LogGroupName: /of/{name}
          RetentionInDays: {days}
          Tags: [{{Key: team, Value: {team}}}]
      Signing:
        Type: AWS::Lambda::CodeSigningConfig
        Properties:
          Description: {team}
          AllowedPublishers:
            SigningProfileVersionArns:
              - arn:aws:signer:us-east-1:000000000000:/signing-profiles/{team}/aaaaaaaaaa
          CodeSigningPolicies: {{UntrustedArtifactOnDeployment: Warn}}
      Function:
        Type: AWS::Lambda::Function
        Properties:
          FunctionName: {name}
          Role: {role}
          CodeSigningConfigArn: !Ref Signing
          LoggingConfig: {{LogGroup: !Ref Group}}
""" + CODE.replace("{", "{{").replace("}", "}}") + """
      Version:
        Type: AWS::Lambda::Version
        Properties: {{FunctionName: !Ref Function}}
      Alias:
        Type: AWS::Lambda::Alias
        Properties:
          FunctionName: !Ref Function
          FunctionVersion: !GetAtt Version.Version
          Name: live
          ProvisionedConcurrencyConfig: {{ProvisionedConcurrentExecutions: {ready}}}
      Permission:
        Type: AWS::Lambda::Permission
        Properties:
          FunctionName: !Ref Alias
          Action: lambda:InvokeFunction
          Principal: {account}
          SourceArn: arn:aws:s3:::{team}
      Invokes:
        Type: AWS::Lambda::EventInvokeConfig
        Properties:
          FunctionName: !Ref Function
          Qualifier: live
          MaximumRetryAttempts: {tries}
          DestinationConfig: {{OnFailure: {{Destination: 'arn:aws:sqs:us-east-1:000000000000:{team}'}}}}
        DependsOn: Alias
      Layer:
        Type: AWS::Lambda::LayerVersion
        Properties: {{Content: layer/, LayerName: {name}}}
        DeletionPolicy: Delete
      LayerPermission:
        Type: AWS::Lambda::LayerVersionPermission
        Properties:
          LayerVersionArn: !Ref Layer
          Action: lambda:GetLayerVersion
          Principal: {account}
      Last:
        Type: AWS::Lambda::Function
        DependsOn: [Alias, Permission, Invokes, LayerPermission, Group]
        Properties:
          Role: {role}
          MemorySize: {memory}
""" + CODE.replace("{", "{{").replace("}", "}}") + """
    Outputs:
      Signing: {{Value: !Ref Signing}}
      Layer: {{Value: !Ref Layer}}
      Alias: {{Value: !Ref Alias}}
      Group: {{Value: !GetAtt Group.Arn}}
"""  # fmt: skip


def everything(world, name, layer):
    """All that the template made, as far as it can change."""
    client = world.functions
    signing = client.get_function_code_signing_config(FunctionName=name)["CodeSigningConfigArn"]
    config = client.get_code_signing_config(CodeSigningConfigArn=signing)["CodeSigningConfig"]
    policy = json.loads(client.get_policy(FunctionName=name, Qualifier="live")["Policy"])
    invokes = client.get_function_event_invoke_config(FunctionName=name, Qualifier="live")
    group = f"/of/{name}"
    groups = world.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    arn = groups[0]["arn"].removesuffix(":*")
    number = int(layer.rsplit(":", 1)[1])
    layers = json.loads(
        client.get_layer_version_policy(LayerName=name, VersionNumber=number)["Policy"]
    )
    return {
        "signing": config["Description"],
        "profile": config["AllowedPublishers"]["SigningProfileVersionArns"][0].split("/")[-2],
        "ready": client.get_provisioned_concurrency_config(FunctionName=name, Qualifier="live")[
            "AllocatedProvisionedConcurrentExecutions"
        ],
        "source": [s["Condition"]["ArnLike"]["AWS:SourceArn"] for s in policy["Statement"]],
        "tries": invokes["MaximumRetryAttempts"],
        "failures": invokes["DestinationConfig"]["OnFailure"]["Destination"].split(":")[-1],
        "days": groups[0]["retentionInDays"],
        "tags": world.logs.list_tags_for_resource(resourceArn=arn)["tags"],
        "layer": [s["Principal"]["AWS"] for s in layers["Statement"]],
    }


def wanted(values):
    team, account = values["team"], values["account"]
    return {
        "signing": team,
        "profile": team,
        "ready": values["ready"],
        "source": [f"arn:aws:s3:::{team}"],
        "tries": values["tries"],
        "failures": team,
        "days": values["days"],
        "tags": {"team": team},
        "layer": [f"arn:aws:iam::{account}:root"],
    }


def test_everything_that_belongs_to_a_function(lambent, world, tmp_path):
    stack = name = functions.unique("all")
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer" / "words.py").write_text("x = 1\n")
    first = {
        "name": name, "role": functions.ROLE, "days": 3, "team": "red", "ready": 1, "tries": 0,
        "account": "111122223333", "memory": 128,
    }  # fmt: skip
    second = first | {
        "days": 5, "team": "blue", "ready": 2, "tries": 2, "account": "444455556666"
    }  # fmt: skip

    def deploy(values, **more):
        return lambent.deploy(template(tmp_path, LAMBDA.format(**values | more)), stack)

    status, text, err = deploy(first)
    assert status == 0, text + err
    told = outputs(text)
    assert everything(world, name, told["Layer"]) == wanted(first)
    assert "nothing to change" in deploy(first)[1]
    status, text, err = deploy(second, memory=7)
    assert status == 1 and "everything is as it was" in err, text + err
    assert everything(world, name, told["Layer"]) == wanted(first)
    assert "nothing to change" in deploy(first)[1]
    status, text, err = deploy(second)
    assert status == 0, text + err
    assert outputs(text) == told
    assert everything(world, name, told["Layer"]) == wanted(second)
    assert "nothing to change" in deploy(second)[1]
    assert lambent("delete", stack, "--yes")[0] == 0
    client = world.functions
    gone(client.get_function, FunctionName=name)
    gone(client.get_code_signing_config, CodeSigningConfigArn=told["Signing"])
    gone(client.get_layer_version_by_arn, Arn=told["Layer"])
    assert not world.logs.describe_log_groups(logGroupNamePrefix=f"/of/{name}")["logGroups"]


FOREIGN = """
    Resources:
      Group:
        Type: AWS::Logs::LogGroup
        Properties: {{LogGroupName: /of/{name}}}
      Function:
        Type: AWS::Lambda::Function
        Properties:
          FunctionName: {name}
          Role: {role}
""" + CODE.replace("{", "{{").replace("}", "}}")  # fmt: skip


def test_what_was_there_before_the_stack_is_never_deleted(lambent, deploy, invoke, client, tmp_path):
    name = deploy("def handler(event, context):\n    return 'mine'\n")
    path = template(tmp_path, FOREIGN.format(name=name, role=functions.ROLE))
    for _ in range(2):
        status, text, err = lambent.deploy(path, functions.unique("foreign"))
        assert status == 1 and "everything is as it was" in err, text + err
        assert invoke(name).json == "mine"


UNHEARD = """
    Resources:
      Version:
        Type: AWS::Lambda::Version
        Properties: {{FunctionName: {name}, Description: {word}}}
      Layer:
        Type: AWS::Lambda::LayerVersion
        Properties: {{LayerName: {name}, Content: {word}.py}}
      Signing:
        Type: AWS::Lambda::CodeSigningConfig
        Properties:
          Description: {name}-{word}
          AllowedPublishers:
            SigningProfileVersionArns:
              - arn:aws:signer:us-east-1:000000000000:/signing-profiles/a/aaaaaaaaaa
      Mapping:
        Type: AWS::Lambda::EventSourceMapping
        Properties:
          FunctionName: {name}
          EventSourceArn: arn:aws:sqs:us-east-1:000000000000:{name}-{word}
"""


@pytest.mark.parametrize("made", ["functions/[^/]+/versions", "layers/[^/]+/versions",
                                  "code-signing-configs", "event-source-mappings"])  # fmt: skip
def test_what_a_killed_deploy_made_and_did_not_hear_of_is_no_orphan(
    lambent, world, deploy, tmp_path, made
):
    client = world.functions
    name = deploy("def handler(event, context):\n    return 'ran'\n")
    for word in ("one", "two"):
        (tmp_path / f"{word}.py").write_text(f"word = '{word}'\n")

    def there():
        versions = client.list_versions_by_function(FunctionName=name)["Versions"]
        layers = client.list_layer_versions(LayerName=name)["LayerVersions"]
        pages = client.get_paginator("list_code_signing_configs").paginate()
        configs = [c["Description"] for page in pages for c in page["CodeSigningConfigs"]]
        mappings = client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        return {
            "versions": [v["Description"] for v in versions if v["Version"] != "$LATEST"],
            "layers": len(layers),
            "signing": [text for text in configs if text.startswith(f"{name}-")],
            "mappings": [mapping["EventSourceArn"].rsplit("-", 1)[1] for mapping in mappings],
        }

    def text(word):
        return template(tmp_path, UNHEARD.format(name=name, word=word))

    # To publish what has not changed since gives the version that is there.
    version = "two" if made.startswith("functions") else "one"
    expected = {
        "versions": [version], "layers": 1, "signing": [f"{name}-two"], "mappings": ["two"]
    }  # fmt: skip
    stack = functions.unique("killed")
    lambent.killed(
        text("one"), stack, lambda method, path: method == "POST" and re.search(made, path)
    )
    # What the next one wants differs, so that what was made cannot simply be kept.
    status, out, err = lambent.deploy(text("two"), stack)
    assert status == 0, out + err
    assert there() == expected
    assert "nothing to change" in lambent.deploy(text("two"), stack)[1]
    assert lambent("delete", stack, "--yes")[0] == 0
    assert there() == {"versions": [], "layers": 0, "signing": [], "mappings": []}


def test_a_deploy_that_was_killed_while_it_changed_something_is_known_to_have(
    lambent, world, client, tmp_path
):
    stack = name = functions.unique("changed")

    def text(memory):
        body = FOREIGN.format(name=name, role=functions.ROLE) + f"          MemorySize: {memory}\n"
        return template(tmp_path, body)

    assert lambent.deploy(text(128), stack)[0] == 0
    lambent.killed(text(256), stack, lambda method, path: path.endswith("/configuration"))
    assert client.get_function_configuration(FunctionName=name)["MemorySize"] == 256
    # The template that was there before is not what is there now.
    status, out, err = lambent.deploy(text(128), stack)
    assert status == 0 and "updated    Function" in out, out + err
    assert client.get_function_configuration(FunctionName=name)["MemorySize"] == 128
    assert "nothing to change" in lambent.deploy(text(128), stack)[1]


OUTCOMES = """
    Transform: AWS::Serverless-2016-10-31
    Globals:
      Function: {Runtime: python3.12, Handler: index.handler, CodeUri: code}
    Resources:
      Hears:
        Type: AWS::Serverless::Function
      Does:
        Type: AWS::Serverless::Function
        Properties:
          AutoPublishAlias: live
          DeadLetterQueue: {Type: SQS, TargetArn: 'arn:aws:sqs:us-east-1:000000000000:letters'}
          EventInvokeConfig:
            MaximumRetryAttempts: 0
            DestinationConfig:
              OnSuccess: {Type: Lambda, Destination: !GetAtt Hears.Arn}
              OnFailure: {Type: S3, Destination: 'arn:aws:s3:::failed'}
    Outputs:
      Hears: {Value: !Ref Hears}
      Live: {Value: !Ref Does.Alias}
"""


def test_a_serverless_function_may_tell_of_its_events(lambent, server, client, tmp_path):
    """The role that is made for it has the rights that its destinations need."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code/index.py").write_text(textwrap.dedent(DOES))
    stack = functions.unique("outcomes")
    status, text, err = lambent.deploy(template(tmp_path, OUTCOMES), stack)
    assert status == 0, text + err
    told = outputs(text)
    request = send(client, told["Live"], {"n": 1})
    (heard,) = wait_for(lambda: Told(server)(told["Hears"]), 30)
    assert heard["event"]["requestContext"]["requestId"] == request
