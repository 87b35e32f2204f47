"""Java: ours and AWS's runtime interface client do the same, post by post."""

import json
import re
import shutil
import subprocess
import zipfile

import pytest

from harness import Runtime, assert_same, run, without_times

# Headers that say something of the invoke, not of the HTTP client.
HEADERS = ("content-type", "lambda-runtime-function-error-type", "lambda-runtime-function-xray-error-cause")
CLIENT = json.dumps({"client": {"app_title": "t"}, "custom": {"a": "1"}, "env": {"b": "2"}})
IDENTITY = json.dumps({"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"})
ANDROID = {"Lambda-Runtime-Client-Context": json.dumps({"env": {"platform": "android"}})}
MOBILE = {"Lambda-Runtime-Client-Context": CLIENT, "Lambda-Runtime-Cognito-Identity": IDENTITY}
PERSON = (
    b'{"open":"p","name":"n","age":3,"tags":["a",null],"unknown":{"x":1},"inner":{"open":"q","number":12345678901,"unseen":"x"},'
    b'"ratio":1,"ok":true,"colour":"GREEN","more":{"k":{"number":5}}}'
)
TYPES = (
    b'{"i":1,"l":12345678901,"d":1.5,"s":"x","a":[],"o":{},"n":null,"b":true,"e":1e2,"neg":-2147483649,'
    b'"big":123456789012345678901234567890,"max":9223372036854775807,"over":9223372036854775808}'
)
RESULTS = ["decimal", "float", "double", "nan", "character", "object array", "keys", "long", "control", "unknown"]
# handler, events, headers of the events
CASES = [
    ("Functions::text", [b'"x"', b"5", b"true", b"null", '"\\u00e9\U0001f600\\n\\/"'.encode(), b"1.50"], {}),
    ("Functions::text", [b"nope", b"", b'"open', b"[1", b'{"a":}', b'"x" 1'], {}),
    ("Functions::text", [b"{}", b"[]"], {}),
    ("Functions::context", [b'{"a":1.0,"b":[1,2.5,null,true],"c":{"x":"y","none":null},"none":null}'], {}),
    ("Functions::context", [b"{}"], MOBILE),
    ("Functions::context", [b"{}"], {"Lambda-Runtime-Trace-Id": None}),
    ("Functions::state", [b"1", b"1", b"1"], {}),
    ("Functions::person", [PERSON, b"{}", b'{"age":null,"name":null}', b'{"age":"7","name":8,"ok":"true"}', b"null"], {}),
    ("Functions::person", [b'{"age":"x"}', b'{"age":[]}', b'{"colour":"BLUE"}', b'{"tags":5}', b"[]", b'{"age":99999999999}'], {}),
    ("Functions::record", [b'{"left":"l","right":[1],"more":0}', b"null"], {}),
    ("Functions::decimal", [b"1.10", b'"2.50"', b"3", b"1e3"], {}), ("Functions::anyNumber", [b"1.5", b"3"], {}),
    ("Functions::odd", [b'{"a":1}', b'{"a":2}'], {}), ("Functions::fragile", [b'{"count":1}', b'{"count":0}', b'{"count":-1}'], {}),
    ("Functions::person", [PERSON, b'{"age":"7"}', b'{"tags":5}'], ANDROID), ("Functions::odd", [b'{"a":1}'], ANDROID),
    ("Functions::sum", [b"[1,2]", b"[]", b'["3"]', b"{}"], {}),
    ("Functions::generic", [b'{"1":["RED"],"2":[]}', b'{"x":[]}'], {}),
    ("Functions::array", [b"[5,6]", b"[]"], {}),
    ("Functions::number", [b"5", b'"7"', b"1.9", b"null", b"true"], {}),
    ("Functions::not", [b"true", b'"false"', b"null"], {}),
    ("Functions::types", [TYPES, b'"x"', b"[1]", b"null", b"1.5"], {}),
    ("Functions::results", [json.dumps(name).encode() for name in RESULTS], {}),
    ("Functions::nothing", [b"{}"], {}), ("Functions::contextOnly", [b"{}"], {}), ("Functions::ofClass", [b'"x"'], {}),
    ("Functions::overloaded", [b'"x"'], {}), ("Functions::stream", [b'{"a":1}', b"\xff"], {}), ("Functions::streamIn", [b'{"a":1}'], {}),
    ("Functions::fails", [b"1", b"2"], {}), ("Functions::failsDeep", [b"1"], {}), ("Functions::exhausts", [b"1"], {}),
    ("Functions::leaves", [b"1"], {}), ("Functions::missing", [b"1", b"2"], {}), ("Functions", [b"1"], {}),
    ("Missing", [b"1"], {}), ("Missing::method", [b"1"], {}), ("Functions::Person", [b"1"], {}),
    ("Interfaces$Sum", [b'{"a":1,"b":2}', b'{"a":"x"}'], {}), ("Interfaces$Sum::handleRequest", [b'{"a":1}'], {}),
    ("Interfaces$Derived", [b'{"name":"n"}'], {}), ("Interfaces$Failing", [b"1"], {}), ("Interfaces$Copy", [b'{"a":1}'], {}),
    ("Interfaces$Raw", [b'"x"'], {}), ("Interfaces$Unbounded", [b'"x"'], {}), ("Interfaces$Bounded", [b'{"name":"n"}'], {}),
    ("Interfaces$Swapped", [b"5"], {}), ("Interfaces$OfThree", [b'"x"'], {}),
    ("Interfaces$BadStatic::handle", [b'"x"'], {}), ("Interfaces$BadConstructor::handle", [b'"x"'], {}),
    ("Interfaces$NoConstructor::handle", [b'"x"'], {}), ("Interfaces$NotStatic::handle", [b'"x"'], {}),
]


# One event of each kind, as the service sends it, for the classes of aws-lambda-java-events.
EVENTS = {
    "sqs": {"Records": [{
        "messageId": "m", "receiptHandle": "h", "body": "b", "attributes": {"SentTimestamp": "1"}, "md5OfBody": "md",
        "messageAttributes": {"a": {"stringValue": "v", "dataType": "String", "stringListValues": [], "binaryListValues": []}},
        "eventSource": "aws:sqs", "eventSourceARN": "arn:q", "awsRegion": "r",
    }]},
    "sns": {"Records": [{
        "EventVersion": "1.0", "EventSubscriptionArn": "arn", "EventSource": "aws:sns", "Sns": {
            "Timestamp": "2019-01-02T12:45:07.000Z", "MessageId": "m", "Message": "hello", "Type": "Notification",
            "MessageAttributes": {"T": {"Type": "String", "Value": "x"}}, "TopicArn": "arn", "Subject": "sub",
        },
    }]},
    "http": {
        "version": "2.0", "routeKey": "$default", "rawPath": "/p", "rawQueryString": "a=1", "cookies": ["c=1"],
        "headers": {"h": "v"}, "queryStringParameters": {"a": "1"}, "isBase64Encoded": False, "requestContext": {
            "http": {"method": "GET", "path": "/p", "protocol": "HTTP/1.1", "sourceIp": "1.2.3.4"}, "timeEpoch": 1583348638390,
        },
    },
    "proxy": {"path": "/x", "httpMethod": "POST", "isBase64Encoded": True, "requestContext": {"identity": {"sourceIp": "1.1.1.1"}}},
    "dynamodb": {"Records": [{
        "eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb", "awsRegion": "r", "eventSourceARN": "arn:d",
        "dynamodb": {
            "ApproximateCreationDateTime": 1428537600, "Keys": {"k": {"S": "s"}}, "NewImage": {"Id": {"N": "101"}},
            "SequenceNumber": "111", "SizeBytes": 26, "StreamViewType": "NEW_IMAGE",
        },
    }]},
    "kinesis": {"Records": [{
        "kinesis": {"partitionKey": "pk", "sequenceNumber": "1", "data": "SGVsbG8=", "approximateArrivalTimestamp": 1607497475.123},
        "eventSource": "aws:kinesis", "eventID": "shard:1", "eventName": "aws:kinesis:record", "eventSourceARN": "arn:k",
    }]},
    "s3": {"Records": [{
        "eventVersion": "2.1", "eventTime": "2019-09-03T19:37:27.192Z", "eventName": "ObjectCreated:Put", "s3": {
            "bucket": {"name": "bkt", "arn": "arn"}, "object": {"key": "a+b", "size": 1305107, "eTag": "b"},
        },
        "responseElements": {"x-amz-request-id": "D", "x-amz-id-2": "v"},
    }]},
    "scheduled": {
        "id": "i", "detail-type": "Scheduled Event", "source": "aws.events", "time": "2019-01-02T12:45:07Z",
        "resources": ["arn"], "detail": {"a": 1},
    },
    "kafka": {"eventSource": "aws:kafka", "records": {"t-0": [{
        "topic": "t", "partition": 0, "offset": 15, "timestamp": 1545084650987, "key": "aw==", "value": "dg==",
        "headers": [{"h": [104, 101]}],
    }]}},
    "failures": {"Records": [{"messageId": "m"}]},
}
CASES += [("Events::" + name, [json.dumps(event).encode()], {}) for name, event in EVENTS.items()]
AGAIN = {"proxyDate": "proxy", "sqsItself": "sqs", "s3Itself": "s3", "scheduledInside": "scheduled"}
CASES += [("Events::" + name, [json.dumps(EVENTS[event]).encode()], {}) for name, event in AGAIN.items()]


def seen(outcome, runtime):
    """What the platform sees, without what is the runtime's own business."""
    posts = []
    for post in outcome.posts:
        headers = {name: post.headers.get(name) for name in HEADERS}
        body = post.body
        if post.path.endswith("error"):
            body = json.loads(body)
        elif body.startswith(b"{"):
            body = json.loads(body)  # The order of the properties of beans is not promised.
        if headers[HEADERS[2]]:
            # AWS's client sends what is not ASCII as question marks.
            text = json.dumps(json.loads(headers[HEADERS[2]]), ensure_ascii=False).replace("é", "??")
            headers[HEADERS[2]] = json.loads(text)
            headers[HEADERS[2]]["paths"].sort()
        posts.append((post.method, post.path, headers, body))
    return posts, plain(without_times(outcome.output.replace("\r", "\n"))), outcome.status, outcome.kinds


def plain(output):
    """Without what the JSON parser has to say, and where it or the class loader say it."""
    lines = []
    for line in output.split("\n"):
        line = re.sub(r"\[\d+\] LAMBDA", "LAMBDA", line)
        parser = "fasterxml" in line or "lambent.runtime" in line or line.startswith((" at [Source", "Caused by: java.", "\t... "))
        loader = line.startswith("\tat java.base/") or line.startswith("\tat com.amazonaws")
        if not parser and not loader:
            lines.append(line)
    return "\n".join(lines)


@pytest.mark.parametrize(("handler", "events", "headers"), CASES, ids=lambda value: value if isinstance(value, str) else None)
def test_the_same_as_the_java_client(java, java_task, handler, events, headers):
    ours, theirs = (seen(run(runtime, java_task, "example." + handler, events, None, headers), runtime) for runtime in java)
    assert_same(ours, theirs)


@pytest.mark.parametrize("named", [["OwnSerializer"], ["OwnSerializer", "OwnSerializer$Second"], ["Absent"]], ids=["one", "two", "absent"])
@pytest.mark.parametrize("inside", ["", "lib/services.jar"], ids=["as a file", "in a jar"])
def test_a_serializer_of_the_functions_own_serves(java, java_task, tmp_path, named, inside):
    task = tmp_path / "task"
    shutil.copytree(java_task, task)
    name = "META-INF/services/com.amazonaws.services.lambda.runtime.CustomPojoSerializer"
    text = "".join("example.%s\n" % one for one in named)
    if inside:
        with zipfile.ZipFile(task / inside, "w") as jar:
            jar.writestr(name, text)
    else:
        (task / name).parent.mkdir(parents=True)
        (task / name).write_text(text)
    ours, theirs = (seen(run(runtime, task, "example.Functions::ofClass", [b'"x"', b"12345"]), runtime) for runtime in java)
    assert_same(ours, theirs)


def test_without_the_library_types_are_nearly_as_on_aws(java, java_task, tmp_path):
    shutil.copytree(java[0].folder, tmp_path / "java", ignore=shutil.ignore_patterns("aws-*.jar"))
    bare = Runtime(tmp_path / "java", java[0].version)
    outcome = run(bare, java_task, "example.Functions::odd", [b'{"a":1}'])
    answer = json.loads(outcome.posts[0].body)
    assert (answer["day"], answer["some"], answer["event"]) == ("2020-01-02", "x", {"a": 1}), outcome.output
    outcome = run(bare, java_task, "example.Functions::decimal", [b"1.10", b'"x"'])
    assert outcome.posts[0].body == b"1.10"
    assert json.loads(outcome.posts[1].body)["errorMessage"] == "An error occurred during JSON parsing"


def test_a_function_keeps_its_own_copy_of_the_library(java, java_task, tmp_path):
    """AWS's library is there, but apart: what a function brings by the same names is its own."""
    task = tmp_path / "task"
    shutil.copytree(java_task, task)
    source = tmp_path / "PojoSerializer.java"
    source.write_text("package com.amazonaws.services.lambda.runtime.serialization; public class PojoSerializer {}")
    subprocess.run(["javac", "--release", "17", "-d", task, source], check=True)
    outcome = run(java[0], task, "example.Functions::odd", [b'{"a":1}'])
    assert json.loads(outcome.posts[0].body)["day"] == [2020, 1, 2], outcome.output


def test_a_refused_response_does_not_end_the_runtime(java, java_task):
    outcome = run(java[0], java_task, "example.Functions::size", [b"7000000", b"10"])
    assert outcome.posts[-1].body == b'"xxxxxxxxxx"'
    assert "Failed to post handler success response. Http response code: 413." in outcome.output


def test_the_archive_of_classes_is_made_and_used(java, tmp_path):
    """It is used without a word, or not: then a start takes 20 ms longer."""
    # As in a sandbox: Java starts in /var/task, the jar is in /var/runtime.
    (tmp_path / "task").mkdir()
    (tmp_path / "runtime").symlink_to(java[0].folder)
    version = java[0].version
    command = [
        "java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xshare:auto", "-Xlog:class+load",
        f"-XX:SharedArchiveFile={tmp_path}/runtime/lambent-{version}.jsa",
        "-cp", f"{tmp_path}/runtime/lambent.jar", "lambent.runtime.Training",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path / "task", capture_output=True, text=True, timeout=60, check=True)
    ours = [line for line in done.stdout.splitlines() if "] lambent.runtime." in line]
    assert ours and all("shared objects file" in line for line in ours), "\n".join(ours)
    # All but some classes of AWS's library, which are too old for archives.
    theirs = [line for line in done.stdout.splitlines() if re.search(r"\] com\.amazonaws\.[\w.]*(thirdparty|serialization)\.", line)]
    shared = [line for line in theirs if "shared objects file" in line]
    assert len(shared) > len(theirs) * 0.8 > 300, "\n".join(line for line in theirs if line not in shared)
