"""CreateFunction, GetFunction, ListFunctions, DeleteFunction: what is made can be seen and had back."""

import base64
import hashlib
import urllib.request

import pytest
from botocore.exceptions import ClientError

from support import functions

ECHO = """
    def handler(event, context):
        return event
"""


def test_create_answers_a_pending_function(client):
    name = functions.unique()
    code, _ = functions.source_package("python3.12", ECHO)
    made = functions.create(
        client, name, ECHO, wait=False,
        Description="says it again", Timeout=7, MemorySize=256,
        Environment={"Variables": {"COLOUR": "blue"}}, Tags={"team": "red"},
        EphemeralStorage={"Size": 600}, TracingConfig={"Mode": "PassThrough"},
    )  # fmt: skip
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert made["FunctionName"] == name
    assert made["FunctionArn"] == f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    assert made["Runtime"] == "python3.12"
    assert made["Role"] == functions.ROLE
    assert made["Handler"] == "index.handler"
    assert made["CodeSize"] == len(code)
    assert made["CodeSha256"] == base64.b64encode(hashlib.sha256(code).digest()).decode()
    assert (made["Description"], made["Timeout"], made["MemorySize"]) == ("says it again", 7, 256)
    assert made["Version"] == "$LATEST"
    assert made["Environment"] == {"Variables": {"COLOUR": "blue"}}
    assert made["EphemeralStorage"] == {"Size": 600}
    assert made["TracingConfig"] == {"Mode": "PassThrough"}
    assert made["PackageType"] == "Zip"
    assert made["Architectures"] == ["x86_64"]
    assert made["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}
    assert made["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"}
    assert made["State"] == "Pending"
    assert made["StateReasonCode"] == "Creating"
    assert made["StateReason"] == "The function is being created."
    assert made["RevisionId"]
    functions.until_active(client, name)
    functions.delete(client, name)


def test_defaults_are_lambdas(client, deploy):
    found = client.get_function_configuration(FunctionName=deploy(ECHO))
    assert (found["Timeout"], found["MemorySize"]) == (3, 128)
    assert found["EphemeralStorage"] == {"Size": 512}
    assert found["TracingConfig"] == {"Mode": "PassThrough"}
    assert found["Description"] == ""
    assert found["State"] == "Active"
    assert found["LastUpdateStatus"] == "Successful"
    assert "Environment" not in found
    assert "StateReason" not in found


def test_get_function_leads_to_the_code(client, deploy):
    name = deploy(ECHO, Tags={"a": "1"})
    found = client.get_function(FunctionName=name)
    assert found["Code"]["RepositoryType"] == "S3"
    assert found["Tags"] == {"a": "1"}
    assert "Concurrency" not in found
    with urllib.request.urlopen(found["Code"]["Location"]) as answer:
        code = answer.read()
    digest = base64.b64encode(hashlib.sha256(code).digest()).decode()
    assert digest == found["Configuration"]["CodeSha256"]
    with pytest.raises(urllib.error.HTTPError) as tampered:
        urllib.request.urlopen(found["Code"]["Location"].replace("X-Amz-Expires=6", "X-Amz-Expires=7"))
    assert tampered.value.code == 403


@pytest.mark.parametrize("form", ["{0}", "000000000000:function:{0}", "000000000000:{0}",
                                  "arn:aws:lambda:us-east-1:000000000000:function:{0}"])
def test_a_function_has_many_names(client, deploy, form):
    name = deploy(ECHO)
    found = client.get_function_configuration(FunctionName=form.format(name))
    assert found["FunctionName"] == name


def test_what_is_not_there_is_not_found(client):
    name = functions.unique()
    for call in ("get_function", "get_function_configuration", "delete_function", "invoke",
                 "list_aliases", "list_versions_by_function", "publish_version"):
        with pytest.raises(client.exceptions.ResourceNotFoundException) as missing:
            getattr(client, call)(FunctionName=name)
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
        if call == "invoke":
            arn += ":$LATEST"
        assert missing.value.response["Error"]["Message"] == f"Function not found: {arn}"
        assert missing.value.response["Type"] == "User"


def test_a_name_is_taken_once(client, deploy):
    name = deploy(ECHO)
    with pytest.raises(client.exceptions.ResourceConflictException) as taken:
        functions.create(client, name, ECHO)
    assert taken.value.response["Error"]["Message"] == f"Function already exist: {name}"
    assert taken.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409


def test_a_deleted_function_is_gone_and_its_name_free(client, invoke):
    name = functions.unique()
    functions.create(client, name, ECHO)
    assert invoke(name, 1).json == 1
    answer = client.delete_function(FunctionName=name)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] in (200, 204)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName=name)
    functions.create(client, name, "def handler(event, context):\n    return 'second'\n")
    assert invoke(name).json == "second"
    functions.delete(client, name)


def test_lists_come_in_pages(regional):
    names = sorted(functions.unique("page") for _ in range(5))
    for name in names:
        functions.create(regional, name, ECHO, wait=False, Publish=True)
    first = regional.list_functions(MaxItems=2)
    assert [f["FunctionName"] for f in first["Functions"]] == names[:2]
    assert first["NextMarker"]
    pages = regional.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    assert [f["FunctionName"] for page in pages for f in page["Functions"]] == names
    versions = regional.list_functions(FunctionVersion="ALL")["Functions"]
    assert len(versions) == 2 * len(names)
    for name in names:
        functions.delete(regional, name)
    assert regional.list_functions()["Functions"] == []


def test_each_region_and_account_has_functions_of_its_own(server, client, regional, deploy):
    from conftest import OTHER_ACCOUNT
    from support import clients

    name = deploy(ECHO)
    with pytest.raises(regional.exceptions.ResourceNotFoundException):
        regional.get_function(FunctionName=name)
    other = clients.make(server, keys=OTHER_ACCOUNT)
    with pytest.raises(other.exceptions.ResourceNotFoundException):
        other.get_function(FunctionName=name)
    functions.create(other, name, ECHO, Role="arn:aws:iam::111122223333:role/tester")
    arn = other.get_function_configuration(FunctionName=name)["FunctionArn"]
    assert arn == f"arn:aws:lambda:us-east-1:111122223333:function:{name}"
    functions.delete(other, name)
    # Another account's function named in full is not a secret, but not ours to see.
    with pytest.raises(ClientError) as denied:
        other.get_function(FunctionName=client.get_function(FunctionName=name)["Configuration"]["FunctionArn"])
    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"


@pytest.mark.parametrize(
    "settings, code, words",
    [
        ({"Runtime": "python2.6"}, "InvalidParameterValueException", "Value python2.6 at 'runtime'"),
        ({"Role": "nobody"}, "ValidationException", "Value 'nobody' at 'role' failed to satisfy"),
        ({"MemorySize": 127}, "ValidationException", "at 'memorySize' failed to satisfy constraint"),
        ({"MemorySize": 10241}, "ValidationException", "less than or equal to 10240"),
        ({"Timeout": 0}, "ValidationException", "greater than or equal to 1"),
        ({"Timeout": 901}, "ValidationException", "less than or equal to 900"),
        ({"Description": "x" * 257}, "ValidationException", "length less than or equal to 256"),
        ({"Handler": "has space"}, "ValidationException", "at 'handler' failed to satisfy"),
        ({"Architectures": ["z80"]}, "ValidationException", "Value '[z80]' at 'architectures'"),
        ({"EphemeralStorage": {"Size": 511}}, "ValidationException", "or equal to 512"),
        ({"TracingConfig": {"Mode": "On"}}, "ValidationException", "[Active, PassThrough]"),
        ({"Environment": {"Variables": {"1A": "x"}}}, "ValidationException", "Map keys must satisfy"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException",
         "Reserved keys used in this request: AWS_REGION"),
        ({"Environment": {"Variables": {"BIG": "x" * 4096}}}, "InvalidParameterValueException",
         "exceeded the 4KB limit"),
        ({"Code": {"ZipFile": b"no zip"}}, "InvalidParameterValueException",
         "Could not unzip uploaded file"),
        ({"Code": {}}, "InvalidParameterValueException", ""),
        ({"FunctionName": "has space"}, "ValidationException", "at 'functionName' failed to satisfy"),
        ({"FunctionName": "x" * 65}, "InvalidParameterValueException", ""),
    ],
)
def test_what_may_not_be_is_refused_in_lambdas_words(loose, settings, code, words):
    request = {
        "FunctionName": functions.unique(),
        "Runtime": "python3.12",
        "Role": functions.ROLE,
        "Handler": "index.handler",
        "Code": {"ZipFile": functions.source_package("python3.12", ECHO)[0]},
        **settings,
    }
    with pytest.raises(ClientError) as refused:
        loose.create_function(**request)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    error = refused.value.response["Error"]
    assert error["Code"] == code, error
    assert words in error["Message"], error


@pytest.mark.parametrize(
    "settings",
    [
        {"PackageType": "Image", "Code": {"ImageUri": "r/i:1"}, "Runtime": None, "Handler": None},
    ],
)
def test_what_is_not_there_yet_says_so(loose, settings):
    request = {
        "FunctionName": functions.unique(),
        "Runtime": "python3.12",
        "Role": functions.ROLE,
        "Handler": "index.handler",
        "Code": {"ZipFile": functions.source_package("python3.12", ECHO)[0]},
        **settings,
    }
    request = {key: value for key, value in request.items() if value is not None}
    with pytest.raises(ClientError) as refused:
        loose.create_function(**request)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert refused.value.response["Error"]["Code"] == "NotImplementedException"


def test_a_package_that_is_too_large_unpacked_is_refused(client):
    bomb = functions.package({f"zeros-{i}": b"\0" * 90_000_000 for i in range(3)})
    with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
        functions.create(client, functions.unique(), bomb)
    message = refused.value.response["Error"]["Message"]
    assert message == "Unzipped size must be smaller than 262144000 bytes"


@pytest.mark.parametrize("path", ["../outside", "/etc/outside", "a/../../outside"])
def test_a_package_cannot_write_outside_its_folder(client, invoke, path):
    name = functions.unique()
    files = {"index.py": "def handler(event, context):\n    return 'harmless'\n", path: "bad"}
    try:
        functions.create(client, name, files)
        assert invoke(name).json == "harmless"
        functions.delete(client, name)
    except client.exceptions.InvalidParameterValueException:
        pass
