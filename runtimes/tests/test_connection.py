"""What our loops make of the ways in which a Runtime API may answer, and of losing it. AWS's clients are not asked."""

import subprocess

import pytest

from harness import run, start
from runtime_api import Event, RuntimeApi

LARGE = b'{"large":"' + b"x" * (6 * 1024 * 1024 - 100) + b'"}'
UNICODE = '{"ü":"\U0001f600 \u2028"}'.encode()


@pytest.fixture(params=["python", "nodejs", "java"])
def echo(request):
    """(our runtime, task, a handler that returns the event)"""
    handler = {"python": "bare_echo.handler", "nodejs": "index.echo", "java": "example.Functions::same"}[request.param]
    return request.getfixturevalue(request.param)[0], request.getfixturevalue(request.param + "_task"), handler


@pytest.mark.parametrize("manner", ["plain", "pieces", "chunked", "closing", "silent"])
def test_every_manner_of_answering_is_understood(echo, manner):
    events = [b'{"a":1}', UNICODE, LARGE, b'{"b":2}']
    outcome = run(*echo, events, manner=manner)
    assert [post.body.decode().replace(": ", ":").replace('"\\u00fc":"\\ud83d\\ude00 \\u2028"', UNICODE[1:-1].decode())
            .replace("\\uD83D\\uDE00", "\U0001f600") for post in outcome.posts] == [event.decode() for event in events]
    assert outcome.output == ""


def test_the_runtime_ends_when_it_loses_the_api(echo):
    api = RuntimeApi()
    process = start(echo[0], api, *echo[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert api.wait(lambda: api.waiting == 1, 20)
        api.close()
        assert process.wait(10) == 1
        assert len(process.stdout.read()) < 4000
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_runtime_ends_when_there_is_no_api(echo):
    api = RuntimeApi()
    api.close()
    process = start(echo[0], api, *echo[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert len(output) < 4000


def test_memory_does_not_grow_with_the_number_of_errors(python, python_task):
    api = RuntimeApi()
    process = start(python[0], api, python_task, "app.fail", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        sizes = []
        for round in range(3):
            for number in range(300):
                api.send(Event(b"1", "%d-%d" % (round, number)))
            assert api.wait(lambda: len(api.requests) == 300 * (round + 1), 30)
            with open("/proc/%d/statm" % process.pid) as file:
                sizes.append(int(file.read().split()[1]))
        assert sizes[2] - sizes[1] < 64  # Pages of 4 KiB.
    finally:
        process.kill()
        process.wait()
        api.close()
