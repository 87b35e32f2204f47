"""What the real service answers, walked row by row: the tables of tests/aws_facts."""

import base64
import concurrent.futures
import io
import json
import pathlib
import re
import tomllib
import zipfile

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from support import clients, functions, raw, signing, urls
from support.functions import unique

FOLDER = pathlib.Path(__file__).parent / "aws_facts"
CODE = "def handler(event, context):\n    return event\n"
RUNTIMES = tomllib.loads((FOLDER / "runtimes.toml").read_text())
RUNTIME_VERSION = "^arn:aws:lambda:{region}::runtime:[0-9a-f]{64}$"


def rows(table):
    return tomllib.loads((FOLDER / f"{table}.toml").read_text())["row"]


def each(table):
    """Every row of a table for each of its calls, named for the reader of a failure."""
    found = [(call, row) for row in rows(table) for call in row.get("calls") or [row["call"]]]
    return pytest.mark.parametrize("call, row", found, ids=[f"{call}: {row['when']}" for call, row in found])


def empty_zip():
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    return buffer.getvalue()


class World:
    """What rows refer to."""

    def __init__(self, server):
        self.client = clients.make(server)
        self.server = server
        # As tools of other languages: what the model does not have is sent nevertheless.
        self.loose = clients.make(server, strict=False, parameter_validation=False)
        self.made = []
        package, _ = functions.source_package("python3.12", CODE)
        self.values = {
            "region": clients.REGION,
            "account": "000000000000",
            "lambda": f"arn:aws:lambda:{clients.REGION}:000000000000",
            "role": functions.ROLE,
            "runtime version": RUNTIME_VERSION.replace("{region}", clients.REGION),
            "a65": "a" * 65,
            "a129": "a" * 129,
            "x4096": "x" * 4096,
            "creatable": ", ".join(RUNTIMES["creatable"]),
            "listed for layers": ", ".join(RUNTIMES["listed_for_layers"]),
            "zip": package,
            "no zip": b"no zip",
            "empty zip": empty_zip(),
            "nothing": b"",
            "json": b"{}",
            "bytes in a text": b'"caf\xff"',
            "bytes in a word": b"n\x87r\x9e",
            "bytes first": b"\x99\xeb,j",
        }
        self.layers()
        self.functions()

    def functions(self):
        client, values = self.client, self.values
        for name in ("f", "changing", "open", "provisioned", "reserved"):
            values[name] = self.function()
        shown = client.publish_version(FunctionName=values["f"])
        values["revision of version 1"], values["sha"] = shown["RevisionId"], shown["CodeSha256"]
        live = client.create_alias(FunctionName=values["f"], Name="live", FunctionVersion="1")
        values["revision of live"] = live["RevisionId"]
        client.create_function_url_config(FunctionName=values["open"], AuthType="NONE")
        client.add_permission(
            FunctionName=values["open"], StatementId="there", Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
        )  # fmt: skip
        for name in ("provisioned", "reserved"):
            client.publish_version(FunctionName=values[name])
        client.put_provisioned_concurrency_config(
            FunctionName=values["provisioned"], Qualifier="1", ProvisionedConcurrentExecutions=2
        )
        client.put_function_concurrency(FunctionName=values["reserved"], ReservedConcurrentExecutions=2)
        shown = client.get_function_configuration(FunctionName=values["provisioned"])
        values["revision of provisioned"] = shown["RevisionId"]
        mapping = client.create_event_source_mapping(
            FunctionName=values["f"], EventSourceArn=f"arn:aws:sqs:{clients.REGION}:000000000000:{unique()}"
        )
        self.values["mapping"] = mapping["UUID"]
        config = client.create_code_signing_config(AllowedPublishers={
            "SigningProfileVersionArns": [
                f"arn:aws:signer:{clients.REGION}:000000000000:/signing-profiles/p/0123456789"
            ]})
        self.values["signing"] = config["CodeSigningConfig"]["CodeSigningConfigArn"]

    def layers(self):
        for name, more in (("layer", {}), ("shared", {"CompatibleRuntimes": [], "CompatibleArchitectures": []})):
            self.values[name] = unique("layer")
            self.client.publish_layer_version(
                LayerName=self.values[name], Content={"ZipFile": self.values["zip"]}, **more
            )
        self.client.add_layer_version_permission(
            LayerName=self.values["shared"], VersionNumber=1, StatementId="there",
            Action="lambda:GetLayerVersion", Principal="*",
        )  # fmt: skip

    def function(self, **settings):
        name = unique()
        self.made.append(name)
        functions.create(self.client, name, CODE, **settings)
        return name

    def filled(self, value):
        """A row's value with what its `{…}` stand for."""
        if isinstance(value, dict):
            return {self.filled(key): self.filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.filled(inner) for inner in value]
        if not isinstance(value, str):
            return value
        whole = self.values.get(value[1:-1]) if value[:1] == "{" else None
        if isinstance(whole, bytes):
            return whole
        for name, text in self.values.items():
            if isinstance(text, str):
                value = value.replace("{%s}" % name, text)
        return value

    def ask(self, call, members):
        known = self.loose.meta.service_model.operation_model(call).input_shape.members
        members = {name: value for name, value in self.filled(members).items() if name in known}
        return getattr(self.loose, xform_name(call))(**members)

    def refusal(self, call, members):
        """Code, status and message of a refusal."""
        with pytest.raises(ClientError) as caught:
            self.ask(call, members)
        answer = caught.value.response
        error = answer["Error"]
        return [error["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], error["Message"]]

    def leave(self):
        self.client.delete_event_source_mapping(UUID=self.values["mapping"])
        for name in self.made:
            functions.delete(self.client, name)
        self.client.delete_code_signing_config(CodeSigningConfigArn=self.values["signing"])
        for name in ("layer", "shared"):
            for version in self.client.list_layer_versions(LayerName=self.values[name])["LayerVersions"]:
                self.client.delete_layer_version(LayerName=self.values[name], VersionNumber=version["Version"])


@pytest.fixture(scope="module")
def world(server):
    world = World(server)
    yield world
    world.leave()


@each("refusals")
def test_a_refusal_has_the_services_code_status_and_words(world, call, row):
    assert world.refusal(call, row["with"]) == world.filled(row["answer"])


@each("constraints")
def test_a_constraint_is_told_in_the_services_words(world, call, row):
    expected = ["ValidationException", 400, world.filled(row["message"])]
    assert world.refusal(call, row["with"]) == expected


@each("answers")
def test_an_answer_has_the_services_members(world, call, row):
    world.values["new"] = unique()
    world.made.append(world.values["new"])
    if "{new function}" in repr(row["with"]):
        world.values["new function"] = world.function()
    functions.until_updated(world.client, world.values["changing"])
    answer = world.ask(call, row["with"])
    for step in row.get("at", []):
        if isinstance(step, str) and "=" in step:
            name, wanted = world.filled(step).split("=")
            answer = next(item for item in answer if item[name] == wanted)
        else:
            answer = answer[step]
    for name in row.get("lacks", []):
        assert name not in answer, answer
    assert_has(answer, world.filled(row["has"]))
    if call == "CreateEventSourceMapping":
        world.client.delete_event_source_mapping(UUID=answer["UUID"])


def assert_has(answer, expected):
    for name, value in expected.items():
        assert name in answer, answer
        if value == "*":
            continue
        if isinstance(value, str) and value.startswith("/"):
            assert re.search(value[1:-1], answer[name]), answer
        elif isinstance(value, dict) and value:
            assert_has(answer[name], value)
        else:
            assert answer[name] == value, answer


# Runtimes.


@pytest.mark.parametrize("runtime", RUNTIMES["unknown"])
def test_an_unknown_runtime_is_told_those_that_aws_has(world, runtime):
    creatable = ", ".join(RUNTIMES["creatable"])
    message = RUNTIMES["unknown_message"].format(runtime=runtime, creatable=creatable)
    check_runtime(world, runtime, message)


@pytest.mark.parametrize("runtime", RUNTIMES["blocked"])
def test_a_blocked_runtime_is_told_that_it_is(world, runtime):
    check_runtime(world, runtime, RUNTIMES["blocked_message"].format(runtime=runtime))


def check_runtime(world, runtime, message):
    expected = ["InvalidParameterValueException", 400, message]
    new = {"FunctionName": "new", "Handler": "a.b", "Role": functions.ROLE, "Code": {"ZipFile": "{zip}"}}
    assert world.refusal("CreateFunction", {**new, "Runtime": runtime}) == expected
    changed = {"FunctionName": "{f}", "Runtime": runtime}
    assert world.refusal("UpdateFunctionConfiguration", changed) == expected


@pytest.mark.parametrize("runtime", RUNTIMES["creatable"])
def test_every_runtime_of_aws_is_known_here(world, runtime):
    """What cannot be run here is refused with a word on how it can be added."""
    changed = {"FunctionName": "{changing}", "Runtime": runtime, "Handler": "a.b"}
    if runtime in RUNTIMES["never_here"]:
        code, status, message = world.refusal("UpdateFunctionConfiguration", changed)
        assert (code, status) == ("InvalidParameterValueException", 400)
        assert f'[runtimes.use."{runtime}"]' in message and "cannot run" in message
        return
    functions.until_updated(world.client, world.values["changing"])
    assert world.ask("UpdateFunctionConfiguration", changed)["Runtime"] == runtime


def test_a_runtime_that_its_operator_has_added_can_be_named(own_server):
    server = own_server('[runtimes.use."ruby3.3"]\nfolder = "python"\n').start()
    client = clients.make(server)
    functions.create(client, "f", CODE)
    made = client.update_function_configuration(FunctionName="f", Runtime="ruby3.3")
    assert made["Runtime"] == "ruby3.3"
    server.finish()


# Versions and revisions.


def test_new_code_makes_a_new_version_even_if_it_is_the_old_code(world):
    name, client = world.function(), world.client

    def publish():
        return client.publish_version(FunctionName=name)["Version"]

    def update(**more):
        answer = client.update_function_code(FunctionName=name, ZipFile=world.values["zip"], **more)
        functions.until_updated(client, name)
        return answer["Version"]

    assert [publish(), publish()] == ["1", "1"]
    assert update() == "$LATEST"
    assert [publish(), publish()] == ["2", "2"]
    assert update(Publish=True) == "3"
    assert [publish(), publish()] == ["3", "3"]
    assert update(Publish=True) == "4"


def test_revisions_change_with_what_readers_see(world):
    client = world.client
    name = world.values["it"] = unique()
    world.made.append(name)
    created = functions.create(client, name, CODE, wait=False)["RevisionId"]
    functions.until_active(client, name)

    def revision(call, **members):
        try:
            return call(FunctionName=name, **members)["RevisionId"]
        except client.exceptions.ResourceNotFoundException:
            return None

    def revisions():
        functions.until_updated(client, name)
        return {
            "function": revision(client.get_function_configuration),
            "version": revision(client.get_function_configuration, Qualifier="1"),
            "alias": revision(client.get_alias, Name="live"),
            "policy": revision(client.get_policy),
        }

    before = revisions()
    assert before["function"] != created
    for step in tomllib.loads((FOLDER / "revisions.toml").read_text())["step"]:
        answer = world.ask(step["change"], step["with"])
        now = revisions()
        assert [part for part in before if before[part] != now[part]] == step["new"], step
        assert len({now[part] for part in step.get("same", ["function"])}) == 1, step
        if step["change"].startswith("UpdateFunction"):
            # InProgress has one of its own.
            assert answer["RevisionId"] not in (before["function"], now["function"])
        before = now


def test_one_update_at_a_time(world):
    name, client = world.function(), world.client
    expected = (
        "The operation cannot be performed at this time. An update is in progress for resource: "
        f"{world.values['lambda']}:function:{name}"
    )

    def update(number):
        try:
            client.update_function_configuration(FunctionName=name, Description=str(number))
        except client.exceptions.ResourceConflictException as refused:
            return refused.response["Error"]["Message"]

    found = set()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            found.update(pool.map(update, range(16)))
            if expected in found:
                return
    raise AssertionError(found)


# Invokes.


def test_results_of_the_platform_are_the_services(world):
    source = """
        import time
        def handler(event, context):
            if event == "large":
                return "x" * 6291556
            time.sleep(9)
    """
    name = unique()
    world.made.append(name)
    functions.create(world.client, name, source, Timeout=1)
    large = world.client.invoke(FunctionName=name, Payload=b'"large"')
    assert large["FunctionError"] == "Unhandled"
    assert large["Payload"].read() == (
        b'{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded'
        b' maximum allowed payload size (6291556 bytes)."}'
    )
    slow = world.client.invoke(FunctionName=name, Payload=b'"slow"')
    request = slow["ResponseMetadata"]["RequestId"]
    assert slow["FunctionError"] == "Unhandled"
    assert slow["Payload"].read().decode() == (
        '{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: '
        f'{request} Error: Task timed out after 1.00 seconds"}}'
    )


def test_a_throttle_says_why(server, world):
    name = world.function()
    world.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    status, headers, body = signing.invoke(server, name, {})
    assert (status, headers["x-amzn-errortype"]) == (429, "TooManyRequestsException")
    assert headers["retry-after"]
    assert body == (
        b'{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User",'
        b'"message":"Rate Exceeded."}'
    )


# Sizes, before signatures.

TOO_LARGE = "Request must be smaller than 70167211 bytes for the {} operation"


def test_a_zip_of_more_than_fifty_megabytes_is_refused_as_that(world):
    members = {"FunctionName": "{f}", "ZipFile": "{fifty}"}
    world.values["fifty"] = b"\0" * (50 * 1024 * 1024 + 1)
    assert world.refusal("UpdateFunctionCode", members) == [
        "RequestEntityTooLargeException", 413, "Zipped size must be smaller than 52428800 bytes",
    ]  # fmt: skip
    del world.values["fifty"]


@pytest.mark.parametrize("call, path, megabytes", [
    ("CreateFunction", "/2015-03-31/functions", 68),
    ("CreateFunction", "/2015-03-31/functions", 140),
    ("PublishLayerVersion", "/2018-10-31/layers/l/versions", 140),
])  # fmt: skip
def test_a_request_that_is_too_large_is_refused_whoever_signed_it(server, call, path, megabytes):
    """By a client that sends all of it before it looks for an answer."""
    body = b"x" * (megabytes * 1024 * 1024)
    before = raw.resident_mb(server)
    for headers in ({}, signing.sign(server, "POST", path, b"", {}, server.credentials())[1]):
        status, headers, answer = signing.send(server, "POST", path, headers, body)
        assert (status, headers["x-amzn-errortype"]) == (413, "RequestEntityTooLargeException")
        assert json.loads(answer)["message"] == TOO_LARGE.format(call)
    assert raw.resident_mb(server) - before < 64


def test_an_event_that_is_too_large_is_refused_whoever_signed_it(server, world):
    path = f"/2015-03-31/functions/{world.values['f']}/invocations"
    status, headers, answer = signing.send(server, "POST", path, {}, b"x" * (100 * 1024 * 1024))
    assert (status, headers["x-amzn-errortype"]) == (413, "RequestTooLargeException")
    assert json.loads(answer)["message"].startswith("104857600 byte payload is too large")


def test_what_nobody_has_signed_is_refused_in_words(server):
    body = b"x" * (60 * 1024 * 1024)
    status, headers, _ = signing.send(server, "POST", "/2015-03-31/functions", {}, body)
    assert (status, headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")


# Function URLs.


@pytest.fixture(scope="module")
def echo_url(world):
    name = world.function()
    made = world.client.create_function_url_config(FunctionName=name, AuthType="NONE")
    for action, more in (
        ("InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
        ("InvokeFunction", {"InvokedViaFunctionUrl": True}),
    ):
        world.client.add_permission(
            FunctionName=name, StatementId=action, Action=f"lambda:{action}", Principal="*", **more
        )
    return made["FunctionUrl"]


def test_a_url_has_cookies_twice_and_paths_as_they_come(server, echo_url):
    answer = urls.call(server, echo_url, "pa2%Fth/1", headers={"Cookie": "one=1; two=2"})
    event = json.loads(answer.text)
    assert event["cookies"] == ["one=1", "two=2"]
    assert event["headers"]["cookie"] == "one=1; two=2"
    assert event["rawPath"] == "/pa2%Fth/1"
    assert ": " not in answer.text.replace('": "', "")


def test_a_urls_host_leads_nowhere_from_another_region(server, echo_url):
    elsewhere = echo_url.replace("us-east-1", "eu-west-1")
    unknown = re.sub("//[a-z0-9]{32}", "//" + 32 * "a", echo_url)
    for url in (elsewhere, unknown):
        answer = urls.call(server, url)
        assert (answer.status, answer.text) == (403, '{"Message":null}')
        assert answer.headers["x-amzn-errortype"] == "AccessDeniedException"
    assert urls.call(server, echo_url).status == 200


# Browsers.


def test_browsers_may_use_the_api(server):
    page = {"Origin": "https://page.example"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-amz-date"}
    path = "/2015-03-31/functions/f/invocations"
    status, headers, body = signing.send(server, "OPTIONS", path, {**page, **asked})
    assert (status, body) == (200, b"")
    assert headers["access-control-allow-origin"] == "*"
    assert headers["access-control-allow-headers"] == "authorization,x-amz-date"
    assert "POST" in headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in headers
    for method, target in (("GET", "/2015-03-31/functions"), ("POST", path), ("GET", "/nothing")):
        status, headers, _ = signing.request(server, method, target, b"", page)
        assert headers["access-control-allow-origin"] == "*"
        assert "x-amzn-errortype" in headers["access-control-expose-headers"]
    status, headers, _ = signing.request(server, "GET", "/2015-03-31/functions")
    assert "access-control-allow-origin" not in headers


# Extensions.


@pytest.mark.parametrize("mode, content, why, error_type", [
    (0o644, "#!/bin/sh\n", "permission denied", "PermissionDenied"),
    (0o755, "#!/not/there\n", "no such file or directory", "UnknownError"),
    (0o755, "no program", "exec format error", "UnknownError"),
])  # fmt: skip
def test_an_extension_that_cannot_be_started_ends_the_invoke(world, mode, content, why, error_type):
    layer = unique("layer")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        entry = zipfile.ZipInfo("extensions/ext", date_time=(2024, 1, 1, 0, 0, 0))
        entry.external_attr = (0o100000 | mode) << 16
        archive.writestr(entry, content)
    arn = world.client.publish_layer_version(LayerName=layer, Content={"ZipFile": package.getvalue()})
    name = world.function(Layers=[arn["LayerVersionArn"]])
    answer = world.client.invoke(FunctionName=name, LogType="Tail")
    error = json.loads(answer["Payload"].read())
    assert error["errorType"] == "Extension.LaunchError"
    assert error["errorMessage"].endswith(f"Error: fork/exec /opt/extensions/ext: {why}")
    log = base64.b64decode(answer["LogResult"]).decode()
    line = f"EXTENSION\tName: ext\tState: LaunchError\tEvents: []\tError Type: {error_type}\n"
    assert line in log, log
    world.client.delete_layer_version(LayerName=layer, VersionNumber=1)
