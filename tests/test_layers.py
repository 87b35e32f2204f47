"""Layers: published, listed, deleted, and found at /opt by functions of every language."""

import base64
import hashlib
import json
import urllib.request

import pytest
from botocore.exceptions import ClientError

from conftest import OTHER_ACCOUNT
from support import clients, functions

ECHO = """
    def handler(event, context):
        return event
"""
READ = """
    import os
    def handler(event, context):
        found = {}
        for folder, _, files in os.walk('/opt'):
            for name in files:
                path = os.path.join(folder, name)
                found[path] = open(path).read()
        return found
"""


@pytest.fixture
def publish(client):
    """Publishes layers for one test and deletes their versions after it."""
    made = []

    def make(files, name=None, client=client, **settings):
        name = name or functions.unique("layer")
        content = files if isinstance(files, dict) and "S3Bucket" in files else None
        content = content or {"ZipFile": functions.package(files)}
        answer = client.publish_layer_version(LayerName=name, Content=content, **settings)
        made.append((client, answer["LayerArn"], answer["Version"]))
        return answer

    yield make
    for client_, arn, version in made:
        client_.delete_layer_version(LayerName=arn, VersionNumber=version)


def refusal(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def name_of(answer):
    return answer["LayerArn"].rsplit(":", 1)[1]


def test_a_layer_is_published_and_read(client, publish):
    package = functions.package({"x": "1"})
    answer = publish(
        {"x": "1"}, Description="mine", LicenseInfo="MIT",
        CompatibleRuntimes=["python3.12", "ruby3.3"], CompatibleArchitectures=["x86_64"],
    )  # fmt: skip
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    name = name_of(answer)
    arn = f"arn:aws:lambda:us-east-1:000000000000:layer:{name}"
    assert (answer["LayerArn"], answer["LayerVersionArn"]) == (arn, f"{arn}:1")
    assert (answer["Version"], answer["Description"], answer["LicenseInfo"]) == (1, "mine", "MIT")
    assert answer["CompatibleRuntimes"] == ["python3.12", "ruby3.3"]
    assert answer["CompatibleArchitectures"] == ["x86_64"]
    assert answer["CreatedDate"].endswith("+0000")
    digest = base64.b64encode(hashlib.sha256(package).digest()).decode()
    assert (answer["Content"]["CodeSha256"], answer["Content"]["CodeSize"]) == (digest, len(package))
    with urllib.request.urlopen(answer["Content"]["Location"]) as link:
        assert link.read() == package
    for found in (
        client.get_layer_version(LayerName=name, VersionNumber=1),
        client.get_layer_version(LayerName=arn, VersionNumber=1),
        client.get_layer_version_by_arn(Arn=f"{arn}:1"),
    ):
        for answered in (found, answer):
            answered.pop("ResponseMetadata", None)
            answered["Content"].pop("Location", None)
        assert found == answer


def test_numbers_are_never_used_again(client, publish):
    name = functions.unique("layer")
    assert [publish({"x": str(n)}, name)["Version"] for n in range(3)] == [1, 2, 3]
    client.delete_layer_version(LayerName=name, VersionNumber=3)
    client.delete_layer_version(LayerName=name, VersionNumber=3)
    assert publish({"x": "4"}, name)["Version"] == 4
    code, message = refusal(client.get_layer_version, LayerName=name, VersionNumber=3)
    assert (code, message) == (
        "ResourceNotFoundException", "The resource you requested does not exist.",
    )  # fmt: skip


def test_lists_choose_and_come_in_pages(regional):
    made = []
    for name, runtimes, architectures in [
        ("a", ["python3.12"], ["x86_64"]),
        ("b", ["nodejs22.x"], ["arm64"]),
        ("a", ["python3.13", "python3.12"], ["arm64", "x86_64"]),
        ("c", [], []),
    ]:
        answer = regional.publish_layer_version(
            LayerName=name, Content={"ZipFile": functions.package({"x": name})},
            CompatibleRuntimes=runtimes, CompatibleArchitectures=architectures,
        )  # fmt: skip
        made.append((name, answer["Version"]))

    def layers(**wanted):
        found = []
        pages = regional.get_paginator("list_layers")
        for page in pages.paginate(PaginationConfig={"PageSize": 1}, **wanted):
            found += page["Layers"]
        return [(f["LayerName"], f["LatestMatchingVersion"]["Version"]) for f in found]

    assert layers() == [("a", 2), ("b", 1), ("c", 1)]
    assert layers(CompatibleRuntime="python3.12") == [("a", 2)]
    assert layers(CompatibleRuntime="python3.13", CompatibleArchitecture="x86_64") == [("a", 2)]
    assert layers(CompatibleRuntime="java21") == []
    pages = regional.get_paginator("list_layer_versions")
    pages = pages.paginate(LayerName="a", PaginationConfig={"PageSize": 1})
    assert [v["Version"] for page in pages for v in page["LayerVersions"]] == [2, 1]
    found = regional.list_layer_versions(LayerName="a", CompatibleRuntime="python3.13")
    assert [v["Version"] for v in found["LayerVersions"]] == [2]
    assert regional.list_layer_versions(LayerName="unheard-of")["LayerVersions"] == []
    for name, version in made:
        regional.delete_layer_version(LayerName=name, VersionNumber=version)
    assert layers() == []


def test_later_layers_cover_earlier_ones(client, deploy, publish, invoke):
    first = publish({"both": "first", "a/one": "1", "turn": "file"})
    second = publish({"both": "second", "a/two": "2", "turn/x": "folder"})
    arns = [first["LayerVersionArn"], second["LayerVersionArn"]]
    name = deploy(READ, Layers=arns)
    assert invoke(name).json == {
        "/opt/both": "second", "/opt/a/one": "1", "/opt/a/two": "2", "/opt/turn/x": "folder",
    }  # fmt: skip
    shown = client.get_function_configuration(FunctionName=name)["Layers"]
    assert [(layer["Arn"], layer["CodeSize"]) for layer in shown] == [
        (answer["LayerVersionArn"], answer["Content"]["CodeSize"]) for answer in (first, second)
    ]
    client.update_function_configuration(FunctionName=name, Layers=arns[::-1])
    functions.until_updated(client, name)
    assert invoke(name).json["/opt/both"] == "first"
    client.update_function_configuration(FunctionName=name, Layers=[])
    functions.until_updated(client, name)
    assert invoke(name).json == {}
    assert "Layers" not in client.get_function_configuration(FunctionName=name)


def test_a_function_keeps_a_layer_that_is_deleted(client, deploy, publish, invoke):
    layer = publish({"kept": "yes"})
    name = deploy(READ, Layers=[layer["LayerVersionArn"]], Publish=True)
    client.delete_layer_version(LayerName=layer["LayerArn"], VersionNumber=1)
    assert invoke(name).json == {"/opt/kept": "yes"}
    assert invoke(name, Qualifier="1").json == {"/opt/kept": "yes"}
    code, message = refusal(
        client.update_function_configuration, FunctionName=name, Layers=[layer["LayerVersionArn"]]
    )
    assert code == "InvalidParameterValueException"
    assert message == f"Layer version {layer['LayerVersionArn']} does not exist."


def test_python_finds_its_modules(deploy, publish, invoke):
    layer = publish({
        "python/from_layer.py": "NAME = 'plain'",
        "python/lib/python3.12/site-packages/packaged.py": "NAME = 'packaged'",
    })  # fmt: skip
    source = """
        import from_layer, packaged
        def handler(event, context):
            return [from_layer.NAME, packaged.NAME]
    """
    name = deploy(source, Layers=[layer["LayerVersionArn"]])
    assert invoke(name).json == ["plain", "packaged"]


def test_nodejs_finds_its_modules(deploy, publish, invoke):
    layer = publish({
        "nodejs/node_modules/plain/index.js": "exports.name = 'plain'",
        "nodejs/node22/node_modules/versioned/index.js": "exports.name = 'versioned'",
    })  # fmt: skip
    source = {
        "index.js": "const found = [require('plain').name, require('versioned').name];\n"
        "exports.handler = async () => found;\n",
    }
    name = deploy(source, runtime="nodejs22.x", Layers=[layer["LayerVersionArn"]])
    assert invoke(name).json == ["plain", "versioned"]


def test_programs_and_extensions_run(deploy, publish, invoke):
    layer = publish({
        "bin/tool": "#!/bin/sh\necho from-the-layer\n",
        "extensions/marker": EXTENSION,
    })  # fmt: skip
    source = """
        import os, subprocess
        def handler(event, context):
            return [subprocess.check_output(['tool']).decode().strip(),
                    os.path.exists('/tmp/extension-was-here')]
    """
    name = deploy(source, Layers=[layer["LayerVersionArn"]], MemorySize=256)
    assert invoke(name).json == ["from-the-layer", True]


EXTENSION = """#!/usr/bin/python3
import os, urllib.request
base = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2020-01-01/extension"
open('/tmp/extension-was-here', 'w').close()
request = urllib.request.Request(
    base + '/register', data=b'{"events": []}', headers={'Lambda-Extension-Name': 'marker'})
identifier = urllib.request.urlopen(request).headers['Lambda-Extension-Identifier']
request = urllib.request.Request(
    base + '/event/next', headers={'Lambda-Extension-Identifier': identifier})
urllib.request.urlopen(request)
"""


def test_a_runtime_can_come_in_a_layer(deploy, publish, invoke):
    bootstrap = """#!/usr/bin/python3
import os, urllib.request
base = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
while True:
    event = urllib.request.urlopen(base + '/next')
    id = event.headers['Lambda-Runtime-Aws-Request-Id']
    urllib.request.urlopen(urllib.request.Request(f'{base}/{id}/response', data=b'"layered"'))
"""
    layer = publish({"bootstrap": bootstrap})
    name = deploy(
        {"x": ""}, runtime="provided.al2023", Layers=[layer["LayerVersionArn"]], MemorySize=256
    )
    assert invoke(name).json == "layered"


def test_the_installations_package_lies_beneath(own_server, tmp_path):
    package = tmp_path / "opt.zip"
    package.write_bytes(functions.package({"both": "installation", "only": "installation"}))
    server = own_server(f'[functions]\nopt = "{package}"\n').start()
    client = clients.make(server)
    layer = client.publish_layer_version(
        LayerName="l", Content={"ZipFile": functions.package({"both": "layer"})}
    )
    functions.create(client, "f", READ, Layers=[layer["LayerVersionArn"]])
    found = client.invoke(FunctionName="f")["Payload"].read()
    assert found == b'{"/opt/both": "layer", "/opt/only": "installation"}' or (
        b'"/opt/both": "layer"' in found and b'"/opt/only": "installation"' in found
    )
    server.finish()


@pytest.mark.parametrize("count, words", [(6, "Cannot reference more than 5 layers.")])
def test_there_are_only_so_many(client, deploy, count, words):
    name = deploy(ECHO)
    arns = [f"arn:aws:lambda:us-east-1:000000000000:layer:l{n}:1" for n in range(count)]
    answer = refusal(client.update_function_configuration, FunctionName=name, Layers=arns)
    assert answer == ("InvalidParameterValueException", words)


def test_a_layer_comes_in_one_version(client, deploy, publish):
    layer = publish({"x": "1"})
    first, second = layer["LayerVersionArn"], publish({"x": "2"}, name_of(layer))["LayerVersionArn"]
    code, message = refusal(
        functions.create, client=client, name=functions.unique(), source=ECHO, Layers=[first, second]
    )
    assert code == "InvalidParameterValueException"
    assert message == (
        "Two different versions of the same layer are not allowed to be referenced in the same"
        f" function. {first} and {second} are versions of the same layer."
    )


def test_layers_and_code_have_their_size_together(client, deploy, publish):
    zeros = b"\0" * 131_072_000
    layer = publish({"half": zeros})
    name = deploy({"index.py": "def handler(event, context): pass\n", "zeros": zeros})
    code, message = refusal(
        client.update_function_configuration, FunctionName=name, Layers=[layer["LayerVersionArn"]]
    )
    assert code == "InvalidParameterValueException"
    assert message.startswith(
        "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes."
        " The actual size is 26214"
    )


def test_what_may_not_be_is_refused(client, loose):
    package = functions.package({"x": "1"})
    code, message = refusal(
        client.publish_layer_version, LayerName="l", Content={"ZipFile": package},
        CompatibleRuntimes=["cobol85"],
    )  # fmt: skip
    assert code == "ValidationException"
    assert message.startswith(
        "1 validation error detected: Value '[cobol85]' at 'compatibleRuntimes' failed to satisfy"
        " constraint: Member must satisfy enum value set: [nodejs20.x, "
    )
    code, message = refusal(client.list_layers, CompatibleRuntime="cobol85")
    assert (code, "at 'compatibleRuntime'" in message) == ("ValidationException", True)
    code, message = refusal(
        client.publish_layer_version, LayerName="l", Content={"ZipFile": b"no zip"}
    )
    assert code == "InvalidParameterValueException"
    assert message.startswith("Could not unzip uploaded file.")
    code, message = refusal(client.get_layer_version, LayerName="l", VersionNumber=0)
    assert (code, message) == (
        "InvalidParameterValueException", "Layer Version Cannot be less than 1",
    )  # fmt: skip
    code, message = refusal(
        loose.create_function, FunctionName="f", Runtime="python3.12", Role=functions.ROLE,
        Handler="a.b", Code={"ZipFile": package},
        Layers=["arn:aws:lambda:eu-west-1:000000000000:layer:l:1"],
    )  # fmt: skip
    assert (code, "not in the same region" in message) == ("InvalidParameterValueException", True)


def test_another_account_uses_a_layer_by_permission(server, client, publish):
    other = clients.make(server, keys=OTHER_ACCOUNT)
    layer = publish({"shared": "yes"})
    arn, name = layer["LayerVersionArn"], name_of(layer)
    code, message = refusal(other.get_layer_version_by_arn, Arn=arn)
    assert code == "AccessDeniedException"
    assert f"lambda:GetLayerVersion on resource: {arn}" in message
    added = client.add_layer_version_permission(
        LayerName=name, VersionNumber=1, StatementId="all", Principal="*",
        Action="lambda:GetLayerVersion",
    )  # fmt: skip
    statement = {
        "Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "lambda:GetLayerVersion",
        "Resource": arn,
    }  # fmt: skip
    assert json.loads(added["Statement"]) == statement
    shown = client.get_layer_version_policy(LayerName=name, VersionNumber=1)
    assert shown["RevisionId"] == added["RevisionId"]
    assert json.loads(shown["Policy"])["Statement"] == [statement]
    function = functions.unique()
    functions.create(
        other, function, READ, Layers=[arn], Role="arn:aws:iam::111122223333:role/tester"
    )
    answer = other.invoke(FunctionName=function)
    assert json.loads(answer["Payload"].read()) == {"/opt/shared": "yes"}
    functions.delete(other, function)
    client.remove_layer_version_permission(
        LayerName=name, VersionNumber=1, StatementId="all", RevisionId=shown["RevisionId"]
    )
    assert refusal(other.get_layer_version_by_arn, Arn=arn)[0] == "AccessDeniedException"
    code, message = refusal(client.get_layer_version_policy, LayerName=name, VersionNumber=1)
    assert code == "ResourceNotFoundException"
