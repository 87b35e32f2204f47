"""CloudWatch Logs: what functions print, and what others put there, as its clients read it."""

import json
import os
import queue
import subprocess
import threading
import time

import pytest
from botocore.exceptions import ClientError

from support import clients, functions
from support.server import wait_for

AWS = "/usr/bin/aws"
HOUR = 3600 * 1000
DAY = 24 * HOUR


@pytest.fixture(scope="module")
def logs(server):
    """A client of CloudWatch Logs, as the root of the account."""
    return clients.make(server, "logs")


@pytest.fixture(scope="module")
def loose(server):
    """The same, without checks of requests."""
    return clients.make(server, "logs", parameter_validation=False)


@pytest.fixture
def group(logs):
    """A group of the test's own."""
    name = functions.unique("/test/group")
    logs.create_log_group(logGroupName=name)
    yield name
    try:
        logs.delete_log_group(logGroupName=name)
    except logs.exceptions.ResourceNotFoundException:
        pass


def now():
    return int(time.time() * 1000)


def put(logs, group, stream, events, create=True):
    if create:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    return logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": time, "message": message} for time, message in events],
    )


def messages(answer):
    return [event["message"] for event in answer["events"]]


def refused(call, code, *words, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    for word in words:
        assert word in error["Message"], error
    return error["Message"]


def filtered(logs, group, **arguments):
    """All events, page by page."""
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, **arguments)
    return [event for page in pages for event in page["events"]]


# What functions print.


def test_a_functions_group_comes_with_its_first_line(logs, deploy, invoke):
    before = now()
    name = deploy("def handler(event, context):\n    print('said', event['word'])\n")
    group = f"/aws/lambda/{name}"
    refused(logs.describe_log_streams, "ResourceNotFoundException", "log group", logGroupName=group)
    request_id = invoke(name, {"word": "hello"}).request_id
    found = wait_for(
        lambda: [e["message"] for e in _seen(logs, group) if "REPORT" in e["message"]] and _seen(logs, group)
    )
    lines = [event["message"] for event in found]
    assert lines[0].startswith("INIT_START ")
    assert lines[1].startswith(f"START RequestId: {request_id}")
    assert lines[2] == "said hello\n"
    assert lines[3].startswith("END ") and lines[4].startswith("REPORT ")
    (described,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert described["arn"] == f"arn:aws:logs:us-east-1:000000000000:log-group:{group}:*"
    assert described["logGroupArn"] == described["arn"][:-2]
    # A file system's clock may be some milliseconds behind.
    assert before - 1000 <= described["creationTime"] <= now() + 1000
    assert described["storedBytes"] > 0 and "retentionInDays" not in described
    (stream,) = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert "[$LATEST]" in stream["logStreamName"]
    assert stream["firstEventTimestamp"] == found[0]["timestamp"]
    assert stream["lastEventTimestamp"] == found[-1]["timestamp"]
    assert stream["arn"].endswith(f":log-group:{group}:log-stream:{stream['logStreamName']}")
    got = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])
    assert messages(got) == lines


def _seen(logs, group):
    try:
        return filtered(logs, group)
    except logs.exceptions.ResourceNotFoundException:
        return []


def test_aws_logs_tail_follows_a_function_while_it_runs(server, deploy, invoke):
    name = deploy(
        """
        import time
        def handler(event, context):
            print('now comes', event['word'], flush=True)
            time.sleep(event.get('sleep', 0))
        """,
        Timeout=60,
    )
    invoke(name, {"word": "first"})
    key, secret = server.credentials()
    environment = {
        "PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": "us-east-1", "HOME": str(server.root), "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    command = [AWS, "--endpoint-url", server.url, "logs", "tail", f"/aws/lambda/{name}", "--follow"]
    tail = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    lines = queue.Queue()
    reader = threading.Thread(target=lambda: [lines.put(line) for line in tail.stdout])
    reader.start()
    try:
        _until(lines, "now comes first")
        # It looks every five seconds; the function runs for longer.
        call = threading.Thread(target=invoke, args=(name, {"word": "second", "sleep": 20}))
        call.start()
        line = _until(lines, "now comes second")
        assert call.is_alive(), "the line came only when the invoke was over"
        assert "[$LATEST]" in line
        call.join()
        _until(lines, "REPORT")
    finally:
        tail.kill()
        reader.join()
        _, complaints = tail.communicate()
    assert not complaints


def _until(lines, words):
    deadline = time.monotonic() + 30
    while True:
        line = lines.get(timeout=max(0.01, deadline - time.monotonic()))
        if words in line:
            return line


def test_version_1_of_the_cli_reads_them_too(server, logs, group):
    put(logs, group, "s", [(now(), "said")])
    key, secret = server.credentials()
    environment = {
        "PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1", "HOME": str(server.root), "AWS_ENDPOINT_URL": server.url,
    }  # fmt: skip
    import sys

    aws = os.path.join(os.path.dirname(sys.executable), "aws")
    done = subprocess.run(
        [aws, "logs", "filter-log-events", "--log-group-name", group, "--filter-pattern", "said"],
        capture_output=True, text=True, env=environment, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [event["message"] for event in json.loads(done.stdout)["events"]] == ["said"]


def test_a_function_prints_again_into_a_deleted_group(logs, deploy, invoke):
    name = deploy("def handler(event, context):\n    print('said', event['word'])\n")
    group = f"/aws/lambda/{name}"
    invoke(name, {"word": "before"})
    wait_for(lambda: "said before\n" in [event["message"] for event in _seen(logs, group)])
    logs.delete_log_group(logGroupName=group)
    invoke(name, {"word": "after"})
    wait_for(lambda: "said after\n" in [event["message"] for event in _seen(logs, group)])
    assert "said before\n" not in [event["message"] for event in _seen(logs, group)]


# Groups.


def test_groups_are_made_described_and_deleted(logs):
    base = functions.unique("/test/many")
    names = [f"{base}/{number}" for number in range(5)]
    for name in names:
        logs.create_log_group(logGroupName=name, tags={"number": name[-1]})
    refused(
        logs.create_log_group, "ResourceAlreadyExistsException", "already exists", logGroupName=names[0]
    )
    pages = list(
        logs.get_paginator("describe_log_groups").paginate(
            logGroupNamePrefix=base, PaginationConfig={"PageSize": 2}
        )
    )
    assert [len(page["logGroups"]) for page in pages] == [2, 2, 1]
    assert [g["logGroupName"] for page in pages for g in page["logGroups"]] == names
    pattern = logs.describe_log_groups(logGroupNamePattern=base.split("-")[-1] + "/3")
    assert [g["logGroupName"] for g in pattern["logGroups"]] == [names[3]]
    refused(
        logs.describe_log_groups, "InvalidParameterException", "mutually exclusive",
        logGroupNamePrefix="a", logGroupNamePattern="b",
    )  # fmt: skip
    for name in names:
        logs.delete_log_group(logGroupName=name)
    assert logs.describe_log_groups(logGroupNamePrefix=base)["logGroups"] == []
    message = refused(logs.delete_log_group, "ResourceNotFoundException", logGroupName=names[0])
    assert message == "The specified log group does not exist."


def test_a_protected_group_stays(logs):
    name = functions.unique("/test/protected")
    logs.create_log_group(logGroupName=name, logGroupClass="INFREQUENT_ACCESS", deletionProtectionEnabled=True)
    refused(logs.delete_log_group, "ValidationException", "protection", logGroupName=name)
    (described,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert described["deletionProtectionEnabled"] and described["logGroupClass"] == "INFREQUENT_ACCESS"


def test_tags_are_set_and_taken_off_in_both_ways(logs, group):
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"
    logs.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    logs.tag_log_group(logGroupName=group, tags={"c": ""})
    everything = {"a": "1", "b": "2", "c": ""}
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == everything
    assert logs.list_tags_log_group(logGroupName=group)["tags"] == everything
    logs.untag_resource(resourceArn=arn, tagKeys=["a"])
    logs.untag_log_group(logGroupName=group, tags=["c"])
    assert logs.list_tags_log_group(logGroupName=group)["tags"] == {"b": "2"}
    many = {f"k{number}": "v" for number in range(50)}
    refused(logs.tag_resource, "TooManyTagsException", resourceArn=arn, tags=many)
    refused(logs.list_tags_for_resource, "ResourceNotFoundException", resourceArn=f"{arn}x")


@pytest.mark.one_process
def test_retention_is_set_and_taken_off_and_old_events_go(server, logs, group):
    put(logs, group, "old", [(now() - 2 * DAY, "two days old")])
    put(logs, group, "new", [(now(), "new")])
    logs.put_retention_policy(logGroupName=group, retentionInDays=3)
    (described,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert described["retentionInDays"] == 3
    assert messages(logs.filter_log_events(logGroupName=group)) == ["two days old", "new"]
    # As if it had been written then: the file goes when the policy says so.
    (file,) = server.data.glob("logs/000000000000/us-east-1/*/=old.jsonl")
    os.utime(file, (time.time() - 2 * 86400,) * 2)
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    assert messages(logs.filter_log_events(logGroupName=group)) == ["new"]
    wait_for(lambda: "two days old" not in _texts(server, file))
    logs.delete_retention_policy(logGroupName=group)
    (described,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert "retentionInDays" not in described
    refused(
        logs.put_retention_policy, "InvalidParameterException", "enum value set",
        logGroupName=group, retentionInDays=2,
    )  # fmt: skip


def _texts(server, file):
    return "".join(path.read_text() for path in file.parent.glob("*.jsonl"))


def test_an_account_sees_its_own_groups_alone(server, logs, group):
    from conftest import OTHER_ACCOUNT

    other = clients.make(server, "logs", keys=OTHER_ACCOUNT)
    put(logs, group, "s", [(now(), "mine")])
    assert other.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []
    refused(other.filter_log_events, "ResourceNotFoundException", logGroupName=group)
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"
    refused(other.filter_log_events, "ResourceNotFoundException", logGroupIdentifier=arn)
    elsewhere = clients.make(server, "logs", region="eu-central-1")
    refused(elsewhere.filter_log_events, "ResourceNotFoundException", logGroupName=group)
    assert messages(logs.filter_log_events(logGroupIdentifier=arn)) == ["mine"]


# Streams.


def test_streams_are_ordered_by_name_or_by_their_last_event(logs, group):
    start = now()
    for name, time_ in (("a", 30), ("b", 10), ("c", 20)):
        put(logs, group, name, [(start - HOUR, "first"), (start + time_, "last")])
    logs.create_log_stream(logGroupName=group, logStreamName="empty")

    def names(**arguments):
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName=group, PaginationConfig={"PageSize": 3}, **arguments
        )
        return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]

    assert names() == ["a", "b", "c", "empty"]
    assert names(descending=True) == ["empty", "c", "b", "a"]
    assert names(orderBy="LastEventTime", descending=True) == ["a", "c", "b", "empty"]
    assert names(logStreamNamePrefix="e") == ["empty"]
    refused(
        logs.describe_log_streams, "InvalidParameterException", "Cannot order by LastEventTime",
        logGroupName=group, orderBy="LastEventTime", logStreamNamePrefix="a",
    )  # fmt: skip
    refused(
        logs.create_log_stream, "ResourceAlreadyExistsException",
        logGroupName=group, logStreamName="empty",
    )  # fmt: skip
    logs.delete_log_stream(logGroupName=group, logStreamName="empty")
    refused(
        logs.delete_log_stream, "ResourceNotFoundException", "log stream",
        logGroupName=group, logStreamName="empty",
    )  # fmt: skip
    assert names() == ["a", "b", "c"]


# Events.


def test_what_cannot_be_taken_is_told(logs, group):
    start = now()
    answer = put(logs, group, "s", [(start - 15 * DAY, "too old")])
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    answer = put(logs, group, "s", [(start, "now"), (start + 3 * HOUR, "too new")], create=False)
    assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    assert answer["nextSequenceToken"]
    assert messages(logs.filter_log_events(logGroupName=group)) == ["now"]
    for events, words in (
        ([(start, "a"), (start - 1, "b")], "chronological order"),
        ([(start - 25 * HOUR, "a"), (start, "b")], "24 hours"),
        ([(start, "x" * 1_048_576)], "Upload too large: 1048602 bytes"),
    ):
        refused(
            put, "InvalidParameterException", words,
            logs=logs, group=group, stream="s", events=events, create=False,
        )  # fmt: skip
    refused(
        put, "ResourceNotFoundException", "log stream",
        logs=logs, group=group, stream="none", events=[(start, "a")], create=False,
    )  # fmt: skip
    # Old tokens are nobody's business any more.
    logs.put_log_events(
        logGroupName=group, logStreamName="s", sequenceToken="nonsense",
        logEvents=[{"timestamp": start, "message": "again"}],
    )  # fmt: skip


def test_a_stream_is_read_forwards_and_backwards(logs, group):
    start = now() - 1000
    put(logs, group, "s", [(start + number, str(number)) for number in range(10)])

    def get(**arguments):
        return logs.get_log_events(logGroupName=group, logStreamName="s", **arguments)

    last = get(limit=4)
    assert messages(last) == ["6", "7", "8", "9"]
    before = get(limit=4, nextToken=last["nextBackwardToken"])
    assert messages(before) == ["2", "3", "4", "5"]
    first = get(limit=4, nextToken=before["nextBackwardToken"])
    assert messages(first) == ["0", "1"]
    nothing = get(limit=4, nextToken=first["nextBackwardToken"])
    assert messages(nothing) == [] and nothing["nextBackwardToken"] == first["nextBackwardToken"]
    assert messages(get(limit=3, nextToken=nothing["nextForwardToken"])) == ["0", "1", "2"]
    head = get(limit=6, startFromHead=True)
    assert messages(head) == ["0", "1", "2", "3", "4", "5"]
    rest = get(nextToken=head["nextForwardToken"])
    assert messages(rest) == ["6", "7", "8", "9"]
    end = get(nextToken=rest["nextForwardToken"])
    assert messages(end) == [] and end["nextForwardToken"] == rest["nextForwardToken"]
    put(logs, group, "s", [(start + 100, "late")], create=False)
    assert messages(get(nextToken=end["nextForwardToken"])) == ["late"]
    # The end is not included.
    assert messages(get(startTime=start + 3, endTime=start + 5)) == ["3", "4"]
    assert messages(get(startTime=start + 500)) == []
    refused(get, "InvalidParameterException", "nextToken is invalid", nextToken="f/x/s")
    refused(
        logs.get_log_events, "ResourceNotFoundException", "log stream",
        logGroupName=group, logStreamName="none",
    )  # fmt: skip


def test_events_of_several_streams_are_found_by_time_and_in_pages(logs, group):
    start = now() - HOUR
    for offset, stream in enumerate(("app/1", "app/2", "db/1")):
        put(logs, group, stream, [(start + 3 * n + offset, f"{stream} {n}") for n in range(40)])
    everything = filtered(logs, group, PaginationConfig={"PageSize": 7})
    assert len(everything) == 120
    assert [event["timestamp"] for event in everything] == [start + n for n in range(120)]
    assert len({event["eventId"] for event in everything}) == 120
    assert len(filtered(logs, group, logStreamNamePrefix="app/")) == 80
    assert len(filtered(logs, group, logStreamNames=["db/1", "app/1"])) == 80
    # Here the end is included.
    some = filtered(logs, group, startTime=start + 10, endTime=start + 12)
    assert [event["timestamp"] for event in some] == [start + 10, start + 11, start + 12]
    page = logs.filter_log_events(logGroupName=group, interleaved=True)
    assert page["searchedLogStreams"] == [] and "nextToken" not in page
    assert page["events"][0]["eventId"] == everything[0]["eventId"]
    refused(
        logs.filter_log_events, "ResourceNotFoundException", "log stream",
        logGroupName=group, logStreamNames=["none"],
    )  # fmt: skip
    refused(logs.filter_log_events, "InvalidParameterException", "nextToken",
            logGroupName=group, nextToken="nonsense")  # fmt: skip
    refused(
        logs.filter_log_events, "InvalidParameterException", "mutually exclusive",
        logGroupName=group, logStreamNames=["db/1"], logStreamNamePrefix="app",
    )  # fmt: skip


def test_filter_patterns_choose_events(logs, group):
    start = now()
    said = [
        "[ERROR] code 404",
        "[WARN] code 200",
        '{"level":"ERROR","n":4,"deep":{"list":[1]}}',
        '127.0.0.1 frank "GET /" 404 1534',
    ]
    put(logs, group, "s", [(start + n, text) for n, text in enumerate(said)])
    for pattern, expected in (
        ("ERROR", [0, 2]),
        ("code -ERROR", [1]),
        ("?WARN ?frank", [1, 3]),
        ('"code 404"', [0]),
        ("%code \\d0\\d%", [0, 1]),
        ('{ $.level = "ERR*" && $.n >= 4 }', [2]),
        ("{ $.deep.list[0] = 1 || $.none = 1 }", [2]),
        ("[ip, user, request, status=4*, bytes > 1000]", [3]),
    ):
        found = messages(logs.filter_log_events(logGroupName=group, filterPattern=pattern))
        assert found == [said[n] for n in expected], pattern
    for pattern in ("a.b", "{ $.a", "[a,", "%(%"):
        refused(
            logs.filter_log_events, "InvalidParameterException",
            logGroupName=group, filterPattern=pattern,
        )  # fmt: skip


def test_what_may_not_be_is_refused_in_the_services_words(loose, group):
    for call, arguments, words in (
        (loose.create_log_group, {}, "Value null at 'logGroupName'"),
        (loose.create_log_group, {"logGroupName": "a b"}, r"pattern: [\.\-_/#A-Za-z0-9]+"),
        (loose.create_log_group, {"logGroupName": "a" * 513}, "less than or equal to 512"),
        (loose.create_log_group, {"logGroupName": "a", "logGroupClass": "X"}, "enum value set"),
        (loose.create_log_group, {"logGroupName": "a", "tags": {"a!": ""}}, "'tags'"),
        (loose.create_log_stream, {"logGroupName": group, "logStreamName": "a:b"}, "[^:*]*"),
        (loose.describe_log_groups, {"limit": 51}, "less than or equal to 50"),
        (loose.describe_log_streams, {"logGroupName": group, "orderBy": "x"}, "'orderBy'"),
        (loose.get_log_events, {"logGroupName": group}, "'logStreamName'"),
        (loose.filter_log_events, {"logGroupName": group, "limit": 0}, "'limit'"),
        (loose.filter_log_events, {}, "'logGroupName'"),
        (loose.put_log_events, {"logGroupName": group, "logStreamName": "s", "logEvents": []}, "'logEvents'"),
        (
            loose.put_log_events,
            {"logGroupName": group, "logStreamName": "s", "logEvents": [{"timestamp": -1, "message": ""}]},
            "2 validation errors",
        ),
    ):
        refused(call, "InvalidParameterException", words, **arguments)
    refused(loose.create_log_group, "SerializationException", logGroupName=7)
    refused(loose.start_query, "NotImplementedException", startTime=1, endTime=2, queryString="x")


def test_a_function_that_never_stops_printing_leaves_room_on_the_disk(own_server):
    server = own_server("[logs]\ngroup_mb_max = 1\n").start()
    client = clients.make(server)
    name = functions.unique()
    functions.create(
        client,
        name,
        """
        def handler(event, context):
            for number in range(4000):
                print(number, 'x' * 1000)
        """,
        Timeout=30,
    )
    answer = client.invoke(FunctionName=name)
    assert "FunctionError" not in answer
    logs = clients.make(server, "logs")
    group = f"/aws/lambda/{name}"
    wait_for(lambda: any("REPORT" in e["message"] for e in filtered(logs, group, filterPattern="REPORT")))
    kept = sum(path.stat().st_size for path in server.data.glob("logs/**/*.jsonl"))
    assert 500_000 < kept <= 1024 * 1024
    numbers = [int(event["message"].split()[0]) for event in filtered(logs, group, filterPattern="xxx")]
    assert numbers == list(range(numbers[0], 4000)) and numbers[0] > 2000
    server.finish()
