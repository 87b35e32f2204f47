"""What becomes of events whose function fails, cannot run, changes or goes, in real time.

What takes a minute begins with the first test, all at once, and is checked by the last ones.
"""

import json
import os
import types

import pytest

from support import clients, functions, records
from support.events import DOES, Told, arn_of, destined, send
from support.mailboxes import Queue
from support.server import wait_for

FAIL = {"fail": True}
# The first retry comes after one minute; tests that wait for it have waited for most of it already.
MINUTE = 60_000
WITHIN = 100
RETRIED = "lambent_event_invoke_events_retried_total"


@pytest.fixture(scope="module")
def client(plane):
    """Lambda, which tells `peer`."""
    return clients.make(plane)


@pytest.fixture(scope="module")
def told(plane):
    """What functions did."""
    return Told(plane)


@pytest.fixture(scope="module")
def make(client, peer):
    """Functions for the module, with a queue for each side."""
    made = []

    def one(source=DOES, **settings):
        name = functions.unique()
        made.append(name)
        functions.create(client, name, source, **settings)
        sqs = peer.client("sqs")
        return types.SimpleNamespace(
            name=name, arn=arn_of(client, name), good=Queue(sqs), bad=Queue(sqs)
        )

    yield one
    for name in made:
        functions.delete(client, name)


def failure(record, function, request, *, event=FAIL, **more):
    """Compares the record of a run that failed. Where it failed is not compared."""
    trace = record["responsePayload"]["stackTrace"]
    response = {
        "errorMessage": "told to", "errorType": "ValueError", "requestId": request,
        "stackTrace": trace,
    }  # fmt: skip
    expected = {
        "condition": "RetriesExhausted", "version": "$LATEST", "error": "Unhandled",
        "arn": f"{function.arn}:$LATEST", **more,
    }  # fmt: skip
    records.check(record, request=request, payload=event, response=response, **expected)


@pytest.fixture(scope="module", autouse=True)
def minute(client, make, told, peer, plane):
    """What takes a minute, begun: functions and the requests of their events."""
    failing, changed, coded, deleted = make(), make(), make(), make()
    for function in (failing, deleted):
        destined(client, function.name, failure=function.bad.arn, MaximumRetryAttempts=1)
    moved = make(DOES.replace('event.get("fail")', 'version == "1"'))
    begin_moved(client, moved)
    retried = plane.metric(RETRIED)
    sent = {
        "failing": (failing, send(client, failing.name, FAIL)),
        "changed": (changed, send(client, changed.name, FAIL)),
        "coded": (coded, send(client, coded.name, FAIL)),
        "deleted": (deleted, send(client, deleted.name, FAIL)),
        "fixed": (moved, send(client, moved.name, FAIL, Qualifier="1")),
        "moved": (moved, send(client, moved.name, FAIL, Qualifier="live")),
    }
    # Each has failed once and waits.
    wait_for(lambda: plane.metric(RETRIED) >= retried + len(sent), 30)
    late, letters = begin_late(client, make, told, peer)
    destined(client, changed.name, failure=changed.bad.arn)
    destined(client, coded.name, success=coded.good.arn)
    code, _ = functions.source_package("python3.12", "def handler(event, context): return 'new'\n")
    client.update_function_code(FunctionName=coded.name, ZipFile=code)
    client.update_alias(FunctionName=moved.name, Name="live", FunctionVersion="2")
    client.delete_function(FunctionName=deleted.name)
    return types.SimpleNamespace(**sent, late=late, letters=letters)


def begin_moved(client, function):
    """Two versions, of which only the second is well, and an alias that names the first."""
    client.publish_version(FunctionName=function.name)
    client.update_function_configuration(FunctionName=function.name, Description="second")
    functions.until_updated(client, function.name)
    client.publish_version(FunctionName=function.name)
    client.create_alias(FunctionName=function.name, Name="live", FunctionVersion="1")
    for qualifier, box in (("1", function.bad), ("live", function.good)):
        destined(
            client, function.name, success=box.arn, failure=box.arn, Qualifier=qualifier,
            MaximumRetryAttempts=1,
        )  # fmt: skip


def begin_late(client, make, told, peer):
    """One environment, and it is busy for longer than its events live."""
    letters = Queue(peer.client("sqs"))
    function = make(Timeout=120, DeadLetterConfig={"TargetArn": letters.arn})
    client.put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=1)
    destined(client, function.name, failure=function.bad.arn, MaximumEventAgeInSeconds=60)
    busy = send(client, function.name, {"sleep": 70})
    wait_for(lambda: told(function.name, busy), 30)
    return (function, send(client, function.name, {"late": 1})), letters


def test_without_retries_it_is_invoked_once(client, make, told):
    function = make()
    destined(client, function.name, failure=function.bad.arn)
    request = send(client, function.name, FAIL)
    failure(function.bad.record(), function, request)
    assert len(told(function.name)) == 1


def test_a_retry_that_would_come_too_late_is_not_waited_for(client, make):
    function = make()
    destined(
        client, function.name, failure=function.bad.arn, MaximumRetryAttempts=2,
        MaximumEventAgeInSeconds=60,
    )  # fmt: skip
    request = send(client, function.name, FAIL)
    failure(function.bad.record(), function, request, condition="EventAgeExceeded")


def test_what_may_not_run_is_told_at_once(client, make, told):
    """Reserved concurrency 0: accepted, and over."""
    function = make()
    destined(client, function.name, failure=function.bad.arn, MaximumRetryAttempts=2)
    client.put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=0)
    request = send(client, function.name, {"n": 1})
    records.check(
        function.bad.record(), request=request, arn=f"{function.arn}:$LATEST", payload={"n": 1},
        condition="ZeroReservedConcurrency", invokes=0,
    )  # fmt: skip
    assert told(function.name) == []


def test_throttled_events_all_run_once(client, make, told):
    function = make()
    client.put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=1)
    requests = {send(client, function.name, {"n": n, "sleep": 0.2}): n for n in range(20)}
    wait_for(lambda: len(told(function.name)) >= 20, 90, every=0.5)
    runs = told(function.name)
    assert sorted(run["event"]["n"] for run in runs) == list(range(20))
    assert {run["request"]: run["event"]["n"] for run in runs} == requests


def test_a_failure_is_tried_again_after_a_minute(minute, told):
    function, request = minute.failing
    failure(function.bad.record(WITHIN), function, request, invokes=2)
    first, second = told(function.name)
    assert first["request"] == second["request"] == request
    assert second["at"] - first["at"] >= MINUTE
    assert function.good.letters() == []


def test_settings_that_change_hold_for_what_waits(minute, told):
    function, request = minute.changed
    failure(function.bad.record(WITHIN), function, request, invokes=2)
    assert len(told(function.name)) == 2


def test_what_waits_runs_on_new_code(minute):
    function, request = minute.coded
    records.check(
        function.good.record(WITHIN), request=request, arn=f"{function.arn}:$LATEST", payload=FAIL,
        condition="Success", invokes=2, version="$LATEST", response="new",
    )  # fmt: skip


def test_what_waits_goes_where_its_alias_has_moved(minute):
    function, request = minute.moved
    records.check(
        function.good.record(WITHIN), request=request, arn=f"{function.arn}:live", payload=FAIL,
        condition="Success", invokes=2, version="2", response={"version": "2", "event": FAIL},
    )  # fmt: skip


def test_what_waits_for_a_version_stays_with_it(minute):
    function, request = minute.fixed
    failure(
        function.bad.record(WITHIN), function, request, invokes=2, version="1",
        arn=f"{function.arn}:1",
    )  # fmt: skip


def test_who_is_told_of_a_function_hears_that_it_is_gone(minute, told):
    """It failed once, and then was missing, which counts as well."""
    function, request = minute.deleted
    records.check(
        function.bad.record(WITHIN), request=request, arn=f"{function.arn}:$LATEST", payload=FAIL,
        condition="RetriesExhausted", invokes=2, status=404,
    )  # fmt: skip
    assert len(told(function.name, request)) == 1


def test_what_could_not_run_in_time_is_told(minute, told):
    """Throttled for as long as it lives: it never ran, and the response is that alone."""
    function, request = minute.late
    records.check(
        function.bad.record(WITHIN), request=request, arn=f"{function.arn}:$LATEST",
        payload={"late": 1}, condition="EventAgeExceeded", invokes=0, status=429,
    )  # fmt: skip
    body, attributes = minute.letters.letter(WITHIN)
    assert json.loads(body) == {"late": 1}
    assert attributes == {
        "RequestID": ("String", request),
        "ErrorCode": ("Number", "429"),
        "ErrorMessage": ("String", "Rate Exceeded."),
    }
    assert told(function.name, request) == []


# Three minutes: for those who have them.
if os.environ.get("LAMBENT_TEST_LONG"):

    def test_a_failure_is_tried_three_times(client, make, told):
        function = make()
        destined(client, function.name, failure=function.bad.arn, MaximumRetryAttempts=2)
        request = send(client, function.name, FAIL)
        record = function.bad.record(4 * 60)
        failure(record, function, request, invokes=3)
        runs = told(function.name)
        assert [run["request"] for run in runs] == [request] * 3
        first, second, third = (run["at"] for run in runs)
        print(f"invoked at 0 s, {(second - first) / 1000} s, {(third - first) / 1000} s; told:")
        print(json.dumps(record, indent=1))
        assert second - first >= MINUTE and third - second >= 2 * MINUTE
