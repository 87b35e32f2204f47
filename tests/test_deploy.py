"""lambent deploy: templates, again and again, and back."""

import json
import shutil

import pytest

from support import functions, urls
from support.deploying import outputs, template
from support.server import REPOSITORY

EXAMPLE = REPOSITORY / "examples" / "orders"
ROLE = functions.ROLE


def test_a_template_is_deployed_and_deploying_it_again_changes_nothing(
    lambent, server, client, invoke, tmp_path
):
    folder = shutil.copytree(EXAMPLE, tmp_path / "orders")
    stack = functions.unique("orders")
    arguments = (folder / "template.yaml", "--stack-name", stack, "--yes")
    status, text, err = lambent("deploy", *arguments)
    assert status == 0, err
    told = outputs(text)
    word, back, arn = invoke(told["FrontAlias"]).json
    assert word == "hello, please" and arn == told["FrontAlias"]
    assert invoke(back, {"a": 1}).json == {"kept": {"a": 1}}
    answer = urls.call(server, told["FrontUrl"])
    assert (answer.status, json.loads(answer.body)[0]) == (200, "hello, please")
    mapping = client.get_event_source_mapping(UUID=told["BackOrders"])
    assert mapping["FunctionArn"].endswith(f":{back}") and mapping["BatchSize"] == 5

    before = client.get_function_configuration(FunctionName=told["Front"])["RevisionId"]
    status, text, _ = lambent("deploy", *arguments)
    assert status == 0 and "nothing to change" in text
    assert outputs(text) == told
    assert client.get_function_configuration(FunctionName=told["Front"])["RevisionId"] == before

    # Settings change in place; only new code is published.
    assert lambent("deploy", *arguments, "--parameter-overrides", "Greeting=hi")[0] == 0
    assert invoke(told["Front"]).json[0] == "hi, please"
    assert invoke(told["FrontAlias"]).json[0] == "hello, please"
    # What a parameter was is remembered.
    status, text, _ = lambent("deploy", *arguments)
    assert status == 0 and "nothing to change" in text
    (folder / "source" / "more.py").write_text("x = 1\n")
    status, text, _ = lambent("deploy", *arguments)
    assert status == 0 and "replaced   FrontVersion" in text
    assert invoke(told["FrontAlias"]).json[0] == "hi, please"

    assert stack in lambent("stacks")[1].split()
    assert lambent("delete", stack, "--yes")[0] == 0
    assert stack not in lambent("stacks")[1].split()
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName=told["Front"])
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_event_source_mapping(UUID=told["BackOrders"])
    assert urls.call(server, told["FrontUrl"]).status == 403


def test_a_dry_run_shows_the_plan_and_does_nothing(lambent):
    stack = functions.unique("dry")
    arguments = (EXAMPLE / "template.yaml", "--stack-name", stack)
    status, text, _ = lambent("deploy", *arguments, "--dry-run")
    assert status == 3 and "+ create   Front " in text and "+ create   Words " in text
    status, _, err = lambent("deploy", *arguments)
    assert status == 1 and "--yes" in err
    assert stack not in lambent("stacks")[1].split()


TWO = """
    Resources:
      Good:
        Type: AWS::Lambda::Function
        Properties:
          FunctionName: {name}
          Runtime: python3.12
          Handler: index.handler
          Role: {role}
          Timeout: {timeout}
          Code:
            ZipFile: |
              def handler(event, context):
                  return "{word}"
      Bad:
        Type: AWS::Lambda::Function
        Properties:
          FunctionName: {name}-bad
          Runtime: python3.12
          Handler: index.handler
          MemorySize: {memory}
          Role: {role}
          Code: {{ZipFile: 'x = 1'}}
        DependsOn: Good
"""


def test_a_failure_brings_back_what_was(lambent, client, invoke, tmp_path):
    stack = name = functions.unique("back")

    def deploy(**values):
        text = TWO.format(name=name, role=ROLE, **values)
        return lambent("deploy", template(tmp_path, text), "--stack-name", stack, "--yes")

    status, text, err = deploy(word="one", timeout=5, memory=7)
    assert status == 1 and "rolling back" in text and "everything is as it was" in err
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName=name)
    assert stack not in lambent("stacks")[1].split()

    assert deploy(word="one", timeout=5, memory=128)[0] == 0
    status, text, _ = deploy(word="two", timeout=9, memory=7)
    assert status == 1 and "restored" in text
    assert invoke(name).json == "one"
    assert client.get_function_configuration(FunctionName=name)["Timeout"] == 5
    assert deploy(word="two", timeout=9, memory=128)[0] == 0
    assert invoke(name).json == "two"


@pytest.mark.parametrize("text, part", [
    ("Resources: {A: {Type: 'AWS::S3::Bucket'}}", "A: resources of type AWS::S3::Bucket"),
    ("Resources:\n  A:\n    Type: AWS::Lambda::Function\n    Properties:\n      Colour: red", "line 5"),
    ("Resources: [", "line"),
])
def test_what_cannot_be_deployed_is_refused_before_anything_is_done(lambent, tmp_path, text, part):
    path = template(tmp_path, text)
    status, _, err = lambent("deploy", path, "--stack-name", "refused", "--yes")
    assert status == 1 and part in err


SAM_INIT = REPOSITORY / "crates" / "deploy" / "src" / "survey" / "hello-world.yaml"
HELLO = """
import json

# import requests


def lambda_handler(event, context):
    return {"statusCode": 200, "body": json.dumps({"message": "hello world"})}
"""


def test_what_sam_init_writes_is_deployed_without_what_is_not_created_here(lambent, invoke, tmp_path):
    path = template(tmp_path, SAM_INIT.read_text())
    (tmp_path / "hello_world").mkdir()
    (tmp_path / "hello_world" / "app.py").write_text(HELLO)
    (tmp_path / "hello_world" / "requirements.txt").write_text("requests\n")
    stack = functions.unique("sam-app")
    arguments = (path, "--stack-name", stack, "--yes")
    parts = (
        "HelloWorldFunction: the event HelloWorld of type Api", "AWS::ResourceGroups::Group",
        "AWS::ApplicationInsights::Application", "the output HelloWorldApi",
    )  # fmt: skip
    status, _, err = lambent("deploy", *arguments)
    assert status == 1 and all(part in err for part in (*parts, "--skip-unsupported")), err
    status, text, err = lambent("deploy", *arguments, "--skip-unsupported")
    assert status == 0, err
    end = text.split("is deployed")[1]
    assert "not created here:" in end and all(part in end for part in parts)
    answer = invoke(outputs(text)["HelloWorldFunction"]).json
    assert json.loads(answer["body"]) == {"message": "hello world"}
    status, text, _ = lambent("deploy", *arguments, "--skip-unsupported")
    assert status == 0 and "nothing to change" in text and "not created here:" in text


def test_records_of_stacks_are_guarded(server):
    from support import signing

    path = f"/lambent/stacks/{functions.unique('record')}"
    status, _, body = signing.request(server, "PUT", path, b'{"a":1}')
    assert status == 200
    revision = json.loads(body)["Revision"]
    assert signing.request(server, "PUT", path, b"{}")[0] == 409
    assert signing.request(server, "PUT", f"{path}?revision={revision + 1}", b"{}")[0] == 409
    status, _, body = signing.request(server, "GET", path)
    assert json.loads(body) == {"Revision": revision, "Record": {"a": 1}}
    assert signing.request(server, "PUT", path + "/x", b"{}")[0] == 400
    assert signing.request(server, "DELETE", path)[0] == 400
    assert signing.request(server, "DELETE", f"{path}?revision={revision}")[0] == 204
    assert signing.request(server, "GET", path)[0] == 404


def test_a_template_of_the_cdk_is_deployed_with_the_code_beside_it(lambent, invoke, tmp_path):
    """Made up of what `cdk synth` writes: code in a bucket that nobody has, and where it really is."""
    def packed(kind, property, path, **properties):
        properties[property] = {"S3Bucket": "cdk-hnb659fds-assets-000000000000-us-east-1", "S3Key": f"{path}.zip"}
        metadata = {"aws:cdk:path": "Hello/One", "aws:asset:path": path, "aws:asset:is-bundled": False,
                    "aws:asset:property": property}
        return {"Type": kind, "Properties": properties, "Metadata": metadata}

    for path, name, text in (
        ("asset.43b4", "words.txt", "from a layer"),
        ("asset.e578", "index.mjs", """
            import { readFileSync } from 'node:fs';
            export const handler = async () => readFileSync('/opt/words.txt', 'utf8');
        """),
    ):  # fmt: skip
        (tmp_path / path).mkdir()
        (tmp_path / path / name).write_text(text)
    assertion = {"Assert": {"Fn::Not": [{"Fn::Contains": [["1", "2"], {"Ref": "BootstrapVersion"}]}]}}
    made = {
        "Parameters": {"BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>",
                                            "Default": "/cdk-bootstrap/hnb659fds/version"}},
        "Rules": {"CheckBootstrapVersion": {"Assertions": [assertion]}},
        "Resources": {
            "Words": packed("AWS::Lambda::LayerVersion", "Content", "asset.43b4"),
            "One": packed("AWS::Lambda::Function", "Code", "asset.e578", Handler="index.handler",
                          Runtime="nodejs20.x", Role=ROLE, Layers=[{"Ref": "Words"}]),
            "CDKMetadata": {"Type": "AWS::CDK::Metadata", "Properties": {"Analytics": "v2:deflate64:H4sI"}},
        },
        "Outputs": {"Name": {"Value": {"Ref": "One"}}},
    }  # fmt: skip
    (tmp_path / "Hello.template.json").write_text(json.dumps(made))
    stack = functions.unique("cdk")
    arguments = (tmp_path / "Hello.template.json", "--stack-name", stack, "--yes")
    status, text, err = lambent("deploy", *arguments)
    assert status == 0, err
    assert invoke(outputs(text)["Name"]).json == "from a layer"
    status, text, _ = lambent("deploy", *arguments)
    assert status == 0 and "nothing to change" in text
    assert lambent("delete", stack, "--yes")[0] == 0


RENAMED = """
    Resources:
      One:
        Type: AWS::Lambda::Function
        Properties:
          Runtime: python3.12
          Handler: index.handler
          Role: {role}
          Code:
            ZipFile: |
              def handler(event, context):
                  return context.function_version
      {version}:
        Type: AWS::Lambda::Version
        Properties: {{FunctionName: !Ref One}}
      Live:
        Type: AWS::Lambda::Alias
        Properties:
          FunctionName: !Ref One
          FunctionVersion: !GetAtt {version}.Version
          Name: live
    Outputs:
      Name: {{Value: !Ref One}}
      Live: {{Value: !Ref Live}}
"""


def test_a_version_by_another_name_is_the_same_while_nothing_has_changed(lambent, client, invoke, tmp_path):
    stack = functions.unique("renamed")
    for version in ("Before", "After"):
        path = template(tmp_path, RENAMED.format(role=ROLE, version=version))
        status, text, err = lambent("deploy", path, "--stack-name", stack, "--yes")
        assert status == 0, err
        assert invoke(outputs(text)["Live"]).json == "1"
    assert lambent("delete", stack, "--yes")[0] == 0
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName=outputs(text)["Name"])
