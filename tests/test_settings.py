"""Every setting of a function: what is given comes back, what may not be is refused in Lambda's words."""

import random

import pytest
from botocore.exceptions import ClientError

from support import clients, functions

ECHO = """
    def handler(event, context):
        return event
"""
QUEUE = "arn:aws:sqs:us-east-1:000000000000:letters"
TOPIC = "arn:aws:sns:us-east-1:000000000000:letters"
KEY = "arn:aws:kms:us-east-1:000000000000:key/0000"
VPC = {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
ACCESS_POINT = (
    "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
)


def configuration(client, name, **qualifier):
    return client.get_function_configuration(FunctionName=name, **qualifier)


def update(client, name, **settings):
    answer = client.update_function_configuration(FunctionName=name, **settings)
    functions.until_updated(client, name)
    return answer


def publish(client, name):
    version = client.publish_version(FunctionName=name)["Version"]
    functions.until_active(client, name, Qualifier=version)
    return version


def refusal(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400, error
    return error["Code"], error["Message"]


def test_what_is_given_comes_back(client, deploy, invoke):
    given = {
        "VpcConfig": VPC,
        "DeadLetterConfig": {"TargetArn": QUEUE},
        "KMSKeyArn": KEY,
        "SnapStart": {"ApplyOn": "PublishedVersions"},
        "LoggingConfig": {
            "LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "LogGroup": "/my/group",
        },
        "TracingConfig": {"Mode": "Active"},
        "Environment": {"Variables": {"KEY": "value"}},
        "Description": "everything",
        "Timeout": 7,
        "MemorySize": 256,
    }  # fmt: skip
    name = deploy(ECHO, **given)
    found = configuration(client, name)
    assert found["VpcConfig"]["SubnetIds"] == VPC["SubnetIds"]
    assert found["VpcConfig"]["SecurityGroupIds"] == VPC["SecurityGroupIds"]
    assert found["VpcConfig"]["VpcId"].startswith("vpc-")
    assert found["VpcConfig"]["Ipv6AllowedForDualStack"] is False
    assert found["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    assert found["LoggingConfig"] == {
        "LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "INFO",
        "LogGroup": "/my/group",
    }  # fmt: skip
    same = set(given) - {"VpcConfig", "SnapStart", "LoggingConfig"}
    assert {key: found[key] for key in same} == {key: given[key] for key in same}
    assert invoke(name, {"x": 1}).json == {"x": 1}


def test_a_version_keeps_its_settings(client, deploy):
    name = deploy(ECHO, DeadLetterConfig={"TargetArn": QUEUE}, KMSKeyArn=KEY, VpcConfig=VPC)
    version = publish(client, name)
    update(client, name, DeadLetterConfig={"TargetArn": TOPIC}, KMSKeyArn="", Timeout=9)
    frozen = configuration(client, name, Qualifier=version)
    assert frozen["DeadLetterConfig"] == {"TargetArn": QUEUE}
    assert frozen["KMSKeyArn"] == KEY
    assert frozen["Timeout"] == 3
    assert frozen["VpcConfig"]["SubnetIds"] == VPC["SubnetIds"]
    assert configuration(client, name)["DeadLetterConfig"] == {"TargetArn": TOPIC}


def test_empty_values_take_settings_away(client, deploy):
    name = deploy(
        ECHO, DeadLetterConfig={"TargetArn": QUEUE}, KMSKeyArn=KEY, VpcConfig=VPC,
        Environment={"Variables": {"KEY": "value"}}, Description="text",
    )  # fmt: skip
    update(
        client, name, DeadLetterConfig={"TargetArn": ""}, KMSKeyArn="", Description="",
        VpcConfig={"SubnetIds": [], "SecurityGroupIds": []}, Environment={"Variables": {}},
    )  # fmt: skip
    found = configuration(client, name)
    assert "DeadLetterConfig" not in found
    assert "KMSKeyArn" not in found
    assert found["VpcConfig"]["SubnetIds"] == []
    assert found["VpcConfig"]["VpcId"] == ""
    assert found["Description"] == ""
    assert found["Environment"]["Variables"] == {}


def test_log_levels_come_and_go_with_json(client, deploy):
    name = deploy(ECHO)
    assert configuration(client, name)["LoggingConfig"] == {
        "LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}",
    }  # fmt: skip
    code, message = refusal(
        client.update_function_configuration,
        FunctionName=name, LoggingConfig={"LogFormat": "Text", "SystemLogLevel": "WARN"},
    )  # fmt: skip
    assert code == "InvalidParameterValueException"
    assert message == (
        'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your'
        ' request or change the LogFormat to "JSON" and try again.'
    )
    update(client, name, LoggingConfig={"LogFormat": "JSON"})
    logging = configuration(client, name)["LoggingConfig"]
    assert (logging["ApplicationLogLevel"], logging["SystemLogLevel"]) == ("INFO", "INFO")
    update(client, name, LoggingConfig={"LogFormat": "Text"})
    assert "SystemLogLevel" not in configuration(client, name)["LoggingConfig"]


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"DeadLetterConfig": {"TargetArn": "arn:aws:s3:::bucket"}}, "dead letter target"),
        ({"DeadLetterConfig": {"TargetArn": f"{QUEUE}.fifo"}}, "FIFO"),
        ({"KMSKeyArn": QUEUE}, "not the ARN of a key"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"]}},
         "SubnetIds and SecurityIds must coexist or be both empty list."),
        ({"FileSystemConfigs": [{"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/a"}]},
         f"Function must be configured to execute in a VPC to reference access point {ACCESS_POINT}"),
        ({"VpcConfig": VPC,
          "FileSystemConfigs": [{"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/a"}]},
         f"Access point {ACCESS_POINT} is not one of this installation"),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}, "EphemeralStorage": {"Size": 1024}},
         "not supported for SnapStart enabled functions"),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}, "Runtime": "nodejs22.x"},
         "nodejs22.x is not supported for SnapStart enabled functions."),
        ({"ImageConfig": {"Command": ["x"]}}, "Please don't provide ImageConfig"),
    ],
)  # fmt: skip
def test_settings_that_do_not_go_are_refused(client, deploy, settings, words):
    name = deploy(ECHO)
    before = configuration(client, name)["RevisionId"]
    code, message = refusal(
        client.update_function_configuration, FunctionName=name, **settings
    )
    assert code == "InvalidParameterValueException"
    assert words in message
    assert configuration(client, name)["RevisionId"] == before


def test_a_rule_over_two_settings_holds_when_they_come_one_by_one(client, deploy):
    name = deploy(ECHO, SnapStart={"ApplyOn": "PublishedVersions"})
    code, message = refusal(
        client.update_function_configuration,
        FunctionName=name, EphemeralStorage={"Size": 1024},
    )  # fmt: skip
    assert (code, "SnapStart" in message) == ("InvalidParameterValueException", True)


def test_both_versions_of_an_alias_share_their_dead_letter_target(client, deploy):
    name = deploy(ECHO, Publish=True, DeadLetterConfig={"TargetArn": QUEUE})
    update(client, name, DeadLetterConfig={"TargetArn": TOPIC})
    second = publish(client, name)
    code, message = refusal(
        client.create_alias, FunctionName=name, Name="live", FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {second: 0.5}},
    )  # fmt: skip
    assert code == "InvalidParameterValueException"
    assert message.startswith("Specified versions must be associated with the same dead letter")


def test_another_architecture_is_kept_and_not_run(client, deploy, server):
    import platform

    here = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
    other = {"x86_64": "arm64", "arm64": "x86_64"}[here]
    name = deploy(ECHO, Architectures=[other])
    assert configuration(client, name)["Architectures"] == [other]
    with pytest.raises(ClientError) as refused:
        client.invoke(FunctionName=name)
    assert refused.value.response["Error"]["Code"] == "InvalidRuntimeException"
    assert other in refused.value.response["Error"]["Message"]
    code = functions.source_package("python3.12", ECHO)[0]
    client.update_function_code(FunctionName=name, ZipFile=code, Architectures=[here])
    functions.until_updated(client, name)
    assert client.invoke(FunctionName=name)["StatusCode"] == 200


def test_a_dry_run_tells_what_would_be(client, deploy):
    name = deploy(ECHO)
    before = client.get_function(FunctionName=name)["Configuration"]
    code = functions.source_package("python3.12", ECHO + "\n# changed\n")[0]
    told = client.update_function_code(FunctionName=name, ZipFile=code, DryRun=True)
    assert told["CodeSha256"] != before["CodeSha256"]
    assert client.get_function(FunctionName=name)["Configuration"] == before


def test_code_has_its_room(own_server):
    # What hardly shrinks: a package that is much larger unpacked counts for more than its size.
    noise = random.Random(1).randbytes(8_000)
    code = functions.package({"index.py": ECHO, "noise": noise})
    layer = functions.package({"x": noise})
    room = 2 * len(code) + len(layer)
    server = own_server(f"[limits]\ncode_storage_bytes = {room}\n").start()
    client = clients.make(server)
    functions.create(client, "f", code)
    client.publish_version(FunctionName="f")
    client.publish_layer_version(LayerName="l", Content={"ZipFile": layer})
    settings = client.get_account_settings()
    assert settings["AccountLimit"]["TotalCodeSize"] == room
    assert settings["AccountUsage"]["TotalCodeSize"] == room
    code_, message = refusal(functions.create, client=client, name="g", source=code)
    assert (code_, message) == ("CodeStorageExceededException", "Code storage limit exceeded.")
    # What is gone makes room.
    client.delete_function(FunctionName="f", Qualifier="1")
    functions.create(client, "g", code)
    server.finish()
